//! Verdicts on clients.

use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateStatus, Reason, ReasonCode, RevocationDepth, RevocationMode, RevocationOptions,
};
use test_pki::{CertificateBuilder, CrlBuilder, CrlReason};
use time::Duration;
use time::macros::datetime;

use crate::support::{NOW, Pki, SOFT, STRICT, anchors, chain, daily, load, long_lived, timestamp, verifier};

#[test]
fn a_client_whose_path_is_on_no_list_passes_with_evidence() {
    let pki = Pki::new();
    let verified = pki
        .verify(&[&pki.root_crl(), &pki.issuing_crl()], STRICT)
        .unwrap();
    let evidence = verified.revocation();
    let issuers: Vec<String> = evidence
        .certificates()
        .iter()
        .map(|status| match status {
            CertificateStatus::Good(list) => list.issuer().to_string(),
            CertificateStatus::Answered(status) => panic!("{status}"),
            CertificateStatus::Unknown(rejection) => panic!("{rejection}"),
        })
        .collect();
    assert_eq!(
        issuers,
        [
            "CN=Serverless Issuing CA,O=Example",
            "CN=Serverless Root CA,O=Example"
        ]
    );
    let next_update = timestamp(NOW + Duration::hours(20) + Duration::minutes(10));
    assert_eq!(evidence.next_update(), Some(next_update));
    assert_eq!(
        verified.valid_until(),
        next_update,
        "no verdict outlives its lists"
    );
}

#[test]
fn a_revoked_client_is_refused_with_reason_and_date() {
    let pki = Pki::new();
    let serial = pki.client.certificate().serial().unwrap();
    let crl = daily(CrlBuilder::new().number(0x2B))
        .revoke_serial(
            &serial,
            Some(CrlReason::KeyCompromise),
            datetime!(2026-05-30 8:15 UTC),
        )
        .issued_by(&pki.issuing)
        .unwrap();
    for mode in [RevocationMode::Strict, RevocationMode::Soft] {
        for depth in [RevocationDepth::Chain, RevocationDepth::EndEntity] {
            let policy = RevocationOptions {
                mode,
                depth,
                grace_seconds: 0,
            };
            let rejection = pki.verify(&[&pki.root_crl(), &crl], policy).unwrap_err();
            assert_eq!(rejection.reason(), Reason::Revoked);
            assert_eq!(rejection.code(), ReasonCode::ClientCertCrlHit);
            assert_eq!(rejection.certificate(), Some(0));
            let explanation = rejection.explanation().unwrap();
            assert!(explanation.starts_with("revoked since 2026-05-30T08:15:00Z, keyCompromise, by CRL 0x2B of CN=Serverless Issuing CA,O=Example"), "{explanation}");
        }
    }
}

#[test]
fn a_revoked_issuing_authority_takes_its_clients_with_it() {
    let pki = Pki::new();
    let root_crl = daily(CrlBuilder::new())
        .revoke(&pki.issuing)
        .issued_by(&pki.root)
        .unwrap();
    let crls = [&root_crl, &pki.issuing_crl()];
    let rejection = pki.verify(&crls, STRICT).unwrap_err();
    assert_eq!(
        (rejection.reason(), rejection.certificate()),
        (Reason::Revoked, Some(1))
    );
    let leaf_only = RevocationOptions {
        depth: RevocationDepth::EndEntity,
        ..STRICT
    };
    let verified = pki.verify(&crls, leaf_only).unwrap();
    assert_eq!(
        verified.revocation().certificates().len(),
        1,
        "the operator asked for no more"
    );
}

#[test]
fn a_revoked_certificate_wins_over_one_of_unknown_status() {
    let pki = Pki::new();
    let root_crl = daily(CrlBuilder::new())
        .revoke(&pki.issuing)
        .issued_by(&pki.root)
        .unwrap();
    let rejection = pki.verify(&[&root_crl], STRICT).unwrap_err();
    assert_eq!(
        rejection.reason(),
        Reason::Revoked,
        "the client's own status is not known"
    );
}

#[test]
fn off_looks_at_no_list() {
    let pki = Pki::new();
    let crl = daily(CrlBuilder::new())
        .revoke(&pki.client)
        .issued_by(&pki.issuing)
        .unwrap();
    let off = RevocationOptions {
        mode: RevocationMode::Off,
        ..STRICT
    };
    let verified = pki.verify(&[&crl], off).unwrap();
    assert!(verified.revocation().certificates().is_empty());
    assert_eq!(verified.revocation().valid_until(), None);
}

#[test]
fn a_verdict_weighs_what_it_says_of_an_unknown_status() {
    let pki = Pki::new();
    let (root, issuing) = (pki.root_crl(), pki.issuing_crl());
    let known = pki.verify(&[&root, &issuing], SOFT).unwrap();
    let unknown = pki.verify(&[&root], SOFT).unwrap();
    let explanation = unknown.revocation().unknown().unwrap().to_string();
    assert!(
        explanation.contains("the issuer is CN=Serverless Issuing CA"),
        "{explanation}"
    );
    assert!(unknown.heap_bytes() > known.heap_bytes(), "{explanation}");
}

