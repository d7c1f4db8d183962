//! `alb-mtls probe` against gates that are right, wrong and missing, and against what is not a
//! load balancer.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_mtls_tests::upstream::{Recorder, Reply};
use alb_mtls_tests::{Clients, binary, project};
use local_alb::{
    ClientCertificateHeaderCopies, FunctionCommand, FunctionOutput, HeaderMode, Listener, LocalAlb,
    MutualAuthentication, Target, TargetGroup,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;

const STRIP: ClientCertificateHeaderCopies = ClientCertificateHeaderCopies::Strip;
const PASS_ON: ClientCertificateHeaderCopies = ClientCertificateHeaderCopies::PassOn;

/// A load balancer on this machine, and the files of its clients.
struct Site {
    clients: Clients,
    alb: LocalAlb,
    header: String,
}

impl Site {
    /// Starts `respond` with these variables beside the anchors and the name of the header.
    async fn gate(copies: ClientCertificateHeaderCopies, variables: &[(&str, &str)]) -> Self {
        Self::gate_with_header(copies, variables, Listener::new_header_name().as_str()).await
    }

    async fn gate_with_header(
        copies: ClientCertificateHeaderCopies,
        variables: &[(&str, &str)],
        header: &str,
    ) -> Self {
        let clients = Clients::new();
        let mut command = FunctionCommand::new(binary("respond"))
            .variable("MTLS_ANCHORS", clients.anchors_source())
            .variable("MTLS_HEADER", header)
            .output(FunctionOutput::Discard);
        for (name, value) in variables {
            let value = value.replace("FOLDER", &clients.directory().display().to_string());
            command = command.variable(*name, value);
        }
        std::fs::write(clients.directory().join("issuing.pem"), clients.issuing.pem()).unwrap();
        let target = Target::Function {
            command,
            concurrency: 1.try_into().unwrap(),
        };
        Self::start(clients, target, copies, header, None).await
    }

    async fn start(
        clients: Clients,
        target: Target,
        copies: ClientCertificateHeaderCopies,
        header: &str,
        mode: Option<MutualAuthentication>,
    ) -> Self {
        clients.write_client("good", &clients.good);
        clients.write_client("expired", &clients.expired());
        let (listener, _) = clients.listener(copies);
        let mut listener = listener.certificate_header(header.parse().unwrap());
        if let Some(mode) = mode {
            listener = listener.mode(mode);
        }
        let group = TargetGroup::new("gate", target).header_mode(HeaderMode::MultiValue);
        Self {
            alb: LocalAlb::start(listener, vec![group]).await.unwrap(),
            clients,
            header: header.to_owned(),
        }
    }

    /// Runs the probe with the valid client and these options.
    async fn probe(&self, options: &[&str]) -> Output {
        probe(&self.clients, self.alb.address(), options).await
    }

    async fn report(&self, options: &[&str]) -> Report {
        Report::read(&self.probe(&[&["--json"], options].concat()).await)
    }
}

/// Probes `https://localhost/` at an address, which `--connect-to` leads to.
async fn probe(clients: &Clients, address: SocketAddr, options: &[&str]) -> Output {
    if !clients.directory().join("good.pem").exists() {
        clients.write_client("good", &clients.good);
    }
    let file = |name: &str| clients.directory().join(name);
    tokio::process::Command::new(binary("alb-mtls"))
        .args(["probe", "https://localhost/", "--connect-to"])
        .arg(format!("localhost:443:127.0.0.1:{}", address.port()))
        .arg("--cert")
        .arg(file("good.pem"))
        .arg("--key")
        .arg(file("good.key"))
        .arg("--cacert")
        .arg(file("server-ca.pem"))
        .args(options)
        .current_dir(clients.directory())
        .output()
        .await
        .unwrap()
}

/// The JSON of a run.
#[derive(Debug)]
struct Report {
    code: Option<i32>,
    json: Value,
}

impl Report {
    fn read(output: &Output) -> Self {
        let errors = String::from_utf8_lossy(&output.stderr);
        let json = serde_json::from_slice(&output.stdout);
        Self {
            code: output.status.code(),
            json: json.unwrap_or_else(|error| panic!("{error}: {errors}")),
        }
    }

    /// Returns the findings as `CHECK: FINDING`.
    fn findings(&self) -> Vec<String> {
        let checks = self.json["checks"].as_array().unwrap().iter();
        checks
            .filter(|check| check["result"] == "finding")
            .map(|check| {
                for words in ["meaning", "remedy", "seen"] {
                    assert!(check[words].as_str().unwrap().len() > 10, "{check}");
                }
                format!(
                    "{}: {}",
                    check["check"].as_str().unwrap(),
                    check["finding"].as_str().unwrap()
                )
            })
            .collect()
    }

    fn check(&self, name: &str) -> &Value {
        let mut checks = self.json["checks"].as_array().unwrap().iter();
        checks
            .find(|check| check["check"] == name)
            .unwrap_or_else(|| panic!("{name} is not in {}", self.json))
    }

    fn fact(&self, name: &str) -> &str {
        let mut facts = self.json["facts"].as_array().unwrap().iter();
        let fact = facts.find(|fact| fact["name"] == name);
        fact.unwrap_or_else(|| panic!("{name} is not in {}", self.json))["status"]
            .as_str()
            .unwrap()
    }
}

/// Checks that a client without a right to anything must fail.
const WRONG_CLIENTS: [&str; 7] = [
    "no-certificate",
    "unknown-ca",
    "self-signed",
    "impostor",
    "expired",
    "forged-header",
    "forged-identity",
];

#[tokio::test]
async fn right_gate_has_no_findings() {
    let site = Site::gate(STRIP, &[]).await;
    let refused = ["--refused-cert", "expired.pem", "--refused-key", "expired.key"];
    let report = site
        .report(&[&refused[..], &["--header", &site.header]].concat())
        .await;
    assert_eq!((report.code, report.findings()), (Some(0), vec![]), "{report:?}");
    assert_eq!(report.json["answer"], "as_expected");
    for name in WRONG_CLIENTS.iter().chain(&["valid", "leaf-only", "refused-1"]) {
        assert_eq!(report.check(name)["result"], "as_expected", "{name}");
    }
    for name in ["own-copy-without-certificate", "own-copy-beside-certificate"] {
        assert_eq!(report.fact(name), "confirmed", "{name}");
    }
    assert_eq!(report.fact("equals-sign"), "cannot_be_seen");
    assert_page_has_facts(&report);
    // The load balancer of this machine takes it, and AWS's does not.
    assert_eq!(report.fact("no-ed25519"), "refuted");
}

/// Checks that the table of facts in `docs/probe.md` is the one of a report.
fn assert_page_has_facts(report: &Report) {
    let path = project().join("docs/probe.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("<!-- facts -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /facts -->").unwrap();
    let rows = report.json["facts"].as_array().unwrap().iter().map(|fact| {
        let word = |name: &str| fact[name].as_str().unwrap();
        format!("| `{}` | {} |\n", word("name"), word("statement"))
    });
    let table = format!(
        "| fact | statement |\n| --- | --- |\n{}",
        rows.collect::<String>()
    );
    let expected = format!("{before}<!-- facts -->\n{table}<!-- /facts -->{after}");
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, expected).unwrap();
        return;
    }
    assert!(
        page == expected,
        "`make readme` writes the table of docs/probe.md"
    );
}

