//! `alb-mtls policy`: policies checked, and requests decided as the functions would.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use crate::support::{alb_mtls, alb_mtls_error, alb_mtls_ok, openssl, openssl_ok, stderr};
use serde_json::Value;
use tempfile::TempDir;
use test_pki::{CertificateBuilder, chain_pem};

/// A directory with a client under an anchor, another anchor, and whatever files a test adds.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(TempDir::new().unwrap());
        let root = CertificateBuilder::root("CN=Root,O=Example")
            .self_signed()
            .unwrap();
        let issuing = CertificateBuilder::intermediate("CN=Issuing,O=Example")
            .issued_by(&root)
            .unwrap();
        let client = CertificateBuilder::client("CN=client,OU=Sales,O=Example")
            .issued_by(&issuing)
            .unwrap();
        let other = CertificateBuilder::root("CN=Other Root").self_signed().unwrap();
        folder.file("chain.pem", &chain_pem([&client, &issuing]));
        folder.file("anchors.pem", &root.pem());
        folder.file("other.pem", &other.pem());
        folder
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Returns the exit code and output for a request of the client.
    fn ask(&self, policies: &str, options: &[&str]) -> (i32, String) {
        let file = self.file("asked.cedar", policies);
        let (pem, anchors) = (self.path("chain.pem"), self.path("anchors.pem"));
        let mut arguments = vec!["policy", "check", &file, "--pem", &pem, "--anchors", &anchors];
        arguments.extend(options);
        let output = alb_mtls(&arguments);
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        (output.status.code().unwrap(), text + &stderr(&output))
    }
}

