//! Metrics, and records that are left out.

use alb_mtls_gate::METRICS;
use alb_mtls_tests::{Clients, Function, TARGET_GROUP, certificate_headers, client_headers};
use local_alb::{HeaderMode, health_check_event};
use serde_json::{Value, json};
use test_pki::CrlBuilder;
use time::{Duration, OffsetDateTime};

use alb_mtls_tests::{respond, source};

/// Returns the metrics that a line defines, with their dimensions, each compared with the value
/// beside it.
fn defined(line: &Value) -> Vec<(String, Value)> {
    let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
    assert!(line["_aws"]["Timestamp"].as_i64().unwrap() > 1_700_000_000_000);
    let mut all = Vec::new();
    for directive in directives {
        assert_eq!(directive["Namespace"], "gate/tests");
        for set in directive["Dimensions"].as_array().unwrap() {
            for dimension in set.as_array().unwrap() {
                let name = dimension.as_str().unwrap();
                assert!(
                    ["service", "code"].contains(&name),
                    "{name} is not a bounded dimension"
                );
                assert!(line[name].is_string(), "{name} is not in {line}");
            }
        }
        for metric in directive["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            assert!(
                line[name].is_i64() || line[name].is_array(),
                "{name} has no value in {line}"
            );
            assert!(
                METRICS
                    .iter()
                    .any(|known| known.name == name && metric["Unit"] == known.unit)
            );
            all.push((name.to_owned(), directive["Dimensions"].clone()));
        }
    }
    all
}

#[tokio::test]
async fn without_the_setting_there_are_no_metrics() {
    let clients = Clients::new();
    let function = respond(&clients, &[]).await;
    function.get("/", &clients.good_headers()).await;
    let record = function.record().await;
    assert!(record.get("_aws").is_none(), "{record}");
    assert_eq!(record["service"], "alb-mtls");
}

#[tokio::test]
async fn every_metric_of_the_table_is_told_by_a_real_function() {
    let clients = Clients::new();
    let now = OffsetDateTime::now_utc();
    let hour = Duration::hours(1);
    let crl = |authority| {
        CrlBuilder::new()
            .valid(now - hour, now + hour)
            .issued_by(authority)
            .unwrap()
            .pem()
    };
    let crls = source(&clients, "crls.pem", crl(&clients.root) + &crl(&clients.issuing));
    let shadow = source(&clients, "shadow.cedar", "forbid (principal, action, resource);");
    let deny = source(&clients, "deny.txt", "none");
    let common = [
        ("MTLS_METRICS", "gate/tests"),
        ("MTLS_DENY", deny.as_str()),
        ("MTLS_SERVICE", "front-door"),
        ("MTLS_CRLS", crls.as_str()),
        ("MTLS_SHADOW_POLICY", shadow.as_str()),
        // No certificate needs it, so that no responder is asked.
        ("MTLS_OCSP", "aia-clients"),
    ];
    let mut seen = Vec::new();
    for mode in ["optional", "report"] {
        let function = respond(&clients, &[&common[..], &[("MTLS_MODE", mode)]].concat()).await;
        for headers in [
            clients.good_headers(),
            clients.good_headers(),
            client_headers(),
            certificate_headers(clients.header(&clients.expired())),
        ] {
            function.get("/", &headers).await;
            let record = function.record().await;
            assert_eq!(record["service"], "front-door");
            seen.extend(defined(&record));
            let metric = match record["decision"].as_str().unwrap() {
                "allowed" => "Allowed",
                "anonymous" => "Anonymous",
                "denied" => "Denied",
                "would_deny" => "WouldDeny",
                other => panic!("{other}"),
            };
            assert_eq!(record[metric], 1, "{record}");
        }
    }
    // No input makes the path validators disagree: that is what the tests of the verifier check.
    // FipsMode is told by builds with the cargo feature alone: `make fips` checks it. A function
    // has no connections of its own.
    let reachable = METRICS
        .iter()
        .filter(|metric| !["ValidatorDisagreements", "FipsMode", "Connections"].contains(&metric.name));
    for metric in reachable {
        let dimensions = json!(metric.dimensions);
        assert!(
            seen.contains(&(metric.name.to_owned(), dimensions)),
            "{} is never told: {seen:?}",
            metric.name
        );
    }
}

