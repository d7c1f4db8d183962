//! Delta CRLs beside the complete CRLs that they continue (RFC 5280 §5.2.4).

use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateDer, CrlHistoryError, Departures, Intermediates, Reason, RevocationListErrorKind,
    RevocationLists,
};
use test_pki::{Credential, Criticality, Crl, CrlBuilder, CrlReason, CrlScope};
use time::{Duration, OffsetDateTime};

use crate::support::{BASE, NOW, Pki, SOFT, STRICT, daily, read, timestamp, tlv};

/// A complete CRL of the last days with number 4.
fn complete(pki: &Pki, change: impl FnOnce(CrlBuilder) -> CrlBuilder) -> Crl {
    weekly(change(CrlBuilder::new().number(4)))
        .issued_by(&pki.issuing)
        .unwrap()
}

fn weekly(builder: CrlBuilder) -> CrlBuilder {
    builder.valid(NOW - Duration::days(3), NOW + Duration::days(4))
}

/// A delta CRL of today with number 6 that continues number 4.
fn delta(pki: &Pki, change: impl FnOnce(CrlBuilder) -> CrlBuilder) -> Crl {
    change(daily(CrlBuilder::new().number(6)).delta_of(4))
        .issued_by(&pki.issuing)
        .unwrap()
}

fn entry(client: &Credential, reason: CrlReason) -> impl FnOnce(CrlBuilder) -> CrlBuilder {
    let serial = client.certificate().serial().unwrap();
    move |builder| builder.revoke_serial(&serial, Some(reason), NOW - Duration::DAY)
}

#[test]
fn a_delta_revokes_beside_its_base_and_clears_others_until_it_ends() {
    let pki = Pki::new();
    let revoked = pki.another_client(|builder| builder);
    let (base, delta) = (
        complete(&pki, |builder| builder),
        delta(&pki, |builder| builder.revoke(&revoked)),
    );
    for lists in [[&base, &delta], [&delta, &base]] {
        assert_eq!(pki.strict(&revoked, &lists), Err(Reason::Revoked));
        assert_eq!(pki.strict(&pki.client, &lists), Ok(()));
    }
    let root = pki.root_crl();
    let verified = pki.verify(&[&base, &delta, &root], STRICT).unwrap();
    let delta_end = read(&delta).unwrap().next_update();
    assert_eq!(Some(verified.valid_until()), delta_end);
    assert_eq!(verified.revocation().next_update(), delta_end);
}

#[test]
fn remove_from_crl_ends_a_hold_and_nothing_else() {
    let pki = Pki::new();
    let removing = delta(&pki, entry(&pki.client, CrlReason::RemoveFromCRL));
    let held = complete(&pki, entry(&pki.client, CrlReason::CertificateHold));
    assert_eq!(pki.strict(&pki.client, &[&held]), Err(Reason::Revoked));
    assert_eq!(pki.strict(&pki.client, &[&held, &removing]), Ok(()));
    for reason in [
        CrlReason::KeyCompromise,
        CrlReason::Superseded,
        CrlReason::RemoveFromCRL,
    ] {
        let base = complete(&pki, entry(&pki.client, reason));
        assert_eq!(
            pki.strict(&pki.client, &[&base, &removing]),
            Err(Reason::Revoked),
            "{reason:?}"
        );
    }
    let without_reason = complete(&pki, |builder| builder.revoke(&pki.client));
    assert_eq!(
        pki.strict(&pki.client, &[&without_reason, &removing]),
        Err(Reason::Revoked)
    );
}

