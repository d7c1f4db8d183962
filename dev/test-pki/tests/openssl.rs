//! Certificates and CRLs of this crate, read by the `openssl` command line.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests"
)]

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use test_pki::x509_cert::ext::pkix::PolicyConstraints;
use test_pki::{
    Authority, CertificateBuilder, Credential, Criticality, CrlBuilder, CrlReason, CrlScope, GeneralName,
    Key, KeyKind, KeyUsage, Purpose, SignatureAlgorithm, chain_pem, write_private, write_public,
};
use time::macros::datetime;

const ALL_KINDS: [KeyKind; 7] = [
    KeyKind::Ed25519,
    KeyKind::P256,
    KeyKind::P384,
    KeyKind::P521,
    KeyKind::Rsa2048,
    KeyKind::Rsa3072,
    KeyKind::Rsa4096,
];

fn openssl(directory: &Path, arguments: &[&str]) -> Output {
    Command::new("openssl")
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("openssl must be installed")
}

/// Returns the output of openssl, which must succeed.
fn openssl_ok(directory: &Path, arguments: &[&str]) -> String {
    let output = openssl(directory, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn certificate_text(credential: &Credential) -> String {
    let directory = TempDir::new().unwrap();
    write_public(&directory.path().join("certificate.pem"), &credential.pem()).unwrap();
    openssl_ok(
        directory.path(),
        &["x509", "-in", "certificate.pem", "-noout", "-text"],
    )
}

/// Returns the line after the one that holds `title`.
fn below<'a>(text: &'a str, title: &str) -> &'a str {
    let mut lines = text.lines().skip_while(|line| !line.contains(title));
    lines.next().unwrap_or_else(|| panic!("no `{title}` in:\n{text}"));
    lines.next().unwrap().trim()
}

fn verify(directory: &Path, anchor: &Credential, intermediates: &[&Credential], leaf: &Credential) -> Output {
    write_public(&directory.join("anchors.pem"), &anchor.pem()).unwrap();
    write_public(&directory.join("untrusted.pem"), &chain_pem(intermediates)).unwrap();
    write_public(&directory.join("leaf.pem"), &leaf.pem()).unwrap();
    let mut arguments = vec![
        "verify",
        "-x509_strict",
        "-check_ss_sig",
        "-purpose",
        "sslclient",
        "-CAfile",
        "anchors.pem",
    ];
    if !intermediates.is_empty() {
        arguments.extend(["-untrusted", "untrusted.pem"]);
    }
    arguments.push("leaf.pem");
    openssl(directory, &arguments)
}

#[test]
fn a_client_below_an_issuing_authority_verifies_with_every_kind_of_key() {
    let directory = TempDir::new().unwrap();
    for kind in ALL_KINDS {
        let root = CertificateBuilder::root("CN=Root,O=Example")
            .key_kind(kind)
            .self_signed()
            .unwrap();
        let issuing = CertificateBuilder::intermediate("CN=Issuing,O=Example")
            .key_kind(kind)
            .path_length(0)
            .issued_by(&root)
            .unwrap();
        let client = CertificateBuilder::client("CN=client")
            .key_kind(kind)
            .issued_by(&issuing)
            .unwrap();
        let output = verify(directory.path(), &root, &[&issuing], &client);
        assert!(
            output.status.success(),
            "{}: {}",
            kind.name(),
            String::from_utf8_lossy(&output.stderr)
        );

        let without = verify(directory.path(), &root, &[], &client);
        assert!(
            !without.status.success(),
            "{}: verified without its issuer",
            kind.name()
        );
    }
}

