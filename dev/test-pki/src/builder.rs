use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use der::asn1::{Any, ObjectIdentifier, OctetString};
use der::oid::AssociatedOid;
use der::oid::db::rfc5280;
use der::{Decode, Encode};
use time::OffsetDateTime;
use time::macros::datetime;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::certpolicy::PolicyInformation;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::DistributionPointName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CertificatePolicies, CrlDistributionPoints, ExtendedKeyUsage,
    KeyUsages, NameConstraints, SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::spki::SubjectPublicKeyInfoRef;
use x509_cert::time::{Time, Validity};

use crate::raw::{self, TbsCertificate};
use crate::{Certificate, Credential, Error, GeneralName, Key, KeyKind, SignatureAlgorithm, key, name};

/// Criticality of an extension: a critical one must not be ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Criticality {
    Critical,
    NotCritical,
}

/// Statement of a certificate about being an authority (`basicConstraints`, RFC 5280 section
/// 4.2.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// `cA` is true; `path_length` bounds the intermediates below.
    Yes { path_length: Option<u8> },
    /// The extension is there and `cA` is false.
    No,
    /// No such extension.
    Unsaid,
}

/// Purpose of a key (`extKeyUsage`, RFC 5280 section 4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Any,
    ClientAuth,
    CodeSigning,
    EmailProtection,
    OcspSigning,
    Other(ObjectIdentifier),
    ServerAuth,
    TimeStamping,
}

impl Purpose {
    fn identifier(self) -> ObjectIdentifier {
        match self {
            Self::Any => rfc5280::ANY_EXTENDED_KEY_USAGE,
            Self::ClientAuth => rfc5280::ID_KP_CLIENT_AUTH,
            Self::CodeSigning => rfc5280::ID_KP_CODE_SIGNING,
            Self::EmailProtection => rfc5280::ID_KP_EMAIL_PROTECTION,
            Self::OcspSigning => rfc5280::ID_KP_OCSP_SIGNING,
            Self::Other(identifier) => identifier,
            Self::ServerAuth => rfc5280::ID_KP_SERVER_AUTH,
            Self::TimeStamping => rfc5280::ID_KP_TIME_STAMPING,
        }
    }
}

/// Says what a certificate shall hold, then issues it.
///
/// The constructors fill in what a sound authority would; the methods add to that or replace it,
/// also with what no sound authority would write. A value that cannot be encoded is reported when
/// the certificate is issued.
///
/// Names are written as in RFC 4514, the most specific attribute first.
#[derive(Clone, Debug)]
pub struct CertificateBuilder {
    subject: Any,
    issuer: Option<Any>,
    validity: Option<(OffsetDateTime, OffsetDateTime)>,
    default_days: u32,
    seed: Option<String>,
    serial: Option<Vec<u8>>,
    key_kind: KeyKind,
    key: Option<Key>,
    algorithm: Option<SignatureAlgorithm>,
    authority: Authority,
    key_usage: Vec<KeyUsages>,
    purposes: Vec<Purpose>,
    alternative_names: Vec<x509_cert::ext::pkix::name::GeneralName>,
    permitted: Vec<GeneralSubtree>,
    excluded: Vec<GeneralSubtree>,
    distribution_points: Vec<DistributionPoint>,
    policies: Vec<PolicyInformation>,
    extensions: Vec<Extension>,
    removed: Vec<ObjectIdentifier>,
    criticality: Vec<(ObjectIdentifier, Criticality)>,
    /// The first value that could not be encoded.
    failure: Option<Error>,
}

/// Constructors.
impl CertificateBuilder {
    /// A trust anchor: CA, keyCertSign and cRLSign, ten years.
    pub fn root(subject: &str) -> Self {
        Self::intermediate(subject)
    }

    /// Returns an authority below another: CA, keyCertSign and cRLSign, ten years.
    pub fn intermediate(subject: &str) -> Self {
        Self {
            default_days: 3650,
            ..Self::bare(subject)
        }
        .authority(Authority::Yes { path_length: None })
        .key_usage(&[KeyUsages::KeyCertSign, KeyUsages::CRLSign])
    }

