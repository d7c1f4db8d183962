//! `alb-mtls verify`: the verdict, the checks that led to it, and what happened to a chain on its
//! way.

#![expect(clippy::string_slice, clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::process::{Command, Output};

use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};
use tempfile::TempDir;
use test_pki::{Certificate, CertificateBuilder, Credential, Criticality, CrlBuilder, KeyUsage, chain_pem};

/// A directory with `anchors.pem`, and the PKI behind it.
struct Scene {
    directory: TempDir,
    root: Credential,
    issuing: Credential,
    client: Credential,
}

impl Scene {
    fn new() -> Self {
        let root = CertificateBuilder::root("CN=Root,O=Example")
            .seed("root")
            .self_signed()
            .unwrap();
        let issuing = CertificateBuilder::intermediate("CN=Issuing,O=Example")
            .seed("issuing")
            .issued_by(&root)
            .unwrap();
        let client = CertificateBuilder::client("CN=client,O=Example")
            .seed("client")
            .issued_by(&issuing)
            .unwrap();
        let scene = Self {
            directory: TempDir::new().unwrap(),
            root,
            issuing,
            client,
        };
        scene.write("anchors.pem", scene.root.pem());
        scene
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.directory.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn header(&self) -> String {
        let chain = [self.client.certificate(), self.issuing.certificate()];
        let chain = chain.map(|certificate| CertificateDer::from(certificate.der().to_vec()));
        local_alb::passthrough_header(&chain)
    }

    fn verify(&self, options: &[&str]) -> Output {
        let anchors = self.directory.path().join("anchors.pem");
        Command::new(env!("CARGO_BIN_EXE_alb-mtls"))
            .args(["verify", "--anchors", anchors.to_str().unwrap()])
            .args(options)
            .output()
            .unwrap()
    }

    /// Returns the report in JSON, and the exit code.
    fn report(&self, options: &[&str]) -> (Value, Option<i32>) {
        let output = self.verify(&[options, &["--json"]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        (
            serde_json::from_str(&text).unwrap_or_else(|_| json!({"text": text, "error": error})),
            output.status.code(),
        )
    }

    fn report_on_pem<T: AsRef<Certificate>>(
        &self,
        presented: impl IntoIterator<Item = T>,
        options: &[&str],
    ) -> (Value, Option<i32>) {
        let pem = self.write("client.pem", chain_pem(presented));
        self.report(&[&["--pem", &pem], options].concat())
    }
}

fn outcome<'r>(report: &'r Value, check: &str) -> &'r Value {
    let checks = report["checks"].as_array().unwrap();
    &checks.iter().find(|one| one["check"] == check).unwrap()["outcome"]
}

fn hints(report: &Value) -> String {
    report["hints"].to_string()
}

#[test]
fn says_who_is_accepted_and_by_which_path() {
    let scene = Scene::new();
    let (report, code) = scene.report_on_pem([&scene.client, &scene.issuing], &[]);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["verdict"], "accept");
    assert_eq!(report["identity"]["subject"], "CN=client,O=Example");
    assert_eq!(report["anchor"]["subject"], "CN=Root,O=Example");
    assert_eq!(report["path"], json!([0, 1]));
    assert_eq!(outcome(&report, "signatures"), "pass");
    assert_eq!(outcome(&report, "revocation"), "off");
}

#[test]
fn shows_the_extensions_that_are_selected() {
    let scene = Scene::new();
    let client = CertificateBuilder::client("CN=device")
        .extension("1.3.6.1.4.1.99999.1", Criticality::NotCritical, b"\x0c\x05lab-7")
        .extension("1.3.6.1.4.1.99999.2", Criticality::NotCritical, b"a\x1b[2J");
    let client = client.issued_by(&scene.issuing).unwrap();
    let selected = [
        "--extensions",
        "device_id=1.3.6.1.4.1.99999.1 1.3.6.1.4.1.99999.2",
    ];
    let (report, _) = scene.report_on_pem([&client, &scene.issuing], &selected);
    assert_eq!(
        report["identity"]["extensions"],
        json!({"device_id": "lab-7", "1.3.6.1.4.1.99999.2": "#611b5b324a"})
    );
    let (report, _) = scene.report_on_pem([&client, &scene.issuing], &[]);
    assert_eq!(report["identity"]["extensions"], json!({}));

    let pem = scene.write("device.pem", chain_pem([&client, &scene.issuing]));
    let output = scene.verify(&["--pem", &pem, selected[0], selected[1]]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("          extension device_id: lab-7\n"), "{text}");
    assert!(
        text.contains("extension 1.3.6.1.4.1.99999.2: #611b5b324a\n"),
        "{text}"
    );

    let output = scene.verify(&["--pem", &pem, "--extensions", "san=2.5.29.17"]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("`2.5.29.17` is one of X.509 itself"), "{error}");
}

