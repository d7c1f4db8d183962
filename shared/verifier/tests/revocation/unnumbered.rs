//! Lists without a CRL number, and lists of version 1: easy-rsa, cfssl and a plain `openssl ca`
//! make no others.

use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateDer, CrlHistoryError, CrlVersion, Departures, Intermediates, Reason, RevocationLists,
};
use test_pki::{Credential, Criticality, Crl, CrlBuilder};
use time::{Duration, OffsetDateTime};

use crate::support::{NOW, Pki, SOFT, chain, daily, read, timestamp, tlv, verifier};

/// A list of that age in hours for two days, without a number.
fn aged(authority: &Credential, hours: i64, change: impl FnOnce(CrlBuilder) -> CrlBuilder) -> Crl {
    let from = NOW - Duration::hours(hours);
    let builder = CrlBuilder::new()
        .without_number()
        .valid(from, from + Duration::days(2));
    change(builder).issued_by(authority).unwrap()
}

fn version_1(authority: &Credential, crl: &Crl) -> Crl {
    let edited = crl.edited(authority.key(), |tbs| {
        tbs.version = None;
        tbs.extensions = None;
        Ok(())
    });
    edited.unwrap()
}

#[test]
fn they_clear_and_revoke() {
    let pki = Pki::new();
    let clearing = aged(&pki.issuing, 4, |builder| builder);
    let revoking = aged(&pki.issuing, 4, |builder| builder.revoke(&pki.client));
    let explicit_version_1 = clearing.edited(pki.issuing.key(), |tbs| {
        tbs.version = Some(test_pki::raw::integer(&[0])?);
        tbs.extensions = None;
        Ok(())
    });
    for crl in [
        &clearing,
        &version_1(&pki.issuing, &clearing),
        &explicit_version_1.unwrap(),
    ] {
        assert_eq!(read(crl).unwrap().defect(), None);
        assert_eq!(read(crl).unwrap().number(), None);
        assert_eq!(pki.strict(&pki.client, &[crl]), Ok(()));
    }
    for crl in [&revoking, &version_1(&pki.issuing, &revoking)] {
        assert_eq!(pki.strict(&pki.client, &[crl]), Err(Reason::Revoked));
        let rejection = pki.verify(&[crl], SOFT).unwrap_err();
        assert_eq!(rejection.reason(), Reason::Revoked);
    }
    assert_eq!(
        read(&clearing).unwrap().to_string(),
        "CRL of CN=Serverless Issuing CA,O=Example for all certificates, 2026-06-01T08:00:00Z to 2026-06-03T08:00:00Z"
    );
}

#[test]
fn extensions_of_a_version_1_list_count_as_those_of_version_2() {
    let pki = Pki::new();
    let crl = aged(&pki.issuing, 4, |builder| {
        builder.extension("1.3.6.1.4.1.99999.1", Criticality::Critical, &[0x05, 0x00])
    });
    let edited = crl.edited(pki.issuing.key(), |tbs| {
        tbs.version = None;
        Ok(())
    });
    assert_eq!(
        pki.strict(&pki.client, &[&edited.unwrap()]),
        Err(Reason::CrlUnusable)
    );
}

#[test]
fn empty_lists_of_extensions_are_none() {
    let pki = Pki::new();
    let crl = aged(&pki.issuing, 4, |builder| builder.revoke_serial(&[7], None, NOW));
    let edited = crl.edited(pki.issuing.key(), |tbs| {
        tbs.extensions = Some(Vec::new());
        for entry in tbs.revoked_certificates.iter_mut().flatten() {
            entry.extensions = Some(Vec::new());
        }
        Ok(())
    });
    assert_eq!(pki.strict(&pki.client, &[&edited.unwrap()]), Ok(()));
}

