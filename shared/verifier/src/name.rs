//! Distinguished names (RFC 5280 §4.1.2.4) and their one-line form (RFC 4514).

use std::borrow::Cow;
use std::fmt::{self, Write};

use der::Tag;
use der::asn1::ObjectIdentifier;

use crate::der_reader::{Element, Elements, Malformed, single};

/// A subject or an issuer, checked to be representable: no text in it holds control characters.
///
/// Displays as RFC 4514 wants it: the most specific part first, special characters escaped, so that no attribute's
/// value can pass for another attribute. Attributes without a name in [`ATTRIBUTE_NAMES`] show as `OID=#hex`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DistinguishedName {
    der: Box<[u8]>,
}

/// One attribute of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAttribute<'a> {
    /// Number of the relative distinguished name that it belongs to, from 0 at the root's end.
    pub relative_name: usize,
    /// The attribute's type.
    pub oid: ObjectIdentifier,
    /// The attribute's value.
    pub value: AttributeValue<'a>,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue<'a> {
    /// A string of a type with a defined meaning: UTF8String, PrintableString, IA5String, NumericString, BMPString.
    Text(Cow<'a, str>),
    /// Anything else, as its DER encoding.
    Der(&'a [u8]),
}

/// Short names of attribute types: RFC 4514 §3, and those beyond it that OpenSSL prints and private CAs use.
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
/// organizationIdentifier (ETSI EN 319 412-1), the identity of a payment service provider under PSD2.
pub(crate) const ORGANIZATION_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.97");

/// The name cannot be read, or some text in it cannot be shown without being mistaken for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unrepresentable;

impl From<Malformed> for Unrepresentable {
    fn from(_: Malformed) -> Self {
        Self
    }
}

impl DistinguishedName {
    /// Takes the whole DER encoding of a Name, after looking at every attribute.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, Unrepresentable> {
        walk(der, |_| ())?;
        Ok(Self { der: der.into() })
    }

    /// The DER encoding of the Name.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether the name has no attributes at all (RFC 5280 §4.1.2.6: then the alternative names identify).
    pub fn is_empty(&self) -> bool {
        self.attributes().is_empty()
    }

    /// The attributes in the order of the encoding: from the root of the naming tree down.
    pub fn attributes(&self) -> Vec<NameAttribute<'_>> {
        let mut attributes = Vec::new();
        // The walk succeeded when the name was made.
        let _ = walk(&self.der, |attribute| attributes.push(attribute));
        attributes
    }

    /// The text of every attribute of this type, in the order of the encoding.
    pub fn texts_of(&self, oid: ObjectIdentifier) -> Vec<Cow<'_, str>> {
        let texts = self
            .attributes()
            .into_iter()
            .filter_map(|attribute| match attribute.value {
                AttributeValue::Text(text) if attribute.oid == oid => Some(text),
                _ => None,
            });
        texts.collect()
    }
}

/// Checks a name without keeping anything of it.
pub(crate) fn check_representable(der: &[u8]) -> Result<(), Unrepresentable> {
    walk(der, |_| ())
}

/// Calls `visit` with each attribute of a Name given by its whole DER encoding.
pub(crate) fn walk<'a>(
    der: &'a [u8],
    mut visit: impl FnMut(NameAttribute<'a>),
) -> Result<(), Unrepresentable> {
    let mut relative_names = Elements::inside(der, Tag::Sequence)?;
    let mut relative_name = 0;
    while !relative_names.at_end() {
        let mut attributes = Elements::new(relative_names.expect(Tag::Set)?.content)?;
        loop {
            let mut pair = Elements::new(attributes.expect(Tag::Sequence)?.content)?;
            let oid = pair.expect(Tag::ObjectIdentifier)?.content;
            let oid = ObjectIdentifier::from_bytes(oid).map_err(|_| Unrepresentable)?;
            let value = read_value(pair.next_element()?)?;
            pair.finish()?;
            visit(NameAttribute {
                relative_name,
                oid,
                value,
            });
            if attributes.at_end() {
                break;
            }
        }
        relative_name += 1;
    }
    Ok(())
}

