//! CRLs through the built function, with PKIs shaped like those that publish them.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use alb_mtls_tests::{Clients, Function, certificate_headers, header_of};
use pki::{CertificateBuilder, Credential, Crl, CrlBuilder, KeyKind};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

/// The shape of serverless-ca: a P-384 root, a P-256 issuing CA, clients with a common name alone, and a CRL of each
/// level that lives for one day and ten minutes, made every day.
struct ServerlessCa {
    files: Clients,
    root: Credential,
    issuing: Credential,
    good: Credential,
    revoked: Credential,
}

const LIFETIME: Duration = Duration::seconds(86_400 + 600);

impl ServerlessCa {
    fn new() -> Self {
        let root = CertificateBuilder::root("CN=Serverless Root CA")
            .key_kind(KeyKind::P384)
            .self_signed()
            .unwrap();
        let issuing = CertificateBuilder::intermediate("CN=Serverless Issuing CA")
            .issued_by(&root)
            .unwrap();
        let client = |name: &str| CertificateBuilder::client(name).issued_by(&issuing).unwrap();
        let (good, revoked) = (client("CN=pipeline"), client("CN=lost laptop"));
        let files = Clients::new();
        files.write("example-ca-bundle.pem", &root.pem());
        Self {
            files,
            root,
            issuing,
            good,
            revoked,
        }
    }

    fn crl(&self, made: OffsetDateTime) -> CrlBuilder {
        CrlBuilder::new()
            .valid(made, made + LIFETIME)
            .number(u64::try_from(made.unix_timestamp()).unwrap())
    }

    /// Writes both levels' CRLs as made at this time, the issuing CA's in DER and the root's in PEM, as published.
    fn publish(&self, made: OffsetDateTime) {
        let issuing = self
            .crl(made)
            .revoke(&self.revoked)
            .issued_by(&self.issuing)
            .unwrap();
        self.write_root_crl(&self.crl(made).issued_by(&self.root).unwrap());
        std::fs::write(
            self.files.directory().join("example-issuing-ca.crl"),
            issuing.der(),
        )
        .unwrap();
    }

    fn write_root_crl(&self, crl: &Crl) {
        self.files.write("example-root-ca.crl.pem", &crl.pem());
    }

    fn source(&self, name: &str) -> String {
        format!("file:{}", self.files.directory().join(name).display())
    }

    async fn respond(&self, others: &[(&str, &str)]) -> Function {
        let mut variables = vec![
            ("MTLS_ANCHORS".to_owned(), self.source("example-ca-bundle.pem")),
            (
                "MTLS_CRLS".to_owned(),
                format!(
                    "{} {}",
                    self.source("example-root-ca.crl.pem"),
                    self.source("example-issuing-ca.crl")
                ),
            ),
        ];
        variables.extend(
            others
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        Function::start("respond", variables).await
    }

    async fn ask(&self, function: &Function, client: &Credential) -> (u16, Value) {
        let headers = certificate_headers(header_of([client, &self.issuing]));
        let status = function.get("/", &headers).await.status;
        (status, function.record().await)
    }
}

fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

#[tokio::test]
async fn a_revoked_client_is_refused_and_the_others_pass() {
    let ca = ServerlessCa::new();
    ca.publish(now() - Duration::hours(1));
    let function = ca.respond(&[]).await;
    let (status, record) = ca.ask(&function, &ca.good).await;
    assert_eq!(status, 200, "{record}");
    assert!(record["client"]["crl_next_update"].is_string(), "{record}");
    let (status, record) = ca.ask(&function, &ca.revoked).await;
    assert_eq!(
        (status, &record["code"], &record["detail"]),
        (401, &"ClientCertCrlHit".into(), &"revoked".into())
    );
}

#[tokio::test]
async fn a_revoked_issuing_ca_takes_its_clients_with_it() {
    let ca = ServerlessCa::new();
    ca.publish(now() - Duration::hours(1));
    ca.write_root_crl(&ca.crl(now()).revoke(&ca.issuing).issued_by(&ca.root).unwrap());
    let function = ca.respond(&[]).await;
    let (status, record) = ca.ask(&function, &ca.good).await;
    assert_eq!((status, &record["detail"]), (401, &"revoked".into()));
    // The setting that looks no further than the client's own certificate does not see it.
    let function = ca.respond(&[("MTLS_REVOCATION_DEPTH", "leaf")]).await;
    assert_eq!(ca.ask(&function, &ca.good).await.0, 200);
}

#[tokio::test]
async fn stale_crls_clear_nobody_unless_within_the_grace() {
    let ca = ServerlessCa::new();
    ca.publish(now() - LIFETIME - Duration::minutes(30));
    let function = ca.respond(&[]).await;
    let (status, record) = ca.ask(&function, &ca.good).await;
    assert_eq!(
        (status, &record["code"], &record["detail"]),
        (401, &"ClientCertCrlProcessingError".into(), &"crl_stale".into())
    );
    let function = ca.respond(&[("MTLS_CRL_GRACE", "1h")]).await;
    assert_eq!(ca.ask(&function, &ca.good).await.0, 200);
    assert_eq!(ca.ask(&function, &ca.revoked).await.0, 401);
}

#[tokio::test]
async fn soft_revocation_lets_an_unknown_status_pass_and_a_revoked_client_never() {
    let ca = ServerlessCa::new();
    ca.publish(now() - LIFETIME - Duration::minutes(30));
    let function = ca.respond(&[("MTLS_REVOCATION", "soft")]).await;
    let (status, record) = ca.ask(&function, &ca.good).await;
    assert_eq!(
        (status, &record["client"]["revocation_unknown"]),
        (200, &"crl_stale".into())
    );
    let (status, record) = ca.ask(&function, &ca.revoked).await;
    assert_eq!(
        (status, &record["detail"]),
        (401, &"revoked".into()),
        "stale or not, it is revoked"
    );
}

#[tokio::test]
async fn with_one_level_missing_the_status_is_unknown() {
    let ca = ServerlessCa::new();
    ca.publish(now() - Duration::hours(1));
    std::fs::copy(
        ca.files.directory().join("example-issuing-ca.crl"),
        ca.files.directory().join("example-root-ca.crl.pem"),
    )
    .unwrap();
    let function = ca.respond(&[]).await;
    let (status, record) = ca.ask(&function, &ca.good).await;
    assert_eq!(
        (status, &record["detail"]),
        (401, &"crl_missing".into()),
        "{record}"
    );
}

#[tokio::test]
async fn without_its_crls_a_strict_function_answers_503() {
    let ca = ServerlessCa::new();
    let function = ca.respond(&[]).await;
    let (status, record) = ca.ask(&function, &ca.good).await;
    assert_eq!((status, &record["detail"]), (503, &"no_trust_material".into()));
}

#[tokio::test]
async fn a_revocation_is_seen_within_one_refresh() {
    let ca = ServerlessCa::new();
    let made = now() - Duration::hours(1);
    ca.publish(made);
    let function = ca.respond(&[("MTLS_REFRESH", "1s")]).await;
    assert_eq!(ca.ask(&function, &ca.good).await.0, 200);
    let newer = ca
        .crl(made + Duration::minutes(1))
        .revoke(&ca.revoked)
        .revoke(&ca.good);
    let crl = newer.issued_by(&ca.issuing).unwrap();
    std::fs::write(ca.files.directory().join("example-issuing-ca.crl"), crl.der()).unwrap();
    let refused = tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while ca.ask(&function, &ca.good).await.0 == 200 {}
    });
    refused.await.expect("the function looks its CRLs up again");
}
