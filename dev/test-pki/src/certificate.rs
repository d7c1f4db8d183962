use std::path::Path;

use der::asn1::Any;
use der::{Decode, Encode};
use time::OffsetDateTime;
use x509_cert::time::Validity;

use crate::raw::{self, Signed, TbsCertificate};
use crate::{Error, Key, SignatureAlgorithm, files};

/// An X.509 certificate in DER, sound or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
}

impl Certificate {
    /// Takes the bytes as they are, without looking at them.
    pub fn from_der(der: impl Into<Vec<u8>>) -> Self {
        Self { der: der.into() }
    }

    /// Returns the first certificate of a PEM text.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        Self::all_from_pem(text)?
            .into_iter()
            .next()
            .ok_or_else(|| Error::malformed("certificate", "there is not PEM block `CERTIFICATE`"))
    }

    /// Returns the first certificate of a PEM file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or does not contain one.
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::from_pem(&files::read(path)?).map_err(|error| error.in_file(path))
    }

    /// Reads all certificates of a PEM file, in order.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or as for [`Certificate::all_from_pem`].
    pub fn load_all(path: &Path) -> Result<Vec<Self>, Error> {
        Self::all_from_pem(&files::read(path)?).map_err(|error| error.in_file(path))
    }

    /// Parses all certificates of a PEM text, in order.
    ///
    /// # Errors
    ///
    /// When a block is damaged or holds something else than a certificate.
    pub fn all_from_pem(text: &str) -> Result<Vec<Self>, Error> {
        let blocks = pem::parse_many(text).map_err(|error| Error::malformed("certificate", error))?;
        // The parser drops a block that has no end.
        if blocks.len() != text.matches("-----BEGIN ").count() {
            return Err(Error::malformed("certificate", "a PEM block has no end"));
        }
        blocks
            .into_iter()
            .map(|block| match block.tag() {
                "CERTIFICATE" => Ok(Self::from_der(block.into_contents())),
                other => Err(Error::malformed(
                    "certificate",
                    format!("the PEM label is `{other}`"),
                )),
            })
            .collect()
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Returns one PEM block with 64-column lines, each ending in a line feed.
    pub fn pem(&self) -> String {
        crate::pem_text("CERTIFICATE", self.der.clone())
    }

    /// Returns the part that is signed.
    ///
    /// # Errors
    ///
    /// When the DER is not a certificate.
    pub fn tbs(&self) -> Result<TbsCertificate, Error> {
        self.signed()?
            .to_be_signed
            .decode_as()
            .map_err(|error| Error::malformed("certificate", error))
    }

    /// Returns the certificate as a structure, to give it another signature or outer algorithm.
    ///
    /// # Errors
    ///
    /// When the DER is not a certificate.
    pub fn signed(&self) -> Result<Signed, Error> {
        Signed::from_der(&self.der)
    }

    /// A copy in which something is changed, signed again: the way to certificates that no sound
    /// authority issues. `key` is the issuer's; its default algorithm is written into both places,
    /// after the change.
    ///
    /// # Errors
    ///
    /// When the DER is not a certificate, or the change fails, or its result cannot be encoded.
    ///
    /// ```
    /// use test_pki::{CertificateBuilder, raw};
    ///
    /// let root = CertificateBuilder::root("CN=Root").self_signed()?;
    /// let client = CertificateBuilder::client("CN=client").issued_by(&root)?;
    /// let negative = client.certificate().edited(root.key(), |tbs| {
    ///     tbs.serial_number = raw::integer(&[0xff])?;
    ///     Ok(())
    /// })?;
    /// assert_ne!(negative.der(), client.der());
    /// # Ok::<_, test_pki::Error>(())
    /// ```
    pub fn edited(
        &self,
        key: &Key,
        change: impl FnOnce(&mut TbsCertificate) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        self.edited_with(key, key.default_algorithm(), change)
    }

    /// Edits a certificate like [`Certificate::edited`] and signs it with this algorithm.
    ///
    /// # Errors
    ///
    /// As for [`Certificate::edited`], and when the key cannot sign with the algorithm.
    pub fn edited_with(
        &self,
        key: &Key,
        algorithm: SignatureAlgorithm,
        change: impl FnOnce(&mut TbsCertificate) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let mut tbs = self.tbs()?;
        change(&mut tbs)?;
        tbs.signature = raw::algorithm_identifier(algorithm)?;
        Self::sign(&tbs, key, algorithm)
    }

    pub(crate) fn sign(
        tbs: &TbsCertificate,
        key: &Key,
        algorithm: SignatureAlgorithm,
    ) -> Result<Self, Error> {
        let der = tbs.to_der().map_err(Error::encode("certificate"))?;
        Ok(Self::from_der(Signed::sign(&der, key, algorithm)?))
    }

    /// A copy whose signature has one bit turned.
    ///
    /// # Errors
    ///
    /// When the DER is not a certificate.
    pub fn with_broken_signature(&self) -> Result<Self, Error> {
        let mut signed = self.signed()?;
        let mut bytes = signed.signature.raw_bytes().to_vec();
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        signed.signature = der::asn1::BitString::from_bytes(&bytes).map_err(Error::encode("signature"))?;
        Ok(Self::from_der(signed.to_der()?))
    }

    /// Returns the serial number, big-endian two's complement.
    ///
    /// # Errors
    ///
    /// When the DER is not a certificate.
    pub fn serial(&self) -> Result<Vec<u8>, Error> {
        Ok(self.tbs()?.serial_number.as_bytes().to_vec())
    }

    /// Returns the last second of validity.
    ///
    /// # Errors
    ///
    /// When the DER is not a certificate.
    pub fn not_after(&self) -> Result<OffsetDateTime, Error> {
        let validity: Validity = self
            .tbs()?
            .validity
            .decode_as()
            .map_err(|error| Error::malformed("validity", error))?;
        Ok(validity.not_after.to_system_time().into())
    }

    pub(crate) fn subject(&self) -> Result<Any, Error> {
        Ok(self.tbs()?.subject)
    }

    /// Returns the subject key identifier: that of the extension, otherwise the one that this crate
    /// would give to the key.
    pub(crate) fn key_identifier(&self) -> Result<Vec<u8>, Error> {
        use der::oid::AssociatedOid;
        use x509_cert::ext::pkix::SubjectKeyIdentifier;

        let mut tbs = self.tbs()?;
        if let Some(extension) = tbs.extension(SubjectKeyIdentifier::OID)
            && let Ok(identifier) = SubjectKeyIdentifier::from_der(extension.extn_value.as_bytes())
        {
            return Ok(identifier.0.into_bytes().into());
        }
        let info = tbs
            .subject_public_key_info
            .to_der()
            .map_err(Error::encode("public key"))?;
        crate::builder::key_identifier(&info)
    }
}

