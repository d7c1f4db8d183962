//! Words of a refusal about a list that neither clears nor revokes: the field, its value, the
//! values that are allowed, and the list.

use std::sync::Arc;

use alb_mtls_verifier::{CertificateDer, Intermediates, Rejection, RevocationLists, Verifier, VerifyOptions};
use test_pki::{CertificateBuilder, Criticality, Crl, CrlBuilder, KeyUsage};
use time::Duration;

use crate::support::{BASE, NOW, Pki, STRICT, chain, daily, long_lived, read, timestamp, tlv, verifier};

const OF_ISSUING: &str = "CN=Serverless Issuing CA,O=Example";
const TODAY: &str = "2026-06-01T08:00:00Z to 2026-06-02T08:10:00Z";

/// Returns the reason, field, value, allowed values and explanation of a rejection, one a line.
fn told(rejection: &Rejection) -> String {
    let context = rejection.context();
    let lines = [
        Some(rejection.detail()),
        context.field,
        context.found,
        context.allowed,
        rejection.explanation(),
    ];
    lines.map(|line| line.unwrap_or("-")).join("\n")
}

/// Returns what mode strict says of the client of the issuing CA.
fn strict(pki: &Pki, crls: &[&Crl]) -> String {
    let root_crl = pki.root_crl();
    let crls: Vec<&Crl> = crls.iter().copied().chain([&root_crl]).collect();
    told(&pki.verify(&crls, STRICT).unwrap_err())
}

/// Returns a list of the issuing CA with number 7, of today unless it is changed.
fn of_issuing(pki: &Pki, change: impl FnOnce(CrlBuilder) -> CrlBuilder) -> Crl {
    change(daily(CrlBuilder::new().number(7)))
        .issued_by(&pki.issuing)
        .unwrap()
}

#[test]
fn list_of_another_time_is_told_with_both_times() {
    let pki = Pki::new();
    let ended = of_issuing(&pki, |crl| {
        crl.valid(NOW - Duration::days(2), NOW - Duration::DAY)
    });
    let expected = format!(
        "crl_stale\nnextUpdate of the CRL of {OF_ISSUING}\n2026-05-31T12:00:00Z\na time that is not before \
         2026-06-01T12:00:00Z\nCRL 0x7 of {OF_ISSUING} for all certificates, 2026-05-30T12:00:00Z to \
         2026-05-31T12:00:00Z, it is 2026-06-01T12:00:00Z"
    );
    assert_eq!(strict(&pki, &[&ended]), expected);
    let early = of_issuing(&pki, |crl| crl.valid(NOW + Duration::HOUR, NOW + Duration::DAY));
    let expected = format!(
        "crl_not_yet_valid\nthisUpdate of the CRL of {OF_ISSUING}\n2026-06-01T13:00:00Z\na time that is not after \
         2026-06-01T12:00:00Z\nCRL 0x7 of {OF_ISSUING} for all certificates, 2026-06-01T13:00:00Z to \
         2026-06-02T12:00:00Z, it is 2026-06-01T12:00:00Z"
    );
    assert_eq!(strict(&pki, &[&early]), expected);
}

#[test]
fn list_that_is_older_than_one_in_use_before_is_told_with_both_numbers() {
    let pki = Pki::new();
    let root_crl = pki.root_crl();
    let lists = |crl: &Crl, previous: Option<&RevocationLists>| {
        let crls = [crl, &root_crl].map(|crl| Arc::new(read(crl).unwrap()));
        let issuing = CertificateDer::from(pki.issuing.der().to_vec());
        let configured = Intermediates::new([issuing]).unwrap();
        RevocationLists::new(crls, &pki.anchors(), &configured, previous)
    };
    let newer = lists(&of_issuing(&pki, |crl| crl.number(9)), None);
    let older = lists(&of_issuing(&pki, |crl| crl), Some(&newer));
    let verdict = verifier(pki.anchors())
        .with_revocation(Arc::new(older), STRICT)
        .verify(&chain([&pki.client, &pki.issuing]), timestamp(NOW));
    let text = told(&verdict.unwrap_err());
    assert!(text.starts_with("crl_stale\n"), "{text}");
    let explanation = format!(
        "CRL 0x7 of {OF_ISSUING} for all certificates, {TODAY}, and the CRL of {OF_ISSUING} for all certificates was in \
         use before with number 0x9 of 2026-06-01T08:00:00Z"
    );
    assert_eq!(text.lines().last(), Some(explanation.as_str()));
}

#[test]
fn issuer_of_a_list_that_is_missing_is_named() {
    let expected = format!("crl_missing\n-\n-\n-\nthe issuer is {OF_ISSUING}");
    assert_eq!(strict(&Pki::new(), &[]), expected);
}

