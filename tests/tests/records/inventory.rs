//! `alb-mtls clients` reads what a function really wrote.

use std::io::Write;
use std::process::{Command, Stdio};

use alb_mtls_tests::{Clients, binary, certificate_headers, client_headers};
use serde_json::Value;
use test_pki::CertificateBuilder;

use alb_mtls_tests::{respond, source};

#[tokio::test]
async fn the_inventory_of_real_records_tells_which_anchor_may_go() {
    let (old, new) = (Clients::of("Old"), Clients::of("New"));
    old.write("anchors.pem", &format!("{}{}", old.root.pem(), new.root.pem()));
    let policies = source(
        &old,
        "policies.cedar",
        "permit (principal, action in Action::\"read\", resource);",
    );
    let function = respond(&old, &[("MTLS_POLICY", &policies), ("MTLS_METRICS", "tests")]).await;
    let second = new.issue(CertificateBuilder::client("CN=client-2,O=Tests").days(20));
    let mut log = Vec::new();
    for (headers, count) in [
        (new.good_headers(), 3),
        (certificate_headers(new.header(&second)), 1),
        (certificate_headers(new.header(&new.expired())), 1),
        (client_headers(), 2),
    ] {
        for _ in 0..count {
            function.get("/", &headers).await;
        }
    }
    let refused = alb_mtls_tests::event(
        "POST",
        "/",
        &new.good_headers(),
        local_alb::HeaderMode::MultiValue,
    );
    assert_eq!(function.answer(refused).await.status, 403);
    while log
        .iter()
        .filter(|line: &&String| line.contains("\"message\":\"decision\""))
        .count()
        < 8
    {
        log.extend(function.log());
        tokio::task::yield_now().await;
    }

    let mut command = Command::new(binary("alb-mtls"))
        .args(["clients", "--logs", "-", "--json", "--anchors"])
        .arg(old.directory().join("anchors.pem"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = command.stdin.take().unwrap();
    input.write_all((log.join("\n") + "\n").as_bytes()).unwrap();
    drop(input);
    let output = command.wait_with_output().unwrap();
    let inventory: Value = serde_json::from_slice(&output.stdout).unwrap();

    assert_eq!(inventory["unreadable_records"], 0);
    assert_eq!(inventory["records_without_client"], 3, "{inventory}");
    let clients: Vec<(&str, u64, u64)> = inventory["clients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|client| {
            let count = |name: &str| client[name].as_u64().unwrap();
            (
                client["subject"].as_str().unwrap(),
                count("allowed"),
                count("refused"),
            )
        })
        .collect();
    assert_eq!(
        clients,
        [
            ("CN=client-2,O=Tests", 1, 0),
            ("CN=client-1,OU=Payments,O=Tests", 3, 1)
        ],
        "those that expire first on top"
    );
    let requests = |subject: &str| {
        let anchors = inventory["anchors"].as_array().unwrap();
        let anchor = anchors
            .iter()
            .find(|anchor| anchor["subject"] == subject)
            .unwrap();
        anchor["requests"].as_u64().unwrap()
    };
    assert_eq!(
        (requests("CN=Old Root,O=Tests"), requests("CN=New Root,O=Tests")),
        (0, 5)
    );
}
