//! Existing and missing paths.

use test_pki::{Certificate, CertificateBuilder, Credential, KeyKind, SignatureAlgorithm, raw};
use time::macros::datetime;

use super::{Case, Cases, case, certificates, client, issuing, root};

const CLIENT: &str = "CN=client,O=Example";

pub(super) fn cases() -> Cases {
    let mut cases = Vec::new();
    ordinary(&mut cases)?;
    strangers(&mut cases)?;
    alternatives(&mut cases)?;
    names(&mut cases)?;
    depths(&mut cases)?;
    algorithms(&mut cases)?;
    Ok(cases)
}

fn ordinary(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let issuing = issuing(&root)?;
    let leaf = client(&issuing)?;
    let lone = client(&root)?;
    cases.extend([
        case(
            "paths/direct",
            "issued by the anchor itself",
            [&root],
            certificates([&lone]),
        )
        .accepted(CLIENT),
        case(
            "paths/one-intermediate",
            "leaf, then its issuer",
            [&root],
            certificates([&leaf, &issuing]),
        )
        .accepted(CLIENT),
        case(
            "paths/root-sent-along",
            "the client sends its root too",
            [&root],
            certificates([&leaf, &issuing, &root]),
        )
        .accepted(CLIENT),
        case(
            "paths/intermediate-as-anchor",
            "the issuing CA is the anchor",
            [&issuing],
            certificates([&leaf]),
        )
        .accepted(CLIENT),
        case(
            "paths/missing-intermediate",
            "only the leaf is sent",
            [&root],
            certificates([&leaf]),
        )
        .refused("issuer_unknown"),
    ]);
    let mut configured = case(
        "paths/configured-intermediate",
        "the intermediate comes from the settings",
        [&root],
        certificates([&leaf]),
    )
    .accepted(CLIENT);
    configured.configured = vec![issuing.pem()];
    cases.push(configured);

    let upper = CertificateBuilder::intermediate("CN=Upper,O=Example")
        .seed("upper")
        .issued_by(&root)?;
    let lower = CertificateBuilder::intermediate("CN=Lower,O=Example")
        .seed("lower")
        .issued_by(&upper)?;
    let leaf = client(&lower)?;
    cases.push(
        case(
            "paths/wrong-order",
            "intermediates in reverse order",
            [&root],
            certificates([&leaf, &upper, &lower]),
        )
        .accepted(CLIENT),
    );
    cases.push(
        case(
            "paths/leaf-last",
            "the issuer stands first, so it is the one that proved its key",
            [&root],
            certificates([&lower, &upper, &leaf]),
        )
        .refused("end_entity_is_authority"),
    );
    Ok(())
}