    /// A TLS client: digitalSignature, clientAuth, one year.
    pub fn client(subject: &str) -> Self {
        Self::bare(subject)
            .authority(Authority::No)
            .key_usage(&[KeyUsages::DigitalSignature])
            .purposes(&[Purpose::ClientAuth])
    }

    /// A TLS server: digitalSignature, serverAuth, one year.
    pub fn server(subject: &str) -> Self {
        Self::client(subject).purposes(&[Purpose::ServerAuth])
    }

    /// Creates a builder without extensions except the key identifiers, for one year. An empty
    /// `subject` is an empty name.
    pub fn bare(subject: &str) -> Self {
        let (subject, failure) = match name::distinguished_der(subject) {
            Ok(subject) => (subject, None),
            Err(error) => (Any::null(), Some(error)),
        };
        Self {
            subject,
            issuer: None,
            validity: None,
            default_days: 365,
            seed: None,
            serial: None,
            key_kind: KeyKind::default(),
            key: None,
            algorithm: None,
            authority: Authority::Unsaid,
            key_usage: Vec::new(),
            purposes: Vec::new(),
            alternative_names: Vec::new(),
            permitted: Vec::new(),
            excluded: Vec::new(),
            distribution_points: Vec::new(),
            policies: Vec::new(),
            extensions: Vec::new(),
            removed: Vec::new(),
            criticality: Vec::new(),
            failure,
        }
    }
}

/// Keys, serial number, validity.
impl CertificateBuilder {
    /// Derives key, serial number and validity (2025-01-01 to 2099-12-31) from the seed, where they
    /// are not given otherwise: with a seeded issuer the certificate is the same, byte for byte,
    /// each time. Not for RSA.
    pub fn seed(mut self, seed: &str) -> Self {
        self.seed = Some(seed.to_owned());
        self
    }

    /// Sets the kind of the key; defaults to P-256.
    pub fn key_kind(mut self, kind: KeyKind) -> Self {
        self.key_kind = kind;
        self
    }

    /// Uses this key instead of making one: to renew or to cross-sign.
    pub fn key(mut self, key: &Key) -> Self {
        self.key = Some(key.clone());
        self
    }

    /// Sets the signature algorithm of the issuer; defaults to one for its key.
    pub fn signature_algorithm(mut self, algorithm: SignatureAlgorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// Sets a positive serial number.
    pub fn serial(self, serial: u64) -> Self {
        // The leading zero keeps a high first bit from being a sign.
        self.serial_bytes(&[&[0], serial.to_be_bytes().as_slice()].concat())
    }

    /// Sets the serial number in big-endian two's complement: it can be negative or too long.
    pub fn serial_bytes(mut self, serial: &[u8]) -> Self {
        self.serial = Some(serial.to_vec());
        self
    }

    /// Sets the first and last second of validity.
    pub fn valid(mut self, not_before: OffsetDateTime, not_after: OffsetDateTime) -> Self {
        self.validity = Some((not_before, not_after));
        self
    }

    /// Sets a validity from an hour ago until this many days from now.
    pub fn days(self, days: u32) -> Self {
        let (not_before, not_after) = from_now(days);
        self.valid(not_before, not_after)
    }

    /// Names another issuer than the one that signs.
    pub fn issuer(mut self, name: &str) -> Self {
        match name::distinguished_der(name) {
            Ok(name) => self.issuer = Some(name),
            Err(error) => self.fail(error),
        }
        self
    }
}

/// Extensions.
impl CertificateBuilder {
    pub fn authority(mut self, authority: Authority) -> Self {
        self.authority = authority;
        self
    }

    /// Makes it an authority with a path length.
    pub fn path_length(self, path_length: u8) -> Self {
        self.authority(Authority::Yes {
            path_length: Some(path_length),
        })
    }

    /// Replaces the key usage; with none, the extension is left out.
    pub fn key_usage(mut self, usage: &[KeyUsages]) -> Self {
        self.key_usage = usage.to_vec();
        self
    }

    /// Replaces the extended key usage; with none, the extension is left out.
    pub fn purposes(mut self, purposes: &[Purpose]) -> Self {
        self.purposes = purposes.to_vec();
        self
    }

    /// Adds a subject alternative name.
    pub fn alternative_name(mut self, name: &GeneralName<'_>) -> Self {
        match name.to_x509() {
            Ok(name) => self.alternative_names.push(name),
            Err(error) => self.fail(error),
        }
        self
    }