/// A certificate together with its private key: an authority or an end-entity.
#[derive(Clone, Debug)]
pub struct Credential {
    certificate: Certificate,
    key: Key,
}

impl Credential {
    /// Puts the two together, without asking whether they belong together.
    pub fn new(certificate: Certificate, key: Key) -> Self {
        Self { certificate, key }
    }

    /// Reads the first certificate of one file and the private key of another.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, holds something else, or the key is not that of the certificate.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, Error> {
        let loaded = Self::new(
            Certificate::from_pem(&files::read(certificate)?)?,
            Key::from_pem(&files::read(key)?)?,
        );
        let info = loaded
            .certificate
            .tbs()?
            .subject_public_key_info
            .to_der()
            .map_err(Error::encode("public key"))?;
        if info != loaded.key.public_key_info()? {
            return Err(Error::malformed(
                "private key",
                format!(
                    "`{}` is not the key of `{}`",
                    key.display(),
                    certificate.display()
                ),
            ));
        }
        Ok(loaded)
    }

    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Returns the certificate's DER.
    pub fn der(&self) -> &[u8] {
        self.certificate.der()
    }

    /// Returns the certificate's PEM.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }
}

impl AsRef<Self> for Certificate {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl AsRef<Certificate> for Credential {
    fn as_ref(&self) -> &Certificate {
        &self.certificate
    }
}
