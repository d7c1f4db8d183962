//! The main job: a certificate in a load balancer's event becomes a verdict of the built function.

#![expect(clippy::indexing_slicing, reason = "helpers of tests")]

use alb_mtls_tests::{
    Answer, Clients, Function, TARGET_GROUP, certificate_headers, client_headers, event, header_of,
};
use local_alb::{HeaderMode, health_check_event};
use test_pki::{CertificateBuilder, KeyKind};

async fn respond(clients: &Clients, variables: &[(&str, &str)]) -> Function {
    let anchors = [("MTLS_ANCHORS".to_owned(), clients.anchors_source())];
    let others = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Function::start("respond", anchors.into_iter().chain(others)).await
}

fn assert_refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.body());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.body_json()["status"], status);
}

#[tokio::test]
async fn a_verified_client_is_told_who_it_is() {
    let clients = Clients::new();
    let function = respond(&clients, &[]).await;
    let answer = function.get("/", &clients.good_headers()).await;
    assert_eq!(answer.status, 200, "{}", answer.body());
    let body = answer.body_json();
    assert_eq!(body["verified"], true);
    assert_eq!(body["client"]["subject"], "CN=client-1,OU=Payments,O=Tests");
    assert_eq!(
        body["client"]["alternative_names"][0]["dns"],
        "client-1.tests.example"
    );
    assert_eq!(body["client"]["spiffe_id"], "spiffe://tests.example/client-1");
    assert_eq!(body["client"]["anchor"]["subject"], "CN=Test Root,O=Tests");

    let record = function.record().await;
    assert_eq!(record["decision"], "allowed");
    assert_eq!(record["level"], "INFO");
    assert_eq!(record["client"]["subject"], "CN=client-1,OU=Payments,O=Tests");
    assert_eq!(record["alb_trace_id"], "Root=1-67890000-0123456789abcdef01234567");
    assert_eq!(record["target_group"], TARGET_GROUP);
}

#[tokio::test]
async fn each_unacceptable_client_is_refused_for_its_own_reason() {
    let clients = Clients::new();
    let (foreign, impostor) = (Clients::of("Foreign"), Clients::new());
    let function = respond(&clients, &[]).await;
    let cases = [
        (
            "foreign",
            foreign.header(&foreign.good),
            "ClientCertUntrusted",
            "issuer_unknown",
        ),
        (
            "impostor",
            impostor.header(&impostor.good),
            "ClientCertInvalid",
            "signature_invalid",
        ),
        (
            "expired",
            clients.header(&clients.expired()),
            "ClientCertExpired",
            "expired",
        ),
        (
            "early",
            clients.header(&clients.not_yet_valid()),
            "ClientCertNotYetValid",
            "not_yet_valid",
        ),
        (
            "server",
            clients.header(&clients.server_only()),
            "ClientCertPurposeInvalid",
            "extended_key_usage",
        ),
        (
            "self",
            header_of([&Clients::self_signed()]),
            "ClientCertUntrusted",
            "self_signed",
        ),
        (
            "leaf only",
            header_of([&clients.good]),
            "ClientCertUntrusted",
            "issuer_unknown",
        ),
        (
            "CA first",
            header_of([&clients.issuing, &clients.good]),
            "ClientCertPurposeInvalid",
            "end_entity_is_authority",
        ),
        ("empty", String::new(), "ClientCertInvalid", "header_not_pem"),
    ];
    for (name, header, code, detail) in cases {
        let answer = function.get("/", &certificate_headers(header)).await;
        assert_refused(&answer, 401);
        assert!(
            !answer.body().contains("ClientCert"),
            "{name}: the client learns the reason: {}",
            answer.body()
        );
        let record = function.record().await;
        assert_eq!(
            (&record["code"], &record["detail"]),
            (&code.into(), &detail.into()),
            "{name}: {record}"
        );
        assert_eq!(record["decision"], "denied");
        assert_eq!(record["level"], "WARN");
    }
}

#[tokio::test]
async fn without_a_certificate_there_is_no_way_in() {
    let clients = Clients::new();
    let function = respond(&clients, &[("MTLS_EXPOSE_CODE", "true")]).await;
    for mode in [HeaderMode::MultiValue, HeaderMode::SingleValue] {
        let answer = function.answer(event("GET", "/", &client_headers(), mode)).await;
        assert_refused(&answer, 401);
        assert_eq!(answer.body_json()["code"], "ClientCertMissing");
    }
}

