//! The CRLs that a source is bound to, and the record of them beside what is published.

use std::process::Command;

use local_alb::InvocationOutcome;
use serde_json::Value;
use test_pki::{Crl, CrlBuilder, CrlScope};

use crate::deployment::{BUCKET, Deployment, verdict};
use crate::web::Web;

const STATE: &str = ".state.json";

/// Source with the keys of what is published for it.
struct Source {
    deployment: Deployment,
    web: Web,
    url: String,
    key: String,
    state: String,
}

impl Source {
    async fn new() -> Self {
        let (deployment, web) = (Deployment::new(), Web::start().await);
        let key = format!("crls/127.0.0.1_{}/ca.crl", web.address.port());
        Self {
            url: web.url("/ca.crl"),
            state: format!("{key}{STATE}"),
            deployment,
            web,
            key,
        }
    }

    fn serve(&self, crl: &Crl) {
        self.web.put_content("/ca.crl", crl.der());
    }

    fn state(&self) -> Value {
        serde_json::from_slice(&self.deployment.object(&self.state).unwrap()).unwrap()
    }

    fn numbers(&self) -> Vec<String> {
        let state = self.state();
        let lists = state["lists"].as_array().unwrap().iter();
        let mut numbers: Vec<String> = lists
            .map(|list| {
                let number = list["number"].as_str().unwrap();
                let past = if list["expected"] == true { "" } else { " past" };
                format!("{number}{past}")
            })
            .collect();
        numbers.sort();
        numbers
    }

    fn delete(&self, key: &str) {
        let status = Command::new("curl")
            .args(["--silent", "--fail", "-X", "DELETE", "-H"])
            .arg("authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0")
            .arg(format!("{}/{BUCKET}/{key}", self.deployment.moto.endpoint()))
            .status()
            .unwrap();
        assert!(status.success());
    }
}

#[tokio::test]
async fn a_source_is_bound_to_the_issuer_and_scope_that_it_delivered_first() {
    let source = Source::new().await;
    let mut function = source.deployment.function(&[&source.url], &[]).await;
    let fifth = source.deployment.issuing_crl(5);
    source.serve(&fifth);
    assert_eq!(verdict(&function.refresh().await), "published");
    assert_eq!(source.numbers(), ["0x5"]);

    let scoped = |number, scope| {
        let crl = CrlBuilder::new().number(number).scope(scope);
        crl.issued_by(&source.deployment.issuing).unwrap()
    };
    for other in [
        source.deployment.root_crl(9),
        scoped(9, CrlScope::EndEntities),
        scoped(9, CrlScope::Authorities),
    ] {
        source.serve(&other);
        let record = function.refresh().await;
        let words =
            "this source is bound to the CRL of CN=Issuing,O=Example for all certificates; if that is meant";
        assert_eq!(record["outcome"], "refused", "{record}");
        assert!(verdict(&record).contains(words), "{record}");
        assert_eq!(
            (&record["level"], &record["CrlRefreshFailure"]),
            (&"ERROR".into(), &1.into())
        );
        assert_eq!(record["lists"][0]["number"], "0x5");
        assert_eq!(source.deployment.object(&source.key).unwrap(), fifth.der());
    }
    source.serve(&source.deployment.issuing_crl(6));
    assert_eq!(verdict(&function.refresh().await), "published");
    assert_eq!(source.numbers(), ["0x6"]);
}

