//! Features that webpki does not process: each lets our rules decide alone, and nothing else does.

use alb_mtls_verifier::{Validators, WebpkiGap};
use test_pki::{Certificate, CertificateBuilder, Credential, Criticality, GeneralName, raw};
use time::macros::datetime;

use crate::support::{Scene, client, intermediate, root, tlv, with_octets};

const NAME_CONSTRAINTS: &str = "2.5.29.30";

/// Gaps of the path of an accepted client.
#[track_caller]
fn gaps<T: AsRef<Certificate>>(scene: &Scene, presented: impl IntoIterator<Item = T>) -> Vec<WebpkiGap> {
    let client = scene.accepts(presented);
    let gaps: Vec<WebpkiGap> = client.validators().gaps().iter().collect();
    assert_eq!(client.validators() == Validators::Both, gaps.is_empty());
    gaps
}

/// Gaps of a client below an intermediate below a root, two of them made from sound ones.
#[track_caller]
fn gaps_of(
    constrain: impl FnOnce(CertificateBuilder) -> CertificateBuilder,
    name: impl FnOnce(CertificateBuilder) -> CertificateBuilder,
) -> Vec<WebpkiGap> {
    let root = root();
    let issuing = constrain(CertificateBuilder::intermediate("CN=Issuing,O=Example"));
    let issuing = issuing.issued_by(&root).unwrap();
    let client = name(CertificateBuilder::client("CN=client,O=Example"));
    let client = client.issued_by(&issuing).unwrap();
    gaps(&Scene::trusting([&root]), [&client, &issuing])
}

fn unchanged(builder: CertificateBuilder) -> CertificateBuilder {
    builder
}

#[test]
fn ordinary_path_is_accepted_by_both() {
    let found = gaps_of(
        |issuing| {
            issuing
                .path_length(0)
                .permit(&GeneralName::Dns("example.org"))
                .permit(&GeneralName::Subnet([10, 0, 0, 0].into(), 8))
                .exclude(&GeneralName::Uri("example.com"))
                .policy("1.2.3.4")
        },
        |client| client.dns("a.example.org").ip([10, 1, 2, 3]).policy("1.2.3.4"),
    );
    assert_eq!(found, []);
}

#[test]
fn constraints_on_kinds_of_names_are_gaps() {
    let directory = GeneralName::Directory("O=Example");
    let found = gaps_of(|issuing| issuing.permit(&directory), unchanged);
    assert_eq!(found, [WebpkiGap::DirectoryConstraints]);

    let mailbox = GeneralName::Email("example.org");
    let found = gaps_of(
        |issuing| issuing.permit(&mailbox),
        |client| client.email("a@example.org"),
    );
    assert_eq!(found, [WebpkiGap::MailboxConstraints]);

    let uri = GeneralName::Uri("example.org");
    let found = gaps_of(
        |issuing| issuing.permit(&uri),
        |client| client.uri("spiffe://example.org/a"),
    );
    assert_eq!(found, [WebpkiGap::UriConstraints]);

    // Without a name of the kind, webpki processes both.
    assert_eq!(
        gaps_of(|issuing| issuing.permit(&mailbox).permit(&uri), unchanged),
        []
    );
}

#[test]
fn host_names_that_webpki_does_not_take_are_gaps() {
    let found = |base, host| {
        gaps_of(
            |issuing| issuing.exclude(&GeneralName::Dns(base)),
            |client| client.dns(host),
        )
    };
    for (base, host) in [
        ("example.com", "host.1"),
        ("example.com", "*.org"),
        ("example.1", "example.org"),
    ] {
        assert_eq!(found(base, host), [WebpkiGap::HostSyntax], "{base} {host}");
    }
    assert_eq!(found("example.com", "1.example.org"), []);
}

#[test]
fn encodings_of_constraints_are_gaps() {
    let minimum = [tlv(0x82, b"example.org"), vec![0x80, 1, 0]].concat();
    let constraints = tlv(0x30, &tlv(0xA0, &tlv(0x30, &minimum)));
    let found = gaps_of(
        |issuing| issuing.extension(NAME_CONSTRAINTS, Criticality::Critical, &constraints),
        |client| client.dns("a.example.org"),
    );
    assert_eq!(found, [WebpkiGap::SubtreeMinimum]);

    let many: Vec<u8> = (0..200)
        .flat_map(|number| tlv(0x30, &tlv(0x82, format!("{number}.example").as_bytes())))
        .collect();
    let constraints = tlv(0x30, &tlv(0xA1, &many));
    let found = gaps_of(
        |issuing| issuing.extension(NAME_CONSTRAINTS, Criticality::Critical, &constraints),
        |client| {
            (0..30).fold(client, |client, number| {
                client.dns(&format!("host-{number}.example.org"))
            })
        },
    );
    assert_eq!(found, [WebpkiGap::ManyConstrainedNames]);
}

