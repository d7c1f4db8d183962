//! Name constraints of every kind, and names that cannot be shown.

use pki::{CertificateBuilder, Criticality, GeneralName};

use super::{Case, Cases, case, certificates, root, tlv};

use GeneralName::{Directory, Dns, Email, Ip, Other, Subnet, Uri};

/// Id, what the issuer permits, what the client is called, whether it is within.
const PERMITTED: &[(&str, GeneralName<'_>, GeneralName<'_>, bool)] = &[
    ("dns/equal", Dns("example.org"), Dns("example.org"), true),
    ("dns/below", Dns("example.org"), Dns("a.EXAMPLE.org"), true),
    (
        "dns/suffix-only",
        Dns("example.org"),
        Dns("notexample.org"),
        false,
    ),
    ("dns/outside", Dns("example.org"), Dns("example.com"), false),
    (
        "dns/wildcard-inside",
        Dns("example.org"),
        Dns("*.example.org"),
        true,
    ),
    (
        "dns/wildcard-reaches-out",
        Dns("a.example.org"),
        Dns("*.example.org"),
        false,
    ),
    ("dns/not-a-name", Dns("example.org"), Dns(".example.org"), false),
    (
        "email/on-host",
        Email("example.org"),
        Email("a@example.org"),
        true,
    ),
    (
        "email/below-host",
        Email("example.org"),
        Email("a@b.example.org"),
        false,
    ),
    (
        "email/in-domain",
        Email(".example.org"),
        Email("a@b.example.org"),
        true,
    ),
    (
        "email/mailbox",
        Email("a@example.org"),
        Email("a@example.org"),
        true,
    ),
    (
        "email/other-mailbox",
        Email("a@example.org"),
        Email("b@example.org"),
        false,
    ),
    (
        "uri/trust-domain",
        Uri("example.org"),
        Uri("spiffe://example.org/client"),
        true,
    ),
    (
        "uri/other-trust-domain",
        Uri("example.org"),
        Uri("spiffe://example.com/client"),
        false,
    ),
    (
        "uri/below",
        Uri("example.org"),
        Uri("spiffe://a.example.org/client"),
        false,
    ),
    (
        "uri/in-domain",
        Uri(".example.org"),
        Uri("https://a.example.org/"),
        true,
    ),
    (
        "uri/user-information",
        Uri("example.org"),
        Uri("https://example.org@evil.example/"),
        false,
    ),
    (
        "uri/backslash",
        Uri("evil.example"),
        Uri("https://example.org\\@evil.example/"),
        false,
    ),
    ("uri/no-host", Uri("example.org"), Uri("urn:example.org"), false),
    (
        "directory/below",
        Directory("O=Example"),
        Directory("CN=x,O=EXAMPLE"),
        true,
    ),
    (
        "directory/outside",
        Directory("O=Example"),
        Directory("CN=x,O=Other"),
        false,
    ),
];

