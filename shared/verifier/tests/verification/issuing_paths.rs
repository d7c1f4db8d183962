//! Paths from a CA up, as its clients will meet them: what is said of the CA is what is said of a
//! client that it issued.

use alb_mtls_verifier::{IssuingPath, Reason, Rejection};
use test_pki::{CertificateBuilder, Credential, Criticality, Key, KeyKind};

use crate::support::{ANY, GOLD, SILVER, Scene, der, intermediate, mapping, require_explicit, root, tlv};

fn paths(scene: &Scene, authority: &Credential) -> Result<Vec<IssuingPath>, Rejection> {
    let authority = der(authority.certificate());
    scene.verifier().issuing_paths(&authority, scene.now)
}

/// Says of a CA below `root` how many paths its clients have, or why they are refused.
fn below(root: &Credential, authority: CertificateBuilder) -> Result<usize, Reason> {
    let authority = authority.issued_by(root).unwrap();
    let found = paths(&Scene::trusting([root]), &authority);
    found
        .map(|paths| paths.len())
        .map_err(|rejection| rejection.reason())
}

/// Requires a policy from the CA itself on, and lets the policy "any" fit nothing.
fn requiring(name: &str) -> CertificateBuilder {
    let explicit = require_explicit(0);
    CertificateBuilder::intermediate(name)
        .extension("2.5.29.36", Criticality::Critical, &explicit)
        .extension("2.5.29.54", Criticality::Critical, &tlv(2, &[0]))
}

#[test]
fn ca_that_requires_a_policy_has_clients_with_one_of_its_own() {
    let root = root();
    assert_eq!(below(&root, requiring("CN=CA").policy(GOLD)), Ok(1));
    assert_eq!(
        below(&root, requiring("CN=CA").policy(GOLD).policy(SILVER)),
        Ok(1)
    );
    let mapped =
        requiring("CN=CA")
            .policy(GOLD)
            .extension("2.5.29.33", Criticality::Critical, &mapping(GOLD, SILVER));
    assert_eq!(below(&root, mapped), Ok(1));
    assert_eq!(below(&root, requiring("CN=CA")), Err(Reason::CertificatePolicies));
    assert_eq!(
        below(&root, requiring("CN=CA").policy(ANY)),
        Err(Reason::CertificatePolicies),
        "a client cannot have a policy that no CA names"
    );
}

#[test]
fn ca_with_any_policy_has_clients_with_any() {
    let explicit = require_explicit(0);
    let authority = CertificateBuilder::intermediate("CN=CA").policy(ANY).extension(
        "2.5.29.36",
        Criticality::Critical,
        &explicit,
    );
    assert_eq!(below(&root(), authority), Ok(1));
}

#[test]
fn policy_that_only_the_ca_above_names_reaches_no_client() {
    let root = root();
    let upper = requiring("CN=Upper").policy(GOLD).issued_by(&root).unwrap();
    let lower = |policy: &str| {
        CertificateBuilder::intermediate("CN=Lower")
            .policy(policy)
            .issued_by(&upper)
            .unwrap()
    };
    let scene = Scene::trusting([&root]).supplying([&upper]);
    assert_eq!(paths(&scene, &lower(GOLD)).unwrap().len(), 1);
    let refused = paths(&scene, &lower(SILVER)).unwrap_err();
    assert_eq!(refused.reason(), Reason::CertificatePolicies);
}

#[test]
fn one_path_for_each_anchor_however_many_ways_lead_there() {
    let [one, other] =
        ["CN=One", "CN=Other"].map(|name| CertificateBuilder::root(name).self_signed().unwrap());
    let key = Key::from_seed(KeyKind::P256, "upper").unwrap();
    let upper = |issuer: &Credential| {
        CertificateBuilder::intermediate("CN=Upper")
            .key(&key)
            .issued_by(issuer)
            .unwrap()
    };
    let (by_one, by_other) = (upper(&one), upper(&other));
    let renewed = upper(&one);
    let lower = CertificateBuilder::intermediate("CN=Lower")
        .issued_by(&by_one)
        .unwrap();
    let scene = Scene::trusting([&one, &other]).supplying([&by_one, &by_other, &renewed]);
    let found = paths(&scene, &lower).unwrap();
    let mut anchors: Vec<String> = found
        .iter()
        .map(|path| path.anchor.subject().to_string())
        .collect();
    anchors.sort();
    assert_eq!(anchors, ["CN=One", "CN=Other"]);
    assert!(
        found.iter().all(|path| path.unknown.is_none()),
        "no CRLs are asked for"
    );
}

#[test]
fn ca_below_no_anchor_and_ca_that_may_issue_nobody_are_refused() {
    let (root, stranger) = (
        root(),
        CertificateBuilder::root("CN=Stranger").self_signed().unwrap(),
    );
    let scene = Scene::trusting([&root]);
    let refused = paths(&scene, &intermediate(&stranger)).unwrap_err();
    assert_eq!(refused.reason(), Reason::IssuerUnknown);
    let leaf = crate::support::client(&root);
    let refused = paths(&scene, &leaf).unwrap_err();
    assert_eq!(
        (refused.reason(), refused.certificate()),
        (Reason::IssuerNotAuthority, Some(0)),
        "certificate 0 is the CA itself"
    );
}

#[test]
fn anchor_that_may_issue_nobody_is_refused_itself() {
    let check = |anchor: &Credential| {
        let scene = Scene::trusting([anchor]);
        let verifier = scene.verifier();
        let anchor = verifier.anchors().iter().next().unwrap();
        verifier
            .check_anchor(anchor, scene.now)
            .map_err(|rejection| rejection.reason())
    };
    assert_eq!(check(&root()), Ok(()));
    let requiring = requiring("CN=Root").policy(GOLD).self_signed().unwrap();
    let scene = Scene::trusting([&requiring]);
    let client = crate::support::client(&requiring);
    // An anchor's own policies are not asked for (RFC 5280 section 6.1.1 (d)), and a client's are
    // what it says.
    let verdict = scene
        .verify([&client])
        .map(drop)
        .map_err(|refused| refused.reason());
    assert_eq!(check(&requiring), verdict);
}
