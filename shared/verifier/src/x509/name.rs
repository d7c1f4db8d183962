//! Distinguished names (RFC 5280 §4.1.2.4) and their one-line form (RFC 4514).

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

use der::asn1::ObjectIdentifier;

use crate::heap;
use crate::x509::der::{Element, Elements, Malformed, Tag};
use crate::x509::oid::Oid;

mod comparison;
mod line;

pub(crate) use comparison::{
    ComparableName, Comparison, is_ignorable, look_up_key, names_are_equal, names_are_possibly_equal,
};
pub use line::InvalidDistinguishedName;

/// A subject or an issuer, checked to be representable: no text in it holds control characters.
///
/// Displays as RFC 4514 wants it: the most specific part first, special characters escaped, so that
/// no attribute's value can pass for another attribute. Attributes without a name in
/// [`ATTRIBUTE_NAMES`] show as `OID=#hex`.
#[derive(Clone)]
pub struct DistinguishedName {
    der: Box<[u8]>,
    /// Form in one line, made on first use and kept: a client's name is written for every request.
    line: OnceLock<Box<str>>,
}

/// Attribute of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAttribute<'a> {
    /// Number of the relative distinguished name that it belongs to, from 0 at the root's end.
    pub relative_name: usize,
    /// The attribute's type.
    pub oid: Oid<'a>,
    /// The attribute's value.
    pub value: AttributeValue<'a>,
    /// True for the text of a TeletexString beyond ASCII, for which CAs use other character sets
    /// than Latin-1 as well.
    pub(crate) is_approximate: bool,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue<'a> {
    /// A string: UTF8String, PrintableString, IA5String, NumericString, VisibleString, BMPString,
    /// UniversalString, and TeletexString (T61String) read as Latin-1.
    Text(Cow<'a, str>),
    /// Anything else, as its DER encoding.
    Der(&'a [u8]),
}

/// Short names of attribute types: RFC 4514 §3, and those beyond it that OpenSSL prints and private
/// CAs use.
pub const ATTRIBUTE_NAMES: &[(ObjectIdentifier, &str)] = &[
    (ObjectIdentifier::new_unwrap("2.5.4.3"), "CN"),
    (ObjectIdentifier::new_unwrap("2.5.4.6"), "C"),
    (ObjectIdentifier::new_unwrap("2.5.4.7"), "L"),
    (ObjectIdentifier::new_unwrap("2.5.4.8"), "ST"),
    (ObjectIdentifier::new_unwrap("2.5.4.9"), "STREET"),
    (ObjectIdentifier::new_unwrap("2.5.4.10"), "O"),
    (ObjectIdentifier::new_unwrap("2.5.4.11"), "OU"),
    (ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.25"), "DC"),
    (ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.1"), "UID"),
    (ObjectIdentifier::new_unwrap("2.5.4.4"), "SN"),
    (ObjectIdentifier::new_unwrap("2.5.4.5"), "serialNumber"),
    (ObjectIdentifier::new_unwrap("2.5.4.12"), "title"),
    (ObjectIdentifier::new_unwrap("2.5.4.42"), "GN"),
    (ObjectIdentifier::new_unwrap("2.5.4.97"), "organizationIdentifier"),
    (EMAIL_ADDRESS, "emailAddress"),
];

/// PKCS #9 emailAddress.
pub(crate) const EMAIL_ADDRESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");
/// commonName.
pub(crate) const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
/// organizationIdentifier (ETSI EN 319 412-1), the identity of a payment service provider under
/// PSD2.
pub(crate) const ORGANIZATION_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.97");

/// Reason for which a name cannot be read, or cannot be shown without being mistaken for something
/// else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unrepresentable {
    problem: Cow<'static, str>,
    /// Innermost first.
    places: Vec<String>,
}

impl Unrepresentable {
    /// Takes the problem as what the name contains or is.
    pub(crate) fn new(problem: impl Into<Cow<'static, str>>) -> Self {
        Self {
            problem: problem.into(),
            places: Vec::new(),
        }
    }

    /// Adds what the name is a part of.
    #[must_use]
    pub(crate) fn inside(mut self, place: impl Into<String>) -> Self {
        self.places.push(place.into());
        self
    }

    /// Returns the places, the innermost first.
    pub(crate) fn place(&self) -> String {
        self.places.join(" of ")
    }

    /// Returns the problem without its place.
    pub(crate) fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for Unrepresentable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.places.is_empty() {
            write!(formatter, "{}: ", self.place())?;
        }
        formatter.write_str(&self.problem)
    }
}

impl From<Malformed> for Unrepresentable {
    fn from(_: Malformed) -> Self {
        Self::new("DER that cannot be read")
    }
}

impl DistinguishedName {
    /// Returns the octets that the name keeps allocated, about.
    pub(crate) fn heap_bytes(&self) -> usize {
        // The one-line form is made later. Most of it is the name's own text; escaped or in
        // hexadecimal form it is twice as long, and a type in dotted form is three times its
        // encoding.
        heap::allocation(self.der().len()) + heap::allocation(3 * self.der().len())
    }

    /// Takes the whole DER encoding of a Name, after looking at every attribute.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, Unrepresentable> {
        walk(der, |_| ())?;
        Ok(Self {
            der: der.into(),
            line: OnceLock::new(),
        })
    }

    /// Returns the one-line form.
    pub fn as_str(&self) -> &str {
        self.line.get_or_init(|| self.to_line().into())
    }

    /// Returns the DER encoding of the Name.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Returns true if the name has no attributes (RFC 5280 §4.1.2.6): then the alternative names
    /// identify the subject.
    pub fn is_empty(&self) -> bool {
        self.attributes().is_empty()
    }

    /// Returns the attributes in the order of the encoding: from the root of the naming tree down.
    pub fn attributes(&self) -> Vec<NameAttribute<'_>> {
        let mut attributes = Vec::new();
        // The walk succeeded when the name was made.
        let _ = walk(&self.der, |attribute| attributes.push(attribute));
        attributes
    }

    /// Returns the text of every attribute of this type, in the order of the encoding.
    pub fn texts_of(&self, oid: ObjectIdentifier) -> Vec<Cow<'_, str>> {
        let mut texts = Vec::new();
        // The walk succeeded when the name was made.
        let _ = walk(&self.der, |attribute| match attribute.value {
            AttributeValue::Text(text) if attribute.oid == oid => texts.push(text),
            _ => {}
        });
        texts
    }
}