#[tokio::test]
async fn a_list_that_leaves_a_file_of_several_is_refused() {
    let source = Source::new().await;
    let mut function = source.deployment.function(&[&source.url], &[]).await;
    let (root, issuing) = (source.deployment.root_crl(1), source.deployment.issuing_crl(1));
    source
        .web
        .put_content("/ca.crl", (root.pem() + &issuing.pem()).as_bytes());
    assert_eq!(verdict(&function.refresh().await), "published");
    for one in [&root, &issuing] {
        source.serve(one);
        let record = function.refresh().await;
        assert!(
            verdict(&record).contains("is missing, which was in use"),
            "{record}"
        );
        assert!(
            verdict(&record).contains(r#"{"rebind": ["http://127.0.0.1"#),
            "{record}"
        );
    }
    source
        .web
        .put_content("/ca.crl", (issuing.pem() + &root.pem()).as_bytes());
    assert_eq!(
        verdict(&function.refresh().await),
        "published",
        "the order does not matter"
    );
}

#[tokio::test]
async fn rebind_lifts_a_binding_once_and_keeps_the_numbers() {
    let source = Source::new().await;
    let mut function = source.deployment.function(&[&source.url], &[]).await;
    source.serve(&source.deployment.issuing_crl(5));
    assert_eq!(verdict(&function.refresh().await), "published");
    let root = source.deployment.root_crl(1);
    source.serve(&root);
    assert_eq!(verdict(&function.rebind(&source.url).await), "published");
    assert_eq!(source.deployment.object(&source.key).unwrap(), root.der());
    assert_eq!(source.numbers(), ["0x1", "0x5 past"]);

    for number in [4, 5, 6] {
        source.serve(&source.deployment.issuing_crl(number));
        assert!(verdict(&function.refresh().await).contains("is bound to the CRL of CN=Root"));
    }
    source.serve(&source.deployment.issuing_crl(4));
    assert!(verdict(&function.rebind(&source.url).await).contains("goes back from number 0x5 to 0x4"));
    assert_eq!(source.deployment.object(&source.key).unwrap(), root.der());
    source.serve(&source.deployment.issuing_crl(6));
    assert_eq!(verdict(&function.rebind(&source.url).await), "published");
    assert_eq!(source.numbers(), ["0x1 past", "0x6"]);

    let unknown = function
        .environment
        .invoke(r#"{"rebind": ["http://127.0.0.1/other.crl"]}"#)
        .await;
    match unknown {
        InvocationOutcome::FunctionError { message, .. } => {
            assert!(
                message.contains("which is not among the CRLs of this function"),
                "{message}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_published_is_known_without_a_record() {
    let source = Source::new().await;
    let mut function = source.deployment.function(&[&source.url], &[]).await;
    let fifth = source.deployment.issuing_crl(5);
    source.serve(&fifth);
    assert_eq!(verdict(&function.refresh().await), "published");
    for other in [source.deployment.root_crl(9), source.deployment.issuing_crl(4)] {
        source.delete(&source.state);
        source.serve(&other);
        assert_eq!(function.refresh().await["outcome"], "refused");
        assert_eq!(source.deployment.object(&source.key).unwrap(), fifth.der());
    }
    source.serve(&fifth);
    assert_eq!(verdict(&function.refresh().await), "unchanged");
    assert_eq!(source.numbers(), ["0x5"], "the record is there again");
}

#[tokio::test]
async fn the_record_is_known_without_what_was_published() {
    let source = Source::new().await;
    let mut function = source.deployment.function(&[&source.url], &[]).await;
    source.serve(&source.deployment.issuing_crl(5));
    assert_eq!(verdict(&function.refresh().await), "published");
    let old = source.deployment.issuing_crl(4);
    for replaced in [
        None,
        Some("garbage".to_owned()),
        Some(old.pem()),
        Some(source.deployment.root_crl(9).pem()),
    ] {
        match replaced {
            None => source.delete(&source.key),
            Some(content) => drop(source.deployment.moto.put_object(BUCKET, &source.key, content)),
        }
        source.serve(&old);
        let record = function.refresh().await;
        assert!(
            verdict(&record).contains("goes back from number 0x5 to 0x4"),
            "{record}"
        );
        source.serve(&source.deployment.root_crl(10));
        assert!(verdict(&function.refresh().await).contains("is bound to"));
    }
    source.serve(&source.deployment.issuing_crl(5));
    assert_eq!(verdict(&function.refresh().await), "published");
}

#[tokio::test]
async fn a_record_that_cannot_be_understood_stops_the_source() {
    let source = Source::new().await;
    let mut function = source.deployment.function(&[&source.url], &[]).await;
    source.serve(&source.deployment.issuing_crl(5));
    assert_eq!(verdict(&function.refresh().await), "published");
    let good = source.deployment.object(&source.state).unwrap();
    source.serve(&source.deployment.issuing_crl(6));
    for damaged in ["", "{}", "garbage", r#"{"format": 2, "lists": []}"#] {
        source.deployment.moto.put_object(BUCKET, &source.state, damaged);
        let record = function.refresh().await;
        assert_eq!(record["outcome"], "refused", "{record}");
        assert!(
            verdict(&record).contains("put its former version back"),
            "{record}"
        );
    }
    source.deployment.moto.put_object(BUCKET, &source.state, &good);
    assert_eq!(verdict(&function.refresh().await), "published");
}

#[tokio::test]
async fn a_run_that_ended_before_the_record_loses_no_number() {
    let source = Source::new().await;
    let mut function = source.deployment.function(&[&source.url], &[]).await;
    source.serve(&source.deployment.issuing_crl(5));
    assert_eq!(verdict(&function.refresh().await), "published");
    let sixth = source.deployment.issuing_crl(6);
    source
        .deployment
        .moto
        .put_object(BUCKET, &source.key, sixth.der());
    source.serve(&source.deployment.issuing_crl(5));
    let record = function.refresh().await;
    assert!(
        verdict(&record).contains("goes back from number 0x6 to 0x5"),
        "{record}"
    );
    source.serve(&sixth);
    assert_eq!(verdict(&function.refresh().await), "unchanged");
    assert_eq!(source.numbers(), ["0x6"]);
}

#[tokio::test]
async fn of_one_number_only_the_list_that_revokes_more_is_published() {
    let source = Source::new().await;
    let mut function = source.deployment.function(&[&source.url], &[]).await;
    let now = time::OffsetDateTime::now_utc();
    let made = |serials: &[u8]| {
        let start = CrlBuilder::new()
            .number(5)
            .valid(now - time::Duration::HOUR, now + time::Duration::DAY);
        let crl = serials
            .iter()
            .fold(start, |crl, serial| crl.revoke_serial(&[*serial], None, now));
        crl.issued_by(&source.deployment.issuing).unwrap()
    };
    for (serials, expected) in [
        (&[1][..], "published"),
        (&[1, 2], "published"),
        (&[1], "refused"),
        (&[1, 3], "refused"),
    ] {
        source.serve(&made(serials));
        assert_eq!(function.refresh().await["outcome"], expected, "{serials:?}");
    }
}

#[tokio::test]
async fn only_without_crl_and_record_a_source_begins_again() {
    let source = Source::new().await;
    let mut function = source.deployment.function(&[&source.url], &[]).await;
    source.serve(&source.deployment.issuing_crl(5));
    assert_eq!(verdict(&function.refresh().await), "published");
    source.serve(&source.deployment.issuing_crl(4));
    for key in [&source.key, &source.state] {
        assert_eq!(function.refresh().await["outcome"], "refused");
        source.delete(key);
    }
    assert_eq!(verdict(&function.refresh().await), "published");
    assert_eq!(source.numbers(), ["0x4"]);
}