#[test]
fn every_signature_algorithm_verifies() {
    let directory = TempDir::new().unwrap();
    let cases = [
        (KeyKind::P256, SignatureAlgorithm::EcdsaSha256),
        (KeyKind::P256, SignatureAlgorithm::EcdsaSha384),
        (KeyKind::P256, SignatureAlgorithm::EcdsaSha512),
        (KeyKind::P384, SignatureAlgorithm::EcdsaSha256),
        (KeyKind::P384, SignatureAlgorithm::EcdsaSha384),
        (KeyKind::P521, SignatureAlgorithm::EcdsaSha384),
        (KeyKind::P521, SignatureAlgorithm::EcdsaSha512),
        (KeyKind::Rsa2048, SignatureAlgorithm::RsaPkcs1Sha256),
        (KeyKind::Rsa2048, SignatureAlgorithm::RsaPkcs1Sha384),
        (KeyKind::Rsa2048, SignatureAlgorithm::RsaPkcs1Sha512),
        (KeyKind::Rsa2048, SignatureAlgorithm::RsaPssSha256),
        (KeyKind::Rsa2048, SignatureAlgorithm::RsaPssSha384),
        (KeyKind::Rsa2048, SignatureAlgorithm::RsaPssSha512),
    ];
    for (kind, algorithm) in cases {
        let root = CertificateBuilder::root("CN=Root")
            .key_kind(kind)
            .signature_algorithm(algorithm)
            .self_signed()
            .unwrap();
        let client = CertificateBuilder::client("CN=client")
            .signature_algorithm(algorithm)
            .issued_by(&root)
            .unwrap();
        let output = verify(directory.path(), &root, &[], &client);
        assert!(
            output.status.success(),
            "{} {}: {}",
            kind.name(),
            algorithm.name(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn a_key_refuses_an_algorithm_of_another_kind() {
    let root = CertificateBuilder::root("CN=Root").self_signed().unwrap();
    let error = CertificateBuilder::client("CN=client")
        .signature_algorithm(SignatureAlgorithm::RsaPssSha256)
        .issued_by(&root)
        .unwrap_err();
    assert_eq!(error.to_string(), "a p256 key cannot sign with rsa-pss-sha256");
}

#[test]
fn writes_subject_and_extensions_as_asked() {
    let root = CertificateBuilder::root("CN=Root,O=Example")
        .self_signed()
        .unwrap();
    let credential = CertificateBuilder::client(
        "CN=client-1,OU=One,OU=Two,O=Example,2.5.4.97=PSDGB-FCA-123456,emailAddress=a@example.org,C=GB",
    )
    .serial(0xfedc_ba98_7654_3210)
    .valid(datetime!(2026-01-02 03:04:05 UTC), datetime!(2050-01-01 0:00 UTC))
    .key_usage(&[KeyUsage::DigitalSignature, KeyUsage::KeyAgreement])
    .purposes(&[Purpose::ClientAuth, Purpose::Any])
    .dns("client.example.org")
    .email("a@example.org")
    .uri("spiffe://example.org/client")
    .ip(Ipv4Addr::new(192, 0, 2, 1))
    .alternative_name(&GeneralName::Directory("CN=dir,O=Example"))
    .alternative_name(&GeneralName::Other("1.3.6.1.4.1.311.20.2.3", b"\x0c\x03upn"))
    .crl_distribution_point("http://crl.example.org/1.crl")
    .policy("1.3.6.1.4.1.32473.1")
    .extension("1.3.6.1.4.1.32473.2", Criticality::Critical, &[0x05, 0x00])
    .issued_by(&root)
    .unwrap();

    let text = certificate_text(&credential);
    assert!(text.contains("Version: 3 (0x2)"), "{text}");
    assert_eq!(below(&text, "Serial Number:"), "fe:dc:ba:98:76:54:32:10");
    assert!(text.contains("Issuer: O = Example, CN = Root\n"), "{text}");
    let subject = "Subject: C = GB, emailAddress = a@example.org, organizationIdentifier = PSDGB-FCA-123456, \
                   O = Example, OU = Two, OU = One, CN = client-1\n";
    assert!(text.contains(subject), "{text}");
    assert!(text.contains("Not Before: Jan  2 03:04:05 2026 GMT"), "{text}");
    assert!(text.contains("Not After : Jan  1 00:00:00 2050 GMT"), "{text}");
    assert_eq!(
        below(&text, "X509v3 Key Usage: critical"),
        "Digital Signature, Key Agreement"
    );
    assert_eq!(
        below(&text, "X509v3 Extended Key Usage:"),
        "TLS Web Client Authentication, Any Extended Key Usage"
    );
    assert_eq!(below(&text, "X509v3 Basic Constraints: critical"), "CA:FALSE");
    assert_eq!(
        below(&text, "X509v3 Subject Alternative Name:"),
        "DNS:client.example.org, email:a@example.org, URI:spiffe://example.org/client, IP Address:192.0.2.1, \
         DirName:/O=Example/CN=dir, othername: UPN::upn"
    );
    assert!(text.contains("URI:http://crl.example.org/1.crl"), "{text}");
    assert_eq!(
        below(&text, "X509v3 Certificate Policies:"),
        "Policy: 1.3.6.1.4.1.32473.1"
    );
    assert!(text.contains("1.3.6.1.4.1.32473.2: critical"), "{text}");
    let anchor = certificate_text(&root);
    assert_eq!(
        below(&text, "X509v3 Authority Key Identifier:"),
        below(&anchor, "X509v3 Subject Key Identifier:")
    );
}

#[test]
fn writes_authority_extensions_as_asked() {
    let credential = CertificateBuilder::root("CN=Root")
        .path_length(2)
        .permit(&GeneralName::Dns("example.org"))
        .permit(&GeneralName::Subnet(Ipv4Addr::new(192, 0, 2, 0).into(), 24))
        .permit(&GeneralName::Directory("O=Example"))
        .exclude(&GeneralName::Uri(".example.com"))
        .exclude(&GeneralName::Email("example.net"))
        .typed_extension(
            Criticality::Critical,
            &PolicyConstraints {
                require_explicit_policy: Some(0),
                inhibit_policy_mapping: None,
            },
        )
        .self_signed()
        .unwrap();

    let text = certificate_text(&credential);
    assert_eq!(
        below(&text, "X509v3 Basic Constraints: critical"),
        "CA:TRUE, pathlen:2"
    );
    assert_eq!(
        below(&text, "X509v3 Key Usage: critical"),
        "Certificate Sign, CRL Sign"
    );
    let constraints: String = text
        .lines()
        .skip_while(|line| !line.contains("Name Constraints: critical"))
        .skip(1)
        .take(7)
        .collect();
    let words: Vec<&str> = constraints.split_whitespace().collect();
    assert_eq!(
        words.join(" "),
        "Permitted: DNS:example.org IP:192.0.2.0/255.255.255.0 DirName:O = Example Excluded: URI:.example.com \
         email:example.net"
    );
    assert_eq!(
        below(&text, "X509v3 Policy Constraints: critical"),
        "Require Explicit Policy:0"
    );
    assert!(!text.contains("Authority Key Identifier"), "{text}");
}

#[test]
fn leaves_out_what_is_not_wanted() {
    let text = certificate_text(
        &CertificateBuilder::client("")
            .dns("only.example.org")
            .authority(Authority::Unsaid)
            .key_usage(&[])
            .purposes(&[])
            .without_extension(der::oid::db::rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER)
            .self_signed()
            .unwrap(),
    );
    assert!(text.contains("Subject: \n"), "{text}");
    assert_eq!(text.matches("X509v3").count(), 2, "{text}");
    assert_eq!(
        below(&text, "X509v3 Subject Alternative Name: critical"),
        "DNS:only.example.org"
    );
}

#[test]
fn openssl_reads_every_private_key_and_this_crate_reads_it_back() {
    let directory = TempDir::new().unwrap();
    for kind in ALL_KINDS {
        let key = Key::random(kind).unwrap();
        let pem = key.to_pem().unwrap();
        write_private(&directory.path().join("key.pem"), &pem).unwrap();
        openssl_ok(directory.path(), &["pkey", "-in", "key.pem", "-check", "-noout"]);
        openssl_ok(
            directory.path(),
            &[
                "pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "key.pub",
            ],
        );
        let public = std::fs::read(directory.path().join("key.pub")).unwrap();
        assert_eq!(key.public_key_info().unwrap(), public, "{}", kind.name());
        let again = Key::from_pem(&pem).unwrap();
        assert_eq!(again.public_key_info().unwrap(), public, "{}", kind.name());
    }
}

#[test]
fn reads_private_keys_that_openssl_made() {
    let directory = TempDir::new().unwrap();
    for (algorithm, option) in [
        ("EC", Some("ec_paramgen_curve:P-256")),
        ("EC", Some("ec_paramgen_curve:P-384")),
        ("EC", Some("ec_paramgen_curve:P-521")),
        ("RSA", Some("rsa_keygen_bits:2048")),
        ("ED25519", None),
    ] {
        let mut arguments = vec!["genpkey", "-algorithm", algorithm, "-out", "key.pem"];
        arguments.extend(option.iter().flat_map(|option| ["-pkeyopt", option]));
        openssl_ok(directory.path(), &arguments);
        let pem = std::fs::read_to_string(directory.path().join("key.pem")).unwrap();
        let key = Key::from_pem(&pem).unwrap();
        CertificateBuilder::root("CN=Root")
            .key(&key)
            .self_signed()
            .unwrap();
    }
}

#[test]
fn a_crl_revokes_what_it_names_and_nothing_else() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    let root = CertificateBuilder::root("CN=Root").self_signed().unwrap();
    let good = CertificateBuilder::client("CN=good").issued_by(&root).unwrap();
    let revoked = CertificateBuilder::client("CN=revoked").issued_by(&root).unwrap();
    let crl = CrlBuilder::new().revoke(&revoked).issued_by(&root).unwrap();
    write_public(&path.join("crl.pem"), &crl.pem()).unwrap();
    write_public(&path.join("root.pem"), &root.pem()).unwrap();
    write_public(&path.join("good.pem"), &good.pem()).unwrap();
    write_public(&path.join("revoked.pem"), &revoked.pem()).unwrap();

    let check = |leaf| {
        openssl(
            path,
            &[
                "verify",
                "-crl_check",
                "-CAfile",
                "root.pem",
                "-CRLfile",
                "crl.pem",
                leaf,
            ],
        )
    };
    assert!(check("good.pem").status.success());
    let output = check("revoked.pem");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("certificate revoked"));
}

#[test]
fn writes_a_crl_as_asked() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    let root = CertificateBuilder::root("CN=Root")
        .key_kind(KeyKind::P384)
        .self_signed()
        .unwrap();
    let crl = CrlBuilder::new()
        .number(300)
        .valid(datetime!(2026-01-01 0:00 UTC), datetime!(2026-02-01 0:00 UTC))
        .revoke_serial(
            &[0x00, 0xff],
            Some(CrlReason::KeyCompromise),
            datetime!(2025-06-01 0:00 UTC),
        )
        .distribution_point("http://crl.example.org/1.crl")
        .scope(CrlScope::EndEntities)
        .issued_by(&root)
        .unwrap();
    write_public(&path.join("crl.pem"), &crl.pem()).unwrap();
    let text = openssl_ok(path, &["crl", "-in", "crl.pem", "-noout", "-text"]);
    assert!(text.contains("Version 2 (0x1)"), "{text}");
    assert!(text.contains("Issuer: CN = Root\n"), "{text}");
    assert!(text.contains("Last Update: Jan  1 00:00:00 2026 GMT"), "{text}");
    assert!(text.contains("Next Update: Feb  1 00:00:00 2026 GMT"), "{text}");
    assert_eq!(below(&text, "X509v3 CRL Number:"), "300");
    assert!(text.contains("Serial Number: FF\n"), "{text}");
    assert_eq!(below(&text, "X509v3 CRL Reason Code:"), "Key Compromise");
    assert!(
        text.contains("X509v3 Issuing Distribution Point: critical"),
        "{text}"
    );
    assert!(text.contains("URI:http://crl.example.org/1.crl"), "{text}");
    assert!(text.contains("Only User Certificates"), "{text}");
}
