//! Revocation as a deployment meets it: whole PKIs, verdicts of the verifier, lists that were tampered with.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, where an unexpected error is a failure"
)]

use std::io::Write;
use std::process::Command;
use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateDer, CertificateStatus, Intermediates, ListStanding, PresentedChain, Reason, ReasonCode,
    Rejection, RevocationDepth, RevocationList, RevocationListProblem, RevocationLists, RevocationMode,
    RevocationPolicy, RevocationReason, Timestamp, TrustAnchor, TrustAnchors, UnsupportedList,
    VerificationPolicy, VerifiedClient, Verifier, read_revocation_lists,
};
use pki::{
    CertificateBuilder, Credential, Criticality, Crl, CrlBuilder, CrlReason, CrlScope, KeyKind, KeyUsage,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const NOW: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);
const MAX_BYTES: usize = 1 << 20;
const BASE: &str = "http://crl.example.com/";

/// A root, an issuing authority and a client, in the shape of a serverless CA: P-384 above P-256, a client that has
/// nothing but a common name, and a CRL for each of the two levels.
struct Pki {
    root: Credential,
    issuing: Credential,
    client: Credential,
}

impl Pki {
    fn new() -> Self {
        let root = long_lived(CertificateBuilder::root("CN=Serverless Root CA,O=Example"))
            .key_kind(KeyKind::P384)
            .self_signed()
            .unwrap();
        let issuing = long_lived(CertificateBuilder::intermediate(
            "CN=Serverless Issuing CA,O=Example",
        ))
        .path_length(0)
        .issued_by(&root)
        .unwrap();
        let client = long_lived(CertificateBuilder::client("CN=client-1"))
            .issued_by(&issuing)
            .unwrap();
        Self {
            root,
            issuing,
            client,
        }
    }

    fn another_client(&self, change: impl FnOnce(CertificateBuilder) -> CertificateBuilder) -> Credential {
        change(long_lived(CertificateBuilder::client("CN=client-2")))
            .issued_by(&self.issuing)
            .unwrap()
    }

    fn root_crl(&self) -> Crl {
        daily(CrlBuilder::new()).issued_by(&self.root).unwrap()
    }

    fn issuing_crl(&self) -> Crl {
        daily(CrlBuilder::new()).issued_by(&self.issuing).unwrap()
    }

    fn anchors(&self) -> TrustAnchors {
        anchors([&self.root])
    }

    fn lists(&self, crls: &[&Crl]) -> RevocationLists {
        load(crls, &self.anchors())
    }

    fn verify(&self, crls: &[&Crl], policy: RevocationPolicy) -> Result<VerifiedClient, Rejection> {
        self.verify_client(&self.client, crls, policy)
    }

    fn verify_client(
        &self,
        client: &Credential,
        crls: &[&Crl],
        policy: RevocationPolicy,
    ) -> Result<VerifiedClient, Rejection> {
        let verifier = verifier(self.anchors()).with_revocation(Arc::new(self.lists(crls)), policy);
        verifier.verify(&chain([client, &self.issuing]), timestamp(NOW))
    }

    /// The reason for which a strict policy refuses a client of the issuing authority, its root's CRL being fine.
    fn strict(&self, client: &Credential, crls: &[&Crl]) -> Result<(), Reason> {
        let root_crl = self.root_crl();
        let crls: Vec<&Crl> = crls.iter().copied().chain([&root_crl]).collect();
        self.verify_client(client, &crls, STRICT)
            .map(|_| ())
            .map_err(|rejection| rejection.reason())
    }
}

const STRICT: RevocationPolicy = RevocationPolicy {
    mode: RevocationMode::Strict,
    depth: RevocationDepth::Chain,
    grace_seconds: 0,
};
const SOFT: RevocationPolicy = RevocationPolicy {
    mode: RevocationMode::Soft,
    ..STRICT
};

