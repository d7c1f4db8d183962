//! Name constraints of every kind (RFC 5280 section 4.2.1.10).

use alb_mtls_verifier::Reason;
use test_pki::{CertificateBuilder, Criticality, GeneralName};

use crate::support::{Scene, root, tlv};

/// Verifies a client below an intermediate, both made from sound ones.
fn verdict(
    constrain: impl FnOnce(CertificateBuilder) -> CertificateBuilder,
    name: impl FnOnce(CertificateBuilder) -> CertificateBuilder,
) -> Option<Reason> {
    let root = root();
    let issuing = constrain(CertificateBuilder::intermediate("CN=Issuing,O=Example,C=DE"));
    let issuing = issuing.issued_by(&root).unwrap();
    let client = name(CertificateBuilder::client("CN=client,O=Example,C=DE"));
    let client = client.issued_by(&issuing).unwrap();
    let verdict = Scene::trusting([&root]).verify([&client, &issuing]);
    verdict.err().map(|rejection| rejection.reason())
}

/// Checks the verdict on `name` when only `base` is permitted, and when `base` is excluded.
#[track_caller]
fn assert_within(base: GeneralName<'_>, name: GeneralName<'_>, expected: Within) {
    let permitted = verdict(
        |issuing| issuing.permit(&base),
        |client| client.alternative_name(&name),
    );
    let excluded = verdict(
        |issuing| issuing.exclude(&base),
        |client| client.alternative_name(&name),
    );
    let (when_permitted, when_excluded) = match expected {
        Within::Wholly => (None, Some(Reason::NameConstraints)),
        Within::Not => (Some(Reason::NameConstraints), None),
        Within::Undecided => (Some(Reason::NameConstraints), Some(Reason::NameConstraints)),
    };
    assert_eq!(permitted, when_permitted, "{base:?} permitted, {name:?}");
    assert_eq!(excluded, when_excluded, "{base:?} excluded, {name:?}");
}

#[derive(Clone, Copy)]
enum Within {
    Wholly,
    Not,
    /// Neither permitted nor free of what is excluded: refused either way.
    Undecided,
}

#[test]
fn dns_names() {
    use GeneralName::Dns;
    for (base, name, within) in [
        ("example.org", "example.org", Within::Wholly),
        ("example.org", "a.example.org", Within::Wholly),
        ("example.org", "a.b.EXAMPLE.org", Within::Wholly),
        ("example.org", "notexample.org", Within::Not),
        ("example.org", "example.org.evil.example", Within::Not),
        ("example.org", "org", Within::Not),
        (".example.org", "a.example.org", Within::Wholly),
        (".example.org", "example.org", Within::Not),
        ("", "anything.example", Within::Wholly),
        ("example.org", "*.example.org", Within::Wholly),
        ("a.example.org", "*.example.org", Within::Undecided),
        ("b.a.example.org", "*.example.org", Within::Not),
        // Names that are not host names are not certainly in any subtree, and possibly in every
        // one.
        ("example.org", ".example.org", Within::Undecided),
        ("example.org", "a..example.org", Within::Undecided),
        ("example.org", "example.org.", Within::Undecided),
        ("example.org", "a.*.example.org", Within::Undecided),
        ("example.org", "a b.example.org", Within::Undecided),
    ] {
        assert_within(Dns(base), Dns(name), within);
    }
}

#[test]
fn addresses() {
    use GeneralName::{Ip, Subnet};
    let v4 = |text: &str| text.parse().unwrap();
    for (base, length, name, within) in [
        ("10.0.0.0", 8, "10.1.2.3", Within::Wholly),
        ("10.0.0.0", 8, "11.1.2.3", Within::Not),
        ("10.1.2.3", 32, "10.1.2.3", Within::Wholly),
        ("10.1.2.3", 32, "10.1.2.2", Within::Not),
        ("0.0.0.0", 0, "192.0.2.1", Within::Wholly),
        ("2001:db8::", 32, "2001:db8::1", Within::Wholly),
        ("2001:db8::", 32, "2001:db9::1", Within::Not),
        ("::ffff:10.0.0.0", 104, "10.1.2.3", Within::Not),
    ] {
        let base: std::net::IpAddr = v4(base);
        assert_within(Subnet(base, length), Ip(v4(name)), within);
    }
}

