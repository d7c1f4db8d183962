//! The shape of AWS Private CA with partitioned CRLs: each certificate names the partition that it
//! may be revoked in, and each CRL says in a critical issuing distribution point which partition it
//! is.

use alb_mtls_tests::{Clients, Function};
use serde_json::Value;
use test_pki::{CertificateBuilder, Credential, Crl, CrlBuilder};
use time::{Duration, OffsetDateTime};

use super::{ask, now, respond};

/// A root and a subordinate CA; clients in two partitions of the latter.
struct PrivateCa {
    files: Clients,
    root: Credential,
    subordinate: Credential,
    good: Credential,
    revoked: Credential,
    other_partition: Credential,
}

/// Lifetime of a CRL; AWS Private CA replaces it after half of that.
const LIFETIME: Duration = Duration::days(7);

const ROOT_PARTITION: &str =
    "http://pca.s3.eu-central-1.amazonaws.com/crl/0a1b2c3d-0000-4000-8000-000000000001/9f8e7d6c.crl";
const PARTITION: &str =
    "http://pca.s3.eu-central-1.amazonaws.com/crl/0a1b2c3d-0000-4000-8000-000000000002/1a2b3c4d.crl";
const OTHER_PARTITION: &str =
    "http://pca.s3.eu-central-1.amazonaws.com/crl/0a1b2c3d-0000-4000-8000-000000000002/5e6f7a8b.crl";

/// The files of the three partitions.
const FILES: [&str; 3] = ["root.crl", "first.crl", "other.crl"];

impl PrivateCa {
    fn new() -> Self {
        let root = CertificateBuilder::root("CN=Private Root CA,O=Example")
            .self_signed()
            .unwrap();
        let subordinate = CertificateBuilder::intermediate("CN=Private Subordinate CA,O=Example")
            .crl_distribution_point(ROOT_PARTITION)
            .issued_by(&root)
            .unwrap();
        let client = |name: &str, partition: &str| {
            CertificateBuilder::client(&format!("CN={name},O=Example"))
                .crl_distribution_point(partition)
                .issued_by(&subordinate)
                .unwrap()
        };
        let (good, revoked) = (client("good", PARTITION), client("revoked", PARTITION));
        let other_partition = client("other partition", OTHER_PARTITION);
        let files = Clients::new();
        files.write("anchors.pem", &root.pem());
        Self {
            files,
            root,
            subordinate,
            good,
            revoked,
            other_partition,
        }
    }

    /// Publishes every partition as made at this time.
    fn publish(&self, made: OffsetDateTime) {
        self.write(
            "root.crl",
            &partition(ROOT_PARTITION, made).issued_by(&self.root).unwrap(),
        );
        let first = partition(PARTITION, made).revoke(&self.revoked);
        self.write("first.crl", &first.issued_by(&self.subordinate).unwrap());
        let other = partition(OTHER_PARTITION, made);
        self.write("other.crl", &other.issued_by(&self.subordinate).unwrap());
    }

    fn write(&self, name: &str, crl: &Crl) {
        std::fs::write(self.files.directory().join(name), crl.der()).unwrap();
    }

    async fn respond(&self, files: &[&str], others: &[(&str, &str)]) -> Function {
        let source = |name: &&str| format!("file:{}", self.files.directory().join(name).display());
        let crls: Vec<String> = files.iter().map(source).collect();
        respond(&self.files.anchors_source(), &crls.join(" "), others).await
    }

    async fn ask(&self, function: &Function, client: &Credential) -> (u16, Value) {
        ask(function, [client, &self.subordinate]).await
    }
}

fn partition(uri: &str, made: OffsetDateTime) -> CrlBuilder {
    CrlBuilder::new()
        .valid(made, made + LIFETIME)
        .number(u64::try_from(made.unix_timestamp()).unwrap())
        .distribution_point(uri)
}