fn strangers(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let good_issuer = issuing(&root)?;
    let good = client(&good_issuer)?;
    let stranger = CertificateBuilder::root("CN=Stranger")
        .seed("stranger")
        .self_signed()?;
    let of_stranger = client(&stranger)?;
    let impostor = CertificateBuilder::root("CN=Root,O=Example")
        .seed("impostor")
        .self_signed()?;
    let of_impostor = client(&impostor)?;
    let self_signed = CertificateBuilder::client("CN=client,O=Example")
        .seed("self-signed")
        .self_signed()?;
    let forged = CertificateBuilder::client("CN=admin,O=Example")
        .seed("forged")
        .issued_by(&good)?;
    cases.extend([
        case(
            "paths/stranger",
            "an untrusted root, sent along",
            [&root],
            certificates([&of_stranger, &stranger]),
        )
        .refused("issuer_unknown"),
        case(
            "paths/impostor",
            "another CA with the anchor's name",
            [&root],
            certificates([&of_impostor]),
        )
        .refused("signature_invalid"),
        case(
            "paths/impostor-sent-along",
            "the same, and its root is sent along",
            [&root],
            certificates([&of_impostor, &impostor]),
        )
        .refused("signature_invalid"),
        case(
            "paths/self-signed",
            "self-issued and untrusted",
            [&root],
            certificates([&self_signed]),
        )
        .refused("self_signed"),
        case(
            "paths/leaf-as-issuer",
            "a client certificate issues another one",
            [&root],
            certificates([&forged, &good, &good_issuer]),
        )
        .refused("issuer_not_authority"),
        case(
            "paths/stranger-among-the-presented",
            "an unrelated certificate does not matter",
            [&root],
            certificates([&good, &stranger, &good_issuer]),
        )
        .accepted(CLIENT),
    ]);
    // The issuer of this name has a key on P-256.
    let mut of_other_kind = good.certificate().tbs()?;
    of_other_kind.signature = raw::algorithm_identifier(SignatureAlgorithm::RsaPkcs1Sha256)?;
    let of_other_kind = raw::Signed {
        to_be_signed: raw::any_of(&of_other_kind)?,
        algorithm: of_other_kind.signature,
        signature: good.certificate().signed()?.signature,
    };
    let of_other_kind = Certificate::from_der(of_other_kind.to_der()?);
    cases.push(
        case(
            "paths/signature-of-another-kind-of-key",
            "signed with RSA, while the issuer has a key on P-256",
            [&root],
            [&of_other_kind, good_issuer.certificate()],
        )
        .refused("issuer_key_mismatch"),
    );
    let broken = good.certificate().with_broken_signature()?;
    let broken_issuer = good_issuer.certificate().with_broken_signature()?;
    cases.extend([
        case(
            "paths/signature-of-leaf",
            "one bit of the leaf's signature is turned",
            [&root],
            [&broken, good_issuer.certificate()],
        )
        .refused("signature_invalid"),
        case(
            "paths/signature-of-intermediate",
            "one bit of the intermediate's signature is turned",
            [&root],
            [good.certificate(), &broken_issuer],
        )
        .refused("signature_invalid"),
    ]);
    let first = CertificateBuilder::root("CN=First").seed("first").self_signed()?;
    let second = CertificateBuilder::intermediate("CN=Second")
        .seed("second")
        .issued_by(&first)?;
    let first_by_second = CertificateBuilder::intermediate("CN=First")
        .seed("first-by-second")
        .key(first.key())
        .issued_by(&second)?;
    let leaf = client(&second)?;
    cases.push(
        case(
            "paths/circle",
            "two CAs that certify each other",
            [&root],
            certificates([&leaf, &second, &first_by_second]),
        )
        .refused("issuer_unknown"),
    );
    Ok(())
}

fn alternatives(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let good = issuing(&root)?;
    let leaf = client(&good)?;
    let past = (datetime!(2020-01-01 0:00 UTC), datetime!(2021-01-01 0:00 UTC));
    let expired = CertificateBuilder::intermediate("CN=Issuing,O=Example")
        .seed("expired twin")
        .key(good.key())
        .valid(past.0, past.1)
        .issued_by(&root)?;
    let decoy = CertificateBuilder::intermediate("CN=Issuing,O=Example")
        .seed("decoy")
        .self_signed()?;
    cases.extend([
        case(
            "paths/expired-twin-first",
            "an expired certificate of the same CA key comes first",
            [&root],
            certificates([&leaf, &expired, &good]),
        )
        .accepted(CLIENT),
        case(
            "paths/decoy-first",
            "a CA of the same name and another key comes first",
            [&root],
            certificates([&leaf, &decoy, &good]),
        )
        .accepted(CLIENT),
    ]);
    let old_root = CertificateBuilder::root("CN=Old Root")
        .seed("old root")
        .self_signed()?;
    let cross = CertificateBuilder::intermediate("CN=Root,O=Example")
        .seed("cross")
        .key(root.key())
        .issued_by(&old_root)?;
    cases.push(
        case(
            "paths/cross-signed",
            "the new root is cross-signed by the one that is trusted",
            [&old_root],
            certificates([&leaf, &good, &cross]),
        )
        .accepted(CLIENT),
    );
    let expired_root = CertificateBuilder::root("CN=Root,O=Example")
        .seed("expired root")
        .key(root.key())
        .valid(past.0, past.1)
        .self_signed()?;
    cases.push(
        case(
            "paths/renewed-root",
            "an expired anchor and its renewal with the same key",
            [&expired_root, &root],
            certificates([&leaf, &good]),
        )
        .accepted(CLIENT),
    );
    let new_key = CertificateBuilder::root("CN=Root,O=Example")
        .seed("new key")
        .self_signed()?;
    let new_with_old = CertificateBuilder::intermediate("CN=Root,O=Example")
        .seed("new with old")
        .key(new_key.key())
        .issued_by(&root)?;
    let of_new = client(&new_key)?;
    cases.extend([
        case(
            "paths/roll-over",
            "the CA's new key, certified by its old one",
            [&root],
            certificates([&of_new, &new_with_old]),
        )
        .accepted(CLIENT),
        case(
            "paths/roll-over-certificate-missing",
            "the same without the certificate in between",
            [&root],
            certificates([&of_new]),
        )
        .refused("signature_invalid"),
        case(
            "paths/anchors-of-one-name",
            "two anchors of equal name, the second one issued it",
            [&root, &new_key],
            certificates([&of_new]),
        )
        .accepted(CLIENT),
    ]);
    Ok(())
}

