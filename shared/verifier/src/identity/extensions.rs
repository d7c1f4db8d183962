//! Extensions of the end-entity certificate whose values become part of the identity.
//!
//! The operator names them, because only the operator knows what a private extension means. To
//! name one does not make it understood: a critical extension that no rule processes is rejected
//! also then (RFC 5280 §4.2), since its meaning could restrict what the certificate is good for.

use std::str::FromStr;
use std::sync::Arc;

use crate::heap;
use crate::rejection::{Reason, Rejection};
use crate::x509::certificate::Certificate;
use crate::x509::der::{Elements, Tag};
use crate::x509::extensions::Extension;
use crate::x509::name::{AttributeValue, is_ignorable, read_value};
use crate::x509::oid::encode_dotted;

/// Selection of extensions whose values become part of a client's identity; empty by default.
///
/// Parsed from words separated by white space, each a dotted object identifier or a name and one:
///
/// ```
/// use alb_mtls_verifier::IdentityExtensions;
///
/// let extensions: IdentityExtensions = "device_id=1.3.6.1.4.1.99999.1 1.3.6.1.4.1.57264.1.8".parse()?;
/// let keys: Vec<&str> = extensions.keys().collect();
/// assert_eq!(keys, ["device_id", "1.3.6.1.4.1.57264.1.8"]);
/// assert!("2.5.29.17".parse::<IdentityExtensions>().is_err());
/// # Ok::<(), alb_mtls_verifier::InvalidIdentityExtensions>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityExtensions(Arc<[Selected]>);

/// Extension of the selection.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Selected {
    /// Name, or else the dotted identifier.
    key: Arc<str>,
    oid: Arc<str>,
    /// Content octets of the identifier.
    content: Box<[u8]>,
}

/// Value of an extension that is part of an identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ExtensionValue {
    /// Name that the operator chose; without one, the dotted object identifier.
    pub key: Arc<str>,
    /// Object identifier in dotted form.
    pub oid: Arc<str>,
    /// Text of a value that is one DER string, or `#` and all octets of the value in lower-case
    /// hexadecimal.
    ///
    /// Text has a character, none is invisible or a control character, and the first is not `#`. A
    /// string that is not such a text is in hexadecimal form, so that no text can pass for another
    /// one or for other octets.
    pub value: Box<str>,
}

/// Text that is not a selection of extensions. Displays as what is wrong and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidIdentityExtensions {
    /// A word that is not an extension.
    #[error(
        "object identifiers such as `1.3.6.1.4.1.57264.1.8`, or `name=` before one, separated by white space; `{0}` is \
         neither"
    )]
    Identifier(String),
    /// A name in another spelling.
    #[error(
        "names of at most {MAX_NAME} lower-case letters, digits and `_` that begin with a letter, such as \
         `device_id=1.3.6.1.4.1.99999.1`; `{0}` is not one"
    )]
    Name(String),
    /// An extension of X.509 itself.
    #[error(
        "extensions of a CA or an enterprise; `{0}` is one of X.509 itself (2.5.29), which the rules read and whose names and \
         policies are part of every identity"
    )]
    Standard(String),
    /// A name or an identifier that is there twice.
    #[error("each name and each object identifier once; `{0}` is there twice")]
    Repeated(String),
    /// More extensions than an identity has room for.
    #[error("at most {MAX_EXTENSIONS} extensions; there are {0}")]
    TooMany(usize),
    /// No extension at all.
    #[error("at least one object identifier")]
    Empty,
}

/// Extensions of a selection at most. Each is a header of its own before a service, and servers
/// such as Node.js read 16 KB of headers, of which 16 values of the usual 50 bytes take 1 KB.
const MAX_EXTENSIONS: usize = 16;

/// Characters of a name at most: with them, the name of the header has 55.
const MAX_NAME: usize = 32;

/// Bytes of a value at most, as written: an audit record and the context of an authorizer show
/// texts of 1,024 bytes, quotation marks and escapes included.
const MAX_VALUE: usize = 1_000;

/// Octets of a value in hexadecimal form at most.
const MAX_OCTETS: usize = (MAX_VALUE - 1) / 2;

/// Content octets of 2.5.29, under which the extensions of X.509 are.
const STANDARD: &[u8] = &[0x55, 29];

impl IdentityExtensions {
    /// Returns the keys under which values appear: names, and object identifiers without a name.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|selected| &*selected.key)
    }

    /// Returns true if no extension is selected.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the selected extensions that a certificate has, in the order of the selection.
    pub(super) fn read(&self, certificate: &Certificate<'_>) -> Result<Arc<[ExtensionValue]>, Rejection> {
        if self.is_empty() {
            return Ok(Arc::default());
        }
        let all = &certificate.extensions.all;
        let found = self.0.iter().filter_map(|selected| {
            let extension = all.iter().find(|extension| *extension.oid == *selected.content)?;
            Some((selected, extension))
        });
        found
            .map(|(selected, extension)| {
                let value = value_of(extension).ok_or_else(|| too_long(certificate, selected, extension))?;
                Ok(ExtensionValue {
                    key: Arc::clone(&selected.key),
                    oid: Arc::clone(&selected.oid),
                    value,
                })
            })
            .collect()
    }
}

