//! `alb-mtls bundle lint` against `alb-mtls verify`: what lint says of material is what a client
//! meets.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use test_pki::{
    CertificateBuilder, Credential, Criticality, Crl, CrlBuilder, CrlScope, GeneralName, KeyUsage, Purpose,
    chain_pem,
};
use time::{Duration, OffsetDateTime};

/// A directory to work in.
struct Directory(TempDir);

impl Directory {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), content).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_alb-mtls"))
            .args(arguments)
            .current_dir(self.path())
            .output()
            .unwrap()
    }

    fn lint(&self, arguments: &[&str]) -> (String, Option<i32>) {
        let output = self.run(&[&["bundle", "lint"], arguments].concat());
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (text, output.status.code())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command of a message in a shell.
    fn shell(&self, command: &str) {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(self.path())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command}: {error}");
    }
}

fn root(name: &str) -> CertificateBuilder {
    CertificateBuilder::root(&format!("CN={name},O=Example"))
}

fn intermediate(name: &str) -> CertificateBuilder {
    CertificateBuilder::intermediate(&format!("CN={name},O=Example"))
}

/// A CA below a root, with a client of it, and why the client is refused.
struct Case {
    name: &'static str,
    anchor: Credential,
    intermediates: Vec<Credential>,
    detail: Option<&'static str>,
}

fn case(
    name: &'static str,
    anchor: &Credential,
    intermediates: &[&Credential],
    detail: Option<&'static str>,
) -> Case {
    Case {
        name,
        anchor: anchor.clone(),
        intermediates: intermediates.iter().map(|one| (*one).clone()).collect(),
        detail,
    }
}

fn cases() -> Vec<Case> {
    let good_root = root("Root").self_signed().unwrap();
    let below = |builder: CertificateBuilder| builder.issued_by(&good_root).unwrap();
    let good = below(intermediate("Issuing"));
    let upper = below(intermediate("Upper"));
    let lower = intermediate("Lower").issued_by(&upper).unwrap();
    let narrow = below(intermediate("Narrow").path_length(0));
    let under_narrow = intermediate("Under Narrow").issued_by(&narrow).unwrap();
    let flat_root = root("Flat").path_length(0).self_signed().unwrap();
    let under_flat = intermediate("Under Flat").issued_by(&flat_root).unwrap();
    let servers = below(intermediate("Servers").purposes(&[Purpose::ServerAuth]));
    let any = below(intermediate("Any").purposes(&[Purpose::Any]));
    let server_root = root("Server Root")
        .purposes(&[Purpose::ServerAuth])
        .self_signed()
        .unwrap();
    let under_server_root = intermediate("Under Servers").issued_by(&server_root).unwrap();
    let elsewhere = GeneralName::Directory("O=Elsewhere");
    let bound_root = root("Bound Root").permit(&elsewhere).self_signed().unwrap();
    let out_of_bounds = intermediate("Out of bounds").issued_by(&bound_root).unwrap();
    let former_root = root("Root").self_signed().unwrap();
    let of_former_key = intermediate("Of the former key").issued_by(&former_root).unwrap();
    let foreign_root = root("Foreign").self_signed().unwrap();
    let foreign = intermediate("Of a foreign root")
        .issued_by(&foreign_root)
        .unwrap();
    let now = OffsetDateTime::now_utc();
    let expired = below(intermediate("Expired").valid(now - Duration::DAY * 2, now - Duration::DAY));
    let serial = below(intermediate("Long Serial").serial_bytes(&[1; 65]));
    let policy_root = root("Policies").self_signed().unwrap();
    // requireExplicitPolicy 0.
    let explicit = intermediate("Explicit")
        .policy("1.3.6.1.4.1.32473.7")
        .extension(
            "2.5.29.36",
            Criticality::Critical,
            &[0x30, 0x03, 0x80, 0x01, 0x00],
        )
        .issued_by(&policy_root)
        .unwrap();
    vec![
        case("good", &good_root, &[&good], None),
        case("two levels", &good_root, &[&lower, &upper], None),
        case("missing level", &good_root, &[&lower], Some("issuer_unknown")),
        case(
            "path length",
            &good_root,
            &[&under_narrow, &narrow],
            Some("path_length"),
        ),
        case(
            "path length of the root",
            &flat_root,
            &[&under_flat],
            Some("anchor_path_length"),
        ),
        case("purposes", &good_root, &[&servers], Some("extended_key_usage")),
        case("any purpose", &good_root, &[&any], None),
        case(
            "purposes of the root",
            &server_root,
            &[&under_server_root],
            Some("anchor_extended_key_usage"),
        ),
        case(
            "name constraints",
            &bound_root,
            &[&out_of_bounds],
            Some("name_constraints"),
        ),
        case(
            "former key",
            &good_root,
            &[&of_former_key],
            Some("signature_invalid"),
        ),
        case("foreign", &good_root, &[&foreign], Some("issuer_unknown")),
        case(
            "foreign root",
            &good_root,
            &[&foreign, &foreign_root],
            Some("issuer_unknown"),
        ),
        case("expired", &good_root, &[&expired], Some("expired")),
        case(
            "long serial number",
            &good_root,
            &[&serial],
            Some("serial_number"),
        ),
        case("explicit policy", &policy_root, &[&explicit], None),
    ]
}