#[test]
fn numbers_that_are_negative_or_too_long_order_nothing() {
    let pki = Pki::new();
    for number in [vec![0x80], vec![0xFF, 0x00], vec![0x01; 21], vec![0x7F; 100]] {
        let crl = |hours, change: fn(CrlBuilder, &Credential) -> CrlBuilder| {
            aged(&pki.issuing, hours, |builder| {
                let value = tlv(0x02, &number);
                change(builder, &pki.client).extension("2.5.29.20", Criticality::NotCritical, &value)
            })
        };
        let (older, newer) = (
            crl(5, |builder, _| builder),
            crl(4, |builder, client| builder.revoke(client)),
        );
        let list = read(&newer).unwrap();
        assert_eq!((list.defect(), list.number()), (None, None));
        for crls in [[&older, &newer], [&newer, &older]] {
            assert_eq!(pki.strict(&pki.client, &crls), Err(Reason::Revoked));
        }
        assert_eq!(pki.strict(&pki.client, &[&older]), Ok(()));
        let mut reader = Reader::new(&pki);
        reader.see(&[&newer]).unwrap();
        assert!(matches!(
            reader.see(&[&older]),
            Err(CrlHistoryError::Older { .. })
        ));
    }
    let zero = daily(CrlBuilder::new().number(0))
        .issued_by(&pki.issuing)
        .unwrap();
    assert_eq!(read(&zero).unwrap().number().unwrap().to_string(), "0x0");
    assert_eq!(pki.strict(&pki.client, &[&zero]), Ok(()));
}

#[test]
fn the_latest_decides_in_whatever_order_they_come() {
    let pki = Pki::new();
    let old = aged(&pki.issuing, 40, |builder| builder.revoke(&pki.client));
    let stale = |change: fn(CrlBuilder) -> CrlBuilder| {
        aged(&pki.issuing, 60, |builder| change(builder).revoke(&pki.client))
    };
    let new = aged(&pki.issuing, 2, |builder| builder);
    for crls in [[&old, &new], [&new, &old]] {
        assert_eq!(
            pki.strict(&pki.client, &crls),
            Err(Reason::Revoked),
            "the older one is current"
        );
    }
    for stale in [stale(|builder| builder), stale(|builder| builder.number(900))] {
        for crls in [[&stale, &new], [&new, &stale]] {
            assert_eq!(pki.strict(&pki.client, &crls), Ok(()), "it is stale and replaced");
        }
    }
    let ended = |hours: i64| {
        let from = NOW - Duration::hours(hours);
        let builder = CrlBuilder::new()
            .without_number()
            .valid(from, from + Duration::HOUR);
        builder.issued_by(&pki.issuing).unwrap()
    };
    let crls = [&ended(3), &aged(&pki.issuing, 5, |builder| builder)];
    assert_eq!(pki.strict(&pki.client, &crls), Err(Reason::CrlStale));
}

#[test]
fn of_two_lists_of_one_second_each_counts() {
    let pki = Pki::new();
    let from = NOW - Duration::hours(2);
    let silent = CrlBuilder::new()
        .without_number()
        .valid(from, NOW + Duration::DAY)
        .issued_by(&pki.issuing)
        .unwrap();
    for builder in [CrlBuilder::new().without_number(), CrlBuilder::new().number(3)] {
        let revoking = builder
            .valid(from, from + Duration::HOUR)
            .revoke(&pki.client)
            .issued_by(&pki.issuing)
            .unwrap();
        for crls in [[&silent, &revoking], [&revoking, &silent]] {
            assert_eq!(pki.strict(&pki.client, &crls), Err(Reason::Revoked));
        }
    }
}

/// The process that reads lists of the issuing CA, one state after the other.
struct Reader<'p> {
    pki: &'p Pki,
    intermediates: Intermediates,
    lists: Option<RevocationLists>,
}

impl<'p> Reader<'p> {
    fn new(pki: &'p Pki) -> Self {
        Self {
            pki,
            intermediates: Intermediates::new([CertificateDer::from(pki.issuing.der().to_vec())]).unwrap(),
            lists: None,
        }
    }

