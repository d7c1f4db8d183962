//! Lines of a deny list.

use std::fmt;
use std::str::FromStr;

use alb_mtls_verifier::{DistinguishedName, Fingerprint, Timestamp};

use super::denied_name::DeniedName;

/// Entry of a deny list: who is denied, and for people since when and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenyEntry {
    /// Name of the denied certificates.
    pub name: DeniedName,
    /// `at`: time from which they are denied, for people: an entry counts at any time.
    pub at: Option<Timestamp>,
    /// `because`: reason, in the operator's words.
    pub because: Option<String>,
}

/// Form of an entry, for messages.
const FORM: &str = "an entry is `certificate SHA256`, `key SHA256`, `serial HEX issuer \"CN=…,O=…\"` or `spiffe ID`, \
                    then perhaps `at TIME` and `because REASON`";

/// The line is not an entry of a deny list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidDenyEntry(String);

impl FromStr for DenyEntry {
    type Err = InvalidDenyEntry;

    fn from_str(line: &str) -> Result<Self, InvalidDenyEntry> {
        parse(line).map_err(InvalidDenyEntry)
    }
}

fn parse(line: &str) -> Result<DenyEntry, String> {
    if let Some(control) = line
        .chars()
        .find(|character| character.is_control() && *character != '\t')
    {
        return Err(format!("has the control character U+{:04X}", u32::from(control)));
    }
    let (kind, rest) = word(line);
    let (value, rest) = word(rest);
    let required = |what: &str| match value {
        "" => Err(format!("`{kind}` is without {what}; {FORM}")),
        value => Ok(value),
    };
    let fingerprint = || -> Result<Fingerprint, String> {
        let value = required("a SHA-256")?;
        value
            .parse::<Fingerprint>()
            .map_err(|error| format!("`{value}` {error}"))
    };
    let (name, rest) = match kind {
        DeniedName::CERTIFICATE => (DeniedName::Certificate(fingerprint()?), rest),
        DeniedName::KEY => (DeniedName::Key(fingerprint()?), rest),
        DeniedName::SPIFFE => (DeniedName::spiffe_id(required("an id")?)?, rest),
        DeniedName::SERIAL => {
            let serial_number = required("a number")?;
            let (issuer, rest) = quoted_issuer(rest)?;
            (DeniedName::serial(serial_number, issuer)?, rest)
        }
        _ => return Err(format!("begins with `{kind}`; {FORM}")),
    };
    let (at, rest) = match word(rest) {
        ("at", rest) => {
            let (time, rest) = word(rest);
            let at = Timestamp::parse_rfc3339(time)
                .map_err(|_| format!("`{time}` is not a time such as 2026-11-28T12:00:00Z"))?;
            (Some(at), rest)
        }
        _ => (None, rest),
    };
    let because = match word(rest) {
        ("", _) => None,
        ("because", reason) if !reason.trim().is_empty() => Some(reason.trim().to_owned()),
        ("because", _) => return Err("`because` is without a reason".into()),
        (other, _) => return Err(format!("has `{other}` where `at` or `because` can be; {FORM}")),
    };
    Ok(DenyEntry { name, at, because })
}

/// Returns the first word and what follows it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Reads `issuer "…"`. In the quotes, a backslash escapes as in the name itself (RFC 4514), quotes
/// included.
fn quoted_issuer(text: &str) -> Result<(DistinguishedName, &str), String> {
    let missing = || "the serial number is without `issuer \"CN=…,O=…\"`".to_owned();
    let (DeniedName::ISSUER, rest) = word(text) else {
        return Err(missing());
    };
    let quoted = rest.trim_start().strip_prefix('"').ok_or_else(missing)?;
    let mut is_escaped = false;
    let end = quoted.char_indices().find(|(_, character)| {
        let ends = !is_escaped && *character == '"';
        is_escaped = !is_escaped && *character == '\\';
        ends
    });
    let end = end
        .map(|(position, _)| position)
        .ok_or("the issuer has no closing quote")?;
    let (issuer, rest) = quoted.split_at_checked(end).ok_or_else(missing)?;
    let rest = rest.strip_prefix('"').unwrap_or(rest);
    if rest.starts_with(|character: char| !character.is_whitespace()) {
        return Err("the closing quote of the issuer is followed by other text".into());
    }
    let issuer = issuer
        .parse::<DistinguishedName>()
        .map_err(|error| format!("the issuer: {error}"))?;
    Ok((issuer, rest))
}

