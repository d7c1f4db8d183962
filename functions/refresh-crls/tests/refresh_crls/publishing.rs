//! Publishing: contents and conditions.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tokio::sync::Notify;

use crate::deployment::{Deployment, verdict};
use crate::web::{Page, Web};

#[tokio::test]
async fn publishes_what_is_newer_and_keeps_it_against_what_is_older() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    let key = format!("crls/127.0.0.1_{}/root.crl", web.address.port());
    let mut function = deployment.function(&[&web.url("/root.crl")], &[]).await;

    let seventh = deployment.root_crl(7);
    web.put_content("/root.crl", seventh.der());
    let record = function.refresh().await;
    assert_eq!(verdict(&record), "published", "{record}");
    assert_eq!(deployment.object(&key).unwrap(), seventh.der());
    assert_eq!(record["destination"], format!("s3://trust/{key}"));
    assert_eq!(record["lists"][0]["issuer"], "CN=Root,O=Example");
    assert_eq!(record["lists"][0]["number"], "0x7");

    assert_eq!(verdict(&function.refresh().await), "unchanged");

    let eighth = deployment.root_crl(8);
    web.put_content("/root.crl", eighth.pem().as_bytes());
    assert_eq!(verdict(&function.refresh().await), "published");
    assert_eq!(deployment.object(&key).unwrap(), eighth.der());

    web.put_content("/root.crl", seventh.der());
    let record = function.refresh().await;
    assert_eq!(
        verdict(&record),
        "refused: the CRL of CN=Root,O=Example for all certificates goes back from number 0x8 to 0x7"
    );
    assert_eq!(record["level"], "ERROR");
    assert_eq!(
        record["lists"][0]["number"], "0x8",
        "the record tells what is published"
    );
    assert_eq!(deployment.object(&key).unwrap(), eighth.der());
}

/// easy-rsa, cfssl and a plain `openssl ca` write no numbers.
#[tokio::test]
async fn crls_without_numbers_follow_each_other_by_date() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    let key = format!("crls/127.0.0.1_{}/root.crl", web.address.port());
    let mut function = deployment.function(&[&web.url("/root.crl")], &[]).await;
    let now = time::OffsetDateTime::now_utc();
    let made = |hours: i64| {
        let crl = test_pki::CrlBuilder::new().without_number();
        let this_update = now - time::Duration::hours(hours);
        crl.valid(this_update, now + time::Duration::DAY)
            .issued_by(&deployment.root)
            .unwrap()
    };
    for (hours, expected) in [
        (3, "published"),
        (2, "published"),
        (3, "refused"),
        (1, "published"),
    ] {
        web.put_content("/root.crl", made(hours).der());
        let record = function.refresh().await;
        assert_eq!(record["outcome"], expected, "{hours}: {record}");
    }
    assert_eq!(deployment.object(&key).unwrap(), made(1).der());
}

#[tokio::test]
async fn several_lists_in_one_file_are_published_together() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    let both = [deployment.root_crl(1).pem(), deployment.issuing_crl(1).pem()].concat();
    web.put_content("/all.pem.gz", &gzip(both.as_bytes()));
    let mut function = deployment.function(&[&web.url("/all.pem.gz")], &[]).await;
    let record = function.refresh().await;
    assert_eq!(verdict(&record), "published", "{record}");
    assert_eq!(record["lists"].as_array().unwrap().len(), 2);
    let key = format!("crls/127.0.0.1_{}/all.pem.gz", web.address.port());
    assert_eq!(deployment.object(&key).unwrap(), both.as_bytes());
    assert_eq!(verdict(&function.refresh().await), "unchanged");

    let backwards = [deployment.root_crl(2).pem(), deployment.issuing_crl(0).pem()].concat();
    web.put_content("/all.pem.gz", backwards.as_bytes());
    assert!(verdict(&function.refresh().await).starts_with("refused: the CRL of CN=Issuing"));
    assert_eq!(deployment.object(&key).unwrap(), both.as_bytes());
}