#[test]
fn defects_are_told_with_their_place() {
    let pki = Pki::new();
    let critical = of_issuing(&pki, |crl| {
        crl.extension("1.2.3.4", Criticality::Critical, &[5, 0])
    });
    let defect =
        "has the critical extension 1.2.3.4 at octet 152, which is not understood (RFC 5280 section 5.2)";
    let expected = format!(
        "crl_unusable\ndefect of the CRL of {OF_ISSUING}\n{defect}\n-\nCRL 0x7 of {OF_ISSUING} for all certificates, \
         {TODAY}: it {defect}"
    );
    assert_eq!(strict(&pki, &[&critical]), expected);
    // onlySomeReasons: keyCompromise and cACompromise.
    let reasons = tlv(0x30, &tlv(0x83, &[5, 0x60]));
    let partial = of_issuing(&pki, |crl| {
        crl.extension("2.5.29.28", Criticality::Critical, &reasons)
    });
    let defect = "is for some reasons only: publish CRLs for all of them";
    let expected = format!(
        "crl_unusable\ndefect of the CRL of {OF_ISSUING}\n{defect}\n-\nCRL 0x7 of {OF_ISSUING} for all certificates, \
         for some reasons only, {TODAY}: it {defect}"
    );
    assert_eq!(strict(&pki, &[&partial]), expected);
}

#[test]
fn scope_is_told_where_the_list_is_for_others() {
    let pki = Pki::new();
    let other = of_issuing(&pki, |crl| crl.distribution_point(&format!("{BASE}1.crl")));
    let scope = format!("all certificates of the distribution point {BASE}1.crl");
    let expected = format!(
        "crl_scope\nscope of the CRL of {OF_ISSUING}\n{scope}\n-\nCRL 0x7 of {OF_ISSUING} for {scope}, {TODAY}"
    );
    assert_eq!(strict(&pki, &[&other]), expected);
}

#[test]
fn delta_is_told_with_what_it_continues_and_what_is_there() {
    let pki = Pki::new();
    let delta = of_issuing(&pki, |crl| crl.delta_of(5));
    let told_of = |found: &str| {
        format!(
            "crl_base_missing\nBaseCRLNumber of the CRL of {OF_ISSUING}\n0x5\n-\nCRL 0x7 of {OF_ISSUING} for all \
             certificates, changes only, {TODAY} continues a complete CRL with number 0x5 or a higher one, and {found}"
        )
    };
    assert_eq!(strict(&pki, &[&delta]), told_of("there is none"));
    let base = of_issuing(&pki, |crl| crl.number(4));
    let found = format!("the newest one is CRL 0x4 of {OF_ISSUING} for all certificates, {TODAY}");
    assert_eq!(strict(&pki, &[&delta, &base]), told_of(&found));
}

#[test]
fn signature_is_told_with_whose_and_what_it_is() {
    let pki = Pki::new();
    let namesake = long_lived(CertificateBuilder::intermediate(OF_ISSUING));
    let namesake = namesake.issued_by(&pki.root).unwrap();
    let forged = daily(CrlBuilder::new().number(7)).issued_by(&namesake).unwrap();
    let list = format!("CRL 0x7 of {OF_ISSUING} for all certificates, {TODAY}");
    let expected = format!("crl_signature\nsignature of the CRL of {OF_ISSUING}\n-\n-\n{list}");
    assert_eq!(strict(&pki, &[&forged]), expected);

    // An algorithm that the operator does not allow: P-256 signs the lists, and P-384 the rest.
    let options = VerifyOptions {
        signatures: "ecdsa-p384-sha384".parse().unwrap(),
        ..VerifyOptions::default()
    };
    let upper = &pki.root;
    let client = long_lived(CertificateBuilder::client("CN=client-3"))
        .issued_by(upper)
        .unwrap();
    let sha_256 = daily(CrlBuilder::new().number(7))
        .signature_algorithm(test_pki::SignatureAlgorithm::EcdsaSha256)
        .issued_by(upper)
        .unwrap();
    let verdict = Verifier::new(pki.anchors(), Intermediates::default(), options)
        .with_revocation(Arc::new(pki.lists(&[&sha_256])), STRICT)
        .verify(&chain([&client]), timestamp(NOW));
    let root = "CN=Serverless Root CA,O=Example";
    let expected = format!(
        "crl_signature_not_allowed\nsignatureAlgorithm of the CRL of {root}\necdsa-p384-sha256\n\
         MTLS_SIGNATURES=ecdsa-p384-sha384\nCRL 0x7 of {root} for all certificates, {TODAY}: it is signed with \
         ecdsa-p384-sha256"
    );
    assert_eq!(told(&verdict.unwrap_err()), expected);
}

#[test]
fn issuer_that_may_not_sign_lists_is_told_with_the_list() {
    let mut pki = Pki::new();
    let issuing = long_lived(CertificateBuilder::intermediate(OF_ISSUING));
    pki.issuing = issuing
        .key_usage(&[KeyUsage::KeyCertSign])
        .issued_by(&pki.root)
        .unwrap();
    pki.client = long_lived(CertificateBuilder::client("CN=client-1"))
        .issued_by(&pki.issuing)
        .unwrap();
    let list = of_issuing(&pki, |crl| crl);
    let text = strict(&pki, &[&list]);
    let expected = format!(
        "crl_issuer_key_usage\nsignature of the CRL of {OF_ISSUING}\n-\n-\nCRL 0x7 of {OF_ISSUING} for all \
         certificates, {TODAY}"
    );
    assert_eq!(text, expected);
}
