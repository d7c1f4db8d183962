//! CRLs that are never published, and what stays in their place.

use local_alb::InvocationOutcome;
use test_pki::{CertificateBuilder, Criticality, CrlBuilder, KeyKind, KeyUsage};
use time::{Duration, OffsetDateTime};

use crate::deployment::{Deployment, verdict};
use crate::web::{Page, Web};

#[tokio::test]
async fn a_bad_file_never_replaces_the_last_good_one() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    let key = format!("crls/127.0.0.1_{}/root.crl", web.address.port());
    let mut function = deployment
        .function(&[&web.url("/root.crl")], &[("CRL_MAX_BYTES", "100000")])
        .await;
    let good = deployment.root_crl(5);
    web.put_content("/root.crl", good.der());
    assert_eq!(verdict(&function.refresh().await), "published");

    let stranger = CertificateBuilder::root("CN=Stranger").self_signed().unwrap();
    let impostor = CertificateBuilder::root("CN=Root,O=Example")
        .self_signed()
        .unwrap();
    let by = |credential| CrlBuilder::new().number(6).issued_by(credential).unwrap();
    let mut forged = deployment.root_crl(6).der().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let future = CrlBuilder::new()
        .number(6)
        .valid(
            OffsetDateTime::now_utc() + Duration::HOUR,
            OffsetDateTime::now_utc() + Duration::DAY,
        )
        .issued_by(&deployment.root)
        .unwrap();
    let with_ed25519 = CertificateBuilder::root("CN=Root,O=Example")
        .key_kind(KeyKind::Ed25519)
        .self_signed()
        .unwrap();
    let endless = CrlBuilder::new().number(6).without_next_update();
    let endless = endless.issued_by(&deployment.root).unwrap();
    let delta = CrlBuilder::new()
        .number(6)
        .delta_of(5)
        .issued_by(&deployment.root)
        .unwrap();
    let second_bad = [deployment.root_crl(6).pem(), by(&stranger).pem()].concat();
    let key_pem = deployment.root.key().to_pem().unwrap();
    let next = deployment.root_crl(6);
    for (page, expected) in [
        (
            Page::Content(next.der()[..next.der().len() - 1].to_vec()),
            "is DER that is cut off",
        ),
        (Page::Content(Vec::new()), "there is no CRL in it"),
        (
            Page::Content(b"<html>Service unavailable</html>".to_vec()),
            "is an HTML page",
        ),
        (
            Page::Content(deployment.root.pem().into_bytes()),
            "begins a certificate (`CERTIFICATE`)",
        ),
        (Page::Content(key_pem.into_bytes()), "holds a private key"),
        (
            Page::Content(by(&stranger).der().to_vec()),
            "its issuer is not among the anchors and intermediates",
        ),
        (
            Page::Content(by(&impostor).der().to_vec()),
            "its signature does not verify with the key of its issuer",
        ),
        (
            Page::Content(forged),
            "its signature does not verify with the key of its issuer",
        ),
        (
            Page::Content(second_bad.into_bytes()),
            "its issuer is not among the anchors and intermediates",
        ),
        (Page::Content(future.der().to_vec()), "it is not yet to be used"),
        (
            Page::Content(by(&with_ed25519).der().to_vec()),
            "its signature algorithm is not supported: Ed25519 (1.3.101.112)",
        ),
        (
            Page::Content(endless.der().to_vec()),
            "it has no nextUpdate (RFC 5280 section 5.1.2.5), so that it would never end: give CRLs an end, and what is \
             published is without a defect",
        ),
        (Page::Content(delta.der().to_vec()), "changes only"),
        (Page::Content(vec![0x30; 100_001]), "is larger than 100000 bytes"),
        (Page::Endless, "is larger than 100000 bytes"),
        (
            Page::Head("404 Not Found".to_owned()),
            "the server answered 404 Not Found",
        ),
        (
            Page::Head("204 No Content".to_owned()),
            "the server answered 204 No Content",
        ),
    ] {
        web.put("/root.crl", page);
        let record = function.refresh().await;
        assert_eq!(record["outcome"], "refused", "{record}");
        assert!(verdict(&record).contains(expected), "{expected}: {record}");
        assert_eq!(record["lists"][0]["number"], "0x5");
    }
    for (page, expected) in [
        (Page::Broken(next.der().to_vec()), "the answer broke off"),
        (Page::Head("500 Oops".to_owned()), "the server answered 500"),
        (Page::Head("nonsense".to_owned()), "the connection broke"),
    ] {
        web.put("/root.crl", page);
        let error = function.error().await;
        assert!(error.contains(expected), "{expected}: {error}");
        assert_eq!(function.record().await["outcome"], "unreachable");
    }
    assert_eq!(deployment.object(&key).unwrap(), good.der());
}

#[tokio::test]
async fn an_authority_that_may_not_sign_crls_is_refused() {
    let deployment = Deployment::with_issuing(|builder| builder.key_usage(&[KeyUsage::KeyCertSign]));
    let web = Web::start().await;
    web.put_content("/issuing.crl", deployment.issuing_crl(1).der());
    let mut function = deployment.function(&[&web.url("/issuing.crl")], &[]).await;
    let record = function.refresh().await;
    assert!(
        verdict(&record).contains("the key usage of its issuer lacks cRLSign"),
        "{record}"
    );
}

