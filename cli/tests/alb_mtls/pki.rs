//! `alb-mtls pki`, judged by openssl.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::LazyLock;

use crate::support::{alb_mtls, alb_mtls_error, alb_mtls_ok, openssl, openssl_ok, stderr};
use tempfile::TempDir;

/// Demo PKI for all tests that only read it.
static DEMO: LazyLock<TempDir> = LazyLock::new(|| {
    let directory = TempDir::new().unwrap();
    init(directory.path(), &[]);
    directory
});

fn init(directory: &Path, options: &[&str]) -> String {
    let mut arguments = vec!["pki", "init", "--dir", directory.to_str().unwrap()];
    arguments.extend(options);
    alb_mtls_ok(&arguments)
}

fn contents(directory: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read_to_string(entry.path()).unwrap(),
            )
        })
        .collect()
}

/// openssl's verdict on what a client sends: `Ok`, or its words for what is wrong.
fn verdict(directory: &Path, client: &str) -> Result<(), String> {
    let file = format!("{client}.pem");
    let output = openssl(
        directory,
        &[
            "verify",
            "-x509_strict",
            "-purpose",
            "sslclient",
            "-CAfile",
            "anchors.pem",
            "-untrusted",
            &file,
            &file,
        ],
    );
    if output.status.success() {
        Ok(())
    } else {
        Err(stderr(&output))
    }
}

#[test]
fn good_clients_verify_below_the_anchors() {
    for client in ["good", "p384", "p521", "rsa-2048", "rsa-4096"] {
        assert_eq!(verdict(DEMO.path(), client), Ok(()), "{client}");
    }
}

#[test]
fn each_bad_client_is_bad_in_its_own_way() {
    for (client, reason) in [
        ("expired", "certificate has expired"),
        ("not-yet-valid", "certificate is not yet valid"),
        ("foreign-ca", "unable to get local issuer certificate"),
        ("server-only", "unsuitable certificate purpose"),
        ("self-signed", "self-signed certificate"),
        ("no-intermediate", "unable to get local issuer certificate"),
    ] {
        let error = verdict(DEMO.path(), client).expect_err(client);
        assert!(error.contains(reason), "{client}: {error}");
    }
}

#[test]
fn a_client_that_sends_only_its_leaf_is_good_otherwise() {
    openssl_ok(
        DEMO.path(),
        &[
            "verify",
            "-purpose",
            "sslclient",
            "-CAfile",
            "anchors.pem",
            "-untrusted",
            "issuing-ca.pem",
            "no-intermediate.pem",
        ],
    );
}

#[test]
fn the_server_certificate_is_for_this_machine() {
    for name in [["-verify_hostname", "localhost"], ["-verify_ip", "127.0.0.1"]] {
        let mut arguments = vec![
            "verify",
            "-x509_strict",
            "-purpose",
            "sslserver",
            "-CAfile",
            "server-ca.pem",
        ];
        arguments.extend(name);
        arguments.push("server.pem");
        openssl_ok(DEMO.path(), &arguments);
    }
}

#[test]
fn every_certificate_has_its_private_key_beside_it() {
    let files = contents(DEMO.path());
    let keys: Vec<&str> = files
        .keys()
        .filter_map(|name| name.strip_suffix(".key"))
        .collect();
    assert_eq!(keys.len(), 14, "{keys:?}");
    for name in keys {
        let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
        assert_eq!(
            openssl_ok(DEMO.path(), &["x509", "-in", &certificate, "-noout", "-pubkey"]),
            openssl_ok(DEMO.path(), &["pkey", "-in", &key, "-pubout"]),
            "{name}"
        );
    }
}

#[test]
fn keys_are_of_the_kind_that_they_are_named_after() {
    for (name, kind) in [
        ("good", "(256 bit)"),
        ("p384", "(384 bit)"),
        ("p521", "(521 bit)"),
        ("rsa-2048", "(2048 bit)"),
        ("rsa-4096", "(4096 bit)"),
    ] {
        let file = format!("{name}.pem");
        let text = openssl_ok(DEMO.path(), &["x509", "-in", &file, "-noout", "-text"]);
        assert!(text.contains(&format!("Public-Key: {kind}")), "{name}: {text}");
    }
}