#[test]
fn a_hold_is_ended_only_by_the_newest_delta_of_the_same_series() {
    let pki = Pki::new();
    let held = complete(&pki, entry(&pki.client, CrlReason::CertificateHold));
    let remove = || entry(&pki.client, CrlReason::RemoveFromCRL);
    let stale = remove()(CrlBuilder::new().number(6).delta_of(4))
        .valid(NOW - Duration::days(2), NOW - Duration::DAY)
        .issued_by(&pki.issuing)
        .unwrap();
    let tomorrow = remove()(CrlBuilder::new().number(6).delta_of(4))
        .valid(NOW + Duration::DAY, NOW + Duration::days(2))
        .issued_by(&pki.issuing)
        .unwrap();
    let of_root = remove()(daily(CrlBuilder::new().number(6)).delta_of(4))
        .issued_by(&pki.root)
        .unwrap();
    let of_other_scope = delta(&pki, |builder| remove()(builder).scope(CrlScope::EndEntities));
    let of_newer_base = remove()(daily(CrlBuilder::new().number(6)).delta_of(5))
        .issued_by(&pki.issuing)
        .unwrap();
    let as_new_as_the_base = remove()(daily(CrlBuilder::new().number(4)).delta_of(3))
        .issued_by(&pki.issuing)
        .unwrap();
    let defective = delta(&pki, |builder| {
        remove()(builder).extension("1.3.6.1.4.1.99999.1", Criticality::Critical, &[5, 0])
    });
    let held_again = delta(&pki, |builder| {
        entry(&pki.client, CrlReason::CertificateHold)(remove()(builder))
    });
    for (delta, why) in [
        (&stale, "stale"),
        (&tomorrow, "not valid yet"),
        (&of_root, "of another issuer"),
        (&of_other_scope, "of another scope"),
        (&of_newer_base, "of a newer base"),
        (&as_new_as_the_base, "not newer than the base"),
        (&defective, "with a defect"),
        (&held_again, "that holds as well"),
    ] {
        for options in [STRICT, SOFT] {
            let rejection = pki.verify(&[&held, delta, &pki.root_crl()], options).unwrap_err();
            assert_eq!(rejection.reason(), Reason::Revoked, "a delta CRL {why}");
        }
    }
    // A later one without the entry says that nothing changed since the base.
    let removing = delta(&pki, remove());
    let later = daily(CrlBuilder::new().number(7).delta_of(4))
        .issued_by(&pki.issuing)
        .unwrap();
    assert_eq!(pki.strict(&pki.client, &[&held, &removing]), Ok(()));
    assert_eq!(
        pki.strict(&pki.client, &[&held, &removing, &later]),
        Err(Reason::Revoked)
    );
}

#[test]
fn a_delta_without_its_base_clears_nothing_and_is_named() {
    let pki = Pki::new();
    let alone = delta(&pki, |builder| builder);
    let of_newer_base = daily(CrlBuilder::new().number(9).delta_of(8))
        .issued_by(&pki.issuing)
        .unwrap();
    let base = complete(&pki, |builder| builder);
    let unnumbered = weekly(CrlBuilder::new().without_number())
        .issued_by(&pki.issuing)
        .unwrap();
    for lists in [
        vec![&alone],
        vec![&base, &of_newer_base],
        // The newest decides, although an older one would join.
        vec![&base, &alone, &of_newer_base],
        vec![&unnumbered, &alone],
    ] {
        assert_eq!(pki.strict(&pki.client, &lists), Err(Reason::CrlBaseMissing));
        let root = pki.root_crl();
        let lists: Vec<&Crl> = lists.into_iter().chain([&root]).collect();
        let verified = pki.verify(&lists, SOFT).unwrap();
        let rejection = verified.revocation().unknown().unwrap();
        assert_eq!(rejection.reason(), Reason::CrlBaseMissing);
        let loaded = with_issuer(&pki, &lists, None);
        assert_eq!(loaded.deltas_without_base().count(), 1, "{rejection}");
    }
    let rejection = pki
        .verify(&[&base, &of_newer_base, &pki.root_crl()], STRICT)
        .unwrap_err()
        .to_string();
    assert!(
        rejection.contains(
            "continues a complete CRL with number 0x8 or a higher one, and the newest one is CRL 0x4"
        ),
        "{rejection}"
    );
    assert_eq!(
        with_issuer(&pki, &[&base, &alone], None)
            .deltas_without_base()
            .count(),
        0
    );
}

