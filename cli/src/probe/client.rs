//! The clients that the probe is: the operator's, and those that it makes for one run.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use test_pki::{Certificate, CertificateBuilder, Credential, Criticality, Key, KeyKind};
use time::{Duration, OffsetDateTime};

use crate::files::{self, FileError};

/// Name of the CA that the probe makes: a name that no trust anchor has.
const UNKNOWN_CA: &str = "CN=CA of alb-mtls probe,O=Not trusted";

/// An extension without a meaning, for certificates of a chosen size. The arc is the one of
/// examples (RFC 5612).
const FILLER: &str = "1.3.6.1.4.1.32473.1";

/// Certificates and a private key that a client presents in the handshake.
#[derive(Clone, Debug)]
pub(super) struct Client(Arc<CertifiedKey>);

/// A certificate that cannot be presented.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("cannot make a certificate: {0}")]
    Made(#[from] test_pki::Error),
    #[error("cannot use a key that was made: {0}")]
    MadeKey(String),
}

impl Client {
    /// Reads a chain, leaf first, and the private key of the leaf.
    pub(super) fn load(chain: &Path, key: &Path) -> Result<Self, ClientError> {
        let certificates = files::presented_chain(chain)?;
        let private_key = PrivateKeyDer::from_pem_slice(&files::read(key)?)
            .map_err(|error| FileError::unusable(key, &format!("not a private key in PEM: {error}")))?;
        let chain = std::iter::once(certificates.end_entity())
            .chain(certificates.intermediates())
            .map(|certificate| certificate.clone().into_owned())
            .collect();
        let client = Self::new(chain, &private_key).map_err(|error| FileError::unusable(key, &error))?;
        client
            .0
            .keys_match()
            .map_err(|_| FileError::unusable(key, &"not the key of the first certificate"))?;
        Ok(client)
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'_>) -> Result<Self, rustls::Error> {
        let key = aws_lc_rs::sign::any_supported_type(key)?;
        Ok(Self(Arc::new(CertifiedKey::new(chain, key))))
    }

    fn made<'a>(key: &Key, chain: impl IntoIterator<Item = &'a Certificate>) -> Result<Self, ClientError> {
        let wrong = |error: &dyn std::fmt::Display| ClientError::MadeKey(error.to_string());
        let pem = key.to_pem()?;
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| wrong(&error))?;
        let chain = chain.into_iter().map(|one| one.der().to_vec().into());
        Self::new(chain.collect(), &key).map_err(|error| wrong(&error))
    }

    /// Returns the certificates, leaf first.
    pub(super) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.0.cert
    }

    pub(super) fn key(&self) -> &Arc<CertifiedKey> {
        &self.0
    }

    /// Returns this client with only its own certificate, if it has others.
    pub(super) fn leaf_only(&self) -> Option<Self> {
        match self.chain() {
            [leaf, _, ..] => Some(self.with_chain(vec![leaf.clone()])),
            _ => None,
        }
    }

    /// Returns this client with further certificates after its own.
    pub(super) fn with(&self, others: impl IntoIterator<Item = Certificate>) -> Self {
        let mut chain = self.chain().to_vec();
        chain.extend(others.into_iter().map(|one| one.der().to_vec().into()));
        self.with_chain(chain)
    }

    fn with_chain(&self, chain: Vec<CertificateDer<'static>>) -> Self {
        Self(Arc::new(CertifiedKey::new(chain, Arc::clone(&self.0.key))))
    }
}

/// Clients of a CA that was made a moment ago.
pub(super) struct Strangers {
    authority: Credential,
}

impl Strangers {
    pub(super) fn new() -> Result<Self, ClientError> {
        let authority = CertificateBuilder::root(UNKNOWN_CA).self_signed()?;
        Ok(Self { authority })
    }

    pub(super) fn client(&self) -> Result<Client, ClientError> {
        self.issue(CertificateBuilder::client("CN=alb-mtls probe"))
    }

    pub(super) fn expired(&self) -> Result<Client, ClientError> {
        let now = OffsetDateTime::now_utc();
        let builder = CertificateBuilder::client("CN=alb-mtls probe,OU=Expired");
        self.issue(builder.valid(now - Duration::days(40), now - Duration::days(1)))
    }

    fn issue(&self, builder: CertificateBuilder) -> Result<Client, ClientError> {
        let client = builder.issued_by(&self.authority)?;
        Client::made(client.key(), [client.certificate(), self.authority.certificate()])
    }

    pub(super) fn self_signed() -> Result<Client, ClientError> {
        let client = CertificateBuilder::client("CN=alb-mtls probe,OU=Self-signed").self_signed()?;
        Client::made(client.key(), [client.certificate()])
    }

    /// Returns a client whose certificates say what those of `client` say, with other keys: its own
    /// certificate is issued by a CA with the issuer's name.
    pub(super) fn impostor(client: &Client) -> Result<Client, ClientError> {
        let leaf = client
            .chain()
            .first()
            .map(|leaf| Certificate::from_der(leaf.to_vec()));
        let leaf = leaf.ok_or_else(|| ClientError::MadeKey("the chain is empty".to_owned()))?;
        let issuer = leaf.tbs()?.issuer;
        let authority = CertificateBuilder::root("CN=Impostor").self_signed()?;
        let key = authority.key();
        let authority = authority.certificate().edited(key, |tbs| {
            tbs.subject = issuer.clone();
            tbs.issuer = issuer;
            Ok(())
        })?;
        let own = CertificateBuilder::client("CN=Impostor").self_signed()?;
        let public_key = own.certificate().tbs()?.subject_public_key_info;
        let forged = leaf.edited(key, |tbs| {
            tbs.subject_public_key_info = public_key;
            Ok(())
        })?;
        Client::made(own.key(), [&forged, &authority])
    }

    /// Returns a P-256 client of a CA with an ML-DSA key.
    pub(super) fn of_an_ml_dsa_authority() -> Result<Client, ClientError> {
        let authority = CertificateBuilder::root(UNKNOWN_CA)
            .key_kind(KeyKind::MlDsa65)
            .self_signed()?;
        let client = CertificateBuilder::client("CN=alb-mtls probe").issued_by(&authority)?;
        Client::made(client.key(), [client.certificate(), authority.certificate()])
    }

    /// Returns certificates of CAs that have nothing to do with the chain.
    pub(super) fn unrelated(count: usize) -> Result<Vec<Certificate>, ClientError> {
        (1..=count)
            .map(|number| {
                let authority = CertificateBuilder::root(&format!("CN=Unrelated {number}")).self_signed()?;
                Ok(authority.certificate().clone())
            })
            .collect()
    }

    /// Returns a certificate with about this many bytes.
    pub(super) fn large(bytes: usize) -> Result<Certificate, ClientError> {
        let filler = vec![b'a'; bytes];
        let authority = CertificateBuilder::root("CN=Large")
            .extension(FILLER, Criticality::NotCritical, &filler)
            .self_signed()?;
        Ok(authority.certificate().clone())
    }
}
