//! OCSP responses (RFC 6960), sound or not, as the builder is told.

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use der::Encode;
use time::OffsetDateTime;
use x509_cert::spki::SubjectPublicKeyInfoRef;

use crate::{Certificate, Credential, Error, SignatureAlgorithm, raw};

/// Builder of the response about one certificate. Defaults: good, from an hour ago to an hour from
/// now, by SHA-1, signed by the issuer and named by name.
///
/// ```
/// use test_pki::{CertificateBuilder, OcspResponseBuilder};
///
/// let root = CertificateBuilder::root("CN=Root").self_signed()?;
/// let client = CertificateBuilder::client("CN=client").issued_by(&root)?;
/// let response = OcspResponseBuilder::new(&client, &root).revoked(time::OffsetDateTime::UNIX_EPOCH).signed_by(&root)?;
/// assert_eq!(response[0], 0x30);
/// # Ok::<_, test_pki::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OcspResponseBuilder {
    issuer: Certificate,
    serials: Vec<Vec<u8>>,
    hash: OcspHash,
    status: Status,
    this_update: OffsetDateTime,
    next_update: Option<OffsetDateTime>,
    is_by_key: bool,
    certificates: Vec<Certificate>,
    response_extensions: Vec<Vec<u8>>,
    single_extensions: Vec<Vec<u8>>,
    algorithm: Option<SignatureAlgorithm>,
}

/// Hash function of a certID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcspHash {
    Sha1,
    Sha256,
}

#[derive(Clone, Copy, Debug)]
enum Status {
    Good,
    Revoked(OffsetDateTime),
    Unknown,
}

impl OcspResponseBuilder {
    pub fn new(certificate: impl AsRef<Certificate>, issuer: impl AsRef<Certificate>) -> Self {
        let now = OffsetDateTime::now_utc();
        Self {
            issuer: issuer.as_ref().clone(),
            serials: certificate.as_ref().serial().into_iter().collect(),
            hash: OcspHash::Sha1,
            status: Status::Good,
            this_update: now - time::Duration::HOUR,
            next_update: Some(now + time::Duration::HOUR),
            is_by_key: false,
            certificates: Vec::new(),
            response_extensions: Vec::new(),
            single_extensions: Vec::new(),
            algorithm: None,
        }
    }

    #[must_use]
    pub fn revoked(self, since: OffsetDateTime) -> Self {
        Self {
            status: Status::Revoked(since),
            ..self
        }
    }

    #[must_use]
    pub fn unknown(self) -> Self {
        Self {
            status: Status::Unknown,
            ..self
        }
    }

    #[must_use]
    pub fn valid(self, this_update: OffsetDateTime, next_update: OffsetDateTime) -> Self {
        Self {
            this_update,
            next_update: Some(next_update),
            ..self
        }
    }

    #[must_use]
    pub fn without_next_update(self) -> Self {
        Self {
            next_update: None,
            ..self
        }
    }

    #[must_use]
    pub fn hash(self, hash: OcspHash) -> Self {
        Self { hash, ..self }
    }

    /// Replaces the serial numbers, one status for each; none makes a response without a status.
    #[must_use]
    pub fn serials(self, serials: &[&[u8]]) -> Self {
        let serials = serials.iter().map(|serial| serial.to_vec()).collect();
        Self { serials, ..self }
    }

    /// Names the responder by its key.
    #[must_use]
    pub fn by_key(self) -> Self {
        Self {
            is_by_key: true,
            ..self
        }
    }

    /// Adds a certificate of a responder.
    #[must_use]
    pub fn certificate(mut self, certificate: impl AsRef<Certificate>) -> Self {
        self.certificates.push(certificate.as_ref().clone());
        self
    }

    /// Adds an extension of the whole response, with an identifier that is the content octets of an
    /// OBJECT IDENTIFIER.
    #[must_use]
    pub fn response_extension(mut self, identifier: &[u8], is_critical: bool) -> Self {
        self.response_extensions.push(extension(identifier, is_critical));
        self
    }

    /// Adds an extension of the status, likewise.
    #[must_use]
    pub fn single_extension(mut self, identifier: &[u8], is_critical: bool) -> Self {
        self.single_extensions.push(extension(identifier, is_critical));
        self
    }

    #[must_use]
    pub fn signature_algorithm(self, algorithm: SignatureAlgorithm) -> Self {
        Self {
            algorithm: Some(algorithm),
            ..self
        }
    }