#[tokio::test]
async fn one_that_fails_does_not_keep_the_others_from_being_published() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    web.put("/gone.crl", Page::Head("503 Busy".to_owned()));
    web.put_content("/root.crl", deployment.root_crl(1).der());
    let sources = [web.url("/gone.crl"), web.url("/root.crl")];
    let mut function = deployment.function(&[&sources[0], &sources[1]], &[]).await;
    let error = function.error().await;
    assert!(
        error.contains("1 of 2 CRLs could not be fetched or written"),
        "{error}"
    );
    assert!(error.contains("503"), "{error}");
    assert!(verdict(&function.record().await).starts_with("unreachable: the server answered 503"));
    assert_eq!(verdict(&function.record().await), "published");
}

#[tokio::test]
async fn what_nobody_signed_is_replaced_at_the_destination() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    let crl = deployment.root_crl(3);
    web.put_content("/root.crl", crl.der());
    let key = format!("crls/127.0.0.1_{}/root.crl", web.address.port());
    deployment.moto.put_object("trust", &key, "tampered");
    let mut function = deployment.function(&[&web.url("/root.crl")], &[]).await;
    assert_eq!(verdict(&function.refresh().await), "published");
    assert_eq!(deployment.object(&key).unwrap(), crl.der());
}

#[tokio::test]
async fn what_somebody_else_publishes_meanwhile_is_not_overwritten() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    let key = format!("crls/127.0.0.1_{}/root.crl", web.address.port());
    let function = deployment.function(&[&web.url("/root.crl")], &[]).await;
    let newer = deployment.root_crl(9).pem();
    for before in [None, Some(deployment.root_crl(1).pem())] {
        if let Some(before) = before {
            deployment.moto.put_object("trust", &key, &before);
        }
        let allowed = Arc::new(Notify::new());
        let held = Page::Held(deployment.root_crl(2).der().to_vec(), Arc::clone(&allowed));
        web.put("/root.crl", held);
        let meanwhile = async {
            web.first_request().await;
            deployment.moto.put_object("trust", &key, &newer);
            allowed.notify_one();
        };
        let (error, ()) = tokio::join!(function.error(), meanwhile);
        assert!(
            error.contains("was written by another party meanwhile"),
            "{error}"
        );
        assert_eq!(deployment.object(&key).unwrap(), newer.as_bytes());
    }
}

#[tokio::test]
async fn of_two_runs_that_publish_the_same_at_once_both_succeed() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    let key = format!("crls/127.0.0.1_{}/root.crl", web.address.port());
    let mut function = deployment.function(&[&web.url("/root.crl")], &[]).await;
    let crl = deployment.root_crl(2);
    let allowed = Arc::new(Notify::new());
    web.put("/root.crl", Page::Held(crl.der().to_vec(), Arc::clone(&allowed)));
    let meanwhile = async {
        web.first_request().await;
        deployment.moto.put_object("trust", &key, crl.der());
        allowed.notify_one();
    };
    let (record, ()) = tokio::join!(function.refresh(), meanwhile);
    assert_eq!(verdict(&record), "unchanged", "{record}");
}

#[tokio::test]
async fn every_record_is_its_own_metrics() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    let crl = test_pki::CrlBuilder::new()
        .revoke_serial(&[1], None, time::OffsetDateTime::now_utc())
        .issued_by(&deployment.root)
        .unwrap();
    web.put_content("/root.crl", crl.der());
    let mut function = deployment.function(&[&web.url("/root.crl")], &[]).await;
    let record = function.refresh().await;
    let directive = &record["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Dimensions"][0][0], "source");
    assert_eq!(record["source"], web.url("/root.crl"));
    let names: Vec<&str> = directive["Metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|metric| metric["Name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["CrlRefreshFailure", "CrlAge", "CrlExpiresIn", "CrlEntries"]
    );
    assert!(names.iter().all(|name| record[name].is_number()), "{record}");
    assert_eq!(
        (&record["CrlRefreshFailure"], &record["CrlEntries"]),
        (&0.into(), &1.into())
    );
    let age = record["CrlAge"].as_i64().unwrap();
    assert!((3_600..3_700).contains(&age), "the CRL is an hour old: {age}");
    let left = record["CrlExpiresIn"].as_i64().unwrap();
    assert!((604_700..=604_800).contains(&left), "and lasts a week: {left}");

    web.put_content("/root.crl", b"garbage");
    let failed = function.refresh().await;
    assert_eq!(
        (&failed["CrlRefreshFailure"], &failed["CrlEntries"]),
        (&1.into(), &1.into())
    );
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut process = Command::new("gzip")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(content).unwrap();
    process.wait_with_output().unwrap().stdout
}
