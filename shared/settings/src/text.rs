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
    ($($part:expr),+ $(,)?) => {{
        const PARTS: &[&str] = &[$($part),+];
        const BYTES: &[u8] = &$crate::text_bytes::<{ $crate::text_length(PARTS) }>(PARTS);
        $crate::text_of(BYTES)
    }};
}

/// Returns the length of texts together, in bytes.
#[doc(hidden)]
pub const fn text_length(mut parts: &[&str]) -> usize {
    let mut length = 0;
    while let [first, rest @ ..] = parts {
        length += first.len();
        parts = rest;
    }
    length
}

/// Returns the bytes of texts, one after the other.
#[doc(hidden)]
pub const fn text_bytes<const LENGTH: usize>(mut parts: &[&str]) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let mut free = bytes.as_mut_slice();
    while let [first, rest @ ..] = parts {
        // Both lengths come from `text_length` of the same parts; others would end compilation here.
        let (begin, after) = free.split_at_mut(first.len());
        begin.copy_from_slice(first.as_bytes());
        free = after;
        parts = rest;
    }
    bytes
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
