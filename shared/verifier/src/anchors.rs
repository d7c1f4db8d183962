//! Trust anchors and configured intermediates, found by name so that their number costs nothing.

use std::collections::HashMap;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, TrustAnchor as WebpkiAnchor};

use crate::authority::{AuthorityError, parse_authority, parse_list_issuer, parse_name_and_key};
use crate::bundle::{BundleError, read_bundle};
use crate::fingerprint::Fingerprint;
use crate::signature_budget::{Namesakes, units_of_key};
use crate::x509::certificate::{Certificate, Validity, Version};
use crate::x509::der::{Malformed, Tag, single};
use crate::x509::extensions::allows_client_authentication;
use crate::x509::name::{DistinguishedName, look_up_key, names_are_equal};
use crate::x509::name_constraints::NameConstraints;
use crate::x509::oid;
use crate::x509::policies::PolicyExtensions;
use crate::x509::public_key::{IssuerKey, PublicKey};

/// Certificate that the operator trusts.
#[derive(Debug)]
pub struct TrustAnchor {
    certificate: CertificateDer<'static>,
    id: Fingerprint,
    subject: DistinguishedName,
    validity: Validity,
    public_key: PublicKey,
    is_version_3: bool,
    path_length: Option<u32>,
    allows_clients: bool,
    may_sign_lists: bool,
    name_constraints: Option<Box<[u8]>>,
    policy_extensions: Option<PolicyExtensions<Box<[u8]>>>,
    /// The whole encoding of the SubjectPublicKeyInfo.
    public_key_info: Box<[u8]>,
    key_algorithm: Box<[u8]>,
    key: Box<[u8]>,
    key_identifier: Option<Box<[u8]>>,
    webpki: WebpkiAnchor<'static>,
}

/// Two anchors are equal when they are the same certificate.
impl PartialEq for TrustAnchor {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for TrustAnchor {}

impl TrustAnchor {
    /// Takes a CA certificate as a trust anchor. Expired ones are taken too: they anchor nothing,
    /// and whether they do is decided when a client is verified.
    ///
    /// # Errors
    /// [`AuthorityError`] for what cannot be a CA.
    pub fn new(certificate: CertificateDer<'static>) -> Result<Self, AuthorityError> {
        Self::read(certificate, parse_authority)
    }

    /// Takes a name, a key and the constraints on them as a trust anchor (RFC 5280 §6.1.1(d), RFC
    /// 5914 §2), from a certificate that need not be a CA's. Its validity and its right to sign
    /// certificates are not checked; its path length, name constraints, policies, purposes and
    /// right to sign CRLs apply.
    ///
    /// Suites of test vectors have such anchors. The anchors of a deployment come from
    /// [`read_anchors`], which refuses a certificate that is not a CA's: among anchors it is a
    /// mistake. A lint keeps this function out of everything else.
    ///
    /// # Errors
    /// [`AuthorityError`] for a name, a key or an extension that cannot be processed.
    pub fn from_name_and_key(certificate: CertificateDer<'static>) -> Result<Self, AuthorityError> {
        let anchor = Self::read(certificate, parse_name_and_key)?;
        Ok(Self {
            validity: Validity::UNLIMITED,
            ..anchor
        })
    }

    fn read(
        certificate: CertificateDer<'static>,
        parse: for<'c> fn(&'c CertificateDer<'static>) -> Result<Certificate<'c>, AuthorityError>,
    ) -> Result<Self, AuthorityError> {
        let parsed = parse(&certificate)?;
        let subject = DistinguishedName::parse(parsed.subject)
            .map_err(|error| AuthorityError::Name(error.to_string().into()))?;
        let (validity, public_key) = (parsed.validity, parsed.public_key);
        let is_version_3 = parsed.version == Version::V3;
        let extensions = &parsed.extensions;
        let path_length = extensions
            .basic_constraints
            .and_then(|constraints| constraints.path_length);
        let unreadable = |name: &'static str| move |Malformed| AuthorityError::Extension(name.into());
        let allows_clients =
            allows_client_authentication(extensions).map_err(unreadable("extended key usage (2.5.29.37)"))?;
        let name_constraints = extensions.find(oid::NAME_CONSTRAINTS).map(|found| found.value);
        if let Some(value) = name_constraints {
            NameConstraints::parse(value).map_err(unreadable("name constraints (2.5.29.30)"))?;
        }
        let name_constraints = name_constraints.map(Box::from);
        let policy_extensions =
            PolicyExtensions::of_anchor(extensions).map_err(unreadable("policy constraints (2.5.29.36)"))?;
        let key_info = parsed.public_key_info;
        // webpki does not read certificates with unique identifiers, and takes no more than this
        // from others.
        let content = |encoding: &[u8]| -> Result<Vec<u8>, AuthorityError> {
            let content = single(encoding, Tag::SEQUENCE);
            content.map(<[u8]>::to_vec).map_err(unreadable("a SEQUENCE"))
        };
        let webpki = WebpkiAnchor {
            subject: content(parsed.subject)?.into(),
            subject_public_key_info: content(key_info.encoding)?.into(),
            name_constraints: match &name_constraints {
                None => None,
                Some(value) => Some(content(value)?.into()),
            },
        };
        Ok(Self {
            id: Fingerprint::of(&certificate),
            subject,
            validity,
            public_key,
            is_version_3,
            path_length,
            // Without the extension, for every purpose.
            allows_clients: allows_clients.unwrap_or(true),
            may_sign_lists: parsed.may_sign_lists(),
            name_constraints,
            policy_extensions,
            public_key_info: key_info.encoding.into(),
            key_algorithm: key_info.algorithm.into(),
            key: key_info.key.into(),
            key_identifier: parsed.key_identifier().map(Box::from),
            webpki,
            certificate,
        })
    }

