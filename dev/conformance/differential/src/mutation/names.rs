//! Distinguished names, alternative names and name constraints.

use crate::choices::Choices;
use crate::der::{self, IA5_STRING, PRINTABLE_STRING, UTF8_STRING, nested, sequence, tlv};
use crate::keys::KeyName;
use crate::scene::Scene;
use crate::values::{
    self, COMMON_NAME, NAME_CONSTRAINTS, ORGANIZATION, SUBJECT_ALTERNATIVE_NAME, name, usual_name,
};

const BMP_STRING: u8 = 0x1E;
const TELETEX_STRING: u8 = 0x14;
const UNIVERSAL_STRING: u8 = 0x1C;

/// Names of a certificate as subject or issuer: the same name written in another way, or another.
pub(super) fn distinguished(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    let is_issuer = choices.one_in(2);
    let (place, certificate) = if choices.one_in(3) {
        scene.issuer(choices)?
    } else {
        scene.certificate(choices)?
    };
    let common_name = {
        let current = if is_issuer {
            &certificate.issuer
        } else {
            &certificate.subject
        };
        let known = ["Root", "Policy", "Issuing", "client"];
        known.into_iter().find(|known| *current == usual_name(known))?
    };
    let with = |tag: u8, value: &[u8]| {
        name(&[
            (ORGANIZATION, PRINTABLE_STRING, b"Example"),
            (COMMON_NAME, tag, value),
        ])
    };
    let wide: Vec<u8> = common_name.bytes().flat_map(|octet| [0, octet]).collect();
    let wider: Vec<u8> = common_name.bytes().flat_map(|octet| [0, 0, 0, octet]).collect();
    let spaced = format!(" {common_name}  ");
    let upper = common_name.to_uppercase();
    let accented = format!("{common_name}\u{301}");
    let soft_hyphen = format!("{common_name}\u{AD}");
    let ended = [common_name.as_bytes(), b"\0.example"].concat();
    let text = common_name.as_bytes();
    let names = [
        ("printable", with(PRINTABLE_STRING, text)),
        ("ia5", with(IA5_STRING, text)),
        ("teletex", with(TELETEX_STRING, text)),
        ("bmp", with(BMP_STRING, &wide)),
        ("universal", with(UNIVERSAL_STRING, &wider)),
        ("upper_case", with(UTF8_STRING, upper.as_bytes())),
        ("spaces", with(UTF8_STRING, spaced.as_bytes())),
        ("accent", with(UTF8_STRING, accented.as_bytes())),
        ("soft_hyphen", with(UTF8_STRING, soft_hyphen.as_bytes())),
        ("nul", with(UTF8_STRING, &ended)),
        ("not_utf8", with(UTF8_STRING, &[0xC3, 0x28])),
        ("other", usual_name("Stranger")),
        ("empty", sequence([])),
        ("empty_value", with(UTF8_STRING, b"")),
        ("integer_value", with(der::INTEGER, &[1])),
        (
            "reordered",
            name(&[
                (COMMON_NAME, UTF8_STRING, text),
                (ORGANIZATION, PRINTABLE_STRING, b"Example"),
            ]),
        ),
        (
            "two_common_names",
            name(&[
                (COMMON_NAME, UTF8_STRING, b"first"),
                (COMMON_NAME, UTF8_STRING, text),
            ]),
        ),
        ("empty_set", sequence([&tlv(der::SET, [])])),
        ("not_a_sequence", tlv(der::SET, [])),
    ];
    let (what, encoded) = choices.one_of(&names)?;
    let field = if is_issuer {
        certificate.issuer = encoded;
        "issuer"
    } else {
        certificate.subject = encoded;
        "subject"
    };
    Some(format!("{}/{field}_{what}", place.name()))
}

