//! The TLS client side towards upstreams.

use std::sync::Arc;

use alb_mtls_trust::{
    Deadline, FailedLookup, Found, Lookup, Refreshing, Snapshot, Source, Trust, TrustSettings, Waiting,
};
use alb_mtls_verifier::{CryptoModule, Timestamp, read_pem_blocks};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::ForwardError;
use crate::secrets::{self, Secret, Secrets, missing};
use crate::settings::TlsSettings;

/// Material of TLS to upstreams, looked up again when it is due.
#[derive(Debug)]
pub(crate) struct TlsMaterial {
    anchors: Anchors,
    certificate: Option<(Source, Refreshing<Secret, String>)>,
}

#[derive(Debug)]
enum Anchors {
    /// There is no upstream to check.
    None,
    /// Trust anchors of the system.
    System(Arc<RootCertStore>),
    /// Trust anchors that the operator named.
    Named(Box<Trust>),
}

/// The material as it was at one moment. What is equal makes the same connections.
#[derive(Clone, Debug)]
pub(crate) struct TlsVersion {
    anchors: AnchorsVersion,
    certificate: Option<Arc<Secret>>,
}

#[derive(Clone, Debug)]
enum AnchorsVersion {
    None,
    System(Arc<RootCertStore>),
    Named(Arc<Snapshot>),
}

impl PartialEq for TlsVersion {
    fn eq(&self, other: &Self) -> bool {
        let same_anchors = match (&self.anchors, &other.anchors) {
            (AnchorsVersion::Named(one), AnchorsVersion::Named(other)) => one.version() == other.version(),
            // They never change while the process lives.
            _ => true,
        };
        same_anchors && self.certificate == other.certificate
    }
}

impl TlsMaterial {
    /// Creates material according to the settings; `trust` says how often it is looked up and how
    /// long it counts.
    ///
    /// # Errors
    /// When the system has no trust anchors and no others are named.
    pub(crate) fn new(settings: &TlsSettings, any_tls: bool, trust: &TrustSettings) -> Result<Self, String> {
        let anchors = match &settings.anchors {
            Some(sources) => Anchors::Named(Box::new(Trust::new(TrustSettings {
                anchors: sources.clone(),
                intermediates: None,
                revocation: None,
                ocsp: None,
                ..trust.clone()
            }))),
            None if any_tls => Anchors::System(Arc::new(system_anchors()?)),
            None => Anchors::None,
        };
        let certificate = settings
            .certificate
            .clone()
            .map(|source| (source, Refreshing::new(trust.refresh, trust.max_stale)));
        Ok(Self { anchors, certificate })
    }

    /// Returns the material that can be served without waiting; `None` when some of it has to be
    /// looked up.
    pub(crate) fn at_hand(&self) -> Option<TlsVersion> {
        let now = Timestamp::now();
        let anchors = match &self.anchors {
            Anchors::None => AnchorsVersion::None,
            Anchors::System(anchors) => AnchorsVersion::System(Arc::clone(anchors)),
            Anchors::Named(trust) => AnchorsVersion::Named(trust.at_hand(now)?),
        };
        let certificate = match &self.certificate {
            None => None,
            Some((_, certificate)) => Some(certificate.at_hand(now)?),
        };
        Some(TlsVersion { anchors, certificate })
    }

    /// Returns the material of now. What it is made of is looked up side by side.
    ///
    /// # Errors
    /// [`ForwardError::Material`] when some of it cannot be had.
    pub(crate) async fn current(
        &self,
        secrets: &Secrets,
        waiting: Waiting,
    ) -> Result<TlsVersion, ForwardError> {
        let now = Timestamp::now();
        let anchors = async {
            Ok(match &self.anchors {
                Anchors::None => AnchorsVersion::None,
                Anchors::System(anchors) => AnchorsVersion::System(Arc::clone(anchors)),
                Anchors::Named(trust) => {
                    let unavailable = |error| ForwardError::Material(format!("FORWARD_UPSTREAM_CA: {error}"));
                    AnchorsVersion::Named(trust.get(now, waiting).await.map_err(unavailable)?)
                }
            })
        };
        let certificate = async {
            let Some((source, certificate)) = &self.certificate else {
                return Ok(None);
            };
            let found = certificate
                .get(&CertificateSource { secrets, source }, now, waiting)
                .await;
            found.map(Some).map_err(|unavailable| missing(NAME, &unavailable))
        };
        let (anchors, certificate) = tokio::join!(anchors, certificate);
        Ok(TlsVersion {
            anchors: anchors?,
            certificate: certificate?,
        })
    }
}

/// Name of the certificate in logs and errors.
const NAME: &str = "certificate for upstreams";

/// Reads the certificate and its key.
struct CertificateSource<'a> {
    secrets: &'a Secrets,
    source: &'a Source,
}

impl Lookup for CertificateSource<'_> {
    type Value = Secret;
    type Error = String;

    async fn look_up(
        &self,
        last_good: Option<Arc<Secret>>,
        _: Timestamp,
        deadline: Deadline,
    ) -> Result<Found<Secret>, String> {
        let found = read_certificate(self.secrets, self.source, deadline).await?;
        Ok(match last_good {
            Some(last_good) if *last_good == found => Found::Unchanged,
            _ => Found::New(found),
        })
    }

    fn report_failure(&self, failure: &FailedLookup<'_, Secret, String>) {
        secrets::report_failure(NAME, failure);
    }
}