    /// Returns the SHA-256 of the certificate: the anchor's stable name.
    pub fn id(&self) -> Fingerprint {
        self.id
    }

    /// Returns the certificate's DER encoding.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Returns the certificate's subject.
    pub fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// Returns the period in which the certificate is valid. The verifier accepts no path to an
    /// anchor outside of it.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// Returns kind and size of the key.
    pub fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Returns true for X.509 version 3, which ALB requires of every certificate.
    pub fn is_version_3(&self) -> bool {
        self.is_version_3
    }

    pub(crate) fn path_length(&self) -> Option<u32> {
        self.path_length
    }

    pub(crate) fn allows_clients(&self) -> bool {
        self.allows_clients
    }

    pub(crate) fn may_sign_lists(&self) -> bool {
        self.may_sign_lists
    }

    /// Returns the value of the extension, which is known to be readable.
    pub(crate) fn name_constraints(&self) -> Option<&[u8]> {
        self.name_constraints.as_deref()
    }

    pub(crate) fn policy_extensions(&self) -> Option<&PolicyExtensions<Box<[u8]>>> {
        self.policy_extensions.as_ref()
    }

    pub(crate) fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    pub(crate) fn issuer_key(&self) -> IssuerKey<'_> {
        IssuerKey {
            algorithm: &self.key_algorithm,
            key: &self.key,
        }
    }

    pub(crate) fn key_identifier(&self) -> Option<&[u8]> {
        self.key_identifier.as_deref()
    }

    pub(crate) fn webpki(&self) -> &WebpkiAnchor<'static> {
        &self.webpki
    }
}

/// The trust anchors that a client may chain to.
#[derive(Clone, Debug)]
pub struct TrustAnchors {
    all: Vec<Arc<TrustAnchor>>,
    by_subject: BySubject,
    namesakes: Namesakes,
}

impl TrustAnchors {
    /// Takes anchors in the given order, each certificate once.
    ///
    /// Returns `None` when there is none: a verifier without anchors could only refuse, and an
    /// operator never means it.
    pub fn new(anchors: impl IntoIterator<Item = TrustAnchor>) -> Option<Self> {
        let mut this = Self {
            all: Vec::new(),
            by_subject: BySubject::default(),
            namesakes: Namesakes::default(),
        };
        for anchor in anchors {
            let mut known = this.with_subject(anchor.subject.der());
            if known.any(|other| other.id == anchor.id) {
                continue;
            }
            drop(known);
            this.by_subject.insert(anchor.subject.der(), this.all.len());
            this.all.push(Arc::new(anchor));
        }
        // Counted once, since a request needs only the largest group for its budget.
        this.namesakes = this.count_namesakes();
        if this.all.is_empty() { None } else { Some(this) }
    }

    /// Returns every anchor, in the order in which they were given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<TrustAnchor>> {
        self.all.iter()
    }

    /// Returns the number of anchors, which is never zero.
    #[expect(clippy::len_without_is_empty, reason = "there is always at least one")]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn namesakes(&self) -> Namesakes {
        self.namesakes
    }

    fn count_namesakes(&self) -> Namesakes {
        let groups = self
            .by_subject
            .exact
            .values()
            .chain(self.by_subject.equal.values());
        groups.fold(Namesakes::default(), |most, group| {
            let units = self.at(group).map(|anchor| units_of_key(anchor.issuer_key()));
            Namesakes {
                count: most.count.max(group.len()),
                units: most.units.max(units.sum()),
            }
        })
    }

    /// Returns the anchors with this subject, given by its whole DER encoding.
    pub(crate) fn with_subject(&self, subject: &[u8]) -> impl Iterator<Item = &Arc<TrustAnchor>> {
        self.at(self.by_subject.exactly(subject))
    }

    /// Returns the anchors whose subject is the same name (RFC 5280 §7.1).
    pub(crate) fn with_equal_subject(&self, subject: &[u8]) -> impl Iterator<Item = &Arc<TrustAnchor>> {
        self.at(self.by_subject.equally(subject))
    }

    /// Returns the anchors whose subject has this [`look_up_key`].
    pub(crate) fn with_look_up_key(&self, key: &[u8]) -> impl Iterator<Item = &Arc<TrustAnchor>> {
        self.at(self.by_subject.keyed(key))
    }

    fn at(&self, positions: &[usize]) -> impl Iterator<Item = &Arc<TrustAnchor>> {
        positions.iter().filter_map(|position| self.all.get(*position))
    }
}

