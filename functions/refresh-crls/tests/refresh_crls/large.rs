//! CRLs as large as a load balancer takes: 50 MB and 500,000 entries.

use alb_mtls_tests::{LARGE_CRL_ENTRY_BYTES, large_crl};
use test_pki::CrlBuilder;

use crate::deployment::{Deployment, verdict};
use crate::web::{Page, Web};

/// Default limit of a CRL, in bytes.
const LIMIT: usize = 50 * 1_024 * 1_024;

#[tokio::test]
async fn a_file_of_50_mb_is_published_within_the_memory_of_a_small_function() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    // Names, dates and the signature take less than the last thousand bytes.
    let entries = (LIMIT - 1_000) / LARGE_CRL_ENTRY_BYTES;
    let large = large_crl(entries, &deployment.root, CrlBuilder::new().number(1));
    assert!((LIMIT - 1_000..=LIMIT).contains(&large.der().len()));
    web.put_content("/root.crl", large.der());
    let mut function = deployment.function(&[&web.url("/root.crl")], &[]).await;
    let record = function.refresh().await;
    assert_eq!(verdict(&record), "published", "{record}");
    assert_eq!(record["CrlEntries"], entries);
    let key = format!("crls/127.0.0.1_{}/root.crl", web.address.port());
    assert!(deployment.object(&key).unwrap() == large.der());
    let peak = function.environment.facts().peak_memory.unwrap();
    assert!(peak < 256_000_000, "{peak} bytes");
}

#[tokio::test]
async fn a_file_without_end_is_given_up_at_the_limit() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    web.put("/root.crl", Page::Endless);
    let mut function = deployment.function(&[&web.url("/root.crl")], &[]).await;
    let record = function.refresh().await;
    assert_eq!(verdict(&record), format!("refused: is larger than {LIMIT} bytes"));
    let peak = function.environment.facts().peak_memory.unwrap();
    assert!(peak < 160_000_000, "{peak}");
}
