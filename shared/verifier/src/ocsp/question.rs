//! Questions about the status of one certificate, and the requests that put them.

use std::fmt;

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

use super::identifier;
use crate::anchors::TrustAnchor;
use crate::fingerprint::Fingerprint;
use crate::x509::certificate::Certificate;
use crate::x509::der::{Elements, Malformed, Tag, context_tag, encode};
use crate::x509::name::DistinguishedName;
use crate::x509::public_key::IssuerKey;

/// Hash function that names the issuer in a request (RFC 6960 §4.1.1). It protects nothing: the
/// signature of the response does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertIdHash {
    /// The one that every responder knows (RFC 5019 §2.1.1).
    Sha1,
    /// For responders that do not take SHA-1.
    Sha256,
}

impl CertIdHash {
    /// Every choice, in the order in which they are tried.
    pub const ALL: &'static [Self] = &[Self::Sha1, Self::Sha256];

    pub(super) fn oid(self) -> &'static [u8] {
        match self {
            Self::Sha1 => identifier::SHA_1.as_bytes(),
            Self::Sha256 => identifier::SHA_256.as_bytes(),
        }
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &SHA256,
        }
    }

    pub(super) fn of(self, octets: &[u8]) -> Vec<u8> {
        digest(self.algorithm(), octets).as_ref().to_vec()
    }
}

/// Question about one certificate of a path that is good otherwise: its signatures verify and every
/// other rule accepts it.
#[derive(Clone, PartialEq, Eq)]
pub struct OcspQuestion {
    id: Fingerprint,
    pub(super) serial_number: Box<[u8]>,
    /// Whole encoding of the issuer's name as the certificate has it.
    pub(super) issuer: Box<[u8]>,
    /// Whole encoding of the issuer's name as its own certificate has it.
    pub(super) issuer_subject: Box<[u8]>,
    key_algorithm: Box<[u8]>,
    key: Box<[u8]>,
    issuer_certificate: Fingerprint,
    issuer_public_key: Fingerprint,
    named_responders: Vec<String>,
    is_configured: bool,
}

/// Most responders that one certificate names and that are read. Real certificates name one.
const MAX_NAMED_RESPONDERS: usize = 2;

/// Longest URL of a responder that is read.
const MAX_URL_BYTES: usize = 1_024;

/// The issuer of a certificate in a path.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OcspIssuer<'p, 'a> {
    Intermediate(&'p Certificate<'a>),
    Anchor(&'p TrustAnchor),
}

impl OcspQuestion {
    /// Creates the question about a certificate that `issuer` signed. `is_configured` is true for a
    /// certificate from the settings.
    pub(crate) fn new(
        certificate: &Certificate<'_>,
        issuer: OcspIssuer<'_, '_>,
        is_configured: bool,
    ) -> Self {
        let (subject, key, public_key_info, der) = match issuer {
            OcspIssuer::Intermediate(issuer) => (
                issuer.subject,
                issuer.issuer_key(),
                issuer.public_key_info.encoding,
                issuer.der,
            ),
            OcspIssuer::Anchor(anchor) => (
                anchor.subject().der(),
                anchor.issuer_key(),
                anchor.public_key_info(),
                anchor.certificate().as_ref(),
            ),
        };
        Self {
            id: Fingerprint::of_list([
                certificate.issuer,
                key.algorithm,
                key.key,
                certificate.serial_number,
            ]),
            serial_number: certificate.serial_number.into(),
            issuer: certificate.issuer.into(),
            issuer_subject: subject.into(),
            key_algorithm: key.algorithm.into(),
            key: key.key.into(),
            issuer_certificate: Fingerprint::of(der),
            issuer_public_key: Fingerprint::of(public_key_info),
            named_responders: named_responders(certificate).unwrap_or_default(),
            is_configured,
        }
    }