/// Intermediate CA certificates that the operator supplies for clients which do not send theirs.
///
/// They are not trusted: a path through them must still end at a trust anchor. Certificates of CRL
/// issuers that are not CAs can be among them; these stand in no path of a client.
#[derive(Clone, Debug, Default)]
pub struct Intermediates {
    all: Vec<CertificateDer<'static>>,
    by_subject: BySubject,
    /// Certificates that may sign CRLs and nothing else.
    list_issuers: Vec<(Box<[u8]>, CertificateDer<'static>)>,
}

impl Intermediates {
    /// Takes certificates of CAs and of CRL issuers.
    ///
    /// # Errors
    /// The position, from 0, of the first that can be neither, and why.
    pub fn new(
        certificates: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, (usize, AuthorityError)> {
        let mut this = Self::default();
        for (position, certificate) in certificates.into_iter().enumerate() {
            let subject: Box<[u8]> = match parse_authority(&certificate) {
                Ok(parsed) => parsed.subject.into(),
                Err(problem) => match parse_list_issuer(&certificate) {
                    Ok(parsed) => {
                        let subject = parsed.subject.into();
                        this.list_issuers.push((subject, certificate));
                        continue;
                    }
                    Err(_) => return Err((position, problem)),
                },
            };
            let mut known = this.by_subject.exactly(&subject).iter();
            if known.any(|position| this.all.get(*position) == Some(&certificate)) {
                continue;
            }
            this.by_subject.insert(&subject, this.all.len());
            this.all.push(certificate);
        }
        Ok(this)
    }

    /// Returns the number of certificates.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns true if there are no certificates.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns the certificates with this name, given by its whole DER encoding: in the same
    /// encoding, or else an equal name.
    pub(crate) fn named(&self, subject: &[u8]) -> impl Iterator<Item = &CertificateDer<'static>> {
        let positions = match self.by_subject.exactly(subject) {
            [] => self.by_subject.equally(subject),
            exact => exact,
        };
        positions.iter().filter_map(|position| self.all.get(*position))
    }

    /// Returns the certificates with this name that CRLs can be signed with: of CAs, then of CRL
    /// issuers.
    pub(crate) fn list_issuers_named(
        &self,
        subject: &[u8],
    ) -> impl Iterator<Item = &CertificateDer<'static>> {
        let others = self.list_issuers.iter();
        let others = others.filter(move |(name, _)| names_are_equal(name, subject));
        self.named(subject)
            .chain(others.map(|(_, certificate)| certificate))
    }
}

/// Returns true for a certificate of a CRL issuer that is not a CA: its key usage has cRLSign, and
/// its extensions and key can be processed. [`Intermediates`] accepts such certificates.
pub fn is_crl_issuer(certificate: &CertificateDer<'static>) -> bool {
    parse_list_issuer(certificate).is_ok()
}

/// Reads a bundle of trust anchors.
///
/// # Errors
/// [`BundleError`] for a file that is not a bundle, or with a certificate that cannot be a CA.
pub fn read_anchors(file: &[u8]) -> Result<Vec<TrustAnchor>, BundleError> {
    let certificates = read_bundle(file)?.into_iter().zip(1..);
    let anchors = certificates.map(|(certificate, entry)| {
        TrustAnchor::new(certificate.clone())
            .map_err(|problem| BundleError::of_certificate(entry, &certificate, problem))
    });
    anchors.collect()
}

/// Reads a bundle of intermediates.
///
/// # Errors
/// Those of [`read_anchors`].
pub fn read_intermediates(file: &[u8]) -> Result<Intermediates, BundleError> {
    let certificates = read_bundle(file)?;
    Intermediates::new(certificates.iter().cloned()).map_err(|(position, problem)| {
        let certificate = certificates
            .get(position)
            .cloned()
            .unwrap_or_else(|| CertificateDer::from(Vec::new()));
        BundleError::of_certificate(position + 1, &certificate, problem)
    })
}

/// Positions in a list of certificates by their subject.
#[derive(Clone, Debug, Default)]
struct BySubject {
    /// By the whole DER encoding.
    exact: HashMap<Box<[u8]>, Vec<usize>>,
    /// By what RFC 5280 §7.1 takes for the same name.
    equal: HashMap<Box<[u8]>, Vec<usize>>,
}

impl BySubject {
    fn insert(&mut self, subject: &[u8], position: usize) {
        self.exact.entry(subject.into()).or_default().push(position);
        if let Some(key) = look_up_key(subject) {
            self.equal.entry(key).or_default().push(position);
        }
    }

    fn exactly(&self, subject: &[u8]) -> &[usize] {
        self.exact.get(subject).map_or(&[], Vec::as_slice)
    }

    fn equally(&self, subject: &[u8]) -> &[usize] {
        look_up_key(subject).map_or(&[], |key| self.keyed(&key))
    }

    fn keyed(&self, key: &[u8]) -> &[usize] {
        self.equal.get(key).map_or(&[], Vec::as_slice)
    }
}