#[tokio::test]
async fn the_state_of_the_trust_material_is_told_once_a_minute() {
    let clients = Clients::new();
    let function = respond(&clients, &[("MTLS_METRICS", "gate/tests")]).await;
    function.get("/", &clients.good_headers()).await;
    let first = function.record().await;
    assert!(first["AnchorDaysLeft"].as_i64().unwrap() > 3_600, "{first}");
    assert_eq!(first["TrustRefreshFailures"], 0);
    assert_eq!(first["ClientDaysLeft"], 365);
    function.get("/", &clients.good_headers()).await;
    let second = function.record().await;
    assert!(second.get("AnchorDaysLeft").is_none(), "{second}");
    assert_eq!(second["Allowed"], 1);
}

#[tokio::test]
async fn health_checks_are_not_counted() {
    let clients = Clients::new();
    let function = respond(&clients, &[("MTLS_METRICS", "gate/tests")]).await;
    function.get("/", &clients.good_headers()).await;
    function.record().await;
    function
        .answer(health_check_event(TARGET_GROUP, HeaderMode::MultiValue, "/"))
        .await;
    let record = function.record().await;
    assert!(record.get("_aws").is_none(), "{record}");
}

/// Asks so often, and gives the records and the lines of metrics alone.
async fn ask(function: &Function, headers: &[(String, String)], times: usize) -> Vec<Value> {
    for _ in 0..times {
        function.get("/", headers).await;
    }
    // A refusal is always recorded: what was written before it is in the log when it is.
    function.get("/", &client_headers()).await;
    let mut lines: Vec<Value> = Vec::new();
    while !lines.iter().any(|line| line["decision"] == "denied") {
        lines.extend(
            function
                .log()
                .iter()
                .filter_map(|line| serde_json::from_str(line).ok()),
        );
        tokio::task::yield_now().await;
    }
    lines
}

#[tokio::test]
async fn records_of_those_who_pass_may_be_left_out_and_their_metrics_are_not() {
    let clients = Clients::new();
    let function = respond(
        &clients,
        &[("MTLS_METRICS", "gate/tests"), ("MTLS_RECORD_ALLOWED", "0%")],
    )
    .await;
    let lines = ask(&function, &clients.good_headers(), 150).await;
    assert!(
        lines.iter().all(|line| line["decision"] != "allowed"),
        "{lines:?}"
    );
    let allowed: i64 = lines.iter().filter_map(|line| line["Allowed"].as_i64()).sum();
    assert_eq!(allowed, 150);
    let metrics_alone: Vec<&Value> = lines.iter().filter(|line| line["message"] == "metrics").collect();
    let count = metrics_alone.len();
    assert!(
        (20..50).contains(&count),
        "few lines, and more at the beginning: {count}"
    );
    for line in metrics_alone {
        defined(line);
    }
}

#[tokio::test]
async fn a_share_of_the_records_is_written_and_says_so() {
    let clients = Clients::new();
    let function = respond(&clients, &[("MTLS_RECORD_ALLOWED", "50%")]).await;
    let lines = ask(&function, &clients.good_headers(), 200).await;
    let allowed: Vec<&Value> = lines
        .iter()
        .filter(|line| line["decision"] == "allowed")
        .collect();
    // Of 200 fair coins fewer than 50 or more than 150 heads come up once in 10^12 times.
    assert!((50..150).contains(&allowed.len()), "{}", allowed.len());
    assert!(
        allowed.iter().all(|line| line["sampling_rate"] == 0.5),
        "{}",
        allowed[0]
    );
    let denied = lines.iter().find(|line| line["decision"] == "denied").unwrap();
    assert!(denied.get("sampling_rate").is_none(), "{denied}");
}

#[tokio::test]
async fn differences_from_the_shadow_set_are_always_recorded() {
    let clients = Clients::new();
    let shadow = source(&clients, "shadow.cedar", "forbid (principal, action, resource);");
    let variables = [
        ("MTLS_RECORD_ALLOWED", "0%"),
        ("MTLS_SHADOW_POLICY", shadow.as_str()),
    ];
    let function = respond(&clients, &variables).await;
    let lines = ask(&function, &clients.good_headers(), 3).await;
    let differences = lines.iter().filter(|line| line["shadow"] == "would_deny").count();
    assert_eq!(differences, 3, "{lines:?}");
}

#[tokio::test]
async fn records_have_the_keys_of_powertools() {
    let clients = Clients::new();
    let function = respond(&clients, &[]).await;
    for cold_start in [true, false] {
        function.get("/", &clients.good_headers()).await;
        let record = function.record().await;
        assert_eq!(record["cold_start"], cold_start);
        for key in [
            "level",
            "timestamp",
            "message",
            "service",
            "function_name",
            "function_version",
            "function_request_id",
        ] {
            assert!(
                record[key].as_str().is_some_and(|value| !value.is_empty()),
                "{key}: {record}"
            );
        }
    }
}
