use std::path::Path;

use der::Encode;
use der::asn1::{Any, Uint};
use der::oid::AssociatedOid;
use der::oid::db::rfc5280::{ID_CE_CERTIFICATE_ISSUER, ID_CE_ISSUING_DISTRIBUTION_POINT};
use time::OffsetDateTime;
use time::macros::datetime;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::crl::dp::IssuingDistributionPoint;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, CrlNumber};

pub use x509_cert::ext::pkix::CrlReason;

use crate::builder::{distribution_point_name, extension, octets, push, x509_time};
use crate::raw::{self, RevokedCertificate, Signed, TbsCertList};
use crate::{Certificate, Credential, Criticality, Error, Key, SignatureAlgorithm, name};

/// Scope of a CRL among the certificates of its issuer (RFC 5280 section 5.2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CrlScope {
    #[default]
    All,
    Authorities,
    EndEntities,
}

/// Says what a CRL shall hold, then issues it.
///
/// When not said otherwise: number 1, from an hour ago until a week from now.
#[derive(Clone, Debug)]
pub struct CrlBuilder {
    this_update: Option<OffsetDateTime>,
    next_update: NextUpdate,
    number: Option<u64>,
    distribution_point: Option<String>,
    scope: CrlScope,
    indirect: bool,
    entries: Vec<Entry>,
    extensions: Vec<Extension>,
    algorithm: Option<SignatureAlgorithm>,
    /// The first value that could not be encoded.
    failure: Option<Error>,
}

#[derive(Clone, Debug)]
enum NextUpdate {
    InAWeek,
    At(OffsetDateTime),
    Never,
}

#[derive(Clone, Debug)]
struct Entry {
    serial: Vec<u8>,
    reason: Option<CrlReason>,
    revoked_at: OffsetDateTime,
    /// Issuer of the certificate, in the entry of an indirect CRL.
    issuer: Option<(Any, Criticality)>,
}

impl Default for CrlBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl CrlBuilder {
    pub fn new() -> Self {
        Self {
            this_update: None,
            next_update: NextUpdate::InAWeek,
            number: Some(1),
            distribution_point: None,
            scope: CrlScope::All,
            indirect: false,
            entries: Vec::new(),
            extensions: Vec::new(),
            algorithm: None,
            failure: None,
        }
    }

    /// Sets the times of this update and the next update.
    pub fn valid(mut self, this_update: OffsetDateTime, next_update: OffsetDateTime) -> Self {
        self.this_update = Some(this_update);
        self.next_update = NextUpdate::At(next_update);
        self
    }

    pub fn without_next_update(mut self) -> Self {
        self.next_update = NextUpdate::Never;
        self
    }

    pub fn number(mut self, number: u64) -> Self {
        self.number = Some(number);
        self
    }

    pub fn without_number(mut self) -> Self {
        self.number = None;
        self
    }

    /// Revokes a certificate, without a reason, since the beginning of 2025.
    pub fn revoke(mut self, certificate: impl AsRef<Certificate>) -> Self {
        match certificate.as_ref().serial() {
            Ok(serial) => return self.revoke_serial(&serial, None, datetime!(2025-01-01 0:00 UTC)),
            Err(error) => self.fail(error),
        }
        self
    }

    /// Revokes a serial number, in big-endian two's complement.
    pub fn revoke_serial(
        mut self,
        serial: &[u8],
        reason: Option<CrlReason>,
        revoked_at: OffsetDateTime,
    ) -> Self {
        self.entries.push(Entry {
            serial: serial.to_vec(),
            reason,
            revoked_at,
            issuer: None,
        });
        self
    }

    /// Names the issuer of the certificate of the last entry, as indirect CRLs do.
    pub fn of_issuer(mut self, authority: &Credential, criticality: Criticality) -> Self {
        match (authority.certificate().subject(), self.entries.last_mut()) {
            (Ok(name), Some(entry)) => entry.issuer = Some((name, criticality)),
            (Err(error), _) => self.fail(error),
            (Ok(_), None) => {}
        }
        self
    }

    /// Makes it a delta CRL that continues complete CRLs with this number or a higher one.
    pub fn delta_of(self, base: u64) -> Self {
        let number = Uint::new(&base.to_be_bytes()).and_then(|number| number.to_der());
        match number {
            Ok(number) => self.extension("2.5.29.27", Criticality::Critical, &number),
            Err(error) => {
                let mut this = self;
                this.fail(Error::encode("CRL number")(error));
                this
            }
        }
    }

