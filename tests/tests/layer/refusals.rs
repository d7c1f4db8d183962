//! Refused events never reach the function, and are answered as by every other function.

use alb_mtls_tests::{
    Answer, Clients, Function, certificate_headers, client_headers, event, hostile_events, project, respond,
    valid_event,
};
use local_alb::{HeaderMode, InvocationOutcome};
use serde_json::Value;
use test_pki::{Credential, CrlBuilder};

use crate::functions::{Language, calls, received_json};

/// Returns the answer without what differs from one function to another: nothing.
async fn refused_alike(function: &Function, other: &Function, event: &[u8], what: &str) -> Answer {
    let answer = function.answer(event.to_vec()).await;
    let expected = other.answer(event.to_vec()).await;
    assert_eq!(answer.json, expected.json, "{what}");
    let (record, expected) = (function.record().await, other.record().await);
    for key in [
        "decision",
        "code",
        "detail",
        "explanation",
        "status",
        "client",
        "path",
    ] {
        assert_eq!(
            without_times(&record[key]),
            without_times(&expected[key]),
            "{what}: {key}"
        );
    }
    answer
}

/// A value of a record without the second in which it was made.
fn without_times(value: &Value) -> String {
    let text = value.to_string();
    let is_time = |word: &&str| word.contains("T") && word.matches(':').count() >= 2;
    text.split(' ')
        .filter(|word| !is_time(word))
        .collect::<Vec<_>>()
        .join(" ")
}

fn clients_to_refuse(clients: &Clients) -> Vec<(&'static str, Vec<(String, String)>)> {
    let of = |client: &Credential| certificate_headers(clients.header(client));
    let mut twice = clients.good_headers();
    twice.push(("x_amzn_mtls_clientcert".to_owned(), "look-alike".to_owned()));
    vec![
        ("no certificate", client_headers()),
        ("self-signed", of(&Clients::self_signed())),
        ("of another client", of(&Clients::new().good)),
        ("expired", of(&clients.expired())),
        ("not yet valid", of(&clients.not_yet_valid())),
        ("for servers", of(&clients.server_only())),
        ("an authority", of(&clients.issuing)),
        ("a look-alike", twice),
        ("nonsense", certificate_headers("nonsense".to_owned())),
    ]
}

#[tokio::test]
async fn refused_clients_get_the_answer_of_every_other_function_and_the_function_is_not_called() {
    let clients = Clients::new();
    let other = respond(&clients, &[("MTLS_EXPOSE_CODE", "true")]).await;
    for language in Language::all() {
        let function = language.start(&clients, &[("MTLS_EXPOSE_CODE", "true")]).await;
        for (number, mode) in (1..).zip([HeaderMode::MultiValue, HeaderMode::SingleValue]) {
            for (what, headers) in clients_to_refuse(&clients) {
                let event = event("GET", "/a?b=c", &headers, mode);
                let answer = refused_alike(&function, &other, &event, what).await;
                assert_eq!(answer.status, 401, "{what}: {}", answer.body());
            }
            // It counts its calls: this is the first, and the next one in the other mode is the
            // second.
            let answer = function
                .answer(event("GET", "/", &clients.good_headers(), mode))
                .await;
            assert_eq!((answer.status, calls(&answer)), (200, number), "{language:?}");
            assert_eq!(function.record().await["decision"], "allowed");
        }
        assert_eq!(function.facts().restarts, 0);
    }
}