const SALES: &str =
    "@id(\"sales\") permit (principal is Client, action in Action::\"read\", resource in Path::\"/orders\")
    when { principal.organizational_units.contains(\"Sales\") };
    @id(\"no-drafts\") forbid (principal, action, resource in Path::\"/orders/drafts\");";

#[test]
fn says_by_which_policy_a_request_passes_or_is_refused() {
    let folder = Folder::new();
    let ask = |options: &[&str]| folder.ask(SALES, options);
    assert_eq!(
        ask(&["--path", "/orders/7?x=/.."]),
        (0, "passes: permitted by `sales`\n".to_owned())
    );
    let (code, text) = ask(&["--path", "/orders/drafts/1"]);
    assert_eq!(
        (code, text.as_str()),
        (1, "refused: policy_forbids: forbidden by `no-drafts`\n")
    );
    let (code, text) = ask(&["--path", "/orders", "--method", "POST"]);
    assert_eq!(
        (code, text.as_str()),
        (1, "refused: policy_does_not_permit: no policy permits it\n")
    );
    let (code, text) = ask(&["--path", "/orders/../admin"]);
    assert!(
        code == 1 && text.starts_with("refused: policy_path_not_plain: "),
        "{text}"
    );
    let (code, _) = ask(&[]);
    assert_eq!(code, 1, "the path is `/` unless said");
}

#[test]
fn a_certificate_that_is_not_verified_is_refused_before_policies_are_asked() {
    let folder = Folder::new();
    let file = folder.file("all.cedar", "permit (principal, action, resource);");
    let output = alb_mtls(&[
        "policy",
        "check",
        &file,
        "--pem",
        &folder.path("chain.pem"),
        "--anchors",
        &folder.path("other.pem"),
        "--json",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["verdict"], "refuse");
    assert_eq!(answer["code"], "ClientCertUntrusted");
    assert_eq!(answer["client"], Value::Null);
}

#[test]
fn the_time_counts_for_the_certificate_and_for_policies() {
    let folder = Folder::new();
    let always = "@id(\"all\") permit (principal, action, resource);";
    let (code, text) = folder.ask(always, &["--at", "2000-01-01T00:00:00Z"]);
    assert!(code == 1 && text.contains("ClientCertNotYetValid"), "{text}");
    let weekday = "permit (principal, action, resource) when { context.weekday == Weekday::\"Sunday\" };";
    let file = folder.file("weekday.cedar", weekday);
    let code = |at| {
        alb_mtls(&["policy", "check", &file, "--anonymous", "--at", at])
            .status
            .code()
    };
    assert_eq!(code("2026-11-22T00:00:00Z"), Some(0));
    assert_eq!(code("2026-11-23T00:00:00Z"), Some(1));
}

#[test]
fn every_part_of_a_request_can_be_given() {
    let folder = Folder::new();
    let all = "@id(\"all\") permit (principal, action, resource in Host::\"api.example.org\") when {
        context has source_address && context.source_address.isInRange(ip(\"192.0.2.0/24\")) &&
        context has target_group && context.target_group == \"arn:x\"
    };";
    let options = [
        "--host",
        "API.example.org:443",
        "--source-address",
        "192.0.2.9",
        "--target-group",
        "arn:x",
    ];
    assert_eq!(folder.ask(all, &options).0, 0);
    for left_out in 0..3 {
        let mut fewer = options.to_vec();
        fewer.drain(left_out * 2..left_out * 2 + 2);
        assert_eq!(folder.ask(all, &fewer).0, 1, "{fewer:?}");
    }
}

#[test]
fn json_says_who_and_by_what() {
    let folder = Folder::new();
    let (code, text) = folder.ask(SALES, &["--path", "/orders", "--json"]);
    assert_eq!(code, 0, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["verdict"], "pass");
    assert_eq!(answer["policies"][0], "sales");
    assert_eq!(answer["client"]["subject"], "CN=client,OU=Sales,O=Example");

    let file = folder.path("asked.cedar");
    let answer: Value = serde_json::from_str(&alb_mtls_ok(&["policy", "check", &file, "--json"])).unwrap();
    assert_eq!(answer["policies"].as_array().unwrap().len(), 2);
    assert_eq!(answer["version"].as_str().unwrap().len(), 64);
}

/// The command that deploy/policies/pinned-keys.cedar tells.
#[test]
fn a_pin_made_with_openssl_lets_its_client_pass() {
    let folder = Folder::new();
    openssl_ok(
        folder.0.path(),
        &["x509", "-in", "chain.pem", "-pubkey", "-noout", "-out", "key.pem"],
    );
    let to_der = [
        "pkey", "-pubin", "-in", "key.pem", "-outform", "der", "-out", "key.der",
    ];
    assert!(openssl(folder.0.path(), &to_der).status.success());
    let digest = openssl_ok(folder.0.path(), &["dgst", "-sha256", "-r", "key.der"]);
    let pin = digest.split_whitespace().next().unwrap();
    let policies = format!(
        "@id(\"pin\") permit (principal is Client, action, resource) when {{ principal.public_key == PublicKey::\"{pin}\" }};"
    );
    assert_eq!(
        folder.ask(&policies, &[]),
        (0, "passes: permitted by `pin`\n".to_owned())
    );
}

#[test]
fn files_are_one_set_and_good_ones_are_listed() {
    let folder = Folder::new();
    let one = folder.file("one.cedar", "@id(\"one\") permit (principal, action, resource);");
    let two = folder.file("two.cedar", "permit (principal, action, resource);");
    let text = alb_mtls_ok(&["policy", "check", &one, &two]);
    assert_eq!(text, format!("2 policies fit the schema: `one`, `{two}:1`\n"));
    let error = alb_mtls_error(&["policy", "check", &one, &one]);
    assert!(error.contains("the id `one`"), "{error}");
    let lockdown = folder.file("lockdown.cedar", "forbid (principal, action, resource);");
    let text = alb_mtls_ok(&["policy", "check", &lockdown]);
    assert!(
        text.starts_with("warning: policies: there are prohibitions only"),
        "{text}"
    );
}

#[test]
fn broken_policies_are_told_by_file_line_and_column() {
    let folder = Folder::new();
    let file = folder.file(
        "a.cedar",
        "permit (principal is Client, action, resource)\n  when { principal.cn == \"x\" };",
    );
    let error = alb_mtls_error(&["policy", "check", &file]);
    assert!(
        error.starts_with(&format!("error: {file}:2:10: does not fit the schema: ")),
        "{error}"
    );
    let text = "permit (principal is Client, action, resource) when { principal.a };\n".repeat(2);
    let output = alb_mtls(&["policy", "check", &folder.file("b.cedar", &text)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).lines().count() >= 2, "{}", stderr(&output));
    assert!(
        stderr(&output).lines().all(|line| line.starts_with("error: ")),
        "{}",
        stderr(&output)
    );
}

#[test]
fn what_cannot_be_read_is_one_line_and_exit_2() {
    let folder = Folder::new();
    let policies = folder.file("all.cedar", "permit (principal, action, resource);");
    let (pem, anchors) = (folder.path("chain.pem"), folder.path("anchors.pem"));
    fs::write(folder.0.path().join("latin.cedar"), b"// \xfc\n").unwrap();
    let latin = folder.path("latin.cedar");
    for (arguments, part) in [
        (
            vec!["policy", "check", "/nonexistent/a.cedar"],
            "cannot read `/nonexistent/a.cedar`",
        ),
        (vec!["policy", "check", latin.as_str()], "is not text in UTF-8"),
        (
            vec![
                "policy",
                "check",
                &policies,
                "--pem",
                &policies,
                "--anchors",
                &anchors,
            ],
            "no certificate",
        ),
        (
            vec![
                "policy",
                "check",
                &policies,
                "--pem",
                &pem,
                "--anchors",
                &policies,
            ],
            "no certificate",
        ),
        (
            vec![
                "policy",
                "check",
                &policies,
                "--pem",
                &pem,
                "--anchors",
                "/nonexistent",
            ],
            "/nonexistent",
        ),
        (
            vec!["policy", "check", &policies, "--pem", &pem, "--anchors", &pem],
            "is not a CA certificate",
        ),
    ] {
        let error = alb_mtls_error(&arguments);
        assert!(error.contains(part), "{error}");
    }
    for arguments in [
        vec!["policy", "check"],
        vec!["policy", "check", &policies, "--pem", &pem],
        vec!["policy", "check", &policies, "--anchors", &anchors],
        vec!["policy", "check", &policies, "--path", "/x"],
        vec![
            "policy",
            "check",
            &policies,
            "--anonymous",
            "--pem",
            &pem,
            "--anchors",
            &anchors,
        ],
        vec!["policy", "check", &policies, "--anonymous", "--at", "yesterday"],
        vec![
            "policy",
            "check",
            &policies,
            "--anonymous",
            "--source-address",
            "10.0.0.0/8",
        ],
    ] {
        assert_eq!(alb_mtls(&arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn prints_the_schema() {
    let schema = alb_mtls_ok(&["policy", "schema"]);
    assert!(schema.contains("entity Client in [Anchor]"), "{schema}");
}

#[test]
fn policy_on_an_extension_needs_the_option_that_selects_it() {
    let folder = Folder::new();
    let policies = "@id(\"devices\") permit (principal is Client, action, resource)
        when { principal.hasTag(\"device_id\") };";
    let (code, text) = folder.ask(policies, &[]);
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("`device_id` is not an extension of MTLS_EXTENSIONS, which is not set"),
        "{text}"
    );
    let (code, text) = folder.ask(policies, &["--extensions", "device_id=1.3.6.1.4.1.99999.1"]);
    assert_eq!(
        (code, text.contains("policy_does_not_permit")),
        (1, true),
        "{text}"
    );
}