#[test]
fn critical_certificate_policies_are_a_gap() {
    let policies = "2.5.29.32".parse().unwrap();
    let found = gaps_of(
        |issuing| {
            issuing
                .policy("1.2.3.4")
                .criticality(policies, Criticality::Critical)
        },
        unchanged,
    );
    assert_eq!(found, [WebpkiGap::CriticalPolicies]);
}

#[test]
fn issuer_name_in_another_encoding_is_a_gap() {
    let root = root();
    let client = CertificateBuilder::client("CN=client")
        .issuer("CN=ROOT,O=example")
        .issued_by(&root)
        .unwrap();
    assert_eq!(
        gaps(&Scene::trusting([&root]), [&client]),
        [WebpkiGap::EquivalentNames]
    );
}

/// Issues two CAs of one name below a root that allows one, and a client.
fn self_issued(
    names: impl FnOnce(CertificateBuilder) -> CertificateBuilder,
) -> (Credential, [Credential; 3]) {
    let root = CertificateBuilder::root("CN=Root,O=Example")
        .exclude(&GeneralName::Dns("example.com"))
        .self_signed()
        .unwrap();
    let old = CertificateBuilder::intermediate("CN=Issuing")
        .path_length(0)
        .issued_by(&root)
        .unwrap();
    let new = names(CertificateBuilder::intermediate("CN=Issuing"))
        .issued_by(&old)
        .unwrap();
    (root, [client(&new), new, old])
}

#[test]
fn self_issued_authority_is_a_gap() {
    for names in [unchanged, |authority: CertificateBuilder| {
        authority.dns("example.com")
    }] {
        let (root, presented) = self_issued(names);
        let found = gaps(&Scene::trusting([&root]), &presented);
        assert_eq!(found, [WebpkiGap::SelfIssuedAuthority]);
    }
}

#[test]
fn sizes_beyond_webpki_are_gaps() {
    let length = [0x30, 7, 1, 1, 0xFF, 2, 2, 1, 0];
    let found = gaps_of(
        |issuing| issuing.extension("2.5.29.19", Criticality::Critical, &length),
        unchanged,
    );
    assert_eq!(found, [WebpkiGap::LongPathLength]);

    let content = tlv(0x04, &vec![0; 65_000]);
    let found = gaps_of(
        |issuing| issuing.extension("1.2.3.4", Criticality::NotCritical, &content),
        |client| client.extension("1.2.3.4", Criticality::NotCritical, &[5, 0]),
    );
    assert_eq!(found, []);
    let found = gaps_of(
        |issuing| {
            issuing
                .extension("1.2.3.4", Criticality::NotCritical, &content)
                .extension("1.2.3.5", Criticality::NotCritical, &[0; 600])
        },
        unchanged,
    );
    assert_eq!(found, [WebpkiGap::LargeCertificate]);

    let root = root();
    let mut presented = vec![intermediate(&root)];
    for level in 0..6 {
        let issuing = CertificateBuilder::intermediate(&format!("CN=Level {level}"));
        presented.insert(0, issuing.issued_by(&presented[0]).unwrap());
    }
    presented.insert(0, client(&presented[0]));
    let scene = Scene::trusting([&root]).with_policy(|options| options.max_depth = 10);
    assert_eq!(gaps(&scene, &presented), [WebpkiGap::DeepPath]);
    assert_eq!(
        gaps(
            &Scene::trusting([&presented[7]]).with_policy(|options| options.max_depth = 10),
            &presented
        ),
        []
    );
}

#[test]
fn fields_that_webpki_does_not_read_are_gaps() {
    let root = root();
    let client = client(&root);
    let identified = client
        .certificate()
        .edited(root.key(), |tbs: &mut raw::TbsCertificate| {
            tbs.issuer_unique_id = Some(der::asn1::BitString::from_bytes(&[1]).unwrap());
            Ok(())
        });
    let found = gaps(&Scene::trusting([&root]), [&identified.unwrap()]);
    assert_eq!(found, [WebpkiGap::UniqueIdentifiers]);

    let client = CertificateBuilder::client("CN=client")
        .valid(datetime!(1970-01-01 0:00 UTC), datetime!(2049-01-01 0:00 UTC))
        .issued_by(&root)
        .unwrap();
    let early = with_octets(client.certificate(), &root, b"700101000000Z", b"600101000000Z");
    assert_eq!(gaps(&Scene::trusting([&root]), [&early]), [WebpkiGap::EarlyTimes]);

    let null =
        |builder: CertificateBuilder| builder.extension("2.5.29.31", Criticality::NotCritical, &[5, 0]);
    assert_eq!(gaps_of(null, unchanged), [WebpkiGap::UnreadExtension]);
}
