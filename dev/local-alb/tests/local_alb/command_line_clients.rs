//! The clients that people try it with.

use std::path::{Path, PathBuf};
use std::process::Output;

use local_alb::{Listener, LocalAlb, TargetGroup, certificates_from_pem_file};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{NAME, Site, function_target, scripted_function};

/// A PKI as guides make it, with the openssl command line.
struct CommandLinePki {
    folder: TempDir,
}

impl CommandLinePki {
    async fn new() -> Self {
        let pki = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        pki.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-subj",
            "/CN=Command line CA",
            "-addext",
            "keyUsage=critical,keyCertSign",
        ])
        .await;
        for (name, usage) in [("server", "serverAuth"), ("client", "clientAuth")] {
            let (key, request, certificate) = (
                format!("{name}.key"),
                format!("{name}.csr"),
                format!("{name}.pem"),
            );
            pki.openssl(&[
                "req",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-keyout",
                &key,
                "-out",
                &request,
                "-subj",
                &format!("/CN={name}"),
                "-addext",
                &format!("extendedKeyUsage={usage}"),
                "-addext",
                "subjectAltName=DNS:localhost",
            ])
            .await;
            pki.openssl(&[
                "x509",
                "-req",
                "-in",
                &request,
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
                "-CAcreateserial",
                "-days",
                "1",
                "-copy_extensions",
                "copyall",
                "-out",
                &certificate,
            ])
            .await;
        }
        pki
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .await
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    async fn alb(&self) -> LocalAlb {
        let listener = Listener::from_pem_files(&self.path("server.pem"), &self.path("server.key")).unwrap();
        let group = TargetGroup::new(NAME, function_target(scripted_function()));
        LocalAlb::start(listener, vec![group]).await.unwrap()
    }

    async fn curl(&self, alb: &LocalAlb, arguments: &[&str]) -> Output {
        Command::new("curl")
            .args(["--silent", "--show-error", "--cacert", "ca.pem"])
            .args(arguments)
            .arg(format!("https://localhost:{}/a?b=c", alb.address().port()))
            .current_dir(self.folder.path())
            .output()
            .await
            .unwrap()
    }
}

fn event(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    shown["event"].clone()
}

#[tokio::test]
async fn curl_gets_in_with_a_certificate_over_both_versions_of_http() {
    let pki = CommandLinePki::new().await;
    let alb = pki.alb().await;
    // OpenSSL completes the chain from the authorities that curl trusts, up to the root.
    let presented = ["client.pem", "ca.pem"].map(|name| certificates_from_pem_file(&pki.path(name)).unwrap());
    for version in ["--http1.1", "--http2"] {
        let output = pki
            .curl(&alb, &[version, "--cert", "client.pem", "--key", "client.key"])
            .await;
        let event = event(&output);
        assert_eq!(event["path"], "/a");
        assert_eq!(
            event["headers"]["host"],
            format!("localhost:{}", alb.address().port())
        );
        assert_eq!(
            event["headers"]["x-amzn-mtls-clientcert"],
            local_alb::passthrough_header(&presented.concat())
        );
    }
}

#[tokio::test]
async fn curl_gets_in_without_a_certificate() {
    let pki = CommandLinePki::new().await;
    let alb = pki.alb().await;
    let event = event(&pki.curl(&alb, &[]).await);
    assert!(event["headers"].get("x-amzn-mtls-clientcert").is_none());
}

#[tokio::test]
async fn openssl_sees_a_request_for_any_certificate_and_no_ticket() {
    let pki = CommandLinePki::new().await;
    let alb = pki.alb().await;
    let output = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            &alb.address().to_string(),
            "-CAfile",
            "ca.pem",
        ])
        .args([
            "-servername",
            "localhost",
            "-cert",
            "client.pem",
            "-key",
            "client.key",
            "-alpn",
            "h2,http/1.1",
        ])
        .current_dir(pki.folder.path())
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Verify return code: 0 (ok)"), "{text}");
    assert!(text.contains("No client certificate CA names sent"), "{text}");
    assert!(text.contains("ALPN protocol: h2"), "{text}");
    assert!(!text.contains("New Session Ticket arrived"), "{text}");
}

#[tokio::test]
async fn a_pem_file_that_cannot_be_used_is_named() {
    let pki = CommandLinePki::new().await;
    let missing = Path::new("/nonexistent/server.pem");
    let error = Listener::from_pem_files(missing, &pki.path("server.key")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("certificate from `/nonexistent/server.pem`"),
        "{error}"
    );
    let error = Listener::from_pem_files(&pki.path("server.pem"), &pki.path("ca.pem")).unwrap_err();
    assert!(error.to_string().contains("private key from `"), "{error}");
    assert!(
        error.to_string().contains("the file does not contain one"),
        "{error}"
    );
    // The authority's certificate is not the server's.
    let listener = Listener::from_pem_files(&pki.path("ca.pem"), &pki.path("server.key")).unwrap();
    let group = TargetGroup::new(NAME, function_target(scripted_function()));
    let error = LocalAlb::start(listener, vec![group]).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("server certificate or its private key"),
        "{error}"
    );
}

#[tokio::test]
async fn plain_http_is_refused() {
    let site = Site::start().await;
    assert!(!site.server_authority().is_empty());
    let output = Command::new("curl")
        .args(["--silent", "--http1.1", &format!("http://{}", site.alb.address())])
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
}
