//! Paths that are found, and rejections when there is none.

use alb_mtls_verifier::{Reason, Timestamp};
use test_pki::{CertificateBuilder, Credential, Key, KeyKind};
use time::macros::datetime;

use crate::support::{Scene, client, intermediate, root};

#[test]
fn accepts_a_client_of_the_anchor_itself() {
    let root = root();
    let verified = Scene::trusting([&root]).accepts([&client(&root)]);
    assert!(verified.intermediates().is_empty());
}

#[test]
fn accepts_intermediates_in_any_order_and_reports_them_in_that_of_the_path() {
    let root = root();
    let upper = CertificateBuilder::intermediate("CN=Upper")
        .issued_by(&root)
        .unwrap();
    let lower = CertificateBuilder::intermediate("CN=Lower")
        .issued_by(&upper)
        .unwrap();
    let client = client(&lower);
    let verified = Scene::trusting([&root]).accepts([&client, &upper, &lower]);
    let path: Vec<&[u8]> = verified.intermediates().iter().map(AsRef::as_ref).collect();
    assert_eq!(path, [lower.der(), upper.der()]);
}

#[test]
fn ignores_the_root_and_strangers_among_the_presented() {
    let root = root();
    let issuing = intermediate(&root);
    let stranger = CertificateBuilder::root("CN=Stranger").self_signed().unwrap();
    let client = client(&issuing);
    let verified = Scene::trusting([&root]).accepts([&client, &stranger, &root, &issuing]);
    assert_eq!(verified.intermediates().len(), 1);
}

#[test]
fn refuses_a_chain_to_a_root_that_is_only_presented() {
    let attacker = CertificateBuilder::root("CN=Attacker").self_signed().unwrap();
    let client = client(&attacker);
    let rejection = Scene::trusting([&root()]).refuses([&client, &attacker], Reason::IssuerUnknown);
    assert_eq!(rejection.certificate(), Some(1), "where the path ends");
    assert_eq!(rejection.explanation(), Some("the issuer is CN=Attacker"));
}

#[test]
fn refuses_an_attackers_ca_with_the_name_of_the_anchor() {
    let attacker = CertificateBuilder::root("CN=Root,O=Example")
        .self_signed()
        .unwrap();
    let client = client(&attacker);
    let scene = Scene::trusting([&root()]);
    scene.refuses([&client], Reason::SignatureInvalid);
    scene.refuses([&client, &attacker], Reason::SignatureInvalid);
}

#[test]
fn refuses_a_certificate_with_one_bit_turned() {
    let root = root();
    let issuing = intermediate(&root);
    let client = client(&issuing);
    let scene = Scene::trusting([&root]);
    let broken = client.certificate().with_broken_signature().unwrap();
    let rejection = scene.refuses([&broken, issuing.certificate()], Reason::SignatureInvalid);
    assert_eq!(rejection.certificate(), Some(0));
    let broken = issuing.certificate().with_broken_signature().unwrap();
    let rejection = scene.refuses([client.certificate(), &broken], Reason::SignatureInvalid);
    assert_eq!(rejection.certificate(), Some(1));
}

#[test]
fn identity_comes_from_the_first_certificate_whatever_follows() {
    // Certificate stuffing: the client proves one key and presents another client's valid
    // certificate too.
    let root = root();
    let victim = CertificateBuilder::client("CN=admin").issued_by(&root).unwrap();
    let attacker = CertificateBuilder::root("CN=Attacker").self_signed().unwrap();
    let own = CertificateBuilder::client("CN=mallory")
        .issued_by(&attacker)
        .unwrap();
    let scene = Scene::trusting([&root]);
    scene.refuses([&own, &victim], Reason::IssuerUnknown);
    let member = CertificateBuilder::client("CN=member").issued_by(&root).unwrap();
    let verified = scene.accepts([&member, &victim]);
    assert_eq!(verified.identity().common_name().as_deref(), Some("member"));
}

