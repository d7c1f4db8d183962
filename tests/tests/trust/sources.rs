//! Every kind of source.

use std::process::Command;

use alb_mtls_tests::{Clients, Moto};

use super::{ask, proxy, respond, side_by_side};

#[tokio::test]
async fn verdicts_are_the_same_wherever_the_anchors_come_from() {
    let moto = Moto::shared();
    let clients = Clients::new();
    let foreign = Clients::of("Foreign");
    let (pem, other) = (clients.root.pem(), Clients::of("Other").root.pem());
    moto.put_parameter("/sources/anchors/root", &pem);
    moto.put_parameter("/sources/anchors/other", &other);
    moto.put_parameter("/sources/anchors/below/too-deep", &foreign.root.pem());
    moto.put_secure_parameter("/sources/secret/root", &pem);
    moto.put_parameter("/sources/versions", &pem);
    moto.put_parameter("/sources/versions", &foreign.root.pem());
    moto.create_bucket("sources");
    let version = moto.put_object("sources", "anchors.pem", &pem);
    moto.put_object("sources", "replaced.pem", &pem);
    let first_version = moto.put_object("sources", "later.pem", &pem);
    moto.put_object("sources", "later.pem", foreign.root.pem());
    let digest = sha256(&clients);
    let pointer = format!("s3://sources/anchors.pem?versionId={version}#sha256={digest}");
    moto.put_parameter("/sources/pointer", &pointer);

    let cases = [
        clients.anchors_source(),
        "ssm:/sources/anchors/root".to_owned(),
        "ssm:/sources/anchors/*".to_owned(),
        "ssm:/sources/secret/root".to_owned(),
        "ssm:/sources/secret/*".to_owned(),
        "ssm:/sources/versions:1".to_owned(),
        "ssm:arn:aws:ssm:us-east-1:123456789012:parameter/sources/anchors/root".to_owned(),
        "s3://sources/anchors.pem".to_owned(),
        "s3://sources/anchors.pem?region=us-east-1".to_owned(),
        format!("s3://sources/later.pem?versionId={first_version}"),
        format!("s3://sources/anchors.pem#sha256={digest}"),
        pointer,
        "ssm:/sources/pointer".to_owned(),
        "ssm:/sources/anchors/other s3://sources/anchors.pem".to_owned(),
    ];
    side_by_side(cases, async |source| {
        let proxy = proxy().await;
        let function = respond(&proxy, &source, &[]).await;
        assert_eq!(
            ask(&function, &clients).await,
            200,
            "{source}: {}",
            function.log().join("\n")
        );
        assert_eq!(ask(&function, &foreign).await, 401, "{source}");
    })
    .await;
}

#[tokio::test]
async fn all_pages_of_a_parameter_path_are_read() {
    let moto = Moto::shared();
    let clients = Clients::new();
    let other = Clients::of("Other").root.pem();
    moto.put_parameter("/pages/00", &other);
    for number in 1..24 {
        let root = test_pki::CertificateBuilder::root(&format!("CN=Other {number}"))
            .self_signed()
            .unwrap();
        moto.put_parameter(&format!("/pages/{number:02}"), &root.pem());
    }
    moto.put_parameter("/pages/zz", &clients.root.pem());
    let proxy = proxy().await;
    let function = respond(&proxy, "ssm:/pages/*", &[("MTLS_REFRESH", "300s")]).await;
    assert_eq!(ask(&function, &clients).await, 200);
    let pages = proxy.take_requests();
    assert_eq!(pages.len(), 3, "25 parameters, ten on a page: {pages:?}");
    assert!(pages.iter().all(|page| page.is_ssm("GetParametersByPath")));
    let follows = |page: &alb_mtls_tests::ProxiedRequest| page.body.contains("NextToken");
    assert_eq!(pages.iter().map(follows).collect::<Vec<_>>(), [false, true, true]);
}

#[tokio::test]
async fn a_page_that_fails_is_not_taken_for_the_end() {
    let moto = Moto::shared();
    let clients = Clients::new();
    for number in 0..11 {
        let root = test_pki::CertificateBuilder::root(&format!("CN=Other {number}"))
            .self_signed()
            .unwrap();
        moto.put_parameter(&format!("/cut-pages/{number:02}"), &root.pem());
    }
    moto.put_parameter("/cut-pages/00", &clients.root.pem());
    let proxy = proxy().await;
    proxy.decide(|request| {
        if request.body.contains("NextToken") {
            alb_mtls_tests::Fault::Answer(500, "", String::new())
        } else {
            alb_mtls_tests::Fault::None
        }
    });
    let function = respond(&proxy, "ssm:/cut-pages/*", &[]).await;
    assert_eq!(
        ask(&function, &clients).await,
        503,
        "half of the anchors are invalid"
    );
}

#[tokio::test]
async fn a_source_that_is_not_there_leaves_everybody_outside() {
    let moto = Moto::shared();
    let clients = Clients::new();
    moto.put_parameter("/absent/root", &clients.root.pem());
    moto.create_bucket("absent");
    let cases = [
        ("ssm:/absent/nothing", "there is no such parameter"),
        ("ssm:/absent/nothing/*", "there is no parameter directly below"),
        ("s3://nobody/anchors.pem", "there is no such bucket"),
        ("s3://absent/anchors.pem", "there is no such object"),
        (
            "ssm:/absent/root s3://absent/anchors.pem",
            "there is no such object",
        ),
        ("file:/nowhere/anchors.pem", "there is no such file"),
    ];
    side_by_side(cases, async |(source, words)| {
        let function = respond(&proxy().await, source, &[]).await;
        assert_eq!(ask(&function, &clients).await, 503, "{source}");
        let record = function.record().await;
        assert_eq!(record["detail"], "no_trust_material");
        let explanation = record["explanation"].as_str().unwrap();
        assert!(explanation.contains(words), "{source}: {explanation}");
    })
    .await;
}

/// Returns the digest of the bundle, by another program than ours.
fn sha256(clients: &Clients) -> String {
    let output = Command::new("openssl")
        .args(["dgst", "-sha256", "-r"])
        .arg(clients.directory().join("anchors.pem"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split(' ').next().unwrap().to_owned()
}
