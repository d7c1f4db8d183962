//! CRLs that are signed with ML-DSA.

use std::sync::Arc;

use alb_mtls_verifier::{ListStanding, Reason};
use test_pki::{CertificateBuilder, Credential, Crl, CrlBuilder, KeyKind};

use crate::support::{NOW, STRICT, anchors, chain, daily, load, long_lived, standings, timestamp, verifier};

fn root(kind: KeyKind) -> Credential {
    long_lived(CertificateBuilder::root("CN=Root"))
        .key_kind(kind)
        .self_signed()
        .unwrap()
}

fn client(root: &Credential) -> Credential {
    long_lived(CertificateBuilder::client("CN=client"))
        .issued_by(root)
        .unwrap()
}

fn strict(root: &Credential, client: &Credential, crl: &Crl) -> Result<(), Reason> {
    let lists = load(&[crl], &anchors([root]));
    let verifier = verifier(anchors([root])).with_revocation(Arc::new(lists), STRICT);
    let verdict = verifier.verify(&chain([client]), timestamp(NOW));
    verdict.map(|_| ()).map_err(|rejection| rejection.reason())
}

#[test]
fn ml_dsa_crl_clears_and_revokes() {
    for kind in [KeyKind::MlDsa44, KeyKind::MlDsa65, KeyKind::MlDsa87] {
        let root = root(kind);
        let (good, bad) = (client(&root), client(&root));
        let crl = daily(CrlBuilder::new()).revoke(&bad).issued_by(&root).unwrap();
        assert_eq!(
            standings(&load(&[&crl], &anchors([&root]))),
            [ListStanding::Verified]
        );
        assert_eq!(strict(&root, &good, &crl), Ok(()));
        assert_eq!(strict(&root, &bad, &crl), Err(Reason::Revoked));
    }
}

#[test]
fn altered_or_foreign_ml_dsa_crl_clears_no_certificate() {
    let root = root(KeyKind::MlDsa65);
    let good = client(&root);
    let crl = daily(CrlBuilder::new()).issued_by(&root).unwrap();
    let altered = {
        let mut der = crl.der().to_vec();
        *der.last_mut().unwrap() ^= 1;
        Crl::from_der(der)
    };
    assert_eq!(strict(&root, &good, &altered), Err(Reason::CrlSignature));
    for kind in [KeyKind::MlDsa65, KeyKind::MlDsa44, KeyKind::P256] {
        let namesake = self::root(kind);
        let foreign = daily(CrlBuilder::new()).issued_by(&namesake).unwrap();
        assert_eq!(strict(&root, &good, &foreign), Err(Reason::CrlSignature));
    }
}