#[tokio::test]
async fn every_key_that_a_load_balancer_accepts_is_accepted() {
    let clients = Clients::new();
    let function = respond(&clients, &[]).await;
    for kind in [
        KeyKind::P256,
        KeyKind::P384,
        KeyKind::P521,
        KeyKind::Rsa2048,
        KeyKind::Rsa4096,
    ] {
        let header = clients.header(&clients.with_key(kind));
        let answer = function.get("/", &certificate_headers(header)).await;
        assert_eq!(answer.status, 200, "{kind:?}: {}", answer.body());
    }
    let header = clients.header(&clients.with_key(KeyKind::Ed25519));
    assert_refused(&function.get("/", &certificate_headers(header)).await, 401);
    let records = [function.record().await, function.record().await];
    assert_eq!(records.len(), 2);
}

#[tokio::test]
async fn intermediates_may_come_from_the_settings() {
    let clients = Clients::new();
    let path = clients.write("intermediates.pem", &clients.issuing.pem());
    let source = format!("file:{}", path.display());
    let function = respond(&clients, &[("MTLS_INTERMEDIATES", &source)]).await;
    let answer = function
        .get("/", &certificate_headers(header_of([&clients.good])))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body());
}

#[tokio::test]
async fn a_second_a_joined_or_a_look_alike_certificate_header_is_refused() {
    let clients = Clients::new();
    let function = respond(&clients, &[]).await;
    let good = clients.header(&clients.good);
    let mut twice = clients.good_headers();
    twice.push(("x-amzn-mtls-clientcert".to_owned(), good.clone()));
    let mut other_case = clients.good_headers();
    other_case.push(("X-Amzn-Mtls-Clientcert".to_owned(), good.clone()));
    let mut underscore = clients.good_headers();
    underscore.push(("x_amzn_mtls_clientcert".to_owned(), good.clone()));
    let mut underscore_only = client_headers();
    underscore_only.push(("x-amzn-mtls_clientcert".to_owned(), good.clone()));
    let joined = certificate_headers(format!("{good},{good}"));
    for (headers, detail) in [
        (twice, "header_repeated"),
        (other_case, "header_repeated"),
        (underscore, "header_look_alike"),
        (underscore_only, "header_look_alike"),
        (joined, "header_joined"),
    ] {
        assert_refused(&function.get("/", &headers).await, 401);
        assert_eq!(function.record().await["detail"], detail);
    }
}

#[tokio::test]
async fn a_renamed_header_makes_the_default_name_suspicious() {
    let clients = Clients::new();
    let function = respond(&clients, &[("MTLS_HEADER", "x-gate-7f3a")]).await;
    assert_refused(&function.get("/", &clients.good_headers()).await, 401);
    assert_eq!(function.record().await["detail"], "header_look_alike");
    let mut headers = client_headers();
    headers.push(("x-gate-7f3a".to_owned(), clients.header(&clients.good)));
    assert_eq!(function.get("/", &headers).await.status, 200);
}

#[tokio::test]
async fn the_other_header_formats_are_read_when_asked_for() {
    let clients = Clients::new();
    let (leaf, issuing) = (base64(clients.good.der()), base64(clients.issuing.der()));

    let function = respond(&clients, &[("MTLS_HEADER_FORMAT", "base64_encoded")]).await;
    let answer = function
        .get("/", &certificate_headers(format!("{leaf},{issuing}")))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body());
    assert_refused(&function.get("/", &clients.good_headers()).await, 401);

    let function = respond(&clients, &[("MTLS_HEADER_FORMAT", "rfc9440")]).await;
    let mut headers = client_headers();
    headers.push(("client-cert".to_owned(), format!(":{leaf}:")));
    headers.push(("client-cert-chain".to_owned(), format!(":{issuing}:")));
    let answer = function.get("/", &headers).await;
    assert_eq!(answer.status, 200, "{}", answer.body());
}

