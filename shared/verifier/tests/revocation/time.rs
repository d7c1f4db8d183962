//! Lists that are stale, of the future, or replaced.

use std::sync::Arc;

use alb_mtls_verifier::{Reason, RevocationMode, RevocationOptions};
use test_pki::CrlBuilder;
use time::Duration;

use crate::support::{NOW, Pki, SOFT, STRICT, chain, daily, timestamp, verifier};

#[test]
fn a_list_counts_until_its_next_update_and_the_grace_after_it() {
    let pki = Pki::new();
    let verdict = |age: Duration, grace_seconds: u32, mode: RevocationMode| {
        let policy = RevocationOptions {
            mode,
            grace_seconds,
            ..STRICT
        };
        let lists = pki.lists(&[&pki.root_crl(), &pki.issuing_crl()]);
        let verifier = verifier(pki.anchors()).with_revocation(Arc::new(lists), policy);
        let next_update = NOW + Duration::hours(20) + Duration::minutes(10);
        verifier.verify(&chain([&pki.client, &pki.issuing]), timestamp(next_update + age))
    };
    let reason = |age, grace, mode| {
        verdict(age, grace, mode)
            .map(|_| ())
            .map_err(|rejection| rejection.reason())
    };
    let second = Duration::SECOND;
    assert_eq!(reason(Duration::ZERO, 0, RevocationMode::Strict), Ok(()));
    assert_eq!(reason(second, 0, RevocationMode::Strict), Err(Reason::CrlStale));
    assert_eq!(reason(second, 600, RevocationMode::Strict), Ok(()));
    assert_eq!(reason(second * 600, 600, RevocationMode::Strict), Ok(()));
    assert_eq!(
        reason(second * 601, 600, RevocationMode::Strict),
        Err(Reason::CrlStale)
    );

    let stale = verdict(Duration::DAY, 0, RevocationMode::Soft).unwrap();
    assert_eq!(stale.revocation().unknown().unwrap().reason(), Reason::CrlStale);
    assert_eq!(
        stale.revocation().valid_until(),
        None,
        "it does not become any staler"
    );
    let with_grace = verdict(second, 600, RevocationMode::Strict).unwrap();
    assert_eq!(
        with_grace.valid_until(),
        timestamp(NOW + Duration::hours(20) + Duration::minutes(20))
    );
}

#[test]
fn a_stale_list_still_revokes() {
    let pki = Pki::new();
    let stale = CrlBuilder::new()
        .valid(NOW - Duration::days(3), NOW - Duration::days(2))
        .revoke(&pki.client)
        .issued_by(&pki.issuing)
        .unwrap();
    let rejection = pki.verify(&[&stale, &pki.root_crl()], SOFT).unwrap_err();
    assert_eq!(rejection.reason(), Reason::Revoked);
}

#[test]
fn a_list_of_the_future_clears_nobody_and_still_revokes() {
    let pki = Pki::new();
    let future = |builder: CrlBuilder| {
        builder
            .valid(NOW + Duration::minutes(5), NOW + Duration::DAY)
            .issued_by(&pki.issuing)
            .unwrap()
    };
    let silent = future(CrlBuilder::new().number(9));
    assert_eq!(pki.strict(&pki.client, &[&silent]), Err(Reason::CrlNotYetValid));
    let verified = pki.verify(&[&silent, &pki.root_crl()], SOFT).unwrap();
    assert_eq!(
        verified.valid_until(),
        timestamp(NOW + Duration::minutes(5) - Duration::SECOND),
        "then the list may have another answer"
    );
    assert_eq!(pki.strict(&pki.client, &[&silent, &pki.issuing_crl()]), Ok(()));
    let revoking = future(CrlBuilder::new().number(9).revoke(&pki.client));
    assert_eq!(
        pki.strict(&pki.client, &[&revoking, &pki.issuing_crl()]),
        Err(Reason::Revoked)
    );
}

#[test]
fn the_newest_list_of_an_issuer_counts_in_whatever_order_they_come() {
    let pki = Pki::new();
    let revoking = daily(CrlBuilder::new().number(8))
        .revoke(&pki.client)
        .issued_by(&pki.issuing)
        .unwrap();
    let older = daily(CrlBuilder::new().number(7))
        .issued_by(&pki.issuing)
        .unwrap();
    for crls in [[&older, &revoking], [&revoking, &older]] {
        assert_eq!(pki.strict(&pki.client, &crls), Err(Reason::Revoked));
    }

    let stale_but_newest = CrlBuilder::new()
        .number(9)
        .valid(NOW - Duration::days(2), NOW - Duration::DAY)
        .issued_by(&pki.issuing)
        .unwrap();
    for crls in [[&older, &stale_but_newest], [&stale_but_newest, &older]] {
        assert_eq!(pki.strict(&pki.client, &crls), Err(Reason::CrlStale));
    }
}

#[test]
fn a_current_older_list_still_revokes_and_a_stale_replaced_one_does_not() {
    let pki = Pki::new();
    let newest = daily(CrlBuilder::new().number(8))
        .issued_by(&pki.issuing)
        .unwrap();
    let current = daily(CrlBuilder::new().number(7))
        .revoke(&pki.client)
        .issued_by(&pki.issuing)
        .unwrap();
    let stale = CrlBuilder::new()
        .number(7)
        .valid(NOW - Duration::days(2), NOW - Duration::DAY)
        .revoke(&pki.client)
        .issued_by(&pki.issuing)
        .unwrap();
    for (older, expected) in [(current, Err(Reason::Revoked)), (stale, Ok(()))] {
        assert_eq!(pki.strict(&pki.client, &[&newest, &older]), expected);
        assert_eq!(pki.strict(&pki.client, &[&older, &newest]), expected);
    }
}