fn names(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let spelled = |issuer: &str| {
        CertificateBuilder::client("CN=client,O=Example")
            .seed(issuer)
            .issuer(issuer)
            .issued_by(&root)
    };
    let otherwise = spelled("CN=ROOT,O=example  ")?;
    let different = spelled("CN=Roof,O=Example")?;
    cases.extend([
        case(
            "paths/name-in-other-case",
            "RFC 5280 section 7.1: case and white space do not matter",
            [&root],
            certificates([&otherwise]),
        )
        .accepted(CLIENT),
        case(
            "paths/name-of-another",
            "signed by the anchor, in another name",
            [&root],
            certificates([&different]),
        )
        .refused("issuer_unknown"),
    ]);
    Ok(())
}

fn depths(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let mut path: Vec<Credential> = Vec::new();
    for number in 1..=4 {
        let subject = format!("CN=Level {number},O=Example");
        let builder = CertificateBuilder::intermediate(&subject).seed(&subject);
        let next = builder.issued_by(path.last().unwrap_or(&root))?;
        path.push(next);
    }
    let leaf = client(path.last().unwrap_or(&root))?;
    path.push(leaf);
    let presented = || path.iter().rev().map(Credential::certificate);
    let shallow = case(
        "paths/too-deep",
        "five certificates below the anchor, four are allowed",
        [&root],
        presented(),
    )
    .refused("chain_too_deep");
    let deep = case(
        "paths/deep-enough",
        "the same, five are allowed",
        [&root],
        presented(),
    )
    .accepted(CLIENT);
    cases.push(Case {
        max_depth: Some(4),
        ..shallow
    });
    cases.push(Case {
        max_depth: Some(5),
        ..deep
    });
    Ok(())
}

fn algorithms(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    // RSA keys cannot be derived from a text; the tests of the verifier have them.
    for kind in [KeyKind::P256, KeyKind::P384, KeyKind::P521] {
        for algorithm in [
            SignatureAlgorithm::EcdsaSha256,
            SignatureAlgorithm::EcdsaSha384,
            SignatureAlgorithm::EcdsaSha512,
        ] {
            if kind == KeyKind::P521 && algorithm == SignatureAlgorithm::EcdsaSha256 {
                continue;
            }
            let id = format!("paths/{}-{}", kind.name(), algorithm.name());
            let root = CertificateBuilder::root("CN=Root,O=Example")
                .seed(&id)
                .key_kind(kind)
                .self_signed()?;
            let leaf = CertificateBuilder::client("CN=client,O=Example")
                .seed(&id)
                .key_kind(kind);
            let leaf = leaf.signature_algorithm(algorithm).issued_by(&root)?;
            cases.push(
                case(
                    &id,
                    "an algorithm that a load balancer takes",
                    [&root],
                    certificates([&leaf]),
                )
                .accepted(CLIENT),
            );
        }
    }
    let root = root()?;
    let leaf = CertificateBuilder::client("CN=client")
        .seed("ed25519")
        .key_kind(KeyKind::Ed25519)
        .issued_by(&root)?;
    cases.push(
        case(
            "paths/ed25519-key",
            "a key that a load balancer does not take",
            [&root],
            certificates([&leaf]),
        )
        .refused("key_unsupported"),
    );
    Ok(())
}
