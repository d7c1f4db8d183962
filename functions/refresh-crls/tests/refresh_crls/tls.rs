//! Servers that prove who they are.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use test_pki::CertificateBuilder;
use tokio_rustls::TlsAcceptor;

use crate::deployment::{Deployment, verdict};
use crate::web::Web;

#[tokio::test]
async fn https_servers_must_have_a_certificate_for_their_name() {
    let deployment = Deployment::new();
    let web_root = CertificateBuilder::root("CN=Web Root").self_signed().unwrap();
    let server = CertificateBuilder::server("CN=localhost")
        .dns("localhost")
        .issued_by(&web_root)
        .unwrap();
    std::fs::write(deployment.folder().join("web.pem"), web_root.pem()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(server.key().to_pem().unwrap().as_bytes()).unwrap();
    let configuration = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(server.der().to_vec())], key)
        .unwrap();
    let web = Web::start_with(Some(TlsAcceptor::from(Arc::new(configuration)))).await;
    web.put_content("/root.crl", deployment.root_crl(1).der());
    let port = web.address.port();
    let (by_name, by_address) = (
        format!("https://localhost:{port}/root.crl"),
        format!("https://127.0.0.1:{port}/root.crl"),
    );
    let (right, wrong) = (deployment.file("web.pem"), deployment.file("root.pem"));
    let networks = ("CRL_PRIVATE_NETWORKS", "127.0.0.0/8 ::1/128");

    for (url, anchors) in [(&by_address, &right), (&by_name, &wrong)] {
        let mut function = deployment
            .function(&[url], &[networks, ("CRL_TLS_ANCHORS", anchors)])
            .await;
        let error = function.error().await;
        assert!(error.contains("TLS: invalid peer certificate"), "{error}");
        function.record().await;
    }
    assert!(web.requests().is_empty());
    let mut function = deployment
        .function(&[&by_name], &[networks, ("CRL_TLS_ANCHORS", &right)])
        .await;
    assert_eq!(verdict(&function.refresh().await), "published");
}
