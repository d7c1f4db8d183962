//! Signers of lists, and how they are found.

use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateDer, Intermediates, ListStanding, Reason, RevocationList, RevocationLists,
};
use test_pki::{CertificateBuilder, CrlBuilder, CrlReason, KeyUsage};
use time::Duration;

use crate::support::{
    BASE, NOW, Pki, STRICT, anchors, chain, daily, load, long_lived, read, standings, timestamp, verifier,
};

#[test]
fn another_authority_of_the_same_name_neither_clears_nor_revokes() {
    let pki = Pki::new();
    let impostor = long_lived(CertificateBuilder::intermediate(
        "CN=Serverless Issuing CA,O=Example",
    ))
    .self_signed()
    .unwrap();
    let clean = daily(CrlBuilder::new().number(99)).issued_by(&impostor).unwrap();
    assert_eq!(pki.strict(&pki.client, &[&clean]), Err(Reason::CrlSignature));
    let revoking = daily(CrlBuilder::new().number(99))
        .revoke(&pki.client)
        .issued_by(&impostor)
        .unwrap();
    for crls in [[&revoking, &pki.issuing_crl()], [&pki.issuing_crl(), &revoking]] {
        assert_eq!(pki.strict(&pki.client, &crls), Ok(()));
    }
}

#[test]
fn a_change_of_any_octet_is_noticed() {
    let pki = Pki::new();
    let crl = daily(CrlBuilder::new())
        .revoke_serial(&[0x11, 0x22], Some(CrlReason::Superseded), NOW - Duration::DAY)
        .distribution_point("http://crl.example.com/1.crl")
        .issued_by(&pki.root)
        .unwrap();
    assert_eq!(standings(&pki.lists(&[&crl])), [ListStanding::Verified]);
    for position in 0..crl.der().len() {
        let mut der = crl.der().to_vec();
        der[position] ^= 1;
        let Ok(list) = RevocationList::from_der(der) else {
            continue;
        };
        let lists = RevocationLists::new([Arc::new(list)], &pki.anchors(), &Intermediates::default(), None);
        assert_ne!(standings(&lists), [ListStanding::Verified], "octet {position}");
    }
}

#[test]
fn an_issuer_without_crl_sign_clears_nobody() {
    let root = long_lived(CertificateBuilder::root("CN=Root"))
        .key_usage(&[KeyUsage::KeyCertSign])
        .self_signed()
        .unwrap();
    let client = long_lived(CertificateBuilder::client("CN=client"))
        .issued_by(&root)
        .unwrap();
    let crl = daily(CrlBuilder::new()).issued_by(&root).unwrap();
    let anchors = anchors([&root]);
    let lists = Arc::new(load(&[&crl], &anchors));
    assert_eq!(standings(&lists), [ListStanding::IssuerMayNotSign]);
    let verifier = verifier(anchors).with_revocation(lists, STRICT);
    let rejection = verifier.verify(&chain([&client]), timestamp(NOW)).unwrap_err();
    assert_eq!(rejection.reason(), Reason::CrlIssuerKeyUsage);
}

#[test]
fn an_intermediate_without_crl_sign_clears_nobody() {
    let pki = Pki::new();
    let issuing = long_lived(CertificateBuilder::intermediate("CN=No CRLs"))
        .key_usage(&[KeyUsage::KeyCertSign])
        .issued_by(&pki.root)
        .unwrap();
    let client = long_lived(CertificateBuilder::client("CN=client"))
        .issued_by(&issuing)
        .unwrap();
    let crls = [
        &pki.root_crl(),
        &daily(CrlBuilder::new()).issued_by(&issuing).unwrap(),
    ];
    let verifier = verifier(pki.anchors()).with_revocation(Arc::new(pki.lists(&crls)), STRICT);
    let rejection = verifier
        .verify(&chain([&client, &issuing]), timestamp(NOW))
        .unwrap_err();
    assert_eq!(
        (rejection.reason(), rejection.certificate()),
        (Reason::CrlIssuerKeyUsage, Some(0))
    );
}

