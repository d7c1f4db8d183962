//! Paths that every server reads alike.

/// Characters that a path holds literally (RFC 3986 §3.3, pchar), but for `;`: servers cut parameters off there.
const LITERAL: &[u8] = b"-._~!$&'()*+,=:@";

/// Characters that a path cannot hold literally and that mean nothing to a server once unescaped.
const ESCAPED: &[u8] = b"\"<>[]^`{|}";

/// Whether each character of the path is written in the one way that all servers agree on: no segment of dots, no
/// empty segment, nothing escaped that could stand as it is, no escaped separator, and nothing that some servers strip.
///
/// Only such a path may pass without a certificate. `/public/../admin`, `/public/..;/admin`, `/public/..%2fadmin`,
/// `//admin` and `/%61dmin` are `/admin` to one server or another.
pub(crate) fn is_plain(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else {
        return false;
    };
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        if (segment.is_empty() && !is_last) || !is_plain_segment(segment) {
            return false;
        }
    }
    true
}

fn is_plain_segment(segment: &str) -> bool {
    // Windows strips dots and spaces from the end of a name.
    if segment.ends_with('.') || segment.ends_with("%20") || segment.starts_with("%20") {
        return false;
    }
    let mut unescaped = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => match (bytes.next().and_then(digit), bytes.next().and_then(digit)) {
                (Some(high), Some(low)) => {
                    let byte = high * 16 + low;
                    if byte.is_ascii() && byte != b' ' && !ESCAPED.contains(&byte) {
                        return false;
                    }
                    unescaped.push(byte);
                }
                _ => return false,
            },
            byte if byte.is_ascii_alphanumeric() || LITERAL.contains(&byte) => unescaped.push(byte),
            _ => return false,
        }
    }
    // Overlong forms of `.` and `/` are not UTF-8.
    std::str::from_utf8(&unescaped).is_ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_are_plain() {
        for path in [
            "/",
            "/public",
            "/public/",
            "/a/b.css",
            "/.well-known/jwks.json",
            "/a%20b/c",
            "/%C3%BC",
            "/_next/%5Bslug%5D.js",
            "/v1:check",
            "/a+b,c=d@e",
            "/...a",
        ] {
            assert!(is_plain(path), "{path}");
        }
    }

    #[test]
    fn whatever_some_server_reads_as_another_path_is_not_plain() {
        for path in [
            "",
            "*",
            "public",
            "//admin",
            "/public//admin",
            "/public/../admin",
            "/public/./admin",
            "/public/..",
            "/.",
            "/public/%2e%2e/admin",
            "/public/.%2E/admin",
            "/public/..%2fadmin",
            "/public/..%5cadmin",
            "/public\\..\\admin",
            "/public/..;/admin",
            "/admin;x=1",
            "/admin%3bx",
            "/%61dmin",
            "/public/%252e%252e/admin",
            "/public%00/admin",
            "/public/%c0%ae%c0%ae/admin",
            "/public/%",
            "/public/%2",
            "/public/%zz",
            "/public/%+1",
            "/admin.",
            "/admin%20",
            "/%20admin",
            "/ü",
            "/a%0d%0ab",
            "/a%7f",
            "/{x}",
            "/a%23",
            "/a%3f",
            "/a%2B",
        ] {
            assert!(!is_plain(path), "{path}");
        }
    }
}