fn base64(der: &[u8]) -> String {
    let pem = test_pki::Certificate::from_der(der).pem();
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

#[tokio::test]
async fn only_the_load_balancers_own_health_check_is_answered_without_a_certificate() {
    let clients = Clients::new();
    let function = respond(&clients, &[]).await;
    for mode in [HeaderMode::MultiValue, HeaderMode::SingleValue] {
        let answer = function.answer(health_check_event(TARGET_GROUP, mode, "/")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.body(),
            "healthy",
            "a health check must not reach the function"
        );
        assert_eq!(function.record().await["decision"], "health_check");
    }
    for trace in [
        "x-amzn-trace-id",
        "x-forwarded-for",
        "x-forwarded-port",
        "x-forwarded-proto",
        "host",
    ] {
        let headers = [
            ("user-agent".to_owned(), "ELB-HealthChecker/2.0".to_owned()),
            (trace.to_owned(), "anything".to_owned()),
        ];
        assert_refused(&function.get("/", &headers).await, 401);
    }
}

#[tokio::test]
async fn only_the_listed_target_groups_are_served() {
    let clients = Clients::new();
    let pattern = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate/*";
    let function = respond(&clients, &[("MTLS_TARGET_GROUPS", pattern)]).await;
    assert_eq!(function.get("/", &clients.good_headers()).await.status, 200);

    let function = respond(
        &clients,
        &[("MTLS_TARGET_GROUPS", &pattern.replace("gate", "other"))],
    )
    .await;
    assert_refused(&function.get("/", &clients.good_headers()).await, 403);
    assert_eq!(function.record().await["detail"], "target_group");
    let health_check = function
        .answer(health_check_event(TARGET_GROUP, HeaderMode::MultiValue, "/"))
        .await;
    assert_refused(&health_check, 403);
}

#[tokio::test]
async fn answers_have_the_header_form_of_the_request() {
    let clients = Clients::new();
    let function = respond(&clients, &[]).await;
    let headers = clients.good_headers();
    let multi = function
        .answer(event("GET", "/", &headers, HeaderMode::MultiValue))
        .await
        .json;
    assert!(
        multi.get("headers").is_none() && multi["multiValueHeaders"]["content-type"].is_array(),
        "{multi}"
    );
    let single = function
        .answer(event("GET", "/", &headers, HeaderMode::SingleValue))
        .await
        .json;
    assert!(
        single.get("multiValueHeaders").is_none() && single["headers"]["content-type"].is_string(),
        "{single}"
    );
}

#[tokio::test]
async fn path_and_query_reach_the_handler_as_sent() {
    let clients = Clients::new();
    let function = respond(&clients, &[]).await;
    for target in [
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/a%2Fb%00c",
        "//double//slash",
        "/;p=1",
        "/?a=1%26b&a=2&empty=&c=%2F",
        "/?%61=x&q=a+b",
    ] {
        let answer = function.get(target, &clients.good_headers()).await;
        let body = answer.body_json();
        let path = body["request"]["path"].as_str().unwrap();
        let sent = match body["request"]["query"].as_str() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        assert_eq!(sent, target);
    }
}

#[tokio::test]
async fn a_browser_gets_a_page_in_which_names_are_text() {
    let clients = Clients::new();
    let function = respond(&clients, &[]).await;
    let client = clients.issue(CertificateBuilder::client("CN=<script>alert(1)</script>,O=Tests"));
    let mut headers = certificate_headers(clients.header(&client));
    headers.push((
        "accept".to_owned(),
        "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8".to_owned(),
    ));
    let answer = function.get("/", &headers).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(
        answer.body().contains("&lt;script&gt;") && !answer.body().contains("<script"),
        "{}",
        answer.body()
    );
}

#[tokio::test]
async fn optional_mode_lets_nobody_pass_as_somebody() {
    let clients = Clients::new();
    let function = respond(&clients, &[("MTLS_MODE", "optional")]).await;
    let answer = function.get("/", &client_headers()).await;
    assert_eq!(
        (answer.status, &answer.body_json()["verified"]),
        (200, &false.into())
    );
    assert_eq!(function.record().await["decision"], "anonymous");

    let answer = function
        .get("/", &certificate_headers(clients.header(&clients.expired())))
        .await;
    assert_refused(&answer, 401);
    assert_refused(&function.get("/", &certificate_headers(String::new())).await, 401);
}

#[tokio::test]
async fn report_mode_refuses_nobody_and_records_who_would_be() {
    let clients = Clients::new();
    let function = respond(&clients, &[("MTLS_MODE", "report")]).await;
    let answer = function
        .get("/", &certificate_headers(clients.header(&clients.expired())))
        .await;
    assert_eq!(
        (answer.status, &answer.body_json()["client"]),
        (200, &serde_json::Value::Null)
    );
    let record = function.record().await;
    assert_eq!(
        (&record["decision"], &record["code"]),
        (&"would_deny".into(), &"ClientCertExpired".into())
    );
}

#[tokio::test]
async fn names_from_certificates_cannot_break_the_record() {
    let clients = Clients::new();
    let function = respond(&clients, &[]).await;
    let client = clients.issue(CertificateBuilder::client("CN=a\u{202e}\\\"\\,b,O=Tests"));
    assert_eq!(
        function
            .get("/", &certificate_headers(clients.header(&client)))
            .await
            .status,
        200
    );
    let record = function.record().await;
    assert!(
        record["client"]["subject"].as_str().unwrap().contains('\u{202e}'),
        "{record}"
    );
}