#[test]
fn lint_says_of_each_ca_what_its_client_meets() {
    for case in cases() {
        let directory = Directory::new();
        directory.write("anchors.pem", case.anchor.pem());
        directory.write("intermediates.pem", chain_pem(&case.intermediates));
        let client = CertificateBuilder::client("CN=client,O=Elsewhere")
            .policy("1.3.6.1.4.1.32473.7")
            .issued_by(&case.intermediates[0])
            .unwrap();
        directory.write("client.pem", client.pem());
        let sources = ["anchors.pem", "--intermediates", "intermediates.pem"];
        let (text, code) = directory.lint(&sources);
        let report = directory.json(&[&["bundle", "lint"], &sources[..]].concat());
        let authorities = report["authorities"].as_array().unwrap();
        let first = authorities
            .iter()
            .find(|one| one["role"] == "intermediates" && one["entry"] == 1)
            .unwrap();
        let verdict = directory.json(&[
            "verify",
            "--anchors",
            "anchors.pem",
            "--intermediates",
            "intermediates.pem",
            "--pem",
            "client.pem",
        ]);
        let name = case.name;
        assert_eq!(first["refused"]["detail"].as_str(), case.detail, "{name}: {text}");
        assert_eq!(verdict["detail"].as_str(), case.detail, "{name}: {verdict}");
        if case.detail.is_none() {
            assert_eq!(code, Some(0), "{name}: {text}");
            assert_eq!(first["anchors"][0], authorities[0]["sha256"], "{name}");
            let subject = first["subject"].as_str().unwrap();
            assert!(
                text.contains(&format!("\n  from intermediate: {subject}\n")),
                "{name}: {text}"
            );
        } else {
            assert_eq!(code, Some(1), "{name}: {text}");
            assert!(text.contains("error: entry 1 of `file:"), "{name}: {text}");
            assert!(report["errors"][0]["subject"].is_string(), "{name}");
        }
    }
}

#[test]
fn lint_names_a_critical_extension_that_cannot_be_read() {
    let directory = Directory::new();
    let top = root("Root").self_signed().unwrap();
    let critical =
        intermediate("Critical").extension("2.5.29.31", Criticality::Critical, &[0x30, 0x02, 0x05, 0x00]);
    directory.write("anchors.pem", top.pem());
    directory.write("intermediates.pem", critical.issued_by(&top).unwrap().pem());
    let (text, code) = directory.lint(&["anchors.pem", "--intermediates", "intermediates.pem"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("CRL distribution points"), "{text}");
    assert!(text.contains("(subject CN=Critical,O=Example)"), "{text}");
}

#[test]
fn lint_with_max_depth_refuses_a_ca_that_is_too_deep() {
    let directory = Directory::new();
    let top = root("Root").self_signed().unwrap();
    let upper = intermediate("Upper").issued_by(&top).unwrap();
    let lower = intermediate("Lower").issued_by(&upper).unwrap();
    directory.write("anchors.pem", top.pem());
    directory.write("intermediates.pem", chain_pem([&lower, &upper]));
    let sources = [
        "anchors.pem",
        "--intermediates",
        "intermediates.pem",
        "--max-depth",
    ];
    assert_eq!(directory.lint(&[&sources[..], &["3"]].concat()).1, Some(0));
    let (text, code) = directory.lint(&[&sources[..], &["2"]].concat());
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("refused with chain_too_deep"), "{text}");
    assert!(
        text.contains("  from intermediate: CN=Upper,O=Example\n"),
        "{text}"
    );
}

