//! Paths of requests that every server reads alike, and their comparison with the prefixes of
//! rules.
//!
//! A load balancer passes a path on as the client wrote it. `/public/../admin`,
//! `/public/..;/admin`, `//admin` and `/%61dmin` are `/admin` to one server or another. A rule that
//! allows or denies something by a path therefore needs a path that can be read in one way only: a
//! [`PlainPath`].
//!
//! Plain paths can still be alike: a server that ignores letter case takes `/Admin` for `/admin`. A
//! caller that compares paths with rules uses both [`PlainPath::is_within`] and
//! [`PlainPath::may_be_within`], and rejects a request if they differ.
//!
//! ```
//! use alb_mtls_http::path::PlainPath;
//!
//! let orders = PlainPath::parse("/orders").unwrap();
//! assert!(PlainPath::parse("/orders/7").unwrap().is_within(&orders));
//! assert!(!PlainPath::parse("/orders-old").unwrap().is_within(&orders));
//! assert_eq!(PlainPath::parse("/public/%2e%2e/orders"), None);
//!
//! let look_alike = PlainPath::parse("/Orders::$DATA").unwrap();
//! assert!(!look_alike.is_within(&orders) && look_alike.may_be_within(&orders));
//! ```

mod climb;
mod folding;
mod segment;

use std::fmt;

use segment::{Segment, before_colon};

pub use climb::climbs;

/// Path that no server takes for another one by decoding or by normalising it.
///
/// A plain path begins with a slash. Its segments are not empty, except for the last. A segment
/// consists of
///
/// - letters, digits and `-._~` (RFC 3986 §2.3), never percent-encoded;
/// - `! $ & ' + , : = @`, as they are or percent-encoded;
/// - space, `[` and `]`, percent-encoded;
/// - characters beyond ASCII in UTF-8, percent-encoded, unless their compatibility decomposition
///   (Unicode Standard Annex 15) contains a character of ASCII that is not a letter or digit, and
///   unless they are control characters or white space.
///
/// All other characters mean something to some server: `/ \ ; % ? #` divide or end a path, `* ? < >
/// " |` are wild cards and redirections of Windows, and ASP.NET drops segments such as `(S(x))`.
/// For the same reason a segment does not begin or end with a space, and does not end with a dot,
/// also before a colon. It does not contain `~` before a digit, which makes short names on Windows
/// (`ADMINI~1`).
///
/// Two plain paths are equal when their decoded texts are: `/a+b` and `/a%2Bb` are one.
#[derive(Clone)]
pub struct PlainPath {
    decoded: Box<str>,
    folded: Box<str>,
    /// Folded text without streams of NTFS (`admin::$DATA`), when there is a colon.
    without_streams: Option<Box<str>>,
}

impl PlainPath {
    /// Parses the path as it was sent, without the query; `None` when it can be read in more than
    /// one way.
    pub fn parse(path: &str) -> Option<Self> {
        let mut segments = path.strip_prefix('/')?.split('/').peekable();
        let mut decoded = String::with_capacity(path.len());
        let mut folded = String::with_capacity(path.len());
        let mut without_streams = String::new();
        let has_colon = path.contains(':') || path.contains("%3");
        while let Some(segment) = segments.next() {
            let segment = match segment {
                "" if segments.peek().is_none() => Segment::default(),
                segment => Segment::parse(segment)?,
            };
            decoded.push('/');
            decoded.push_str(&segment.decoded);
            folded.push('/');
            folded.push_str(&segment.folded);
            if has_colon {
                without_streams.push('/');
                without_streams.push_str(before_colon(&segment.folded));
            }
        }
        Some(Self {
            without_streams: folded.contains(':').then(|| without_streams.into()),
            decoded: decoded.into(),
            folded: folded.into(),
        })
    }

    /// Returns the path without percent-encoding. The number of segments stays the same.
    pub fn decoded(&self) -> &str {
        &self.decoded
    }

    /// Returns `true` if this path is `prefix` or below it, segment by segment. A slash at the end
    /// of `prefix` is ignored.
    pub fn is_within(&self, prefix: &Self) -> bool {
        is_below(&self.decoded, &prefix.decoded)
    }

    /// Returns `true` if some server reads this path as `prefix` or as a path below it. Such a
    /// server ignores letter case, compatibility forms of characters (full width, ligatures), marks
    /// on letters or invisible characters. Or it decodes `+` to a space, or serves files from NTFS,
    /// where `admin::$DATA` is `admin`.
    pub fn may_be_within(&self, prefix: &Self) -> bool {
        is_below(&self.folded, &prefix.folded)
            || self
                .without_streams
                .as_deref()
                .is_some_and(|path| is_below(path, &prefix.folded))
    }

    /// Returns `true` if the two paths are equal except for what some server ignores.
    pub fn is_alike(&self, other: &Self) -> bool {
        without_last_slash(&self.folded) == without_last_slash(&other.folded)
    }
}

impl PartialEq for PlainPath {
    fn eq(&self, other: &Self) -> bool {
        self.decoded == other.decoded
    }
}

impl Eq for PlainPath {}

