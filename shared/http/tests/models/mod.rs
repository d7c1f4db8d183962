//! Small models of how servers read a path, and spellings that a hostile client would try on them.

use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A server: its name, and the path that it reads, or `None` where it refuses the request.
pub(crate) type Server = (&'static str, fn(&str) -> Option<String>);

pub(crate) const SERVERS: &[Server] = &[
    ("nginx", nginx),
    ("Express", express),
    ("ASP.NET", asp_net),
    ("Tomcat", tomcat),
    ("Starlette", starlette),
    ("Werkzeug", werkzeug),
    ("files on APFS", apple_files),
    ("a database with an accent-insensitive collation", collation),
];

/// Decodes once, merges slashes, resolves dot segments (ngx_http_parse_complex_uri).
fn nginx(path: &str) -> Option<String> {
    let decoded = decode(path)?;
    (!decoded.contains('\0')).then(|| resolve(&decoded, |segment| segment.to_owned()))
}

/// Matches the path as it was sent, without letter case and the slash at the end (path-to-regexp
/// 0.1).
fn express(path: &str) -> Option<String> {
    let lower = path.to_ascii_lowercase();
    Some(lower.strip_suffix('/').unwrap_or(&lower).to_owned())
}

/// Removes cookieless segments, and opens files by the rules of NTFS: streams, dots and spaces at
/// the end, short names.
fn asp_net(path: &str) -> Option<String> {
    let decoded = decode(path)?.replace('\\', "/");
    let without_cookies: Vec<&str> = decoded
        .split('/')
        .filter(|segment| !(segment.starts_with('(') && segment.ends_with("))")))
        .collect();
    Some(resolve(&without_cookies.join("/"), |segment| {
        let file = segment.split(':').next().unwrap_or_default();
        let file = file.trim_end_matches(['.', ' ']).to_uppercase();
        match file.as_str() {
            "ADMINI~1" => "ADMINISTRATION".to_owned(),
            _ => file,
        }
    }))
}

/// Cuts path parameters off, decodes, merges slashes, resolves dot segments; refuses encoded
/// slashes and backslashes.
fn tomcat(path: &str) -> Option<String> {
    let without_parameters: Vec<&str> = path
        .split('/')
        .map(|segment| segment.split(';').next().unwrap_or_default())
        .collect();
    let path = without_parameters.join("/");
    let lower = path.to_ascii_lowercase();
    if lower.contains("%2f") || lower.contains("%5c") || lower.contains('\\') {
        return None;
    }
    Some(resolve(&decode(&path)?, |segment| segment.to_owned()))
}

fn starlette(path: &str) -> Option<String> {
    decode(path)
}

fn werkzeug(path: &str) -> Option<String> {
    let decoded = decode(path)?;
    let segments: Vec<&str> = decoded.split('/').filter(|segment| !segment.is_empty()).collect();
    Some(segments.join("/"))
}

/// Normalises Unicode, and ignores letter case and characters that cannot be seen.
fn apple_files(path: &str) -> Option<String> {
    Some(resolve(&decode(path)?, |segment| {
        let visible = segment.nfd().filter(|character| !is_invisible(*character));
        visible.collect::<String>().to_lowercase().nfd().collect()
    }))
}

/// Looks a text up that was decoded like a form: `+` is a space, and spaces around it do not count.
fn collation(path: &str) -> Option<String> {
    let decoded = decode(&path.replace('+', "%20"))?;
    let segments = decoded.split('/').map(|segment| {
        let letters = segment
            .nfkd()
            .filter(|part| !is_combining_mark(*part) && !is_invisible(*part));
        letters.collect::<String>().trim().to_lowercase()
    });
    Some(segments.collect::<Vec<_>>().join("/"))
}

fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' | '\u{AD}')
}

fn decode(path: &str) -> Option<String> {
    percent_decode_str(path).decode_utf8().ok().map(Into::into)
}

fn resolve(path: &str, read: impl Fn(&str) -> String) -> String {
    let mut segments: Vec<String> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => _ = segments.pop(),
            segment => segments.push(read(segment)),
        }
    }
    segments.retain(|segment| !segment.is_empty());
    segments.join("/")
}

/// A path and another spelling of it.
pub(crate) fn respelt(paths: &'static [&'static str]) -> impl Strategy<Value = (&'static str, String)> {
    let changes = prop::collection::vec((0_usize..64, 0_usize..24), 0..4);
    (prop::sample::select(paths), changes).prop_map(|(path, changes)| (path, respell(path, &changes)))
}

fn respell(path: &str, changes: &[(usize, usize)]) -> String {
    let mut parts: Vec<String> = path.chars().map(String::from).collect();
    for (place, change) in changes {
        let place = place % parts.len();
        let Some(slot) = parts.get_mut(place) else {
            continue;
        };
        let part = slot.clone();
        *slot = match (part.as_str(), change) {
            ("/", 0) => "//".to_owned(),
            ("/", 1) => "/./".to_owned(),
            ("/", 2) => "/x/../".to_owned(),
            ("/", 3) => "/(S(x))/".to_owned(),
            ("/", 4) => "%2f".to_owned(),
            ("/", 5) => "\\".to_owned(),
            ("/", 6) => "%5C".to_owned(),
            ("/", 7) => "/%E2%80%8B/".to_owned(),
            ("/", 8) => ":$i30:$INDEX_ALLOCATION/".to_owned(),
            ("/", 9) => "/.;/".to_owned(),
            ("/", 10) => "%20/".to_owned(),
            ("/", 11) => "./".to_owned(),
            ("/", 12) => ";x=1/".to_owned(),
            ("/", 13) => "+/".to_owned(),
            ("/", 14) => "/%2e/".to_owned(),
            ("/", 15) => "/:x/".to_owned(),
            ("/", _) => part,
            (_, 0 | 1) => part.to_uppercase(),
            (letter, 2) => percent(letter),
            (letter, 3) => percent(&full_width(letter)),
            ("k" | "K", 4) => "%E2%84%AA".to_owned(),
            ("s" | "S", 4) => "%C5%BF".to_owned(),
            ("i" | "I", 4) => "%C4%B0".to_owned(),
            (letter, 5) => format!("{letter}%E2%80%8B"),
            (letter, 6) => format!("{letter}%CC%81"),
            (letter, 7) => format!("{letter}%20"),
            (letter, 8) => format!("{letter}."),
            (letter, 9) => format!("{letter}::$DATA"),
            (letter, 10) => format!("{letter};x"),
            (letter, 11) => format!("{letter}%C2%A0"),
            (letter, 12) => format!("{letter}+"),
            (letter, 13) => format!("{letter}/"),
            (letter, 14) => percent(&percent(letter)),
            (letter, 15) => format!("{letter}%C2%AD"),
            (letter, 16) => format!("{letter}%3a%3A$DATA"),
            (letter, 17) => format!("%20{letter}"),
            (letter, 18) => percent(letter).to_ascii_lowercase(),
            _ => part,
        };
    }
    match changes.first() {
        Some((0, 23)) => parts.concat().replace("administration", "ADMINI~1"),
        _ => parts.concat(),
    }
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn full_width(letter: &str) -> String {
    let wide = |character: char| match character {
        '!'..='~' => char::from_u32(u32::from(character) + 0xFEE0).unwrap_or(character),
        other => other,
    };
    letter.chars().map(wide).collect()
}