#[test]
fn a_missing_level_is_refused_by_strict_and_recorded_by_soft() {
    let pki = Pki::new();
    for (crl, index) in [(pki.issuing_crl(), 1), (pki.root_crl(), 0)] {
        let rejection = pki.verify(&[&crl], STRICT).unwrap_err();
        assert_eq!(
            (rejection.reason(), rejection.certificate()),
            (Reason::CrlMissing, Some(index))
        );
        assert_eq!(rejection.code(), ReasonCode::ClientCertCrlProcessingError);
        let verified = pki.verify(&[&crl], SOFT).unwrap();
        let unknown = verified.revocation().unknown().unwrap();
        assert_eq!(
            (unknown.reason(), unknown.certificate()),
            (Reason::CrlMissing, Some(index))
        );
    }
    let leaf_only = RevocationOptions {
        depth: RevocationDepth::EndEntity,
        ..STRICT
    };
    assert!(pki.verify(&[&pki.issuing_crl()], leaf_only).is_ok());
}

#[test]
fn a_revoked_path_does_not_hide_a_valid_one() {
    let pki = Pki::new();
    let other_root = long_lived(CertificateBuilder::root("CN=Other Root"))
        .self_signed()
        .unwrap();
    let cross = long_lived(CertificateBuilder::intermediate(
        "CN=Serverless Issuing CA,O=Example",
    ))
    .key(pki.issuing.key())
    .issued_by(&other_root)
    .unwrap();
    let both = anchors([&pki.root, &other_root]);
    let revoking = daily(CrlBuilder::new())
        .revoke(&pki.issuing)
        .issued_by(&pki.root)
        .unwrap();
    let other_crl = daily(CrlBuilder::new()).issued_by(&other_root).unwrap();
    let lists = Arc::new(load(&[&revoking, &other_crl, &pki.issuing_crl()], &both));
    let judge = verifier(both.clone()).with_revocation(lists, STRICT);
    for presented in [
        chain([&pki.client, &pki.issuing, &cross]),
        chain([&pki.client, &cross, &pki.issuing]),
    ] {
        let verified = judge.verify(&presented, timestamp(NOW)).unwrap();
        assert_eq!(verified.intermediates()[0].as_ref(), cross.der());
    }

    let both_revoked = daily(CrlBuilder::new())
        .revoke(&cross)
        .issued_by(&other_root)
        .unwrap();
    let lists = Arc::new(load(&[&revoking, &both_revoked, &pki.issuing_crl()], &both));
    let rejection = verifier(both)
        .with_revocation(lists, STRICT)
        .verify(&chain([&pki.client, &pki.issuing, &cross]), timestamp(NOW))
        .unwrap_err();
    assert_eq!(rejection.reason(), Reason::Revoked);
}

#[test]
fn the_refusal_for_revocation_wins_over_that_of_an_incomplete_path() {
    let pki = Pki::new();
    let stranger = long_lived(CertificateBuilder::root("CN=Stranger"))
        .self_signed()
        .unwrap();
    let cross = long_lived(CertificateBuilder::intermediate(
        "CN=Serverless Issuing CA,O=Example",
    ))
    .key(pki.issuing.key())
    .issued_by(&stranger)
    .unwrap();
    let crl = daily(CrlBuilder::new())
        .revoke(&pki.client)
        .issued_by(&pki.issuing)
        .unwrap();
    let lists = Arc::new(pki.lists(&[&crl, &pki.root_crl()]));
    let judge = verifier(pki.anchors()).with_revocation(lists, STRICT);
    for presented in [
        chain([&pki.client, &cross, &pki.issuing]),
        chain([&pki.client, &pki.issuing, &cross]),
    ] {
        let rejection = judge.verify(&presented, timestamp(NOW)).unwrap_err();
        assert_eq!(rejection.reason(), Reason::Revoked);
    }
}

/// The issuing CA has certified its new key with the old one, and still signs a CRL with each.
#[test]
fn list_of_the_issuers_former_key_revokes_and_does_not_clear() {
    let pki = Pki::new();
    let renewed = long_lived(CertificateBuilder::intermediate(
        "CN=Serverless Issuing CA,O=Example",
    ));
    // Its path length does not count a self-issued certificate.
    let renewed = renewed.path_length(0).issued_by(&pki.issuing).unwrap();
    let client = long_lived(CertificateBuilder::client("CN=client-2"))
        .issued_by(&renewed)
        .unwrap();
    let verdict = |crls: &[&test_pki::Crl]| {
        let anchors = anchors([&pki.root]);
        let lists = Arc::new(load(crls, &anchors));
        let verified = verifier(anchors)
            .with_revocation(lists, STRICT)
            .verify(&chain([&client, &renewed, &pki.issuing]), timestamp(NOW));
        verified.map(|_| ()).map_err(|rejection| rejection.reason())
    };
    let of_new_key = daily(CrlBuilder::new()).issued_by(&renewed).unwrap();
    let (root, old) = (pki.root_crl(), pki.issuing_crl());
    assert_eq!(verdict(&[&root, &old, &of_new_key]), Ok(()));
    assert_eq!(verdict(&[&root, &old]), Err(Reason::CrlSignature));
    let revoking = daily(CrlBuilder::new().revoke(&client))
        .issued_by(&pki.issuing)
        .unwrap();
    for order in [[&root, &revoking, &of_new_key], [&of_new_key, &revoking, &root]] {
        assert_eq!(verdict(&order), Err(Reason::Revoked));
    }
    // A stranger of that name is not in the path, so its CRL says nothing.
    let stranger = long_lived(CertificateBuilder::root("CN=Serverless Issuing CA,O=Example"))
        .self_signed()
        .unwrap();
    let forged = daily(CrlBuilder::new().revoke(&client))
        .issued_by(&stranger)
        .unwrap();
    assert_eq!(verdict(&[&root, &old, &of_new_key, &forged]), Ok(()));
}