    fn see(&mut self, crls: &[&Crl]) -> Result<(), CrlHistoryError> {
        let anchors = self.pki.anchors();
        let previous = self.lists.as_ref();
        let lists = crls.iter().map(|crl| Arc::new(read(crl).unwrap()));
        let lists = RevocationLists::new(lists, &anchors, &self.intermediates, previous);
        let departures = Departures {
            anchors: &anchors,
            intermediates: &self.intermediates,
            ended_before: None,
        };
        self.lists = Some(lists.succeed(previous, &departures)?);
        Ok(())
    }

    /// Verifies the client with these lists and the history of all lists that were seen.
    fn verdict(&self, crls: &[&Crl]) -> Result<(), Reason> {
        let history = self.lists.as_ref().unwrap().history();
        let root_crl = self.pki.root_crl();
        let all = crls.iter().copied().chain([&root_crl]);
        let all = all.map(|crl| Arc::new(read(crl).unwrap()));
        let anchors = self.pki.anchors();
        let lists = RevocationLists::with_history(all, &anchors, &self.intermediates, None, history);
        verifier(anchors)
            .with_revocation(Arc::new(lists), crate::support::STRICT)
            .verify(&chain([&self.pki.client, &self.pki.issuing]), timestamp(NOW))
            .map(|_| ())
            .map_err(|rejection| rejection.reason())
    }
}

#[test]
fn an_older_list_does_not_follow_a_later_one() {
    let pki = Pki::new();
    let at = |hours| aged(&pki.issuing, hours, |builder| builder);
    let mut reader = Reader::new(&pki);
    reader.see(&[&at(4)]).unwrap();
    assert_eq!(
        reader.see(&[&at(5)]).unwrap_err().to_string(),
        "the CRL of CN=Serverless Issuing CA,O=Example for all certificates goes back from the one of \
         2026-06-01T08:00:00Z to the one of 2026-06-01T07:00:00Z"
    );
    assert_eq!(reader.verdict(&[&at(5)]), Err(Reason::CrlStale));
    reader.see(&[&version_1(&pki.issuing, &at(4))]).unwrap();
    reader.see(&[&at(3)]).unwrap();
    assert_eq!(reader.verdict(&[&at(3)]), Ok(()));
    assert_eq!(reader.verdict(&[&at(4)]), Err(Reason::CrlStale));
    assert!(matches!(reader.see(&[]), Err(CrlHistoryError::Missing { .. })));
}

#[test]
fn numbered_and_unnumbered_lists_of_one_series_replace_each_other_by_date() {
    let pki = Pki::new();
    let unnumbered = |hours| aged(&pki.issuing, hours, |builder| builder);
    let numbered = |number, hours| aged(&pki.issuing, hours, |builder| builder.number(number));
    // An easy-rsa CA that begins to number its lists.
    let mut reader = Reader::new(&pki);
    reader.see(&[&unnumbered(9)]).unwrap();
    reader.see(&[&numbered(1, 8)]).unwrap();
    for replayed in [unnumbered(9), unnumbered(10)] {
        assert!(matches!(
            reader.see(&[&replayed]),
            Err(CrlHistoryError::Older { .. })
        ));
        assert_eq!(reader.verdict(&[&replayed]), Err(Reason::CrlStale));
    }
    // It goes back to lists without a number: none of those before comes again.
    reader.see(&[&unnumbered(5)]).unwrap();
    for replayed in [
        numbered(1, 8),
        numbered(2, 7),
        numbered(9, 6),
        unnumbered(6),
        unnumbered(9),
    ] {
        assert!(
            matches!(reader.see(&[&replayed]), Err(CrlHistoryError::Older { .. })),
            "{}",
            read(&replayed).unwrap()
        );
        assert_eq!(reader.verdict(&[&replayed]), Err(Reason::CrlStale));
    }
    // The number that it had reached is not forgotten either.
    assert!(matches!(
        reader.see(&[&numbered(0, 4)]),
        Err(CrlHistoryError::Older { .. })
    ));
    reader.see(&[&numbered(2, 4)]).unwrap();
    assert_eq!(reader.verdict(&[&numbered(2, 4)]), Ok(()));
}