/// Returns the text of a string, or all octets in hexadecimal form; `None` if the value is too long
/// to be written.
fn value_of(extension: &Extension<'_>) -> Option<Box<str>> {
    let octets = extension.value;
    let value = match text_of(octets) {
        Some(text) => text,
        // Checked before the form is made, which is twice as long.
        None if octets.len() > MAX_OCTETS => return None,
        None => format!("#{:x}", base16ct::HexDisplay(octets)),
    };
    (value.len() <= MAX_VALUE).then(|| value.into())
}

/// Returns the text of a value that is exactly one DER string.
fn text_of(octets: &[u8]) -> Option<String> {
    let mut elements = Elements::new(octets);
    let element = elements.next_element().ok()?;
    elements.finish().ok()?;
    // Readers differ about characters beyond ASCII in a TeletexString.
    if element.tag == Tag::TELETEX_STRING && !element.content.is_ascii() {
        return None;
    }
    match read_value(element) {
        Ok(AttributeValue::Text(text)) if is_unmistakable(&text) => Some(text.into_owned()),
        _ => None,
    }
}

/// Returns true for a text that looks like itself alone. The reader has refused control characters.
fn is_unmistakable(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('#') && !text.contains(is_ignorable)
}

fn too_long(certificate: &Certificate<'_>, selected: &Selected, extension: &Extension<'_>) -> Rejection {
    let name = if selected.key == selected.oid {
        format!("extension {}", selected.oid)
    } else {
        format!("extension {} ({})", selected.key, selected.oid)
    };
    certificate
        .reject(Reason::ExtensionTooLong)
        .in_field(&name)
        .found(&format!("{} octets", extension.value.len()))
        .allowed(&format!(
            "{MAX_VALUE} bytes of text, or {MAX_OCTETS} octets that are not text"
        ))
}

/// Returns the octets that values keep allocated, about; keys are shared with the selection.
pub(super) fn heap_bytes(values: &[ExtensionValue]) -> usize {
    let texts = values.iter().map(|value| heap::allocation(value.value.len()));
    heap::allocation(size_of_val(values)) + texts.sum::<usize>()
}

/// Values as an object with a field for each key.
#[derive(Clone, Copy, Debug)]
pub struct ExtensionMap<'a>(pub &'a [ExtensionValue]);

impl ExtensionMap<'_> {
    /// Returns true if the map is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl serde::Serialize for ExtensionMap<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|value| (&*value.key, &*value.value)))
    }
}

impl FromStr for IdentityExtensions {
    type Err = InvalidIdentityExtensions;

    fn from_str(text: &str) -> Result<Self, InvalidIdentityExtensions> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.is_empty() {
            return Err(InvalidIdentityExtensions::Empty);
        }
        if words.len() > MAX_EXTENSIONS {
            return Err(InvalidIdentityExtensions::TooMany(words.len()));
        }
        let mut selection: Vec<Selected> = Vec::new();
        for word in words {
            let new = Selected::parse(word)?;
            if selection.iter().any(|known| known.oid == new.oid) {
                return Err(InvalidIdentityExtensions::Repeated(new.oid.to_string()));
            }
            if selection.iter().any(|known| known.key == new.key) {
                return Err(InvalidIdentityExtensions::Repeated(new.key.to_string()));
            }
            selection.push(new);
        }
        Ok(Self(selection.into()))
    }
}

impl Selected {
    fn parse(word: &str) -> Result<Self, InvalidIdentityExtensions> {
        let (name, oid) = match word.split_once('=') {
            Some((name, oid)) => (Some(name), oid),
            None => (None, word),
        };
        if let Some(name) = name
            && !is_name(name)
        {
            return Err(InvalidIdentityExtensions::Name(name.to_owned()));
        }
        let content =
            encode_dotted(oid).ok_or_else(|| InvalidIdentityExtensions::Identifier(word.to_owned()))?;
        if content.starts_with(STANDARD) {
            return Err(InvalidIdentityExtensions::Standard(oid.to_owned()));
        }
        let oid: Arc<str> = oid.into();
        Ok(Self {
            key: name.map_or_else(|| Arc::clone(&oid), Arc::from),
            oid,
            content: content.into(),
        })
    }
}

