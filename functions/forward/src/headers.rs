//! Size of headers.

use http::header::HeaderMap;

/// Returns the length of names and values on the wire, with what HTTP/1.1 puts between them.
pub(crate) fn wire_length(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len())
        .sum()
}