#[test]
fn lint_refuses_anchors_by_which_no_client_can_get_in() {
    let now = OffsetDateTime::now_utc();
    let servers = root("Servers").purposes(&[Purpose::ServerAuth]);
    let expired = root("Expired").valid(now - Duration::DAY * 2, now - Duration::DAY);
    for (builder, detail) in [
        (servers, "anchor_extended_key_usage"),
        (expired, "anchor_expired"),
    ] {
        let directory = Directory::new();
        let good = root("Good").self_signed().unwrap();
        directory.write("anchors.pem", chain_pem([&good, &builder.self_signed().unwrap()]));
        let (text, code) = directory.lint(&["anchors.pem"]);
        assert_eq!(code, Some(1), "{text}");
        assert!(
            text.contains(&format!("every client below it is refused with {detail}")),
            "{text}"
        );
        assert!(
            text.ends_with("2 trust anchors, 1 errors, 0 warnings, 0 notices\n"),
            "{text}"
        );
    }
}

#[test]
fn lint_takes_certificates_of_tomorrow_for_a_notice() {
    let directory = Directory::new();
    let now = OffsetDateTime::now_utc();
    let (from, to) = (now + Duration::DAY, now + Duration::DAY * 400);
    let later_root = root("Later").valid(from, to).self_signed().unwrap();
    let later = intermediate("Later Issuing").valid(from, to);
    directory.write("anchors.pem", later_root.pem());
    directory.write(
        "intermediates.pem",
        later.clone().issued_by(&later_root).unwrap().pem(),
    );
    let sources = ["anchors.pem", "--intermediates", "intermediates.pem"];
    let (text, code) = directory.lint(&sources);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("notice: ") && text.contains("is not valid before"),
        "{text}"
    );

    let servers = later
        .purposes(&[Purpose::ServerAuth])
        .issued_by(&later_root)
        .unwrap();
    directory.write("intermediates.pem", servers.pem());
    let (text, code) = directory.lint(&sources);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("refused with extended_key_usage"), "{text}");
}

