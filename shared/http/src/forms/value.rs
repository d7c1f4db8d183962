//! Values of identity headers.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Sets a header to a value of visible ASCII characters and spaces. Writers escape everything else.
pub fn set(headers: &mut HeaderMap, name: HeaderName, value: String) {
    match HeaderValue::try_from(value) {
        Ok(value) => headers.insert(name, value),
        // Unreachable with visible ASCII. A service without the header sees a client without an
        // identity.
        Err(_) => headers.remove(name),
    };
}
