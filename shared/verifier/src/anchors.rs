//! Trust anchors and configured intermediates, found by name so that their number costs nothing.

use std::collections::HashMap;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, TrustAnchor as WebpkiAnchor};

use crate::bundle::AuthorityProblem;
use crate::certificate::{Certificate, CertificateError, PublicKey, Validity, Version};
use crate::fingerprint::Fingerprint;
use crate::name::DistinguishedName;

/// One certificate that is trusted because the operator said so.
#[derive(Debug)]
pub struct TrustAnchor {
    certificate: CertificateDer<'static>,
    id: Fingerprint,
    subject: DistinguishedName,
    validity: Validity,
    public_key: PublicKey,
    is_version_3: bool,
    path_length: Option<u32>,
    webpki: WebpkiAnchor<'static>,
}

impl TrustAnchor {
    /// Takes a CA certificate as a trust anchor. Expired ones are taken too: they anchor nothing, and whether they
    /// do is decided when a client is verified.
    ///
    /// # Errors
    /// [`AuthorityProblem`] for what cannot be a CA.
    pub fn new(certificate: CertificateDer<'static>) -> Result<Self, AuthorityProblem> {
        let parsed = parse_authority(&certificate)?;
        let subject = DistinguishedName::parse(parsed.subject).map_err(|_| AuthorityProblem::Name)?;
        let (validity, public_key) = (parsed.validity, parsed.public_key);
        let is_version_3 = parsed.version == Version::V3;
        let path_length = parsed
            .extensions
            .basic_constraints
            .and_then(|constraints| constraints.path_length);
        let webpki = webpki::anchor_from_trusted_cert(&certificate)
            .map_err(|_| AuthorityProblem::Malformed)?
            .to_owned();
        Ok(Self {
            id: Fingerprint::of(&certificate),
            subject,
            validity,
            public_key,
            is_version_3,
            path_length,
            webpki,
            certificate,
        })
    }

    /// SHA-256 of the certificate: the anchor's stable name.
    pub fn id(&self) -> Fingerprint {
        self.id
    }

    /// The certificate's DER encoding.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The certificate's subject.
    pub fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// When the certificate is valid; outside of it the anchor anchors nothing.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// Kind and size of the key.
    pub fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Whether the certificate is of X.509 version 3, as ALB wants all of them to be.
    pub fn is_version_3(&self) -> bool {
        self.is_version_3
    }

    pub(crate) fn path_length(&self) -> Option<u32> {
        self.path_length
    }

    pub(crate) fn webpki(&self) -> &WebpkiAnchor<'static> {
        &self.webpki
    }
}

/// The trust anchors that a client may chain to.
#[derive(Clone, Debug)]
pub struct TrustAnchors {
    all: Vec<Arc<TrustAnchor>>,
    /// Positions in `all` by the DER content of the subject.
    by_subject: HashMap<Box<[u8]>, Vec<usize>>,
}

impl TrustAnchors {
    /// Takes anchors in the given order, each certificate once.
    ///
    /// Returns `None` when there is none: a verifier without anchors could only refuse, and an operator never means it.
    pub fn new(anchors: impl IntoIterator<Item = TrustAnchor>) -> Option<Self> {
        let mut this = Self {
            all: Vec::new(),
            by_subject: HashMap::new(),
        };
        for anchor in anchors {
            let positions = this
                .by_subject
                .entry(anchor.webpki.subject.as_ref().into())
                .or_default();
            let known = |position: &usize| this.all.get(*position).is_some_and(|other| other.id == anchor.id);
            if !positions.iter().any(known) {
                positions.push(this.all.len());
                this.all.push(Arc::new(anchor));
            }
        }
        if this.all.is_empty() { None } else { Some(this) }
    }

    /// Every anchor, in the order in which they were given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<TrustAnchor>> {
        self.all.iter()
    }

    /// How many there are; never zero.
    #[expect(clippy::len_without_is_empty, reason = "there is always at least one")]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// The anchors with this subject, given by the content of its DER encoding.
    pub(crate) fn with_subject(&self, subject: &[u8]) -> impl Iterator<Item = &Arc<TrustAnchor>> {
        let positions = self.by_subject.get(subject).map_or(&[][..], Vec::as_slice);
        positions.iter().filter_map(|position| self.all.get(*position))
    }
}

/// Intermediate CA certificates that the operator supplies for clients which do not send theirs.
///
/// They are not trusted: a path through them must still end at a trust anchor.
#[derive(Clone, Debug, Default)]
pub struct Intermediates {
    by_subject: HashMap<Box<[u8]>, Vec<CertificateDer<'static>>>,
}

impl Intermediates {
    /// Takes CA certificates.
    ///
    /// # Errors
    /// The position, from 0, of the first that cannot be a CA, and why.
    pub fn new(
        certificates: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, (usize, AuthorityProblem)> {
        let mut this = Self::default();
        for (position, certificate) in certificates.into_iter().enumerate() {
            let subject: Box<[u8]> = match parse_authority(&certificate) {
                Ok(parsed) => parsed.subject.into(),
                Err(problem) => return Err((position, problem)),
            };
            let known = this.by_subject.entry(subject).or_default();
            if !known.contains(&certificate) {
                known.push(certificate);
            }
        }
        Ok(this)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_subject.values().map(Vec::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_subject.is_empty()
    }

    /// Those with this subject, given by its whole DER encoding.
    pub(crate) fn with_subject(&self, subject: &[u8]) -> &[CertificateDer<'static>] {
        self.by_subject.get(subject).map_or(&[], Vec::as_slice)
    }
}

fn parse_authority<'a>(
    certificate: &'a CertificateDer<'static>,
) -> Result<Certificate<'a>, AuthorityProblem> {
    let parsed = Certificate::parse(certificate).map_err(|error| match error {
        CertificateError::Malformed | CertificateError::SignatureAlgorithmMismatch => {
            AuthorityProblem::Malformed
        }
        CertificateError::RepeatedExtension | CertificateError::TooManyExtensions => {
            AuthorityProblem::Extension
        }
    })?;
    // Certificates of version 1 have no extensions that could say so; as an anchor the operator says it.
    if parsed.version == Version::V3 && !parsed.is_authority() {
        return Err(AuthorityProblem::NotAuthority);
    }
    if parsed
        .extensions
        .key_usage
        .is_some_and(|usage| !usage.allows_certificate_signing())
    {
        return Err(AuthorityProblem::KeyUsage);
    }
    match parsed.public_key {
        PublicKey::Unsupported => Err(AuthorityProblem::UnsupportedKey),
        PublicKey::Rsa { bits } if !(2048..=8192).contains(&bits) => Err(AuthorityProblem::UnsupportedKey),
        _ => Ok(parsed),
    }
}
