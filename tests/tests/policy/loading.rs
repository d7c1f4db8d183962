//! Policies come, change and break while the function runs.

use std::process::Command;
use std::time::Duration;

use alb_mtls_tests::{Clients, Function, binary};

use crate::support::{ALL_CLIENTS, ask, respond, source, with_policies};

const NO_CLIENTS: &str = "@id(\"no-clients\")\nforbid (principal, action, resource);\n";

/// Asks as the good client until the status is this one; gives all statuses.
async fn ask_until(function: &Function, clients: &Clients, wanted: u16) -> Vec<u16> {
    let mut statuses = Vec::new();
    let asked = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let (status, _) = ask(function, Some((clients, &clients.good)), "GET /").await;
            statuses.push(status);
            if status == wanted {
                return;
            }
        }
    });
    asked.await.expect("the change is seen within a refresh");
    statuses
}

#[tokio::test]
async fn a_change_counts_within_one_refresh() {
    let clients = Clients::new();
    let function = with_policies(&clients, ALL_CLIENTS, &[("MTLS_REFRESH", "1s")]).await;
    let (status, before) = ask(&function, Some((&clients, &clients.good)), "GET /").await;
    assert_eq!(status, 200);
    clients.write("policies.cedar", NO_CLIENTS);
    let statuses = ask_until(&function, &clients, 403).await;
    assert!(
        statuses.iter().all(|status| [200, 403].contains(status)),
        "{statuses:?}"
    );
    let (_, after) = ask(&function, Some((&clients, &clients.good)), "GET /").await;
    assert_ne!(before["trust_version"], after["trust_version"]);
    clients.write("policies.cedar", ALL_CLIENTS);
    ask_until(&function, &clients, 200).await;
}

#[tokio::test]
async fn a_broken_change_is_refused_with_line_and_column_and_the_last_good_policies_stay() {
    let clients = Clients::new();
    let function = with_policies(&clients, ALL_CLIENTS, &[("MTLS_REFRESH", "1s")]).await;
    assert_eq!(
        ask(&function, Some((&clients, &clients.good)), "GET /").await.0,
        200
    );
    for (text, place) in [
        (
            format!("{ALL_CLIENTS}permit (principal, action, resource) when {{ principal.cn == \"x\" }};"),
            "line 3, column 45",
        ),
        (
            format!("{ALL_CLIENTS}permit (principal, action resource);"),
            "line 3, column 27",
        ),
    ] {
        clients.write("policies.cedar", &text);
        let refused = tokio::time::timeout(Duration::from_secs(30), async {
            loop {
                let answer = function.get("/", &clients.good_headers()).await;
                assert_eq!(answer.status, 200);
                let log = function.log();
                if let Some(line) = log
                    .into_iter()
                    .find(|line| line.contains("trust material refused"))
                {
                    return line;
                }
            }
        });
        let line = refused
            .await
            .expect("the broken policies are looked at within a refresh");
        assert!(line.contains("policies.cedar") && line.contains(place), "{line}");
    }
}

#[tokio::test]
async fn with_no_good_policies_at_the_start_nobody_passes_until_there_are_some() {
    let clients = Clients::new();
    for text in ["permit (", ""] {
        let function = with_policies(&clients, text, &[("MTLS_REFRESH", "1s")]).await;
        let (status, record) = ask(&function, Some((&clients, &clients.good)), "GET /").await;
        assert_eq!(
            (status, &record["detail"]),
            (503, &"no_trust_material".into()),
            "{record}"
        );
        assert!(
            record["explanation"].as_str().unwrap().contains("policies.cedar"),
            "{record}"
        );
        clients.write("policies.cedar", ALL_CLIENTS);
        let statuses = ask_until(&function, &clients, 200).await;
        assert!(
            statuses.iter().all(|status| [200, 503].contains(status)),
            "{statuses:?}"
        );
    }
}

#[tokio::test]
async fn several_sources_are_one_set_and_a_prohibition_in_one_wins() {
    let clients = Clients::new();
    let sources = format!(
        "{} {}",
        source(&clients, "a.cedar", ALL_CLIENTS),
        source(&clients, "b.cedar", NO_CLIENTS)
    );
    let function = respond(&clients, &[("MTLS_POLICY", &sources)]).await;
    let (status, record) = ask(&function, Some((&clients, &clients.good)), "GET /").await;
    assert_eq!((status, &record["policies"][0]), (403, &"no-clients".into()));
}

#[test]
fn a_wrong_source_of_policies_stops_the_function_with_one_line() {
    let output = Command::new(binary("respond"))
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")
        .env("MTLS_ANCHORS", "file:/nowhere")
        .env("MTLS_POLICY", "policies.cedar")
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.starts_with("MTLS_POLICY holds `policies.cedar`") && error.lines().count() == 1,
        "{error}"
    );
    assert_eq!(output.status.code(), Some(2));
}
