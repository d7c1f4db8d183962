//! URLs as CAs write them: which are fetched, and where their CRLs lie.

use std::fmt::Write;

use serde_json::json;
use test_pki::{Criticality, CrlBuilder};

use crate::deployment::{Deployment, Function, verdict};
use crate::web::{Page, Web};

const FETCH: (&str, &str) = ("CRL_DISTRIBUTION_POINTS", "fetch");

/// Location of AD CS in the directory.
const LDAP: &str = "ldap:///CN=Example%20CA,CN=pki,CN=CDP,CN=Public%20Key%20Services,CN=Services,CN=Configuration,\
                    DC=example,DC=com?certificateRevocationList?base?objectClass=cRLDistributionPoint";

#[tokio::test]
async fn crl_lies_at_its_url_without_scheme_and_escapes() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    let crl = deployment.root_crl(1);
    let server = format!("127.0.0.1_{}", web.address.port());
    let long = format!("/certdist?cmd=crl&issuer={}", "x".repeat(3_000));
    // The request, and what follows the server in the source for MTLS_CRLS; an empty one is a
    // digest.
    let cases = [
        (
            "/CertEnroll/Example%20CA(1).crl",
            "/CertEnroll/Example%20CA(1).crl",
        ),
        (
            "/CertEnroll/Example%20CA(1)+.crl",
            "/CertEnroll/Example%20CA(1)+.crl",
        ),
        ("/x%2By.crl", "/x+y.crl"),
        ("/x%2Fy.crl", "/x/y.crl"),
        ("//z.crl", "//z.crl"),
        ("/%C3%A9.crl", "/%C3%A9.crl"),
        (
            "/ejbca/publicweb/webdist/certdist?cmd=crl&issuer=CN%3DRoot+CA%2CO%3DExample&format=PEM",
            "/ejbca/publicweb/webdist/certdist%3Fcmd=crl%26issuer=CN=Root+CA,O=Example%26format=PEM",
        ),
        ("/certdist?ca=1", "/certdist%3Fca=1"),
        ("/certdist?ca=2", "/certdist%3Fca=2"),
        ("/..%2F..%2Fanchors.pem", ""),
        ("/%2e%2e/%2e%2e/anchors.pem", ""),
        ("/x%00.crl", ""),
        ("/root.crl%2Estate.json", ""),
        (&long, ""),
    ];
    let urls: Vec<String> = cases.iter().map(|(target, _)| web.url(target)).collect();
    for (target, _) in cases {
        web.put_content(target, crl.pem().as_bytes());
    }
    let sources: Vec<&str> = urls.iter().map(String::as_str).collect();
    let mut function = deployment.function(&sources, &[("CRL_TIMEOUT", "5s")]).await;
    let summary = function.summary(&json!({})).await;
    assert_eq!(
        summary,
        json!({"published": cases.len(), "unchanged": 0, "refused": 0, "skipped": 0})
    );

    let mut destinations = Vec::new();
    for (target, place) in cases {
        let record = function.record().await;
        assert_eq!(verdict(&record), "published", "{record}");
        assert_eq!(record["source"], web.url(target));
        let destination = record["destination"].as_str().unwrap().to_owned();
        let key = destination.strip_prefix("s3://trust/").unwrap();
        if place.is_empty() {
            let digest = key.strip_prefix(&format!("crls/{server}/sha256-")).unwrap();
            assert_eq!(digest.len(), 64 + ".crl".len(), "{key}");
        } else {
            assert_eq!(key, format!("crls/{server}{place}"));
        }
        assert_eq!(deployment.object(key).unwrap(), crl.der(), "{target}");
        assert!(
            deployment.object(&format!("{key}.state.json")).is_some(),
            "{target}"
        );
        destinations.push(destination);
    }
    destinations.sort();
    destinations.dedup();
    assert_eq!(destinations.len(), cases.len(), "each has an object of its own");
    let requests: Vec<String> = cases
        .iter()
        .map(|(target, _)| format!("GET {target} HTTP/1.1"))
        .collect();
    assert_eq!(web.requests(), requests, "each is requested as it is written");

    let again = function.summary(&json!({})).await;
    assert_eq!(again["unchanged"], cases.len(), "{again}");
}