#[test]
fn mailboxes() {
    use GeneralName::Email;
    for (base, name, within) in [
        ("example.org", "a@example.org", Within::Wholly),
        ("example.org", "a@EXAMPLE.ORG", Within::Wholly),
        ("example.org", "a@b.example.org", Within::Not),
        (".example.org", "a@b.example.org", Within::Wholly),
        (".example.org", "a@example.org", Within::Not),
        ("a@example.org", "a@example.org", Within::Wholly),
        ("a@example.org", "b@example.org", Within::Not),
        ("a@example.org", "A@example.org", Within::Undecided),
        ("a@example.org", "\"a\"@example.org", Within::Wholly),
        ("a@example.org", "\"\\a\"@example.org", Within::Wholly),
        ("example.org", "\"x@evil.example\"@example.org", Within::Wholly),
        ("", "a@example.org", Within::Wholly),
        ("example.org", "example.org", Within::Undecided),
        ("example.org", "@example.org", Within::Undecided),
        ("example.org", "a@-", Within::Undecided),
    ] {
        assert_within(Email(base), Email(name), within);
    }
}

#[test]
fn mailboxes_in_the_subject_count() {
    let with_email = "1.2.840.113549.1.9.1=#160D61406578616D706C652E6F7267,CN=client";
    let named = |base: &'static str| {
        let root = root();
        let issuing = CertificateBuilder::intermediate("CN=Issuing").permit(&GeneralName::Email(base));
        let issuing = issuing.issued_by(&root).unwrap();
        let client = CertificateBuilder::client(with_email)
            .issued_by(&issuing)
            .unwrap();
        let verdict = Scene::trusting([&root]).verify([&client, &issuing]);
        verdict.err().map(|rejection| rejection.reason())
    };
    assert_eq!(named("example.org"), None);
    assert_eq!(named("example.com"), Some(Reason::NameConstraints));
}

#[test]
fn uris_and_spiffe_trust_domains() {
    use GeneralName::Uri;
    for (base, name, within) in [
        ("example.org", "spiffe://example.org/workload", Within::Wholly),
        ("example.org", "spiffe://EXAMPLE.org/workload", Within::Wholly),
        ("example.org", "spiffe://a.example.org/workload", Within::Not),
        ("example.org", "https://example.org:8443/x?y#z", Within::Wholly),
        ("example.org", "https://user:word@example.org/", Within::Wholly),
        ("example.org", "https://example.org@evil.example/", Within::Not),
        ("example.org", "https://evil.example/#@example.org", Within::Not),
        ("example.org", "https://evil.example?@example.org", Within::Not),
        (".example.org", "https://a.b.example.org", Within::Wholly),
        (".example.org", "https://example.org", Within::Not),
        ("", "https://example.org", Within::Wholly),
        // RFC 5280: without a host name the constraint cannot be applied.
        ("example.org", "urn:example.org", Within::Undecided),
        ("example.org", "https://192.0.2.1/", Within::Undecided),
        ("example.org", "https://[2001:db8::1]/", Within::Undecided),
        ("example.org", "https://example.org%2eevil/", Within::Undecided),
        (
            "example.org",
            "https://example.org\\@evil.example/",
            Within::Undecided,
        ),
        ("example.org", "https:///example.org", Within::Undecided),
        ("example.org", "https://example.org:x/", Within::Undecided),
    ] {
        assert_within(Uri(base), Uri(name), within);
    }
}