/// Runs the block of `docs/probe.md` for this machine, with a free port.
#[test]
fn commands_of_the_page_find_nothing_on_this_machine() {
    let page = std::fs::read_to_string(project().join("docs/probe.md")).unwrap();
    let block = page
        .split("<!-- tested by tests/tests/operations/probe.rs -->\n```sh\n")
        .nth(1)
        .unwrap();
    let block = block.split_once("```").unwrap().0;
    let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    drop(socket);
    let script = format!("trap 'kill $(jobs -p)' EXIT\n{}", block.replace("8443", &port));
    let folder = tempfile::tempdir().unwrap();
    let (is_success, text) = crate::guides::run(&script, folder.path(), &[], &[]);
    assert!(is_success && text.contains("no findings"), "{text}");
}

#[tokio::test]
async fn renamed_header_that_is_passed_on_is_found_only_when_it_is_told() {
    let site = Site::gate(PASS_ON, &[]).await;
    let report = site.report(&[]).await;
    assert_eq!((report.code, report.findings()), (Some(0), vec![]), "{report:?}");
    assert_eq!(report.check("forged-renamed-header")["result"], "not_tried");
    assert_eq!(report.fact("own-copy-without-certificate"), "cannot_be_seen");

    let output = site.probe(&["--header", &site.header]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains(&site.header), "{text}");
    let report = site.report(&["--header", &site.header]).await;
    assert_eq!(report.code, Some(1));
    assert_eq!(report.findings(), ["forged-renamed-header: allowed"]);
    for name in ["own-copy-without-certificate", "own-copy-beside-certificate"] {
        assert_eq!(report.fact(name), "refuted", "{name}");
    }
}