#[test]
fn a_client_certificate_cannot_issue_another() {
    let root = root();
    let member = client(&root);
    let forged = CertificateBuilder::client("CN=admin").issued_by(&member).unwrap();
    let rejection = Scene::trusting([&root]).refuses([&forged, &member], Reason::IssuerNotAuthority);
    assert_eq!(rejection.certificate(), Some(1));
}

#[test]
fn an_expired_twin_does_not_hide_the_renewed_intermediate() {
    let root = root();
    let issuing = intermediate(&root);
    let expired = CertificateBuilder::intermediate("CN=Issuing,O=Example")
        .key(issuing.key())
        .valid(datetime!(2020-01-01 0:00 UTC), datetime!(2021-01-01 0:00 UTC))
        .issued_by(&root)
        .unwrap();
    let client = client(&issuing);
    let scene = Scene::trusting([&root]);
    scene.accepts([&client, &expired, &issuing]);
    scene.accepts([&client, &issuing, &expired]);
    let rejection = scene.refuses([&client, &expired], Reason::Expired);
    assert_eq!(rejection.certificate(), Some(1));
}

#[test]
fn a_decoy_with_the_issuers_name_does_not_hide_the_issuer() {
    let root = root();
    let issuing = intermediate(&root);
    let decoy = CertificateBuilder::intermediate("CN=Issuing,O=Example")
        .self_signed()
        .unwrap();
    let client = client(&issuing);
    let verified = Scene::trusting([&root]).accepts([&client, &decoy, &issuing]);
    assert_eq!(verified.intermediates().first().unwrap().as_ref(), issuing.der());
}

#[test]
fn a_rule_that_refuses_one_path_does_not_hide_another() {
    // The same CA key certified twice: once for other names, once for these.
    let root = root();
    let issuing = CertificateBuilder::intermediate("CN=Issuing,O=Example")
        .permit(&test_pki::GeneralName::Dns("elsewhere.example"))
        .issued_by(&root)
        .unwrap();
    let unconstrained = CertificateBuilder::intermediate("CN=Issuing,O=Example")
        .key(issuing.key())
        .issued_by(&root)
        .unwrap();
    let client = CertificateBuilder::client("CN=client")
        .dns("client.example")
        .issued_by(&issuing)
        .unwrap();
    let scene = Scene::trusting([&root]);
    scene.accepts([&client, &issuing, &unconstrained]);
    scene.refuses([&client, &issuing], Reason::NameConstraints);
}

#[test]
fn cross_signed_intermediates_lead_to_whichever_root_is_trusted() {
    let old_root = CertificateBuilder::root("CN=Old Root").self_signed().unwrap();
    let new_root = CertificateBuilder::root("CN=New Root").self_signed().unwrap();
    let cross = CertificateBuilder::intermediate("CN=New Root")
        .key(new_root.key())
        .issued_by(&old_root)
        .unwrap();
    let issuing = intermediate(&new_root);
    let client = client(&issuing);
    let presented = [&client, &issuing, &cross];
    assert_eq!(
        Scene::trusting([&old_root])
            .accepts(presented)
            .intermediates()
            .len(),
        2
    );
    assert_eq!(
        Scene::trusting([&new_root])
            .accepts(presented)
            .intermediates()
            .len(),
        1
    );
    Scene::trusting([&old_root, &new_root]).accepts(presented);
}

#[test]
fn two_cas_that_certify_each_other_lead_nowhere() {
    let first = CertificateBuilder::root("CN=First").self_signed().unwrap();
    let second = CertificateBuilder::intermediate("CN=Second")
        .issued_by(&first)
        .unwrap();
    let first_by_second = CertificateBuilder::intermediate("CN=First")
        .key(first.key())
        .issued_by(&second)
        .unwrap();
    let client = client(&second);
    Scene::trusting([&root()]).refuses([&client, &second, &first_by_second], Reason::IssuerUnknown);
}

