#![no_main]

use std::sync::{Arc, LazyLock};

use alb_mtls_verifier::{CertificateDer, TrustAnchor, properties};
use test_pki::{CertificateBuilder, GeneralName};

static ANCHOR: LazyLock<(Arc<TrustAnchor>, CertificateDer<'static>)> = LazyLock::new(|| {
    let root = CertificateBuilder::root("CN=Root").seed("root").permit(&GeneralName::Dns("example.org"));
    let der = CertificateDer::from(root.self_signed().unwrap().der().to_vec());
    (Arc::new(TrustAnchor::new(der.clone()).unwrap()), der)
});

// DER values one after the other, the end-entity certificate first. The rules come before any
// signature here, so that they see what no CA would sign.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut ders = Vec::new();
    let mut rest = bytes;
    while let [0x30, 0x82, high, low, ..] = *rest {
        let length = (4 + usize::from(u16::from_be_bytes([high, low]))).min(rest.len());
        let (der, after) = rest.split_at(length);
        ders.push(der);
        rest = after;
    }
    if !rest.is_empty() {
        ders.push(rest);
    }
    let (shared, own) = &*ANCHOR;
    properties::rules(&ders, shared);
    properties::chain(&ders, own);
});