pub(super) fn cases() -> Cases {
    let mut cases = Vec::new();
    for (id, base, name, within) in PERMITTED {
        let refused = if *within { "" } else { "name_constraints" };
        cases.push(constrained(
            &format!("permitted/{id}"),
            "one subtree is permitted",
            |issuing| issuing.permit(base),
            name,
            refused,
        )?);
    }
    for (id, base, name, refused) in [
        (
            "dns/within",
            Dns("example.org"),
            Dns("a.example.org"),
            "name_constraints",
        ),
        ("dns/without", Dns("example.org"), Dns("example.com"), ""),
        (
            "dns/wildcard-reaches-in",
            Dns("a.example.org"),
            Dns("*.example.org"),
            "name_constraints",
        ),
        (
            "email/within",
            Email("example.org"),
            Email("a@example.org"),
            "name_constraints",
        ),
        (
            "email/everybody",
            Email(""),
            Email("a@example.org"),
            "name_constraints",
        ),
        (
            "uri/within",
            Uri("example.org"),
            Uri("https://example.org/"),
            "name_constraints",
        ),
        (
            "directory/within",
            Directory("O=Other"),
            Directory("CN=x,O=Other"),
            "name_constraints",
        ),
        (
            "other/same-kind",
            Other("1.2.3.4", &[5, 0]),
            Other("1.2.3.5", &[5, 0]),
            "name_constraints_unsupported",
        ),
        (
            "other/another-kind",
            Other("1.2.3.4", &[5, 0]),
            Dns("example.org"),
            "",
        ),
    ] {
        cases.push(constrained(
            &format!("excluded/{id}"),
            "one subtree is excluded",
            |issuing| issuing.exclude(&base),
            &name,
            refused,
        )?);
    }
    for (id, base, length, address, refused) in [
        ("within", [10, 0, 0, 0], 8, [10, 1, 2, 3], ""),
        ("without", [10, 0, 0, 0], 8, [11, 1, 2, 3], "name_constraints"),
    ] {
        let (base, name) = (Subnet(base.into(), length), Ip(address.into()));
        cases.push(constrained(
            &format!("permitted/ip/{id}"),
            "one network is permitted",
            |issuing| issuing.permit(&base),
            &name,
            refused,
        )?);
    }
    for (id, value) in [
        ("empty", tlv(0x30, &[])),
        ("wildcard", subtree(0x82, b"*.example.org")),
        ("mask", subtree(0x87, &[10, 0, 0, 0, 255, 0, 255, 0])),
        ("unknown-kind", subtree(0x8D, b"x")),
    ] {
        let constrain =
            |issuing: CertificateBuilder| issuing.extension("2.5.29.30", Criticality::Critical, &value);
        let id = format!("malformed/{id}");
        cases.push(constrained(
            &id,
            "the constraints cannot be read",
            constrain,
            &Dns("example.org"),
            "extension_malformed",
        )?);
    }
    unrepresentable(&mut cases)?;
    Ok(cases)
}

fn subtree(tag: u8, base: &[u8]) -> Vec<u8> {
    tlv(0x30, &tlv(0xA0, &tlv(0x30, &tlv(tag, base))))
}

fn constrained(
    id: &str,
    why: &'static str,
    constrain: impl FnOnce(CertificateBuilder) -> CertificateBuilder,
    name: &GeneralName<'_>,
    refused: &'static str,
) -> Result<Case, pki::Error> {
    let root = root()?;
    let issuing =
        constrain(CertificateBuilder::intermediate("CN=Issuing,O=Example").seed(id)).issued_by(&root)?;
    let client = CertificateBuilder::client("CN=client,O=Example")
        .seed(id)
        .alternative_name(name);
    let client = client.issued_by(&issuing)?;
    let case = case(
        &format!("names/{id}"),
        why,
        [&root],
        certificates([&client, &issuing]),
    );
    Ok(match refused {
        "" => case.accepted("CN=client,O=Example"),
        detail => case.refused(detail),
    })
}

fn unrepresentable(cases: &mut Vec<Case>) -> Result<(), pki::Error> {
    let root = root()?;
    for (id, name) in [
        ("nul-in-dns", tlv(0x82, b"admin.example\0.evil.example")),
        ("line-break-in-dns", tlv(0x82, b"admin.example\n")),
        ("space-in-email", tlv(0x81, b"a b@example.org")),
        ("tab-in-uri", tlv(0x86, b"spiffe://example.org/a\tb")),
        ("not-ascii-in-dns", tlv(0x82, "b\u{fc}cher.example".as_bytes())),
        ("three-octets-of-address", tlv(0x87, &[192, 0, 2])),
        ("unknown-kind", tlv(0x8D, b"x")),
        ("none", Vec::new()),
    ] {
        let client = CertificateBuilder::client("CN=client,O=Example")
            .seed(id)
            .extension("2.5.29.17", Criticality::NotCritical, &tlv(0x30, &name))
            .issued_by(&root)?;
        let why = "an alternative name that cannot be shown without being mistaken for another";
        let case = case(
            &format!("names/unrepresentable/{id}"),
            why,
            [&root],
            certificates([&client]),
        );
        cases.push(case.refused("name_unrepresentable"));
    }
    let injected = CertificateBuilder::client(r"CN=client\,O\=Admins,O=Example")
        .seed("injected")
        .issued_by(&root)?;
    cases.push(
        case(
            "names/escaped-attribute",
            "an attribute whose value looks like another one",
            [&root],
            certificates([&injected]),
        )
        .accepted(r"CN=client\,O\=Admins,O=Example"),
    );
    Ok(())
}