#[test]
fn warnings_end_with_1_only_when_they_are_denied() {
    let directory = Directory::new();
    directory.write(
        "anchors.pem",
        root("Expiring").days(10).self_signed().unwrap().pem(),
    );
    let (text, code) = directory.lint(&["anchors.pem"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("1 warnings"), "{text}");
    assert_eq!(directory.lint(&["anchors.pem", "--deny-warnings"]).1, Some(1));
    directory.write("anchors.pem", root("Good").self_signed().unwrap().pem());
    assert_eq!(directory.lint(&["anchors.pem", "--deny-warnings"]).1, Some(0));
}

/// Writes lists of several CRLs.
fn pem(lists: &[&Crl]) -> String {
    lists.iter().map(|list| list.pem()).collect()
}

#[test]
fn strict_forecast_is_the_verdict() {
    let now = OffsetDateTime::now_utc();
    let certificate_signing_only = root("Root").key_usage(&[KeyUsage::KeyCertSign]);
    let signing = certificate_signing_only.self_signed().unwrap();
    let again = root("Root").key(signing.key()).self_signed().unwrap();
    let stale = CrlBuilder::new().valid(now - Duration::DAY * 2, now - Duration::DAY);
    let early = CrlBuilder::new().valid(now + Duration::DAY, now + Duration::DAY * 2);
    let clients_only = CrlBuilder::new().scope(CrlScope::EndEntities);
    let other_key = root("Root").self_signed().unwrap();
    let by = |builder: CrlBuilder, issuer: &Credential| builder.issued_by(issuer).unwrap();
    for (name, anchors, lists, detail) in [
        ("current", vec![&again], vec![by(CrlBuilder::new(), &again)], None),
        (
            "two certificates of one key",
            vec![&signing, &again],
            vec![by(CrlBuilder::new(), &again)],
            None,
        ),
        (
            "in the other order",
            vec![&again, &signing],
            vec![by(CrlBuilder::new(), &again)],
            None,
        ),
        (
            "key usage",
            vec![&signing],
            vec![by(CrlBuilder::new(), &again)],
            Some("crl_issuer_key_usage"),
        ),
        ("stale", vec![&again], vec![by(stale, &again)], Some("crl_stale")),
        (
            "early",
            vec![&again],
            vec![by(early, &again)],
            Some("crl_not_yet_valid"),
        ),
        ("clients only", vec![&again], vec![by(clients_only, &again)], None),
        (
            "another key",
            vec![&again],
            vec![by(CrlBuilder::new(), &other_key)],
            Some("crl_signature"),
        ),
    ] {
        let directory = Directory::new();
        directory.write("anchors.pem", chain_pem(anchors));
        directory.write("crls.pem", pem(&lists.iter().collect::<Vec<_>>()));
        let client = CertificateBuilder::client("CN=client").issued_by(&again).unwrap();
        directory.write("client.pem", client.pem());
        let report = directory.json(&["bundle", "lint", "anchors.pem", "--crls", "crls.pem"]);
        let (text, _) = directory.lint(&["anchors.pem", "--crls", "crls.pem"]);
        let strict = report["strict"].as_array().unwrap();
        assert_eq!(strict.len(), 1, "{name}: {report}");
        let forecast = match strict[0]["scopes"].as_array().unwrap().first() {
            Some(scope) => scope["refused"].as_str(),
            None => strict[0]["others"].as_str(),
        };
        assert_eq!(forecast, detail, "{name}: {text}");
        let verify = |mode: &str| {
            let client = ["verify", "--anchors", "anchors.pem", "--pem", "client.pem"];
            directory.json(&[&client[..], &["--crls", "crls.pem", "--revocation", mode]].concat())
        };
        let verdict = verify("strict");
        assert_eq!(verdict["detail"].as_str(), detail, "{name}: {verdict}");
        assert_eq!(verify("soft")["verdict"], "accept", "{name}");
    }
}

#[test]
fn strict_forecast_names_an_intermediate_that_no_crl_clears() {
    let directory = Directory::new();
    let top = root("Root").self_signed().unwrap();
    let issuing = intermediate("Issuing").issued_by(&top).unwrap();
    directory.write("anchors.pem", top.pem());
    directory.write("intermediates.pem", issuing.pem());
    let list = CrlBuilder::new().issued_by(&issuing).unwrap();
    directory.write("crls.pem", list.pem());
    let sources = [
        "anchors.pem",
        "--intermediates",
        "intermediates.pem",
        "--crls",
        "crls.pem",
    ];
    let (text, code) = directory.lint(&sources);
    assert_eq!(code, Some(1), "{text}");
    let words = "strict: everything below CN=Issuing,O=Example is refused with crl_missing";
    assert!(text.contains(words), "{text}");

    let of_root = CrlBuilder::new().issued_by(&top).unwrap();
    directory.write("crls.pem", pem(&[&list, &of_root]));
    let (text, code) = directory.lint(&sources);
    assert_eq!(code, Some(0), "{text}");

    let revoking = CrlBuilder::new().revoke(&issuing).issued_by(&top).unwrap();
    directory.write("crls.pem", pem(&[&list, &revoking]));
    let (text, code) = directory.lint(&sources);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("every client below it is refused with revoked"),
        "{text}"
    );
}

