use std::net::IpAddr;
use std::str::FromStr;

use der::asn1::{Any, Ia5String, Ia5StringRef, ObjectIdentifier, OctetString, PrintableStringRef};
use der::{Tag, Tagged};
use x509_cert::ext::pkix::name::OtherName;
use x509_cert::name::Name;

use crate::{Error, raw};

/// A name in a subject alternative name or in a name constraint (RFC 5280 sections 4.2.1.6 and
/// 4.2.1.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeneralName<'a> {
    Dns(&'a str),
    /// RFC 4514, such as `CN=client,O=Example`.
    Directory(&'a str),
    Email(&'a str),
    Ip(IpAddr),
    /// The object identifier and the DER of the value, without its `[0]`.
    Other(&'a str, &'a [u8]),
    RegisteredId(&'a str),
    /// Address and prefix length; for name constraints only.
    Subnet(IpAddr, u8),
    Uri(&'a str),
}

impl GeneralName<'_> {
    pub(crate) fn to_x509(&self) -> Result<x509_cert::ext::pkix::name::GeneralName, Error> {
        use x509_cert::ext::pkix::name::GeneralName as X509;

        Ok(match *self {
            Self::Dns(name) => X509::DnsName(ascii("a DNS name", name)?),
            Self::Directory(name) => X509::DirectoryName(distinguished(name)?),
            Self::Email(name) => X509::Rfc822Name(ascii("an email address", name)?),
            Self::Ip(address) => address.into(),
            Self::Other(identifier, value) => X509::OtherName(OtherName {
                type_id: object_identifier(identifier)?,
                value: raw::any(value)?,
            }),
            Self::RegisteredId(identifier) => X509::RegisteredId(object_identifier(identifier)?),
            Self::Subnet(address, length) => {
                let octets = subnet(address, length);
                X509::IpAddress(OctetString::new(octets).map_err(Error::encode("subnet"))?)
            }
            Self::Uri(name) => X509::UniformResourceIdentifier(ascii("a URI", name)?),
        })
    }
}

/// Reads a distinguished name as RFC 4514 writes it: the most specific attribute first,
/// `CN=client,O=Example`; an attribute without a short name by its object identifier,
/// `2.5.4.97=PSDGB-FCA-123456`.
///
/// # Errors
///
/// When the text is not such a name.
pub(crate) fn distinguished(text: &str) -> Result<Name, Error> {
    // The parser takes an empty text for one broken attribute.
    if text.is_empty() {
        return Ok(Name::default());
    }
    let refused = || Error::Name {
        name: text.to_owned(),
    };
    let name = Name::from_str(text).map_err(|_| refused())?;
    // The parser puts any text at all into the restricted string types.
    let is_sound = |value: &Any| match value.tag() {
        Tag::PrintableString => PrintableStringRef::new(value.value()).is_ok(),
        Tag::Ia5String => Ia5StringRef::new(value.value()).is_ok(),
        _ => true,
    };
    if name.iter().all(|attribute| is_sound(&attribute.value)) {
        Ok(name)
    } else {
        Err(refused())
    }
}

pub(crate) fn distinguished_der(text: &str) -> Result<Any, Error> {
    raw::any_of(&distinguished(text)?)
}

pub(crate) fn object_identifier(text: &str) -> Result<ObjectIdentifier, Error> {
    ObjectIdentifier::new(text).map_err(|_| Error::Value {
        what: "an object identifier",
        text: text.to_owned(),
    })
}

fn ascii(what: &'static str, text: &str) -> Result<Ia5String, Error> {
    Ia5String::new(text).map_err(|_| Error::Value {
        what,
        text: text.to_owned(),
    })
}

/// Address, then mask.
fn subnet(address: IpAddr, length: u8) -> Vec<u8> {
    let mask = u128::MAX
        .checked_shl(128 - u32::from(length.min(128)))
        .unwrap_or(0)
        .to_be_bytes();
    match address {
        IpAddr::V4(address) => address
            .octets()
            .into_iter()
            .chain(mask.into_iter().take(4))
            .collect(),
        IpAddr::V6(address) => address.octets().into_iter().chain(mask).collect(),
    }
}
