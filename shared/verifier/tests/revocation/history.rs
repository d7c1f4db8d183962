//! New lists, compared with those that were in use before.

use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateDer, CrlHistory, CrlHistoryError, Departures, Intermediates, Reason, RevocationLists, SeenCrl,
    TrustAnchors,
};
use test_pki::{CertificateBuilder, Credential, Criticality, Crl, CrlBuilder, CrlScope};
use time::Duration;

use crate::support::{
    BASE, NOW, Pki, SOFT, STRICT, anchors, chain, daily, long_lived, read, timestamp, verifier,
};

fn numbered(authority: &Credential, number: u64) -> Crl {
    daily(CrlBuilder::new().number(number))
        .issued_by(authority)
        .unwrap()
}

/// The process that reads lists, one state after the other.
struct Reader {
    anchors: TrustAnchors,
    intermediates: Intermediates,
    ended: bool,
    lists: Option<RevocationLists>,
}

impl Reader {
    fn new(pki: &Pki) -> Self {
        Self {
            anchors: pki.anchors(),
            intermediates: Intermediates::new([CertificateDer::from(pki.issuing.der().to_vec())]).unwrap(),
            ended: false,
            lists: None,
        }
    }

    fn with(pki: &Pki, crls: &[&Crl]) -> Self {
        let mut reader = Self::new(pki);
        reader.see(crls).unwrap();
        reader
    }

    fn see(&mut self, crls: &[&Crl]) -> Result<(), CrlHistoryError> {
        let previous = self.lists.as_ref();
        let lists = crls.iter().map(|crl| Arc::new(read(crl).unwrap()));
        let lists = RevocationLists::new(lists, &self.anchors, &self.intermediates, previous);
        let departures = Departures {
            anchors: &self.anchors,
            intermediates: &self.intermediates,
            ended_before: self.ended.then(|| timestamp(NOW)),
        };
        self.lists = Some(lists.succeed(previous, &departures)?);
        Ok(())
    }

    fn error(&mut self, crls: &[&Crl]) -> String {
        self.see(crls).unwrap_err().to_string()
    }
}

#[test]
fn an_older_list_does_not_follow_a_newer_one() {
    let pki = Pki::new();
    let mut reader = Reader::with(&pki, &[&numbered(&pki.root, 8), &numbered(&pki.root, 3)]);
    assert_eq!(
        reader.error(&[&numbered(&pki.root, 7)]),
        "the CRL of CN=Serverless Root CA,O=Example for all certificates goes back from number 0x8 to 0x7"
    );
    for number in [8, 9] {
        reader.see(&[&numbered(&pki.root, number)]).unwrap();
    }
    assert!(
        reader
            .error(&[&numbered(&pki.root, 8)])
            .contains("from number 0x9 to 0x8")
    );
}

#[test]
fn a_missing_list_is_an_error_and_does_not_make_room_for_an_older_one() {
    let pki = Pki::new();
    let (newest, older) = (numbered(&pki.issuing, 5), numbered(&pki.issuing, 4));
    let other = numbered(&pki.root, 1);
    let mut reader = Reader::with(&pki, &[&newest]);
    for crls in [&[][..], &[&other]] {
        let error = reader.error(crls);
        assert!(
            error
                .starts_with("the CRL of CN=Serverless Issuing CA,O=Example for all certificates is missing"),
            "{error}"
        );
    }
    assert!(reader.error(&[&other, &older]).contains("goes back"));
    reader.see(&[&other, &newest]).unwrap();
}

#[test]
fn a_list_of_another_scope_does_not_replace_one() {
    let pki = Pki::new();
    let mut reader = Reader::with(&pki, &[&numbered(&pki.issuing, 5)]);
    for scope in [CrlScope::EndEntities, CrlScope::Authorities] {
        let other = daily(CrlBuilder::new().number(9).scope(scope))
            .issued_by(&pki.issuing)
            .unwrap();
        assert!(
            reader
                .error(&[&other])
                .contains("for all certificates is missing")
        );
    }
    let partition = daily(CrlBuilder::new().number(2))
        .distribution_point(&format!("{BASE}2.crl"))
        .issued_by(&pki.issuing)
        .unwrap();
    reader.see(&[&numbered(&pki.issuing, 5), &partition]).unwrap();
    assert!(
        reader
            .error(&[&numbered(&pki.issuing, 6)])
            .contains("2.crl is missing")
    );
}

#[test]
fn a_forged_list_neither_counts_nor_is_missed() {
    let pki = Pki::new();
    let impostor = long_lived(CertificateBuilder::root("CN=Serverless Root CA,O=Example"))
        .self_signed()
        .unwrap();
    let mut reader = Reader::with(&pki, &[&numbered(&impostor, 99)]);
    reader.see(&[&numbered(&pki.root, 8)]).unwrap();
}

