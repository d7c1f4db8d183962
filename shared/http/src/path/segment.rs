//! Segments of plain paths.

use unicode_normalization::UnicodeNormalization;

use super::folding::fold;

/// Segment of a plain path, decoded and folded for comparison.
#[derive(Default)]
pub(super) struct Segment {
    pub(super) decoded: String,
    pub(super) folded: String,
}

impl Segment {
    /// Parses a segment that is not the empty one at the end.
    pub(super) fn parse(segment: &str) -> Option<Self> {
        let decoded = decode(segment)?;
        if !decoded.chars().all(is_plain) || decoded.starts_with(' ') || decoded.ends_with(' ') {
            return None;
        }
        let folded = fold(&decoded);
        // A segment without what one server removes is not a dot segment or empty, and has no end
        // that another removes.
        let has_plain_end = |name: &str| !name.is_empty() && !name.ends_with(['.', ' ']);
        let has_short_name = folded
            .as_bytes()
            .windows(2)
            .any(|pair| matches!(pair, [b'~', digit] if digit.is_ascii_digit()));
        (has_plain_end(&folded) && has_plain_end(before_colon(&folded)) && !has_short_name)
            .then_some(Self { decoded, folded })
    }
}

/// Decodes a segment; `None` when a character in it must not be encoded and is, must be encoded and
/// is not, or is not UTF-8. Overlong forms of `.` and `/` are not UTF-8 (RFC 3629 §3).
fn decode(segment: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = bytes.next().and_then(digit)?;
            let low = bytes.next().and_then(digit)?;
            let byte = high * 16 + low;
            if is_unreserved(byte) {
                return None;
            }
            decoded.push(byte);
        } else if is_unreserved(byte) || is_either(byte) {
            decoded.push(byte);
        } else {
            return None;
        }
    }
    String::from_utf8(decoded).ok()
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

/// Returns `true` for characters with one spelling (RFC 3986 §2.3).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Returns `true` for characters of RFC 3986 §3.3 that can be encoded or not, and that no server
/// gives a meaning.
fn is_either(byte: u8) -> bool {
    b"!$&'+,:=@".contains(&byte)
}

fn is_plain(character: char) -> bool {
    match u8::try_from(character) {
        Ok(byte) if byte.is_ascii() => is_unreserved(byte) || is_either(byte) || b" []".contains(&byte),
        _ => {
            let decomposed = std::iter::once(character).nfkd();
            let is_letter = |part: char| part.is_ascii_alphanumeric() || !part.is_ascii();
            !character.is_control()
                && !character.is_whitespace()
                && decomposed
                    .into_iter()
                    .all(|part| is_letter(part) && !is_like_separator(part))
        }
    }
}

/// Returns `true` for characters that a code page of Windows without them replaces by a slash or
/// backslash ("best fit").
fn is_like_separator(character: char) -> bool {
    matches!(
        character,
        '\u{A5}' | '\u{20A9}' | '\u{2044}' | '\u{2215}' | '\u{2216}' | '\u{29F5}' | '\u{29F8}' | '\u{29F9}'
    )
}

/// Returns the text before the first colon.
pub(super) fn before_colon(segment: &str) -> &str {
    segment.split(':').next().unwrap_or_default()
}
