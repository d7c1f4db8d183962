//! Distinguished names (RFC 5280 §4.1.2.4) and their one-line form (RFC 4514).

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

use der::asn1::ObjectIdentifier;

use crate::der_reader::{Element, Elements, Malformed, Tag};

/// A subject or an issuer, checked to be representable: no text in it holds control characters.
///
/// Displays as RFC 4514 wants it: the most specific part first, special characters escaped, so that no attribute's
/// value can pass for another attribute. Attributes without a name in [`ATTRIBUTE_NAMES`] show as `OID=#hex`.
#[derive(Clone)]
pub struct DistinguishedName {
    der: Box<[u8]>,
    /// The one-line form, once somebody has asked for it: a client's name is written again for every request.
    line: OnceLock<Box<str>>,
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
        Ok(Self {
            der: der.into(),
            line: OnceLock::new(),
        })
    }

    /// The one-line form.
    pub fn as_str(&self) -> &str {
        self.line.get_or_init(|| self.to_line().into())
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
        Tag::UTF8_STRING => Cow::Borrowed(std::str::from_utf8(element.content).map_err(|_| Unrepresentable)?),
        // PrintableString is read as ASCII: `*`, `@` and `_` in it are against X.680 and common.
        Tag::PRINTABLE_STRING | Tag::IA5_STRING | Tag::NUMERIC_STRING => {
            Cow::Borrowed(ascii(element.content)?)
        }
        Tag::BMP_STRING => Cow::Owned(basic_multilingual_plane(element.content)?),
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

fn push_attribute(line: &mut String, attribute: &NameAttribute<'_>) {
    let name = ATTRIBUTE_NAMES
        .iter()
        .find(|(oid, _)| *oid == attribute.oid)
        .map(|(_, name)| *name);
    match name {
        Some(name) => line.push_str(name),
        None => line.push_str(&attribute.oid.to_string()),
    }
    line.push('=');
    match (name, &attribute.value) {
        (Some(_), AttributeValue::Text(text)) => push_escaped(line, text),
        // RFC 4514 §2.4: a type in dotted-decimal form has its value in hexadecimal form, tag included.
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

/// RFC 4514 §2.4: a space or `#` at the start, a space at the end, and the characters that separate.
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

/// A name taken apart for comparison by the rules of RFC 5280 §7.1.
#[derive(Debug)]
pub(crate) struct ComparableName<'a> {
    relative_names: Vec<Vec<ComparableAttribute<'a>>>,
}

/// The answer to whether two names, or a name and a subtree, are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Same,
    Different,
    /// They differ at most in text of a kind that cannot be compared, such as TeletexString: whoever asks takes what
    /// is safe.
    Undecided,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ComparableAttribute<'a> {
    oid: ObjectIdentifier,
    value: ComparableValue<'a>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ComparableValue<'a> {
    /// RFC 4518 in the part that real names need: case folded, runs of white space as one, none at the edges.
    Text(String),
    Der(&'a [u8]),
}

impl<'a> ComparableName<'a> {
    /// Takes the whole DER encoding of a Name.
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, Unrepresentable> {
        let mut relative_names: Vec<Vec<ComparableAttribute<'a>>> = Vec::new();
        walk(der, |attribute| {
            let wanted = relative_names.len().max(attribute.relative_name + 1);
            relative_names.resize_with(wanted, Vec::new);
            if let Some(relative_name) = relative_names.last_mut() {
                relative_name.push(ComparableAttribute::from(attribute));
            }
        })?;
        relative_names.iter_mut().for_each(|name| name.sort());
        Ok(Self { relative_names })
    }

    /// Whether this name lies in the subtree whose root is `base`: every relative name of `base` is the one in the
    /// same place of this name (RFC 5280 §4.2.1.10).
    pub(crate) fn is_within(&self, base: &Self) -> Comparison {
        if base.relative_names.len() > self.relative_names.len() {
            return Comparison::Different;
        }
        let mut whole = Comparison::Same;
        for (base, name) in base.relative_names.iter().zip(&self.relative_names) {
            match compare_relative_names(base, name) {
                Comparison::Same => {}
                Comparison::Different => return Comparison::Different,
                Comparison::Undecided => whole = Comparison::Undecided,
            }
        }
        whole
    }

    /// Whether there are no attributes.
    pub(crate) fn is_empty(&self) -> bool {
        self.relative_names.is_empty()
    }
}

fn compare_relative_names(left: &[ComparableAttribute<'_>], right: &[ComparableAttribute<'_>]) -> Comparison {
    let types = |attributes: &'_ [ComparableAttribute<'_>]| {
        attributes
            .iter()
            .map(|attribute| attribute.oid)
            .collect::<Vec<_>>()
    };
    let is_opaque = |attribute: &ComparableAttribute<'_>| matches!(attribute.value, ComparableValue::Der(_));
    if left == right {
        Comparison::Same
    } else if left.iter().chain(right).any(is_opaque) && types(left) == types(right) {
        Comparison::Undecided
    } else {
        Comparison::Different
    }
}

impl<'a> From<NameAttribute<'a>> for ComparableAttribute<'a> {
    fn from(attribute: NameAttribute<'a>) -> Self {
        let value = match attribute.value {
            AttributeValue::Text(text) => {
                let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
                ComparableValue::Text(words.join(" "))
            }
            AttributeValue::Der(der) => ComparableValue::Der(der),
        };
        Self {
            oid: attribute.oid,
            value,
        }
    }
}

/// Whether two whole DER encodings of a Name are the same name: byte for byte, or by RFC 5280 §7.1.
pub(crate) fn names_are_equal(left: &[u8], right: &[u8]) -> bool {
    if left == right {
        return true;
    }
    match (ComparableName::parse(left), ComparableName::parse(right)) {
        (Ok(left), Ok(right)) => left.relative_names == right.relative_names,
        _ => false,
    }
}

/// One text for all names that are equal by RFC 5280 §7.1; for look-ups.
pub(crate) fn look_up_key(der: &[u8]) -> Option<Box<str>> {
    ComparableName::parse(der)
        .ok()
        .map(|name| format!("{:?}", name.relative_names).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Vec<u8> {
        use der::Encode;
        use std::str::FromStr;
        x509_cert::name::Name::from_str(text).unwrap().to_der().unwrap()
    }

    /// `O=<value>` with a string type of one's choice.
    fn organization(tag: u8, value: &[u8]) -> Vec<u8> {
        let wrap = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
        let attribute = [vec![6, 3, 0x55, 4, 10], wrap(tag, value)].concat();
        wrap(0x30, &wrap(0x31, &wrap(0x30, &attribute)))
    }

    #[test]
    fn names_are_equal_whatever_their_case_white_space_and_string_type() {
        let printable = organization(0x13, b"Good  CA ");
        let utf8 = organization(0x0C, b"good ca");
        assert!(names_are_equal(&printable, &utf8));
        assert_eq!(look_up_key(&printable), look_up_key(&utf8));
        assert!(!names_are_equal(&printable, &organization(0x0C, b"good cb")));
        assert!(
            !names_are_equal(&name("CN=a,O=b"), &name("O=b,CN=a")),
            "order counts"
        );
        assert!(!names_are_equal(&name("CN=a"), &name("CN=a,O=b")));
    }

    #[test]
    fn attributes_of_one_relative_name_have_no_order() {
        assert!(names_are_equal(&name("CN=a+OU=b"), &name("OU=b+CN=a")));
        assert!(!names_are_equal(&name("CN=a+OU=b"), &name("CN=a,OU=b")));
    }

    #[test]
    fn a_subtree_holds_its_root_and_what_is_below() {
        let within = |name: &[u8], base: &[u8]| {
            ComparableName::parse(name)
                .unwrap()
                .is_within(&ComparableName::parse(base).unwrap())
        };
        let base = name("OU=payments,O=Example,C=DE");
        assert_eq!(within(&base, &base), Comparison::Same);
        assert_eq!(
            within(&name("CN=x,OU=Payments,O=EXAMPLE,C=DE"), &base),
            Comparison::Same
        );
        assert_eq!(within(&name("O=Example,C=DE"), &base), Comparison::Different);
        assert_eq!(
            within(&name("CN=x,OU=payments,O=Exampl,C=DE"), &base),
            Comparison::Different
        );
    }

    #[test]
    fn text_that_cannot_be_compared_is_undecided() {
        let teletex = organization(0x14, b"Example");
        let utf8 = organization(0x0C, b"Example");
        let within = |name: &[u8], base: &[u8]| {
            ComparableName::parse(name)
                .unwrap()
                .is_within(&ComparableName::parse(base).unwrap())
        };
        assert_eq!(within(&teletex, &utf8), Comparison::Undecided);
        assert_eq!(within(&teletex, &teletex), Comparison::Same);
        assert!(!names_are_equal(&teletex, &utf8), "only equal bytes chain");
    }

    #[test]
    fn displays_no_attribute_that_is_not_there() {
        let parsed = DistinguishedName::parse(&organization(0x0C, b"a, CN=root+O=\\\"x\" ")).unwrap();
        assert_eq!(parsed.to_string(), r#"O=a\, CN\=root\+O\=\\\"x\"\ "#);
        assert!(DistinguishedName::parse(&organization(0x0C, b"a\nb")).is_err());
        assert!(DistinguishedName::parse(&organization(0x0C, b"a\0b")).is_err());
    }
}
