//! NIST's Public Key Interoperability Test Suite (PKITS 1.0.1), with the default settings of each
//! test: any policy will do, none is required, and revocation is checked for the whole path.
//!
//! Certificates and CRLs come from the PyPI package `cryptography-vectors`. As in the directory
//! that NIST describes, every test sees every certificate and every CRL of the suite, and has to
//! find its own path. The expected outcome is in the name that NIST gave to the end-entity
//! certificate; the table below has those whose name does not say it, and those on which we differ.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on must fail"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateDer, CertificateSummary, Intermediates, PresentedChain, Reason, Rejection, RevocationLists,
    RevocationMode, RevocationOptions, Timestamp, TrustAnchor, TrustAnchors, VerifiedClient, Verifier,
    VerifyOptions, read_revocation_lists,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Valid,
    /// For one of the reasons of the test's name.
    Invalid,
    /// NIST says invalid, and we refuse with this reason, before what the test is about is looked
    /// at.
    InvalidBefore(&'static str),
    /// NIST says valid and we refuse, with this reason.
    Stricter(&'static str),
}
use Outcome::{Invalid, InvalidBefore, Stricter, Valid};

/// By the name of the end-entity certificate's file, without `EE.crt`.
const OUTCOMES: &[(&str, Outcome)] = &[
    // Section 4.8, certificate policies: GoodCA and its like require an explicit policy,
    // NoPoliciesCA does not.
    ("AllCertificatesNoPoliciesTest2", Valid),
    ("AllCertificatesSamePoliciesTest10", Valid),
    ("AllCertificatesSamePoliciesTest13", Valid),
    ("AllCertificatesanyPolicyTest11", Valid),
    ("AnyPolicyTest14", Valid),
    ("CPSPointerQualifierTest20", Valid),
    ("DifferentPoliciesTest3", Valid),
    ("DifferentPoliciesTest4", Invalid),
    ("DifferentPoliciesTest5", Invalid),
    ("DifferentPoliciesTest9", Invalid),
    ("DifferentPoliciesTest12", Invalid),
    ("UserNoticeQualifierTest15", Valid),
    ("UserNoticeQualifierTest16", Valid),
    ("UserNoticeQualifierTest17", Valid),
    ("UserNoticeQualifierTest18", Valid),
    ("UserNoticeQualifierTest19", Valid),
    ("inhibitAnyPolicyTest3", Valid),
    // DSA.
    ("ValidDSAParameterInheritanceTest5", Stricter("key_unsupported")),
    ("ValidDSASignaturesTest4", Stricter("key_unsupported")),
    // An indirect CRL of the CA itself, which this certificate does not name: Chromium refuses it
    // too.
    ("ValidIDPwithindirectCRLTest22", Stricter("crl_scope")),
    // A TLS client does not act with its CA key.
    ("OverlappingPoliciesTest6", Stricter("end_entity_is_authority")),
    (
        "ValidonlyContainsCACertsTest13",
        Stricter("end_entity_is_authority"),
    ),
    (
        "ValidpathLenConstraintTest14",
        Stricter("end_entity_is_authority"),
    ),
    ("ValidpathLenConstraintTest8", Stricter("end_entity_is_authority")),
    ("DifferentPoliciesTest7", InvalidBefore("end_entity_is_authority")),
    ("DifferentPoliciesTest8", InvalidBefore("end_entity_is_authority")),
    (
        "InvalidSelfIssuedinhibitAnyPolicyTest10",
        InvalidBefore("end_entity_is_authority"),
    ),
    (
        "InvalidonlyContainsUserCertsTest11",
        InvalidBefore("end_entity_is_authority"),
    ),
    (
        "InvalidpathLenConstraintTest10",
        InvalidBefore("end_entity_is_authority"),
    ),
    (
        "InvalidpathLenConstraintTest12",
        InvalidBefore("end_entity_is_authority"),
    ),
    (
        "InvalidpathLenConstraintTest6",
        InvalidBefore("end_entity_is_authority"),
    ),
    // Its CA is UNREADABLE.
    ("InvalidCASignatureTest2", InvalidBefore("issuer_unknown")),
    // A CA signs the list of one of its keys with another one.
    ("ValidBasicSelfIssuedOldWithNewTest1", Stricter("crl_signature")),
    ("ValidDNnameConstraintsTest19", Stricter("crl_signature")),
    ("ValidSelfIssuedinhibitAnyPolicyTest7", Stricter("crl_signature")),
    ("ValidSelfIssuedinhibitAnyPolicyTest9", Stricter("crl_signature")),
    (
        "ValidSelfIssuedinhibitPolicyMappingTest7",
        Stricter("crl_signature"),
    ),
    (
        "ValidSelfIssuedpathLenConstraintTest15",
        Stricter("crl_signature"),
    ),
    (
        "ValidSelfIssuedpathLenConstraintTest17",
        Stricter("crl_signature"),
    ),
    (
        "ValidSelfIssuedrequireExplicitPolicyTest6",
        Stricter("crl_signature"),
    ),
    (
        "ValidSeparateCertificateandCRLKeysTest19",
        Stricter("crl_signature"),
    ),
    // Scopes for keys that sign nothing but lists.
    ("ValidBasicSelfIssuedCRLSigningKeyTest6", Stricter("crl_scope")),
    ("ValidBasicSelfIssuedNewWithOldTest4", Stricter("crl_scope")),
    // Lists for some reasons only revoke and do not clear.
    ("ValidonlySomeReasonsTest18", Stricter("crl_unusable")),
    ("ValidonlySomeReasonsTest19", Stricter("crl_unusable")),
];

/// Beginnings of the reasons for which a test can rightly be refused, by a word of its name.
const REASONS: &[(&str, &[&str])] = &[
    ("Signature", &["signature_invalid"]),
    // The BIT STRING is damaged too.
    ("DSASignature", &["certificate_malformed"]),
    ("Date", &["expired", "not_yet_valid"]),
    ("NameChaining", &["issuer_unknown"]),
    ("basicConstraints", &["issuer_not_authority"]),
    ("cAFalse", &["issuer_not_authority"]),
    ("keyCertSign", &["issuer_key_usage"]),
    ("CRLSigningKey", &["issuer_not_authority"]),
    ("pathLen", &["path_length"]),
    ("Polic", &["certificate_policies"]),
    // A mapping to or from anyPolicy (RFC 5280 §4.2.1.5).
    ("anyPolicyTest", &["extension_malformed"]),
    ("nameConstraints", &["name_constraints"]),
    ("CriticalCertificateExtension", &["critical_extension"]),
];

/// Name of a CA certificate whose signature is a BIT STRING with an unused bit. A presented
/// certificate that cannot be read is rejected whatever else is presented, so it is left out for
/// the other tests.
const UNREADABLE: &str = "BadSignedCACert";

/// The suite's certificates are valid from 2010 to 2030.
const NOW: &str = "2011-04-15T00:00:00Z";

fn folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let libraries = root.join(".venv/lib");
    let python = std::fs::read_dir(&libraries)
        .ok()
        .and_then(|mut entries| entries.next()?.ok());
    let folder = python.map(|python| {
        let packages = python.path().join("site-packages");
        packages.join("cryptography_vectors/x509/PKITS_data")
    });
    folder
        .filter(|folder| folder.is_dir())
        .expect("PKITS is not there: `make test` installs it, from tests/requirements.txt into .venv")
}