#[tokio::test]
async fn default_header_that_is_passed_on_is_found() {
    let site = Site::gate_with_header(PASS_ON, &[], "x-amzn-mtls-clientcert").await;
    let report = site.report(&[]).await;
    assert_eq!(report.code, Some(1));
    assert_eq!(report.findings(), ["forged-header: allowed"]);
    assert_eq!(report.fact("own-copy-without-certificate"), "refuted");
}

#[tokio::test]
async fn report_mode_is_found() {
    let site = Site::gate(STRIP, &[("MTLS_MODE", "report")]).await;
    let refused = ["--refused-cert", "expired.pem", "--refused-key", "expired.key"];
    let report = site.report(&refused).await;
    assert_eq!(report.code, Some(1));
    for name in WRONG_CLIENTS.iter().chain(&["refused-1"]) {
        assert!(
            report.findings().contains(&format!("{name}: allowed")),
            "{report:?}"
        );
    }
    let meaning = report.check("no-certificate")["meaning"].as_str().unwrap();
    assert!(meaning.contains("`report`"), "{meaning}");
    // A gate that denies no client shows nothing about copies.
    assert_eq!(report.fact("own-copy-without-certificate"), "cannot_be_seen");
}

#[tokio::test]
async fn optional_mode_is_right_only_when_it_is_meant() {
    let site = Site::gate(PASS_ON, &[("MTLS_MODE", "optional")]).await;
    let report = site.report(&[]).await;
    assert_eq!(report.code, Some(1));
    assert!(report.findings().contains(&"no-certificate: allowed".to_owned()));
    assert!(!report.findings().contains(&"unknown-ca: allowed".to_owned()));
    let report = site.report(&["--anonymous"]).await;
    assert_eq!((report.code, report.findings()), (Some(0), vec![]), "{report:?}");
    // Under the name that the gate reads, the copy is a client and not anonymous.
    let report = site.report(&["--anonymous", "--header", &site.header]).await;
    assert_eq!(report.findings(), ["forged-renamed-header: allowed"]);
}

#[tokio::test]
async fn listener_without_a_gate_is_found() {
    let upstream = Recorder::start([Reply::ok()]).await;
    let site = Site::start(
        Clients::new(),
        Target::Http(upstream.address()),
        STRIP,
        "x-other",
        None,
    )
    .await;
    let report = site.report(&[]).await;
    assert_eq!(report.code, Some(1));
    for name in WRONG_CLIENTS {
        assert!(
            report.findings().contains(&format!("{name}: allowed")),
            "{report:?}"
        );
    }
}