    /// Makes it an indirect CRL.
    pub fn indirect(mut self) -> Self {
        self.indirect = true;
        self
    }

    /// Makes it the CRL of this distribution point.
    pub fn distribution_point(mut self, uri: &str) -> Self {
        self.distribution_point = Some(uri.to_owned());
        self
    }

    pub fn scope(mut self, scope: CrlScope) -> Self {
        self.scope = scope;
        self
    }

    /// Adds an extension, whatever its bytes.
    pub fn extension(mut self, identifier: &str, criticality: Criticality, value: &[u8]) -> Self {
        match name::object_identifier(identifier)
            .and_then(|identifier| extension(identifier, criticality, value.to_vec()))
        {
            Ok(extension) => self.extensions.push(extension),
            Err(error) => self.fail(error),
        }
        self
    }

    /// Sets the signature algorithm of the issuer; defaults to one for its key.
    pub fn signature_algorithm(mut self, algorithm: SignatureAlgorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// Signs with the key of the authority.
    ///
    /// # Errors
    ///
    /// When something that was asked for cannot be encoded or signed.
    pub fn issued_by(self, authority: &Credential) -> Result<Crl, Error> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let now = OffsetDateTime::now_utc();
        let algorithm = self
            .algorithm
            .unwrap_or_else(|| authority.key().default_algorithm());
        let next_update = match self.next_update {
            NextUpdate::InAWeek => Some(now + time::Duration::WEEK),
            NextUpdate::At(time) => Some(time),
            NextUpdate::Never => None,
        };
        let extensions = self.all_extensions(authority)?;
        let entries = self
            .entries
            .iter()
            .map(Entry::to_raw)
            .collect::<Result<Vec<_>, _>>()?;
        let tbs = TbsCertList {
            version: Some(raw::integer(&[1])?),
            signature: raw::algorithm_identifier(algorithm)?,
            issuer: authority.certificate().subject()?,
            this_update: x509_time(self.this_update.unwrap_or(now - time::Duration::HOUR))?,
            next_update: next_update.map(x509_time).transpose()?,
            // RFC 5280 section 5.1.2.6: absent when nothing is revoked.
            revoked_certificates: (!entries.is_empty()).then_some(entries),
            extensions: (!extensions.is_empty()).then_some(extensions),
        };
        Crl::sign(&tbs, authority.key(), algorithm)
    }

    fn all_extensions(&self, authority: &Credential) -> Result<Vec<Extension>, Error> {
        let mut list = Vec::new();
        let identifier = octets(authority.certificate().key_identifier()?)?;
        push(
            &mut list,
            Criticality::NotCritical,
            &AuthorityKeyIdentifier {
                key_identifier: Some(identifier),
                ..Default::default()
            },
        )?;
        if let Some(number) = self.number {
            let number = Uint::new(&number.to_be_bytes()).map_err(Error::encode("CRL number"))?;
            push(&mut list, Criticality::NotCritical, &CrlNumber(number))?;
        }
        if self.distribution_point.is_some() || self.scope != CrlScope::All || self.indirect {
            let distribution_point = self
                .distribution_point
                .as_deref()
                .map(distribution_point_name)
                .transpose()?;
            let value = IssuingDistributionPoint {
                distribution_point,
                only_contains_user_certs: self.scope == CrlScope::EndEntities,
                only_contains_ca_certs: self.scope == CrlScope::Authorities,
                only_some_reasons: None,
                indirect_crl: self.indirect,
                only_contains_attribute_certs: false,
            };
            // The type's own identifier is a wrong one in x509-cert 0.3.0 (that of
            // subjectInfoAccess).
            let der = value.to_der().map_err(Error::encode("extension"))?;
            list.push(extension(
                ID_CE_ISSUING_DISTRIBUTION_POINT,
                Criticality::Critical,
                der,
            )?);
        }
        list.extend(self.extensions.iter().cloned());
        Ok(list)
    }

    fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
    }
}

