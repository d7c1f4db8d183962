//! Texts that are put together when the program is compiled, so that a table's help can name the rows of another table.

/// Joins constant texts into one `&'static str`.
///
/// ```
/// use alb_mtls_settings::text;
///
/// const FORMS: &str = "`file:/path` or `ssm:/name`";
/// const HELP: &str = text!("source of a key: ", FORMS);
/// assert_eq!(HELP, "source of a key: `file:/path` or `ssm:/name`");
/// ```
#[macro_export]
macro_rules! text {
    ($($part:expr),+ $(,)?) => { $crate::joined!(&[$($part),+], "") };
}

/// Joins the texts of a constant slice into one `&'static str`, with a separator between two of them.
///
/// ```
/// const FORMS: &[&str] = &["file", "ssm", "s3"];
/// const HELP: &str = alb_mtls_settings::joined!(FORMS, ", ");
/// assert_eq!(HELP, "file, ssm, s3");
/// ```
#[macro_export]
macro_rules! joined {
    ($parts:expr, $separator:expr) => {{
        const PARTS: &[&str] = $parts;
        const LENGTH: usize = $crate::text_length(PARTS, $separator);
        const BYTES: &[u8] = &$crate::text_bytes::<LENGTH>(PARTS, $separator);
        $crate::text_of(BYTES)
    }};
}

/// Returns the length of texts and of the separators between them, in bytes.
#[doc(hidden)]
pub const fn text_length(mut parts: &[&str], separator: &str) -> usize {
    let mut length = 0;
    while let [first, rest @ ..] = parts {
        length += first.len();
        if !rest.is_empty() {
            length += separator.len();
        }
        parts = rest;
    }
    length
}

/// Returns the bytes of texts, one after the other, with a separator between two of them.
#[doc(hidden)]
pub const fn text_bytes<const LENGTH: usize>(mut parts: &[&str], separator: &str) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let mut free = bytes.as_mut_slice();
    while let [first, rest @ ..] = parts {
        free = copy(free, first);
        if !rest.is_empty() {
            free = copy(free, separator);
        }
        parts = rest;
    }
    bytes
}

/// Copies a text to the begin of a space and returns what is left of the space.
const fn copy<'s>(space: &'s mut [u8], text: &str) -> &'s mut [u8] {
    // The space has the length that `text_length` returns for the same texts; less would end compilation here.
    let (begin, after) = space.split_at_mut(text.len());
    begin.copy_from_slice(text.as_bytes());
    after
}

/// Returns the text of bytes that were one.
#[doc(hidden)]
pub const fn text_of(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // Not reached: whole texts were joined.
        Err(_) => "",
    }
}
