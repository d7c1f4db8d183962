//! Texts that the compiler joins: the meaning of a variable is a constant, and some list the words of other tables.

/// Joins constant texts at compile time: `text!("from `", FIRST, "` to `", LAST, "`")`.
#[macro_export]
macro_rules! text {
    ($($part:expr),+ $(,)?) => { $crate::joined!(&[$($part),+], "") };
}

/// Joins a constant slice of texts at compile time, with a separator between two: `joined!(WORDS, "`, `")`.
#[macro_export]
macro_rules! joined {
    ($parts:expr, $separator:expr) => {{
        const PARTS: &[&str] = $parts;
        const SEPARATOR: &str = $separator;
        const BYTES: [u8; $crate::joined_length(PARTS, SEPARATOR)] = $crate::joined_bytes(PARTS, SEPARATOR);
        const TEXT: &str = match ::core::str::from_utf8(&BYTES) {
            Ok(text) => text,
            // Unreachable: whole texts were joined.
            Err(_) => "",
        };
        TEXT
    }};
}

/// Returns the length of the text that [`joined_bytes`] makes.
#[doc(hidden)]
pub const fn joined_length(parts: &[&str], separator: &str) -> usize {
    let mut length = 0;
    let mut parts = parts;
    while let [part, rest @ ..] = parts {
        length += part.len();
        if !rest.is_empty() {
            length += separator.len();
        }
        parts = rest;
    }
    length
}

/// Joins texts into an array that has their length.
#[doc(hidden)]
pub const fn joined_bytes<const LENGTH: usize>(parts: &[&str], separator: &str) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let mut end = 0;
    let mut parts = parts;
    while let [part, rest @ ..] = parts {
        end = copy(&mut bytes, end, part);
        if !rest.is_empty() {
            end = copy(&mut bytes, end, separator);
        }
        parts = rest;
    }
    bytes
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which rejects an index out of range"
)]
const fn copy<const LENGTH: usize>(bytes: &mut [u8; LENGTH], start: usize, text: &str) -> usize {
    let text = text.as_bytes();
    let mut index = 0;
    while index < text.len() {
        bytes[start + index] = text[index];
        index += 1;
    }
    start + index
}

#[cfg(test)]
mod tests {
    const WORDS: &[&str] = &["a", "bc", ""];

    #[test]
    fn texts_are_joined_with_separators_between_them() {
        assert_eq!(
            crate::text!("`", crate::joined!(WORDS, "`, `"), "`"),
            "`a`, `bc`, ``"
        );
        assert_eq!(crate::joined!(&[], ", "), "");
    }
}