/// Calls `visit` with each attribute of a Name given by its whole DER encoding.
pub(crate) fn walk<'a>(
    der: &'a [u8],
    mut visit: impl FnMut(NameAttribute<'a>),
) -> Result<(), Unrepresentable> {
    let mut relative_names = Elements::inside(der, Tag::SEQUENCE)?;
    let mut relative_name = 0;
    while !relative_names.at_end() {
        let mut attributes = Elements::new(relative_names.expect(Tag::SET)?.content);
        loop {
            let mut pair = Elements::new(attributes.expect(Tag::SEQUENCE)?.content);
            let oid = pair.expect(Tag::OBJECT_IDENTIFIER)?.content;
            let oid = Oid::parse(oid).map_err(|Malformed| unreadable_type(oid))?;
            let element = pair.next_element()?;
            let value =
                read_value(element).map_err(|error| error.inside(format!("attribute {}", type_name(oid))))?;
            pair.finish()?;
            let is_approximate = element.tag == Tag::TELETEX_STRING && !element.content.is_ascii();
            visit(NameAttribute {
                relative_name,
                oid,
                value,
                is_approximate,
            });
            if attributes.at_end() {
                break;
            }
        }
        relative_name += 1;
    }
    Ok(())
}

/// Says that the type of an attribute cannot be read; cold.
fn unreadable_type(oid: &[u8]) -> Unrepresentable {
    Unrepresentable::new(format!(
        "an attribute whose type {} cannot be read",
        crate::x509::oid::dotted(oid)
    ))
}

/// Reads a string of any type as text, and another type as its encoding.
pub(crate) fn read_value(element: Element<'_>) -> Result<AttributeValue<'_>, Unrepresentable> {
    let content = element.content;
    let text = match element.tag {
        Tag::UTF8_STRING => Cow::Borrowed(
            std::str::from_utf8(content)
                .map_err(|_| Unrepresentable::new("a UTF8String that is not UTF-8"))?,
        ),
        // PrintableString is read as ASCII: `*`, `@` and `_` in it are against X.680 and common.
        Tag::PRINTABLE_STRING | Tag::IA5_STRING | Tag::NUMERIC_STRING | Tag::VISIBLE_STRING => {
            Cow::Borrowed(ascii(content)?)
        }
        // T.61 proper went out of use before X.509 came into it: OpenSSL, Go and the CAs mean
        // Latin-1 (RFC 5280 §4.1.2.4).
        Tag::TELETEX_STRING if content.is_ascii() => Cow::Borrowed(ascii(content)?),
        Tag::TELETEX_STRING => Cow::Owned(content.iter().copied().map(char::from).collect()),
        Tag::BMP_STRING => Cow::Owned(basic_multilingual_plane(content)?),
        Tag::UNIVERSAL_STRING => Cow::Owned(universal(content)?),
        _ => return Ok(AttributeValue::Der(element.encoding)),
    };
    match text.chars().find(|character| character.is_control()) {
        Some(control) => Err(Unrepresentable::new(format!(
            "the control character U+{:04X}",
            u32::from(control)
        ))),
        None => Ok(AttributeValue::Text(text)),
    }
}

/// Reads an IA5String or a similar type: seven-bit text, or not representable.
pub(crate) fn ascii(content: &[u8]) -> Result<&str, Unrepresentable> {
    match content.iter().find(|octet| !octet.is_ascii()) {
        None => std::str::from_utf8(content).map_err(|_| Unrepresentable::new("text that is not ASCII")),
        Some(octet) => Err(Unrepresentable::new(format!(
            "the octet 0x{octet:02X}, which is not ASCII"
        ))),
    }
}

fn basic_multilingual_plane(content: &[u8]) -> Result<String, Unrepresentable> {
    let (pairs, rest) = content.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Unrepresentable::new("a BMPString of an odd number of octets"));
    }
    let characters = pairs
        .iter()
        .map(|pair| char::from_u32(u32::from(u16::from_be_bytes(*pair))));
    characters
        .collect::<Option<String>>()
        .ok_or_else(|| Unrepresentable::new("a BMPString with a surrogate, which is not a character"))
}