#[test]
fn a_roll_over_certificate_leads_from_the_new_key_to_the_old() {
    let old = CertificateBuilder::root("CN=Root").self_signed().unwrap();
    let new = CertificateBuilder::root("CN=Root").self_signed().unwrap();
    let new_with_old = CertificateBuilder::intermediate("CN=Root")
        .key(new.key())
        .issued_by(&old)
        .unwrap();
    let client = client(&new);
    Scene::trusting([&old]).accepts([&client, &new_with_old]);
    Scene::trusting([&new]).accepts([&client, &new_with_old]);
    Scene::trusting([&old]).refuses([&client], Reason::SignatureInvalid);
}

#[test]
fn names_that_differ_in_case_and_white_space_are_one_name() {
    let root = CertificateBuilder::root("CN=Example  Root")
        .self_signed()
        .unwrap();
    let issuing = CertificateBuilder::intermediate("CN=Issuing CA")
        .issuer("CN=example root")
        .issued_by(&root)
        .unwrap();
    let client = CertificateBuilder::client("CN=client")
        .issuer("CN=ISSUING  ca")
        .issued_by(&issuing)
        .unwrap();
    Scene::trusting([&root]).accepts([&client, &issuing]);
    let other = CertificateBuilder::client("CN=client")
        .issuer("CN=ISSUING  cb")
        .issued_by(&issuing)
        .unwrap();
    Scene::trusting([&root]).refuses([&other, &issuing], Reason::IssuerUnknown);
}

#[test]
fn configured_intermediates_complete_a_lone_client_certificate() {
    let root = root();
    let upper = CertificateBuilder::intermediate("CN=Upper")
        .issued_by(&root)
        .unwrap();
    let lower = CertificateBuilder::intermediate("CN=Lower")
        .issued_by(&upper)
        .unwrap();
    let client = client(&lower);
    Scene::trusting([&root]).refuses([&client], Reason::IssuerUnknown);
    let verified = Scene::trusting([&root])
        .supplying([&lower, &upper])
        .accepts([&client]);
    assert_eq!(verified.intermediates().len(), 2);
}

#[test]
fn configured_intermediates_are_not_trusted() {
    let stranger = CertificateBuilder::root("CN=Stranger").self_signed().unwrap();
    let issuing = intermediate(&stranger);
    let client = client(&issuing);
    Scene::trusting([&root()])
        .supplying([&issuing, &stranger])
        .refuses([&client], Reason::IssuerUnknown);
}

#[test]
fn configured_intermediates_are_found_by_an_equal_name() {
    let root = root();
    let issuing = CertificateBuilder::intermediate("CN=Issuing CA")
        .issued_by(&root)
        .unwrap();
    let client = CertificateBuilder::client("CN=client")
        .issuer("CN=issuing ca")
        .issued_by(&issuing)
        .unwrap();
    Scene::trusting([&root]).supplying([&issuing]).accepts([&client]);
}

#[test]
fn the_rejection_names_a_configured_intermediate_as_such() {
    let root = root();
    let expired = CertificateBuilder::intermediate("CN=Issuing")
        .valid(datetime!(2020-01-01 0:00 UTC), datetime!(2021-01-01 0:00 UTC))
        .issued_by(&root)
        .unwrap();
    let client = client(&expired);
    let rejection = Scene::trusting([&root])
        .supplying([&expired])
        .refuses([&client], Reason::Expired);
    assert_eq!(rejection.certificate(), None);
}

#[test]
fn deeper_than_allowed_is_refused_and_said() {
    let root = root();
    let mut issuers: Vec<Credential> = Vec::new();
    for number in 1..=4 {
        let issuer = issuers.last().unwrap_or(&root);
        let subject = format!("CN=Level {number}");
        let next = CertificateBuilder::intermediate(&subject)
            .issued_by(issuer)
            .unwrap();
        issuers.push(next);
    }
    let client = client(issuers.last().unwrap());
    let presented: Vec<&Credential> = std::iter::once(&client).chain(&issuers).collect();
    let scene = Scene::trusting([&root]);
    let rejection = scene.refuses(presented.clone(), Reason::ChainTooDeep);
    assert_eq!(
        rejection.explanation(),
        Some("5 certificates below the anchor, allowed are 4")
    );
    scene
        .with_policy(|policy| policy.max_depth = 5)
        .accepts(presented);
}