impl fmt::Debug for PlainPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decoded.fmt(formatter)
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(without_last_slash(prefix))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn without_last_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_plain(path: &str) -> bool {
        PlainPath::parse(path).is_some()
    }

    fn is_within(path: &str, prefix: &str) -> bool {
        PlainPath::parse(path)
            .unwrap()
            .is_within(&PlainPath::parse(prefix).unwrap())
    }

    fn may_be_within(path: &str, prefix: &str) -> bool {
        PlainPath::parse(path)
            .unwrap()
            .may_be_within(&PlainPath::parse(prefix).unwrap())
    }

    #[test]
    fn a_path_that_some_server_normalises_is_not_plain() {
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
            "/a%22b",
            "/a|b",
            "/{x}",
            "/a*",
            "/a%2A",
            "/a%3Cb",
            "http://host/path",
        ] {
            assert!(!is_plain(path), "{path}");
        }
    }

    #[test]
    fn a_path_that_windows_and_asp_net_read_otherwise_is_not_plain() {
        for path in [
            "/(S(x))/admin",
            "/%28S(x)%29/admin",
            "/(A(x)S(y)F(z))/admin",
            "/adm(S(x))in",
            "/prot/(S(X))ected",
            "/ADMINI~1",
            "/admini~1.htm",
            "/ADMINI~%EF%BC%91",
            "/:$i30:$INDEX_ALLOCATION/admin",
            "/public/..::$INDEX_ALLOCATION/admin",
            "/admin.::$DATA",
            "/admin%20::$DATA",
            "/admin.+",
            "/+/admin",
        ] {
            assert!(!is_plain(path), "{path}");
        }
    }

    #[test]
    fn a_path_with_characters_like_separators_is_not_plain() {
        for path in [
            // Full width: full stop, slash, backslash, colon, semicolon, percent sign, parenthesis,
            // tilde.
            "/docs/%EF%BC%8E%EF%BC%8E/keys",
            "/docs%EF%BC%8Fkeys",
            "/docs%EF%BC%BCkeys",
            "/docs/keys%EF%BC%9A",
            "/docs/keys%EF%BC%9Bx",
            "/%EF%BC%8561dmin",
            "/%EF%BC%88S%EF%BC%88x%EF%BC%89%EF%BC%89/admin",
            "/ADMINI%EF%BD%9E1",
            // Two dot leader, ellipsis, Greek question mark, care of, fraction slash, yen sign.
            "/docs/%E2%80%A5/keys",
            "/docs/%E2%80%A6",
            "/docs/keys%CD%BEx",
            "/%E2%84%85",
            "/docs%E2%81%84keys",
            "/docs%C2%A5keys",
            // No-break space, ideographic space, line separator, next line.
            "/docs/keys%C2%A0",
            "/docs/keys%E3%80%80",
            "/docs/keys%E2%80%A8",
            "/docs/keys%C2%85",
            // Invisible characters alone, and between two dots.
            "/%E2%80%8B/docs",
            "/docs/.%E2%80%8B./keys",
            "/docs/keys.%E2%80%8B",
            "/docs/%CC%81",
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
            "/%C3%84pfel/stra%C3%9Fe",
            "/%D0%B0%D0%B4%D0%BC%D0%B8%D0%BD/%E6%97%A5%E6%9C%AC",
            "/%D9%85%DB%8C%E2%80%8C%D8%AE%D9%88%D8%A7%D9%87%D9%85",
            "/a%20b",
            "/_next/%5Bslug%5D.js",
            "/user%40example.org",
            "/~user/user@example.org",
            "/v1/things:cancel",
            "/times/2026-11-27T12:00:00+01:00",
            "/a,b=1!$&'c+~",
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
            for path in ["/", "/order", "/orders-old", "/orders%20x", "/x/orders"] {
                assert!(!may_be_within(path, prefix), "{path}");
            }
        }
        for path in ["/", "/orders"] {
            assert!(is_within(path, "/") && may_be_within(path, "/"), "{path}");
        }
    }

    #[test]
    fn a_character_that_may_be_encoded_means_the_same_either_way() {
        for (path, prefix) in [
            ("/k%c3%a4se/1", "/k%C3%A4se"),
            ("/a%2Bb/1", "/a+b"),
            ("/a+b/1", "/a%2bb"),
            ("/user%40example.org", "/user@example.org"),
        ] {
            assert!(is_within(path, prefix) && may_be_within(path, prefix), "{path}");
        }
        assert!(!is_within("/K%c3%a4se", "/k%C3%A4se"));
        assert!(!is_within("/%C3%A4Ab", "/%C3%A4ab"));
    }

    #[test]
    fn a_look_alike_may_be_within() {
        for (path, prefix) in [
            ("/ADMIN", "/admin"),
            ("/admin/x", "/Admin"),
            ("/admin::$DATA", "/admin"),
            ("/admin:$i30:$INDEX_ALLOCATION/x", "/admin"),
            ("/ADMIN%3A%3A$DATA", "/admin"),
            ("/%EF%BD%81dmin", "/admin"),
            ("/admin%E2%80%8B", "/admin"),
            ("/docs/%E2%84%AAeys", "/docs/keys"),
            ("/docs/%C5%BFecrets", "/docs/secrets"),
            ("/stra%C3%9Fe", "/STRASSE"),
            ("/stra%E1%BA%9Ee", "/strasse"),
            ("/%C3%84pfel", "/%C3%A4pfel"),
            ("/a%CC%88pfel", "/%C3%A4pfel"),
            ("/%C4%81dmin", "/admin"),
            ("/%C4%B0ndex", "/index"),
            ("/%CF%83%CF%82", "/%CE%A3%CE%A3"),
            ("/a+b", "/a%20b"),
            ("/+admin", "/admin"),
            ("/%EF%AC%81le", "/file"),
        ] {
            assert!(!is_within(path, prefix), "{path}");
            assert!(may_be_within(path, prefix), "{path}");
        }
        // A rule with a colon in it does not cover the path before the colon.
        assert!(!may_be_within("/v1/things", "/v1/things:cancel"));
        assert!(is_within("/v1/things:cancel", "/v1"));
    }
}