impl fmt::Display for DenyEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.name)?;
        if let Some(at) = self.at {
            write!(formatter, " at {at}")?;
        }
        match &self.because {
            Some(because) => write!(formatter, " because {because}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn entry(line: &str) -> DenyEntry {
        line.parse().unwrap()
    }

    #[test]
    fn entries_display_as_they_are_written() {
        for line in [
            format!("certificate {DIGITS}"),
            format!("key {DIGITS} at 2026-11-28T12:00:00Z because stolen laptop, INC-4711"),
            "serial A1B issuer \"CN=Issuing CA,O=Example\" because lost".to_owned(),
            r#"serial 7 issuer "CN=a\"b\\,O=c" at 2026-11-28T12:00:00Z"#.to_owned(),
            "spiffe spiffe://example.org/ns/a because # because".to_owned(),
        ] {
            assert_eq!(entry(&line).to_string(), line);
        }
    }

    #[test]
    fn spellings_of_one_entry_are_equal() {
        let pairs = DIGITS.as_bytes().chunks(2);
        let colons: Vec<&str> = pairs.map(|pair| std::str::from_utf8(pair).unwrap()).collect();
        let colons = colons.join(":").to_uppercase();
        assert_eq!(
            entry(&format!("\tkey  {colons} ")),
            entry(&format!("key {DIGITS}"))
        );
        for serial in ["0A1B", "0a:1b", "00a1b", "A1B"] {
            let line = format!("serial {serial} issuer \"CN=a\"");
            assert_eq!(entry(&line), entry("serial a1b issuer \"CN=a\""), "{serial}");
        }
    }

    #[test]
    fn line_that_is_not_an_entry_is_an_error() {
        for (line, words) in [
            ("deny x", "begins with `deny`"),
            ("Key x", "begins with `Key`"),
            ("key", "without a SHA-256"),
            ("key 0123", "64 hexadecimal digits"),
            (&format!("key {DIGITS}0"), "64 hexadecimal digits"),
            (&format!("key sha256:{DIGITS}"), "64 hexadecimal digits"),
            (&format!("key {DIGITS} stolen"), "has `stolen` where"),
            (&format!("key {DIGITS} because"), "without a reason"),
            (&format!("key {DIGITS} at yesterday"), "`yesterday` is not a time"),
            (&format!("key {DIGITS} because a at\u{0}b"), "U+0000"),
            (&format!("key {DIGITS}\r"), "U+000D"),
            (&format!("\u{feff}key {DIGITS}"), "begins with"),
            ("serial 1", "without `issuer"),
            ("serial 1 issuer CN=a", "without `issuer"),
            ("serial 1 issuer \"CN=a", "no closing quote"),
            ("serial 1 issuer \"CN=a\"x", "followed by other text"),
            ("serial 1 issuer \"a\"", "has no `=`"),
            ("serial 1 issuer \"\"", "empty"),
            ("serial 0x1 issuer \"CN=a\"", "not a serial number"),
            ("serial - issuer \"CN=a\"", "not a serial number"),
            ("spiffe example.org/a", "not the SPIFFE id"),
            ("spiffe spiffe://example.org", "not the SPIFFE id"),
            ("spiffe spiffe://example.org/*", "not the SPIFFE id"),
            ("spiffe spiffe://Example.org/a", "not the SPIFFE id"),
        ] {
            let error = line.parse::<DenyEntry>().unwrap_err().to_string();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