#[test]
fn directory_names() {
    use GeneralName::Directory;
    let permitted = |base: &'static str, subject: &'static str| {
        let root = root();
        let issuing = CertificateBuilder::intermediate("CN=Issuing").permit(&Directory(base));
        let issuing = issuing.issued_by(&root).unwrap();
        let client = CertificateBuilder::client(subject).issued_by(&issuing).unwrap();
        Scene::trusting([&root]).verify([&client, &issuing]).is_ok()
    };
    assert!(permitted("O=Example,C=DE", "CN=a,O=Example,C=DE"));
    assert!(permitted("O=Example,C=DE", "CN=a,OU=b,O=EXAMPLE,C=DE"));
    assert!(permitted("O=Example,C=DE", "O=Example,C=DE"));
    assert!(!permitted("O=Example,C=DE", "CN=a,O=Example,C=AT"));
    assert!(!permitted("O=Example,C=DE", "C=DE"));
    assert!(!permitted("O=Example,C=DE", "CN=a,C=DE,O=Example"));
    assert!(!permitted("O=Example,C=DE", "CN=a,O=Example Evil,C=DE"));
    assert_within(
        Directory("O=Other,C=DE"),
        Directory("CN=x,O=Other,C=DE"),
        // The subject is constrained as well, and it is not within.
        Within::Undecided,
    );
}

#[test]
fn an_excluded_directory_name_is_not_evaded_by_another_string_type() {
    // O=Example as TeletexString, whose text cannot be compared.
    let root = root();
    let issuing =
        CertificateBuilder::intermediate("CN=Issuing").exclude(&GeneralName::Directory("O=Example"));
    let issuing = issuing.issued_by(&root).unwrap();
    let client = CertificateBuilder::client("O=Other").issued_by(&issuing).unwrap();
    let subject = |tag: u8| {
        let attribute = [vec![6, 3, 0x55, 4, 10], tlv(tag, b"Example")].concat();
        tlv(0x30, &tlv(0x31, &tlv(0x30, &attribute)))
    };
    let scene = Scene::trusting([&root]);
    scene.accepts([&client, &issuing]);
    for tag in [0x0C, 0x13, 0x14] {
        let evading = client
            .certificate()
            .edited(issuing.key(), |tbs| {
                tbs.subject = test_pki::raw::any(&subject(tag))?;
                Ok(())
            })
            .unwrap();
        scene.refuses([&evading, issuing.certificate()], Reason::NameConstraints);
    }
}

#[test]
fn a_constraint_of_one_kind_says_nothing_of_other_kinds() {
    let verdict = verdict(
        |issuing| issuing.permit(&GeneralName::Dns("example.org")),
        |client| {
            client
                .uri("https://elsewhere.example/")
                .email("a@elsewhere.example")
        },
    );
    assert_eq!(verdict, None);
}

#[test]
fn every_name_of_a_certificate_must_be_within() {
    let verdict = verdict(
        |issuing| issuing.permit(&GeneralName::Dns("example.org")),
        |client| client.dns("a.example.org").dns("a.example.com"),
    );
    assert_eq!(verdict, Some(Reason::NameConstraints));
}

#[test]
fn one_permitted_subtree_suffices_and_one_excluded_one_forbids() {
    let constrain = |issuing: CertificateBuilder| {
        issuing
            .permit(&GeneralName::Dns("example.org"))
            .permit(&GeneralName::Dns("example.com"))
            .exclude(&GeneralName::Dns("secret.example.com"))
    };
    assert_eq!(verdict(constrain, |client| client.dns("a.example.com")), None);
    let excluded = verdict(constrain, |client| client.dns("a.secret.example.com"));
    assert_eq!(excluded, Some(Reason::NameConstraints));
}

#[test]
fn kinds_that_are_not_processed_fail_closed_once_such_a_name_is_there() {
    let other = GeneralName::Other("1.2.3.4", &[5, 0]);
    let constrain = |issuing: CertificateBuilder| issuing.exclude(&other);
    let with = verdict(constrain, |client| {
        client.alternative_name(&GeneralName::Other("1.2.3.5", &[5, 0]))
    });
    assert_eq!(with, Some(Reason::NameConstraintsUnsupported));
    assert_eq!(verdict(constrain, |client| client.dns("example.org")), None);
    let registered = verdict(
        |issuing| issuing.permit(&GeneralName::RegisteredId("1.2.3")),
        |client| client.alternative_name(&GeneralName::RegisteredId("1.2.3.4")),
    );
    assert_eq!(registered, Some(Reason::NameConstraintsUnsupported));
}