impl Entry {
    fn to_raw(&self) -> Result<RevokedCertificate, Error> {
        let mut extensions = Vec::new();
        if let Some(reason) = &self.reason {
            push(&mut extensions, Criticality::NotCritical, reason)?;
        }
        if let Some((name, criticality)) = &self.issuer {
            let name = name.to_der().map_err(Error::encode("name"))?;
            let value = tagged(0x30, &tagged(0xA4, &name));
            extensions.push(extension(ID_CE_CERTIFICATE_ISSUER, *criticality, value)?);
        }
        Ok(RevokedCertificate {
            serial_number: raw::integer(&self.serial)?,
            revocation_date: x509_time(self.revoked_at)?,
            extensions: (!extensions.is_empty()).then_some(extensions),
        })
    }
}

/// Returns an encoding of at most 65,535 octets of content.
fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let header = match (high, low) {
        (0, 0..=0x7F) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [&header, content].concat()
}

const LABEL: &str = "X509 CRL";

/// A certificate revocation list in DER, sound or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crl {
    der: Vec<u8>,
}

impl Crl {
    /// Takes the bytes as they are, without looking at them.
    pub fn from_der(der: impl Into<Vec<u8>>) -> Self {
        Self { der: der.into() }
    }

    /// Reads a file with one CRL in PEM.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or does not contain such a block.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let file = |reason: String| Error::File {
            action: "read",
            path: path.to_owned(),
            reason,
        };
        let text = std::fs::read_to_string(path).map_err(|error| file(error.to_string()))?;
        let block = pem::parse(text).map_err(|error| file(error.to_string()))?;
        match block.tag() {
            LABEL => Ok(Self::from_der(block.into_contents())),
            other => Err(file(format!("holds a `{other}` and no CRL"))),
        }
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Returns true if there is an entry for this certificate.
    ///
    /// # Errors
    ///
    /// When one of both cannot be read.
    pub fn revokes(&self, certificate: impl AsRef<Certificate>) -> Result<bool, Error> {
        let serial = raw::integer(&certificate.as_ref().serial()?)?;
        let entries = self.to_be_signed()?.revoked_certificates.unwrap_or_default();
        Ok(entries.iter().any(|entry| entry.serial_number == serial))
    }

    /// Returns the next CRL of the same issuer, which revokes this certificate too, from now on.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read, or the result cannot be encoded or signed.
    pub fn revoking(
        &self,
        certificate: impl AsRef<Certificate>,
        authority: &Credential,
        number: u64,
        next_update: OffsetDateTime,
    ) -> Result<Self, Error> {
        let now = OffsetDateTime::now_utc();
        let entry = Entry {
            serial: certificate.as_ref().serial()?,
            reason: None,
            revoked_at: now,
            issuer: None,
        };
        let number = Uint::new(&number.to_be_bytes()).map_err(Error::encode("CRL number"))?;
        self.edited(authority.key(), |list| {
            list.revoked_certificates
                .get_or_insert_default()
                .push(entry.to_raw()?);
            list.this_update = x509_time(now)?;
            list.next_update = Some(x509_time(next_update)?);
            let extensions = list.extensions.get_or_insert_default();
            extensions.retain(|extension| extension.extn_id != CrlNumber::OID);
            push(extensions, Criticality::NotCritical, &CrlNumber(number))
        })
    }

    /// Returns one PEM block with 64-column lines, each ending in a line feed.
    pub fn pem(&self) -> String {
        crate::pem_text(LABEL, self.der.clone())
    }

    /// A copy in which something is changed, signed again with the issuer's `key`.
    ///
    /// # Errors
    ///
    /// When the DER is not a CRL, or the change fails, or its result cannot be encoded.
    pub fn edited(
        &self,
        key: &Key,
        change: impl FnOnce(&mut TbsCertList) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let mut tbs = self.to_be_signed()?;
        change(&mut tbs)?;
        let algorithm = key.default_algorithm();
        tbs.signature = raw::algorithm_identifier(algorithm)?;
        Self::sign(&tbs, key, algorithm)
    }

    fn to_be_signed(&self) -> Result<TbsCertList, Error> {
        let signed = Signed::from_der(&self.der)?;
        let list = signed.to_be_signed.decode_as();
        list.map_err(|error| Error::malformed("CRL", error))
    }

    fn sign(tbs: &TbsCertList, key: &Key, algorithm: SignatureAlgorithm) -> Result<Self, Error> {
        let der = tbs.to_der().map_err(Error::encode("CRL"))?;
        Ok(Self::from_der(Signed::sign(&der, key, algorithm)?))
    }
}