/// The gate would not let such a CRL clear a certificate, and it would replace one that does.
#[tokio::test]
async fn crl_signatures_keeps_out_what_the_gate_would_not_rely_on() {
    let deployment = Deployment::with_issuing(|issuing| issuing.key_kind(KeyKind::MlDsa65));
    let web = Web::start().await;
    let crl = deployment.issuing_crl(1);
    web.put_content("/issuing.crl", crl.der());
    let url = web.url("/issuing.crl");
    let allowed = [("CRL_SIGNATURES", "ml-dsa-87 ecdsa-p256-sha256")];
    let mut function = deployment.function(&[&url], &allowed).await;
    let said = verdict(&function.refresh().await);
    assert!(
        said.contains("it is signed with ml-dsa-65, which CRL_SIGNATURES does not list"),
        "{said}"
    );
    let key = format!("crls/127.0.0.1_{}/issuing.crl", web.address.port());
    assert_eq!(deployment.object(&key), None);
    for allowed in [&[][..], &[("CRL_SIGNATURES", "ml-dsa-65")]] {
        let mut function = deployment.function(&[&url], allowed).await;
        assert_ne!(verdict(&function.refresh().await), said);
    }
    assert_eq!(deployment.object(&key).unwrap(), crl.der());
}

#[tokio::test]
async fn a_server_that_stalls_costs_the_time_limit_and_no_more() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    web.put("/slow.crl", Page::Stalled);
    web.put_content("/root.crl", deployment.root_crl(1).der());
    let sources = [web.url("/slow.crl"), web.url("/root.crl")];
    let mut function = deployment
        .function(&[&sources[0], &sources[1]], &[("CRL_TIMEOUT", "1s")])
        .await;
    let error = function.error().await;
    assert!(
        error.contains("there was no complete answer within 1 s"),
        "{error}"
    );
    let slow = function.record().await;
    let milliseconds = slow["duration_ms"].as_u64().unwrap();
    assert!((1_000..5_000).contains(&milliseconds), "{slow}");
    assert_eq!(verdict(&function.record().await), "published");
}

#[tokio::test]
async fn without_usable_anchors_nothing_is_fetched() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    std::fs::write(deployment.folder().join("root.pem"), "no certificate").unwrap();
    let function = deployment.function(&[&web.url("/root.crl")], &[]).await;
    let error = function.error().await;
    assert!(
        error.contains("the certificates that CRLs are verified with"),
        "{error}"
    );
    assert!(error.contains("there is no certificate in it"), "{error}");
    assert_eq!(web.connections(), 0);
}

#[tokio::test]
async fn an_ended_crl_does_not_replace_a_current_one() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    let key = format!("crls/127.0.0.1_{}/root.crl", web.address.port());
    let mut function = deployment.function(&[&web.url("/root.crl")], &[]).await;
    let now = OffsetDateTime::now_utc();
    let ended = |number| {
        let crl = CrlBuilder::new().number(number);
        crl.valid(now - Duration::DAY, now - Duration::MINUTE)
            .issued_by(&deployment.root)
            .unwrap()
    };
    // With nothing else, an ended one is better than none: it still revokes.
    for (crl, expected) in [
        (ended(1), "published"),
        (ended(2), "published"),
        (deployment.root_crl(3), "published"),
        (ended(4), "refused"),
    ] {
        web.put_content("/root.crl", crl.der());
        let record = function.refresh().await;
        assert_eq!(record["outcome"], expected, "{record}");
    }
    web.put_content("/root.crl", ended(4).der());
    let record = function.refresh().await;
    assert!(
        verdict(&record).contains("it has ended, and what is published has not"),
        "{record}"
    );
    assert_eq!(record["level"], "ERROR");
    let published = deployment.object(&key).unwrap();
    assert_eq!(record["lists"][0]["number"], "0x3");
    assert_ne!(published, ended(4).der());
}

#[tokio::test]
async fn a_crl_with_a_defect_is_published_only_where_there_is_nothing_better() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    let mut function = deployment.function(&[&web.url("/root.crl")], &[]).await;
    let endless = |number| {
        let crl = CrlBuilder::new().number(number).without_next_update();
        crl.issued_by(&deployment.root).unwrap()
    };
    let unreadable_scope = CrlBuilder::new()
        .number(1)
        .extension("2.5.29.28", Criticality::Critical, &[0x04, 0x00])
        .issued_by(&deployment.root)
        .unwrap();
    for (crl, expected) in [
        (unreadable_scope, "refused"),
        (endless(2), "published"),
        (endless(3), "published"),
        (endless(2), "refused"),
        (deployment.root_crl(4), "published"),
        (endless(5), "refused"),
    ] {
        web.put_content("/root.crl", crl.der());
        let record = function.refresh().await;
        assert_eq!(record["outcome"], expected, "{record}");
        let list = &record["lists"][0];
        let number = list["number"].as_str();
        let has_defect = list["defect"]
            .as_str()
            .is_some_and(|defect| defect.starts_with("has no nextUpdate"));
        assert_eq!(has_defect, matches!(number, Some("0x2" | "0x3")), "{record}");
    }
}

#[tokio::test]
async fn each_crl_has_a_record_when_the_time_runs_out() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    web.put("/slow.crl", Page::Stalled);
    web.put("/slower.crl", Page::Stalled);
    let sources = [web.url("/slow.crl"), web.url("/slower.crl")];
    let time = std::time::Duration::from_secs(4);
    let mut function = deployment
        .function_within(time, &[&sources[0], &sources[1]], &[])
        .await;
    match function.environment.invoke("{}").await {
        InvocationOutcome::FunctionError { error_type, message } => {
            assert_eq!(error_type, "CrlsUnreachable");
            assert!(message.contains("2 of 2 CRLs could not be fetched"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    let mut seen = Vec::new();
    for _ in &sources {
        let record = function.record().await;
        assert!(
            verdict(&record).contains("the time of the invocation ran out"),
            "{record}"
        );
        assert_eq!(record["CrlRefreshFailure"], 1);
        seen.push(record["source"].as_str().unwrap().to_owned());
    }
    seen.sort();
    assert_eq!(seen, sources);
}