#[test]
fn says_every_check_that_fails_and_which_setting_governs_it() {
    let scene = Scene::new();
    let client = CertificateBuilder::client("CN=client")
        .key_usage(&[KeyUsage::KeyEncipherment])
        .purposes(&[]);
    let client = client.issued_by(&scene.issuing).unwrap();
    let (report, code) = scene.report_on_pem(
        [&client, &scene.issuing],
        &["--eku", "required", "--max-depth", "1"],
    );
    assert_eq!(code, Some(1));
    assert_eq!(report["code"], "ClientCertPurposeInvalid");
    assert_eq!(report["detail"], "end_entity_key_usage");
    assert_eq!(report["certificate"], 0);
    for check in ["end_entity_key_usage", "end_entity_purpose", "depth"] {
        assert_eq!(outcome(&report, check), "fail", "{check}");
    }
    let checks = report["checks"].as_array().unwrap();
    let purpose = checks
        .iter()
        .find(|one| one["check"] == "end_entity_purpose")
        .unwrap();
    assert_eq!(purpose["setting"], "MTLS_EKU");
    assert_eq!(purpose["detail"], "extended_key_usage_missing");
}

#[test]
fn judges_at_another_time() {
    let scene = Scene::new();
    let judged = |at: &str| scene.report_on_pem([&scene.client, &scene.issuing], &["--at", at]);
    assert_eq!(judged("2026-11-22T05:29:00Z").1, Some(0));
    let (report, code) = judged("2024-01-01T00:00:00Z");
    assert_eq!(
        (report["detail"].as_str(), code),
        (Some("not_yet_valid"), Some(1))
    );
    assert_eq!(judged("yesterday").1, Some(2));
}

#[test]
fn text_has_no_colours_in_a_pipe() {
    let scene = Scene::new();
    let pem = scene.write(
        "client.pem",
        chain_pem([&scene.client, &scene.issuing, &scene.root]),
    );
    let output = scene.verify(&["--pem", &pem]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text.starts_with("accepted  CN=client,O=Example\n"), "{text}");
    assert!(text.contains("anchor    CN=Root,O=Example"), "{text}");
    assert!(text.contains("0            └─ CN=client,O=Example"), "{text}");
    assert!(
        text.contains("2         CN=Root,O=Example (not in the path)"),
        "{text}"
    );
    assert!(!text.contains('\x1b'), "{text}");
}

#[test]
fn reads_headers_with_and_without_the_line_break_of_a_file() {
    let scene = Scene::new();
    for text in [
        scene.header(),
        format!("{}\n", scene.header()),
        format!("{}\r\n", scene.header()),
    ] {
        let file = scene.write("header.txt", text);
        assert_eq!(scene.report(&["--header", &file]).1, Some(0));
    }
}

#[test]
fn recognises_what_happened_to_a_header() {
    let scene = Scene::new();
    let header = scene.header();
    assert!(header.contains('+'), "test bug: no `+` in this header");
    let begin = header.len() / 2;
    for (damaged, hint) in [
        (header.replace('+', " "), "has become a space"),
        (header.replace('+', "%20"), "has become a space"),
        (header.replace('%', "%25"), "percent-encoded twice"),
        (header.replace("%0A", "%20"), "line breaks have become spaces"),
        (
            chain_pem([&scene.client, &scene.issuing]),
            "PEM that is not encoded",
        ),
        (
            chain_pem([&scene.client, &scene.issuing]).replace('\n', " "),
            "line breaks have become spaces",
        ),
        (header[..begin].to_owned(), "ends within a certificate"),
        (format!("\"{header}\""), "quotation marks"),
        (format!("{header}, {header}"), "joined by a comma"),
        (base64(&scene.client), "--format base64_encoded"),
        (format!(":{}:", base64(&scene.client)), "--format rfc9440"),
    ] {
        let file = scene.write("header.txt", &damaged);
        let (report, code) = scene.report(&["--header", &file]);
        assert_eq!(code, Some(1), "{hint}: {report}");
        assert!(hints(&report).contains(hint), "{hint}: {}", hints(&report));
    }
}

