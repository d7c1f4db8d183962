//! Traps that others fell into, each named for an advisory.

use test_pki::{Authority, CertificateBuilder, Criticality, GeneralName, Key, KeyKind, Purpose, raw};

use super::{Case, Cases, case, certificates, client, issuing, root, tlv};

const CLIENT: &str = "CN=client,O=Example";

pub(super) fn cases() -> Cases {
    let mut cases = Vec::new();
    stuffing(&mut cases)?;
    urls(&mut cases)?;
    trust_material(&mut cases)?;
    purposes_and_names(&mut cases)?;
    constraints(&mut cases)?;
    curves(&mut cases)?;
    costs(&mut cases)?;
    Ok(cases)
}

/// CVE-2023-2422 (Keycloak): the identity came from another certificate of the list than the
/// verified one.
fn stuffing(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let victim = CertificateBuilder::client("CN=admin,O=Example")
        .seed("victim")
        .issued_by(&root)?;
    let attacker = CertificateBuilder::root("CN=Attacker")
        .seed("attacker")
        .self_signed()?;
    let own = CertificateBuilder::client("CN=mallory")
        .seed("mallory")
        .issued_by(&attacker)?;
    let member = client(&root)?;
    cases.extend([
        case(
            "advisories/CVE-2023-2422/untrusted-first",
            "another client's valid certificate follows the attacker's own",
            [&root],
            certificates([&own, &victim]),
        )
        .refused("issuer_unknown"),
        case(
            "advisories/CVE-2023-2422/member-first",
            "a member presents the administrator's certificate behind its own",
            [&root],
            certificates([&member, &victim]),
        )
        .accepted(CLIENT),
    ]);
    Ok(())
}

/// CVE-2023-33201 and CVE-2023-28857 (Bouncy Castle, Apereo CAS): URLs of a certificate were
/// followed before it was trusted.
fn urls(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let metadata = "http://169.254.169.254/latest/meta-data/";
    let access = tlv(
        0x30,
        &tlv(
            0x30,
            &[
                tlv(6, &[0x2B, 6, 1, 5, 5, 7, 0x30, 2]),
                tlv(0x86, metadata.as_bytes()),
            ]
            .concat(),
        ),
    );
    let pointing = |seed: &str| {
        CertificateBuilder::client("CN=client,O=Example")
            .seed(seed)
            .crl_distribution_point(metadata)
            .extension("1.3.6.1.5.5.7.1.1", Criticality::NotCritical, &access)
    };
    let trusted = pointing("pointing").issued_by(&root)?;
    let stranger = CertificateBuilder::root("CN=Stranger")
        .seed("stranger")
        .self_signed()?;
    let untrusted = pointing("pointing stranger").issued_by(&stranger)?;
    cases.extend([
        case(
            "advisories/CVE-2023-28857/trusted",
            "its URLs are never followed",
            [&root],
            certificates([&trusted]),
        )
        .accepted(CLIENT),
        case(
            "advisories/CVE-2023-28857/untrusted",
            "its URLs are never followed",
            [&root],
            certificates([&untrusted]),
        )
        .refused("issuer_unknown"),
    ]);
    Ok(())
}

/// CVE-2026-27586 (Caddy): trust material that could not be read was as good as none. CVE-2024-2048
/// and CVE-2025-6037 (Vault): a trusted certificate that is not a CA was matched loosely. Keycloak
/// #16193: the chain was not valid, which was logged.
fn trust_material(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let leaf = client(&root)?;
    for (id, trusted) in [
        ("empty", vec![]),
        ("unreadable", vec!["-----BEGIN CERTIFICATE-----\n".to_owned()]),
    ] {
        let why = "no anchor can be read: no client is trusted, not every client";
        let case = case(
            &format!("advisories/CVE-2026-27586/{id}"),
            why,
            [],
            certificates([&leaf]),
        );
        cases.push(Case {
            trusted,
            ..case.refused("no_usable_anchor")
        });
    }
    let pinned = CertificateBuilder::client("CN=client,O=Example")
        .seed("pinned")
        .serial(7)
        .self_signed()?;
    let look_alike = CertificateBuilder::client("CN=client,O=Example")
        .seed("look-alike")
        .key(pinned.key())
        .serial(7)
        .authority(Authority::No)
        .purposes(&[Purpose::Any])
        .self_signed()?;
    cases.push(
        case(
            "advisories/CVE-2024-2048",
            "a trusted certificate that is not a CA, and another one with its key and serial number",
            [&pinned],
            certificates([&look_alike]),
        )
        .refused("no_usable_anchor"),
    );
    let own = CertificateBuilder::root("CN=client,O=Example")
        .seed("own anchor")
        .self_signed()?;
    cases.push(
        case(
            "advisories/own-anchor",
            "a CA among the anchors presents itself as a client",
            [&own],
            certificates([&own]),
        )
        .refused("end_entity_is_authority"),
    );
    let stranger = CertificateBuilder::root("CN=Stranger")
        .seed("stranger")
        .self_signed()?;
    let untrusted = client(&stranger)?;
    cases.push(
        case(
            "advisories/keycloak-16193",
            "a chain that is not valid is refused, not noted",
            [&root],
            certificates([&untrusted, &stranger]),
        )
        .refused("issuer_unknown"),
    );
    Ok(())
}