#[test]
fn base_and_delta_must_both_be_current() {
    let pki = Pki::new();
    let (base, current) = (complete(&pki, |builder| builder), delta(&pki, |builder| builder));
    let past = |builder: CrlBuilder| builder.valid(NOW - Duration::days(5), NOW - Duration::DAY);
    let stale_base = past(CrlBuilder::new().number(4)).issued_by(&pki.issuing).unwrap();
    let stale_delta = past(CrlBuilder::new().number(6).delta_of(4))
        .issued_by(&pki.issuing)
        .unwrap();
    assert_eq!(
        pki.strict(&pki.client, &[&base]),
        Ok(()),
        "no delta is configured"
    );
    assert_eq!(
        pki.strict(&pki.client, &[&base, &stale_delta]),
        Err(Reason::CrlStale)
    );
    assert_eq!(
        pki.strict(&pki.client, &[&stale_base, &current]),
        Err(Reason::CrlStale)
    );
    // A complete CRL that has caught up needs no delta CRL.
    for number in [6, 7] {
        let newer = daily(CrlBuilder::new().number(number))
            .issued_by(&pki.issuing)
            .unwrap();
        assert_eq!(pki.strict(&pki.client, &[&newer, &stale_delta]), Ok(()));
    }
    let stale_hold = past(entry(&pki.client, CrlReason::CertificateHold)(
        CrlBuilder::new().number(6).delta_of(4),
    ))
    .issued_by(&pki.issuing)
    .unwrap();
    assert_eq!(
        pki.strict(&pki.client, &[&base, &stale_hold]),
        Err(Reason::Revoked)
    );
    let newer = daily(CrlBuilder::new().number(7))
        .issued_by(&pki.issuing)
        .unwrap();
    assert_eq!(
        pki.strict(&pki.client, &[&newer, &stale_hold]),
        Ok(()),
        "the complete CRL is newer than the hold"
    );
}

#[test]
fn a_delta_whose_numbers_contradict_each_other_has_a_defect() {
    let pki = Pki::new();
    let base = complete(&pki, |builder| builder);
    for builder in [CrlBuilder::new().number(5), CrlBuilder::new().without_number()] {
        let delta = daily(builder).delta_of(6).issued_by(&pki.issuing).unwrap();
        let list = read(&delta).unwrap();
        let defect = list.defect().unwrap();
        assert!(
            matches!(defect, RevocationListErrorKind::DeltaNumber { .. }),
            "{defect}"
        );
        assert!(pki.strict(&pki.client, &[&base, &delta]).is_err());
    }
    for value in [tlv(0x02, &[0xFF]), tlv(0x02, &[]), vec![5, 0]] {
        let delta = daily(CrlBuilder::new().number(6))
            .extension("2.5.29.27", Criticality::Critical, &value)
            .issued_by(&pki.issuing)
            .unwrap();
        assert!(read(&delta).unwrap().defect().is_some(), "{value:x?}");
        assert!(pki.strict(&pki.client, &[&base, &delta]).is_err());
    }
}

#[test]
fn places_of_deltas_are_read_from_the_complete_list() {
    let pki = Pki::new();
    let uri = format!("{BASE}delta.crl");
    let point = tlv(0x30, &tlv(0xA0, &tlv(0xA0, &tlv(0x86, uri.as_bytes()))));
    let base = complete(&pki, |builder| {
        builder.extension("2.5.29.46", Criticality::NotCritical, &tlv(0x30, &point))
    });
    assert_eq!(read(&base).unwrap().delta_locations(), [uri]);
    assert_eq!(
        pki.strict(&pki.client, &[&base]),
        Ok(()),
        "RFC 5280 leaves deltas optional"
    );
    let unreadable = complete(&pki, |builder| {
        builder.extension("2.5.29.46", Criticality::NotCritical, &[5, 0])
    });
    assert_eq!(pki.strict(&pki.client, &[&unreadable]), Ok(()));
}

fn with_issuer(pki: &Pki, crls: &[&Crl], previous: Option<&RevocationLists>) -> RevocationLists {
    let lists = crls.iter().map(|crl| Arc::new(read(crl).unwrap()));
    RevocationLists::new(lists, &pki.anchors(), &intermediates(pki), previous)
}

fn intermediates(pki: &Pki) -> Intermediates {
    Intermediates::new([CertificateDer::from(pki.issuing.der().to_vec())]).unwrap()
}

fn follow(pki: &Pki, before: &[&Crl], after: &[&Crl]) -> Result<RevocationLists, CrlHistoryError> {
    let (anchors, intermediates) = (pki.anchors(), intermediates(pki));
    let departures = Departures {
        anchors: &anchors,
        intermediates: &intermediates,
        ended_before: None,
    };
    let before = with_issuer(pki, before, None).succeed(None, &departures).unwrap();
    with_issuer(pki, after, Some(&before)).succeed(Some(&before), &departures)
}