#[test]
fn recognises_what_is_given_in_place_of_a_header() {
    let scene = Scene::new();
    let header = scene.header();
    let leaf = local_alb::passthrough_header(&[CertificateDer::from(scene.client.der().to_vec())]);
    let key = scene.client.key().to_pem().unwrap();
    let combined = chain_pem([&scene.client]) + &key;
    for (value, kind, hint) in [
        (
            format!("X-Amzn-Mtls-Clientcert: {header}"),
            "header_name",
            "`X-Amzn-Mtls-Clientcert:`",
        ),
        (
            format!("x-client-cert:{}", chain_pem([&scene.client])),
            "header_name",
            "`x-client-cert:`",
        ),
        (
            format!(
                "By=spiffe://a/b;Hash=00ff;Cert=\"{leaf}\";Chain=\"{header}\";Subject=\"CN=c\";URI=spiffe://a/c"
            ),
            "envoy",
            "`Chain=`",
        ),
        (format!("Hash=00ff;Cert=\"{leaf}\";"), "envoy", "`Cert=`"),
        (
            "By=spiffe://a/b;Hash=00ff;Subject=\"\";URI=spiffe://a/c".to_owned(),
            "envoy",
            "`cert: true`",
        ),
        ("(null)".to_owned(), "no_certificate", "`(null)`"),
        (String::new(), "no_certificate", "presented no certificate"),
        ("undefined".to_owned(), "no_certificate", "`undefined`"),
        (
            combined.replace('\n', "%0A").replace(' ', "%20"),
            "private_key",
            "a private key stands in the value",
        ),
        (
            chain_pem([&scene.client]).replace('\n', ""),
            "decoded",
            "PEM that is not encoded",
        ),
        (
            "<html><body>502</body></html>".to_owned(),
            "file_kind",
            "is an HTML page",
        ),
        (json!({"headers": {}}).to_string(), "file_kind", "is JSON"),
    ] {
        let file = scene.write("header.txt", &value);
        let (report, code) = scene.report(&["--header", &file]);
        assert_eq!(code, Some(1), "{kind}: {report}");
        assert_eq!(report["hint_kinds"][0], kind, "{}", hints(&report));
        assert!(hints(&report).contains(hint), "{hint}: {}", hints(&report));
    }
}

#[test]
fn asserts_no_damage_that_is_not_there() {
    let scene = Scene::new();
    let header = scene.header();
    for value in [
        header.replacen("MI", "M*", 1),
        header.replacen("MII", "MI", 1),
        format!("{header}%00"),
        format!("{header};"),
        header.replace("CERTIFICATE", "X509%20CRL"),
        "By the way: nothing".to_owned(),
        "a=b;c=d".to_owned(),
        "certificate".to_owned(),
    ] {
        let file = scene.write("header.txt", &value);
        let (report, code) = scene.report(&["--header", &file]);
        assert_eq!(code, Some(1), "{value}: {report}");
        assert_eq!(report["hints"], json!([]), "{value}");
    }
}

fn base64(credential: &Credential) -> String {
    credential
        .pem()
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect()
}

#[test]
fn recognises_a_chain_that_is_put_together_wrongly() {
    let scene = Scene::new();
    let (client, issuing, root) = (&scene.client, &scene.issuing, &scene.root);
    let stranger = CertificateBuilder::root("CN=Stranger").self_signed().unwrap();
    let foreign = CertificateBuilder::client("CN=client")
        .issued_by(&stranger)
        .unwrap();
    for (presented, hint) in [
        (vec![issuing, client], "certificate 1 is the client's own"),
        (
            vec![root],
            "is a self-signed CA certificate: a root in place of its own",
        ),
        (vec![issuing], "sent a CA certificate in place of its own"),
        (
            vec![client],
            "neither among the anchors nor sent, CN=Issuing,O=Example",
        ),
        (
            vec![&foreign, &stranger],
            "ends at the root CN=Stranger, which is not among the anchors",
        ),
    ] {
        let (report, code) = scene.report_on_pem(presented, &[]);
        assert_eq!(code, Some(1), "{hint}: {report}");
        assert!(hints(&report).contains(hint), "{hint}: {}", hints(&report));
    }
}

