//! Readiness of a gate before and after each part of its material is loaded.

use alb_mtls_gate::{Gate, Readiness, Settings};
use test_pki::CertificateBuilder;

/// Example of RFC 7515 appendix A.3.
pub(crate) const KEYS: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "1", "alg": "ES256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

/// Returns the readiness of a gate before and after it has loaded what these files are.
async fn readiness(files: &[(&str, &str)]) -> [Readiness; 2] {
    let folder = tempfile::tempdir().unwrap();
    let root = CertificateBuilder::root("CN=Root").self_signed().unwrap();
    std::fs::write(folder.path().join("anchors.pem"), root.pem()).unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let file = |name: &str| format!("file:{}", folder.path().join(name).display());
    let variables = [
        ("MTLS_ANCHORS", file("anchors.pem")),
        ("MTLS_DENY", file("deny.txt")),
        ("MTLS_BOUND_TOKEN", "required".to_owned()),
        ("MTLS_TOKEN_KEYS", file("keys.json")),
        ("MTLS_TOKEN_ISSUER", "https://issuer.example".to_owned()),
        ("MTLS_TOKEN_AUDIENCE", "orders".to_owned()),
        ("MTLS_TOKEN_ALGORITHMS", "ES256".to_owned()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    let gate = Gate::new(Settings::from_variables(variables).unwrap());
    let before = gate.readiness();
    gate.load().await;
    [before, gate.readiness()]
}

#[tokio::test]
async fn a_gate_is_ready_once_it_has_loaded_everything_that_it_decides_by() {
    let before = Readiness::NoTrustMaterial;
    let both = [("keys.json", KEYS), ("deny.txt", "none")];
    assert_eq!(readiness(&both).await, [before, Readiness::Ready]);
    let [keys, deny_list] = both;
    assert_eq!(readiness(&[deny_list]).await, [before, Readiness::NoTokenKeys]);
    assert_eq!(readiness(&[keys]).await, [before, Readiness::NoDenyList]);
    let no_anchor = ("anchors.pem", "");
    assert_eq!(
        readiness(&[keys, deny_list, no_anchor]).await,
        [before, Readiness::NoTrustMaterial]
    );
}
