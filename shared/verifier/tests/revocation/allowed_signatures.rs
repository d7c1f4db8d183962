//! `MTLS_SIGNATURES` and CRLs: a list that is signed otherwise revokes, and clears no certificate.

use std::sync::Arc;

use alb_mtls_verifier::{
    Intermediates, Reason, Rejection, RevocationOptions, SignatureAlgorithms, VerifiedClient, Verifier,
    VerifyOptions,
};
use test_pki::{Crl, CrlBuilder, SignatureAlgorithm};
use time::Duration;

use crate::support::{NOW, Pki, SOFT, STRICT, anchors, chain, daily, load, timestamp};

/// The root signs with P-384, the issuing CA with P-256 and SHA-256 what it issues.
const CERTIFICATES: &str = "ecdsa-p384-sha384 ecdsa-p256-sha256";

fn verify(
    pki: &Pki,
    words: &str,
    crls: &[&Crl],
    options: RevocationOptions,
) -> Result<VerifiedClient, Rejection> {
    let words = words.split_whitespace().map(|word| word.parse().unwrap());
    let allowed: SignatureAlgorithms = words.collect();
    let root_crl = pki.root_crl();
    let crls: Vec<&Crl> = crls.iter().copied().chain([&root_crl]).collect();
    let verify_options = VerifyOptions {
        signatures: allowed,
        ..VerifyOptions::default()
    };
    Verifier::new(pki.anchors(), Intermediates::default(), verify_options)
        .with_revocation(Arc::new(pki.lists(&crls)), options)
        .verify(&chain([&pki.client, &pki.issuing]), timestamp(NOW))
}

/// A list of the issuing CA that is signed with SHA-512.
fn with_sha_512(pki: &Pki, change: impl FnOnce(CrlBuilder) -> CrlBuilder) -> Crl {
    change(daily(CrlBuilder::new()))
        .signature_algorithm(SignatureAlgorithm::EcdsaSha512)
        .issued_by(&pki.issuing)
        .unwrap()
}

#[test]
fn list_that_is_not_allowed_clears_no_certificate_and_is_named() {
    let pki = Pki::new();
    let list = with_sha_512(&pki, |list| list);
    let rejection = verify(&pki, CERTIFICATES, &[&list], STRICT).unwrap_err();
    assert_eq!(rejection.reason(), Reason::CrlSignatureNotAllowed, "{rejection}");
    let context = rejection.context();
    assert_eq!(context.found, Some("ecdsa-p256-sha512"));
    let allowed = "MTLS_SIGNATURES=ecdsa-p256-sha256 ecdsa-p384-sha384";
    assert_eq!(context.allowed, Some(allowed));
    let text = rejection.to_string();
    assert!(
        text.contains("CN=Serverless Issuing CA") && text.contains("ecdsa-p256-sha512"),
        "{text}"
    );
    let more = format!("{CERTIFICATES} ecdsa-p256-sha512");
    verify(&pki, &more, &[&list], STRICT).unwrap();
}

/// Narrowing the setting must let no revoked client in.
#[test]
fn list_that_is_not_allowed_still_revokes_in_every_mode() {
    let pki = Pki::new();
    let list = with_sha_512(&pki, |list| list.revoke(&pki.client));
    for options in [STRICT, SOFT] {
        let rejection = verify(&pki, CERTIFICATES, &[&list], options).unwrap_err();
        assert_eq!(rejection.reason(), Reason::Revoked);
    }
}

#[test]
fn newer_list_that_is_not_allowed_keeps_an_older_one_from_clearing() {
    let pki = Pki::new();
    let older = daily(CrlBuilder::new())
        .number(1)
        .issued_by(&pki.issuing)
        .unwrap();
    let newer = with_sha_512(&pki, |list| list.number(2));
    verify(&pki, CERTIFICATES, &[&older], STRICT).unwrap();
    for lists in [[&older, &newer], [&newer, &older]] {
        let rejection = verify(&pki, CERTIFICATES, &lists, STRICT).unwrap_err();
        assert_eq!(rejection.reason(), Reason::CrlSignatureNotAllowed);
    }
}

/// A list that a weak signature could forge must not end a revocation.
#[test]
fn list_that_is_not_allowed_ends_no_revocation() {
    let pki = Pki::new();
    let long_ago = NOW - Duration::days(30);
    let stale = CrlBuilder::new()
        .number(1)
        .valid(long_ago, long_ago + Duration::DAY)
        .revoke(&pki.client)
        .issued_by(&pki.issuing)
        .unwrap();
    let newer = with_sha_512(&pki, |list| list.number(2));
    let all = format!("{CERTIFICATES} ecdsa-p256-sha512");
    verify(&pki, &all, &[&stale, &newer], STRICT).unwrap();
    for options in [STRICT, SOFT] {
        let rejection = verify(&pki, CERTIFICATES, &[&stale, &newer], options).unwrap_err();
        assert_eq!(rejection.reason(), Reason::Revoked, "{rejection}");
    }
}

#[test]
fn lists_that_are_not_allowed_are_listed_with_their_algorithms() {
    let pki = Pki::new();
    let authorities = anchors([&pki.root, &pki.issuing]);
    let lists = load(&[&with_sha_512(&pki, |list| list), &pki.root_crl()], &authorities);
    let of = |words: &str| -> Vec<&str> {
        let words = words.split_whitespace().map(|word| word.parse().unwrap());
        lists
            .not_allowed(words.collect())
            .map(|(_, algorithm)| algorithm)
            .collect()
    };
    assert_eq!(of("ecdsa-p384-sha384"), ["ecdsa-p256-sha512"]);
    assert_eq!(of("ml-dsa-65"), ["ecdsa-p256-sha512", "ecdsa-p384-sha384"]);
    assert_eq!(lists.not_allowed(SignatureAlgorithms::ALL).count(), 0);
}
