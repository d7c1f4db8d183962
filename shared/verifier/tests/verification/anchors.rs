//! Trust anchors: what their own certificates say counts.

use alb_mtls_verifier::{AuthorityError, Reason, TrustAnchor, TrustAnchors};
use test_pki::{Authority, CertificateBuilder, Criticality, GeneralName, KeyKind, KeyUsage, Purpose};
use time::macros::datetime;

use crate::support::{Scene, client, der, intermediate, root};

#[test]
fn an_intermediate_can_be_an_anchor() {
    let root = root();
    let issuing = intermediate(&root);
    let verified = Scene::trusting([&issuing]).accepts([&client(&issuing)]);
    assert!(verified.intermediates().is_empty());
}

#[test]
fn an_expired_anchor_anchors_nothing() {
    let expired = CertificateBuilder::root("CN=Root")
        .valid(datetime!(2020-01-01 0:00 UTC), datetime!(2021-01-01 0:00 UTC))
        .self_signed()
        .unwrap();
    let client = client(&expired);
    let rejection = Scene::trusting([&expired]).refuses([&client], Reason::AnchorExpired);
    let context = rejection.context();
    assert_eq!(context.subject, Some("CN=Root"));
    assert_eq!(
        (context.field, context.found),
        (Some("notAfter"), Some("2021-01-01T00:00:00Z"))
    );
}

#[test]
fn a_renewed_anchor_with_the_same_key_takes_over_from_the_expired_one() {
    let expired = CertificateBuilder::root("CN=Root")
        .valid(datetime!(2020-01-01 0:00 UTC), datetime!(2021-01-01 0:00 UTC))
        .self_signed()
        .unwrap();
    let renewed = CertificateBuilder::root("CN=Root")
        .key(expired.key())
        .self_signed()
        .unwrap();
    let client = client(&expired);
    let scene = Scene::trusting([&expired, &renewed]);
    assert_eq!(
        scene.accepts([&client]).identity().anchor.certificate().as_ref(),
        renewed.der()
    );
}

#[test]
fn an_anchor_that_is_not_valid_yet_is_told_from_an_expired_one() {
    let future = CertificateBuilder::root("CN=Root")
        .valid(datetime!(2090-01-01 0:00 UTC), datetime!(2091-01-01 0:00 UTC))
        .self_signed()
        .unwrap();
    Scene::trusting([&future]).refuses([&client(&future)], Reason::AnchorNotYetValid);
}

#[test]
fn the_forged_signature_under_an_expired_anchors_name_says_so() {
    let expired = CertificateBuilder::root("CN=Root")
        .valid(datetime!(2020-01-01 0:00 UTC), datetime!(2021-01-01 0:00 UTC))
        .self_signed()
        .unwrap();
    let forger = CertificateBuilder::root("CN=Root").self_signed().unwrap();
    Scene::trusting([&expired]).refuses([&client(&forger)], Reason::SignatureInvalid);
}

#[test]
fn the_anchors_path_length_is_kept() {
    let root = CertificateBuilder::root("CN=Root")
        .path_length(0)
        .self_signed()
        .unwrap();
    let issuing = intermediate(&root);
    let scene = Scene::trusting([&root]);
    scene.accepts([&client(&root)]);
    scene.refuses([&client(&issuing), &issuing], Reason::AnchorPathLength);
}

#[test]
fn the_anchors_purposes_bind() {
    let root = CertificateBuilder::root("CN=Root")
        .purposes(&[Purpose::ServerAuth])
        .self_signed()
        .unwrap();
    Scene::trusting([&root]).refuses([&client(&root)], Reason::AnchorExtendedKeyUsage);
    let root = CertificateBuilder::root("CN=Root")
        .purposes(&[Purpose::ClientAuth])
        .self_signed()
        .unwrap();
    Scene::trusting([&root]).accepts([&client(&root)]);
}

#[test]
fn the_anchors_name_constraints_bind() {
    let root = CertificateBuilder::root("CN=Root")
        .permit(&GeneralName::Dns("example.org"))
        .self_signed()
        .unwrap();
    let scene = Scene::trusting([&root]);
    let named = |name: &str| {
        CertificateBuilder::client("CN=client")
            .dns(name)
            .issued_by(&root)
            .unwrap()
    };
    scene.accepts([&named("a.example.org")]);
    scene.refuses([&named("a.example.com")], Reason::NameConstraints);
}

