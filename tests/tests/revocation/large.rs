//! CRLs at the limits of a load balancer, 500,000 entries and 50 MB, and beyond.

use alb_mtls_tests::{Clients, Function, LARGE_CRL_ENTRY_BYTES, Moto, large_crl, large_crl_serials};
use test_pki::{CertificateBuilder, Credential, CrlBuilder};

use super::{ask, respond};

/// Returns a client that is the entry of a large CRL with this number, from 0.
fn listed(number: usize, clients: &Clients) -> Credential {
    let serial = large_crl_serials().nth(number).unwrap();
    CertificateBuilder::client("CN=listed")
        .serial_bytes(&serial)
        .issued_by(&clients.issuing)
        .unwrap()
}

fn assert_peak(function: &Function, most: u64) {
    let peak = function.facts().peak_memory.unwrap();
    println!("peak resident memory: {:.1} MB", peak as f64 / 1e6);
    assert!(peak < most, "{peak} bytes");
}

/// Returns the function with the root's CRL and one of the issuing CA with this many entries.
async fn respond_with(entries: usize, clients: &Clients, others: &[(&str, &str)]) -> Function {
    let files = clients.directory();
    let root = CrlBuilder::new().issued_by(&clients.root).unwrap();
    std::fs::write(files.join("root.crl"), root.der()).unwrap();
    let issuing = large_crl(entries, &clients.issuing, CrlBuilder::new());
    std::fs::write(files.join("issuing.crl"), issuing.der()).unwrap();
    let source = |name: &str| format!("file:{}", files.join(name).display());
    let crls = format!("{} {}", source("root.crl"), source("issuing.crl"));
    respond(&clients.anchors_source(), &crls, others).await
}

#[tokio::test]
async fn a_function_of_128_mb_holds_half_a_million_entries() {
    let clients = Clients::new();
    let function = respond_with(500_000, &clients, &[]).await;
    let (status, record) = ask(&function, [&clients.good, &clients.issuing]).await;
    assert_eq!(status, 200, "{record}");
    for number in [0, 250_000, 499_999] {
        let (status, record) = ask(&function, [&listed(number, &clients), &clients.issuing]).await;
        assert_eq!((status, &record["detail"]), (401, &"revoked".into()), "{number}");
    }
    let (status, record) = ask(&function, [&listed(500_000, &clients), &clients.issuing]).await;
    assert_eq!(status, 200, "{record}");
    assert_peak(&function, 64_000_000);
}

#[tokio::test]
async fn a_file_of_50_mb_is_held_too() {
    let clients = Clients::new();
    let entries = 50_000_000 / LARGE_CRL_ENTRY_BYTES;
    let function = respond_with(entries, &clients, &[]).await;
    let (status, record) = ask(&function, [&clients.good, &clients.issuing]).await;
    assert_eq!(status, 200, "{record}");
    assert_peak(&function, 64_000_000);
}

#[tokio::test]
async fn without_a_folder_for_it_a_large_list_is_kept_in_memory() {
    let clients = Clients::new();
    let function = respond_with(400_000, &clients, &[("TMPDIR", "/nonexistent")]).await;
    for (client, expected) in [(clients.good.clone(), 200), (listed(399_999, &clients), 401)] {
        let (status, record) = ask(&function, [&client, &clients.issuing]).await;
        assert_eq!(status, expected, "{record}");
    }
}

#[tokio::test]
async fn a_large_list_in_a_bucket_is_read_while_it_arrives() {
    let clients = Clients::new();
    let moto = Moto::start();
    moto.create_bucket("lists");
    let root = CrlBuilder::new().issued_by(&clients.root).unwrap();
    moto.put_object("lists", "root.crl", root.der());
    let issuing = large_crl(400_000, &clients.issuing, CrlBuilder::new());
    moto.put_object("lists", "issuing.crl", issuing.der());
    let settings = [
        ("MTLS_ANCHORS".to_owned(), clients.anchors_source()),
        (
            "MTLS_CRLS".to_owned(),
            "s3://lists/root.crl s3://lists/issuing.crl".to_owned(),
        ),
    ];
    let start = || Function::start("respond", settings.clone().into_iter().chain(moto.variables()));
    let function = start().await;
    for (client, expected) in [(clients.good.clone(), 200), (listed(399_999, &clients), 401)] {
        let (status, record) = ask(&function, [&client, &clients.issuing]).await;
        assert_eq!(status, expected, "{record}");
    }
    assert_peak(&function, 64_000_000);
    // One octet in the middle: the signature is over all of them.
    let mut forged = issuing.der().to_vec();
    let middle = forged.len() / 2;
    forged[middle] ^= 1;
    moto.put_object("lists", "issuing.crl", forged);
    let function = start().await;
    let (status, record) = ask(&function, [&clients.good, &clients.issuing]).await;
    assert_eq!(status, 401, "{record}");
}