fn universal(content: &[u8]) -> Result<String, Unrepresentable> {
    let (quadruples, rest) = content.as_chunks::<4>();
    let characters = quadruples
        .iter()
        .map(|quadruple| char::from_u32(u32::from_be_bytes(*quadruple)));
    match characters.collect::<Option<String>>() {
        Some(text) if rest.is_empty() => Ok(text),
        _ => Err(Unrepresentable::new("a UniversalString that is not UTF-32")),
    }
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl DistinguishedName {
    fn to_line(&self) -> String {
        let attributes = self.attributes();
        let relative_names = attributes
            .chunk_by(|left, right| left.relative_name == right.relative_name)
            .rev();
        let mut line = String::with_capacity(self.der.len());
        for (index, relative_name) in relative_names.enumerate() {
            for (position, attribute) in relative_name.iter().enumerate() {
                match (index, position) {
                    (0, 0) => {}
                    (_, 0) => line.push(','),
                    _ => line.push('+'),
                }
                push_attribute(&mut line, attribute);
            }
        }
        line
    }
}

fn short_name(oid: Oid<'_>) -> Option<&'static str> {
    let known = ATTRIBUTE_NAMES.iter().find(|(known, _)| *known == oid);
    known.map(|(_, name)| *name)
}

fn type_name(oid: Oid<'_>) -> String {
    short_name(oid).map_or_else(|| oid.to_string(), str::to_owned)
}

fn push_attribute(line: &mut String, attribute: &NameAttribute<'_>) {
    let name = short_name(attribute.oid);
    match name {
        Some(name) => line.push_str(name),
        None => line.push_str(&attribute.oid.to_string()),
    }
    line.push('=');
    match (name, &attribute.value) {
        (Some(_), AttributeValue::Text(text)) => push_escaped(line, text),
        // RFC 4514 §2.4: a type in dotted-decimal form has its value in hexadecimal form, tag
        // included.
        (None, AttributeValue::Text(text)) => push_hexadecimal(line, &utf8_string(text)),
        (_, AttributeValue::Der(der)) => push_hexadecimal(line, der),
    }
}

fn utf8_string(text: &str) -> Vec<u8> {
    let string = der::asn1::Utf8StringRef::new(text);
    // Only a text of 256 MiB has no encoding.
    string
        .and_then(|string| der::Encode::to_der(&string))
        .unwrap_or_default()
}

fn push_hexadecimal(line: &mut String, bytes: &[u8]) {
    line.push('#');
    line.push_str(&base16ct::lower::encode_string(bytes));
}

/// RFC 4514 §2.4: a space or `#` at the start, a space at the end, and the characters that
/// separate.
fn push_escaped(line: &mut String, text: &str) {
    let last = text.chars().count().saturating_sub(1);
    for (position, character) in text.chars().enumerate() {
        let special = matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=');
        let at_edge =
            (position == 0 && matches!(character, ' ' | '#')) || (position == last && character == ' ');
        if special || at_edge {
            line.push('\\');
        }
        line.push(character);
    }
}

impl PartialEq for DistinguishedName {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for DistinguishedName {}

impl Hash for DistinguishedName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.der.hash(state);
    }
}

impl fmt::Debug for DistinguishedName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl serde::Serialize for DistinguishedName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `O=<value>` with a string type of one's choice.
    fn organization(tag: u8, value: &[u8]) -> Vec<u8> {
        let wrap = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
        let attribute = [vec![6, 3, 0x55, 4, 10], wrap(tag, value)].concat();
        wrap(0x30, &wrap(0x31, &wrap(0x30, &attribute)))
    }

    #[test]
    fn names_are_equal_octet_by_octet() {
        let name = |tag: u8, value: &[u8]| DistinguishedName::parse(&organization(tag, value)).unwrap();
        assert_eq!(name(0x0C, b"a"), name(0x0C, b"a"));
        assert_ne!(name(0x0C, b"a"), name(0x0C, b"b"));
        assert_ne!(name(0x0C, b"a"), name(0x13, b"a"), "another type of string");
    }

    #[test]
    fn displays_no_attribute_that_is_not_there() {
        let parsed = DistinguishedName::parse(&organization(0x0C, b"a, CN=root+O=\\\"x\" ")).unwrap();
        assert_eq!(parsed.to_string(), r#"O=a\, CN\=root\+O\=\\\"x\"\ "#);
        assert!(DistinguishedName::parse(&organization(0x0C, b"a\nb")).is_err());
        assert!(DistinguishedName::parse(&organization(0x0C, b"a\0b")).is_err());
    }
}
