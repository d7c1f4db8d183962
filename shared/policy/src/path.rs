//! Paths that everybody reads the same, and what lies below them.

/// Whether no service could take the path for another one, by decoding or by normalising it.
///
/// Plain is a path of RFC 3986 §3.3 that begins with a slash and has no segment that is empty (but the last) or made of
/// dots, no path parameters, and nothing percent-encoded but what has to be: text in UTF-8 and characters without a
/// meaning in paths. Encoded slashes, dots, letters, percent signs and control characters are what bypasses are made of.
pub(crate) fn is_plain(path: &str) -> bool {
    let Some(segments) = path.strip_prefix('/') else {
        return false;
    };
    let mut segments = segments.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        let is_sound = match segment {
            "" => is_last,
            "." | ".." => false,
            other => is_plain_segment(other),
        };
        if !is_sound {
            return false;
        }
    }
    true
}

fn is_plain_segment(segment: &str) -> bool {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
                    return false;
                };
                match u8::try_from(high * 16 + low) {
                    Ok(byte) if may_be_encoded(byte) => decoded.push(byte),
                    _ => return false,
                }
            }
            byte if may_be_literal(byte) => decoded.push(byte),
            _ => return false,
        }
    }
    // Overlong forms of UTF-8 are a slash to some readers.
    std::str::from_utf8(&decoded).is_ok()
}

/// `pchar` of RFC 3986 §3.3 without the semicolon.
fn may_be_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}

/// Not unreserved (RFC 3986 §2.3), and no character that ends or divides a path for somebody.
fn may_be_encoded(byte: u8) -> bool {
    let is_unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !is_unreserved && !byte.is_ascii_control() && !b"/\\%;?#".contains(&byte)
}

/// Whether the path is `prefix` or below it, segment by segment. Both are plain, and `prefix` has no slash at its end
/// unless it is the root. The case of percent-encoded digits does not count (RFC 3986 §6.2.2.1).
pub(crate) fn is_within(path: &str, prefix: &str) -> bool {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let (Some(start), Some(rest)) = (
        path.as_bytes().get(..prefix.len()),
        path.as_bytes().get(prefix.len()..),
    ) else {
        return false;
    };
    matches!(rest.first(), None | Some(b'/')) && equal(start, prefix.as_bytes())
}

fn equal(left: &[u8], right: &[u8]) -> bool {
    let mut encoded_digits = 0;
    left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| {
            let same = match encoded_digits {
                0 => left == right,
                _ => left.eq_ignore_ascii_case(right),
            };
            encoded_digits = match (encoded_digits, left) {
                (0, b'%') => 2,
                (digits, _) => digits.max(1) - 1,
            };
            same
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_are_plain() {
        for path in [
            "/",
            "/orders",
            "/orders/",
            "/orders/7",
            "/a.b/..c/...",
            "/k%C3%A4se/m%c3%bcsli",
            "/a%20b/%22",
            "/user@example.org:x,y=1!$&'()*+~",
        ] {
            assert!(is_plain(path), "{path}");
        }
    }

    #[test]
    fn paths_that_a_service_may_read_differently_are_not_plain() {
        for path in [
            "",
            "*",
            "admin",
            "//",
            "//admin",
            "/a//b",
            "/.",
            "/..",
            "/public/../admin",
            "/public/./admin",
            "/public/%2e%2e/admin",
            "/public/%2E./admin",
            "/public/.%2e/admin",
            "/public%2f..%2fadmin",
            "/public%2Fadmin",
            "/public\\..\\admin",
            "/public%5c..%5cadmin",
            "/%61dmin",
            "/admin;jsessionid=1",
            "/;/admin",
            "/admin%3bx",
            "/admin%00",
            "/admin%0a",
            "/admin%7f",
            "/%252e%252e/admin",
            "/%c0%ae%c0%ae/admin",
            "/%c0%afadmin",
            "/%ff",
            "/admin%3fx",
            "/admin%23x",
            "/admin#x",
            "/admin?x",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%+1",
            "/a b",
            "/a\tb",
            "/a\0b",
            "/käse",
            "/a\"b",
            "/a|b",
            "http://host/path",
        ] {
            assert!(!is_plain(path), "{path}");
        }
    }

    #[test]
    fn a_prefix_ends_at_a_slash() {
        for path in ["/orders", "/orders/", "/orders/7", "/orders/7/items"] {
            assert!(is_within(path, "/orders"), "{path}");
        }
        for path in ["/", "/order", "/orders-old", "/Orders", "/orders%20", "/x/orders"] {
            assert!(!is_within(path, "/orders"), "{path}");
        }
        for path in ["/", "/orders"] {
            assert!(is_within(path, "/"), "{path}");
        }
    }

    #[test]
    fn only_the_case_of_encoded_digits_does_not_count() {
        assert!(is_within("/k%c3%a4se/1", "/k%C3%A4se"));
        assert!(!is_within("/K%c3%a4se/1", "/k%C3%A4se"));
        assert!(!is_within("/k%c3%a4Se", "/k%C3%A4se"));
        assert!(!is_within("/%C3%A4Ab", "/%C3%A4ab"));
    }
}