    /// Adds a DNS name to the subject alternative names.
    pub fn dns(self, name: &str) -> Self {
        self.alternative_name(&GeneralName::Dns(name))
    }

    /// Adds an email address to the subject alternative names.
    pub fn email(self, address: &str) -> Self {
        self.alternative_name(&GeneralName::Email(address))
    }

    /// Adds a URI to the subject alternative names.
    pub fn uri(self, uri: &str) -> Self {
        self.alternative_name(&GeneralName::Uri(uri))
    }

    /// Adds an IP address to the subject alternative names.
    pub fn ip(self, address: impl Into<IpAddr>) -> Self {
        self.alternative_name(&GeneralName::Ip(address.into()))
    }

    /// Adds a permitted subtree to the name constraints.
    pub fn permit(mut self, name: &GeneralName<'_>) -> Self {
        match subtree(name) {
            Ok(subtree) => self.permitted.push(subtree),
            Err(error) => self.fail(error),
        }
        self
    }

    /// Adds an excluded subtree to the name constraints.
    pub fn exclude(mut self, name: &GeneralName<'_>) -> Self {
        match subtree(name) {
            Ok(subtree) => self.excluded.push(subtree),
            Err(error) => self.fail(error),
        }
        self
    }

    /// Adds a CRL distribution point.
    pub fn crl_distribution_point(mut self, uri: &str) -> Self {
        match distribution_point_name(uri) {
            Ok(point) => self.distribution_points.push(DistributionPoint {
                distribution_point: Some(point),
                reasons: None,
                crl_issuer: None,
            }),
            Err(error) => self.fail(error),
        }
        self
    }

    /// Adds a certificate policy by its object identifier.
    pub fn policy(mut self, identifier: &str) -> Self {
        match name::object_identifier(identifier) {
            Ok(policy_identifier) => {
                self.policies.push(PolicyInformation {
                    policy_identifier,
                    policy_qualifiers: None,
                });
            }
            Err(error) => self.fail(error),
        }
        self
    }

    /// Sets an extension to these bytes, in place of what there would be under this identifier.
    pub fn extension(mut self, identifier: &str, criticality: Criticality, value: &[u8]) -> Self {
        match name::object_identifier(identifier) {
            Ok(identifier) => self.put(identifier, criticality, value.to_vec()),
            Err(error) => self.fail(error),
        }
        self
    }

    /// Sets an extension to a value of its own type, such as those of `x509_cert::ext::pkix`.
    pub fn typed_extension(
        mut self,
        criticality: Criticality,
        value: &(impl AssociatedOid + Encode),
    ) -> Self {
        match value.to_der().map_err(Error::encode("extension")) {
            Ok(value_der) => self.put(oid_of(value), criticality, value_der),
            Err(error) => self.fail(error),
        }
        self
    }

    /// Leaves an extension out, also one that the constructor put in.
    pub fn without_extension(mut self, identifier: ObjectIdentifier) -> Self {
        self.removed.push(identifier);
        self
    }

    /// Marks an extension otherwise than RFC 5280 has it.
    pub fn criticality(mut self, identifier: ObjectIdentifier, criticality: Criticality) -> Self {
        self.criticality.push((identifier, criticality));
        self
    }
}

/// Issuing.
impl CertificateBuilder {
    /// Signs with its own key.
    ///
    /// # Errors
    ///
    /// When something that was asked for cannot be encoded or signed.
    pub fn self_signed(self) -> Result<Credential, Error> {
        let key = self.make_key()?;
        let issuer = self.issuer.clone().unwrap_or_else(|| self.subject.clone());
        let certificate = self.sign(&key, issuer, None, &key)?;
        Ok(Credential::new(certificate, key))
    }

    /// Signs with the key of an authority.
    ///
    /// # Errors
    ///
    /// When something that was asked for cannot be encoded or signed.
    pub fn issued_by(self, authority: &Credential) -> Result<Credential, Error> {
        let key = self.make_key()?;
        let issuer = match self.issuer.clone() {
            Some(name) => name,
            None => authority.certificate().subject()?,
        };
        let authority_identifier = authority.certificate().key_identifier()?;
        let certificate = self.sign(&key, issuer, Some(authority_identifier), authority.key())?;
        Ok(Credential::new(certificate, key))
    }