#[test]
fn equal_numbers_are_ordered_by_date() {
    let pki = Pki::new();
    let earlier = CrlBuilder::new()
        .number(8)
        .valid(NOW - Duration::days(2), NOW + Duration::DAY)
        .issued_by(&pki.root)
        .unwrap();
    let mut reader = Reader::with(&pki, &[&numbered(&pki.root, 8)]);
    assert!(
        reader
            .error(&[&earlier])
            .contains("goes back from number 0x8 of 2026-06-01T08:00:00Z")
    );
}

#[test]
fn of_equal_versions_the_one_that_revokes_more_follows() {
    let pki = Pki::new();
    let made = |serials: &[u8]| {
        let start = daily(CrlBuilder::new().number(8));
        let crl = serials
            .iter()
            .fold(start, |crl, serial| crl.revoke_serial(&[*serial], None, NOW));
        crl.issued_by(&pki.root).unwrap()
    };
    let mut reader = Reader::with(&pki, &[&made(&[1])]);
    reader.see(&[&made(&[1])]).unwrap();
    reader.see(&[&made(&[2, 1])]).unwrap();
    for fewer in [&[1][..], &[], &[1, 3]] {
        let error = reader.error(&[&made(fewer)]);
        assert!(error.contains("lacks entries of the one in use"), "{error}");
    }
}

#[test]
fn a_list_goes_with_its_configured_authority() {
    let pki = Pki::new();
    let (root, issuing) = (numbered(&pki.root, 1), numbered(&pki.issuing, 5));
    let mut reader = Reader::with(&pki, &[&root, &issuing]);
    reader.intermediates = Intermediates::default();
    reader.see(&[&root, &issuing]).unwrap();
    reader.see(&[&root]).unwrap();
    reader.see(&[&root]).unwrap();
    let error = reader.error(&[&root, &numbered(&pki.issuing, 4)]);
    assert!(
        error.contains("goes back"),
        "it is gone, and not forgotten: {error}"
    );
}

#[test]
fn the_list_of_an_authority_that_only_clients_show_is_missed_too() {
    let pki = Pki::new();
    let (root, issuing) = (numbered(&pki.root, 1), numbered(&pki.issuing, 5));
    let mut reader = Reader::new(&pki);
    reader.intermediates = Intermediates::default();
    reader.see(&[&root, &issuing]).unwrap();
    let lists = Arc::new(reader.lists.clone().unwrap());
    verifier(pki.anchors())
        .with_revocation(lists, STRICT)
        .verify(&chain([&pki.client, &pki.issuing]), timestamp(NOW))
        .unwrap();
    assert!(
        reader
            .error(&[&root])
            .contains("Issuing CA,O=Example for all certificates is missing")
    );
    assert!(
        reader
            .error(&[&root, &numbered(&pki.issuing, 4)])
            .contains("goes back")
    );
}

#[test]
fn an_ended_list_may_go_where_that_clears_nobody() {
    let pki = Pki::new();
    let ended = CrlBuilder::new()
        .number(5)
        .valid(NOW - Duration::days(2), NOW - Duration::DAY)
        .issued_by(&pki.issuing)
        .unwrap();
    let mut reader = Reader::with(&pki, &[&ended]);
    assert!(reader.error(&[]).contains("is missing"));
    reader.ended = true;
    reader.see(&[]).unwrap();
    assert!(reader.error(&[&numbered(&pki.issuing, 4)]).contains("goes back"));

    let mut reader = Reader::with(&pki, &[&numbered(&pki.issuing, 5)]);
    reader.ended = true;
    assert!(reader.error(&[]).contains("is missing"), "this one has not ended");
}

/// Lists with a history of an earlier list of the issuing CA: what a process knows that has lost
/// the list itself.
fn verdict_after(pki: &Pki, before: &[&Crl], crls: &[&Crl]) -> Result<(), Reason> {
    let mut history = CrlHistory::default();
    for crl in before {
        let list = read(crl).unwrap();
        let intermediates = Intermediates::new([CertificateDer::from(pki.issuing.der().to_vec())]).unwrap();
        let lists = RevocationLists::new([Arc::new(list)], &pki.anchors(), &intermediates, None);
        history.merge(&lists.history());
    }
    let root_crl = pki.root_crl();
    let all = crls.iter().copied().chain([&root_crl]);
    let all = all.map(|crl| Arc::new(read(crl).unwrap()));
    let lists = RevocationLists::with_history(all, &pki.anchors(), &Intermediates::default(), None, history);
    verifier(pki.anchors())
        .with_revocation(Arc::new(lists), STRICT)
        .verify(&chain([&pki.client, &pki.issuing]), timestamp(NOW))
        .map(|_| ())
        .map_err(|rejection| rejection.reason())
}

