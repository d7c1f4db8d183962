#![no_main]

use std::sync::{Arc, LazyLock};

use alb_mtls_verifier::{CertificateDer, TrustAnchor, properties};
use test_pki::CertificateBuilder;

static ANCHOR: LazyLock<Arc<TrustAnchor>> = LazyLock::new(|| {
    let root = CertificateBuilder::root("CN=Root").seed("root").self_signed().unwrap();
    Arc::new(TrustAnchor::new(CertificateDer::from(root.der().to_vec())).unwrap())
});

libfuzzer_sys::fuzz_target!(|der: &[u8]| properties::identity(der, &ANCHOR));
