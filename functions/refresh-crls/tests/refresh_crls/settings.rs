//! Wrong settings stop the function at start.

use std::process::Command;

#[test]
fn wrong_settings_are_one_line_and_exit_code_2() {
    let good = [
        ("CRL_ANCHORS", "file:/anchors.pem"),
        ("CRL_SOURCES", "http://crl.example.com/root.crl"),
        ("CRL_DESTINATION", "s3://bucket/crls/"),
    ];
    for (name, value, expected) in [
        (
            "CRL_SOURCES",
            "ldap://x/y",
            "CRL_SOURCES holds `ldap://x/y`: it takes `http://`, `https://` and `s3://` URLs of CRLs; this one has the scheme `ldap:`, which is not fetched: name the CA's HTTP URL",
        ),
        (
            "CRL_SOURCES",
            "http://crl.example.com/a%20b.crl https://crl.example.com/a%20b.crl",
            "CRL_SOURCES holds `http://crl.example.com/a%20b.crl https://crl.example.com/a%20b.crl`: it takes different objects",
        ),
        (
            "CRL_DESTINATION",
            "bucket",
            "CRL_DESTINATION holds `bucket`: it takes a bucket and a prefix",
        ),
        (
            "CRL_SOURCE",
            "http://x/y",
            "CRL_SOURCE is not a setting: did you mean CRL_SOURCES?",
        ),
        (
            "CRL_TIMEOUT",
            "soon",
            "CRL_TIMEOUT holds `soon`: it takes a duration from `1s` to `5m`",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_refresh-crls"))
            .env_clear()
            .envs(good)
            .env(name, value)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_refresh-crls"))
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}