/// Files that operators give, made by openssl: what they are called, and the kind of command that
/// converts them.
#[test]
fn every_other_kind_of_file_is_named_with_a_command_that_converts_it() {
    for (make, words) in [
        (
            "openssl crl2pkcs7 -nocrl -certfile ca.pem -out FILE",
            "a PKCS #7 bundle (`PKCS7`)",
        ),
        (
            "openssl crl2pkcs7 -nocrl -certfile ca.pem -outform DER -out FILE",
            "is a PKCS #7 bundle in DER",
        ),
        (
            "openssl x509 -in ca.pem -addtrust clientAuth -out FILE",
            "OpenSSL's trust settings (TRUSTED CERTIFICATE) (`TRUSTED CERTIFICATE`)",
        ),
        ("cat ca.pem ca.key > FILE", "holds a private key"),
        ("iconv -f UTF-8 -t UTF-16 ca.pem > FILE", "is text in UTF-16"),
        ("iconv -f UTF-8 -t UTF-16LE ca.pem > FILE", "is text in UTF-16"),
        ("gzip -c ca.pem > FILE", "is compressed with gzip"),
        (
            "base64 -w 0 ca.pem > FILE",
            "is PEM that was encoded in base64 again",
        ),
        (
            "base64 ca.pem | base64 > FILE",
            "is PEM that was encoded in base64 again",
        ),
        (
            "openssl x509 -in ca.pem -outform DER | base64 > FILE",
            "is a certificate in base64 without PEM lines",
        ),
        (
            "awk '{printf \"%s\\\\n\", $0}' ca.pem > FILE",
            "is PEM whose line breaks are written as `\\n`",
        ),
        (
            "printf '%s,%s' \"$(cat ca.pem)\" \"$(cat ca.pem)\" > FILE",
            "as in an SSM StringList",
        ),
        (
            "jq -n --rawfile pem ca.pem '{Certificate: $pem}' > FILE",
            "is JSON",
        ),
    ] {
        let directory = Directory::new();
        directory.shell(
            "openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj /CN=Root -keyout ca.key -out ca.pem 2>&1",
        );
        directory.shell(make);
        let (text, code) = directory.lint(&["FILE"]);
        assert_eq!(code, Some(1), "{make}: {text}");
        assert!(text.contains(words), "{make}: {text}");
        assert!(!text.contains("damaged"), "{make}: {text}");

        let commands = [
            "openssl ", "base64 ", "iconv ", "gunzip ", "printf ", "tr ", "jq ",
        ];
        let command = text
            .split('`')
            .find(|word| commands.iter().any(|command| word.starts_with(command)));
        directory.shell(command.unwrap());
        let written = ["certificates.pem", "certificate.pem", "FILE.pem", "FILE.utf8"];
        let written = written.iter().find(|name| directory.path().join(name).exists());
        let (text, code) = directory.lint(&[written.unwrap()]);
        assert_eq!(code, Some(0), "{make}: {text}");
        assert!(text.contains("anchor: CN=Root"), "{make}: {text}");
    }
}

