//! Files of another kind than the wanted one: each is recognised, and the error says what to do.

use alb_mtls_verifier::{
    BundleErrorKind, FileKind, read_anchors, read_bundle, read_intermediates, read_text,
};
use test_pki::CrlBuilder;

use crate::support::{client, root, tlv};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const BITS: u8 = 0x03;

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, &parts.concat())
}

/// Returns the standard base64 of octets, in one line.
fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in octets.chunks(3) {
        let bits = group
            .iter()
            .chain(&[0; 3])
            .take(3)
            .fold(0_usize, |bits, octet| (bits << 8) | usize::from(*octet));
        for place in 0..4 {
            let digit = char::from(DIGITS[(bits >> (18 - 6 * place)) & 63]);
            text.push(if place <= group.len() { digit } else { '=' });
        }
    }
    text
}

fn kind_of(file: impl AsRef<[u8]>) -> FileKind {
    FileKind::recognise(file.as_ref()).unwrap()
}

#[test]
fn block_of_each_label_has_its_kind() {
    for (label, kind) in [
        ("CERTIFICATE", FileKind::Certificate),
        ("X509 CERTIFICATE", FileKind::Certificate),
        ("TRUSTED CERTIFICATE", FileKind::TrustedCertificate),
        ("X509 CRL", FileKind::Crl),
        ("CERTIFICATE REQUEST", FileKind::CertificateRequest),
        ("NEW CERTIFICATE REQUEST", FileKind::CertificateRequest),
        ("PKCS7", FileKind::Pkcs7Pem),
        ("PKCS #7 SIGNED DATA", FileKind::Pkcs7Pem),
        ("CMS", FileKind::Pkcs7Pem),
        ("PKCS12", FileKind::Pkcs12),
        ("ATTRIBUTE CERTIFICATE", FileKind::AttributeCertificate),
        ("EC PARAMETERS", FileKind::KeyParameters),
        ("DH PARAMETERS", FileKind::KeyParameters),
        ("DSA PARAMETERS", FileKind::KeyParameters),
        ("X9.42 DH PARAMETERS", FileKind::KeyParameters),
        ("SSH2 PUBLIC KEY", FileKind::Ssh),
        ("PGP MESSAGE", FileKind::OpenPgp),
        ("PGP PUBLIC KEY BLOCK", FileKind::OpenPgp),
        ("PRIVATE KEY", FileKind::PrivateKey),
        ("ENCRYPTED PRIVATE KEY", FileKind::PrivateKey),
        ("OPENSSH PRIVATE KEY", FileKind::PrivateKey),
        ("PUBLIC KEY", FileKind::PublicKey),
        ("RSA PUBLIC KEY", FileKind::PublicKey),
    ] {
        assert_eq!(FileKind::of_label(label), Some(kind), "{label}");
    }
    for label in ["", "CERTIFICATES", "PGP", "X509 CRLS", "SSH2 KEY"] {
        assert_eq!(FileKind::of_label(label), None, "{label}");
    }
}

