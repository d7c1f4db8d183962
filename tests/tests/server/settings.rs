//! Settings that the server does not start with.

use std::process::Command;

use alb_mtls_tests::{Clients, SECRET_HEADER, binary};

/// Starts the server, which must not start, and returns its one line.
fn error(variables: &[(&str, &str)]) -> String {
    let usual = [
        ("MTLS_ANCHORS", "file:/nowhere"),
        ("MTLS_HEADER", SECRET_HEADER),
        ("MTLS_PEERS", "10.0.0.0/16"),
        ("FORWARD_UPSTREAM", "http://127.0.0.1:9"),
    ];
    let usual = usual
        .iter()
        .filter(|(name, _)| variables.iter().all(|(other, _)| other != name));
    let all = usual.chain(variables).filter(|(_, value)| *value != "UNSET");
    let output = Command::new("timeout")
        .arg("10")
        .arg(binary("alb-mtls-server"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .envs(all.copied())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{variables:?}: {error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn wrong_settings_are_one_line_each() {
    for (name, value, words) in [
        ("SERVER_LISTEN", "8080", "an IP address and a port"),
        ("SERVER_LISTEN", "localhost:8080", "an IP address and a port"),
        ("SERVER_LISTEN", "unix:/run/a.sock", "connects over TCP"),
        (
            "SERVER_LISTEN",
            "off",
            "an address while SERVER_AUTHORIZE_LISTEN is `off`",
        ),
        (
            "SERVER_AUTHORIZE_LISTEN",
            "unix:a.sock",
            "the whole path of a socket",
        ),
        ("SERVER_AUTHORIZE_LISTEN", "unix:/", "the whole path of a socket"),
        (
            "SERVER_AUTHORIZE_PEERS",
            "127.0.0.1",
            "has no effect without SERVER_AUTHORIZE_LISTEN",
        ),
        (
            "SERVER_ALLOW_DEFAULT_HEADER",
            "true",
            "has no effect without the default name",
        ),
        ("SERVER_ALLOW_DEFAULT_HEADER", "yes", "`false`, `true`"),
        (
            "SERVER_AUTHORIZE_IDENTITY",
            "assertions",
            "has no effect without SERVER_AUTHORIZE_LISTEN",
        ),
        ("SERVER_MAX_CONNECTIONS", "0", "a number from 1"),
        ("SERVER_HEADER_TIMEOUT", "0s", "a duration"),
        ("SERVER_IDLE_TIMEOUT", "75", "a duration"),
        ("SERVER_MAX_HEADERS", "8191", "a number from 8192"),
        ("SERVER_DRAIN", "2h", "a duration"),
        ("SERVER_LISTENS", "off", "did you mean SERVER_LISTEN?"),
        (
            "MTLS_PEERS",
            "UNSET",
            "MTLS_PEERS is not set: networks of the load balancer's subnets",
        ),
        ("MTLS_PEERS", "10.0.0.1/16", "`10.0.0.0/16`"),
        (
            "MTLS_TARGET_GROUPS",
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate/*",
            "has no effect without Lambda events",
        ),
        ("MTLS_HEADER", "UNSET", "SERVER_ALLOW_DEFAULT_HEADER=true"),
        (
            "MTLS_HEADER",
            "X-Amzn-Mtls-Clientcert",
            "a name that only you know",
        ),
    ] {
        let error = error(&[(name, value)]);
        let starts = error.starts_with(&name[..name.len().min(error.len())]);
        assert!(starts && error.contains(words), "{name}={value}: {error}");
    }
    let line = error(&[
        ("SERVER_AUTHORIZE_LISTEN", "127.0.0.1:0"),
        ("SERVER_AUTHORIZE_IDENTITY", "assertions"),
    ]);
    assert!(line.contains("it takes `verify-mode`"), "{line}");
    let error = error(&[("MTLS_HEADER", "UNSET"), ("MTLS_HEADER_FORMAT", "rfc9440")]);
    assert!(error.starts_with("MTLS_HEADER holds `client-cert`"), "{error}");
}

#[test]
fn settings_without_effect_are_refused() {
    const OFF: (&str, &str) = ("SERVER_LISTEN", "off");
    const AUTHORIZE: (&str, &str) = ("SERVER_AUTHORIZE_LISTEN", "127.0.0.1:0");
    const NO_UPSTREAM: (&str, &str) = ("FORWARD_UPSTREAM", "UNSET");
    let line = error(&[OFF, AUTHORIZE]);
    assert_eq!(line, "FORWARD_UPSTREAM has no effect without SERVER_LISTEN\n");
    let line = error(&[OFF, AUTHORIZE, NO_UPSTREAM, ("SERVER_MAX_BODY", "1024")]);
    assert_eq!(line, "SERVER_MAX_BODY has no effect without SERVER_LISTEN\n");
    let line = error(&[OFF, AUTHORIZE, NO_UPSTREAM]);
    assert!(
        line.starts_with("MTLS_PEERS has no effect without SERVER_LISTEN"),
        "{line}"
    );
    let line = error(&[
        ("SERVER_AUTHORIZE_LISTEN", "unix:/run/a.sock"),
        ("SERVER_AUTHORIZE_PEERS", "any"),
    ]);
    assert!(
        line.starts_with("SERVER_AUTHORIZE_PEERS has no effect without TCP"),
        "{line}"
    );
}

#[test]
fn functions_refuse_peers() {
    for function in ["respond", "forward", "authorize", "alb-mtls-layer"] {
        let mut command = Command::new(binary(function));
        if function == "alb-mtls-layer" {
            command.arg("/bin/true");
        }
        let output = command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")
            .env("FORWARD_UPSTREAM", "http://127.0.0.1:9")
            .env("MTLS_ANCHORS", "file:/nowhere")
            .env("MTLS_PEERS", "10.0.0.0/16")
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            error.contains("MTLS_PEERS has no effect without TCP peers, which a Lambda event does not name"),
            "{function}: {error}"
        );
        assert!(!output.status.success(), "{function}");
    }
}

#[test]
fn version_and_help_need_no_settings() {
    for (argument, words) in [
        ("--version", "alb-mtls-server "),
        ("--help", "SERVER_AUTHORIZE_LISTEN (`off`)"),
    ] {
        let output = Command::new(binary("alb-mtls-server"))
            .arg(argument)
            .env_clear()
            .output()
            .unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains(words));
    }
}

#[tokio::test]
async fn default_header_starts_when_allowed() {
    let clients = Clients::new();
    let variables = [
        ("MTLS_HEADER", "x-amzn-mtls-clientcert"),
        ("SERVER_ALLOW_DEFAULT_HEADER", "true"),
    ];
    let mut server = alb_mtls_tests::Server::authorizing(&clients, &variables).await;
    server
        .line_where(|line| line["kind"] == "default_certificate_header")
        .await;
}