#[test]
fn a_self_signed_client_among_the_anchors_does_not_vouch_for_itself() {
    // Not a CA: it cannot even be loaded.
    let own = CertificateBuilder::client("CN=client").self_signed().unwrap();
    assert_eq!(
        TrustAnchor::new(der(own.certificate())),
        Err(AuthorityError::NotAuthority)
    );
    // A CA without key usage that presents itself.
    let own = CertificateBuilder::root("CN=client")
        .key_usage(&[])
        .self_signed()
        .unwrap();
    Scene::trusting([&own]).refuses([&own], Reason::EndEntityIsAuthority);
}

#[test]
fn two_anchors_with_one_name_are_both_tried() {
    let first = root();
    let second = root();
    let scene = Scene::trusting([&first, &second]);
    for issuer in [&first, &second] {
        let verified = scene.accepts([&client(issuer)]);
        assert_eq!(verified.identity().anchor.certificate().as_ref(), issuer.der());
    }
}

#[test]
fn what_cannot_be_a_ca_is_not_loaded() {
    let sound = || CertificateBuilder::root("CN=Root");
    for (builder, problem) in [
        (
            sound().authority(Authority::No),
            "is not a CA certificate: basicConstraints with cA is missing",
        ),
        (
            sound().authority(Authority::Unsaid),
            "is not a CA certificate: basicConstraints with cA is missing",
        ),
        (
            sound().key_usage(&[KeyUsage::CRLSign]),
            "may not issue certificates: its key usage lacks keyCertSign",
        ),
        (
            sound().key_kind(KeyKind::Ed25519),
            "has a key of Ed25519 (1.3.101.112), which is not supported: use RSA of 2048 to 8192 bits, P-256, P-384, \
             P-521 or ML-DSA",
        ),
        (
            sound().extension("1.2.3.4", Criticality::Critical, &[5, 0]),
            "has an extension that cannot be processed: critical extension 1.2.3.4",
        ),
        (
            sound().extension("2.5.29.17", Criticality::Critical, &[0xFF]),
            "has an extension that cannot be processed: critical subject alternative names (2.5.29.17)",
        ),
        (
            sound().extension("2.5.29.31", Criticality::Critical, &[0xFF]),
            "has an extension that cannot be processed: critical CRL distribution points (2.5.29.31)",
        ),
        (
            sound().extension("2.5.29.32", Criticality::Critical, &[0x30, 0]),
            "has an extension that cannot be processed: critical certificate policies (2.5.29.32)",
        ),
        (
            sound().extension("2.5.29.30", Criticality::Critical, &[0x30, 0]),
            "has an extension that cannot be processed: critical name constraints (2.5.29.30)",
        ),
        (
            sound().extension("2.5.29.36", Criticality::Critical, &[0x30, 0]),
            "has an extension that cannot be processed: critical policy constraints (2.5.29.36)",
        ),
        (
            sound().extension("2.5.29.36", Criticality::NotCritical, &[0x30, 0]),
            "has an extension that cannot be processed: policy constraints (2.5.29.36)",
        ),
        (
            sound().extension("2.5.29.37", Criticality::NotCritical, &[0x31, 0]),
            "has an extension that cannot be processed: extended key usage (2.5.29.37)",
        ),
        (
            sound().extension("2.5.29.19", Criticality::Critical, &[0x31, 0]),
            "is not a certificate that can be read: basic constraints (2.5.29.19)",
        ),
    ] {
        let certificate = builder.self_signed().unwrap();
        let refused = TrustAnchor::new(der(certificate.certificate())).unwrap_err();
        assert_eq!(refused.to_string(), problem);
    }
}

#[test]
fn unreadable_extension_of_an_anchor_that_decides_nothing_is_read_over() {
    for identifier in [
        "1.2.3.4",
        "2.5.29.14",
        "2.5.29.17",
        "2.5.29.31",
        "2.5.29.32",
        "2.5.29.33",
        "2.5.29.35",
        "2.5.29.54",
    ] {
        let root = CertificateBuilder::root("CN=Root")
            .extension(identifier, Criticality::NotCritical, &[0xFF])
            .self_signed()
            .unwrap();
        Scene::trusting([&root]).accepts([&client(&root)]);
    }
}

#[test]
fn an_anchor_given_twice_counts_once() {
    let root = root();
    let anchor = || TrustAnchor::new(der(root.certificate())).unwrap();
    assert_eq!(TrustAnchors::new([anchor(), anchor()]).unwrap().len(), 1);
    assert!(TrustAnchors::new([]).is_none());
}

#[test]
fn an_anchor_of_version_1_is_taken() {
    let root = root();
    let old = root
        .certificate()
        .edited(root.key(), |tbs| {
            tbs.version = None;
            tbs.extensions = None;
            Ok(())
        })
        .unwrap();
    let scene = Scene::trusting([&old]);
    scene.accepts([&client(&root)]);
    assert!(!TrustAnchor::new(der(&old)).unwrap().is_version_3());
}
