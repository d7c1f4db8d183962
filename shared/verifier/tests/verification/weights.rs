//! Weight of a verdict in a cache: what a client can put into its certificate counts, and about as
//! much as it takes.

use test_pki::{CertificateBuilder, Credential, Criticality};

use crate::support::{Scene, client, intermediate, root, tlv};

const LONG: usize = 1000;

fn weight(root: &Credential, builder: CertificateBuilder) -> usize {
    let client = builder.issued_by(root).unwrap();
    Scene::trusting([root])
        .identifying_by("site=1.2.3.4")
        .accepts([&client])
        .heap_bytes()
}

fn utf8(text: &str) -> Vec<u8> {
    tlv(0x0C, text.as_bytes())
}

#[test]
fn verdict_weighs_what_the_certificate_adds() {
    let root = root();
    let long = "a".repeat(LONG);
    let plain = || CertificateBuilder::client("CN=a");
    // The certificate itself is kept too, and the one-line form of a name is three times as long.
    let base = weight(&root, plain());
    let labels = format!("{}.example.org", vec!["a".repeat(50); 4].join("."));
    let names = (0..5).fold(plain(), |builder, number| {
        builder.dns(&format!("{number}.{labels}"))
    });
    let policies = (0..40).fold(plain(), |builder, number| {
        builder.policy(&format!("1.3.6.1.4.1.55555.1.{number}"))
    });
    let addresses = (0..200).fold(plain(), |builder, number| builder.ip([10, 0, 0, number]));
    let alternative =
        |name: Vec<u8>| plain().extension("2.5.29.17", Criticality::NotCritical, &tlv(0x30, &name));
    let other_name = [tlv(6, &[0x2A, 3, 4]), tlv(0xA0, &utf8(&long))].concat();
    let attribute = [tlv(6, &[0x55, 4, 11]), utf8(&long)].concat();
    let directory = tlv(0x30, &tlv(0x31, &tlv(0x30, &attribute)));
    let subject = |name: &str| CertificateBuilder::client(name);
    for (what, builder, added, times) in [
        ("subject", subject(&format!("CN=a,OU={}", "b".repeat(64))), 64, 8),
        (
            "mail address",
            plain().email(&format!("{long}@example.org")),
            LONG,
            3,
        ),
        (
            "URI",
            plain().uri(&format!("https://example.org/{long}")),
            LONG,
            3,
        ),
        ("other name", alternative(tlv(0xA0, &other_name)), LONG, 3),
        ("directory name", alternative(tlv(0xA4, &directory)), LONG, 8),
        ("DNS names", names, 5 * labels.len(), 3),
        ("certificate policies", policies, 40 * 24, 8),
        ("addresses", addresses, 200 * 8, 10),
        (
            "SPIFFE ID",
            plain().uri(&format!("spiffe://example.org/{long}")),
            2 * LONG,
            4,
        ),
        (
            "selected extension",
            plain().extension("1.2.3.4", Criticality::NotCritical, &utf8(&long)),
            LONG,
            3,
        ),
    ] {
        let weight = weight(&root, builder);
        // The text, and the certificate that contains it.
        let least = base + 2 * added.min(LONG) * 9 / 10;
        assert!(
            weight >= least,
            "{what}: {weight} octets, and {base} without {added}"
        );
        let most = base + 200 + added * (times + 1);
        assert!(
            weight <= most,
            "{what}: {weight} octets of at most {most}, and {base} without {added}"
        );
    }
}

#[test]
fn verdict_weighs_the_intermediates_of_its_path() {
    let root = root();
    let issuing = intermediate(&root);
    let direct = Scene::trusting([&issuing]).accepts([&client(&issuing)]);
    let below = client(&issuing);
    let longer = Scene::trusting([&root]).accepts([below.certificate(), issuing.certificate()]);
    let added = longer.heap_bytes() - direct.heap_bytes();
    let certificate = issuing.certificate().der().len();
    assert!(
        (certificate..certificate + 200).contains(&added),
        "{added} octets for an intermediate of {certificate}"
    );
}
