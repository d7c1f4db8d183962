//! Mistakes that are easy to make, and the message that each one gets.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use tempfile::TempDir;

use crate::support::{alb_mtls, alb_mtls_error, openssl_ok, stderr};

/// A demo PKI in a folder; `path` returns the name of a file in it.
struct Demo(TempDir);

impl Demo {
    fn new() -> Self {
        let folder = Self(TempDir::new().unwrap());
        let output = alb_mtls(&["pki", "init", "--dir", &folder.path("")]);
        assert!(output.status.success(), "{}", stderr(&output));
        folder
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join("demo").join(name).to_str().unwrap().to_owned()
    }
}

#[test]
fn key_store_in_place_of_pem_is_named_with_the_command_that_converts_it() {
    let demo = Demo::new();
    let (anchors, store) = (demo.path("anchors.pem"), demo.path("good.p12"));
    let (good, key) = (demo.path("good.pem"), demo.path("good.key"));
    openssl_ok(
        demo.0.path(),
        &[
            "pkcs12", "-export", "-in", &good, "-inkey", &key, "-passout", "pass:x", "-out", &store,
        ],
    );
    for arguments in [
        ["verify", "--anchors", &anchors, "--pem", &store].as_slice(),
        &["verify", "--anchors", &store, "--pem", &good],
        &["event", "--pem", &store],
    ] {
        let error = alb_mtls_error(arguments);
        assert!(error.contains("PKCS #12 key store"), "{arguments:?}: {error}");
        assert!(error.contains("openssl pkcs12 -in FILE -nokeys"), "{error}");
    }
}

#[test]
fn anchors_and_client_in_the_place_of_each_other_are_named() {
    let demo = Demo::new();
    let (anchors, good) = (demo.path("anchors.pem"), demo.path("good.pem"));
    let error = alb_mtls_error(&["verify", "--anchors", &good, "--pem", &anchors]);
    assert!(
        error.ends_with(": give --anchors the CA and --pem the client"),
        "{error}"
    );
    // Only one of them is wrong: the message is about that one.
    let error = alb_mtls_error(&["verify", "--anchors", &good, "--pem", &good]);
    assert!(error.contains("is not a CA certificate"), "{error}");
}

#[test]
fn negative_days_are_named_with_what_to_use_for_an_expired_client() {
    let demo = Demo::new();
    let dir = demo.path("");
    for days in [["--days", "-1"].as_slice(), &["--days=-1"], &["--days", "0"]] {
        let mut arguments = vec!["pki", "issue", "--name", "late", "--dir", &dir];
        arguments.extend_from_slice(days);
        let output = alb_mtls(&arguments);
        assert_eq!(output.status.code(), Some(2));
        let error = stderr(&output);
        assert!(error.contains("it takes 1 to 36500 days from now"), "{error}");
        assert!(error.contains("expired.pem"), "{error}");
    }
    assert!(!fs::exists(demo.path("late.pem")).unwrap());
}

#[test]
fn doctor_names_files_that_it_does_not_read() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let several = file("several.yaml", "Resources: {}\n---\nResources: {}\n");
    let output = alb_mtls(&["doctor", &several]);
    assert_eq!(output.status.code(), Some(2));
    let error = stderr(&output);
    assert!(
        error.contains("contains 2 documents instead of one: put each template into a file of its own"),
        "{error}"
    );
    let terraform = file("main.tf", "resource \"aws_lb\" \"gate\" {}\n");
    let output = alb_mtls(&["doctor", &terraform]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stdout).contains("terraform show -json"));
}