fn long_lived(builder: CertificateBuilder) -> CertificateBuilder {
    builder.valid(datetime!(2025-01-01 0:00 UTC), datetime!(2030-01-01 0:00 UTC))
}

/// Four hours old, living one day and ten minutes.
fn daily(builder: CrlBuilder) -> CrlBuilder {
    let this_update = NOW - Duration::hours(4);
    builder.valid(this_update, this_update + Duration::DAY + Duration::minutes(10))
}

fn timestamp(time: OffsetDateTime) -> Timestamp {
    Timestamp::from_unix_seconds(time.unix_timestamp())
}

fn anchors<'c>(roots: impl IntoIterator<Item = &'c Credential>) -> TrustAnchors {
    let roots = roots.into_iter();
    TrustAnchors::new(roots.map(|root| TrustAnchor::new(CertificateDer::from(root.der().to_vec())).unwrap()))
        .unwrap()
}

fn verifier(anchors: TrustAnchors) -> Verifier {
    Verifier::new(anchors, Intermediates::default(), VerificationPolicy::default())
}

fn chain<'c>(certificates: impl IntoIterator<Item = &'c Credential>) -> PresentedChain {
    let certificates = certificates.into_iter();
    PresentedChain::new(certificates.map(|certificate| CertificateDer::from(certificate.der().to_vec())))
        .unwrap()
}

fn read(crl: &Crl) -> Result<RevocationList, RevocationListProblem> {
    RevocationList::from_der(crl.der().to_vec())
}

fn load(crls: &[&Crl], anchors: &TrustAnchors) -> RevocationLists {
    let lists = crls.iter().map(|crl| Arc::new(read(crl).unwrap()));
    RevocationLists::new(lists, anchors, &Intermediates::default(), None)
}