fn numbered(pki: &Pki, number: u64, base: Option<u64>, this_update: OffsetDateTime) -> Crl {
    let builder = CrlBuilder::new()
        .number(number)
        .valid(this_update, NOW + Duration::DAY);
    let builder = match base {
        Some(base) => builder.delta_of(base),
        None => builder,
    };
    builder.issued_by(&pki.issuing).unwrap()
}

#[test]
fn a_delta_does_not_go_back_or_away_before_a_complete_list_has_caught_up() {
    let pki = Pki::new();
    let at = |hours| NOW - Duration::hours(hours);
    let base = numbered(&pki, 4, None, at(40));
    let (fifth, sixth) = (
        numbered(&pki, 5, Some(4), at(20)),
        numbered(&pki, 6, Some(4), at(10)),
    );
    assert!(follow(&pki, &[&base, &fifth], &[&base, &sixth]).is_ok());
    let error = follow(&pki, &[&base, &sixth], &[&base, &fifth]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("changes only goes back from number 0x6 to 0x5"),
        "{error}"
    );
    let error = follow(&pki, &[&base, &sixth], &[&base]).unwrap_err();
    assert!(matches!(error, CrlHistoryError::Missing { .. }), "{error}");
    let behind = numbered(&pki, 5, None, at(5));
    assert!(follow(&pki, &[&base, &sixth], &[&behind]).is_err());
    for number in [6, 7] {
        let caught_up = numbered(&pki, number, None, at(5));
        let lists = follow(&pki, &[&base, &sixth], &[&caught_up]).unwrap();
        assert!(
            lists
                .history()
                .iter()
                .any(|seen| seen.series.is_delta() && !seen.is_expected)
        );
        assert_eq!(pki.strict(&pki.client, &[&caught_up]), Ok(()));
    }
}

#[test]
fn a_complete_list_is_not_older_than_the_delta_that_it_was_joined_with() {
    let pki = Pki::new();
    let at = |hours| NOW - Duration::hours(hours);
    let base = numbered(&pki, 4, None, at(40));
    let sixth = numbered(&pki, 6, Some(4), at(10));
    let lists = follow(&pki, &[&base, &sixth], &[&base, &sixth]).unwrap();
    let verifier = crate::support::verifier(pki.anchors());
    let options = alb_mtls_verifier::RevocationOptions {
        depth: alb_mtls_verifier::RevocationDepth::EndEntity,
        ..STRICT
    };
    let verified = verifier.with_revocation(Arc::new(lists), options).verify(
        &crate::support::chain([&pki.client, &pki.issuing]),
        timestamp(NOW),
    );
    assert!(verified.is_ok(), "{verified:?}");
}

/// openssl/openssl#31040: a delta CRL for some reasons passed for a complete CRL.
#[test]
fn a_delta_for_some_reasons_is_no_complete_list() {
    let pki = Pki::new();
    let scope = |builder: CrlBuilder| {
        builder.extension(
            "2.5.29.28",
            Criticality::Critical,
            &tlv(0x30, &tlv(0x83, &[0x06, 0x40])),
        )
    };
    let (base, delta) = (complete(&pki, scope), delta(&pki, scope));
    for lists in [vec![&delta], vec![&base, &delta]] {
        assert!(pki.strict(&pki.client, &lists).is_err());
    }
    let whole = complete(&pki, |builder| builder);
    assert_eq!(pki.strict(&pki.client, &[&whole, &delta]), Ok(()));
}

/// openssl/openssl#31297: a delta CRL that is not valid yet says nothing now, and what it will say
/// is not hidden by a verdict of today.
#[test]
fn a_delta_of_tomorrow_bounds_the_verdict() {
    let pki = Pki::new();
    let base = complete(&pki, |builder| builder);
    let tomorrow = CrlBuilder::new()
        .number(6)
        .delta_of(4)
        .valid(NOW + Duration::HOUR, NOW + Duration::DAY)
        .issued_by(&pki.issuing)
        .unwrap();
    let verified = pki.verify(&[&base, &tomorrow, &pki.root_crl()], STRICT).unwrap();
    assert!(verified.valid_until() < timestamp(NOW + Duration::HOUR));
}