#[test]
fn only_the_owner_can_read_private_keys() {
    for (name, content) in contents(DEMO.path()) {
        let mode = fs::metadata(DEMO.path().join(&name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777;
        let is_private = content.contains("PRIVATE KEY");
        assert_eq!(is_private, name.ends_with(".key"), "{name}");
        if is_private {
            assert_eq!(mode, 0o600, "{name}");
        }
    }
}

#[test]
fn clients_send_their_issuing_authority_and_never_the_root() {
    for (name, certificates) in [
        ("good", 2),
        ("foreign-ca", 2),
        ("self-signed", 1),
        ("no-intermediate", 1),
    ] {
        let content = fs::read_to_string(DEMO.path().join(format!("{name}.pem"))).unwrap();
        assert_eq!(
            content.matches("BEGIN CERTIFICATE").count(),
            certificates,
            "{name}"
        );
    }
}

#[test]
fn a_second_init_changes_nothing_and_says_so() {
    let before = contents(DEMO.path());
    let told = init(DEMO.path(), &[]);
    assert!(told.contains("exists and is kept"), "{told}");
    assert_eq!(contents(DEMO.path()), before);
}

#[test]
fn lists_every_file_that_it_makes() {
    let directory = TempDir::new().unwrap();
    let told = init(directory.path(), &[]);
    for name in contents(directory.path()).keys() {
        assert!(told.contains(name), "{name} is not in:\n{told}");
    }
}

#[test]
fn an_incomplete_directory_is_an_error_until_forced() {
    let directory = TempDir::new().unwrap();
    init(directory.path(), &[]);
    let before = contents(directory.path());
    fs::remove_file(directory.path().join("p384.key")).unwrap();

    let path = directory.path().to_str().unwrap();
    let error = alb_mtls_error(&["pki", "init", "--dir", path]);
    let expected = format!(
        "error: the demo PKI in `{path}` is not complete, `p384.key` is missing: replace it with --force"
    );
    assert_eq!(error, expected);

    init(directory.path(), &["--force"]);
    let after = contents(directory.path());
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>()
    );
    assert!(
        before
            .iter()
            .all(|(name, content)| after.get(name) != Some(content)),
        "a file stayed the same"
    );
}

#[test]
fn an_expired_demo_is_an_error() {
    let directory = TempDir::new().unwrap();
    init(directory.path(), &[]);
    fs::copy(
        directory.path().join("expired.pem"),
        directory.path().join("good.pem"),
    )
    .unwrap();
    let error = alb_mtls_error(&["pki", "init", "--dir", directory.path().to_str().unwrap()]);
    assert!(
        error.contains("has expired (`good.pem`): replace it with --force"),
        "{error}"
    );
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = alb_mtls_error(&["pki", "init", "--dir", file.to_str().unwrap()]);
    assert!(
        error.starts_with(&format!(
            "error: cannot create the directory `{}`",
            file.display()
        )),
        "{error}"
    );
}

#[test]
fn issues_one_more_client() {
    let directory = TempDir::new().unwrap();
    init(directory.path(), &[]);
    let path = directory.path().to_str().unwrap();
    let told = alb_mtls_ok(&[
        "pki",
        "issue",
        "--dir",
        path,
        "--name",
        "worker.1",
        "--subject",
        "CN=worker,OU=Batch,O=Example",
        "--dns",
        "worker.example.org",
        "--uri",
        "spiffe://example.org/worker",
        "--email",
        "worker@example.org",
        "--ip",
        "192.0.2.7",
        "--days",
        "2",
        "--key",
        "p384",
    ]);
    assert!(told.contains("worker.1.pem, worker.1.key"), "{told}");
    assert_eq!(verdict(directory.path(), "worker.1"), Ok(()));

    let text = openssl_ok(
        directory.path(),
        &["x509", "-in", "worker.1.pem", "-noout", "-text"],
    );
    assert!(
        text.contains("Subject: O = Example, OU = Batch, CN = worker\n"),
        "{text}"
    );
    assert!(text.contains("Public-Key: (384 bit)"), "{text}");
    for name in [
        "DNS:worker.example.org",
        "URI:spiffe://example.org/worker",
        "email:worker@example.org",
        "IP Address:192.0.2.7",
    ] {
        assert!(text.contains(name), "{name}: {text}");
    }
    let day = 24 * 60 * 60;
    let ends_within = |seconds: u32| {
        openssl(
            directory.path(),
            &["x509", "-in", "worker.1.pem", "-checkend", &seconds.to_string()],
        )
    };
    assert!(ends_within(day).status.success(), "it ends within a day");
    assert!(
        !ends_within(3 * day).status.success(),
        "it does not end within three days"
    );

    let mode = fs::metadata(directory.path().join("worker.1.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    let error = alb_mtls_error(&["pki", "issue", "--dir", path, "--name", "worker.1"]);
    assert!(
        error.ends_with("exists already: choose another --name"),
        "{error}"
    );
}

#[test]
fn issues_nothing_from_what_is_wrong() {
    let path = DEMO.path().to_str().unwrap();
    let before = contents(DEMO.path());

    let error = alb_mtls_error(&["pki", "issue", "--dir", "no-such", "--name", "x"]);
    assert!(error.contains("cannot read `no-such/issuing-ca.pem`"), "{error}");
    assert!(
        error.ends_with("`alb-mtls pki init --dir no-such` makes the demo PKI"),
        "{error}"
    );

    let error = alb_mtls_error(&[
        "pki",
        "issue",
        "--dir",
        path,
        "--name",
        "x",
        "--subject",
        "worker",
    ]);
    assert!(error.contains("`worker` is not a distinguished name"), "{error}");

    let error = alb_mtls_error(&[
        "pki",
        "issue",
        "--dir",
        path,
        "--name",
        "x",
        "--dns",
        "bücher.example",
    ]);
    assert!(error.contains("`bücher.example` is not a DNS name"), "{error}");

    for usage in [
        ["--name", "../x", "--days", "1"],
        ["--name", ".x", "--days", "1"],
        ["--name", "", "--days", "1"],
        ["--name", "x", "--days", "0"],
        ["--name", "x", "--days", "ten"],
        ["--name", "x", "--key", "p192"],
    ] {
        let mut arguments = vec!["pki", "issue", "--dir", path];
        arguments.extend(usage);
        assert_eq!(alb_mtls(&arguments).status.code(), Some(2), "{usage:?}");
    }
    assert_eq!(contents(DEMO.path()), before);
}

/// openssl's verdict on a client with the CRLs of both levels.
fn verdict_with_crls(directory: &Path, client: &str) -> Result<(), String> {
    let crls = ["client-root.crl.pem", "issuing-ca.crl.pem"]
        .map(|name| fs::read_to_string(directory.join(name)).unwrap());
    fs::write(directory.join("all.crl.pem"), crls.concat()).unwrap();
    let file = format!("{client}.pem");
    let arguments = [
        "verify",
        "-crl_check_all",
        "-CRLfile",
        "all.crl.pem",
        "-CAfile",
        "anchors.pem",
        "-untrusted",
        &file,
        &file,
    ];
    let output = openssl(directory, &arguments);
    if output.status.success() {
        Ok(())
    } else {
        Err(stderr(&output))
    }
}

#[test]
fn revokes_a_client_and_no_other() {
    let directory = TempDir::new().unwrap();
    init(directory.path(), &[]);
    let dir = directory.path().to_str().unwrap();
    assert!(
        verdict_with_crls(directory.path(), "revoked")
            .unwrap_err()
            .contains("certificate revoked")
    );
    verdict_with_crls(directory.path(), "p384").unwrap();
    alb_mtls_ok(&["pki", "revoke", "--dir", dir, "--name", "p384"]);
    assert!(
        verdict_with_crls(directory.path(), "p384")
            .unwrap_err()
            .contains("certificate revoked")
    );
    verdict_with_crls(directory.path(), "good").unwrap();
    assert!(
        verdict_with_crls(directory.path(), "revoked").is_err(),
        "an earlier revocation stays"
    );
}

#[test]
fn says_why_a_client_cannot_be_revoked() {
    let directory = TempDir::new().unwrap();
    let dir = directory.path().to_str().unwrap();
    assert!(alb_mtls_error(&["pki", "revoke", "--dir", dir, "--name", "good"]).contains("pki init"));
    init(directory.path(), &[]);
    for (name, words) in [
        ("revoked", "is revoked already"),
        ("foreign-ca", "was not issued by the demo's issuing CA"),
        ("nobody", "nobody.pem"),
    ] {
        let error = alb_mtls_error(&["pki", "revoke", "--dir", dir, "--name", name]);
        assert!(error.contains(words), "{name}: {error}");
    }
}

#[test]
fn ml_dsa_authorities_issue_clients_that_verify_accepts() {
    let directory = TempDir::new().unwrap();
    init(directory.path(), &["--ca-key", "ml-dsa-65"]);
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    alb_mtls_ok(&[
        "pki",
        "issue",
        "--dir",
        directory.path().to_str().unwrap(),
        "--name",
        "worker",
    ]);
    let crls =
        ["client-root.crl.pem", "issuing-ca.crl.pem"].map(|name| fs::read_to_string(path(name)).unwrap());
    fs::write(path("crls.pem"), crls.concat()).unwrap();
    let verify = |client: &str, more: &[&str]| {
        let (anchors, chain, crls) = (path("anchors.pem"), path(client), path("crls.pem"));
        let arguments = ["verify", "--anchors", &anchors, "--pem", &chain, "--crls", &crls];
        alb_mtls(&[&arguments, more].concat())
    };
    for client in ["good.pem", "worker.pem"] {
        let output = verify(client, &[]);
        assert!(output.status.success(), "{client}: {}", stderr(&output));
    }
    let output = verify("revoked.pem", &[]);
    assert_eq!(output.status.code(), Some(1));

    let output = verify(
        "good.pem",
        &["--signatures", "ml-dsa-87 ecdsa-p384-sha384", "--json"],
    );
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("\"signature_not_allowed\"") && text.contains("ml-dsa-65"),
        "{text}"
    );
    assert!(
        text.contains("MTLS_SIGNATURES=ecdsa-p384-sha384 ml-dsa-87"),
        "{text}"
    );
    let output = verify("good.pem", &["--signatures", "ml-dsa"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("`ml-dsa-65`"), "{}", stderr(&output));
}
