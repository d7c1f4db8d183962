//! Subject alternative names (RFC 5280 §4.2.1.6), each with its type.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::heap;
use crate::x509::der::{Element, Elements, Malformed, Tag, context_tag};
use crate::x509::name::{DistinguishedName, Unrepresentable, ascii};
use crate::x509::oid::Oid;

/// Name of the extension in messages.
pub(crate) const ALTERNATIVE_NAMES: &str = "the subject alternative names";

/// Subject alternative name. Names of different types are never equal, whatever their text.
///
/// Displays with its type in front, as OpenSSL prints it: `DNS:client.example`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AlternativeName {
    /// dNSName.
    Dns(String),
    /// rfc822Name.
    Email(String),
    /// uniformResourceIdentifier.
    Uri(String),
    /// iPAddress.
    Ip(IpAddr),
    /// directoryName.
    Directory(DistinguishedName),
    /// registeredID, as a dotted object identifier.
    RegisteredId(String),
    /// otherName: its type as a dotted object identifier, and its value as DER.
    Other {
        /// The type, dotted.
        oid: String,
        /// The value's DER encoding.
        value: Vec<u8>,
    },
}

impl AlternativeName {
    /// Returns the octets that the name keeps allocated, about.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Dns(text) | Self::Email(text) | Self::Uri(text) | Self::RegisteredId(text) => {
                heap::allocation(text.capacity())
            }
            Self::Ip(_) => 0,
            Self::Directory(name) => name.heap_bytes(),
            Self::Other { oid, value } => {
                heap::allocation(oid.capacity()) + heap::allocation(value.capacity())
            }
        }
    }

    /// Reads the value of a subjectAltName extension.
    pub(crate) fn parse_all(value: &[u8]) -> Result<Vec<Self>, Unrepresentable> {
        let of_extension = |error: Unrepresentable| error.inside(ALTERNATIVE_NAMES);
        let unreadable = |error: Malformed| of_extension(error.into());
        let mut names = Elements::inside(value, Tag::SEQUENCE).map_err(unreadable)?;
        let mut all = Vec::new();
        while !names.at_end() {
            let name = names.next_element().map_err(unreadable)?;
            let read = Self::parse(name).map_err(|error| {
                let kind = kind_name(name.tag);
                of_extension(error.inside(format!("entry {} ({kind})", all.len() + 1)))
            });
            all.push(read?);
        }
        // RFC 5280 §4.2.1.6: the sequence MUST contain at least one entry.
        if all.is_empty() {
            Err(of_extension(Unrepresentable::new("no entry")))
        } else {
            Ok(all)
        }
    }

    fn parse(name: Element<'_>) -> Result<Self, Unrepresentable> {
        let unknown = || Unrepresentable::new("a kind of name that is not defined");
        match name.tag.context_specific().ok_or_else(unknown)? {
            (0, true) => {
                let mut fields = Elements::new(name.content);
                let oid = dotted(fields.expect(Tag::OBJECT_IDENTIFIER)?.content)?;
                let value = fields.expect(context_tag(0, true))?.content.to_vec();
                fields.finish()?;
                Ok(Self::Other { oid, value })
            }
            (1, false) => visible(name.content).map(Self::Email),
            (2, false) => visible(name.content).map(Self::Dns),
            (4, true) => DistinguishedName::parse(name.content).map(Self::Directory),
            (6, false) => visible(name.content).map(Self::Uri),
            (7, false) => address(name.content).map(Self::Ip),
            (8, false) => dotted(name.content).map(Self::RegisteredId),
            // Nothing reads them, and nothing can show them.
            (3 | 5, true) => Err(Unrepresentable::new("a kind of name that is not supported")),
            _ => Err(unknown()),
        }
    }
}

/// Reads visible ASCII without spaces, of which host names, mailboxes and URIs consist. NUL and
/// control characters have made readers see another name than the CA did, so no type may contain
/// them.
fn visible(content: &[u8]) -> Result<String, Unrepresentable> {
    let text = ascii(content)?;
    match text.bytes().find(|octet| !octet.is_ascii_graphic()) {
        None if text.is_empty() => Err(Unrepresentable::new("no text")),
        None => Ok(text.to_owned()),
        Some(octet) => Err(Unrepresentable::new(format!(
            "the octet 0x{octet:02X}, a space or control character"
        ))),
    }
}

fn address(content: &[u8]) -> Result<IpAddr, Unrepresentable> {
    if let Ok(octets) = <[u8; 4]>::try_from(content) {
        Ok(IpAddr::V4(Ipv4Addr::from(octets)))
    } else if let Ok(octets) = <[u8; 16]>::try_from(content) {
        Ok(IpAddr::V6(Ipv6Addr::from(octets)))
    } else {
        Err(Unrepresentable::new(format!(
            "{} octets, where an address has 4 or 16",
            content.len()
        )))
    }
}

fn dotted(content: &[u8]) -> Result<String, Unrepresentable> {
    match Oid::parse(content) {
        Ok(oid) => Ok(oid.to_string()),
        Err(Malformed) => Err(Unrepresentable::new("an object identifier that cannot be read")),
    }
}

/// Returns the name that RFC 5280 §4.2.1.6 has for a kind of GeneralName.
pub(crate) fn kind_name(tag: Tag) -> &'static str {
    const KINDS: [&str; 9] = [
        "otherName",
        "rfc822Name",
        "dNSName",
        "x400Address",
        "directoryName",
        "ediPartyName",
        "uniformResourceIdentifier",
        "iPAddress",
        "registeredID",
    ];
    let number = tag.context_specific().map(|(number, _)| usize::from(number));
    let name = number.and_then(|number| KINDS.get(number));
    name.unwrap_or(&"of an unknown kind")
}

impl fmt::Display for AlternativeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(formatter, "DNS:{name}"),
            Self::Email(name) => write!(formatter, "email:{name}"),
            Self::Uri(name) => write!(formatter, "URI:{name}"),
            Self::Ip(address) => write!(formatter, "IP:{address}"),
            Self::Directory(name) => write!(formatter, "DirName:{name}"),
            Self::RegisteredId(oid) => write!(formatter, "RID:{oid}"),
            Self::Other { oid, value } => {
                write!(formatter, "otherName:{oid}=#{:x}", base16ct::HexDisplay(value))
            }
        }
    }
}

impl serde::Serialize for AlternativeName {
    /// Writes an object with one field that is named after the type: `{"dns": "client.example"}`.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::Dns(name) => map.serialize_entry("dns", name)?,
            Self::Email(name) => map.serialize_entry("email", name)?,
            Self::Uri(name) => map.serialize_entry("uri", name)?,
            Self::Ip(address) => map.serialize_entry("ip", address)?,
            Self::Directory(name) => map.serialize_entry("directory_name", name)?,
            Self::RegisteredId(oid) => map.serialize_entry("registered_id", oid)?,
            Self::Other { .. } => map.serialize_entry("other_name", &self.to_string())?,
        }
        map.end()
    }
}