#[test]
fn a_list_of_an_intermediate_counts_from_the_first_client_that_shows_it() {
    let pki = Pki::new();
    let lists = Arc::new(pki.lists(&[&pki.root_crl(), &pki.issuing_crl()]));
    assert_eq!(
        standings(&lists),
        [ListStanding::Verified, ListStanding::IssuerUnknown]
    );
    let verifier = verifier(pki.anchors()).with_revocation(Arc::clone(&lists), STRICT);
    verifier
        .verify(&chain([&pki.client, &pki.issuing]), timestamp(NOW))
        .unwrap();
    assert_eq!(
        standings(&lists),
        [ListStanding::Verified, ListStanding::Verified]
    );

    let newer = daily(CrlBuilder::new().number(2))
        .issued_by(&pki.issuing)
        .unwrap();
    let next = RevocationLists::new(
        [Arc::new(read(&newer).unwrap())],
        &pki.anchors(),
        &Intermediates::default(),
        Some(&lists),
    );
    assert_eq!(
        standings(&next),
        [ListStanding::Verified],
        "the key is remembered"
    );
}

#[test]
fn a_configured_intermediate_verifies_its_list_at_once() {
    let pki = Pki::new();
    let intermediates = Intermediates::new([CertificateDer::from(pki.issuing.der().to_vec())]).unwrap();
    let list = Arc::new(read(&pki.issuing_crl()).unwrap());
    let lists = RevocationLists::new([list], &pki.anchors(), &intermediates, None);
    assert_eq!(standings(&lists), [ListStanding::Verified]);
}

#[test]
fn after_a_change_of_keys_each_key_speaks_for_its_own_certificates() {
    let name = "CN=Renewed Root";
    let old = long_lived(CertificateBuilder::root(name)).self_signed().unwrap();
    let new = long_lived(CertificateBuilder::root(name)).self_signed().unwrap();
    let client = long_lived(CertificateBuilder::client("CN=client"))
        .issued_by(&new)
        .unwrap();
    let both = anchors([&old, &new]);
    let by_old = daily(CrlBuilder::new().number(50))
        .revoke(&client)
        .issued_by(&old)
        .unwrap();
    let by_new = daily(CrlBuilder::new().number(1)).issued_by(&new).unwrap();
    let lists = load(&[&by_old, &by_new], &both);
    assert_eq!(
        standings(&lists),
        [ListStanding::Verified, ListStanding::Verified]
    );
    let with_both = verifier(both.clone()).with_revocation(Arc::new(lists), STRICT);
    assert!(with_both.verify(&chain([&client]), timestamp(NOW)).is_ok());
    let with_old = verifier(both.clone()).with_revocation(Arc::new(load(&[&by_old], &both)), STRICT);
    let rejection = with_old.verify(&chain([&client]), timestamp(NOW)).unwrap_err();
    assert_eq!(rejection.reason(), Reason::CrlSignature);
}

#[test]
fn a_renewed_certificate_with_the_same_key_keeps_its_lists() {
    let pki = Pki::new();
    let renewed = long_lived(CertificateBuilder::root("CN=Serverless Root CA,O=Example"))
        .key(pki.root.key())
        .serial_bytes(&[0x12, 0x67])
        .self_signed()
        .unwrap();
    let anchors = anchors([&renewed]);
    let lists = Arc::new(load(&[&pki.root_crl(), &pki.issuing_crl()], &anchors));
    let verifier = verifier(anchors).with_revocation(lists, STRICT);
    assert!(
        verifier
            .verify(&chain([&pki.client, &pki.issuing]), timestamp(NOW))
            .is_ok()
    );
}

#[test]
fn an_issuer_is_found_by_its_name_however_that_is_written() {
    let pki = Pki::new();
    let root = long_lived(CertificateBuilder::root("CN=serverless  root CA,O=EXAMPLE"))
        .key(pki.root.key())
        .self_signed()
        .unwrap();
    let crl = daily(CrlBuilder::new()).issued_by(&root).unwrap();
    assert_eq!(standings(&pki.lists(&[&crl])), [ListStanding::Verified]);
    assert!(pki.verify(&[&crl, &pki.issuing_crl()], STRICT).is_ok());
}

#[test]
fn distribution_points_of_authorities_can_be_listed() {
    let pki = Pki::new();
    let issuing = CertificateBuilder::intermediate("CN=Issuing")
        .crl_distribution_point(&format!("{BASE}root.crl"))
        .issued_by(&pki.root)
        .unwrap();
    let der = CertificateDer::from(issuing.der().to_vec());
    assert_eq!(
        RevocationLists::distribution_points_of(&der),
        [format!("{BASE}root.crl")]
    );
    let root = CertificateDer::from(pki.root.der().to_vec());
    assert!(RevocationLists::distribution_points_of(&root).is_empty());
}