/// Returns true for a name that can stand in a header's name with `-` for `_`, in a policy and in
/// the context of an authorizer. It begins with a letter and so cannot be an identifier.
fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= MAX_NAME
        && name.bytes().all(is_part)
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selection_names_what_is_wrong_with_it() {
        type Error = InvalidIdentityExtensions;
        let long = format!("{}=1.2.3", "a".repeat(MAX_NAME + 1));
        let many: Vec<String> = (0..=MAX_EXTENSIONS).map(|arc| format!("1.2.{arc}")).collect();
        let text = str::to_owned;
        for (words, error) in [
            ("", Error::Empty),
            (" \n", Error::Empty),
            ("device_id", Error::Identifier(text("device_id"))),
            ("1.2.3,1.2.4", Error::Identifier(text("1.2.3,1.2.4"))),
            ("a=1.2.03", Error::Identifier(text("a=1.2.03"))),
            ("a=b=1.2.3", Error::Identifier(text("a=b=1.2.3"))),
            ("=1.2.3", Error::Name(text(""))),
            ("Device=1.2.3", Error::Name(text("Device"))),
            ("device-id=1.2.3", Error::Name(text("device-id"))),
            ("1a=1.2.3", Error::Name(text("1a"))),
            (long.as_str(), Error::Name("a".repeat(MAX_NAME + 1))),
            ("2.5.29.17", Error::Standard(text("2.5.29.17"))),
            ("usage=2.5.29.15", Error::Standard(text("2.5.29.15"))),
            ("1.2.3 1.2.3", Error::Repeated(text("1.2.3"))),
            ("a=1.2.3 b=1.2.3", Error::Repeated(text("1.2.3"))),
            ("a=1.2.3 a=1.2.4", Error::Repeated(text("a"))),
            (many.join(" ").as_str(), Error::TooMany(MAX_EXTENSIONS + 1)),
        ] {
            assert_eq!(words.parse::<IdentityExtensions>(), Err(error), "{words}");
        }
        assert!(many[1..].join(" ").parse::<IdentityExtensions>().is_ok());
        // 2.5.4 and 2.5.290 are not under 2.5.29.
        assert!("2.5.4.1 2.5.290.1".parse::<IdentityExtensions>().is_ok());
    }

    fn value(octets: &[u8]) -> Option<Box<str>> {
        value_of(&Extension {
            oid: &[0x2A, 3],
            critical: false,
            value: octets,
        })
    }

    fn string(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
    }

    #[test]
    fn strings_of_every_type_are_text() {
        for (octets, text) in [
            (string(0x0C, "Gerät-7".as_bytes()), "Gerät-7"),
            (string(0x13, b"a_b*@"), "a_b*@"),
            (string(0x16, b"a@b"), "a@b"),
            (string(0x12, b"12 3"), "12 3"),
            (string(0x1A, b"ab"), "ab"),
            (string(0x14, b"ab"), "ab"),
            (string(0x1E, &[0, b'a', 0x20, 0xAC]), "a€"),
            (string(0x1C, &[0, 1, 0xF6, 0]), "😀"),
        ] {
            assert_eq!(value(&octets).as_deref(), Some(text));
        }
    }

    #[test]
    fn octets_that_are_not_one_text_are_in_hexadecimal_form() {
        for octets in [
            &[][..],
            // Not DER: the older extensions of Sigstore, and of Hyperledger Fabric.
            b"https://issuer.example",
            br#"{"attrs":{}}"#,
            &[0x0C],
            &[0x0C, 3, b'a', b'b'],
            &[0x0C, 1, b'a', b'b'],
            &[0x0C, 1, b'a', 0x0C, 1, b'b'],
            &[0x0C, 0x81, 1, b'a'],
            &[0x0C, 0x80, b'a', 0, 0],
            // Constructed, nested, and a number of a high tag.
            &[0x2C, 3, 0x0C, 1, b'a'],
            &[0x04, 3, 0x0C, 1, b'a'],
            &[0x30, 3, 0x0C, 1, b'a'],
            &[0x1F, 0x0C, 1, b'a'],
            &[0x02, 1, 7],
            // Texts that could be taken for something else.
            &[0x0C, 0],
            &[0x0C, 2, b'a', 0],
            &[0x0C, 4, b'a', b'\r', b'\n', b'b'],
            &[0x0C, 2, b'a', 0x7F],
            &[0x0C, 3, b'a', 0xC2, 0x85],
            &[0x0C, 2, b'#', b'0'],
            "\u{c}\u{4}a\u{202e}".as_bytes(),
            "\u{c}\u{4}a\u{200b}".as_bytes(),
            &[0x1E, 4, 0, b'a', 0, 0],
            &[0x1E, 3, 0, b'a', 0],
            &[0x1E, 2, 0xD8, 0],
            &[0x0C, 1, 0xFF],
            &[0x13, 1, 0xE4],
            &[0x14, 1, 0xE4],
        ] {
            let hexadecimal = format!("#{}", base16ct::lower::encode_string(octets));
            assert_eq!(value(octets).as_deref(), Some(hexadecimal.as_str()));
        }
    }

    #[test]
    fn value_has_1000_bytes_at_most_as_written() {
        let text = |length: u16| {
            let content = vec![b'a'; length.into()];
            [&[0x0C, 0x82], &length.to_be_bytes()[..], &content].concat()
        };
        assert_eq!(value(&text(1_000)).map(|value| value.len()), Some(1_000));
        assert_eq!(value(&text(1_001)), None);
        assert_eq!(value(&[b'a'; 499]).map(|value| value.len()), Some(999));
        assert_eq!(value(&[b'a'; 500]), None);
        assert_eq!(value(&[b'a'; 65_000]), None);
    }
}
