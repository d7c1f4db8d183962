use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::listener::{Listener, MutualAuthentication};

/// Protocol names of ALPN, the preferred one first.
pub(crate) const HTTP_2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// TLS 1.2 and 1.3 without session resumption, which ALB does not offer in either mTLS mode.
pub(crate) fn server_config(listener: &Listener) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier: Arc<dyn ClientCertVerifier> = match &listener.mode {
        MutualAuthentication::Passthrough => Arc::new(PossessionVerifier {
            provider: Arc::clone(&provider),
        }),
        MutualAuthentication::Verify { trust_anchors } => trust_store_verifier(trust_anchors, &provider)?,
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Settings)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            listener.certificate_chain.clone(),
            listener.private_key.clone_key(),
        )
        .map_err(TlsError::ServerCertificate)?;
    config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1_1.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Reason why the listener's certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The server's certificate and key do not fit together or cannot be used.
    #[error("the server certificate or its private key cannot be used: {0}")]
    ServerCertificate(#[source] rustls::Error),
    /// The cryptography provider does not support what ALB does.
    #[error("TLS cannot be set up: {0}")]
    Settings(#[source] rustls::Error),
    /// A certificate cannot be a trust anchor.
    #[error("trust anchor {position} cannot be used: {source}")]
    TrustAnchor {
        /// Counted from one.
        position: usize,
        /// The reason.
        source: rustls::Error,
    },
    /// The trust store cannot be used, for instance because it is empty.
    #[error("the trust anchors cannot be used: {0}")]
    TrustStore(#[source] rustls::server::VerifierBuilderError),
}

/// Takes any certificate, and makes sure that the client holds its private key.
#[derive(Debug)]
struct PossessionVerifier {
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for PossessionVerifier {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Returns a verifier that does not send the names of the trust anchors in the handshake:
/// `AdvertiseTrustStoreCaNames` is off by default.
fn trust_store_verifier(
    trust_anchors: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut store = RootCertStore::empty();
    for (index, anchor) in trust_anchors.iter().enumerate() {
        store
            .add(anchor.clone())
            .map_err(|source| TlsError::TrustAnchor {
                position: index + 1,
                source,
            })?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
        .clear_root_hint_subjects()
        .build()
        .map_err(TlsError::TrustStore)
}