#[tokio::test]
async fn hostile_events_are_refused_and_the_function_is_not_called() {
    let clients = Clients::new();
    for language in Language::all() {
        let function = language.start(&clients, &[]).await;
        let process = function.facts().pid;
        let mut errors = 0;
        for (name, event) in hostile_events(&clients) {
            match function.invoke(event).await {
                InvocationOutcome::Response(bytes) => {
                    let answer: Value = serde_json::from_slice(&bytes).unwrap();
                    let status = answer["statusCode"].as_u64().unwrap();
                    assert!((400..500).contains(&status), "{name}: {answer}");
                }
                InvocationOutcome::FunctionError { error_type, message } => {
                    assert_eq!(error_type, "AlbMtls.EventRefused", "{name}: {message}");
                    errors += 1;
                }
                other => panic!("{name}: {other:?}"),
            }
        }
        // Those that say in no field that they are an HTTP request; no client of a load balancer
        // can send one.
        assert_eq!(errors, 8);
        let answer = function.answer(valid_event(&clients).to_string()).await;
        assert_eq!((answer.status, calls(&answer)), (200, 1), "{language:?}");
        assert_eq!(
            (function.facts().pid, function.facts().restarts),
            (process, 0),
            "the process was replaced"
        );
    }
}

#[tokio::test]
async fn sample_events_get_the_status_that_their_names_say() {
    let events = project().join("events");
    let clients = Clients::new();
    let anchors = format!("file:{}", events.join("anchors.pem").display());
    for language in Language::all() {
        let function = language.start(&clients, &[("MTLS_ANCHORS", &anchors)]).await;
        let (mut passed, mut refused) = (0, 0);
        for entry in std::fs::read_dir(&events).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            match function.invoke(std::fs::read(&path).unwrap()).await {
                InvocationOutcome::Response(bytes) => {
                    let answer: Value = serde_json::from_slice(&bytes).unwrap();
                    let status = answer["statusCode"].as_u64().unwrap();
                    let of_function = answer.get("calls").is_some();
                    let is_good = name.starts_with("alb-mtls-valid") || name == "alb-mtls-plus-heavy";
                    assert_eq!(of_function, is_good, "{name}: {answer}");
                    if is_good {
                        passed += 1;
                        assert_eq!(answer["calls"], passed, "{name}");
                    } else if name.starts_with("alb-mtls-health-check") {
                        assert_eq!(status, 200, "{name}");
                    } else {
                        assert!((400..500).contains(&status), "{name}: {answer}");
                        refused += 1;
                    }
                }
                InvocationOutcome::FunctionError { error_type, .. } => {
                    assert_eq!(error_type, "AlbMtls.EventRefused", "{name}");
                    assert!(name.starts_with("refresh-crls"), "{name}");
                }
                other => panic!("{name}: {other:?}"),
            }
        }
        assert!(passed == 3 && refused >= 20, "{passed} passed, {refused} refused");
    }
}

/// Every header of `vectors/headers.jsonl`, in the three formats.
#[tokio::test]
async fn hostile_headers_are_refused_and_controls_pass() {
    let clients = Clients::new();
    let text = std::fs::read_to_string(project().join("vectors/headers.jsonl")).unwrap();
    let cases: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for language in Language::all() {
        for format in ["url_encoded", "base64_encoded", "rfc9440"] {
            let of_format = |case: &&Value| case["header_format"].as_str().unwrap_or("url_encoded") == format;
            let cases: Vec<&Value> = cases.iter().filter(of_format).collect();
            let trusted: String = strings(&cases[0]["trusted"]).concat();
            let anchors = alb_mtls_tests::source(&clients, "trusted.pem", trusted);
            let variables = [
                ("MTLS_ANCHORS", anchors.as_str()),
                ("MTLS_HEADER_FORMAT", format),
                ("MTLS_HEADER", "x-amzn-mtls-clientcert"),
                ("MTLS_MAX_HEADER", "65536"),
            ];
            let function = language.start(&clients, &variables).await;
            let mut accepted = 0;
            for case in &cases {
                let mut event = valid_event(&clients);
                let mut values = vec![case["header"].as_str().unwrap()];
                values.extend(strings(&case["more_headers"]));
                event["multiValueHeaders"]["x-amzn-mtls-clientcert"] = values.into();
                let chain = strings(&case["chain_headers"]);
                if !chain.is_empty() {
                    event["multiValueHeaders"]["client-cert-chain"] = chain.into();
                }
                let answer = function.answer(event.to_string()).await;
                if case["expected"] == "accept" {
                    accepted += 1;
                    assert_eq!((answer.status, calls(&answer)), (200, accepted), "{}", case["id"]);
                } else {
                    assert!((400..500).contains(&answer.status), "{}", case["id"]);
                    assert!(answer.json.get("calls").is_none(), "{}", case["id"]);
                }
            }
            assert!(accepted > 0 && cases.len() > 4, "{format}");
        }
    }
}