#[tokio::test]
async fn denial_of_the_service_behind_is_not_one_of_the_gate() {
    let reply = Reply::text("HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno");
    let upstream = Recorder::start([reply]).await;
    let site = Site::start(
        Clients::new(),
        Target::Http(upstream.address()),
        STRIP,
        "x-other",
        None,
    )
    .await;
    let report = site.report(&["--accepted", "401"]).await;
    assert_eq!(report.code, Some(1));
    assert!(
        report.findings().contains(&"unknown-ca: not-the-gate".to_owned()),
        "{report:?}"
    );
    let report = site.report(&[]).await;
    assert!(
        report.findings().contains(&"valid: unexpected-status".to_owned()),
        "{report:?}"
    );
}

#[tokio::test]
async fn gate_without_trust_material_and_wrong_valid_client_are_found() {
    let site = Site::gate(STRIP, &[("MTLS_CRLS", "file:/nowhere")]).await;
    let report = site.report(&[]).await;
    assert!(
        report.findings().contains(&"valid: no-trust-material".to_owned()),
        "{report:?}"
    );
    let site = Site::gate(STRIP, &[]).await;
    let expired = ["--cert", "expired.pem", "--key", "expired.key"];
    let output = probe_as(&site, &expired).await;
    assert_eq!(Report::read(&output).findings(), ["valid: valid-denied"]);
}

