//! Extensions of certificates (RFC 5280 §4.2), and the values of those that decide most.

use der::asn1::ObjectIdentifier;

use crate::x509::der::{Elements, Malformed, Tag, boolean, context_tag, small_unsigned};
use crate::x509::oid::{self, Oid};

/// Extensions of a certificate, with the two that almost every rule needs already parsed.
#[derive(Debug, Default)]
pub(crate) struct Extensions<'a> {
    pub(crate) basic_constraints: Option<BasicConstraints>,
    pub(crate) key_usage: Option<KeyUsage>,
    pub(crate) all: Vec<Extension<'a>>,
}

impl<'a> Extensions<'a> {
    pub(crate) fn find(&self, oid: ObjectIdentifier) -> Option<&Extension<'a>> {
        self.all.iter().find(|extension| extension.oid == oid.as_bytes())
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Extension<'a> {
    /// The content of the OBJECT IDENTIFIER.
    pub(crate) oid: &'a [u8],
    pub(crate) critical: bool,
    pub(crate) value: &'a [u8],
}

/// RFC 5280 §4.2.1.9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BasicConstraints {
    pub(crate) authority: bool,
    pub(crate) path_length: Option<u32>,
}

/// RFC 5280 §4.2.1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyUsage(pub(super) u16);

impl KeyUsage {
    pub(crate) fn allows_digital_signature(self) -> bool {
        self.0 & 1 != 0
    }

    pub(crate) fn allows_certificate_signing(self) -> bool {
        self.0 & (1 << 5) != 0
    }

    pub(crate) fn allows_crl_signing(self) -> bool {
        self.0 & (1 << 6) != 0
    }
}

impl std::fmt::Display for KeyUsage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const NAMES: [&str; 9] = [
            "digitalSignature",
            "nonRepudiation",
            "keyEncipherment",
            "dataEncipherment",
            "keyAgreement",
            "keyCertSign",
            "cRLSign",
            "encipherOnly",
            "decipherOnly",
        ];
        let mut separator = "";
        for (bit, name) in NAMES.iter().enumerate() {
            if self.0 & (1 << bit) != 0 {
                write!(formatter, "{separator}{name}")?;
                separator = ", ";
            }
        }
        if separator.is_empty() {
            formatter.write_str("nothing")?;
        }
        Ok(())
    }
}

/// Limit of extensions in one certificate. Real certificates have fewer than 20; the search for
/// repeats takes time that grows with the square of their number.
pub(super) const MAX_EXTENSIONS: usize = 64;

/// Reads the keyIdentifier of the extension authorityKeyIdentifier, `[0]` of its sequence.
pub(crate) fn authority_key_identifier(value: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let mut fields = Elements::inside(value, Tag::SEQUENCE)?;
    let identifier = fields.optional(context_tag(0, false))?;
    Ok(identifier.map(|element| element.content))
}

pub(crate) fn parse_extension(content: &[u8]) -> Result<Extension<'_>, Malformed> {
    let mut fields = Elements::new(content);
    let oid = Oid::parse(fields.expect(Tag::OBJECT_IDENTIFIER)?.content)?.as_bytes();
    // X.690 §11.5: DER leaves out a default, and CAs write `FALSE` nevertheless.
    let critical = match fields.optional(Tag::BOOLEAN)? {
        None => false,
        Some(value) => boolean(value.content)?,
    };
    let value = fields.expect(Tag::OCTET_STRING)?.content;
    fields.finish()?;
    Ok(Extension { oid, critical, value })
}

pub(super) fn parse_basic_constraints(value: &[u8]) -> Result<BasicConstraints, Malformed> {
    let mut fields = Elements::inside(value, Tag::SEQUENCE)?;
    // X.690 §11.5: DER leaves out a default, and CAs write `FALSE` nevertheless.
    let authority = match fields.optional(Tag::BOOLEAN)? {
        None => false,
        Some(value) => boolean(value.content)?,
    };
    let path_length = match fields.optional(Tag::INTEGER)? {
        None => None,
        Some(value) => Some(small_unsigned(value.content)?),
    };
    fields.finish()?;
    Ok(BasicConstraints {
        authority,
        path_length,
    })
}

/// Returns true if the purposes contain clientAuth, or anyExtendedKeyUsage, which stands for every
/// purpose (RFC 5280 §4.2.1.12); `None` without the extension.
pub(crate) fn allows_client_authentication(extensions: &Extensions<'_>) -> Result<Option<bool>, Malformed> {
    let Some(extension) = extensions.find(oid::EXTENDED_KEY_USAGE) else {
        return Ok(None);
    };
    let mut purposes = Elements::inside(extension.value, Tag::SEQUENCE)?;
    let mut allowed = false;
    while !purposes.at_end() {
        let purpose = purposes.expect(Tag::OBJECT_IDENTIFIER)?.content;
        allowed |= is_client_purpose(purpose);
    }
    Ok(Some(allowed))
}

fn is_client_purpose(purpose: &[u8]) -> bool {
    purpose == oid::CLIENT_AUTHENTICATION.as_bytes() || purpose == oid::ANY_EXTENDED_KEY_USAGE.as_bytes()
}
