//! The shape of serverless-ca: a P-384 root, a P-256 issuing CA, clients with a common name alone,
//! and a CRL of each level that lives for one day and ten minutes, made every day.

use alb_mtls_tests::{Clients, Function, certificate_headers, header_of};
use serde_json::Value;
use test_pki::{CertificateBuilder, Credential, Crl, CrlBuilder, KeyKind};
use time::{Duration, OffsetDateTime};

use super::{ask, now, respond};

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

    /// Writes both levels' CRLs as made at this time, the issuing CA's in DER and the root's in
    /// PEM, as published.
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
        let crls = format!(
            "{} {}",
            self.source("example-root-ca.crl.pem"),
            self.source("example-issuing-ca.crl")
        );
        respond(&self.source("example-ca-bundle.pem"), &crls, others).await
    }

    async fn ask(&self, function: &Function, client: &Credential) -> (u16, Value) {
        ask(function, [client, &self.issuing]).await
    }
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

#[tokio::test]
async fn what_is_revoked_is_refused_in_every_mode_and_whatever_else_is_unknown() {
    let ca = ServerlessCa::new();
    let (fresh, stale) = (
        now() - Duration::hours(1),
        now() - LIFETIME - Duration::minutes(30),
    );
    for made in [fresh, stale] {
        ca.publish(made);
        // The root's CRL is always out of date: the status of the issuing CA is not known.
        ca.write_root_crl(&ca.crl(stale).issued_by(&ca.root).unwrap());
        for mode in ["strict", "soft"] {
            for depth in ["chain", "leaf"] {
                let settings = [("MTLS_REVOCATION", mode), ("MTLS_REVOCATION_DEPTH", depth)];
                let function = ca.respond(&settings).await;
                let (status, record) = ca.ask(&function, &ca.revoked).await;
                assert_eq!(
                    (status, &record["code"], &record["detail"]),
                    (401, &"ClientCertCrlHit".into(), &"revoked".into()),
                    "{mode}, {depth}, {made}: {record}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_crl_that_is_rolled_back_or_forged_leaves_the_last_good_one_in_use() {
    let cases = [
        ("older", "goes back from number"),
        ("forged", "its signature does not verify"),
        ("of another CA", "its signature does not verify"),
        ("cut off", "is DER that is cut off"),
        ("empty", "there is no CRL in it"),
    ];
    let cases = cases.map(async |(name, words)| {
        let ca = ServerlessCa::new();
        let made = now() - Duration::hours(1);
        ca.publish(made);
        let function = ca.respond(&[("MTLS_REFRESH", "1s")]).await;
        assert_eq!(ca.ask(&function, &ca.revoked).await.0, 401, "{name}");

        // None of these lists has an entry: using one would allow the revoked client.
        let newer = ca.crl(made + Duration::minutes(1));
        let content = match name {
            "older" => {
                let older = ca.crl(made - Duration::hours(1));
                older.issued_by(&ca.issuing).unwrap().der().to_vec()
            }
            "of another CA" => {
                let impostor = CertificateBuilder::intermediate("CN=Serverless Issuing CA");
                let impostor = impostor.issued_by(&ca.root).unwrap();
                newer.issued_by(&impostor).unwrap().der().to_vec()
            }
            _ => {
                let mut content = newer.issued_by(&ca.issuing).unwrap().der().to_vec();
                match name {
                    "forged" => *content.last_mut().unwrap() ^= 1,
                    "cut off" => drop(content.pop()),
                    _ => content.clear(),
                }
                content
            }
        };
        std::fs::write(ca.files.directory().join("example-issuing-ca.crl"), content).unwrap();
        let mut log = Vec::new();
        let refused = async {
            let is_refusal = |line: &String| line.contains("trust material refused") && line.contains(words);
            while !log.iter().any(is_refusal) {
                let headers = certificate_headers(header_of([&ca.revoked, &ca.issuing]));
                assert_eq!(function.get("/", &headers).await.status, 401, "{name}");
                let lines = function.log().into_iter();
                log.extend(lines.filter(|line| !line.contains("\"decision\"")));
            }
        };
        let outcome = tokio::time::timeout(std::time::Duration::from_secs(30), refused).await;
        assert!(outcome.is_ok(), "{name}: {}", log.join("\n"));
    });
    futures_util::future::join_all(cases).await;
}