fn strings(value: &Value) -> Vec<&str> {
    let values = value.as_array().map(Vec::as_slice).unwrap_or_default();
    values.iter().map(|value| value.as_str().unwrap()).collect()
}

#[tokio::test]
async fn revoked_clients_and_what_policies_forbid_never_reach_the_function() {
    let clients = Clients::new();
    let crl = |issuer: &Credential, revoked: Option<&Credential>| {
        let builder = CrlBuilder::new().number(1);
        let builder = revoked.into_iter().fold(builder, CrlBuilder::revoke);
        builder.issued_by(issuer).unwrap().pem()
    };
    let revoked = clients.issue(test_pki::CertificateBuilder::client("CN=revoked,O=Tests"));
    let crls = [
        alb_mtls_tests::source(&clients, "root.crl", crl(&clients.root, None)),
        alb_mtls_tests::source(&clients, "issuing.crl", crl(&clients.issuing, Some(&revoked))),
    ]
    .join(" ");
    let policy = alb_mtls_tests::source(
        &clients,
        "policies.cedar",
        "permit (principal, action, resource in Path::\"/open\");",
    );
    let variables = [("MTLS_CRLS", crls.as_str()), ("MTLS_POLICY", policy.as_str())];
    for language in Language::all() {
        let function = language.start(&clients, &variables).await;
        let revoked = certificate_headers(clients.header(&revoked));
        for (path, headers, status, detail) in [
            ("/open/x", &revoked, 401, "revoked"),
            ("/closed", &clients.good_headers(), 403, "policy_does_not_permit"),
            (
                "/open/../closed",
                &clients.good_headers(),
                403,
                "policy_path_not_plain",
            ),
        ] {
            let answer = function.get(path, headers).await;
            assert_eq!(answer.status, status, "{path}");
            assert_eq!(function.record().await["detail"], detail, "{path}");
        }
        let answer = function.get("/open/x", &clients.good_headers()).await;
        assert_eq!((answer.status, calls(&answer)), (200, 1), "{language:?}");
    }
}

#[tokio::test]
async fn without_trust_material_the_function_is_not_called() {
    let clients = Clients::new();
    for language in Language::all() {
        let function = language
            .start(&clients, &[("MTLS_ANCHORS", "file:/nowhere/anchors.pem")])
            .await;
        let answer = function.get("/", &clients.good_headers()).await;
        assert_eq!(answer.status, 503);
        assert_eq!(function.record().await["detail"], "no_trust_material");
        assert!(answer.json.get("calls").is_none());
    }
}

#[tokio::test]
async fn the_load_balancers_health_check_is_answered_by_the_gate() {
    let clients = Clients::new();
    let function = Language::Python.start(&clients, &[]).await;
    let headers = [("user-agent".to_owned(), "ELB-HealthChecker/2.0".to_owned())];
    let answer = function.get("/", &headers).await;
    assert_eq!((answer.status, answer.body()), (200, "healthy"));
    let answer = function.get("/", &clients.good_headers()).await;
    assert_eq!(calls(&answer), 1);
}

#[tokio::test]
async fn who_passes_without_a_certificate_passes_as_nobody() {
    let clients = Clients::new();
    for (mode, headers) in [
        ("optional", client_headers()),
        ("report", client_headers()),
        ("report", certificate_headers(clients.header(&clients.expired()))),
    ] {
        let function = Language::Python.start(&clients, &[("MTLS_MODE", mode)]).await;
        let answer = function.get("/", &headers).await;
        assert_eq!(answer.status, 200, "{mode}");
        let seen = received_json(&answer);
        let names: Vec<&String> = seen["multiValueHeaders"].as_object().unwrap().keys().collect();
        assert_eq!(names.len(), client_headers().len(), "{mode}: {names:?}");
    }
}