#[test]
fn a_list_older_than_one_seen_clears_nobody() {
    let pki = Pki::new();
    let older = |builder: CrlBuilder| {
        builder
            .valid(NOW - Duration::DAY, NOW + Duration::DAY)
            .issued_by(&pki.issuing)
            .unwrap()
    };
    let seen = numbered(&pki.issuing, 5);
    assert_eq!(verdict_after(&pki, &[&seen], &[&seen]), Ok(()));
    for crl in [
        older(CrlBuilder::new().number(4)),
        older(CrlBuilder::new().number(9).scope(CrlScope::EndEntities)),
    ] {
        assert_eq!(verdict_after(&pki, &[], &[&crl]), Ok(()));
        assert_eq!(verdict_after(&pki, &[&seen], &[&crl]), Err(Reason::CrlStale));
        assert_eq!(verdict_after(&pki, &[&seen], &[&crl, &seen]), Ok(()));
    }
    let partition = daily(CrlBuilder::new().number(7))
        .distribution_point(&format!("{BASE}2.crl"))
        .issued_by(&pki.issuing)
        .unwrap();
    let current = older(CrlBuilder::new().number(4));
    assert_eq!(
        verdict_after(&pki, &[&partition], &[&current]),
        Ok(()),
        "the newer one does not speak of this client"
    );
    let future = CrlBuilder::new()
        .number(9)
        .valid(NOW + Duration::HOUR, NOW + Duration::DAY)
        .issued_by(&pki.issuing)
        .unwrap();
    assert_eq!(verdict_after(&pki, &[&future], &[&current]), Ok(()));
}

#[test]
fn of_lists_with_different_scopes_the_newest_decides() {
    let pki = Pki::new();
    let older = |builder: CrlBuilder| {
        builder
            .valid(NOW - Duration::DAY, NOW + Duration::DAY)
            .issued_by(&pki.issuing)
            .unwrap()
    };
    let stale = CrlBuilder::new()
        .valid(NOW - Duration::hours(6), NOW - Duration::HOUR)
        .issued_by(&pki.issuing)
        .unwrap();
    let silent = older(CrlBuilder::new().number(70).scope(CrlScope::EndEntities));
    for crls in [[&stale, &silent], [&silent, &stale]] {
        assert_eq!(pki.strict(&pki.client, &crls), Err(Reason::CrlStale));
        let root_crl = pki.root_crl();
        let verified = pki.verify(&[crls[0], crls[1], &root_crl], SOFT).unwrap();
        assert_eq!(
            verified.revocation().unknown().unwrap().reason(),
            Reason::CrlStale
        );
    }
    let revoking = daily(CrlBuilder::new().number(5).revoke(&pki.client))
        .issued_by(&pki.issuing)
        .unwrap();
    for crls in [[&revoking, &silent], [&silent, &revoking]] {
        assert_eq!(pki.strict(&pki.client, &crls), Err(Reason::Revoked));
    }
}

#[test]
fn a_lifted_expectation_keeps_the_versions() {
    let pki = Pki::new();
    let lists = pki.lists(&[&numbered(&pki.root, 5)]);
    let mut history = lists.history();
    history.expect_none();
    let seen: Vec<&SeenCrl> = history.iter().collect();
    assert_eq!((seen.len(), seen[0].is_expected), (1, false));
    let anchors = anchors([&pki.root]);
    let intermediates = Intermediates::default();
    let departures = Departures {
        anchors: &anchors,
        intermediates: &intermediates,
        ended_before: None,
    };
    let load = |crls: &[&Crl]| {
        let lists = crls.iter().map(|crl| Arc::new(read(crl).unwrap()));
        RevocationLists::with_history(lists, &anchors, &intermediates, None, history.clone())
            .succeed(None, &departures)
    };
    assert!(load(&[]).is_ok());
    assert!(matches!(
        load(&[&numbered(&pki.root, 4)]),
        Err(CrlHistoryError::Older { .. })
    ));
}

#[test]
fn list_that_is_seen_again_is_expected_again() {
    let pki = Pki::new();
    let seen = pki.lists(&[&numbered(&pki.root, 5)]).history();
    let mut lifted = seen.clone();
    lifted.expect_none();
    for (first, second) in [(&lifted, &seen), (&seen, &lifted), (&seen, &seen)] {
        let mut history = first.clone();
        history.merge(second);
        let expected: Vec<bool> = history.iter().map(|seen| seen.is_expected).collect();
        assert_eq!(expected, [true]);
    }
    let mut history = lifted.clone();
    history.merge(&lifted);
    assert!(history.iter().all(|seen| !seen.is_expected));
}

#[test]
fn list_whose_scope_cannot_be_read_is_of_no_series() {
    let pki = Pki::new();
    let crl = daily(CrlBuilder::new()).extension("2.5.29.28", Criticality::Critical, &[0x31, 0]);
    let crl = crl.issued_by(&pki.root).unwrap();
    assert!(read(&crl).unwrap().defect().is_some());
    assert!(pki.lists(&[&crl]).history().is_empty());
    assert!(!pki.lists(&[&pki.root_crl()]).history().is_empty());
}