#[test]
fn names_an_intermediate_that_leads_nowhere() {
    let scene = Scene::new();
    let other_root = CertificateBuilder::root("CN=Other Root").self_signed().unwrap();
    let other = CertificateBuilder::intermediate("CN=Other")
        .issued_by(&other_root)
        .unwrap();
    let of_other = CertificateBuilder::client("CN=client").issued_by(&other).unwrap();
    let other_pem = scene.write("other.pem", other.pem());
    let both_pem = scene.write("both.pem", chain_pem([&other, &other_root]));
    for (presented, intermediates, kinds) in [
        (
            vec![&scene.client, &other],
            None,
            json!(["issuer_missing", "unrelated"]),
        ),
        (
            vec![&scene.client],
            Some(&other_pem),
            json!(["issuer_missing", "intermediates_unrelated"]),
        ),
        (
            vec![&of_other],
            Some(&other_pem),
            json!(["configured_issuer_missing"]),
        ),
        (vec![&of_other], Some(&both_pem), json!(["configured_root"])),
        (vec![&of_other, &other], None, json!(["issuer_missing"])),
        (
            vec![&of_other, &other, &other_root],
            None,
            json!(["foreign_root"]),
        ),
    ] {
        let options: Vec<&str> = intermediates
            .iter()
            .flat_map(|file| ["--intermediates", file.as_str()])
            .collect();
        let (report, code) = scene.report_on_pem(presented, &options);
        assert_eq!(code, Some(1), "{report}");
        assert_eq!(report["detail"], "issuer_unknown", "{report}");
        assert_eq!(report["hint_kinds"], kinds, "{}", hints(&report));
    }
}

#[test]
fn names_distribution_points_that_differ() {
    let scene = Scene::new();
    let of_root = CrlBuilder::new().issued_by(&scene.root).unwrap().pem();
    let client = CertificateBuilder::client("CN=client")
        .crl_distribution_point("http://ca.example/1.crl")
        .issued_by(&scene.issuing)
        .unwrap();
    for (point, words) in [
        ("https://ca.example/1.crl", "differs in `http` and `https` alone"),
        (
            "http://ca.example/2.crl",
            "the CRL is that of `http://ca.example/2.crl`: ",
        ),
    ] {
        let list = CrlBuilder::new().distribution_point(point);
        let list = list.issued_by(&scene.issuing).unwrap().pem();
        let crls = scene.write("crls.pem", format!("{of_root}{list}"));
        let (report, code) = scene.report_on_pem([&client, &scene.issuing], &["--crls", &crls]);
        assert_eq!((report["detail"].as_str(), code), (Some("crl_scope"), Some(1)));
        assert!(hints(&report).contains(words), "{}", hints(&report));
    }
}

#[test]
fn completes_a_lone_certificate_from_the_settings() {
    let scene = Scene::new();
    let intermediates = scene.write("intermediates.pem", scene.issuing.pem());
    let (report, code) = scene.report_on_pem([&scene.client], &["--intermediates", &intermediates]);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["path"], json!([0, null]));
}

#[test]
fn says_which_list_cleared_or_revoked_a_certificate() {
    let scene = Scene::new();
    let of_root = CrlBuilder::new().issued_by(&scene.root).unwrap().pem();
    let list = |crl: CrlBuilder| format!("{of_root}{}", crl.issued_by(&scene.issuing).unwrap().pem());
    let good = scene.write("crls.pem", list(CrlBuilder::new()));
    let pem = scene.write("client.pem", chain_pem([&scene.client, &scene.issuing]));
    let output = scene.verify(&["--pem", &pem, "--crls", &good]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("cleared by CRL") && text.contains("CN=Issuing,O=Example"),
        "{text}"
    );

    let revoking = scene.write("crls.pem", list(CrlBuilder::new().revoke(&scene.client)));
    let (report, code) = scene.report(&["--pem", &pem, "--crls", &revoking]);
    assert_eq!(
        (report["code"].as_str(), code),
        (Some("ClientCertCrlHit"), Some(1))
    );
    assert_eq!(outcome(&report, "revocation"), "fail");

    let partial = scene.write("crls.pem", of_root);
    assert_eq!(scene.report(&["--pem", &pem, "--crls", &partial]).1, Some(1));
    assert_eq!(
        scene
            .report(&["--pem", &pem, "--crls", &partial, "--revocation", "soft"])
            .1,
        Some(0)
    );
}

