//! Each rule for a single certificate or a path, kept and broken.

use pki::der::oid::db::rfc5280;
use pki::{Authority, CertificateBuilder, Criticality, KeyUsage, Purpose, raw};
use time::macros::datetime;

use super::{Case, Cases, case, certificates, client, issuing, root};

type Change = fn(CertificateBuilder) -> CertificateBuilder;

const PAST: (time::OffsetDateTime, time::OffsetDateTime) =
    (datetime!(2020-01-01 0:00 UTC), datetime!(2021-01-01 0:00 UTC));
const FUTURE: (time::OffsetDateTime, time::OffsetDateTime) =
    (datetime!(2090-01-01 0:00 UTC), datetime!(2091-01-01 0:00 UTC));

/// Id, why, what is changed in a sound certificate, and the detail of the refusal; empty when it is accepted.
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
        "serial_number",
    ),
    (
        "leaf/serial-negative",
        "serial number -1",
        |leaf| leaf.serial_bytes(&[0xFF]),
        "serial_number",
    ),
    (
        "leaf/serial-21-octets",
        "a serial number of 21 octets",
        |leaf| leaf.serial_bytes(&[1; 21]),
        "serial_number",
    ),
    (
        "leaf/serial-20-octets",
        "a serial number of 20 octets",
        |leaf| leaf.serial_bytes(&[1; 20]),
        "",
    ),
    (
        "leaf/critical-unknown",
        "a critical extension that nobody knows",
        |leaf| leaf.extension("1.2.3.4", Criticality::Critical, &[5, 0]),
        "critical_extension",
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
        "a critical extension that nobody knows",
        |issuer| issuer.extension("1.2.3.4", Criticality::Critical, &[5, 0]),
        "critical_extension",
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
        "serial_number",
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
        "the anchor is no CA: it cannot be used at all",
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
        "the anchor has a critical extension that nobody knows",
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
    Ok(cases)
}

fn required_purpose(cases: &mut Vec<Case>) -> Result<(), pki::Error> {
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

fn path_lengths(cases: &mut Vec<Case>) -> Result<(), pki::Error> {
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

fn structures(cases: &mut Vec<Case>) -> Result<(), pki::Error> {
    let root = root()?;
    let leaf = client(&root)?;
    let edited = |change: fn(&mut raw::TbsCertificate) -> Result<(), pki::Error>| {
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
    signed.algorithm = raw::algorithm_identifier(pki::SignatureAlgorithm::EcdsaSha512)?;
    let mismatched = pki::Certificate::from_der(signed.to_der()?);
    let trailing = pki::Certificate::from_der([leaf.der(), &[0]].concat());
    let cut = pki::Certificate::from_der(leaf.der().split_last().map_or(&[][..], |(_, rest)| rest));
    let empty = pki::Certificate::from_der([0x30, 0]);
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