#[test]
fn the_partitions_are_what_openssl_takes_for_such() {
    let ca = PrivateCa::new();
    ca.publish(now() - Duration::hours(1));
    let output = std::process::Command::new("openssl")
        .args(["crl", "-inform", "DER", "-noout", "-text", "-in"])
        .arg(ca.files.directory().join("first.crl"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("X509v3 Issuing Distribution Point: critical"),
        "{text}"
    );
    assert!(text.contains(PARTITION), "{text}");
}

#[tokio::test]
async fn each_client_is_cleared_by_its_own_partition() {
    let ca = PrivateCa::new();
    ca.publish(now() - Duration::hours(1));
    let function = ca.respond(&FILES, &[]).await;
    for client in [&ca.good, &ca.other_partition] {
        let (status, record) = ca.ask(&function, client).await;
        assert_eq!(status, 200, "{record}");
        assert!(record["client"]["crl_next_update"].is_string(), "{record}");
    }
    let (status, record) = ca.ask(&function, &ca.revoked).await;
    assert_eq!(
        (status, &record["code"], &record["detail"]),
        (401, &"ClientCertCrlHit".into(), &"revoked".into())
    );
}

#[tokio::test]
async fn without_its_partition_the_status_of_a_client_is_unknown() {
    let ca = PrivateCa::new();
    ca.publish(now() - Duration::hours(1));
    let strict = ca.respond(&["root.crl", "first.crl"], &[]).await;
    assert_eq!(ca.ask(&strict, &ca.good).await.0, 200);
    let (status, record) = ca.ask(&strict, &ca.other_partition).await;
    assert_eq!(
        (status, &record["code"], &record["detail"]),
        (401, &"ClientCertCrlProcessingError".into(), &"crl_scope".into())
    );

    let soft = ca
        .respond(&["root.crl", "first.crl"], &[("MTLS_REVOCATION", "soft")])
        .await;
    let (status, record) = ca.ask(&soft, &ca.other_partition).await;
    assert_eq!(
        (status, &record["client"]["revocation_unknown"]),
        (200, &"crl_scope".into())
    );
    assert_eq!(ca.ask(&soft, &ca.revoked).await.0, 401);
}

#[tokio::test]
async fn a_partition_in_the_place_of_another_clears_nobody_of_that_one() {
    let ca = PrivateCa::new();
    ca.publish(now() - Duration::hours(1));
    let files = ca.files.directory();
    std::fs::copy(files.join("other.crl"), files.join("first.crl")).unwrap();
    let function = ca.respond(&FILES, &[]).await;
    assert_eq!(ca.ask(&function, &ca.other_partition).await.0, 200);
    for client in [&ca.good, &ca.revoked] {
        let (status, record) = ca.ask(&function, client).await;
        assert_eq!((status, &record["detail"]), (401, &"crl_scope".into()));
    }
}

#[tokio::test]
async fn a_client_that_names_no_partition_is_cleared_by_none() {
    let ca = PrivateCa::new();
    ca.publish(now() - Duration::hours(1));
    let nameless = CertificateBuilder::client("CN=nameless,O=Example")
        .issued_by(&ca.subordinate)
        .unwrap();
    let function = ca.respond(&FILES, &[]).await;
    let (status, record) = ca.ask(&function, &nameless).await;
    assert_eq!((status, &record["detail"]), (401, &"crl_scope".into()));
}

#[tokio::test]
async fn a_revoked_subordinate_takes_its_clients_with_it() {
    let ca = PrivateCa::new();
    ca.publish(now() - Duration::hours(1));
    let root = partition(ROOT_PARTITION, now()).revoke(&ca.subordinate);
    ca.write("root.crl", &root.issued_by(&ca.root).unwrap());
    for mode in ["strict", "soft"] {
        let function = ca.respond(&FILES, &[("MTLS_REVOCATION", mode)]).await;
        let (status, record) = ca.ask(&function, &ca.good).await;
        assert_eq!((status, &record["detail"]), (401, &"revoked".into()), "{mode}");
    }
}

#[tokio::test]
async fn stale_partitions_clear_nobody_unless_within_the_grace() {
    let ca = PrivateCa::new();
    ca.publish(now() - LIFETIME - Duration::minutes(30));
    let function = ca.respond(&FILES, &[]).await;
    let (status, record) = ca.ask(&function, &ca.good).await;
    assert_eq!(
        (status, &record["code"], &record["detail"]),
        (401, &"ClientCertCrlProcessingError".into(), &"crl_stale".into())
    );
    let function = ca.respond(&FILES, &[("MTLS_CRL_GRACE", "1h")]).await;
    assert_eq!(ca.ask(&function, &ca.good).await.0, 200);
    assert_eq!(ca.ask(&function, &ca.revoked).await.0, 401);
}

#[tokio::test]
async fn one_level_that_is_missing_leaves_the_status_unknown() {
    let ca = PrivateCa::new();
    ca.publish(now() - Duration::hours(1));
    for files in [["first.crl", "other.crl"].as_slice(), &["root.crl"]] {
        let function = ca.respond(files, &[]).await;
        let (status, record) = ca.ask(&function, &ca.good).await;
        assert_eq!(
            (status, &record["code"], &record["detail"]),
            (401, &"ClientCertCrlProcessingError".into(), &"crl_missing".into()),
            "{files:?}: {record}"
        );
    }
}