/// GeneralNames and bases of subtrees that have to do with each other, by kind.
const NAMES: &[(&str, u8, &[u8])] = &[
    ("dns", 0x82, b"client.example.org"),
    ("dns", 0x82, b"example.org"),
    ("dns", 0x82, b"CLIENT.EXAMPLE.ORG"),
    ("dns", 0x82, b"badexample.org"),
    ("dns", 0x82, b"example.com"),
    // A wildcard that stands for an excluded host, as in CVE-2025-61727.
    ("dns_wildcard", 0x82, b"*.example.org"),
    ("dns_wildcard", 0x82, b"*.org"),
    ("dns_wildcard", 0x82, b"cli*.example.org"),
    ("dns_dot", 0x82, b".example.org"),
    ("dns_dot", 0x82, b"client.example.org."),
    ("dns_dot", 0x82, b"client..example.org"),
    ("dns_empty", 0x82, b""),
    ("dns_odd", 0x82, b"client example.org"),
    ("dns_odd", 0x82, b"client_1.example.org"),
    ("dns_odd", 0x82, b"example.org\0.example.com"),
    ("dns_odd", 0x82, "b\u{FC}cher.example.org".as_bytes()),
    ("dns_odd", 0x82, b"10.1.2.3"),
    ("mailbox", 0x81, b"client@example.org"),
    ("mailbox", 0x81, b"client@mail.example.org"),
    ("mailbox", 0x81, b"CLIENT@EXAMPLE.ORG"),
    ("mailbox", 0x81, b"client@example.com"),
    ("mailbox_host", 0x81, b"example.org"),
    ("mailbox_host", 0x81, b".example.org"),
    ("mailbox_odd", 0x81, b"\"a@example.com\"@example.org"),
    ("mailbox_odd", 0x81, b"client@example.com@example.org"),
    ("mailbox_odd", 0x81, b"client@"),
    ("mailbox_odd", 0x81, b"@example.org"),
    ("mailbox_odd", 0x81, b"client@example.org\0"),
    ("mailbox_empty", 0x81, b""),
    ("uri", 0x86, b"spiffe://example.org/client"),
    ("uri", 0x86, b"https://client.example.org:8443/a"),
    ("uri", 0x86, b"https://example.com/"),
    ("uri_odd", 0x86, b"https://user@example.org@example.com/"),
    ("uri_odd", 0x86, b"https://10.1.2.3/"),
    ("uri_odd", 0x86, b"https://[fd00::1]/"),
    ("uri_odd", 0x86, b"https:///a"),
    // A NUL, after which openssl/openssl#31686 stops to read.
    ("uri_odd", 0x86, b"https://example.org\0.example.com/"),
    ("uri_odd", 0x86, b"urn:example:client"),
    ("uri_odd", 0x86, b"//example.org/"),
    ("uri_host", 0x86, b"example.org"),
    ("uri_host", 0x86, b".example.org"),
    ("uri_empty", 0x86, b""),
    ("ip", 0x87, &[10, 1, 2, 3]),
    ("ip", 0x87, &[192, 0, 2, 1]),
    ("ip", 0x87, &[0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    ("ip_network", 0x87, &[10, 0, 0, 0, 255, 0, 0, 0]),
    ("ip_network", 0x87, &[0, 0, 0, 0, 0, 0, 0, 0]),
    (
        "ip_network",
        0x87,
        &[
            0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0,
        ],
    ),
    ("ip_odd", 0x87, &[10, 0, 0, 0, 255, 0, 255, 0]),
    ("ip_odd", 0x87, &[10, 0, 0]),
    ("ip_odd", 0x87, &[]),
    // An otherName with a principal name, and x400Address and ediPartyName as in CVE-2023-0286 and
    // CVE-2020-1971.
    ("other_name", 0xA0, &[6, 3, 0x2A, 3, 4, 0xA0, 3, 0x0C, 1, b'a']),
    ("other_name_odd", 0xA0, &[6, 3, 0x2A, 3, 4]),
    ("x400", 0xA3, &[0x30, 0]),
    ("edi_party", 0xA5, &[0xA1, 3, 0x0C, 1, b'a']),
    ("registered_id", 0x88, &[0x2A, 3, 4]),
    ("unknown_tag", 0x89, &[1]),
];

/// Mailbox of RFC 9598, which CVE-2022-4203 is about: an otherName, and a value of another type.
const SMTP_UTF8_MAILBOX: [u8; 8] = [0x2B, 6, 1, 5, 5, 7, 8, 9];

/// Chooses a name and its kind.
fn element(choices: &mut Choices) -> Option<(&'static str, Vec<u8>)> {
    match choices.below(12) {
        0 | 1 => {
            let directory = [
                ("directory", usual_name("client")),
                ("directory", name(&[(ORGANIZATION, PRINTABLE_STRING, b"Example")])),
                ("directory", name(&[(ORGANIZATION, UTF8_STRING, b"EXAMPLE")])),
                ("directory", name(&[(ORGANIZATION, UTF8_STRING, b"Other")])),
                (
                    "directory_odd",
                    name(&[(ORGANIZATION, UTF8_STRING, "Exam\u{AD}ple".as_bytes())]),
                ),
                ("directory_empty", sequence([])),
            ];
            let (kind, content) = choices.one_of(&directory)?;
            Some((kind, tlv(0xA4, content)))
        }
        2 => {
            let tag = choices.one_of(&[UTF8_STRING, IA5_STRING, der::INTEGER])?;
            let mailbox = tlv(tag, b"client@example.org");
            let name = [der::oid(&SMTP_UTF8_MAILBOX), tlv(0xA0, mailbox)].concat();
            Some(("smtp_utf8", tlv(0xA0, name)))
        }
        _ => {
            let (kind, tag, content) = choices.one_of(NAMES)?;
            Some((kind, tlv(tag, content)))
        }
    }
}

/// Replaces the alternative names of the client, and now and then of an issuer.
pub(super) fn alternative(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    let malformed = [
        ("empty", sequence([])),
        ("not_a_sequence", tlv(0x82, "client.example.org")),
        ("garbage", vec![0x30, 0x20, 0x82]),
        (
            "nested",
            sequence([&sequence([&tlv(0x82, "client.example.org")])]),
        ),
    ];
    if choices.one_in(6) {
        let (what, value) = choices.one_of(&malformed)?;
        let (place, certificate) = scene.certificate(choices)?;
        certificate.set(&SUBJECT_ALTERNATIVE_NAME, choices.one_in(2), value);
        return Some(format!("{}/{what}", place.name()));
    }
    let (kind, name) = element(choices)?;
    let with_other = choices.one_in(2);
    let (place, certificate) = scene.certificate(choices)?;
    let other = match with_other {
        true => tlv(0x82, "client.example.org"),
        false => Vec::new(),
    };
    let is_critical = choices.one_in(3);
    certificate.set(&SUBJECT_ALTERNATIVE_NAME, is_critical, sequence([&other, &name]));
    if choices.one_in(4) {
        certificate.subject = sequence([]);
        return Some(format!("{}/{kind}_without_subject", place.name()));
    }
    Some(format!("{}/{kind}", place.name()))
}

/// Constraints of an issuer and a name of the client that have to do with each other.
pub(super) fn constraints(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    let (kind, base) = element(choices)?;
    let (name_kind, name) = element(choices)?;
    // Half of the time, names of one kind.
    let (name_kind, name) =
        match (0..20).find_map(|_| element(choices).filter(|(_, name)| name.first() == base.first())) {
            Some(same) if choices.one_in(2) => same,
            _ => (name_kind, name),
        };
    let bounds = [
        Vec::new(),
        Vec::new(),
        Vec::new(),
        tlv(0x80, [0]),
        tlv(0x80, [1]),
        tlv(0x81, [3]),
    ];
    let bound = choices.one_of(&bounds)?;
    let subtree = sequence([&base, &bound]);
    let (kind, second) = match choices.below(4) {
        0 => {
            let (second_kind, second) = element(choices)?;
            (format!("{kind}_and_{second_kind}"), sequence([&second]))
        }
        _ => (kind.to_owned(), Vec::new()),
    };
    let (form, value) = match choices.below(10) {
        0..=3 => ("permitted", sequence([&nested(0xA0, [&subtree, &second])])),
        4..=7 => ("excluded", sequence([&nested(0xA1, [&subtree, &second])])),
        8 => (
            "both",
            sequence([&nested(0xA0, [&second, &subtree]), &nested(0xA1, [&subtree])]),
        ),
        _ => {
            let odd = [
                ("empty", sequence([])),
                ("empty_lists", sequence([&tlv(0xA0, []), &tlv(0xA1, [])])),
                (
                    "reversed",
                    sequence([&nested(0xA1, [&subtree]), &nested(0xA0, [&subtree])]),
                ),
                (
                    "repeated",
                    sequence([&nested(0xA0, [&subtree]), &nested(0xA0, [&subtree])]),
                ),
                ("third_list", sequence([&nested(0xA2, [&subtree])])),
                ("garbage", vec![0x30, 0x09, 0xA0]),
            ];
            choices.one_of(&odd)?
        }
    };
    let is_critical = !choices.one_in(4);
    let (place, issuer) = if choices.one_in(12) {
        scene.certificate(choices)?
    } else {
        scene.issuer(choices)?
    };
    issuer.set(&NAME_CONSTRAINTS, is_critical, value);
    let has_bound = if bound.is_empty() { "" } else { "_bound" };
    let client = scene.client()?;
    let name = match choices.below(6) {
        // The name that the client has.
        0 => return Some(format!("{}/{form}_{kind}{has_bound}", place.name())),
        1 => {
            client.remove(&SUBJECT_ALTERNATIVE_NAME);
            // A host name, or a wildcard that openssl/openssl#30346 does not compare.
            let hosts: [&[u8]; 3] = [b"client", b"client.example.com", b"*.example.org"];
            let host = choices.one_of(&hosts)?;
            client.subject = values::name(&[(COMMON_NAME, UTF8_STRING, host)]);
            return Some(format!("{}/{form}_{kind}{has_bound}_without_names", place.name()));
        }
        2 => {
            // A second certificate of the same CA that constraints may not apply to.
            let name = tlv(0x82, "client.example.org");
            sequence([&name, &base])
        }
        _ => sequence([&name]),
    };
    let issuer = client.seal.signer;
    client.set(
        &SUBJECT_ALTERNATIVE_NAME,
        issuer == KeyName::Root && choices.one_in(4),
        name,
    );
    Some(format!(
        "{}/{form}_{kind}{has_bound}_with_{name_kind}",
        place.name()
    ))
}
