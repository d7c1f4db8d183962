//! CRLs at the limits of a load balancer: 500,000 entries, 50 MB.

use alb_mtls_tests::{Clients, Function, LARGE_CRL_ENTRY_BYTES, large_crl};
use test_pki::CrlBuilder;

use super::{ask, respond};

/// Returns the function with the root's CRL and one of the issuing CA with this many entries.
async fn respond_with(entries: usize, clients: &Clients) -> Function {
    let files = clients.directory();
    let root = CrlBuilder::new().issued_by(&clients.root).unwrap();
    std::fs::write(files.join("root.crl"), root.der()).unwrap();
    let issuing = large_crl(entries, &clients.issuing, CrlBuilder::new());
    std::fs::write(files.join("issuing.crl"), issuing.der()).unwrap();
    let source = |name: &str| format!("file:{}", files.join(name).display());
    let crls = format!("{} {}", source("root.crl"), source("issuing.crl"));
    respond(&clients.anchors_source(), &crls, &[]).await
}

#[tokio::test]
async fn a_function_of_128_mb_holds_half_a_million_entries() {
    let clients = Clients::new();
    let function = respond_with(500_000, &clients).await;
    let (status, record) = ask(&function, [&clients.good, &clients.issuing]).await;
    assert_eq!(status, 200, "{record}");
    let peak = function.facts().peak_memory.unwrap();
    println!("peak resident memory: {:.1} MB", peak as f64 / 1e6);
    assert!(peak < 128_000_000, "{peak} bytes");
}

#[tokio::test]
async fn a_file_of_50_mb_is_held_too() {
    let clients = Clients::new();
    let entries = 50_000_000 / LARGE_CRL_ENTRY_BYTES;
    let function = respond_with(entries, &clients).await;
    let (status, record) = ask(&function, [&clients.good, &clients.issuing]).await;
    assert_eq!(status, 200, "{record}");
    let peak = function.facts().peak_memory.unwrap();
    println!("peak resident memory: {:.1} MB", peak as f64 / 1e6);
    assert!(peak < 256_000_000, "{peak} bytes");
}
