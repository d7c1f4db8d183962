//! Each rule for a single certificate or a path, kept and broken.

use test_pki::der::oid::db::rfc5280;
use test_pki::{Authority, CertificateBuilder, Criticality, GeneralName, KeyUsage, Purpose, raw};
use time::macros::datetime;

use super::{Case, Cases, case, certificates, client, issuing, root, tlv};

type Change = fn(CertificateBuilder) -> CertificateBuilder;

const PAST: (time::OffsetDateTime, time::OffsetDateTime) =
    (datetime!(2020-01-01 0:00 UTC), datetime!(2021-01-01 0:00 UTC));
const FUTURE: (time::OffsetDateTime, time::OffsetDateTime) =
    (datetime!(2090-01-01 0:00 UTC), datetime!(2091-01-01 0:00 UTC));

/// A subjectAltName with a registeredID of 2.25 and 2^128 - 1.
const LARGE_IDENTIFIER: &[u8] = &[
    0x30, 0x16, 0x88, 0x14, 0x69, 0x83, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F,
];

/// Id, why, what is changed in a sound certificate, and the detail of the refusal; empty when it is
/// accepted.
type Rule = (&'static str, &'static str, Change, &'static str);

const OF_LEAF: &[Rule] = &[
    ("leaf/sound", "nothing is changed", |leaf| leaf, ""),
    (
        "leaf/authority",
        "a CA certificate",
        |leaf| leaf.authority(Authority::Yes { path_length: None }),
        "end_entity_is_authority",
    ),
    (
        "leaf/basic-constraints-absent",
        "no basicConstraints",
        |leaf| leaf.authority(Authority::Unsaid),
        "",
    ),
    (
        "leaf/key-usage-absent",
        "no keyUsage",
        |leaf| leaf.key_usage(&[]),
        "",
    ),
    (
        "leaf/key-usage-encipherment",
        "a key that cannot sign",
        |leaf| leaf.key_usage(&[KeyUsage::KeyEncipherment]),
        "end_entity_key_usage",
    ),
    (
        "leaf/purpose-absent",
        "no extKeyUsage",
        |leaf| leaf.purposes(&[]),
        "",
    ),
    (
        "leaf/purpose-any",
        "anyExtendedKeyUsage",
        |leaf| leaf.purposes(&[Purpose::Any]),
        "",
    ),
    (
        "leaf/purpose-server",
        "serverAuth only",
        |leaf| leaf.purposes(&[Purpose::ServerAuth]),
        "extended_key_usage",
    ),
    (
        "leaf/purpose-both",
        "serverAuth and clientAuth",
        |leaf| leaf.purposes(&[Purpose::ServerAuth, Purpose::ClientAuth]),
        "",
    ),
    (
        "leaf/purpose-empty",
        "an empty extKeyUsage",
        |leaf| leaf.extension("2.5.29.37", Criticality::NotCritical, &[0x30, 0]),
        "extended_key_usage",
    ),
    (
        "leaf/serial-zero",
        "serial number 0",
        |leaf| leaf.serial_bytes(&[0]),
        "",
    ),
    (
        "leaf/serial-negative",
        "serial number -1",
        |leaf| leaf.serial_bytes(&[0xFF]),
        "",
    ),
    (
        "leaf/serial-21-octets",
        "a serial number of 21 octets",
        |leaf| leaf.serial_bytes(&[1; 21]),
        "",
    ),
    (
        "leaf/serial-20-octets",
        "a serial number of 20 octets",
        |leaf| leaf.serial_bytes(&[1; 20]),
        "",
    ),
    (
        "leaf/serial-65-octets",
        "a serial number that is longer than every hash",
        |leaf| leaf.serial_bytes(&[1; 65]),
        "serial_number",
    ),
    (
        "leaf/policies-unreadable",
        "certificate policies that cannot be read and that no issuer requires",
        |leaf| leaf.extension("2.5.29.32", Criticality::NotCritical, &[0x30, 0]),
        "",
    ),
    (
        "leaf/critical-policies-unreadable",
        "critical certificate policies that cannot be read",
        |leaf| leaf.extension("2.5.29.32", Criticality::Critical, &[0x30, 0]),
        "extension_malformed",
    ),
    (
        "leaf/registered-id-2.40",
        "a registeredID whose second arc is 40",
        |leaf| leaf.extension("2.5.29.17", Criticality::NotCritical, &[0x30, 3, 0x88, 1, 0x78]),
        "",
    ),
    (
        "leaf/registered-id-128-bits",
        "a registeredID below 2.25 with an arc of 128 bits",
        |leaf| leaf.extension("2.5.29.17", Criticality::NotCritical, LARGE_IDENTIFIER),
        "",
    ),
    (
        "leaf/critical-unknown",
        "an unknown critical extension",
        |leaf| leaf.extension("1.2.3.4", Criticality::Critical, &[5, 0]),
        "critical_extension",
    ),
    (
        "leaf/critical-distribution-points-unreadable",
        "unreadable critical CRL distribution points",
        |leaf| leaf.extension("2.5.29.31", Criticality::Critical, &[1, 1, 0xFF]),
        "extension_malformed",
    ),
    (
        "leaf/critical-distribution-points",
        "critical CRL distribution points",
        |leaf| {
            let leaf = leaf.crl_distribution_point("http://example.org/1.crl");
            leaf.criticality(rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS, Criticality::Critical)
        },
        "",
    ),
    (
        "leaf/critical-name-constraints-unreadable",
        "unreadable critical name constraints of a client",
        |leaf| leaf.extension("2.5.29.30", Criticality::Critical, &[5, 0]),
        "extension_malformed",
    ),
    (
        "leaf/not-critical-unknown",
        "the same, not critical",
        |leaf| leaf.extension("1.2.3.4", Criticality::NotCritical, &[5, 0]),
        "",
    ),
    (
        "leaf/critical-subject-key-identifier",
        "RFC 5280 section 4.2.1.2 forbids it",
        |leaf| leaf.criticality(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER, Criticality::Critical),
        "critical_extension",
    ),
    (
        "leaf/expired",
        "notAfter has passed",
        |leaf| leaf.valid(PAST.0, PAST.1),
        "expired",
    ),
    (
        "leaf/not-yet-valid",
        "notBefore is to come",
        |leaf| leaf.valid(FUTURE.0, FUTURE.1),
        "not_yet_valid",
    ),
    (
        "leaf/inverted",
        "notAfter lies before notBefore",
        |leaf| leaf.valid(FUTURE.0, PAST.0),
        "validity_inverted",
    ),
    (
        "leaf/last-second",
        "notAfter is now",
        |leaf| leaf.valid(PAST.0, datetime!(2026-11-22 0:00 UTC)),
        "",
    ),
    (
        "leaf/one-second-late",
        "notAfter was a second ago",
        |leaf| leaf.valid(PAST.0, datetime!(2026-11-21 23:59:59 UTC)),
        "expired",
    ),
    (
        "leaf/first-second",
        "notBefore is now",
        |leaf| leaf.valid(datetime!(2026-11-22 0:00 UTC), FUTURE.0),
        "",
    ),
];

const OF_ISSUER: &[Rule] = &[
    (
        "issuer/not-authority",
        "cA is false",
        |issuer| issuer.authority(Authority::No),
        "issuer_not_authority",
    ),
    (
        "issuer/basic-constraints-absent",
        "no basicConstraints",
        |issuer| issuer.authority(Authority::Unsaid),
        "issuer_not_authority",
    ),
    (
        "issuer/key-usage-absent",
        "no keyUsage",
        |issuer| issuer.key_usage(&[]),
        "",
    ),
    (
        "issuer/key-usage-crl-only",
        "keyUsage without keyCertSign",
        |issuer| issuer.key_usage(&[KeyUsage::CRLSign]),
        "issuer_key_usage",
    ),
    (
        "issuer/purpose-server",
        "an issuer for servers only",
        |issuer| issuer.purposes(&[Purpose::ServerAuth]),
        "extended_key_usage",
    ),
    (
        "issuer/purpose-client",
        "an issuer for clients only",
        |issuer| issuer.purposes(&[Purpose::ClientAuth]),
        "",
    ),
    (
        "issuer/critical-unknown",
        "an unknown critical extension",
        |issuer| issuer.extension("1.2.3.4", Criticality::Critical, &[5, 0]),
        "critical_extension",
    ),
    (
        "issuer/critical-distribution-points-unreadable",
        "unreadable critical CRL distribution points",
        |issuer| issuer.extension("2.5.29.31", Criticality::Critical, &[0x30, 0]),
        "extension_malformed",
    ),
    (
        "issuer/critical-alternative-names-unreadable",
        "unreadable critical subject alternative names",
        |issuer| issuer.extension("2.5.29.17", Criticality::Critical, &[1, 1, 0xFF]),
        "extension_malformed",
    ),
    (
        "issuer/expired",
        "notAfter has passed",
        |issuer| issuer.valid(PAST.0, PAST.1),
        "expired",
    ),
    (
        "issuer/not-yet-valid",
        "notBefore is to come",
        |issuer| issuer.valid(FUTURE.0, FUTURE.1),
        "not_yet_valid",
    ),
    (
        "issuer/serial-zero",
        "serial number 0",
        |issuer| issuer.serial_bytes(&[0]),
        "",
    ),
    (
        "issuer/path-length-0",
        "pathLenConstraint 0, nothing below but the leaf",
        |issuer| issuer.path_length(0),
        "",
    ),
];

const OF_ANCHOR: &[Rule] = &[
    (
        "anchor/expired",
        "the anchor has expired",
        |anchor| anchor.valid(PAST.0, PAST.1),
        "anchor_expired",
    ),
    (
        "anchor/not-yet-valid",
        "the anchor is not valid yet",
        |anchor| anchor.valid(FUTURE.0, FUTURE.1),
        "anchor_not_yet_valid",
    ),
    (
        "anchor/path-length-0",
        "the anchor allows no intermediate",
        |anchor| anchor.path_length(0),
        "anchor_path_length",
    ),
    (
        "anchor/purpose-server",
        "the anchor is for servers only",
        |anchor| anchor.purposes(&[Purpose::ServerAuth]),
        "anchor_extended_key_usage",
    ),
    (
        "anchor/not-authority",
        "the anchor is not a CA: it cannot be used at all",
        |anchor| anchor.authority(Authority::No),
        "no_usable_anchor",
    ),
    (
        "anchor/key-usage-crl-only",
        "the anchor may not sign certificates",
        |anchor| anchor.key_usage(&[KeyUsage::CRLSign]),
        "no_usable_anchor",
    ),
    (
        "anchor/critical-unknown",
        "the anchor has an unknown critical extension",
        |anchor| anchor.extension("1.2.3.4", Criticality::Critical, &[5, 0]),
        "no_usable_anchor",
    ),
    (
        "anchor/key-usage-absent",
        "the anchor has no keyUsage",
        |anchor| anchor.key_usage(&[]),
        "",
    ),
];

fn judged(case: Case, detail: &'static str) -> Case {
    match detail {
        "" => case.accepted("CN=client,O=Example"),
        detail => case.refused(detail),
    }
}

pub(super) fn cases() -> Cases {
    let mut cases = Vec::new();
    let sound_root = root()?;
    let sound_issuing = issuing(&sound_root)?;
    for (id, why, change, detail) in OF_LEAF {
        let leaf = CertificateBuilder::client("CN=client,O=Example").seed(id);
        let leaf = change(leaf).issued_by(&sound_issuing)?;
        let case = case(
            &format!("rules/{id}"),
            why,
            [&sound_root],
            certificates([&leaf, &sound_issuing]),
        );
        cases.push(judged(case, detail));
    }
    for (id, why, change, detail) in OF_ISSUER {
        let issuer = CertificateBuilder::intermediate("CN=Issuing,O=Example").seed(id);
        let issuer = change(issuer).issued_by(&sound_root)?;
        let leaf = client(&issuer)?;
        let case = case(
            &format!("rules/{id}"),
            why,
            [&sound_root],
            certificates([&leaf, &issuer]),
        );
        cases.push(judged(case, detail));
    }
    for (id, why, change, detail) in OF_ANCHOR {
        let anchor = CertificateBuilder::root("CN=Root,O=Example").seed(id);
        let anchor = change(anchor).self_signed()?;
        let issuer = issuing(&anchor)?;
        let leaf = client(&issuer)?;
        let case = case(
            &format!("rules/{id}"),
            why,
            [&anchor],
            certificates([&leaf, &issuer]),
        );
        cases.push(judged(case, detail));
    }
    required_purpose(&mut cases)?;
    path_lengths(&mut cases)?;
    structures(&mut cases)?;
    keys(&mut cases)?;
    nameless(&mut cases)?;
    Ok(cases)
}

fn required_purpose(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let without = CertificateBuilder::client("CN=client,O=Example")
        .seed("no purpose")
        .purposes(&[])
        .issued_by(&root)?;
    let refused = case(
        "rules/leaf/purpose-required",
        "MTLS_EKU=required and no extKeyUsage",
        [&root],
        certificates([&without]),
    )
    .refused("extended_key_usage_missing");
    cases.push(Case {
        extended_key_usage: Some("required"),
        ..refused
    });
    Ok(())
}

fn path_lengths(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let upper = CertificateBuilder::intermediate("CN=Upper,O=Example")
        .seed("length 0")
        .path_length(0)
        .issued_by(&root)?;
    let lower = CertificateBuilder::intermediate("CN=Lower,O=Example")
        .seed("below")
        .issued_by(&upper)?;
    let leaf = client(&lower)?;
    cases.push(
        case(
            "rules/issuer/path-length-exceeded",
            "pathLenConstraint 0 above another CA",
            [&root],
            certificates([&leaf, &lower, &upper]),
        )
        .refused("path_length"),
    );
    let rolled_over = CertificateBuilder::intermediate("CN=Upper,O=Example")
        .seed("rolled over")
        .issued_by(&upper)?;
    let leaf = client(&rolled_over)?;
    cases.push(
        case(
            "rules/issuer/path-length-self-issued",
            "a CA's own roll-over certificate does not count",
            [&root],
            certificates([&leaf, &rolled_over, &upper]),
        )
        .accepted("CN=client,O=Example"),
    );
    Ok(())
}

/// Adds client keys with which every attacker can sign, or that cannot sign at all.
fn keys(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let leaf = client(&root)?;
    let mut modulus = [&[0, 0xC5][..], &[0xA5; 254], &[0x5B]].concat();
    let sound = modulus.clone();
    if let Some(last) = modulus.last_mut() {
        *last = 0x5A;
    }
    let even = modulus;
    let negative = sound.split_first().map_or(&[][..], |(_, rest)| rest);
    let rsa = |modulus: &[u8], exponent: &[u8]| {
        let key = tlv(0x30, &[tlv(2, modulus), tlv(2, exponent)].concat());
        public_key_info(&RSA_ENCRYPTION, &[5, 0], &key)
    };
    let p256 = |point: &[u8]| public_key_info(&EC_PUBLIC_KEY, &P256, point);
    for (id, info, detail) in [
        ("rsa-sound", rsa(&sound, &[1, 0, 1]), ""),
        ("rsa-exponent-1", rsa(&sound, &[1]), "key_unsound"),
        ("rsa-exponent-0", rsa(&sound, &[0]), "key_unsound"),
        ("rsa-exponent-even", rsa(&sound, &[1, 0, 0]), "key_unsound"),
        ("rsa-exponent-negative", rsa(&sound, &[0xFD]), "key_unsound"),
        ("rsa-modulus-even", rsa(&even, &[1, 0, 1]), "key_unsound"),
        ("rsa-modulus-negative", rsa(negative, &[1, 0, 1]), "key_unsound"),
        (
            "point-off-curve",
            p256(&[&[4][..], &[7; 64]].concat()),
            "key_unsound",
        ),
        ("point-at-infinity", p256(&[0]), "key_unsound"),
        ("point-cut", p256(&[&[4][..], &[7; 63]].concat()), "key_unsound"),
    ] {
        let info = raw::any(&info)?;
        let edited = leaf.certificate().edited(root.key(), |tbs| {
            tbs.subject_public_key_info = info;
            Ok(())
        })?;
        let case = case(
            &format!("rules/leaf/key-{id}"),
            "a key with which signatures prove possession, or not",
            [&root],
            [&edited],
        );
        cases.push(judged(case, detail));
    }
    Ok(())
}

/// DER of rsaEncryption, id-ecPublicKey and secp256r1.
const RSA_ENCRYPTION: [u8; 11] = [6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1];
const EC_PUBLIC_KEY: [u8; 9] = [6, 7, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1];
const P256: [u8; 10] = [6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];

fn public_key_info(algorithm: &[u8], parameters: &[u8], key: &[u8]) -> Vec<u8> {
    let algorithm = tlv(0x30, &[algorithm, parameters].concat());
    let key = tlv(3, &[&[0], key].concat());
    tlv(0x30, &[algorithm, key].concat())
}

fn nameless(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    for (id, subject, alternative_name, detail) in [
        ("none", "", None, "name_missing"),
        ("empty-common-name", "CN=", None, "name_missing"),
        (
            "empty-directory-name",
            "",
            Some(GeneralName::Directory("")),
            "name_missing",
        ),
        (
            "alternative-name-only",
            "",
            Some(GeneralName::Dns("client.example")),
            "",
        ),
    ] {
        let leaf = CertificateBuilder::client(subject).seed(id);
        let leaf = match &alternative_name {
            None => leaf,
            Some(name) => leaf.alternative_name(name),
        };
        let leaf = leaf.issued_by(&root)?;
        let case = case(
            &format!("rules/leaf/name-{id}"),
            "a certificate that says who the client is, or not",
            [&root],
            certificates([&leaf]),
        );
        cases.push(match detail {
            "" => case.accepted(subject),
            detail => case.refused(detail),
        });
    }
    Ok(())
}

fn structures(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let leaf = client(&root)?;
    let edited = |change: fn(&mut raw::TbsCertificate) -> Result<(), test_pki::Error>| {
        leaf.certificate().edited(root.key(), change)
    };
    let version_1 = edited(|tbs| {
        tbs.version = None;
        tbs.extensions = None;
        Ok(())
    })?;
    let doubled = edited(|tbs| {
        let first = tbs.extensions.iter().flatten().next().cloned();
        tbs.extensions
            .iter_mut()
            .for_each(|extensions| extensions.extend(first.clone()));
        Ok(())
    })?;
    let mut signed = leaf.certificate().signed()?;
    signed.algorithm = raw::algorithm_identifier(test_pki::SignatureAlgorithm::EcdsaSha512)?;
    let mismatched = test_pki::Certificate::from_der(signed.to_der()?);
    let trailing = test_pki::Certificate::from_der([leaf.der(), &[0]].concat());
    let cut = test_pki::Certificate::from_der(leaf.der().split_last().map_or(&[][..], |(_, rest)| rest));
    let empty = test_pki::Certificate::from_der([0x30, 0]);
    for (id, why, certificate, detail) in [
        (
            "leaf/version-1",
            "X.509 version 1",
            &version_1,
            "certificate_version",
        ),
        (
            "leaf/repeated-extension",
            "the same extension twice",
            &doubled,
            "extension_repeated",
        ),
        (
            "leaf/two-algorithms",
            "signatureAlgorithm differs inside and outside",
            &mismatched,
            "certificate_malformed",
        ),
        (
            "leaf/trailing-octet",
            "one octet after the certificate",
            &trailing,
            "certificate_malformed",
        ),
        ("leaf/cut-off", "one octet too few", &cut, "certificate_malformed"),
        (
            "leaf/empty-sequence",
            "an empty SEQUENCE",
            &empty,
            "certificate_malformed",
        ),
    ] {
        cases.push(case(&format!("rules/{id}"), why, [&root], [certificate]).refused(detail));
    }
    cases.push(
        case(
            "rules/junk-behind-the-leaf",
            "a second certificate that cannot be read, though not needed",
            [&root],
            [leaf.certificate(), &empty],
        )
        .refused("certificate_malformed"),
    );
    Ok(())
}