/// CVE-2022-21657 (Envoy): the purpose was not looked at. CVE-2022-21656: names of different types
/// were taken for each other. CVE-2026-47778: a NUL cut a name short.
fn purposes_and_names(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let server = CertificateBuilder::server("CN=server,O=Example")
        .seed("server")
        .issued_by(&root)?;
    cases.push(
        case(
            "advisories/CVE-2022-21657",
            "a server's certificate presented by a client",
            [&root],
            certificates([&server]),
        )
        .refused("extended_key_usage"),
    );
    let constrained = CertificateBuilder::intermediate("CN=Issuing,O=Example")
        .seed("type confusion")
        .permit(&GeneralName::Uri("example.org"))
        .issued_by(&root)?;
    let confused = CertificateBuilder::client("CN=client,O=Example")
        .seed("confused")
        .dns("evil.example")
        .issued_by(&constrained)?;
    cases.push(
        case(
            "advisories/CVE-2022-21656",
            "a constraint on URIs says nothing of DNS names, and the name stays a DNS name",
            [&root],
            certificates([&confused, &constrained]),
        )
        .accepted(CLIENT),
    );
    let cut = CertificateBuilder::client("CN=client,O=Example")
        .seed("cut")
        .extension(
            "2.5.29.17",
            Criticality::NotCritical,
            &tlv(0x30, &tlv(0x82, b"admin.example\0.evil.example")),
        )
        .issued_by(&root)?;
    cases.push(
        case(
            "advisories/CVE-2026-47778",
            "a NUL within a DNS name",
            [&root],
            certificates([&cut]),
        )
        .refused("name_unrepresentable"),
    );
    Ok(())
}

/// RUSTSEC-2026-0098 and -0099, CVE-2025-61727 (Go): constraints on URIs were ignored, and
/// wildcards slipped past those on DNS names. CVE-2022-4203 (OpenSSL): an email address in an
/// otherName.
fn constraints(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let mut add = |id: &str,
                   why,
                   constrain: fn(CertificateBuilder) -> CertificateBuilder,
                   name: fn(CertificateBuilder) -> CertificateBuilder| {
        let issuing =
            constrain(CertificateBuilder::intermediate("CN=Issuing,O=Example").seed(id)).issued_by(&root)?;
        let client = name(CertificateBuilder::client("CN=client,O=Example").seed(id)).issued_by(&issuing)?;
        let case = case(
            &format!("advisories/{id}"),
            why,
            [&root],
            certificates([&client, &issuing]),
        );
        cases.push(case.refused("name_constraints"));
        Ok::<(), test_pki::Error>(())
    };
    add(
        "RUSTSEC-2026-0098",
        "an excluded URI",
        |issuing| issuing.exclude(&GeneralName::Uri("evil.example")),
        |client| client.uri("https://evil.example/"),
    )?;
    add(
        "RUSTSEC-2026-0099",
        "a wildcard wider than what is permitted",
        |issuing| issuing.permit(&GeneralName::Dns("a.example.org")),
        |client| client.dns("*.example.org"),
    )?;
    add(
        "CVE-2025-61727",
        "a wildcard that reaches into what is excluded",
        |issuing| issuing.exclude(&GeneralName::Dns("a.example.org")),
        |client| client.dns("*.example.org"),
    )?;
    add(
        "CVE-2022-4203",
        "an international email address where email addresses are constrained",
        |issuing| issuing.permit(&GeneralName::Email("example.org")),
        |client| {
            client.alternative_name(&GeneralName::Other(
                "1.3.6.1.5.5.7.8.9",
                &[0x0C, 6, b'a', b'@', b'b', b'.', b'c', b'd'],
            ))
        },
    )
}

/// CVE-2020-0601 (Windows): a CA's public key with parameters of the attacker's choice.
fn curves(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let attacker = Key::from_seed(KeyKind::P256, "attacker's key")?;
    let explicit = root.certificate().edited(&attacker, |tbs| {
        let info = tbs.subject_public_key_info.value();
        // The algorithm's 19 octets are replaced; the key's BIT STRING stays.
        let key = info.get(21..).unwrap_or_default();
        let parameters = tlv(0x30, &[2, 1, 1]);
        let algorithm = tlv(
            0x30,
            &[tlv(6, &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1]), parameters].concat(),
        );
        tbs.subject_public_key_info = raw::any(&tlv(0x30, &[&algorithm[..], key].concat()))?;
        Ok(())
    })?;
    let forged = test_pki::Credential::new(root.certificate().clone(), attacker);
    let forged = CertificateBuilder::client("CN=admin,O=Example")
        .seed("forged")
        .issued_by(&forged)?;
    cases.push(
        case(
            "advisories/CVE-2020-0601",
            "the root's key with explicit curve parameters, sent along",
            [&root],
            [forged.certificate(), &explicit],
        )
        .refused("signature_invalid"),
    );
    Ok(())
}

/// CVE-2018-16875 (Go) and its like: chains that are made to cost time.
fn costs(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let mut namesakes = Vec::new();
    for number in 0..7 {
        let seed = format!("namesake {number}");
        namesakes.push(
            CertificateBuilder::intermediate("CN=Root,O=Example")
                .seed(&seed)
                .self_signed()?,
        );
    }
    let leaf = match namesakes.first() {
        Some(issuer) => client(issuer)?,
        None => client(&issuing(&root)?)?,
    };
    let presented = std::iter::once(&leaf).chain(&namesakes);
    cases.push(
        case(
            "advisories/CVE-2018-16875",
            "as many CAs with the anchor's name as are read",
            [&root],
            certificates(presented),
        )
        .refused("signature_invalid"),
    );
    Ok(())
}