#[test]
fn paths_longer_than_webpki_builds_are_found_when_allowed() {
    let root = root();
    let mut issuers: Vec<Credential> = Vec::new();
    for number in 1..=9 {
        let issuer = issuers.last().unwrap_or(&root);
        let subject = format!("CN=Level {number}");
        let next = CertificateBuilder::intermediate(&subject)
            .issued_by(issuer)
            .unwrap();
        issuers.push(next);
    }
    let client = client(issuers.last().unwrap());
    let presented: Vec<&Credential> = std::iter::once(&client).chain(&issuers).collect();
    let scene = Scene::trusting([&root]).with_policy(|policy| policy.max_depth = 10);
    assert_eq!(scene.accepts(presented).intermediates().len(), 9);
}

#[test]
fn the_verdict_holds_until_the_first_certificate_of_the_path_expires() {
    let root = CertificateBuilder::root("CN=Root")
        .days(30)
        .self_signed()
        .unwrap();
    let issuing = CertificateBuilder::intermediate("CN=Issuing")
        .days(10)
        .issued_by(&root)
        .unwrap();
    let client = CertificateBuilder::client("CN=client")
        .days(20)
        .issued_by(&issuing)
        .unwrap();
    let scene = Scene::trusting([&root]);
    let until = scene.accepts([&client, &issuing]).valid_until();
    let day = 86_400;
    assert!((9 * day..=10 * day).contains(&(until.unix_seconds() - scene.now.unix_seconds())));
    let later = Scene::trusting([&root]).at(until);
    later.accepts([&client, &issuing]);
    let after = Scene::trusting([&root]).at(until.plus_seconds(1));
    after.refuses([&client, &issuing], Reason::Expired);
}

#[test]
fn every_key_and_signature_of_a_load_balancer_works() {
    use test_pki::SignatureAlgorithm as Algorithm;
    let signing = [
        (KeyKind::P256, Algorithm::EcdsaSha256),
        (KeyKind::P256, Algorithm::EcdsaSha384),
        (KeyKind::P256, Algorithm::EcdsaSha512),
        (KeyKind::P384, Algorithm::EcdsaSha256),
        (KeyKind::P384, Algorithm::EcdsaSha384),
        (KeyKind::P384, Algorithm::EcdsaSha512),
        (KeyKind::P521, Algorithm::EcdsaSha384),
        (KeyKind::P521, Algorithm::EcdsaSha512),
        (KeyKind::Rsa2048, Algorithm::RsaPkcs1Sha256),
        (KeyKind::Rsa2048, Algorithm::RsaPkcs1Sha384),
        (KeyKind::Rsa2048, Algorithm::RsaPkcs1Sha512),
        (KeyKind::Rsa2048, Algorithm::RsaPssSha256),
        (KeyKind::Rsa2048, Algorithm::RsaPssSha384),
        (KeyKind::Rsa2048, Algorithm::RsaPssSha512),
    ];
    for (kind, algorithm) in signing {
        let key = Key::random(kind).unwrap();
        let root = CertificateBuilder::root("CN=Root")
            .key(&key)
            .self_signed()
            .unwrap();
        let client = CertificateBuilder::client("CN=client").key_kind(kind);
        let client = client.signature_algorithm(algorithm).issued_by(&root).unwrap();
        Scene::trusting([&root]).accepts([&client]);
    }
}

#[test]
fn a_time_before_1970_is_no_reason_to_panic() {
    let root = root();
    let scene = Scene::trusting([&root]).at(Timestamp::from_unix_seconds(i64::MIN));
    scene.refuses([&client(&root)], Reason::NotYetValid);
}