#[test]
fn text_of_each_kind_is_recognised() {
    for (text, kind) in [
        ("", FileKind::Empty),
        (" \r\n\t", FileKind::Empty),
        ("\u{FEFF}", FileKind::Empty),
        ("{\"Parameter\": {}}", FileKind::Json),
        ("[]", FileKind::Json),
        (
            "\"-----BEGIN CERTIFICATE-----\\nMEIT\\n-----END CERTIFICATE-----\"",
            FileKind::Json,
        ),
        ("<!DOCTYPE HTML><p>", FileKind::Html),
        ("<Html lang=en>", FileKind::Html),
        ("<?xml version=\"1.0\"?><Error/>", FileKind::Xml),
        ("-----BEGIN%20CERTIFICATE-----%0AMEIT", FileKind::PercentEncoded),
        ("-----BEGIN CERTIFICATE-----\\nMEIT", FileKind::LiteralLineBreaks),
        (
            "-----BEGIN CERTIFICATE-----\\r\\nMEIT",
            FileKind::LiteralLineBreaks,
        ),
        (
            "-----BEGIN A-----\nMEIT\n-----END A-----,\n-----BEGIN A-----",
            FileKind::StringList,
        ),
        ("-----BEGIN A-----\nMEIT\n-----END A-----,", FileKind::Pem),
        ("-----BEGIN A-----\nMEIT\n-----END A-----, next", FileKind::Pem),
        ("\"-----BEGIN A-----", FileKind::Pem),
        ("ssh-ed25519 AAAA me", FileKind::Ssh),
        ("ecdsa-sha2-nistp256 AAAA", FileKind::Ssh),
        (
            "arn:aws:ssm:eu-west-1:1:parameter/a",
            FileKind::Reference("arn:aws:ssm:eu-west-1:1:parameter/a".into()),
        ),
        (
            "ssm:/gate/anchors",
            FileKind::Reference("ssm:/gate/anchors".into()),
        ),
        ("file:/etc/ca", FileKind::Reference("file:/etc/ca".into())),
        (
            "https://example.com",
            FileKind::Reference("https://example.com".into()),
        ),
        ("/etc/pki/ca.txt\n", FileKind::Reference("/etc/pki/ca.txt".into())),
        ("ca.pem", FileKind::Reference("ca.pem".into())),
        ("ca.crt", FileKind::Reference("ca.crt".into())),
        ("ca.crl", FileKind::Reference("ca.crl".into())),
    ] {
        assert_eq!(FileKind::recognise(text.as_bytes()), Some(kind), "{text:?}");
    }
    for text in [
        "word",
        "two words.pem of text",
        "/a/path/without/a/point",
        "\"a string\"",
        "\"two lines\\nof text\"",
        "\"-----BEGIN\"",
    ] {
        assert_eq!(FileKind::recognise(text.as_bytes()), None, "{text:?}");
    }
    let long = format!("/{}.txt", "a".repeat(300));
    assert_eq!(FileKind::recognise(long.as_bytes()), None);
}

#[test]
fn file_of_each_magic_number_is_recognised() {
    for (file, kind) in [
        (&b"\xFF\xFE-\0"[..], FileKind::Utf16),
        (b"\xFE\xFF\0-", FileKind::Utf16),
        (b"\0-\0-\0-", FileKind::Utf16),
        (b"-\0-\0-\0", FileKind::Utf16),
        (b"\x1F\x8B\x08", FileKind::Gzip),
        (b"PK\x03\x04", FileKind::Zip),
        (b"\xFE\xED\xFE\xED\0\0\0\x02", FileKind::JavaKeyStore),
    ] {
        assert_eq!(FileKind::recognise(file), Some(kind), "{file:x?}");
    }
    assert_eq!(FileKind::recognise(b"PK and other words"), None);
}