/// Probes with another client as the valid one.
async fn probe_as(site: &Site, client: &[&str]) -> Output {
    tokio::process::Command::new(binary("alb-mtls"))
        .args([
            "probe",
            "https://localhost/",
            "--json",
            "--cacert",
            "server-ca.pem",
        ])
        .arg("--resolve")
        .arg("other.example:443:192.0.2.1")
        .arg("--connect-to")
        .arg(format!("localhost:443::{}", site.alb.address().port()))
        .args(client)
        .current_dir(site.clients.directory())
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn leaf_alone_is_accepted_where_the_gate_has_intermediates() {
    let site = Site::gate(STRIP, &[("MTLS_INTERMEDIATES", "file:FOLDER/issuing.pem")]).await;
    let report = site.report(&[]).await;
    assert_eq!(report.code, Some(0), "{report:?}");
    let note = report.check("leaf-only")["note"].as_str().unwrap();
    assert!(note.starts_with("accepted"), "{note}");
}

#[tokio::test]
async fn verify_mode_is_noted_and_lets_no_stranger_in() {
    let clients = Clients::new();
    let trust_anchors = vec![clients.root.der().to_vec().into()];
    let upstream = Recorder::start([Reply::ok()]).await;
    let mode = Some(MutualAuthentication::Verify { trust_anchors });
    let site = Site::start(clients, Target::Http(upstream.address()), STRIP, "x-other", mode).await;
    let output = site.probe(&["--json"]).await;
    let report = Report::read(&output);
    assert_eq!((report.code, report.findings()), (Some(0), vec![]), "{report:?}");
    assert_eq!(report.fact("unknown-ca-arrives"), "refuted");
    assert_eq!(report.fact("without-certificate-arrives"), "refuted");
}

/// A TLS server without mutual TLS that writes the same bytes to every client, or none.
async fn tls_server(clients: &Clients, reply: &'static [u8]) -> SocketAddr {
    let (_, _) = clients.listener(STRIP);
    let file = |name: &str| clients.directory().join(name);
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(file("server.pem")).unwrap()],
            PrivateKeyDer::from_pem_file(file("server.key")).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut request = [0; 64];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(reply).await;
                if reply.is_empty() {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn listener_that_asks_for_no_certificate_is_found() {
    let clients = Clients::new();
    let denial = b"HTTP/1.1 401 Unauthorized\r\ncontent-type: application/problem+json\r\ncontent-length: 14\r\n\r\n{\"status\":401}";
    let address = tls_server(&clients, denial).await;
    let report = Report::read(&probe(&clients, address, &["--json"]).await);
    assert_eq!(report.findings(), ["valid: certificate-not-requested"]);
}

#[tokio::test]
async fn server_that_never_answers_ends_with_2_within_the_limit() {
    let clients = Clients::new();
    let address = tls_server(&clients, b"").await;
    let started = Instant::now();
    let text = refusal(&clients, address, &["--timeout", "1"]).await;
    assert!(text.contains("get no answer within 1 seconds"), "{text}");
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn answer_with_control_characters_reaches_no_terminal() {
    let clients = Clients::new();
    let reply = b"HTTP/1.1 401 Unauthorized\r\ncontent-type: application/problem+json\r\n\r\n{\"status\":401,\"code\":\"\x1b[31mred\"}";
    let address = tls_server(&clients, reply).await;
    let output = probe(&clients, address, &[]).await;
    assert!(!output.stdout.contains(&0x1b), "{output:?}");
    let address = tls_server(&clients, b"\x1b[31m not HTTP\r\n\r\n").await;
    let output = probe(&clients, address, &[]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stdout.contains(&0x1b), "{output:?}");
}

/// Returns the line on stderr of a run that ends with 2.
async fn refusal(clients: &Clients, address: SocketAddr, options: &[&str]) -> String {
    let output = probe(clients, address, options).await;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(output.stdout.is_empty());
    text
}

#[tokio::test]
async fn place_that_cannot_be_reached_ends_with_2() {
    let clients = Clients::new();
    let (listener, _) = clients.listener(STRIP);
    drop(listener);
    // Nothing listens there.
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    assert!(refusal(&clients, address, &[]).await.contains("cannot connect"));
    // It takes connections and is silent.
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let silent = socket.local_addr().unwrap();
    let text = refusal(&clients, silent, &["--timeout", "1"]).await;
    assert!(
        text.contains("did not complete a TLS handshake within 1 seconds"),
        "{text}"
    );
    // It speaks HTTP without TLS.
    let plain = Recorder::start([Reply::ok()]).await;
    let text = refusal(&clients, plain.address(), &["--timeout", "2"]).await;
    assert!(text.contains("TLS"), "{text}");
}

#[tokio::test]
async fn server_certificate_of_an_unknown_ca_ends_with_2() {
    let site = Site::gate(STRIP, &[]).await;
    let text = refusal(&site.clients, site.alb.address(), &["--cacert", "anchors.pem"]).await;
    assert!(
        text.contains("cannot be used multiple times") || text.contains("`--cacert`"),
        "{text}"
    );
    let other: PathBuf = site.clients.directory().join("server-ca.pem");
    std::fs::copy(site.clients.directory().join("anchors.pem"), other).unwrap();
    let text = refusal(&site.clients, site.alb.address(), &[]).await;
    assert!(
        text.contains("its CA is not known; name its CA with `--cacert`"),
        "{text}"
    );
}

#[tokio::test]
async fn wrong_usage_ends_with_2_and_one_line() {
    let clients = Clients::new();
    let (_, _) = clients.listener(STRIP);
    clients.write_client("expired", &clients.expired());
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    for (options, words) in [
        (
            &["--header", "X-Amzn-Mtls-Clientcert"][..],
            "`--header` is the default name",
        ),
        (
            &["--refused-cert", "expired.pem", "--refused-key", "good.key"],
            "not the key of the first certificate",
        ),
        (
            &[
                "--refused-cert",
                "good.pem",
                "--refused-cert",
                "good.pem",
                "--refused-key",
                "good.key",
            ],
            "each certificate needs its key",
        ),
        (
            &["--refused-cert", "nowhere.pem", "--refused-key", "good.key"],
            "cannot read `nowhere.pem`",
        ),
        (
            &["--refused-cert", "good.key", "--refused-key", "good.key"],
            "good.key",
        ),
        (
            &["--refused-cert", "good.pem", "--refused-key", "anchors.pem"],
            "not a private key in PEM",
        ),
    ] {
        let text = refusal(&clients, address, options).await;
        assert!(text.contains(words), "{options:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
