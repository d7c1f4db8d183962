//! Paths of requests that every server reads alike, and what lies below them.
//!
//! A load balancer hands a path over as the client wrote it. `/public/../admin`, `/public/..;/admin`, `//admin` and
//! `/%61dmin` are `/admin` to one server or another, so whoever grants something by a path must first know that the path
//! can be read in one way only: that it is a [`PlainPath`].
//!
//! ```
//! use alb_mtls_http::path::PlainPath;
//!
//! let orders = PlainPath::parse("/orders").unwrap();
//! assert!(PlainPath::parse("/orders/7").unwrap().is_within(&orders));
//! assert!(!PlainPath::parse("/orders-old").unwrap().is_within(&orders));
//! assert_eq!(PlainPath::parse("/public/%2e%2e/orders"), None);
//! ```

#![warn(missing_docs)]

use std::fmt;

use percent_encoding::percent_decode_str;

/// A path that no server takes for another one, by decoding or by normalising it.
///
/// It begins with a slash and has no segment that is empty (but the last) or made of dots, no path parameters (`;`), and
/// nothing percent-encoded that is a letter, a digit or one of `-._~` (RFC 3986 §2.3), or that ends or divides a path for
/// somebody: slashes, backslashes, percent signs, `?`, `#`, `;` and control characters. What is encoded is UTF-8. No
/// segment ends in a dot or begins or ends with a space: file systems strip those.
///
/// Two plain paths are compared as their text decodes, so that `/a+b` and `/a%2Bb` are one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlainPath {
    decoded: Box<str>,
}

impl PlainPath {
    /// The path as it was sent, without the query; `None` when it can be read in more than one way.
    pub fn parse(path: &str) -> Option<Self> {
        let mut segments = path.strip_prefix('/')?.split('/').peekable();
        while let Some(segment) = segments.next() {
            let is_last = segments.peek().is_none();
            if !(is_plain_segment(segment) && (is_last || !segment.is_empty())) {
                return None;
            }
        }
        // Overlong forms of `.` and `/` are no UTF-8.
        let decoded = percent_decode_str(path).decode_utf8().ok()?;
        Some(Self {
            decoded: decoded.into(),
        })
    }

    /// The path with nothing percent-encoded. It has as many segments as the path has.
    pub fn decoded(&self) -> &str {
        &self.decoded
    }

    /// Whether this path is `prefix` or below it, segment by segment. A slash at the end of `prefix` does not count.
    pub fn is_within(&self, prefix: &Self) -> bool {
        let prefix = prefix.decoded.strip_suffix('/').unwrap_or(&prefix.decoded);
        self.decoded
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Debug for PlainPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decoded.fmt(formatter)
    }
}

fn is_plain_segment(segment: &str) -> bool {
    if segment.ends_with('.') || segment.ends_with("%20") || segment.starts_with("%20") {
        return false;
    }
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        let is_plain = match byte {
            b'%' => match (bytes.next().and_then(digit), bytes.next().and_then(digit)) {
                (Some(high), Some(low)) => may_be_encoded(high * 16 + low),
                _ => false,
            },
            byte => may_be_literal(byte),
        };
        if !is_plain {
            return false;
        }
    }
    true
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

/// `pchar` of RFC 3986 §3.3, but for `;`: servers cut parameters off there.
fn may_be_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}

fn may_be_encoded(byte: u8) -> bool {
    let is_unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !is_unreserved && !byte.is_ascii_control() && !b"/\\%;?#".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_plain(path: &str) -> bool {
        PlainPath::parse(path).is_some()
    }

    fn is_within(path: &str, prefix: &str) -> bool {
        PlainPath::parse(path)
            .unwrap()
            .is_within(&PlainPath::parse(prefix).unwrap())
    }

    #[test]
    fn whatever_some_server_reads_as_another_path_is_not_plain() {
        for path in [
            "",
            "*",
            "admin",
            "//",
            "//admin",
            "/public//admin",
            "/.",
            "/..",
            "/...",
            "/public/..",
            "/public/../admin",
            "/public/./admin",
            "/public/%2e%2e/admin",
            "/public/%2E./admin",
            "/public/.%2e/admin",
            "/public/..%2fadmin",
            "/public/..%5cadmin",
            "/public%2fadmin",
            "/public\\..\\admin",
            "/public/..;/admin",
            "/admin;jsessionid=1",
            "/;/admin",
            "/admin%3bx",
            "/%61dmin",
            "/%41dmin",
            "/public/%252e%252e/admin",
            "/%c0%ae%c0%ae/admin",
            "/%c0%afadmin",
            "/%ff",
            "/admin%00",
            "/admin%0a",
            "/admin%7f",
            "/admin%3fx",
            "/admin%23x",
            "/admin#x",
            "/admin?x",
            "/admin.",
            "/admin%20",
            "/%20admin",
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
            "/{x}",
            "http://host/path",
        ] {
            assert!(!is_plain(path), "{path}");
        }
    }

    #[test]
    fn ordinary_paths_are_plain() {
        for path in [
            "/",
            "/orders",
            "/orders/",
            "/orders/7",
            "/.well-known/jwks.json",
            "/a.b/..c/...d",
            "/k%C3%A4se/m%c3%bcsli",
            "/a%20b/%22",
            "/_next/%5Bslug%5D.js",
            "/user%40example.org",
            "/user@example.org:x,y=1!$&'()*+~",
        ] {
            assert!(is_plain(path), "{path}");
        }
    }

    #[test]
    fn a_prefix_ends_at_a_slash() {
        for prefix in ["/orders", "/orders/"] {
            for path in ["/orders", "/orders/", "/orders/7", "/orders/7/items"] {
                assert!(is_within(path, prefix), "{path}");
            }
            for path in [
                "/",
                "/order",
                "/orders-old",
                "/Orders",
                "/orders%20x",
                "/x/orders",
            ] {
                assert!(!is_within(path, prefix), "{path}");
            }
        }
        for path in ["/", "/orders"] {
            assert!(is_within(path, "/"), "{path}");
        }
    }

    #[test]
    fn what_may_be_encoded_may_also_be_literal_and_means_the_same() {
        for (path, prefix) in [
            ("/k%c3%a4se/1", "/k%C3%A4se"),
            ("/a%2Bb/1", "/a+b"),
            ("/a+b/1", "/a%2bb"),
            ("/user%40example.org", "/user@example.org"),
        ] {
            assert!(is_within(path, prefix), "{path}");
        }
        assert!(!is_within("/K%c3%a4se", "/k%C3%A4se"));
        assert!(!is_within("/%C3%A4Ab", "/%C3%A4ab"));
    }

    proptest! {
        #[test]
        fn a_plain_path_cannot_be_decoded_or_normalised_any_further(path in "/[/a.%;2efEF\\\\+ @]{0,12}") {
            let Some(plain) = PlainPath::parse(&path) else { return Ok(()) };
            prop_assert!(!plain.decoded().contains(['%', '\\', ';']));
            prop_assert_eq!(plain.decoded().split('/').count(), path.split('/').count());
            let segments: Vec<&str> = plain.decoded().split('/').skip(1).collect();
            prop_assert!(segments.iter().all(|segment| !matches!(*segment, "." | "..")));
            prop_assert!(segments.iter().rev().skip(1).all(|segment| !segment.is_empty()));
        }
    }
}