#[test]
fn der_of_each_structure_is_recognised() {
    // No length here is that of white space: such a file is rather text.
    let root = root();
    let certificate = root.certificate().der().to_vec();
    let crl = CrlBuilder::new().issued_by(&root).unwrap().der().to_vec();
    let algorithm = sequence(&[&tlv(0x06, &[0x2A, 3, 4])]);
    let (name, bits) = (sequence(&[]), tlv(BITS, &[0; 20]));
    let time = tlv(0x17, b"260101000000Z");
    let signed = |fields: &[&[u8]]| sequence(&[&sequence(fields), &algorithm, &bits]);
    let signed_data = tlv(0x06, &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 7, 2]);
    for (der, kind) in [
        (certificate.clone(), FileKind::Certificate),
        (crl, FileKind::Crl),
        (
            signed(&[&algorithm, &name, &tlv(0x18, b"20260101000000Z")]),
            FileKind::Crl,
        ),
        (signed(&[&algorithm, &name, &time]), FileKind::Crl),
        (
            signed(&[&tlv(INTEGER, &[7]), &algorithm, &name, &sequence(&[])]),
            FileKind::Certificate,
        ),
        (
            signed(&[&tlv(INTEGER, &[0]), &name, &algorithm, &tlv(0xA0, &[])]),
            FileKind::CertificateRequest,
        ),
        (
            sequence(&[&signed_data, &tlv(0xA0, &[0; 20])]),
            FileKind::Pkcs7Der,
        ),
        (sequence(&[&tlv(INTEGER, &[3]), &sequence(&[])]), FileKind::Pkcs12),
        (
            sequence(&[&tlv(INTEGER, &[0]), &sequence(&[])]),
            FileKind::PrivateKey,
        ),
        (
            sequence(&[&tlv(INTEGER, &[0]), &tlv(INTEGER, &[9])]),
            FileKind::PrivateKey,
        ),
        (
            sequence(&[&tlv(INTEGER, &[1]), &tlv(OCTETS, &[9; 20])]),
            FileKind::PrivateKey,
        ),
        (
            sequence(&[&algorithm, &tlv(OCTETS, &[9; 20])]),
            FileKind::PrivateKey,
        ),
        (sequence(&[&algorithm, &bits]), FileKind::PublicKey),
    ] {
        assert_eq!(kind_of(&der), kind, "{der:x?}");
    }
    let settings = sequence(&[&tlv(0x0C, b"name")]);
    assert_eq!(
        kind_of([&certificate[..], &settings].concat()),
        FileKind::TrustedCertificate
    );
    for rest in [&b"\n"[..], &certificate, &[&settings[..], b"\n"].concat()] {
        let offset = certificate.len();
        assert_eq!(
            kind_of([&certificate[..], rest].concat()),
            FileKind::Trailing { offset }
        );
    }
    for found in [5, certificate.len() - 1] {
        let announced = certificate.len();
        assert_eq!(
            kind_of(&certificate[..found]),
            FileKind::CutOff { announced, found }
        );
    }
    for other in [
        sequence(&[&tlv(INTEGER, &[3]), &bits]),
        sequence(&[&tlv(INTEGER, &[2]), &sequence(&[])]),
        sequence(&[&algorithm, &tlv(INTEGER, &[3; 5])]),
        sequence(&[&algorithm, &algorithm]),
        signed(&[&tlv(INTEGER, &[1]), &name, &algorithm, &tlv(0xA0, &[])]),
        signed(&[&algorithm, &name, &sequence(&[])]),
    ] {
        assert_eq!(FileKind::recognise(&other), None, "{other:x?}");
    }
}

#[test]
fn base64_without_pem_lines_is_named_with_its_content() {
    let certificate = root().certificate().der().to_vec();
    let once = base64(&certificate);
    let found = kind_of(&once);
    assert_eq!(found, FileKind::Base64(Box::new(FileKind::Certificate)));
    assert_eq!(
        found.to_string(),
        "is a certificate in base64 without PEM lines: \
         `base64 -d FILE | openssl x509 -inform DER -out certificate.pem` writes it as PEM"
    );
    // In lines, as `base64` writes it.
    assert_eq!(kind_of(once.replace('M', "M\n")), found);
    let pem = root().certificate().pem();
    let again = base64(pem.as_bytes());
    assert_eq!(
        kind_of(&again).to_string(),
        "is PEM that was encoded in base64 again: `base64 -d FILE > FILE.pem` decodes it"
    );
    assert_eq!(
        kind_of(base64(again.as_bytes())).to_string(),
        "is PEM that was encoded in base64 again: `base64 -d FILE | base64 -d > FILE.pem` decodes it"
    );
    // A word is not base64, however well it decodes.
    let shortest = base64(&sequence(&[&tlv(INTEGER, &[3]), &sequence(&[])]));
    assert_eq!(FileKind::recognise(shortest.as_bytes()), None);
    let padded = base64(&sequence(&[&tlv(INTEGER, &[0]), &tlv(OCTETS, &[1; 41])]));
    assert_eq!(padded.len(), 64);
    assert_eq!(kind_of(&padded), FileKind::Base64(Box::new(FileKind::PrivateKey)));
}

