//! Differences between the active set and the one that is to follow.

use alb_mtls_policy::{PolicyOutcome, SetOutcome, ShadowDifference};
use alb_mtls_verifier::{Reason, Rejection};
use test_pki::CertificateBuilder;

use crate::clients::{Asked, Authority, anybody, permit_when};

fn decisions(client: &alb_mtls_verifier::ClientIdentity) -> (PolicyOutcome, PolicyOutcome) {
    let asked = Asked::by(client, "GET", "/");
    (
        asked.decide(&permit_when("true")),
        asked.decide(&permit_when("principal.days_left < 0")),
    )
}

#[test]
fn the_same_verdict_is_no_difference() {
    let client = anybody();
    let (allow, deny) = decisions(&client);
    let rejection = Rejection::new(Reason::CertificateMissing);
    let passes = SetOutcome::of(Ok(Some(&client)), Some(&allow));
    assert_eq!(passes.difference(&SetOutcome::of(Ok(Some(&client)), None)), None);
    let refused = SetOutcome::of(Ok(Some(&client)), Some(&deny));
    assert_eq!(
        refused.difference(&SetOutcome::of(Err(&rejection), None)),
        None,
        "another reason is not a difference"
    );
    let anonymous = SetOutcome::of(Ok(None), Some(&allow));
    assert_eq!(anonymous.difference(&anonymous), None);
}

#[test]
fn policy_that_would_deny_is_reported_with_reason() {
    let client = anybody();
    let (allow, deny) = decisions(&client);
    let active = SetOutcome::of(Ok(Some(&client)), Some(&allow));
    let shadow = SetOutcome::of(Ok(Some(&client)), Some(&deny));
    let difference = active.difference(&shadow).unwrap();
    assert_eq!(
        serde_json::to_value(&difference).unwrap(),
        serde_json::json!({"shadow": "would_deny", "shadow_detail": "policy_does_not_permit", "shadow_policies": []})
    );
    assert_eq!(shadow.difference(&active), Some(ShadowDifference::WouldAllow));
}

#[test]
fn anchors_that_would_deny_are_reported_with_reason() {
    let client = anybody();
    let rejection = Rejection::new(Reason::CertificateMissing);
    let active = SetOutcome::of(Ok(Some(&client)), None);
    let difference = active.difference(&SetOutcome::of(Err(&rejection), None));
    let expected = ShadowDifference::WouldDeny {
        detail: rejection.detail(),
        policies: Vec::new(),
    };
    assert_eq!(difference, Some(expected));
}

#[test]
fn another_anchor_is_a_difference() {
    let (old, new) = (Authority::new("Old Root"), Authority::new("New Root"));
    let under_old = old.identify(CertificateBuilder::client("CN=x"));
    let under_new = new.identify(CertificateBuilder::client("CN=x"));
    let active = SetOutcome::of(Ok(Some(&under_old)), None);
    let difference = active
        .difference(&SetOutcome::of(Ok(Some(&under_new)), None))
        .unwrap();
    assert_eq!(
        serde_json::to_value(&difference).unwrap(),
        serde_json::json!({"shadow": "other_anchor", "shadow_anchor_id": new.id()})
    );
}
