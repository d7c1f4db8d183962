//! Reading the one-line form of a name (RFC 4514), as an operator copies it from a record or from a
//! tool.

use std::str::FromStr;

use super::{ATTRIBUTE_NAMES, DistinguishedName};
use crate::x509::der::{Tag, encode, read_header};
use crate::x509::oid::encode_dotted;

/// The text is not a name in one line (RFC 4514).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; a name is written as in `CN=Issuing CA,O=Example`, the most specific part first (RFC 4514)")]
pub struct InvalidDistinguishedName(String);

impl FromStr for DistinguishedName {
    type Err = InvalidDistinguishedName;

    /// Reads the form that [`DistinguishedName::as_str`] writes, with white space around separators
    /// and types in any case. Texts become UTF8String, so the encoding can differ from that of the
    /// certificate; names are compared by RFC 5280 §7.1.
    fn from_str(line: &str) -> Result<Self, InvalidDistinguishedName> {
        let der = to_der(line).map_err(InvalidDistinguishedName)?;
        Self::parse(&der).map_err(|error| InvalidDistinguishedName(format!("the name has {error}")))
    }
}

impl DistinguishedName {
    /// Returns the name with its parts in the other order: OpenSSL writes the root's end first.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let parts: Vec<&str> = split(self.as_str(), ',').into_iter().rev().collect();
        // The one-line form of a name can always be read.
        parts.join(",").parse().unwrap_or_else(|_| self.clone())
    }
}

fn to_der(line: &str) -> Result<Vec<u8>, String> {
    if line.trim().is_empty() {
        return Err("the name is empty".into());
    }
    let mut relative_names = Vec::new();
    for relative_name in split(line, ',') {
        let attributes = split(relative_name, '+').into_iter().map(attribute);
        let attributes = attributes.collect::<Result<Vec<_>, _>>()?;
        let parts: Vec<&[u8]> = attributes.iter().map(Vec::as_slice).collect();
        relative_names.push(encode(Tag::SET, &parts));
    }
    let parts: Vec<&[u8]> = relative_names.iter().rev().map(Vec::as_slice).collect();
    Ok(encode(Tag::SEQUENCE, &parts))
}

/// Splits at a separator that no backslash precedes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut is_escaped) = (0, false);
    for (position, character) in text.char_indices() {
        if !is_escaped && character == separator {
            parts.extend(text.get(start..position));
            start = position + character.len_utf8();
        }
        is_escaped = !is_escaped && character == '\\';
    }
    parts.extend(text.get(start..));
    parts
}

fn attribute(text: &str) -> Result<Vec<u8>, String> {
    let (kind, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{}` has no `=`", text.trim()))?;
    let kind = encode(Tag::OBJECT_IDENTIFIER, &[&attribute_type(kind.trim())?]);
    let value = value.trim_start_matches(' ');
    let value = match value.strip_prefix('#') {
        Some(hexadecimal) => element(hexadecimal.trim_end_matches(' '))?,
        None => encode(Tag::UTF8_STRING, &[&unescape(value)?]),
    };
    Ok(encode(Tag::SEQUENCE, &[&kind, &value]))
}

fn attribute_type(text: &str) -> Result<Vec<u8>, String> {
    let known = ATTRIBUTE_NAMES
        .iter()
        .find(|(_, name)| name.eq_ignore_ascii_case(text));
    match known {
        Some((oid, _)) => Ok(oid.as_bytes().to_vec()),
        None => encode_dotted(text)
            .ok_or_else(|| format!("`{text}` is not a known type of attribute, nor a dotted identifier")),
    }
}

/// Reads a value in hexadecimal form: one whole element of DER.
fn element(hexadecimal: &str) -> Result<Vec<u8>, String> {
    let invalid = || format!("`#{hexadecimal}` is not one element of DER in hexadecimal form");
    let der = base16ct::mixed::decode_vec(hexadecimal).map_err(|_| invalid())?;
    match read_header(&der) {
        Ok((_, header, length)) if der.len() == header + length => Ok(der),
        _ => Err(invalid()),
    }
}

/// Takes the backslashes out of a value. Spaces at its end are not part of it, unless escaped.
fn unescape(value: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::with_capacity(value.len());
    let mut without_spaces_at_end = 0;
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                octets.extend(escaped(&mut characters)?);
                without_spaces_at_end = octets.len();
            }
            '"' | ';' | '<' | '>' => {
                return Err(format!(
                    "`{character}` needs a backslash before it, and quotes are not read"
                ));
            }
            character => {
                octets.extend(character.encode_utf8(&mut [0; 4]).bytes());
                if character != ' ' {
                    without_spaces_at_end = octets.len();
                }
            }
        }
    }
    octets.truncate(without_spaces_at_end);
    Ok(octets)
}

/// Reads what follows a backslash: a character with a meaning, or an octet in hexadecimal form.
fn escaped(characters: &mut std::str::Chars<'_>) -> Result<Vec<u8>, String> {
    let first = characters.next();
    if let Some(special @ (' ' | '"' | '#' | '+' | ',' | ';' | '<' | '=' | '>' | '\\')) = first {
        return Ok(special.to_string().into_bytes());
    }
    let pair: String = first.into_iter().chain(characters.next()).collect();
    match base16ct::mixed::decode_vec(&pair) {
        Ok(octets) if octets.len() == 1 => Ok(octets),
        _ => Err(format!(
            "`\\{pair}` is neither an escaped character nor an octet in hexadecimal form"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::name::names_are_equal;

    fn name(line: &str) -> DistinguishedName {
        line.parse().unwrap()
    }

    #[test]
    fn reads_what_it_writes() {
        for line in [
            "CN=Issuing CA,O=Example",
            r#"CN=a\, O\=b\+c\\d\"e,C=DE"#,
            r"CN=\ x\ ,OU=\#1",
            "CN=a+OU=b,O=c",
            "1.3.6.1.4.1.99999.1=#0c0161,CN=x",
            "CN=Müller,DC=example,DC=org",
        ] {
            assert_eq!(name(line).to_string(), line);
        }
    }

    #[test]
    fn spellings_of_one_name_are_equal() {
        let wanted = name("CN=Issuing CA,O=Example\\, Inc.");
        for line in [
            "cn = Issuing CA , o = Example\\2C Inc.",
            "CN=issuing  ca,O=EXAMPLE\\, Inc.",
            "2.5.4.3=Issuing CA,O=Example\\, Inc.",
        ] {
            assert!(names_are_equal(name(line).der(), wanted.der()), "{line}");
        }
        let other_order = name("O=Example\\, Inc.,CN=Issuing CA").reversed();
        assert!(names_are_equal(other_order.der(), wanted.der()));
    }

    #[test]
    fn text_that_is_not_a_name_is_an_error() {
        for (line, words) in [
            ("", "empty"),
            ("Issuing CA", "has no `=`"),
            ("/C=DE/O=Example", "`/C` is not a known type"),
            ("CN=a,,O=b", "has no `=`"),
            ("CN=a,", "has no `=`"),
            ("XY=a", "`XY` is not a known type"),
            ("O=\"Example, Inc.\"", "quotes are not read"),
            ("CN=a;O=b", "`;` needs a backslash"),
            ("CN=a\\", "`\\` is neither"),
            ("CN=a\\zz", "`\\zz` is neither"),
            ("CN=#0c05", "not one element"),
            ("CN=#xyz", "not one element"),
            ("CN=\\FF", "UTF-8"),
            ("CN=a\\00b", "control character"),
        ] {
            let error = line.parse::<DistinguishedName>().unwrap_err().to_string();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
