//! Material that is never used, whatever was used before.

use alb_mtls_tests::{Clients, Moto};
use alb_mtls_verifier::Fingerprint;

use super::{NOT_AVAILABLE, REFUSED, ask, ask_until, has_line, proxy, respond, side_by_side};

/// Returns the replacements of a good bundle, with the words of the rejection.
fn bad_bundles(clients: &Clients) -> Vec<(&'static str, String, &'static str)> {
    let pem = clients.root.pem();
    let leaf = clients.good.pem();
    let private_key = clients.root.key().to_pem().unwrap();
    vec![
        ("empty", String::new(), "there is no certificate in it"),
        ("blank", "\n\n".to_owned(), "there is no certificate in it"),
        ("text", "nothing".to_owned(), "there is no certificate in it"),
        (
            "page",
            "<html>Service unavailable</html>".to_owned(),
            "is an HTML page",
        ),
        ("malformed", pem.replace("END", "FND"), "END line"),
        ("halved", pem.split_at(pem.len() / 2).0.to_owned(), "END line"),
        ("damaged", pem.replacen("MII", "MJJ", 1), "entry 1"),
        ("leaf", leaf.clone(), "not a CA certificate"),
        (
            "good and leaf",
            pem.clone() + &leaf,
            "entry 2: is not a CA certificate",
        ),
        ("key", private_key.clone(), "private key"),
        ("good and key", pem + &private_key, "private key"),
    ]
}

#[tokio::test]
async fn bad_material_leaves_the_last_good_one_in_use_until_it_is_mended() {
    let moto = Moto::shared();
    let (clients, mended) = (Clients::new(), Clients::of("Mended"));
    moto.create_bucket("refused");
    side_by_side(bad_bundles(&clients), async |(name, content, words)| {
        let key = name.replace(' ', "-");
        moto.put_object("refused", &key, clients.root.pem());
        let function = respond(&proxy().await, &format!("s3://refused/{key}"), &[]).await;
        assert_eq!(ask(&function, &clients).await, 200, "{name}");

        moto.put_object("refused", &key, content);
        let refused = |_: &_, log: &str| has_line(log, &[REFUSED, words, &key]);
        let statuses = ask_until(&function, &clients, refused).await;
        assert!(
            statuses.iter().all(|status| *status == 200),
            "{name}: {statuses:?}"
        );

        moto.put_object("refused", &key, mended.root.pem());
        ask_until(&function, &mended, |answer, _| answer.status == 200).await;
    })
    .await;
}

#[tokio::test]
async fn bad_material_at_start_leaves_everybody_outside_until_it_is_mended() {
    let moto = Moto::shared();
    let clients = Clients::new();
    moto.create_bucket("refused-at-start");
    side_by_side(bad_bundles(&clients), async |(name, content, words)| {
        let key = name.replace(' ', "-");
        moto.put_object("refused-at-start", &key, content);
        let function = respond(&proxy().await, &format!("s3://refused-at-start/{key}"), &[]).await;
        assert_eq!(ask(&function, &clients).await, 503, "{name}");
        let record = function.record().await;
        assert_eq!(record["detail"], "no_trust_material", "{name}");
        let explanation = record["explanation"].as_str().unwrap();
        assert!(explanation.contains(words), "{name}: {explanation}");

        moto.put_object("refused-at-start", &key, clients.root.pem());
        ask_until(&function, &clients, |answer, _| answer.status == 200).await;
    })
    .await;
}

#[tokio::test]
async fn a_bundle_that_lost_more_anchors_than_allowed_is_refused() {
    let moto = Moto::shared();
    let clients = Clients::new();
    let others: Vec<String> = (0..3)
        .map(|number| {
            let builder = test_pki::CertificateBuilder::root(&format!("CN=Other {number}"));
            builder.self_signed().unwrap().pem()
        })
        .collect();
    let all = others.concat() + &clients.root.pem();
    moto.put_parameter("/lost/anchors", &all);
    moto.put_parameter("/may-be-lost/anchors", &all);
    let strict = respond(
        &proxy().await,
        "ssm:/lost/anchors",
        &[("MTLS_MAX_ANCHOR_LOSS", "50%")],
    )
    .await;
    let lenient = respond(&proxy().await, "ssm:/may-be-lost/anchors", &[]).await;
    assert_eq!(
        (ask(&strict, &clients).await, ask(&lenient, &clients).await),
        (200, 200)
    );

    moto.put_parameter("/lost/anchors", &others[0]);
    moto.put_parameter("/may-be-lost/anchors", &others[0]);
    let refused = |_: &_, log: &str| {
        has_line(
            log,
            &[
                REFUSED,
                "3 of the 4 trust anchors in use are missing",
                "more than the 50% allowed",
            ],
        )
    };
    let statuses = ask_until(&strict, &clients, refused).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    ask_until(&lenient, &clients, |answer, _| answer.status == 401).await;
}

#[tokio::test]
async fn content_other_than_what_is_pinned_is_refused() {
    let moto = Moto::shared();
    let (clients, smuggled) = (Clients::new(), Clients::of("Smuggled"));
    moto.create_bucket("pinned");
    let pem = clients.root.pem();
    moto.put_object("pinned", "anchors.pem", &pem);
    let pointer = format!(
        "s3://pinned/anchors.pem#sha256={}",
        Fingerprint::of(pem.as_bytes())
    );
    moto.put_parameter("/pinned/anchors", &pointer);
    let function = respond(&proxy().await, "ssm:/pinned/anchors", &[]).await;
    assert_eq!(ask(&function, &clients).await, 200);

    // Write access to the bucket alone changes nothing: the content in use is the one that is
    // pinned.
    moto.put_object("pinned", "anchors.pem", smuggled.root.pem());
    let started_later = respond(&proxy().await, "ssm:/pinned/anchors", &[]).await;
    assert_eq!(ask(&started_later, &smuggled).await, 503);
    assert_eq!(ask(&started_later, &clients).await, 503);

    let wrong = format!("s3://pinned/anchors.pem#sha256={}", Fingerprint::of(b"else"));
    moto.put_parameter("/pinned/anchors", &wrong);
    let refused = |_: &_, log: &str| has_line(log, &[REFUSED, "has the SHA-256 digest", "is required"]);
    let statuses = ask_until(&function, &clients, refused).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(ask(&function, &smuggled).await, 401);
}

#[tokio::test]
async fn a_source_that_is_deleted_leaves_the_last_good_one_in_use() {
    let clients = Clients::new();
    let function = respond(&proxy().await, &clients.anchors_source(), &[]).await;
    assert_eq!(ask(&function, &clients).await, 200);
    std::fs::remove_file(clients.directory().join("anchors.pem")).unwrap();
    let away = |_: &_, log: &str| has_line(log, &[NOT_AVAILABLE, "there is no such file"]);
    let statuses = ask_until(&function, &clients, away).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
}