#[test]
fn an_international_mailbox_does_not_slip_past_a_constraint_on_mailboxes() {
    let mailbox = tlv(0x0C, "ä@evil.example".as_bytes());
    let name = GeneralName::Other("1.3.6.1.5.5.7.8.9", &mailbox);
    for constrained in [
        verdict(
            |issuing| issuing.permit(&GeneralName::Email("example.org")),
            |client| client.alternative_name(&name),
        ),
        verdict(
            |issuing| issuing.exclude(&GeneralName::Email("evil.example")),
            |client| client.alternative_name(&name),
        ),
    ] {
        assert_eq!(constrained, Some(Reason::NameConstraints));
    }
}

#[test]
fn constraints_count_whether_or_not_they_are_critical() {
    let oid = der::oid::db::rfc5280::ID_CE_NAME_CONSTRAINTS;
    let verdict = verdict(
        |issuing| {
            issuing
                .permit(&GeneralName::Dns("example.org"))
                .criticality(oid, Criticality::NotCritical)
        },
        |client| client.dns("a.example.com"),
    );
    assert_eq!(verdict, Some(Reason::NameConstraints));
}

#[test]
fn constraints_of_several_issuers_add_up() {
    let root = root();
    let upper = CertificateBuilder::intermediate("CN=Upper").permit(&GeneralName::Dns("example.org"));
    let upper = upper.issued_by(&root).unwrap();
    let lower = CertificateBuilder::intermediate("CN=Lower").permit(&GeneralName::Dns("example.com"));
    let lower = lower.issued_by(&upper).unwrap();
    let scene = Scene::trusting([&root]);
    for name in ["a.example.org", "a.example.com"] {
        let client = CertificateBuilder::client("CN=client")
            .dns(name)
            .issued_by(&lower)
            .unwrap();
        scene.refuses([&client, &lower, &upper], Reason::NameConstraints);
    }
}

#[test]
fn intermediates_are_constrained_but_roll_over_certificates_are_not() {
    let root = root();
    let upper = CertificateBuilder::intermediate("CN=Upper,O=Outside")
        .permit(&GeneralName::Directory("O=Example"))
        .issued_by(&root)
        .unwrap();
    let rolled_over = CertificateBuilder::intermediate("CN=Upper,O=Outside")
        .issued_by(&upper)
        .unwrap();
    let client = |issuer| {
        CertificateBuilder::client("CN=client,O=Example")
            .issued_by(issuer)
            .unwrap()
    };
    let scene = Scene::trusting([&root]);
    scene.accepts([&client(&rolled_over), &rolled_over, &upper]);
    let outside = CertificateBuilder::intermediate("CN=Lower,O=Outside")
        .issued_by(&upper)
        .unwrap();
    let rejection = scene.refuses([&client(&outside), &outside, &upper], Reason::NameConstraints);
    assert_eq!(rejection.certificate(), Some(1));
}

#[test]
fn constraints_that_cannot_be_read_are_refused() {
    let subtree = |tag: u8, base: &[u8]| tlv(0x30, &tlv(0xA0, &tlv(0x30, &tlv(tag, base))));
    for value in [
        tlv(0x30, &[]),
        tlv(0x30, &tlv(0xA0, &[])),
        subtree(0x82, b"*.example.org"),
        subtree(0x82, b"."),
        subtree(0x82, "ä".as_bytes()),
        subtree(0x81, b"a@b@"),
        subtree(0x86, b"https://example.org"),
        subtree(0x87, &[10, 0, 0, 0]),
        subtree(0x87, &[10, 0, 0, 0, 255, 0, 255, 0]),
        subtree(0x8D, b""),
        // minimum 1
        tlv(
            0x30,
            &tlv(
                0xA0,
                &tlv(0x30, &[tlv(0x82, b"example.org"), tlv(0x80, &[1])].concat()),
            ),
        ),
    ] {
        let verdict = verdict(
            |issuing| issuing.extension("2.5.29.30", Criticality::Critical, &value),
            |client| client,
        );
        assert_eq!(verdict, Some(Reason::ExtensionMalformed), "{value:02x?}");
    }
}