fn read_value(element: Element<'_>) -> Result<AttributeValue<'_>, Unrepresentable> {
    let text = match element.tag {
        Tag::Utf8String => Cow::Borrowed(std::str::from_utf8(element.content).map_err(|_| Unrepresentable)?),
        // PrintableString is read as ASCII: `*`, `@` and `_` in it are against X.680 and common.
        Tag::PrintableString | Tag::Ia5String | Tag::NumericString => Cow::Borrowed(ascii(element.content)?),
        Tag::BmpString => Cow::Owned(basic_multilingual_plane(element.content)?),
        _ => return Ok(AttributeValue::Der(element.encoding)),
    };
    if text.chars().any(char::is_control) {
        Err(Unrepresentable)
    } else {
        Ok(AttributeValue::Text(text))
    }
}

/// The text of an IA5String and its like: seven-bit, or not representable.
pub(crate) fn ascii(content: &[u8]) -> Result<&str, Unrepresentable> {
    if content.is_ascii() {
        std::str::from_utf8(content).map_err(|_| Unrepresentable)
    } else {
        Err(Unrepresentable)
    }
}

fn basic_multilingual_plane(content: &[u8]) -> Result<String, Unrepresentable> {
    let (pairs, rest) = content.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Unrepresentable);
    }
    let characters = pairs
        .iter()
        .map(|pair| char::from_u32(u32::from(u16::from_be_bytes(*pair))));
    characters.collect::<Option<String>>().ok_or(Unrepresentable)
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attributes = self.attributes();
        let relative_names = attributes
            .chunk_by(|left, right| left.relative_name == right.relative_name)
            .rev();
        for (index, relative_name) in relative_names.enumerate() {
            for (position, attribute) in relative_name.iter().enumerate() {
                match (index, position) {
                    (0, 0) => {}
                    (_, 0) => formatter.write_char(',')?,
                    _ => formatter.write_char('+')?,
                }
                write_attribute(formatter, attribute)?;
            }
        }
        Ok(())
    }
}

fn write_attribute(formatter: &mut fmt::Formatter<'_>, attribute: &NameAttribute<'_>) -> fmt::Result {
    let name = ATTRIBUTE_NAMES
        .iter()
        .find(|(oid, _)| *oid == attribute.oid)
        .map(|(_, name)| *name);
    match (name, &attribute.value) {
        (Some(name), AttributeValue::Text(text)) => {
            write!(formatter, "{name}=")?;
            write_escaped(formatter, text)
        }
        (Some(name), AttributeValue::Der(der)) => {
            write!(formatter, "{name}=")?;
            write_hexadecimal(formatter, der)
        }
        (None, AttributeValue::Der(der)) => {
            write!(formatter, "{}=", attribute.oid)?;
            write_hexadecimal(formatter, der)
        }
        // RFC 4514 §2.4: a type in dotted-decimal form has its value in hexadecimal form, tag included.
        (None, AttributeValue::Text(text)) => {
            write!(formatter, "{}=", attribute.oid)?;
            match x509_utf8_string(text) {
                Some(der) => write_hexadecimal(formatter, &der),
                None => Err(fmt::Error),
            }
        }
    }
}

fn x509_utf8_string(text: &str) -> Option<Vec<u8>> {
    der::Encode::to_der(&der::asn1::Utf8StringRef::new(text).ok()?).ok()
}

fn write_hexadecimal(formatter: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    formatter.write_char('#')?;
    bytes.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
}

/// RFC 4514 §2.4: a space or `#` at the start, a space at the end, and the characters that separate.
fn write_escaped(formatter: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let last = text.chars().count().saturating_sub(1);
    for (position, character) in text.chars().enumerate() {
        let special = matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=');
        let at_edge =
            (position == 0 && matches!(character, ' ' | '#')) || (position == last && character == ' ');
        if special || at_edge {
            formatter.write_char('\\')?;
        }
        formatter.write_char(character)?;
    }
    Ok(())
}

impl fmt::Debug for DistinguishedName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl serde::Serialize for DistinguishedName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether `name` lies in the subtree whose root is `base`, both whole DER encodings of a Name: every relative
/// name of `base` equals the one in the same place of `name` (RFC 5280 §4.2.1.10 and §7.1).
pub(crate) fn is_within(name: &[u8], base: &[u8]) -> Result<bool, Unrepresentable> {
    let name = relative_names(name)?;
    let base = relative_names(base)?;
    if base.len() > name.len() {
        return Ok(false);
    }
    Ok(base.iter().zip(&name).all(|(base, name)| base == name))
}

/// Each relative name as a sorted list of comparable attributes.
fn relative_names(der: &[u8]) -> Result<Vec<Vec<ComparableAttribute>>, Unrepresentable> {
    let mut names: Vec<Vec<ComparableAttribute>> = Vec::new();
    walk(der, |attribute| {
        names.resize_with(names.len().max(attribute.relative_name + 1), Vec::new);
        if let Some(name) = names.get_mut(attribute.relative_name) {
            name.push(comparable(&attribute));
        }
    })?;
    names.iter_mut().for_each(|name| name.sort());
    single(der, Tag::Sequence)?;
    Ok(names)
}

type ComparableAttribute = (ObjectIdentifier, Vec<u8>);

/// RFC 5280 §7.1, RFC 4518 in the part that real names need: case folded, runs of white space as one, none at the
/// edges. Values that are not text compare as they are encoded.
fn comparable(attribute: &NameAttribute<'_>) -> ComparableAttribute {
    let value = match &attribute.value {
        AttributeValue::Text(text) => {
            let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
            words.join(" ").into_bytes()
        }
        AttributeValue::Der(der) => der.to_vec(),
    };
    (attribute.oid, value)
}