/// Returns the next records of skipped URLs: level, URL and reason.
async fn skipped(function: &mut Function, count: usize) -> String {
    let mut text = String::new();
    for _ in 0..count {
        let record = function.record().await;
        assert_eq!(
            (&record["outcome"], &record["CrlSkipped"]),
            (&json!("skipped"), &json!(1)),
            "{record}"
        );
        let directive = &record["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(
            directive["Metrics"],
            json!([{"Name": "CrlSkipped", "Unit": "Count"}])
        );
        assert_eq!(directive["Dimensions"], json!([["source"]]));
        assert!(record.get("destination").is_none(), "{record}");
        let word = |name: &str| record[name].as_str().unwrap().to_owned();
        writeln!(text, "{} {}: {}", word("level"), word("source"), word("problem")).unwrap();
    }
    text
}

#[tokio::test]
async fn of_mixed_distribution_points_http_is_fetched_and_the_rest_recorded() {
    let web = Web::start().await;
    let url = web.url("/CertEnroll/Example CA(1).crl");
    let deployment = Deployment::with_issuing(|builder| {
        builder
            .crl_distribution_point(LDAP)
            .crl_distribution_point(&url)
            .crl_distribution_point("file://\\\\pki\\CertEnroll\\Example CA.crl")
            .crl_distribution_point("ftp://pki.example.com/ca.crl")
            .crl_distribution_point("s3://pki/ca.crl")
    });
    web.put_content("/CertEnroll/Example%20CA(1).crl", deployment.root_crl(1).der());
    let mut function = deployment.function(&[], &[FETCH]).await;
    let summary = function.summary(&json!({})).await;
    assert_eq!(
        summary,
        json!({"published": 1, "unchanged": 0, "refused": 0, "skipped": 4})
    );
    let lines = skipped(&mut function, 4).await;
    for words in [
        &format!("INFO {LDAP}: has the scheme `ldap:`, which is not fetched: name the CA's HTTP URL"),
        "CA.crl: has the scheme `file:`",
        "INFO ftp://pki.example.com/ca.crl: has the scheme `ftp:`",
        "INFO s3://pki/ca.crl: is an object in S3: name it in CRL_SOURCES",
        "another location of the same certificate is fetched",
    ] {
        assert!(lines.contains(words), "{words}\n{lines}");
    }
    let record = function.record().await;
    assert_eq!(verdict(&record), "published");
    assert_eq!(
        record["destination"],
        format!(
            "s3://trust/crls/127.0.0.1_{}/CertEnroll/Example%20CA(1).crl",
            web.address.port()
        )
    );
    assert!(record.get("CrlSkipped").is_none(), "{record}");
    assert_eq!(web.requests(), ["GET /CertEnroll/Example%20CA(1).crl HTTP/1.1"]);
}

#[tokio::test]
async fn run_with_ldap_alone_fails_and_names_what_it_skipped() {
    let deployment = Deployment::with_issuing(|builder| builder.crl_distribution_point(LDAP));
    let mut function = deployment.function(&[], &[FETCH]).await;
    let (message, record) = function.nothing_fetched().await;
    assert!(
        message.starts_with(&format!(
            "no CRL was fetched: 0 refused, 1 skipped; the first: `{LDAP}`: has the scheme `ldap:`"
        )),
        "{message}"
    );
    assert_eq!(
        (&record["level"], &record["error"], &record["problem"]),
        (&json!("ERROR"), &json!("NothingFetched"), &json!(message))
    );
    // Beside a source that is fetched, it is a warning.
    let web = Web::start().await;
    web.put_content("/root.crl", deployment.root_crl(1).der());
    let mut function = deployment.function(&[&web.url("/root.crl")], &[FETCH]).await;
    let summary = function.summary(&json!({})).await;
    assert_eq!(
        (&summary["published"], &summary["skipped"]),
        (&json!(1), &json!(1))
    );
    let line = skipped(&mut function, 1).await;
    assert!(line.starts_with("WARN ldap:"), "{line}");
    assert!(!line.contains("another location"), "{line}");
}

