//! Status that the clients of a CA will have in mode `strict`, where several certificates of the CA
//! above lead to one trust anchor.

use std::sync::Arc;

use alb_mtls_verifier::{CertificateDer, Intermediates, Reason, Verifier, VerifyOptions};
use test_pki::{CertificateBuilder, Credential, Criticality, CrlBuilder, Key, KeyKind};

use crate::support::{BASE, NOW, Pki, SOFT, daily, load, long_lived, timestamp, tlv};

/// A distribution point with this name, as it stands in a certificate and in a CRL.
fn point(name: &str) -> Vec<u8> {
    let uri = tlv(0x86, format!("{BASE}{name}").as_bytes());
    tlv(0xA0, &tlv(0xA0, &uri))
}

#[test]
fn one_way_whose_status_is_known_is_enough() {
    let pki = Pki::new();
    let key = Key::from_seed(KeyKind::P256, "upper").unwrap();
    // The same CA twice, in certificates with other distribution points.
    let upper = |name: &str| {
        let points = tlv(0x30, &tlv(0x30, &point(name)));
        long_lived(CertificateBuilder::intermediate("CN=Upper"))
            .key(&key)
            .extension("2.5.29.31", Criticality::NotCritical, &points)
            .issued_by(&pki.root)
            .unwrap()
    };
    let (listed, other) = (upper("listed"), upper("other"));
    let lower = long_lived(CertificateBuilder::intermediate("CN=Lower"))
        .issued_by(&listed)
        .unwrap();
    let of_root = daily(CrlBuilder::new())
        .extension("2.5.29.28", Criticality::Critical, &tlv(0x30, &point("listed")))
        .issued_by(&pki.root)
        .unwrap();
    let of_upper = daily(CrlBuilder::new()).issued_by(&listed).unwrap();
    let der = |credential: &Credential| CertificateDer::from(credential.der().to_vec());
    let unknown = |above: &[&Credential]| {
        let intermediates = Intermediates::new(above.iter().map(|one| der(one))).unwrap();
        let lists = Arc::new(load(&[&of_root, &of_upper], &pki.anchors()));
        let verifier = Verifier::new(pki.anchors(), intermediates, VerifyOptions::default())
            .with_revocation(lists, SOFT);
        let mut paths = verifier.issuing_paths(&der(&lower), timestamp(NOW)).unwrap();
        assert_eq!(paths.len(), 1, "one anchor");
        paths.remove(0).unknown.map(|rejection| rejection.reason())
    };
    assert_eq!(unknown(&[&listed]), None);
    assert_eq!(unknown(&[&other]), Some(Reason::CrlScope));
    assert_eq!(unknown(&[&listed, &other]), None);
    assert_eq!(unknown(&[&other, &listed]), None);
}