    fn make_key(&self) -> Result<Key, Error> {
        match (&self.key, &self.seed) {
            (Some(key), _) => Ok(key.clone()),
            (None, Some(seed)) => Key::from_seed(self.key_kind, seed),
            (None, None) => Key::random(self.key_kind),
        }
    }

    fn sign(
        self,
        subject_key: &Key,
        issuer: Any,
        authority_identifier: Option<Vec<u8>>,
        issuer_key: &Key,
    ) -> Result<Certificate, Error> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let info = subject_key.public_key_info()?;
        let algorithm = self.algorithm.unwrap_or_else(|| issuer_key.default_algorithm());
        let extensions = self.all_extensions(&info, authority_identifier)?;
        let tbs = TbsCertificate {
            version: Some(raw::integer(&[2])?),
            serial_number: raw::integer(&self.serial_number()?)?,
            signature: raw::algorithm_identifier(algorithm)?,
            issuer,
            validity: self.validity_der()?,
            subject: self.subject,
            subject_public_key_info: raw::any(&info)?,
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: (!extensions.is_empty()).then_some(extensions),
        };
        Certificate::sign(&tbs, issuer_key, algorithm)
    }

    fn serial_number(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = match (&self.serial, &self.seed) {
            (Some(serial), _) => return Ok(serial.clone()),
            (None, Some(seed)) => digest(&SHA256, format!("serial {seed}").as_bytes())
                .as_ref()
                .iter()
                .take(16)
                .copied()
                .collect(),
            (None, None) => key::random::<16>()?.to_vec(),
        };
        // Positive, and always of the same length.
        if let Some(first) = bytes.first_mut() {
            *first = *first & 0x3f | 0x40;
        }
        Ok(bytes)
    }

    fn validity_der(&self) -> Result<Any, Error> {
        let (not_before, not_after) = match (self.validity, &self.seed) {
            (Some(validity), _) => validity,
            (None, Some(_)) => (datetime!(2025-01-01 0:00 UTC), datetime!(2099-12-31 23:59:59 UTC)),
            (None, None) => from_now(self.default_days),
        };
        raw::any_of(&Validity::<x509_cert::certificate::Rfc5280>::new(
            x509_time(not_before)?,
            x509_time(not_after)?,
        ))
    }

    fn all_extensions(
        &self,
        public_key_info: &[u8],
        authority_identifier: Option<Vec<u8>>,
    ) -> Result<Vec<Extension>, Error> {
        let mut list = Vec::new();
        let subject_identifier = key_identifier(public_key_info)?;
        push(
            &mut list,
            Criticality::NotCritical,
            &SubjectKeyIdentifier(octets(subject_identifier)?),
        )?;
        if let Some(identifier) = authority_identifier {
            let value = AuthorityKeyIdentifier {
                key_identifier: Some(octets(identifier)?),
                ..Default::default()
            };
            push(&mut list, Criticality::NotCritical, &value)?;
        }
        let constraints = match self.authority {
            Authority::Yes { path_length } => Some(BasicConstraints {
                ca: true,
                path_len_constraint: path_length,
            }),
            Authority::No => Some(BasicConstraints {
                ca: false,
                path_len_constraint: None,
            }),
            Authority::Unsaid => None,
        };
        if let Some(constraints) = constraints {
            push(&mut list, Criticality::Critical, &constraints)?;
        }
        if !self.key_usage.is_empty() {
            let flags = self
                .key_usage
                .iter()
                .copied()
                .fold(Default::default(), |flags, usage| flags | usage);
            push(
                &mut list,
                Criticality::Critical,
                &x509_cert::ext::pkix::KeyUsage(flags),
            )?;
        }
        if !self.purposes.is_empty() {
            let purposes = self.purposes.iter().map(|purpose| purpose.identifier()).collect();
            push(&mut list, Criticality::NotCritical, &ExtendedKeyUsage(purposes))?;
        }
        if !self.alternative_names.is_empty() {
            // RFC 5280 section 4.1.2.6: critical when it is all that names the subject.
            let criticality = match self.subject.value() {
                [] => Criticality::Critical,
                _ => Criticality::NotCritical,
            };
            push(
                &mut list,
                criticality,
                &SubjectAltName(self.alternative_names.clone()),
            )?;
        }
        if !(self.permitted.is_empty() && self.excluded.is_empty()) {
            let value = NameConstraints {
                permitted_subtrees: (!self.permitted.is_empty()).then(|| self.permitted.clone()),
                excluded_subtrees: (!self.excluded.is_empty()).then(|| self.excluded.clone()),
            };
            push(&mut list, Criticality::Critical, &value)?;
        }
        if !self.distribution_points.is_empty() {
            let value = CrlDistributionPoints(self.distribution_points.clone());
            push(&mut list, Criticality::NotCritical, &value)?;
        }
        if !self.policies.is_empty() {
            push(
                &mut list,
                Criticality::NotCritical,
                &CertificatePolicies(self.policies.clone()),
            )?;
        }
        for extension in &self.extensions {
            match list.iter_mut().find(|there| there.extn_id == extension.extn_id) {
                Some(there) => there.clone_from(extension),
                None => list.push(extension.clone()),
            }
        }
        list.retain(|extension| !self.removed.contains(&extension.extn_id));
        for extension in &mut list {
            for (identifier, criticality) in &self.criticality {
                if *identifier == extension.extn_id {
                    extension.critical = *criticality == Criticality::Critical;
                }
            }
        }
        Ok(list)
    }