impl TlsVersion {
    /// Returns the configuration of connections that are made with this material.
    ///
    /// # Errors
    /// [`ForwardError::Material`] when the certificate and its key do not fit.
    pub(crate) fn configuration(&self) -> Result<ClientConfig, ForwardError> {
        let anchors = match &self.anchors {
            AnchorsVersion::None => Arc::new(RootCertStore::empty()),
            AnchorsVersion::System(anchors) => Arc::clone(anchors),
            AnchorsVersion::Named(snapshot) => {
                let mut anchors = RootCertStore::empty();
                let named = snapshot.verifier().anchors().iter();
                anchors.add_parsable_certificates(named.map(|anchor| anchor.certificate().clone()));
                Arc::new(anchors)
            }
        };
        // With the cargo feature `fips`, this provider is rustls' FIPS provider.
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| ForwardError::Material(error.to_string()))?
            .with_root_certificates(anchors);
        let configuration = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some(secret) => {
                let (chain, key) = parse_certificate(secret).map_err(ForwardError::Material)?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| ForwardError::Material(error.to_string()))?
            }
        };
        CryptoModule::check_tls(configuration.fips())
            .map_err(|error| ForwardError::Material(error.to_string()))?;
        Ok(configuration)
    }
}

/// Reads the certificate and checks that it can be used: only then does it replace the one in use.
async fn read_certificate(secrets: &Secrets, source: &Source, deadline: Deadline) -> Result<Secret, String> {
    let secret = secrets.read(source, deadline).await?;
    let (chain, key) = parse_certificate(&secret).map_err(|error| format!("`{source}`: {error}"))?;
    let provider = aws_lc_rs::default_provider();
    rustls::sign::CertifiedKey::from_der(chain, key, &provider)
        .map_err(|error| format!("`{source}`: {error}"))?;
    Ok(secret)
}

/// Labels of what is read, and of the parameters that OpenSSL writes beside a key.
const LABELS: &[&str] = &[
    "CERTIFICATE",
    "DH PARAMETERS",
    "EC PARAMETERS",
    "EC PRIVATE KEY",
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "X509 CERTIFICATE",
];

fn parse_certificate(
    secret: &Secret,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let blocks =
        read_pem_blocks(secret.0.as_bytes(), LABELS).map_err(|error| secrets::pem_problem(&error))?;
    let (mut chain, mut key) = (Vec::new(), None);
    for block in blocks {
        match block.label.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" => chain.push(CertificateDer::from(block.der)),
            "PRIVATE KEY" => key = key.or_else(|| Some(PrivateKeyDer::Pkcs8(block.der.into()))),
            "RSA PRIVATE KEY" => key = key.or_else(|| Some(PrivateKeyDer::Pkcs1(block.der.into()))),
            "EC PRIVATE KEY" => key = key.or_else(|| Some(PrivateKeyDer::Sec1(block.der.into()))),
            _ => {}
        }
    }
    if chain.is_empty() {
        return Err("contains no certificate".to_owned());
    }
    let key = key.ok_or("contains no private key")?;
    Ok((chain, key))
}

fn system_anchors() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut anchors = RootCertStore::empty();
    let (usable, _) = anchors.add_parsable_certificates(found.certs);
    if usable == 0 {
        let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        return Err(format!(
            "the system has no trust anchors for `https` upstreams, and FORWARD_UPSTREAM_CA is not set {}",
            errors.join("; ")
        ));
    }
    Ok(anchors)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn certificate_without_its_key_is_rejected_before_use() {
        let root = test_pki::CertificateBuilder::root("CN=Root")
            .self_signed()
            .unwrap();
        let client = test_pki::CertificateBuilder::client("CN=gate")
            .issued_by(&root)
            .unwrap();
        let directory = tempfile::tempdir().unwrap();
        let secrets = Secrets::default();
        let deadline = Deadline::after(Duration::from_secs(5));
        let (client_pem, root_key, client_key) = (
            client.pem(),
            root.key().to_pem().unwrap(),
            client.key().to_pem().unwrap(),
        );
        for (content, problem) in [
            (String::new(), "contains no certificate"),
            (client_pem.clone(), "contains no private key"),
            (client_key.clone(), "contains no certificate"),
            (format!("{client_pem}{root_key}"), "match"),
            (
                format!(
                    "{client_pem}{}",
                    client_key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
                ),
                "openssl pkey",
            ),
        ] {
            let path = directory.path().join("client.pem");
            std::fs::write(&path, content).unwrap();
            let source = format!("file:{}", path.display()).parse().unwrap();
            let error = read_certificate(&secrets, &source, deadline).await.unwrap_err();
            assert!(error.to_lowercase().contains(problem), "{error}");
        }
        let path = directory.path().join("client.pem");
        let source = format!("file:{}", path.display()).parse().unwrap();
        for content in [
            format!("{client_key}{client_pem}"),
            format!("\u{feff}Bag Attributes\n{client_pem}\u{feff}{client_key}").replace('\n', "\r\n"),
            format!("{}{}", client_pem.trim_end(), client_key.trim_end()),
        ] {
            std::fs::write(&path, content).unwrap();
            read_certificate(&secrets, &source, deadline).await.unwrap();
        }
    }
}