#[tokio::test]
async fn run_without_any_location_fails() {
    let deployment = Deployment::new();
    let mut function = deployment.function(&[], &[FETCH]).await;
    let (message, _) = function.nothing_fetched().await;
    assert_eq!(
        message,
        "no CRL was fetched: CRL_SOURCES is empty, and no certificate in CRL_ANCHORS and CRL_INTERMEDIATES names a CRL"
    );
    // Without `fetch`, nothing in a certificate is looked at, so the setting is required.
    let other = json!({"Records": [{"s3": {"bucket": {"name": "pki"}, "object": {"key": "a.crl"}}}]});
    let summary = function.summary(&other).await;
    assert_eq!(
        summary,
        json!({"published": 0, "unchanged": 0, "refused": 0, "skipped": 0})
    );
}

#[tokio::test]
async fn run_fails_when_every_location_answers_without_content() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    let (first, second) = (web.url("/first.crl"), web.url("/second.crl?ca=2"));
    let mut function = deployment.function(&[&first, &second], &[]).await;
    let (message, _) = function.nothing_fetched().await;
    assert_eq!(
        message,
        format!(
            "no CRL was fetched: 2 refused, 0 skipped; the first: `{first}`: the server answered 404 Not Found"
        )
    );
    // What was delivered and refused is a matter of the CA: to ask again at once would change
    // nothing.
    web.put("/second.crl?ca=2", Page::Content(b"garbage".to_vec()));
    let summary = function.summary(&json!({})).await;
    assert_eq!(
        summary,
        json!({"published": 0, "unchanged": 0, "refused": 2, "skipped": 0})
    );
}

#[tokio::test]
async fn location_that_two_certificates_name_in_different_spellings_is_fetched_once() {
    let web = Web::start().await;
    let spellings = [
        web.url("/Example%20CA.crl"),
        web.url("/Example CA.crl"),
        web.url("/%45xample%20CA.crl"),
    ];
    let deployment = Deployment::with_issuing(|builder| {
        spellings
            .iter()
            .fold(builder, |builder, url| builder.crl_distribution_point(url))
    });
    web.put_content("/Example%20CA.crl", deployment.root_crl(1).der());
    let mut function = deployment.function(&[], &[FETCH]).await;
    let summary = function.summary(&json!({})).await;
    assert_eq!(
        (&summary["published"], &summary["skipped"]),
        (&json!(1), &json!(1))
    );
    let line = skipped(&mut function, 1).await;
    assert!(
        line.contains("/%45xample%20CA.crl: is published as the same object as `http://127.0.0.1"),
        "{line}"
    );
    assert_eq!(web.requests(), ["GET /Example%20CA.crl HTTP/1.1"]);
}

#[tokio::test]
async fn delta_that_a_published_base_names_is_published_beside_it() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    let tlv = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()][..], content].concat();
    let place = |url: &str| {
        let name = tlv(0xA0, &tlv(0xA0, &tlv(0x86, url.as_bytes())));
        tlv(0x30, &name)
    };
    let points = [place(&web.url("/root+.crl")), place("ldap:///CN=x")].concat();
    let base = CrlBuilder::new()
        .number(5)
        .extension("2.5.29.46", Criticality::NotCritical, &tlv(0x30, &points))
        .issued_by(&deployment.root)
        .unwrap();
    let delta = CrlBuilder::new()
        .number(6)
        .delta_of(5)
        .issued_by(&deployment.root)
        .unwrap();
    web.put_content("/root.crl", base.der());
    web.put_content("/root+.crl", delta.der());
    let key = format!("crls/127.0.0.1_{}/root+.crl", web.address.port());
    for (setting, unchanged, skipped) in [("ignore", 0, 0), ("fetch", 1, 1)] {
        let settings = [("CRL_DISTRIBUTION_POINTS", setting)];
        let function = deployment.function(&[&web.url("/root.crl")], &settings).await;
        assert_eq!(
            function.summary(&json!({})).await,
            json!({"published": 1, "unchanged": unchanged, "refused": 0, "skipped": skipped}),
            "{setting}"
        );
        let is_there = deployment
            .object(&key)
            .is_some_and(|object| object == delta.der());
        assert_eq!(is_there, setting == "fetch");
    }
}