    /// Returns the DER encoding of the response, signed by this responder.
    ///
    /// # Errors
    ///
    /// When something that was asked for cannot be encoded or signed.
    pub fn signed_by(&self, responder: &Credential) -> Result<Vec<u8>, Error> {
        let algorithm = self.algorithm.unwrap_or(responder.key().default_algorithm());
        let certificate = responder.certificate();
        let responder_id = match self.is_by_key {
            true => element(0xA2, &element(0x04, &sha1(&key_octets(certificate)?))),
            false => element(0xA1, &name(certificate)?),
        };
        let singles = self
            .serials
            .iter()
            .map(|serial| self.single(serial))
            .collect::<Result<Vec<_>, _>>()?
            .concat();
        let mut to_be_signed = [
            responder_id,
            time_element(self.this_update),
            element(0x30, &singles),
        ]
        .concat();
        to_be_signed.extend(extensions(&self.response_extensions));
        let to_be_signed = element(0x30, &to_be_signed);
        let identifier = raw::algorithm_identifier(algorithm)?
            .to_der()
            .map_err(Error::encode("algorithm identifier"))?;
        let signature = responder.key().sign(algorithm, &to_be_signed)?;
        let mut basic = [
            to_be_signed,
            identifier,
            element(0x03, &[&[0], signature.as_slice()].concat()),
        ]
        .concat();
        if !self.certificates.is_empty() {
            let all: Vec<&[u8]> = self.certificates.iter().map(Certificate::der).collect();
            basic.extend(element(0xA0, &element(0x30, &all.concat())));
        }
        let basic = element(0x30, &basic);
        // id-pkix-ocsp-basic
        let kind = element(0x06, &[0x2B, 6, 1, 5, 5, 7, 0x30, 1, 1]);
        let bytes = element(0x30, &[kind, element(0x04, &basic)].concat());
        Ok(element(
            0x30,
            &[element(0x0A, &[0]), element(0xA0, &bytes)].concat(),
        ))
    }

    fn single(&self, serial: &[u8]) -> Result<Vec<u8>, Error> {
        let (algorithm, identifier): (&'static Algorithm, &[u8]) = match self.hash {
            OcspHash::Sha1 => (&SHA1_FOR_LEGACY_USE_ONLY, &[0x2B, 0x0E, 3, 2, 0x1A]),
            OcspHash::Sha256 => (&SHA256, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]),
        };
        let of = |octets: &[u8]| element(0x04, digest(algorithm, octets).as_ref());
        let id = [
            element(0x30, &[element(0x06, identifier), vec![5, 0]].concat()),
            of(&name(&self.issuer)?),
            of(&key_octets(&self.issuer)?),
            element(0x02, serial),
        ]
        .concat();
        let status = match self.status {
            Status::Good => vec![0x80, 0],
            Status::Revoked(since) => element(0xA1, &time_element(since)),
            Status::Unknown => vec![0x82, 0],
        };
        let mut single = [element(0x30, &id), status, time_element(self.this_update)].concat();
        if let Some(next_update) = self.next_update {
            single.extend(element(0xA0, &time_element(next_update)));
        }
        single.extend(extensions(&self.single_extensions));
        Ok(element(0x30, &single))
    }
}

/// Returns an OCSPResponse without a status of a certificate, such as 3 for `tryLater`.
pub fn ocsp_declined(status: u8) -> Vec<u8> {
    element(0x30, &element(0x0A, &[status]))
}

fn sha1(octets: &[u8]) -> Vec<u8> {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, octets).as_ref().to_vec()
}

/// Returns the subject of a certificate in DER.
fn name(certificate: &Certificate) -> Result<Vec<u8>, Error> {
    let subject = certificate.subject()?;
    subject.to_der().map_err(Error::encode("name"))
}

/// Returns the octets of a certificate's public key.
fn key_octets(certificate: &Certificate) -> Result<Vec<u8>, Error> {
    let info = certificate.tbs()?.subject_public_key_info;
    let info = info.to_der().map_err(Error::encode("public key"))?;
    let info = <SubjectPublicKeyInfoRef<'_> as der::Decode>::from_der(&info)
        .map_err(|error| Error::malformed("public key", error))?;
    Ok(info.subject_public_key.raw_bytes().to_vec())
}

fn extension(identifier: &[u8], is_critical: bool) -> Vec<u8> {
    let critical: &[u8] = if is_critical { &[1, 1, 0xFF] } else { &[] };
    let content = [
        element(0x06, identifier),
        critical.to_vec(),
        element(0x04, &[5, 0]),
    ]
    .concat();
    element(0x30, &content)
}

fn extensions(all: &[Vec<u8>]) -> Vec<u8> {
    match all {
        [] => Vec::new(),
        all => element(0xA1, &element(0x30, &all.concat())),
    }
}

fn time_element(time: OffsetDateTime) -> Vec<u8> {
    let text = format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}Z",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    );
    element(0x18, text.as_bytes())
}

/// Returns an element with the shortest form of its length (X.690 section 10.1).
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let shortest: Vec<u8> = length.into_iter().skip_while(|octet| *octet == 0).collect();
    let mut encoding = vec![tag];
    match shortest.as_slice() {
        [] => encoding.push(0),
        [short @ 0..=0x7F] => encoding.push(*short),
        long => {
            encoding.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            encoding.extend_from_slice(long);
        }
    }
    encoding.extend_from_slice(content);
    encoding
}
