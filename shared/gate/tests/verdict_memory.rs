//! Memory that cached verdicts take, measured on the process: the only test of its binary.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(target_os = "linux")]

use alb_mtls_gate::{Gate, Settings};
use http::Request;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use test_pki::{CertificateBuilder, Credential};

const PLACES: usize = 256;
/// A fourth as many refusals come on top.
const DOCUMENTED: usize = (PLACES + PLACES / 4) * 4_096;
/// Other memory that the process allocates in the meantime; the cache of verdicts weighed by header
/// took 16 MB more.
const SLACK: usize = 4 << 20;

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes * 1_024
}

fn header(certificates: [&Credential; 2]) -> String {
    let pem: String = certificates.iter().map(|one| one.pem()).collect();
    utf8_percent_encode(&pem, NON_ALPHANUMERIC).to_string()
}

async fn ask(gate: &Gate, header: &str) {
    let request = Request::builder().header("x-amzn-mtls-clientcert", header);
    let parts = request.body(()).unwrap().into_parts().0;
    let _ = gate.admit(parts).await;
}

#[tokio::test]
async fn verdicts_take_the_memory_that_is_documented() {
    let directory = tempfile::tempdir().unwrap();
    let anchors = directory.path().join("anchors.pem");
    let root = CertificateBuilder::root("CN=Root").self_signed().unwrap();
    std::fs::write(&anchors, root.pem()).unwrap();
    let variables = [
        ("MTLS_ANCHORS", format!("file:{}", anchors.display())),
        ("MTLS_VERDICT_CACHE", PLACES.to_string()),
        ("MTLS_MAX_HEADER", "65536".to_owned()),
        ("MTLS_METRICS", "off".to_owned()),
        ("MTLS_RECORD_ALLOWED", "0%".to_owned()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    let gate = Gate::new(Settings::from_variables(variables).unwrap());
    // As many names as a short certificate can hold.
    let named = (0..2_000).fold(CertificateBuilder::client("CN=named"), |builder, number| {
        builder.dns(&format!("{number:x}"))
    });
    let named = named.issued_by(&root).unwrap();
    let junk: Vec<Credential> = (0..60)
        .map(|number| {
            CertificateBuilder::root(&format!("CN=Junk {number}"))
                .self_signed()
                .unwrap()
        })
        .collect();
    let headers: Vec<String> = junk.iter().map(|junk| header([&named, junk])).collect();
    // Twice, so that what one request needs is there.
    ask(&gate, &headers[0]).await;
    ask(&gate, &headers[0]).await;
    let before = resident_bytes();
    for header in &headers {
        ask(&gate, header).await;
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < DOCUMENTED + SLACK, "{grown} bytes more");
}
