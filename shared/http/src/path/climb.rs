//! Finds paths that climb above a base path.

/// Returns `true` if some server could find a `..` in the path, in any encoding.
///
/// A base path confines requests only if the path after it does not climb. Considered are
/// percent-encoding once or several times, IIS's `%uXXXX`, overlong UTF-8, characters that
/// normalise to a dot or a slash (UTS #46, NFKC), backslashes, parameters (`..;x`), and dots with
/// spaces or control characters about them, which file systems drop. Everything else is allowed,
/// also what is not a [`PlainPath`](crate::path::PlainPath).
pub fn climbs(path: &str) -> bool {
    let mut text = path.as_bytes().to_vec();
    for _ in 0..MAX_ROUNDS {
        if has_climbing_segment(&text) {
            return true;
        }
        let decoded = decoded(&text);
        if decoded == text {
            return false;
        }
        text = decoded;
    }
    // Only a client that hides something encodes a path this often.
    true
}

/// Number of rounds of decoding: each proxy in a row decodes once, and more than four in a row are
/// not realistic.
const MAX_ROUNDS: usize = 5;

fn has_climbing_segment(text: &[u8]) -> bool {
    let text = plainly_written(text);
    text.split(['/', '\\']).any(|segment| {
        let name = segment.split([';', '?', '#', '\0']).next().unwrap_or_default();
        let is_filler = |character: char| character.is_whitespace() || character.is_control();
        let dots = name.chars().filter(|character| *character == '.').count();
        dots >= 2
            && name
                .chars()
                .all(|character| character == '.' || is_filler(character))
    })
}

/// Returns the text with one spelling for each dot and slash.
fn plainly_written(text: &[u8]) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return plain,
            // Overlong forms (RFC 3629 §3 forbids them).
            [0xc0, low @ (0xae | 0xaf | 0x2e | 0x2f), rest @ ..]
            | [0xe0, 0x80, low @ (0xae | 0xaf), rest @ ..] => {
                plain.push(char::from(low & 0x3f | 0x20));
                rest
            }
            [0xc1, 0x9c, rest @ ..] => {
                plain.push('\\');
                rest
            }
            _ => {
                let (character, rest) = first_character(rest);
                match character {
                    // One, two and three dot leaders; full width and small forms.
                    '\u{2024}' | '\u{ff0e}' | '\u{fe52}' | '\u{3002}' | '\u{ff61}' => plain.push('.'),
                    '\u{2025}' | '\u{2026}' => plain.push_str(".."),
                    '\u{ff0f}' | '\u{2215}' | '\u{2044}' => plain.push('/'),
                    '\u{ff3c}' | '\u{fe68}' | '\u{2216}' => plain.push('\\'),
                    '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => {}
                    other => plain.push(other),
                }
                rest
            }
        };
    }
}

/// Returns the first character of text that is not empty. A byte that does not begin a character
/// stands for itself.
fn first_character(text: &[u8]) -> (char, &[u8]) {
    let longest = text.len().min(4);
    for length in 1..=longest {
        let Some((start, rest)) = text.split_at_checked(length) else {
            break;
        };
        if let Some(character) = std::str::from_utf8(start)
            .ok()
            .and_then(|start| start.chars().next())
        {
            return (character, rest);
        }
    }
    match text {
        [byte, rest @ ..] => (char::from(*byte), rest),
        [] => ('\u{fffd}', text),
    }
}

/// Returns the text with `%XX` and `%uXXXX` decoded once.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        let wide = match after {
            [b'u' | b'U', digits @ ..] if *byte == b'%' => number(digits, 4).and_then(char::from_u32),
            _ => None,
        };
        match (byte, wide, number(after, 2)) {
            (b'%', Some(character), _) => {
                decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after.get(5..).unwrap_or_default();
            }
            (b'%', None, Some(value)) => {
                decoded.push(u8::try_from(value).unwrap_or_default());
                rest = after.get(2..).unwrap_or_default();
            }
            _ => decoded.push(*byte),
        }
    }
    decoded
}

fn number(text: &[u8], digits: usize) -> Option<u32> {
    let text = std::str::from_utf8(text.get(..digits)?).ok()?;
    text.bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u32::from_str_radix(text, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_of_a_climbing_path_is_found() {
        for path in [
            "/..",
            "/../admin",
            "/a/../../admin",
            "/%2e%2e/admin",
            "/%2E./admin",
            "/.%2e",
            "/..;/admin",
            "/..;x=1/admin",
            "/..%3b/admin",
            "/..%2fadmin",
            "/a%2f..%2fadmin",
            "/..\\admin",
            "/a\\..\\admin",
            "/..%5cadmin",
            "/%252e%252e/admin",
            "/%25252e%25252e%25252fadmin",
            "/%c0%ae%c0%ae/admin",
            "/%c0%2e%c0%2e/admin",
            "/%e0%80%ae%e0%80%ae/admin",
            "/..%c0%afadmin",
            "/..%c1%9cadmin",
            "/%u002e%u002e/admin",
            "/%uff0e%uff0e/admin",
            "/%ef%bc%8e%ef%bc%8e/admin",
            "/%e2%80%a5/admin",
            "/..%ef%bc%8fadmin",
            "/..%00/admin",
            "/.. /admin",
            "/..%20/admin",
            "/.%e2%80%8b./admin",
            "/.../admin",
            "/..%3fx",
            "/%2525252525252e",
        ] {
            assert!(climbs(path), "{path}");
        }
    }

    #[test]
    fn ordinary_paths_do_not_climb() {
        for path in [
            "/",
            "",
            "*",
            "/a/./b",
            "//a//b",
            "/a..b/..c/d..",
            "/a;b=..c",
            "/v1.2/file.tar.gz",
            "/a%2Fb",
            "/100%",
            "/%zz",
            "/a%20b/%C3%A4",
            "/a%2525",
            "/(S(x))/a:b@c",
            "/.well-known/x",
        ] {
            assert!(!climbs(path), "{path}");
        }
    }

    proptest! {
        #[test]
        fn dots_are_found_behind_each_encoding(
            before in "(/[a-z]{1,3}){0,2}",
            dots in proptest::collection::vec(proptest::sample::select(vec![".", "%2e", "%2E", "%252e", "%u002e", "%c0%ae"]), 2),
            slash in proptest::sample::select(vec!["/", "\\", "%2f", "%5C", "%252F", "%c0%af"]),
        ) {
            let path = format!("{before}{slash}{}{slash}x", dots.concat());
            prop_assert!(climbs(&path), "{}", path);
        }

        #[test]
        fn any_text_is_answered(path in "\\PC{0,40}", bytes in "(%[0-9a-f]{2}|[./;]){0,20}") {
            climbs(&path);
            climbs(&bytes);
        }
    }
}
