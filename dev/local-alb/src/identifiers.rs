use std::fmt::Write;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

/// Returns random lower-case hexadecimal digits, which identify requests and are not secret.
pub(crate) fn hexadecimal(digits: usize) -> String {
    let mut text = String::with_capacity(digits + 16);
    while text.len() < digits {
        // Writing to a string cannot fail.
        let _ = write!(text, "{:016x}", RandomState::new().hash_one(text.len()));
    }
    text.truncate(digits);
    text
}

/// Returns an identifier in version 1 of the format that `X-Amzn-Trace-Id` and X-Ray share: `1-<8
/// hex seconds>-<24 hex>`.
pub(crate) fn trace() -> String {
    format!("1-{:08x}-{}", since_epoch().as_secs(), hexadecimal(24))
}

/// A request id in the form of a UUID.
pub(crate) fn request() -> String {
    let parts = [8, 4, 4, 4, 12].map(hexadecimal);
    parts.join("-")
}

pub(crate) fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}