#[test]
fn block_whose_content_was_encoded_before_is_named() {
    let pem = root().certificate().pem();
    let der = base64(root().certificate().der());
    for (content, kind) in [
        (pem.as_str(), FileKind::Pem),
        (&der, FileKind::Base64(Box::new(FileKind::Certificate))),
    ] {
        let block = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            base64(content.as_bytes())
        );
        let error = read_bundle(block.as_bytes()).unwrap_err();
        let kind = FileKind::Base64(Box::new(kind));
        assert_eq!(
            (error.entry, error.problem),
            (Some(1), BundleErrorKind::Kind(kind))
        );
    }
}

#[test]
fn advice_for_a_decoded_file_fits_its_kind() {
    for (inner, command) in [
        (FileKind::Certificate, "openssl x509 -inform DER"),
        (FileKind::Crl, "openssl crl -inform DER"),
        (FileKind::Pem, "> FILE.pem"),
        (FileKind::Pkcs7Der, "openssl pkcs7 -inform DER"),
    ] {
        let advice = FileKind::Base64(Box::new(inner)).advice();
        assert!(
            advice.contains("base64 -d FILE") && advice.contains(command),
            "{advice}"
        );
    }
    let inner = FileKind::PublicKey;
    assert_eq!(FileKind::Base64(Box::new(inner.clone())).advice(), inner.advice());
}

#[test]
fn bundle_error_names_the_certificate_by_its_place_and_subject() {
    let (root, client) = (root(), client(&root()));
    let bundle = format!("{}{}", root.certificate().pem(), client.certificate().pem());
    for error in [
        read_anchors(bundle.as_bytes()).unwrap_err(),
        read_intermediates(bundle.as_bytes()).unwrap_err(),
    ] {
        assert_eq!(error.entry, Some(2));
        let text = error.to_string();
        assert!(text.starts_with("entry 2: "), "{text}");
        assert!(text.ends_with("(subject CN=client,O=Example)"), "{text}");
    }
}

#[test]
fn intermediates_are_counted() {
    let bundle = format!("{0}{0}", root().certificate().pem());
    let intermediates = read_intermediates(bundle.as_bytes()).unwrap();
    assert!(!intermediates.is_empty());
    let one = read_intermediates(root().certificate().pem().as_bytes()).unwrap();
    assert_eq!(one.len(), 1);
}

#[test]
fn private_key_in_a_bundle_is_an_error_of_its_own() {
    let key = "-----BEGIN EC PRIVATE KEY-----\nMEIT\n-----END EC PRIVATE KEY-----\n";
    let error = read_bundle(format!("{}{key}", root().certificate().pem()).as_bytes()).unwrap_err();
    assert_eq!(error.entry, Some(2));
    assert!(
        matches!(error.problem, BundleErrorKind::PrivateKey { line } if line > 5),
        "{error}"
    );
}

#[test]
fn bundle_without_a_certificate_names_what_the_file_is() {
    for (file, problem) in [
        ("", BundleErrorKind::Empty),
        ("words", BundleErrorKind::Empty),
        ("<html>", BundleErrorKind::Kind(FileKind::Html)),
        (
            "ssm:/a",
            BundleErrorKind::Kind(FileKind::Reference("ssm:/a".into())),
        ),
    ] {
        let error = read_bundle(file.as_bytes()).unwrap_err();
        assert_eq!((error.entry, error.problem), (None, problem), "{file}");
    }
}

#[test]
fn text_that_is_not_utf_8_names_the_kind_or_the_octet() {
    assert_eq!(read_text(b"\xEF\xBB\xBFpolicy".to_vec()).unwrap(), "policy");
    assert_eq!(
        read_text(b"per\xFFmit".to_vec()).unwrap_err(),
        "is not text in UTF-8, from octet 3 on"
    );
    assert!(
        read_text(b"\x1F\x8B\x08".to_vec())
            .unwrap_err()
            .starts_with("is compressed with gzip: ")
    );
}