#[test]
fn files_without_certificates_are_named() {
    let directory = Directory::new();
    directory.shell("openssl req -newkey rsa:2048 -nodes -subj /CN=Root -keyout ca.key -out ca.csr 2>&1");
    directory.shell("openssl req -in ca.csr -outform DER -out ca.csr.der");
    directory.shell("openssl pkey -in ca.key -pubout -out public.pem");
    directory.shell("openssl pkey -in ca.key -outform DER -out key.der");
    directory.shell("openssl req -x509 -key ca.key -subj /CN=Root -days 90 -out ca.pem");
    directory.shell("openssl pkcs12 -export -in ca.pem -inkey ca.key -passout pass:x -out ca.p12");
    directory.shell("openssl x509 -in ca.pem -outform DER -out ca.der; head -c 300 ca.der > cut.der");
    directory.shell("cat ca.der ca.der > twice.der");
    directory.write(
        "page.html",
        "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n",
    );
    directory.write(
        "error.xml",
        "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>",
    );
    directory.write(
        "arn",
        "arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/x\n",
    );
    directory.write("url", "https://ca.example/root.pem\n");
    directory.write("ssh", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA operator@example\n");
    directory.write("empty", "");
    let list = CrlBuilder::new()
        .issued_by(&root("Root").self_signed().unwrap())
        .unwrap();
    directory.write("list.crl", list.pem());
    directory.write("list.crl.der", list.der());
    for (file, words) in [
        ("ca.csr", "a certificate request"),
        ("ca.csr.der", "a certificate request"),
        ("public.pem", "a public key without a certificate"),
        ("ca.key", "holds a private key"),
        ("key.der", "is a private key"),
        ("ca.p12", "openssl pkcs12 -in FILE -nokeys"),
        ("cut.der", "and 300 are there"),
        ("twice.der", "the rest begins at octet "),
        ("page.html", "is an HTML page"),
        ("error.xml", "is XML"),
        (
            "arn",
            "is `arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/x`, the name of a place",
        ),
        ("url", "is `https://ca.example/root.pem`, the name of a place"),
        ("ssh", "is an SSH key"),
        ("empty", "there is no certificate in it"),
        ("list.crl", "a CRL (`X509 CRL`): CRLs belong into MTLS_CRLS"),
        ("list.crl.der", "is a CRL: CRLs belong into MTLS_CRLS"),
    ] {
        let (text, code) = directory.lint(&[file]);
        assert_eq!(code, Some(1), "{file}: {text}");
        assert!(text.contains(words), "{file}: {text}");
    }
    // One certificate in DER is a bundle.
    assert_eq!(directory.lint(&["ca.der"]).1, Some(0));
    for (file, words) in [
        (
            "ca.pem",
            "begins a certificate (`CERTIFICATE`): trust anchors belong into MTLS_ANCHORS",
        ),
        (
            "ca.der",
            "is a certificate: trust anchors belong into MTLS_ANCHORS",
        ),
        ("page.html", "is an HTML page"),
    ] {
        let (text, code) = directory.lint(&["--crls", file]);
        assert_eq!(code, Some(1), "{file}: {text}");
        assert!(text.contains(words), "{file}: {text}");
    }
}

/// Way to write a PEM block.
type Shape = fn(&str) -> String;

/// PEM as tools and people write it: for certificates and CRLs alike.
#[test]
fn pem_of_certificates_and_crls_is_read_alike() {
    let authority = root("Root").self_signed().unwrap();
    let list = CrlBuilder::new().issued_by(&authority).unwrap();
    let shapes: [(&str, Shape); 12] = [
        ("as it is", |pem| pem.to_owned()),
        ("byte order mark", |pem| format!("\u{feff}{pem}")),
        ("CRLF", |pem| pem.replace('\n', "\r\n")),
        ("CR", |pem| pem.replace('\n', "\r")),
        ("spaces", |pem| pem.replace('\n', " ")),
        ("no line breaks", |pem| pem.replace('\n', "")),
        ("joined", |pem| pem.trim_end().repeat(2)),
        ("comments", |pem| format!("# BEGIN of the list\n{pem}# END\n")),
        ("ruler", |pem| {
            format!("-----------\n-- List --\n-----------\n{pem}\n-----\n")
        }),
        ("commented out", |pem| {
            format!("# {}\n{pem}", pem.trim_end().replace('\n', "\n# "))
        }),
        ("bag attributes", |pem| {
            format!("Bag Attributes\n    localKeyID: 01 02 \nsubject=CN = x\n{pem}")
        }),
        ("white space", |pem| {
            format!("\n \t\n  {}\n\n", pem.replace('\n', "\n    "))
        }),
    ];
    for (name, shape) in shapes {
        let directory = Directory::new();
        directory.write("anchors.pem", shape(&authority.pem()));
        directory.write("crls.pem", shape(&list.pem()));
        let (text, code) = directory.lint(&["anchors.pem", "--crls", "crls.pem"]);
        assert_eq!(code, Some(0), "{name}: {text}");
        assert!(text.contains("are cleared by CRL"), "{name}: {text}");
    }
}
