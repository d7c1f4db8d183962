use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use http::HeaderName;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::mpsc::UnboundedSender;

use crate::identifiers;
use crate::record::Record;

/// The settings of an HTTPS listener.
#[derive(Debug)]
pub struct Listener {
    pub(crate) address: SocketAddr,
    pub(crate) certificate_chain: Vec<CertificateDer<'static>>,
    pub(crate) private_key: PrivateKeyDer<'static>,
    pub(crate) mode: MutualAuthentication,
    pub(crate) certificate_header: HeaderName,
    pub(crate) client_header_copies: ClientCertificateHeaderCopies,
    pub(crate) records: Option<UnboundedSender<Record>>,
}

impl Listener {
    /// A listener in passthrough mode on a free port of 127.0.0.1, with ALB's own name for the
    /// certificate header, which passes on the client's copies of it: what is worst for a target.
    pub fn new(certificate_chain: Vec<CertificateDer<'static>>, private_key: PrivateKeyDer<'static>) -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            certificate_chain,
            private_key,
            mode: MutualAuthentication::Passthrough,
            certificate_header: HeaderName::from_static("x-amzn-mtls-clientcert"),
            client_header_copies: ClientCertificateHeaderCopies::PassOn,
            records: None,
        }
    }

    /// [`new`](Self::new) with the server's certificate chain and private key from PEM files.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or does not contain a certificate or private key.
    pub fn from_pem_files(certificate: &Path, private_key: &Path) -> Result<Self, PemFileError> {
        let certificate_chain = certificates_from_pem_file(certificate)?;
        let private_key = PrivateKeyDer::from_pem_file(private_key)
            .map_err(|source| PemFileError::new(private_key, PemFileKind::PrivateKey, source))?;
        Ok(Self::new(certificate_chain, private_key))
    }

    /// Sets the address to listen on; port 0 selects a free port.
    #[must_use]
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Sets the mode of mutual TLS.
    #[must_use]
    pub fn mode(mut self, mode: MutualAuthentication) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the listener attribute `routing.http.request.x_amzn_mtls_clientcert.header_name`. It
    /// counts in passthrough mode only.
    #[must_use]
    pub fn certificate_header(mut self, name: HeaderName) -> Self {
        self.certificate_header = name;
        self
    }

    /// Returns a name for [`certificate_header`](Self::certificate_header) in the form of
    /// `template.yaml`: `x-` and a UUID.
    pub fn new_header_name() -> HeaderName {
        // Hexadecimal digits and hyphens are a header name.
        HeaderName::try_from(format!("x-{}", identifiers::request()))
            .unwrap_or(HeaderName::from_static("x-renamed"))
    }

    /// Sets the handling of the client's own copies of certificate headers.
    #[must_use]
    pub fn client_header_copies(mut self, copies: ClientCertificateHeaderCopies) -> Self {
        self.client_header_copies = copies;
        self
    }

    /// Sets the receiver of records, such as one for each request.
    #[must_use]
    pub fn records(mut self, records: UnboundedSender<Record>) -> Self {
        self.records = Some(records);
        self
    }
}

/// Returns the certificates of a PEM file, in order; text around them is skipped.
///
/// # Errors
///
/// When the file cannot be read or does not contain a certificate.
pub fn certificates_from_pem_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemFileError> {
    use rustls_pki_types::pem::Error::NoItemsFound;

    let error = |source| PemFileError::new(path, PemFileKind::Certificate, source);
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(error)?
        .collect::<Result<_, _>>()
        .map_err(error)?;
    if certificates.is_empty() {
        Err(error(NoItemsFound))
    } else {
        Ok(certificates)
    }
}

/// A PEM file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot read a {} from `{}`: {}", kind.words(), path.display(), explain(source))]
pub struct PemFileError {
    path: PathBuf,
    kind: PemFileKind,
    source: rustls_pki_types::pem::Error,
}

impl PemFileError {
    fn new(path: &Path, kind: PemFileKind, source: rustls_pki_types::pem::Error) -> Self {
        Self {
            path: path.to_owned(),
            kind,
            source,
        }
    }

    /// Returns the file that was asked for.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// ALB's modes of mutual authentication.
/// Source:
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html>.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MutualAuthentication {
    /// Asks for a certificate, checks only that the client holds its private key, and sends the
    /// chain as it is to the target. A client without a certificate can connect, and no header is
    /// sent.
    Passthrough,
    /// Requires a certificate that a trust anchor vouches for, and sends facts of the leaf to the
    /// target.
    Verify {
        /// The trust store's certificates.
        trust_anchors: Vec<CertificateDer<'static>>,
    },
}

/// Handling of headers that the client itself sends under the names of ALB's certificate
/// headers (`x-amzn-mtls-*`, and the configured name). AWS documents neither, so a target must be
/// safe with both.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientCertificateHeaderCopies {
    /// Pass them to the target, before ALB's own.
    PassOn,
    /// Remove them.
    Strip,
}

#[derive(Clone, Copy, Debug)]
enum PemFileKind {
    Certificate,
    PrivateKey,
}

impl PemFileKind {
    fn words(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::PrivateKey => "private key",
        }
    }
}

fn explain(error: &rustls_pki_types::pem::Error) -> String {
    match error {
        rustls_pki_types::pem::Error::Io(error) => error.to_string(),
        rustls_pki_types::pem::Error::NoItemsFound => "the file does not contain one".to_owned(),
        other => other.to_string(),
    }
}