    fn put(&mut self, identifier: ObjectIdentifier, criticality: Criticality, value: Vec<u8>) {
        match extension(identifier, criticality, value) {
            Ok(extension) => {
                self.extensions.retain(|there| there.extn_id != identifier);
                self.extensions.push(extension);
            }
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
    }
}

/// RFC 7093 method 1: the first 160 bits of the SHA-256 of the public key.
pub(crate) fn key_identifier(public_key_info: &[u8]) -> Result<Vec<u8>, Error> {
    let info = SubjectPublicKeyInfoRef::from_der(public_key_info)
        .map_err(|error| Error::malformed("public key", error))?;
    Ok(digest(&SHA256, info.subject_public_key.raw_bytes())
        .as_ref()
        .iter()
        .take(20)
        .copied()
        .collect())
}

pub(crate) fn extension(
    identifier: ObjectIdentifier,
    criticality: Criticality,
    value: Vec<u8>,
) -> Result<Extension, Error> {
    Ok(Extension {
        extn_id: identifier,
        critical: criticality == Criticality::Critical,
        extn_value: octets(value)?,
    })
}

pub(crate) fn push<T: AssociatedOid + Encode>(
    list: &mut Vec<Extension>,
    criticality: Criticality,
    value: &T,
) -> Result<(), Error> {
    let der = value.to_der().map_err(Error::encode("extension"))?;
    list.push(extension(T::OID, criticality, der)?);
    Ok(())
}

pub(crate) fn oid_of<T: AssociatedOid>(_: &T) -> ObjectIdentifier {
    T::OID
}

pub(crate) fn octets(bytes: Vec<u8>) -> Result<OctetString, Error> {
    OctetString::new(bytes).map_err(Error::encode("octet string"))
}

pub(crate) fn distribution_point_name(uri: &str) -> Result<DistributionPointName, Error> {
    Ok(DistributionPointName::FullName(vec![
        GeneralName::Uri(uri).to_x509()?,
    ]))
}

pub(crate) fn x509_time(time: OffsetDateTime) -> Result<Time, Error> {
    let failed = || Error::Time {
        time: time.to_string(),
    };
    let seconds = u64::try_from(time.unix_timestamp()).map_err(|_| failed())?;
    let date_time = der::DateTime::from_unix_duration(Duration::from_secs(seconds)).map_err(|_| failed())?;
    Ok(date_time.into())
}

/// Returns a validity from an hour ago, for clocks that are behind.
fn from_now(days: u32) -> (OffsetDateTime, OffsetDateTime) {
    let now = OffsetDateTime::now_utc();
    (
        now - time::Duration::HOUR,
        now + time::Duration::days(days.into()),
    )
}

fn subtree(name: &GeneralName<'_>) -> Result<GeneralSubtree, Error> {
    Ok(GeneralSubtree {
        base: name.to_x509()?,
        minimum: 0,
        maximum: None,
    })
}