#[test]
fn lists_whose_numbers_contradict_their_dates_clear_nothing() {
    let pki = Pki::new();
    let unnumbered = aged(&pki.issuing, 5, |builder| builder);
    let first = aged(&pki.issuing, 6, |builder| builder.number(5));
    let restarted = aged(&pki.issuing, 4, |builder| builder.number(4));
    for crls in [
        [&unnumbered, &first, &restarted],
        [&restarted, &unnumbered, &first],
        [&first, &restarted, &unnumbered],
    ] {
        assert!(
            pki.strict(&pki.client, &crls).is_err(),
            "each is older than another"
        );
    }
    assert_eq!(pki.strict(&pki.client, &[&unnumbered, &restarted]), Ok(()));
}

#[test]
fn of_lists_of_one_second_the_one_that_revokes_more_follows() {
    let pki = Pki::new();
    let made = |number: Option<u64>, serials: &[u8]| {
        aged(&pki.issuing, 4, |builder| {
            let builder = match number {
                Some(number) => builder.number(number),
                None => builder,
            };
            serials.iter().fold(builder, |builder, serial| {
                builder.revoke_serial(&[*serial], None, NOW)
            })
        })
    };
    for (before, after) in [(None, None), (Some(1), None), (None, Some(1))] {
        let mut reader = Reader::new(&pki);
        reader.see(&[&made(before, &[1, 2])]).unwrap();
        for fewer in [&[1][..], &[], &[1, 3]] {
            assert!(
                matches!(
                    reader.see(&[&made(after, fewer)]),
                    Err(CrlHistoryError::Ambiguous { .. })
                ),
                "{before:?} {after:?}"
            );
        }
        reader.see(&[&made(after, &[3, 2, 1])]).unwrap();
    }
}

#[test]
fn a_later_list_with_a_defect_is_not_followed_by_an_older_one() {
    let pki = Pki::new();
    let from = |time: OffsetDateTime| {
        CrlBuilder::new()
            .without_number()
            .valid(time, NOW + Duration::DAY)
    };
    let endless = from(NOW - Duration::hours(4))
        .without_next_update()
        .issued_by(&pki.issuing)
        .unwrap();
    let (endless_at, older) = (read(&endless).unwrap().this_update(), {
        let builder = from(NOW - Duration::hours(5));
        builder.issued_by(&pki.issuing).unwrap()
    });
    assert_eq!(endless_at, timestamp(NOW - Duration::hours(4)));
    let mut reader = Reader::new(&pki);
    reader.see(&[&endless]).unwrap();
    assert!(matches!(
        reader.see(&[&older]),
        Err(CrlHistoryError::Older { .. })
    ));
    assert_eq!(reader.verdict(&[&older]), Err(Reason::CrlStale));
}

#[test]
fn versions_compare_by_number_only_where_both_have_one() {
    let version = |number: Option<&str>, seconds| CrlVersion {
        number: number.map(|number| number.parse().unwrap()),
        this_update: timestamp(NOW).plus_seconds(seconds),
    };
    for (left, right, is_older) in [
        (version(None, 0), version(None, 1), true),
        (version(None, 1), version(None, 0), false),
        (version(None, 0), version(None, 0), false),
        (version(Some("0x9"), 0), version(None, 1), true),
        (version(None, 0), version(Some("0x9"), 1), true),
        (version(Some("0x1"), 1), version(None, 0), false),
        (version(Some("0x1"), 1), version(Some("0x2"), 0), true),
        (version(Some("0x2"), 0), version(Some("0x1"), 1), false),
    ] {
        assert_eq!(left.is_older_than(right), is_older, "{left:?} {right:?}");
    }
}