#[test]
fn reads_events_of_load_balancers_and_of_api_gateway() {
    let scene = Scene::new();
    let header = scene.header();
    let pem = chain_pem([&scene.client, &scene.issuing]);
    for event in [
        json!({"headers": {"x-amzn-mtls-clientcert": header}}),
        json!({"multiValueHeaders": {"X-Amzn-Mtls-Clientcert": [header]}}),
        json!({"headers": {}, "requestContext": {"identity": {"clientCert": {"clientCertPem": pem}}}}),
        json!({"headers": {}, "requestContext": {"authentication": {"clientCert": {"clientCertPem": pem}}}}),
    ] {
        let file = scene.write("event.json", event.to_string());
        let (report, code) = scene.report(&["--event", &file]);
        assert_eq!(code, Some(0), "{event}: {report}");
    }
    for (event, detail) in [
        (json!({"headers": {"host": "x"}}), "certificate_missing"),
        (
            json!({"multiValueHeaders": {"x-amzn-mtls-clientcert": [header, header]}}),
            "header_repeated",
        ),
    ] {
        let file = scene.write("event.json", event.to_string());
        let (report, code) = scene.report(&["--event", &file]);
        assert_eq!((report["detail"].as_str(), code), (Some(detail), Some(1)));
    }
    for (event, kinds) in [
        (
            json!({"headers": {}, "requestContext": {"apiId": "a", "domainName": "api.example"}}),
            json!(["api_gateway_without_certificate"]),
        ),
        (
            json!({"headers": {}, "requestContext": {"apiId": "a", "identity": {"clientCert": null}}}),
            json!(["api_gateway_without_certificate"]),
        ),
        (
            json!({"headers": {}, "requestContext": {"apiId": "a", "domainName": "x.lambda-url.eu-central-1.on.aws"}}),
            json!(["api_gateway_without_certificate"]),
        ),
        (
            json!({"headers": {"x-amzn-mtls-clientcert-leaf": header}, "requestContext": {"elb": {}}}),
            json!(["other_header"]),
        ),
        (
            json!({"headers": {"host": "x"}, "requestContext": {"elb": {}}}),
            json!([]),
        ),
    ] {
        let file = scene.write("event.json", event.to_string());
        let (report, code) = scene.report(&["--event", &file]);
        assert_eq!(
            (report["detail"].as_str(), code),
            (Some("certificate_missing"), Some(1))
        );
        assert_eq!(report["hint_kinds"], kinds, "{}", hints(&report));
    }
    let renamed = scene.write("event.json", json!({"headers": {"x-client": header}}).to_string());
    assert_eq!(
        scene
            .report(&["--event", &renamed, "--header-name", "X-Client"])
            .1,
        Some(0)
    );
}

#[test]
fn reads_a_certificate_in_der() {
    let scene = Scene::new();
    let direct = CertificateBuilder::client("CN=direct")
        .issued_by(&scene.root)
        .unwrap();
    let file = scene.write("client.der", direct.der());
    assert_eq!(scene.report(&["--pem", &file]).1, Some(0));
}

#[test]
fn what_cannot_be_read_is_one_line() {
    let scene = Scene::new();
    let with_key = scene.write(
        "key.pem",
        format!("{}{}", scene.root.pem(), scene.client.key().to_pem().unwrap()),
    );
    let text = scene.write("text", "nothing");
    let number = scene.write("number.json", "1");
    for (options, message) in [
        (["--pem", "/nowhere.pem"], "cannot read `/nowhere.pem`"),
        (["--pem", &text], "there is no certificate in it"),
        (["--pem", &with_key], "holds a private key"),
        (["--event", &text], "is not an event: expected"),
        (
            ["--event", &number],
            "it has neither `headers` nor `multiValueHeaders`",
        ),
    ] {
        let output = scene.verify(&options);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(message), "{error}");
    }
    scene.write("anchors.pem", scene.client.pem());
    let pem = scene.write("client.pem", scene.client.pem());
    let error = String::from_utf8(scene.verify(&["--pem", &pem]).stderr).unwrap();
    assert!(error.contains("entry 1: is not a CA certificate"), "{error}");
}
