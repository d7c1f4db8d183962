//! The explanation says the same as the verdict, check by check.

use alb_mtls_verifier::{Check, Explanation, Outcome, PresentedChain, Reason};
use test_pki::{Certificate, CertificateBuilder, GeneralName, KeyUsage};

use crate::support::{Scene, client, der, intermediate, root};

fn explain<T: AsRef<Certificate>>(scene: &Scene, presented: impl IntoIterator<Item = T>) -> Explanation {
    let chain = PresentedChain::new(presented.into_iter().map(|one| der(one.as_ref()))).unwrap();
    scene.verifier().explain(&chain, scene.now)
}

fn outcome(explanation: &Explanation, check: Check) -> &Outcome {
    let found = explanation.checks.iter().find(|(other, _)| *other == check);
    &found.unwrap().1
}

#[test]
fn every_check_passes_when_the_client_is_accepted() {
    let root = root();
    let issuing = intermediate(&root);
    let explanation = explain(&Scene::trusting([&root]), [&client(&issuing), &issuing]);
    assert!(explanation.verdict.is_ok());
    let checks: Vec<Check> = explanation.checks.iter().map(|(check, _)| *check).collect();
    assert_eq!(checks, Check::ALL);
    for (check, outcome) in &explanation.checks {
        // The scene has no CRLs.
        let expected = if *check == Check::Revocation {
            Outcome::Off
        } else {
            Outcome::Passed
        };
        assert_eq!(*outcome, expected, "{check}");
    }
    assert_eq!(explanation.path.len(), 2);
    assert_eq!(explanation.anchor.unwrap().certificate().as_ref(), root.der());
}

#[test]
fn several_failures_are_all_shown() {
    let root = root();
    let issuing = CertificateBuilder::intermediate("CN=Issuing")
        .key_usage(&[KeyUsage::CRLSign])
        .permit(&GeneralName::Dns("example.org"))
        .issued_by(&root)
        .unwrap();
    let client = CertificateBuilder::client("CN=client")
        .dns("example.com")
        .key_usage(&[KeyUsage::KeyEncipherment])
        .issued_by(&issuing)
        .unwrap();
    let explanation = explain(&Scene::trusting([&root]), [&client, &issuing]);
    assert_eq!(
        explanation.verdict.as_ref().unwrap_err().reason(),
        Reason::EndEntityKeyUsage
    );
    for check in [
        Check::EndEntityKeyUsage,
        Check::Authorities,
        Check::NameConstraints,
    ] {
        assert!(
            matches!(outcome(&explanation, check), Outcome::Failed(_)),
            "{check}"
        );
    }
    assert_eq!(*outcome(&explanation, Check::Signatures), Outcome::Passed);
}

#[test]
fn what_was_not_reached_is_not_said_to_hold() {
    let stranger = CertificateBuilder::root("CN=Stranger").self_signed().unwrap();
    let explanation = explain(&Scene::trusting([&root()]), [&client(&stranger), &stranger]);
    assert!(matches!(
        outcome(&explanation, Check::PathBuilding),
        Outcome::Failed(_)
    ));
    for check in [
        Check::Signatures,
        Check::Authorities,
        Check::NameConstraints,
        Check::Identity,
    ] {
        assert_eq!(*outcome(&explanation, check), Outcome::NotReached, "{check}");
    }
    assert_eq!(explanation.path.len(), 2, "as far as it goes");
    assert!(explanation.anchor.is_none());
}

#[test]
fn nothing_is_reached_without_a_certificate() {
    let explanation = explain(&Scene::trusting([&root()]), [Certificate::from_der([0x30, 0])]);
    assert!(matches!(
        outcome(&explanation, Check::Parsing),
        Outcome::Failed(_)
    ));
    let reached = explanation
        .checks
        .iter()
        .filter(|(_, outcome)| *outcome != Outcome::NotReached);
    assert_eq!(reached.count(), 1);
}

#[test]
fn names_of_checks_are_unique() {
    let mut names: Vec<&str> = Check::ALL.iter().map(|check| check.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Check::ALL.len());
}