fn standings(lists: &RevocationLists) -> Vec<ListStanding> {
    lists.iter().map(|(_, standing)| standing).collect()
}

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
            let policy = RevocationPolicy {
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
    let leaf_only = RevocationPolicy {
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
    let off = RevocationPolicy {
        mode: RevocationMode::Off,
        ..STRICT
    };
    let verified = pki.verify(&[&crl], off).unwrap();
    assert!(verified.revocation().certificates().is_empty());
    assert_eq!(verified.revocation().valid_until(), None);
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
    let leaf_only = RevocationPolicy {
        depth: RevocationDepth::EndEntity,
        ..STRICT
    };
    assert!(pki.verify(&[&pki.issuing_crl()], leaf_only).is_ok());
}

#[test]
fn a_list_counts_until_its_next_update_and_the_grace_after_it() {
    let pki = Pki::new();
    let verdict = |age: Duration, grace_seconds: u32, mode: RevocationMode| {
        let policy = RevocationPolicy {
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

#[test]
fn a_serial_number_means_nothing_under_another_issuer() {
    let pki = Pki::new();
    let root_crl = daily(CrlBuilder::new())
        .revoke(&pki.client)
        .issued_by(&pki.root)
        .unwrap();
    assert!(pki.verify(&[&root_crl, &pki.issuing_crl()], STRICT).is_ok());
}

#[test]
fn serial_numbers_with_the_top_bit_set_are_found() {
    let pki = Pki::new();
    let client = pki.another_client(|builder| builder.serial(0xFFFF_0000_0000_0001));
    let crl = daily(CrlBuilder::new())
        .revoke(&client)
        .issued_by(&pki.issuing)
        .unwrap();
    assert_eq!(pki.strict(&client, &[&crl]), Err(Reason::Revoked));
    assert_eq!(pki.strict(&pki.client, &[&crl]), Ok(()));
}

#[test]
fn a_hold_and_a_removal_count_as_revoked_on_a_complete_list() {
    let pki = Pki::new();
    let serial = pki.client.certificate().serial().unwrap();
    for (reason, read_as) in [
        (CrlReason::CertificateHold, RevocationReason::CertificateHold),
        (CrlReason::RemoveFromCRL, RevocationReason::RemoveFromCrl),
    ] {
        let crl = daily(CrlBuilder::new())
            .revoke_serial(&serial, Some(reason), datetime!(2026-05-01 0:00 UTC))
            .issued_by(&pki.issuing)
            .unwrap();
        assert_eq!(read(&crl).unwrap().find(&serial).unwrap().reason, Some(read_as));
        assert_eq!(pki.strict(&pki.client, &[&crl]), Err(Reason::Revoked));
    }
}

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
fn a_list_that_is_cut_off_anywhere_is_refused() {
    let pki = Pki::new();
    let crl = daily(CrlBuilder::new())
        .revoke(&pki.client)
        .issued_by(&pki.issuing)
        .unwrap();
    for length in 0..crl.der().len() {
        let problem = RevocationList::from_der(crl.der()[..length].to_vec()).unwrap_err();
        assert_eq!(problem, RevocationListProblem::Malformed, "{length}");
    }
    let trailing = [crl.der(), &[0]].concat();
    assert_eq!(
        RevocationList::from_der(trailing).unwrap_err(),
        RevocationListProblem::Malformed
    );
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
        .serial(4711)
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

/// AWS Private CA: partitions of the serial numbers, each with a critical issuing distribution point that its
/// certificates name.
mod partitions {
    use super::*;

    fn partition(pki: &Pki, name: &str, change: impl FnOnce(CrlBuilder) -> CrlBuilder) -> Crl {
        change(daily(CrlBuilder::new()))
            .distribution_point(&format!("{BASE}{name}"))
            .issued_by(&pki.issuing)
            .unwrap()
    }

    fn client_of(pki: &Pki, name: &str) -> Credential {
        pki.another_client(|builder| builder.crl_distribution_point(&format!("{BASE}{name}")))
    }

    #[test]
    fn a_certificate_is_cleared_by_its_own_partition_only() {
        let pki = Pki::new();
        let client = client_of(&pki, "2.crl");
        let first = partition(&pki, "1.crl", |builder| builder.number(70));
        let second = partition(&pki, "2.crl", |builder| builder.number(7));
        assert_eq!(pki.strict(&client, &[&first, &second]), Ok(()));
        assert_eq!(pki.strict(&client, &[&second, &first]), Ok(()));
        assert_eq!(pki.strict(&client, &[&first]), Err(Reason::CrlScope));
        assert_eq!(pki.strict(&client, &[]), Err(Reason::CrlMissing));
        let revoking = partition(&pki, "2.crl", |builder| builder.number(7).revoke(&client));
        assert_eq!(pki.strict(&client, &[&first, &revoking]), Err(Reason::Revoked));
    }

    #[test]
    fn partitions_do_not_replace_each_other() {
        let pki = Pki::new();
        let client = client_of(&pki, "1.crl");
        let stale = CrlBuilder::new()
            .valid(NOW - Duration::days(2), NOW - Duration::DAY)
            .distribution_point(&format!("{BASE}1.crl"))
            .issued_by(&pki.issuing)
            .unwrap();
        let other = partition(&pki, "2.crl", |builder| builder.number(70));
        assert_eq!(pki.strict(&client, &[&stale, &other]), Err(Reason::CrlStale));
        let complete = daily(CrlBuilder::new().number(70))
            .issued_by(&pki.issuing)
            .unwrap();
        assert_eq!(
            pki.strict(&client, &[&stale, &complete]),
            Ok(()),
            "the complete one speaks of everybody"
        );
    }

    #[test]
    fn a_certificate_that_names_no_distribution_point_is_cleared_by_no_partition() {
        let pki = Pki::new();
        let only = partition(&pki, "1.crl", |builder| builder);
        assert_eq!(pki.strict(&pki.client, &[&only]), Err(Reason::CrlScope));
        assert_eq!(pki.strict(&pki.client, &[&only, &pki.issuing_crl()]), Ok(()));
        let verified = pki.verify(&[&only, &pki.root_crl()], SOFT).unwrap();
        assert_eq!(
            verified.revocation().unknown().unwrap().reason(),
            Reason::CrlScope
        );
    }

    #[test]
    fn a_serial_number_on_any_partition_is_revoked() {
        let pki = Pki::new();
        let second = partition(&pki, "2.crl", |builder| builder.revoke(&pki.client));
        let first = partition(&pki, "1.crl", |builder| builder);
        assert_eq!(pki.strict(&pki.client, &[&first, &second]), Err(Reason::Revoked));
        assert_eq!(
            pki.strict(&pki.client, &[&pki.issuing_crl(), &second]),
            Err(Reason::Revoked)
        );
    }

    #[test]
    fn a_distribution_point_served_by_another_issuer_or_for_some_reasons_does_not_count() {
        let pki = Pki::new();
        let only = partition(&pki, "1.crl", |builder| builder);
        let uri = format!("{BASE}1.crl");
        let name = tlv(0xA0, &tlv(0xA0, &tlv(0x86, uri.as_bytes())));
        let issuer = tlv(0xA2, &tlv(0xA4, &tlv(0x30, &[])));
        for (rest, expected) in [
            (vec![], Ok(())),
            (tlv(0x81, &[0x06, 0x40]), Err(Reason::CrlScope)),
            (issuer, Err(Reason::CrlScope)),
        ] {
            let value = tlv(0x30, &tlv(0x30, &[name.clone(), rest].concat()));
            let client = pki
                .another_client(|builder| builder.extension("2.5.29.31", Criticality::NotCritical, &value));
            assert_eq!(pki.strict(&client, &[&only]), expected);
        }
    }

    #[test]
    fn a_list_for_end_entities_or_for_authorities_speaks_of_these_alone() {
        let pki = Pki::new();
        let scoped = |credential: &Credential, scope| {
            daily(CrlBuilder::new())
                .scope(scope)
                .issued_by(credential)
                .unwrap()
        };
        assert_eq!(
            pki.strict(&pki.client, &[&scoped(&pki.issuing, CrlScope::EndEntities)]),
            Ok(())
        );
        assert_eq!(
            pki.strict(&pki.client, &[&scoped(&pki.issuing, CrlScope::Authorities)]),
            Err(Reason::CrlScope)
        );
        let verdict = |scope| {
            pki.verify(&[&pki.issuing_crl(), &scoped(&pki.root, scope)], STRICT)
                .map(|_| ())
                .map_err(|rejection| rejection.reason())
        };
        assert_eq!(verdict(CrlScope::Authorities), Ok(()));
        assert_eq!(verdict(CrlScope::EndEntities), Err(Reason::CrlScope));
    }
}

/// What is refused when it is read, by name.
mod refused_lists {
    use super::*;

    fn with_extension(identifier: &str, value: &[u8]) -> RevocationListProblem {
        let crl = daily(CrlBuilder::new())
            .extension(identifier, Criticality::Critical, value)
            .issued_by(&Pki::new().issuing)
            .unwrap();
        read(&crl).unwrap_err()
    }

    fn with_distribution_point(fields: &[u8]) -> RevocationListProblem {
        with_extension("2.5.29.28", &tlv(0x30, fields))
    }

    #[test]
    fn kinds_that_are_not_processed() {
        use UnsupportedList::*;
        assert_eq!(
            with_extension("2.5.29.27", &tlv(0x02, &[1])),
            RevocationListProblem::Unsupported(Delta)
        );
        for (fields, kind) in [
            (tlv(0x84, &[0xFF]), Indirect),
            (tlv(0x83, &[0x06, 0x40]), SomeReasons),
            (tlv(0x85, &[0xFF]), AttributeCertificates),
            (tlv(0xA0, &tlv(0xA1, &[])), RelativeDistributionPoint),
        ] {
            assert_eq!(
                with_distribution_point(&fields),
                RevocationListProblem::Unsupported(kind)
            );
        }
    }

    #[test]
    fn scopes_that_contradict_themselves_or_say_nothing() {
        for fields in [
            vec![],
            [tlv(0x81, &[0xFF]), tlv(0x82, &[0xFF])].concat(),
            tlv(0x81, &[0x01]),
            tlv(0xA0, &tlv(0xA0, &[])),
            [tlv(0x81, &[0xFF]), vec![0x05, 0x00]].concat(),
            [tlv(0x82, &[0xFF]), tlv(0x81, &[0xFF])].concat(),
        ] {
            assert_eq!(
                with_distribution_point(&fields),
                RevocationListProblem::Malformed,
                "{fields:x?}"
            );
        }
    }

    #[test]
    fn critical_extensions_that_nobody_knows() {
        assert_eq!(
            with_extension("1.3.6.1.4.1.99999.1", &[0x05, 0x00]),
            RevocationListProblem::CriticalExtension("1.3.6.1.4.1.99999.1".to_owned())
        );
        let pki = Pki::new();
        let harmless = daily(CrlBuilder::new())
            .extension("1.3.6.1.4.1.99999.1", Criticality::NotCritical, &[0x05, 0x00])
            .issued_by(&pki.issuing)
            .unwrap();
        assert_eq!(pki.strict(&pki.client, &[&harmless]), Ok(()));
    }

    #[test]
    fn entries_with_critical_extensions_or_another_issuer() {
        let pki = Pki::new();
        let with_entry_extension = |identifier: &str, critical: bool| {
            let crl = pki.issuing_crl();
            let extension = x509_cert::ext::Extension {
                extn_id: identifier.parse().unwrap(),
                critical,
                extn_value: der::asn1::OctetString::new([0x30, 0x00]).unwrap(),
            };
            let edited = crl.edited(pki.issuing.key(), |tbs| {
                tbs.revoked_certificates = Some(vec![pki::raw::RevokedCertificate {
                    serial_number: pki::raw::integer(&[1])?,
                    revocation_date: tbs.this_update,
                    extensions: Some(vec![extension]),
                }]);
                Ok(())
            });
            read(&edited.unwrap()).map(|list| list.entry_count())
        };
        assert_eq!(
            with_entry_extension("1.3.6.1.4.1.99999.2", true),
            Err(RevocationListProblem::CriticalEntryExtension(
                "1.3.6.1.4.1.99999.2".to_owned()
            ))
        );
        assert_eq!(with_entry_extension("1.3.6.1.4.1.99999.2", false), Ok(1));
        for critical in [true, false] {
            assert_eq!(
                with_entry_extension("2.5.29.29", critical),
                Err(RevocationListProblem::Unsupported(UnsupportedList::Indirect))
            );
        }
    }

    #[test]
    fn lists_without_version_number_or_next_update() {
        let pki = Pki::new();
        let without_number = daily(CrlBuilder::new())
            .without_number()
            .issued_by(&pki.issuing)
            .unwrap();
        assert_eq!(
            read(&without_number).unwrap_err(),
            RevocationListProblem::NumberMissing
        );
        let endless = CrlBuilder::new()
            .without_next_update()
            .issued_by(&pki.issuing)
            .unwrap();
        assert_eq!(
            read(&endless).unwrap_err(),
            RevocationListProblem::NextUpdateMissing
        );
        let first_version = pki.issuing_crl().edited(pki.issuing.key(), |tbs| {
            tbs.version = None;
            tbs.extensions = None;
            Ok(())
        });
        assert_eq!(
            read(&first_version.unwrap()).unwrap_err(),
            RevocationListProblem::Version
        );
        let third_version = pki.issuing_crl().edited(pki.issuing.key(), |tbs| {
            tbs.version = Some(pki::raw::integer(&[2])?);
            Ok(())
        });
        assert_eq!(
            read(&third_version.unwrap()).unwrap_err(),
            RevocationListProblem::Version
        );
        let inverted = CrlBuilder::new()
            .valid(NOW, NOW - Duration::SECOND)
            .issued_by(&pki.issuing)
            .unwrap();
        assert_eq!(
            read(&inverted).unwrap_err(),
            RevocationListProblem::ValidityInverted
        );
    }

    #[test]
    fn repeated_extensions() {
        assert_eq!(
            with_extension("2.5.29.20", &tlv(0x02, &[9])),
            RevocationListProblem::RepeatedExtension
        );
    }

    #[test]
    fn two_signature_algorithms() {
        let pki = Pki::new();
        let mut signed = pki::raw::Signed::from_der(pki.issuing_crl().der()).unwrap();
        signed.algorithm = pki::raw::algorithm_identifier(pki::SignatureAlgorithm::EcdsaSha512).unwrap();
        let crl = Crl::from_der(signed.to_der().unwrap());
        assert_eq!(
            read(&crl).unwrap_err(),
            RevocationListProblem::SignatureAlgorithmMismatch
        );
    }
}

mod roll_back {
    use super::*;

    fn numbered(pki: &Pki, number: u64) -> Crl {
        daily(CrlBuilder::new().number(number))
            .issued_by(&pki.root)
            .unwrap()
    }

    #[test]
    fn is_an_older_list_in_the_place_of_a_newer_one() {
        let pki = Pki::new();
        let before = pki.lists(&[&numbered(&pki, 8), &numbered(&pki, 3)]);
        let roll_back = pki.lists(&[&numbered(&pki, 7)]).roll_back_from(&before).unwrap();
        assert_eq!(
            roll_back.to_string(),
            "the CRL of CN=Serverless Root CA,O=Example for all certificates goes back from number 0x8 to 0x7"
        );
        for later in [8, 9] {
            assert_eq!(pki.lists(&[&numbered(&pki, later)]).roll_back_from(&before), None);
        }
        assert_eq!(
            pki.lists(&[]).roll_back_from(&before),
            None,
            "it was taken out of the settings"
        );
    }

    #[test]
    fn is_a_matter_of_one_scope_and_one_key() {
        let pki = Pki::new();
        let before = pki.lists(&[&numbered(&pki, 8)]);
        let partition = daily(CrlBuilder::new().number(2))
            .distribution_point(&format!("{BASE}2.crl"))
            .issued_by(&pki.root)
            .unwrap();
        assert_eq!(pki.lists(&[&partition]).roll_back_from(&before), None);
        let impostor = long_lived(CertificateBuilder::root("CN=Serverless Root CA,O=Example"))
            .self_signed()
            .unwrap();
        let forged = daily(CrlBuilder::new().number(99)).issued_by(&impostor).unwrap();
        let forged_before = pki.lists(&[&forged]);
        assert_eq!(
            pki.lists(&[&numbered(&pki, 8)]).roll_back_from(&forged_before),
            None
        );
    }

    #[test]
    fn is_noticed_under_an_unchanged_number_too() {
        let pki = Pki::new();
        let earlier = CrlBuilder::new()
            .number(8)
            .valid(NOW - Duration::days(2), NOW + Duration::DAY)
            .issued_by(&pki.root)
            .unwrap();
        let before = pki.lists(&[&numbered(&pki, 8)]);
        assert!(pki.lists(&[&earlier]).roll_back_from(&before).is_some());
    }
}

mod files {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn problem(text: &[u8]) -> RevocationListProblem {
        read_revocation_lists(text, MAX_BYTES).unwrap_err().problem
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn hold_one_list_in_der_or_several_in_pem_compressed_or_not() {
        let pki = Pki::new();
        let (first, second) = (pki.root_crl(), pki.issuing_crl());
        let several = format!(
            "# root\n{}\nissuing:\n{}",
            first.pem(),
            second.pem().replace('\n', "\r\n")
        );
        for (bytes, expected) in [
            (first.der(), 1),
            (first.pem().as_bytes(), 1),
            (several.as_bytes(), 2),
        ] {
            for bytes in [bytes.to_vec(), gzip(bytes)] {
                let lists = read_revocation_lists(&*bytes, MAX_BYTES).unwrap();
                assert_eq!(lists.len(), expected);
                assert_eq!(lists[0].der(), first.der());
                assert!(lists.iter().skip(1).all(|list| list.der() == second.der()));
            }
        }
    }

    #[test]
    fn are_read_the_same_in_pieces_of_any_size() {
        let pki = Pki::new();
        let (first, second) = (pki.root_crl(), pki.issuing_crl());
        let pem = [first.pem(), second.pem()].concat();
        for size in [1, 2, 3, 5, 64, 65, 100] {
            let reader = std::io::BufReader::with_capacity(size, pem.as_bytes());
            let lists = read_revocation_lists(reader, MAX_BYTES).unwrap();
            let read: Vec<&[u8]> = lists.iter().map(|list| list.der()).collect();
            assert_eq!(read, [first.der(), second.der()], "{size}");
        }
    }

    #[test]
    fn without_a_list_are_an_error() {
        for text in ["", "\n", "no list here\n"] {
            assert_eq!(problem(text.as_bytes()), RevocationListProblem::Empty);
        }
    }

    #[test]
    fn with_anything_else_in_them_are_refused_whole() {
        let pki = Pki::new();
        let good = pki.root_crl().pem();
        let certificate = [good.as_str(), &pki.root.certificate().pem()].concat();
        assert!(matches!(
            problem(certificate.as_bytes()),
            RevocationListProblem::NotPem(_)
        ));
        let key = [good.as_str(), &pki.root.key().to_pem().unwrap()].concat();
        assert_eq!(problem(key.as_bytes()), RevocationListProblem::PrivateKey);
        for damaged in [
            good.replace("-----END X509 CRL-----", ""),
            good.replace("END X509", "END X508"),
            good.replace("-----BEGIN X509 CRL-----", "----BEGIN X509 CRL-----"),
            good.replace('\n', " "),
            good.replacen("MI", "M*", 1),
            good.replacen("MI", "M I", 1),
            good.replacen("MI", "MI==", 1),
            good.replace("X509 CRL-----\n", ""),
        ] {
            assert!(
                matches!(problem(damaged.as_bytes()), RevocationListProblem::NotPem(_)),
                "{damaged}"
            );
        }
        let cut = read_revocation_lists(
            [good.as_bytes(), &good.as_bytes()[..120]].concat().as_slice(),
            MAX_BYTES,
        );
        assert_eq!(cut.unwrap_err().to_string(), "CRL 2: the block has no END line");
    }

    #[test]
    fn that_are_too_large_are_refused_before_they_are_unpacked_whole() {
        let bomb = gzip(&vec![b'\n'; 64 * MAX_BYTES]);
        assert!(bomb.len() < MAX_BYTES / 4);
        assert_eq!(
            problem(&bomb),
            RevocationListProblem::TooLarge { max_bytes: MAX_BYTES }
        );
        let pem = Pki::new().root_crl().pem();
        assert!(read_revocation_lists(pem.as_bytes(), pem.len()).is_ok());
        let error = read_revocation_lists(pem.as_bytes(), pem.len() - 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("is larger than {} bytes when unpacked", pem.len() - 1)
        );
    }

    #[test]
    fn that_are_damaged_in_their_compressed_form_are_refused() {
        let whole = gzip(Pki::new().root_crl().der());
        for length in [3, 10, whole.len() / 2, whole.len() - 1] {
            assert!(
                matches!(problem(&whole[..length]), RevocationListProblem::Unreadable(_)),
                "{length}"
            );
        }
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        assert!(matches!(problem(&flipped), RevocationListProblem::Unreadable(_)));
    }
}

#[test]
fn an_empty_list_clears_everybody_however_it_says_so() {
    let pki = Pki::new();
    assert_eq!(read(&pki.issuing_crl()).unwrap().entry_count(), 0);
    let empty_sequence = pki.issuing_crl().edited(pki.issuing.key(), |tbs| {
        tbs.revoked_certificates = Some(Vec::new());
        Ok(())
    });
    assert_eq!(pki.strict(&pki.client, &[&empty_sequence.unwrap()]), Ok(()));
}

#[test]
fn a_serial_number_that_stands_twice_is_revoked() {
    let pki = Pki::new();
    let crl = daily(CrlBuilder::new())
        .revoke(&pki.client)
        .revoke(&pki.client)
        .issued_by(&pki.issuing)
        .unwrap();
    assert_eq!(read(&crl).unwrap().entry_count(), 2);
    assert_eq!(pki.strict(&pki.client, &[&crl]), Err(Reason::Revoked));
}

#[test]
fn every_entry_of_a_large_list_is_found() {
    let pki = Pki::new();
    let serial = |number: u32| [&[0x5A; 12][..], &number.to_be_bytes()].concat();
    let builder = (0..20_000_u32).fold(daily(CrlBuilder::new()), |builder, number| {
        builder.revoke_serial(&serial(number * 3), None, NOW - Duration::DAY)
    });
    let list = read(&builder.issued_by(&pki.issuing).unwrap()).unwrap();
    assert_eq!(list.entry_count(), 20_000);
    for number in 0..60_000 {
        assert_eq!(list.find(&serial(number)).is_some(), number % 3 == 0, "{number}");
    }
}

#[test]
fn a_list_made_by_openssl_revokes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(
        path("ca.cnf"),
        format!(
            "[ca]\ndefault_ca=d\n[d]\ndatabase={}\ncrlnumber={}\ndefault_md=sha384\ndefault_crl_days=30\ncrl_extensions=e\nunique_subject=no\n[e]\nauthorityKeyIdentifier=keyid\n[req]\ndistinguished_name=n\nx509_extensions=x\n[n]\n[x]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n",
            path("index"),
            path("number"),
        ),
    )
    .unwrap();
    std::fs::write(path("index"), "R\t330101000000Z\t260101000000Z,keyCompromise\t0AB1\tunknown\t/CN=c\nR\t330101000000Z\t260201000000Z\t77\tunknown\t/CN=d\n").unwrap();
    std::fs::write(path("number"), "1F\n").unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    };
    run(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/O=Example/CN=OpenSSL Root",
        "-days",
        "30",
        "-config",
        &path("ca.cnf"),
        "-keyout",
        &path("key"),
        "-out",
        &path("root"),
    ]);
    run(&[
        "ca",
        "-gencrl",
        "-config",
        &path("ca.cnf"),
        "-keyfile",
        &path("key"),
        "-cert",
        &path("root"),
        "-out",
        &path("crl"),
    ]);
    let root_pem = std::fs::read_to_string(path("root")).unwrap();
    let root = pki::Certificate::from_pem(&root_pem).unwrap();
    let anchors =
        TrustAnchors::new([TrustAnchor::new(CertificateDer::from(root.der().to_vec())).unwrap()]).unwrap();
    let with_text = run(&["crl", "-text", "-in", &path("crl")]);
    let lists = read_revocation_lists(&*with_text, MAX_BYTES).unwrap();
    let list = &lists[0];
    assert_eq!(
        (list.entry_count(), list.number().to_string()),
        (2, "0x1F".to_owned())
    );
    let revoked = list.find(&[0x0A, 0xB1]).unwrap();
    assert_eq!(revoked.reason, Some(RevocationReason::KeyCompromise));
    assert_eq!(revoked.revoked_at.unwrap().to_string(), "2026-01-01T00:00:00Z");
    let lists = RevocationLists::new(lists, &anchors, &Intermediates::default(), None);
    assert_eq!(standings(&lists), [ListStanding::Verified]);
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

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
}