fn files(folder: &Path, extension: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| {
            (
                path.file_stem().unwrap().to_string_lossy().into_owned(),
                std::fs::read(&path).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

struct Suite {
    authorities: Vec<CertificateDer<'static>>,
    end_entities: Vec<(String, CertificateDer<'static>)>,
    lists: Arc<RevocationLists>,
    anchors: TrustAnchors,
}

impl Suite {
    fn load() -> Self {
        let folder = folder();
        let mut authorities = Vec::new();
        let mut end_entities = Vec::new();
        let mut anchor = None;
        for (name, der) in files(&folder.join("certs"), "crt") {
            let certificate = CertificateDer::from(der);
            if name == "TrustAnchorRootCertificate" {
                anchor = Some(certificate);
            } else if let Some(test) = name.strip_suffix("EE") {
                end_entities.push((test.to_owned(), certificate));
            } else if name == UNREADABLE {
                assert_eq!(CertificateSummary::read(&certificate), None);
            } else {
                authorities.push(certificate);
            }
        }
        let anchor = TrustAnchor::new(anchor.expect("the suite has its anchor")).unwrap();
        let anchors = TrustAnchors::new([anchor]).unwrap();
        let sound = authorities
            .iter()
            .filter(|authority| Intermediates::new([(*authority).clone()]).is_ok());
        let intermediates = Intermediates::new(sound.cloned()).unwrap();
        // What cannot be used counts as absent.
        let lists = files(&folder.join("crls"), "crl");
        let lists = lists
            .iter()
            .filter_map(|(_, der)| read_revocation_lists(der.as_slice(), 1 << 20).ok())
            .flatten();
        let lists = Arc::new(RevocationLists::new(lists, &anchors, &intermediates, None));
        Self {
            authorities,
            end_entities,
            lists,
            anchors,
        }
    }

    fn verifier(&self, revocation: RevocationMode) -> Verifier {
        let policy = VerifyOptions {
            max_depth: 10,
            ..VerifyOptions::default()
        };
        let revocation = RevocationOptions {
            mode: revocation,
            ..RevocationOptions::default()
        };
        Verifier::new(self.anchors.clone(), Intermediates::default(), policy)
            .with_revocation(Arc::clone(&self.lists), revocation)
    }

    fn present(&self, end_entity: &CertificateDer<'static>) -> PresentedChain {
        let presented = std::iter::once(end_entity).chain(&self.authorities).cloned();
        PresentedChain::new(presented).unwrap()
    }

    /// Verifies one client. The validators never disagree.
    fn verify(
        &self,
        end_entity: &CertificateDer<'static>,
        revocation: RevocationMode,
    ) -> Result<VerifiedClient, Rejection> {
        let now = Timestamp::parse_rfc3339(NOW).unwrap();
        let verified = self.verifier(revocation).verify(&self.present(end_entity), now);
        if let Err(rejection) = &verified {
            assert_ne!(rejection.reason(), Reason::ValidatorsDisagree, "{rejection}");
        }
        verified
    }

    #[track_caller]
    fn check(&self, revocation: RevocationMode, expected: impl Fn(&str) -> Option<Outcome>) -> usize {
        let mut checked = 0;
        let mut wrong = Vec::new();
        for (test, end_entity) in &self.end_entities {
            let Some(expected) = expected(test) else {
                continue;
            };
            checked += 1;
            let verdict = self.verify(end_entity, revocation);
            let as_expected = match (expected, &verdict) {
                (Valid, Ok(_)) => true,
                (Invalid, Err(rejection)) => is_right_reason(test, rejection.detail()),
                (Stricter(detail) | InvalidBefore(detail), Err(rejection)) => rejection.detail() == detail,
                _ => false,
            };
            if !as_expected {
                let verdict =
                    verdict.map_or_else(|rejection| rejection.to_string(), |_| "accepted".to_owned());
                wrong.push(format!("{test}: expected {expected:?}, {verdict}"));
            }
        }
        assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
        checked
    }
}

fn expected(test: &str) -> Outcome {
    let listed = OUTCOMES.iter().find(|(name, _)| *name == test);
    match listed {
        Some((_, outcome)) => *outcome,
        None if test.starts_with("Valid") => Valid,
        None if test.starts_with("Invalid") => Invalid,
        None => panic!("{test}: neither its name nor the table says what should come of it"),
    }
}

fn is_right_reason(test: &str, detail: &str) -> bool {
    let rows = REASONS.iter().filter(|(word, _)| test.contains(word));
    let mut beginnings = rows.flat_map(|(_, beginnings)| *beginnings);
    beginnings.any(|beginning| detail.starts_with(beginning))
        || (is_about_revocation(test) && (detail == "revoked" || detail.starts_with("crl_")))
}

/// Returns true for tests whose end-entity certificates are good without CRLs.
fn is_about_revocation(test: &str) -> bool {
    const ABOUT: &[&str] = &[
        "BasicSelfIssued",
        "CRL",
        "IDP",
        "LongSerialNumber",
        "NegativeSerialNumber",
        "Revoked",
        "cRLIssuer",
        "cRLSign",
        "deltaCRL",
        "distributionPoint",
        "issuingDistributionPoint",
        "onlyContains",
        "onlySomeReasons",
    ];
    ABOUT.iter().any(|about| test.contains(about))
}

#[test]
fn every_end_entity_certificate_meets_its_outcome() {
    let checked = Suite::load().check(RevocationMode::Strict, |test| Some(expected(test)));
    assert_eq!(checked, 223, "the suite is complete");
}

#[test]
fn cached_signatures_change_no_verdict() {
    let suite = Suite::load();
    let now = Timestamp::parse_rfc3339(NOW).unwrap();
    let knowing = suite.verifier(RevocationMode::Strict);
    let (mut computed, mut saved) = (0, 0);
    // In the second round every CA of an accepted path is known.
    for _ in 0..2 {
        for (test, end_entity) in &suite.end_entities {
            let presented = suite.present(end_entity);
            let (verdict, units) = knowing.verify_counting(&presented, now);
            let (expected, all) = suite
                .verifier(RevocationMode::Strict)
                .verify_counting(&presented, now);
            assert_eq!(
                verdict.map(|client| format!("{client:?}")),
                expected.map(|client| format!("{client:?}")),
                "{test}"
            );
            computed += units;
            saved += all - units;
        }
    }
    assert!(saved > 0, "{computed} computed");
}

#[test]
fn paths_are_judged_right_without_the_help_of_revocation() {
    let checked = Suite::load().check(RevocationMode::Off, |test| match expected(test) {
        _ if is_about_revocation(test) => None,
        Stricter(detail) if detail.starts_with("crl_") => Some(Valid),
        outcome => Some(outcome),
    });
    assert_eq!(checked, 147);
}
