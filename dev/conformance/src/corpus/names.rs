//! Name constraints of every kind, and names that cannot be shown.

use test_pki::{CertificateBuilder, Criticality, GeneralName};

use super::{Case, Cases, case, certificates, root, tlv};

use GeneralName::{Directory, Dns, Email, Ip, Other, Subnet, Uri};

/// SmtpUTF8Mailbox (RFC 9598).
const INTERNATIONAL_MAILBOX: &str = "1.3.6.1.5.5.7.8.9";

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
    (
        "dns/empty-label",
        Dns("example.org"),
        Dns("a..example.org"),
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
        "email/two-at-signs",
        Email("example.org"),
        Email("a@evil.example@example.org"),
        false,
    ),
    (
        "email/quoted-at-sign",
        Email("example.org"),
        Email("\"a@evil.example\"@example.org"),
        true,
    ),
    (
        "email/international",
        Email("example.org"),
        Other(INTERNATIONAL_MAILBOX, b"\x0c\x0da@example.org"),
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
    (
        "uri/empty-host",
        Uri("example.org"),
        Uri("https:///example.org"),
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
        "directory/full-width",
        Directory("O=Example"),
        Directory("O=\u{FF25}xample"),
        false,
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
            "directory/zero-width-space",
            Directory("O=Strasse"),
            Directory("CN=x,O=Stra\u{200B}sse"),
            "name_constraints",
        ),
        (
            "directory/soft-hyphen",
            Directory("O=Strasse"),
            Directory("CN=x,O=Stra\u{AD}sse"),
            "name_constraints",
        ),
        (
            "directory/full-width",
            Directory("O=Strasse"),
            Directory("CN=x,O=\u{FF33}trasse"),
            "name_constraints",
        ),
        (
            "directory/sharp-s",
            Directory("O=Strasse"),
            Directory("CN=x,O=Stra\u{DF}e"),
            "name_constraints",
        ),
        (
            "directory/decomposed",
            Directory("O=M\u{FC}ller"),
            Directory("CN=x,O=Mu\u{308}ller"),
            "name_constraints",
        ),
        (
            "directory/private-use",
            Directory("O=Strasse"),
            Directory("CN=x,O=\u{E000}"),
            "name_constraints",
        ),
        (
            "directory/another-language",
            Directory("O=Strasse"),
            Directory("CN=x,O=M\u{FC}ller GmbH"),
            "",
        ),
        (
            "email/international",
            Email("evil.example"),
            Other(INTERNATIONAL_MAILBOX, b"\x0c\x0da@example.org"),
            "name_constraints",
        ),
        (
            "other/international-mailbox",
            Other(INTERNATIONAL_MAILBOX, b"\x0c\x0da@example.org"),
            Other(INTERNATIONAL_MAILBOX, b"\x0c\x0da@example.org"),
            "name_constraints_unsupported",
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
    common_names(&mut cases)?;
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
) -> Result<Case, test_pki::Error> {
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

/// No host name, for its length, and near enough to one.
const LONG_LABEL: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.internal.example";

/// A client is known by its common name, so that constraints on DNS names apply to it when
/// it looks like one and no dNSName is there.
fn common_names(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let issuing = CertificateBuilder::intermediate("CN=Issuing,O=Example")
        .seed("DNS names of a partner")
        .permit(&Dns("partner.example"))
        .exclude(&Dns("admin.partner.example"));
    let issuing = issuing.issued_by(&root)?;
    for (id, common_name, alternative_name, is_within) in [
        ("inside", "client.partner.example", None, true),
        ("outside", "billing.internal.example", None, false),
        ("excluded", "admin.partner.example", None, false),
        (
            "outside-beside-dns-name-inside",
            "billing.internal.example",
            Some(Dns("client.partner.example")),
            true,
        ),
        ("long-label", LONG_LABEL, None, false),
        ("wildcard-outside", "*.internal.example", None, false),
        ("part-of-a-label-outside", "b*.internal.example", None, false),
        ("address", "192.0.2.1", None, false),
        ("one-label", "client", None, true),
        ("dot-at-the-end", "not.a.host.", None, true),
        ("with-spaces", "Client No. 7", None, true),
    ] {
        let subject = format!("CN={common_name},O=Example");
        let client = CertificateBuilder::client(&subject).seed(id);
        let client = match &alternative_name {
            None => client,
            Some(name) => client.alternative_name(name),
        };
        let client = client.issued_by(&issuing)?;
        let case = case(
            &format!("names/common-name/{id}"),
            "constraints on DNS names, and a common name that looks like one or not",
            [&root],
            certificates([&client, &issuing]),
        );
        cases.push(if is_within {
            case.accepted(&subject)
        } else {
            case.refused("name_constraints")
        });
    }
    Ok(())
}

fn unrepresentable(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
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