    /// Returns a name that no other question has: that of the issuer's name and key and of the
    /// serial number.
    pub fn id(&self) -> Fingerprint {
        self.id
    }

    /// Returns true if this is the SHA-256 of the issuer's certificate or of its
    /// SubjectPublicKeyInfo.
    pub fn is_of_issuer(&self, sha256: Fingerprint) -> bool {
        sha256 == self.issuer_certificate || sha256 == self.issuer_public_key
    }

    /// Returns the URLs of OCSP responders in the certificate's own authorityInfoAccess. Its issuer
    /// signed them.
    pub fn named_responders(&self) -> &[String] {
        &self.named_responders
    }

    /// Returns true if the certificate is one that the operator configured.
    pub fn is_configured(&self) -> bool {
        self.is_configured
    }

    /// Returns the DER encoding of the request: one certificate, neither signed nor with a nonce
    /// (RFC 5019 §2.1.1), so that a response can be one that was made before.
    pub fn request(&self, hash: CertIdHash) -> Vec<u8> {
        let algorithm = encode(
            Tag::SEQUENCE,
            &[
                &encode(Tag::OBJECT_IDENTIFIER, &[hash.oid()]),
                &encode(Tag::NULL, &[]),
            ],
        );
        let name = encode(Tag::OCTET_STRING, &[&hash.of(&self.issuer)]);
        let key = encode(Tag::OCTET_STRING, &[&hash.of(&self.key)]);
        let serial_number = encode(Tag::INTEGER, &[&self.serial_number]);
        let cert_id = encode(Tag::SEQUENCE, &[&algorithm, &name, &key, &serial_number]);
        let requests = encode(Tag::SEQUENCE, &[&encode(Tag::SEQUENCE, &[&cert_id])]);
        encode(Tag::SEQUENCE, &[&encode(Tag::SEQUENCE, &[&requests])])
    }

    /// Returns the serial number in lower-case hexadecimal.
    pub fn serial_number(&self) -> String {
        base16ct::lower::encode_string(&self.serial_number)
    }

    pub(super) fn issuer_key(&self) -> IssuerKey<'_> {
        IssuerKey {
            algorithm: &self.key_algorithm,
            key: &self.key,
        }
    }

    /// Returns the issuer's name in one line.
    pub fn issuer_name(&self) -> String {
        DistinguishedName::parse(&self.issuer_subject).map_or_else(
            |_| "a name that cannot be shown".to_owned(),
            |name| name.to_string(),
        )
    }
}

impl fmt::Debug for OcspQuestion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OcspQuestion")
            .field("serial_number", &self.serial_number())
            .field("issuer", &self.issuer_name())
            .finish_non_exhaustive()
    }
}

/// Reads the OCSP responders of the extension authorityInfoAccess (RFC 5280 §4.2.2.1).
fn named_responders(certificate: &Certificate<'_>) -> Result<Vec<String>, Malformed> {
    /// `uniformResourceIdentifier` of a GeneralName.
    const URI: Tag = context_tag(6, false);

    let mut urls = Vec::new();
    let Some(extension) = certificate.extensions.find(identifier::AUTHORITY_INFO_ACCESS) else {
        return Ok(urls);
    };
    let mut descriptions = Elements::inside(extension.value, Tag::SEQUENCE)?;
    while !descriptions.at_end() && urls.len() < MAX_NAMED_RESPONDERS {
        let mut description = descriptions.enter(Tag::SEQUENCE)?;
        let method = description.content(Tag::OBJECT_IDENTIFIER)?;
        let location = description.next_element()?;
        description.finish()?;
        if method != identifier::AD_OCSP.as_bytes()
            || location.tag != URI
            || location.content.len() > MAX_URL_BYTES
        {
            continue;
        }
        if let Ok(url) = str::from_utf8(location.content)
            && url.bytes().all(|byte| byte.is_ascii_graphic())
        {
            urls.push(url.to_owned());
        }
    }
    Ok(urls)
}
