//! Every reason of the table is provoked, through the built function.

use std::collections::{BTreeMap, BTreeSet};

use alb_mtls_gate::denial_reasons;
use alb_mtls_tests::tokens::key_set;
use alb_mtls_tests::upstream::{Recorder, Reply};
use alb_mtls_tests::{
    Clients, Function, Server, TARGET_GROUP, binary, certificate_headers, client_headers, exchange,
    header_of, project,
};
use alb_mtls_verifier::Fingerprint;
use local_alb::{Environment, FunctionCommand, FunctionOutput};
use serde_json::{Value, json};
use test_pki::{
    Certificate, CertificateBuilder, Credential, Criticality, CrlBuilder, CrlScope, Key, KeyKind, KeyUsage,
    OcspResponseBuilder, SignatureAlgorithm, ocsp_declined,
};
use time::{Duration, OffsetDateTime};

use crate::tokens;
use alb_mtls_tests::{respond, source};

/// Reasons that cannot be provoked from outside, and why.
const OUT_OF_REACH: &[(&str, &str)] = &[
    (
        "key_distrusted",
        "takes a key whose owner lost it: the code knows digests of such keys alone",
    ),
    (
        "policy_fact_unrepresentable",
        "takes a clock that stands beyond the year 9999",
    ),
    (
        "validators_disagree",
        "takes a fault in one of the validators, and none is known",
    ),
];

/// Records of the function, by the detail of the denial.
#[derive(Default)]
struct Seen(BTreeMap<String, Value>);

impl Seen {
    /// Takes the next record, which must be a refusal with this detail.
    async fn expect(&mut self, function: &Function, detail: &str) {
        let record = function.record().await;
        assert_eq!(record["detail"], detail, "{record}");
        assert_eq!(record["decision"], "denied", "{record}");
        self.0.insert(detail.to_owned(), record);
    }
}

/// Returns the documentation of each detail.
fn table() -> BTreeMap<&'static str, (&'static str, u16)> {
    denial_reasons()
        .iter()
        .map(|reason| (reason.detail, (reason.code.as_str(), reason.status.as_u16())))
        .collect()
}

#[tokio::test]
async fn every_reason_of_the_table_is_provoked() {
    let mut seen = Seen::default();
    by_vectors(&mut seen).await;
    by_headers_and_certificates(&mut seen).await;
    by_revocation(&mut seen).await;
    by_ocsp(&mut seen).await;
    by_signatures_and_extensions(&mut seen).await;
    by_tokens(&mut seen).await;
    by_policies(&mut seen).await;
    by_what_is_around(&mut seen).await;

    let table = table();
    let provoked: BTreeSet<&str> = seen.0.keys().map(String::as_str).collect();
    let out_of_reach: BTreeSet<&str> = OUT_OF_REACH.iter().map(|(detail, _)| *detail).collect();
    assert!(
        provoked.is_disjoint(&out_of_reach),
        "no longer out of reach: {provoked:?}"
    );
    let documented: BTreeSet<&str> = table.keys().copied().collect();
    let missing: Vec<&&str> = documented
        .iter()
        .filter(|detail| !provoked.contains(*detail) && !out_of_reach.contains(*detail))
        .collect();
    assert!(missing.is_empty(), "nothing provokes {missing:?}");
    for (detail, record) in &seen.0 {
        let (code, status) = table[detail.as_str()];
        assert_eq!(record["code"], code, "{record}");
        assert_eq!(record["status"], status, "{record}");
        assert_eq!(record["level"], "WARN", "{record}");
        assert!(!record["explanation"].as_str().unwrap().is_empty(), "{record}");
    }
}

/// Sends one vector for each detail, of those whose verdict does not depend on the time of day.
async fn by_vectors(seen: &mut Seen) {
    let clients = Clients::new();
    let mut done = BTreeSet::new();
    for file in ["headers", "advisories", "names", "paths", "policies", "rules"] {
        let path = project().join(format!("vectors/{file}.jsonl"));
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let detail = case["detail"].as_str().unwrap_or("no_usable_anchor");
            if detail == "no_usable_anchor" || case.get("crls").is_some() || !done.insert(detail.to_owned()) {
                continue;
            }
            let texts = |name: &str| -> Vec<String> {
                let values = case[name].as_array().into_iter().flatten();
                values.map(|value| value.as_str().unwrap().to_owned()).collect()
            };
            let anchors = source(&clients, "vector.pem", texts("trusted").concat());
            let mut variables = vec![
                ("MTLS_ANCHORS".to_owned(), anchors),
                (
                    "MTLS_MAX_DEPTH".to_owned(),
                    case["max_depth"].as_u64().unwrap_or(10).to_string(),
                ),
            ];
            let configured = texts("configured").concat();
            if !configured.is_empty() {
                variables.push((
                    "MTLS_INTERMEDIATES".to_owned(),
                    source(&clients, "configured.pem", configured),
                ));
            }
            for (field, variable) in [
                ("extended_key_usage", "MTLS_EKU"),
                ("header_format", "MTLS_HEADER_FORMAT"),
            ] {
                if let Some(value) = case[field].as_str() {
                    variables.push((variable.to_owned(), value.to_owned()));
                }
            }
            let is_rfc9440 = case["header_format"] == "rfc9440";
            let name = if is_rfc9440 {
                "client-cert"
            } else {
                "x-amzn-mtls-clientcert"
            };
            let mut headers = client_headers();
            headers.push((name.to_owned(), case["header"].as_str().unwrap().to_owned()));
            headers.extend(
                texts("more_headers")
                    .into_iter()
                    .map(|value| (name.to_owned(), value)),
            );
            headers.extend(
                texts("chain_headers")
                    .into_iter()
                    .map(|value| ("client-cert-chain".to_owned(), value)),
            );
            let function = Function::start("respond", variables).await;
            let answer = function.get("/", &headers).await;
            assert_eq!(answer.status, 401, "{}", case["id"]);
            seen.expect(&function, detail).await;
        }
    }
    assert!(done.len() > 30, "{done:?}");
}

async fn by_headers_and_certificates(seen: &mut Seen) {
    let clients = Clients::new();
    let function = respond(&clients, &[("MTLS_MAX_HEADER", "65536")]).await;
    let mut look_alike = client_headers();
    look_alike.push(("x_amzn_mtls_clientcert".to_owned(), clients.header(&clients.good)));
    let nameless = CertificateBuilder::intermediate("")
        .issued_by(&clients.root)
        .unwrap();
    let of_nameless = CertificateBuilder::client("CN=x").issued_by(&nameless).unwrap();
    let short = with_short_key(&clients);
    let stranger = Key::random(KeyKind::Ed25519).unwrap();
    let signed = clients
        .good
        .certificate()
        .edited_with(&stranger, SignatureAlgorithm::Ed25519, |_| Ok(()));
    let (complex, constrained) = many_names_under_many_constraints(&clients.root);
    for (headers, detail) in [
        (client_headers(), "certificate_missing"),
        (look_alike, "header_look_alike"),
        (
            certificate_headers(header_of([&of_nameless, &nameless])),
            "issuer_name_empty",
        ),
        (
            certificate_headers(header_of_certificate(&clients, short)),
            "key_size",
        ),
        (
            certificate_headers(header_of_certificate(&clients, signed.unwrap())),
            "signature_algorithm",
        ),
        (
            certificate_headers(header_of([&complex, &constrained])),
            "path_too_complex",
        ),
    ] {
        assert_eq!(function.get("/", &headers).await.status, 401, "{detail}");
        seen.expect(&function, detail).await;
    }
}

/// A client whose RSA key has 1024 bits.
fn with_short_key(clients: &Clients) -> Certificate {
    clients
        .good
        .certificate()
        .edited(clients.issuing.key(), |tbs| {
            let info = [
                &[
                    0x30, 0x81, 0x9F, 0x30, 0x0D, 6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1, 5, 0,
                ][..],
                &[0x03, 0x81, 0x8D, 0, 0x30, 0x81, 0x89, 0x02, 0x81, 0x81, 0],
                &[0xC1; 128],
                &[0x02, 3, 1, 0, 1],
            ];
            tbs.subject_public_key_info = test_pki::raw::any(&info.concat())?;
            Ok(())
        })
        .unwrap()
}

fn header_of_certificate(clients: &Clients, certificate: Certificate) -> String {
    clients.header(&Credential::new(certificate, clients.good.key().clone()))
}

fn many_names_under_many_constraints(root: &Credential) -> (Credential, Credential) {
    let constrained = (0..400).fold(CertificateBuilder::intermediate("CN=I"), |builder, number| {
        builder.exclude(&test_pki::GeneralName::Dns(&format!("x{number}.example")))
    });
    let constrained = constrained.issued_by(root).unwrap();
    let client = (0..1_000).fold(CertificateBuilder::client("CN=x"), |builder, number| {
        builder.dns(&format!("n{number}.example"))
    });
    (client.issued_by(&constrained).unwrap(), constrained)
}

/// Sends clients that settings of the operator alone refuse.
async fn by_signatures_and_extensions(seen: &mut Seen) {
    let clients = Clients::new();
    let list = |authority: &Credential, algorithm| {
        let list = CrlBuilder::new().signature_algorithm(algorithm);
        list.issued_by(authority).unwrap().pem()
    };
    let crls = list(&clients.root, SignatureAlgorithm::EcdsaSha256)
        + &list(&clients.issuing, SignatureAlgorithm::EcdsaSha384);
    let crls = source(&clients, "crls.pem", crls);
    let long = CertificateBuilder::client("CN=long,O=Tests").extension(
        "1.3.6.1.4.1.99999.1",
        Criticality::NotCritical,
        &[0x30; 2_000],
    );
    let long = clients.issue(long);
    for (client, variables, detail) in [
        (
            &clients.good,
            &[("MTLS_SIGNATURES", "ml-dsa-87")][..],
            "signature_not_allowed",
        ),
        (
            &clients.good,
            &[("MTLS_SIGNATURES", "ecdsa-p256-sha256"), ("MTLS_CRLS", &crls)],
            "crl_signature_not_allowed",
        ),
        (
            &long,
            &[("MTLS_EXTENSIONS", "1.3.6.1.4.1.99999.1")],
            "extension_too_long",
        ),
    ] {
        let function = respond(&clients, variables).await;
        let headers = certificate_headers(clients.header(client));
        assert_eq!(function.get("/", &headers).await.status, 401, "{detail}");
        seen.expect(&function, detail).await;
    }
}

async fn by_revocation(seen: &mut Seen) {
    let clients = Clients::new();
    let now = OffsetDateTime::now_utc();
    let hour = Duration::hours(1);
    let fresh = || CrlBuilder::new().valid(now - hour, now + hour);
    let of_issuing = |builder: CrlBuilder| builder.issued_by(&clients.issuing).unwrap().pem();
    let of_root = fresh().issued_by(&clients.root).unwrap().pem();
    let impostor = Clients::new();
    let with_ed25519 = CertificateBuilder::intermediate("CN=Test Issuing CA,O=Tests")
        .key_kind(KeyKind::Ed25519)
        .self_signed()
        .unwrap();
    for (crls, detail) in [
        (
            of_root.clone() + &of_issuing(fresh().revoke(&clients.good)),
            "revoked",
        ),
        (of_root.clone(), "crl_missing"),
        (
            of_root.clone() + &of_issuing(fresh().scope(CrlScope::Authorities)),
            "crl_scope",
        ),
        (
            of_root.clone() + &of_issuing(CrlBuilder::new().valid(now - 2 * hour, now - hour)),
            "crl_stale",
        ),
        (
            of_root.clone() + &of_issuing(CrlBuilder::new().valid(now + hour, now + 2 * hour)),
            "crl_not_yet_valid",
        ),
        (
            of_root.clone() + &fresh().issued_by(&impostor.issuing).unwrap().pem(),
            "crl_signature",
        ),
        (
            of_root.clone() + &fresh().issued_by(&with_ed25519).unwrap().pem(),
            "crl_signature_unsupported",
        ),
        (
            of_root.clone() + &of_issuing(CrlBuilder::new().without_next_update()),
            "crl_unusable",
        ),
        (
            of_root.clone() + &of_issuing(fresh().number(6).delta_of(5)),
            "crl_base_missing",
        ),
    ] {
        let crls = source(&clients, "crls.pem", crls);
        let function = respond(&clients, &[("MTLS_CRLS", &crls)]).await;
        assert_eq!(
            function.get("/", &clients.good_headers()).await.status,
            401,
            "{detail}"
        );
        seen.expect(&function, detail).await;
    }
    // The issuer is known from the client's own chain alone, so that the CRL is not refused when it
    // is loaded.
    let no_crls = CertificateBuilder::intermediate("CN=No CRLs")
        .key_usage(&[KeyUsage::KeyCertSign])
        .issued_by(&clients.root)
        .unwrap();
    let client = CertificateBuilder::client("CN=x").issued_by(&no_crls).unwrap();
    let crls = source(
        &clients,
        "crls.pem",
        of_root + &fresh().issued_by(&no_crls).unwrap().pem(),
    );
    let function = respond(&clients, &[("MTLS_CRLS", &crls)]).await;
    let answer = function
        .get("/", &certificate_headers(header_of([&client, &no_crls])))
        .await;
    assert_eq!(answer.status, 401);
    seen.expect(&function, "crl_issuer_key_usage").await;
}

async fn by_ocsp(seen: &mut Seen) {
    let clients = Clients::new();
    let about = || OcspResponseBuilder::new(&clients.good, &clients.issuing);
    let now = OffsetDateTime::now_utc();
    let stale = about().valid(now - 2 * Duration::DAY, now - Duration::DAY);
    for (response, detail) in [
        (about().signed_by(&clients.root), "ocsp_signature"),
        (stale.signed_by(&clients.issuing), "ocsp_stale"),
        (Ok(ocsp_declined(3)), "ocsp_unavailable"),
        (about().unknown().signed_by(&clients.issuing), "ocsp_unknown"),
        (
            about().serials(&[&[1]]).signed_by(&clients.issuing),
            "ocsp_unusable",
        ),
    ] {
        let body = response.unwrap();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        let response = [head.into_bytes(), body].concat();
        let responder = Recorder::start([Reply::BytesThenClose(response)]).await;
        let url = responder.url();
        let settings = [
            ("MTLS_OCSP", url.as_str()),
            ("MTLS_OCSP_NETWORKS", "127.0.0.0/8"),
            ("MTLS_REVOCATION_DEPTH", "leaf"),
        ];
        let function = respond(&clients, &settings).await;
        assert_eq!(
            function.get("/", &clients.good_headers()).await.status,
            401,
            "{detail}"
        );
        seen.expect(&function, detail).await;
    }
    let function = respond(&clients, &[("MTLS_OCSP", "aia-cas")]).await;
    assert_eq!(function.get("/", &clients.good_headers()).await.status, 401);
    seen.expect(&function, "ocsp_responder_missing").await;
}

async fn by_tokens(seen: &mut Seen) {
    let clients = Clients::new();
    let keys = source(&clients, "keys.json", key_set(&["2026"]));
    let function = respond(&clients, &tokens::variables(&keys)).await;
    for (detail, values) in tokens::faults(&clients) {
        let mut headers = clients.good_headers();
        headers.extend(
            values
                .into_iter()
                .map(|value| ("authorization".to_owned(), value)),
        );
        assert_eq!(function.get("/", &headers).await.status, 401, "{detail}");
        seen.expect(&function, detail).await;
    }
    let function = respond(&clients, &tokens::variables("file:/nowhere/keys.json")).await;
    let (_, any_token) = tokens::faults(&clients).pop().unwrap();
    let mut headers = clients.good_headers();
    headers.extend(
        any_token
            .into_iter()
            .map(|value| ("authorization".to_owned(), value)),
    );
    assert_eq!(function.get("/", &headers).await.status, 503);
    seen.expect(&function, "no_token_keys").await;
}

async fn by_policies(seen: &mut Seen) {
    let clients = Clients::new();
    let policies = source(
        &clients,
        "policies.cedar",
        r#"
        @id("permitted") permit (principal, action == Action::"GET", resource in Path::"/permitted")
        when { resource in Host::"gate.tests.example" };
        @id("forbidden") forbid (principal, action == Action::"DELETE", resource);
        @id("network") forbid (principal, action == Action::"PATCH", resource)
        when { context has source_address && context.source_address.isLoopback() };
        @id("overflow") permit (principal is Client, action == Action::"PUT", resource)
        when { principal.days_left + 9223372036854775807 > 0 };
        "#,
    );
    let function = respond(
        &clients,
        &[("MTLS_POLICY", &policies), ("MTLS_MAX_HEADER", "65536")],
    )
    .await;
    let many = (0..2_001).fold(CertificateBuilder::client("CN=x"), |builder, number| {
        builder.dns(&format!("n{number}.a"))
    });
    let forwarded_for = |value: &str| {
        let mut headers = clients.good_headers();
        headers.retain(|(name, _)| name != "x-forwarded-for");
        headers.push(("x-forwarded-for".to_owned(), value.to_owned()));
        headers
    };
    let without_host = |headers: Vec<(String, String)>| -> Vec<(String, String)> {
        headers.into_iter().filter(|(name, _)| name != "host").collect()
    };
    for (line, headers, detail) in [
        ("GET /other", clients.good_headers(), "policy_does_not_permit"),
        ("DELETE /", clients.good_headers(), "policy_forbids"),
        ("PUT /", clients.good_headers(), "policy_failed"),
        (
            "GET /permitted/../other",
            clients.good_headers(),
            "policy_path_not_plain",
        ),
        (
            "GET /permitted",
            without_host(clients.good_headers()),
            "host_unclear",
        ),
        ("GET /PERMITTED", clients.good_headers(), "policy_path_spelling"),
        (
            "GET /permitted",
            forwarded_for("192.0.2.7, unknown"),
            "policy_source_address_unclear",
        ),
        (
            "GET /permitted",
            certificate_headers(clients.header(&clients.issue(many))),
            "policy_identity_too_large",
        ),
    ] {
        let (method, path) = line.split_once(' ').unwrap();
        let event = alb_mtls_tests::event(method, path, &headers, local_alb::HeaderMode::MultiValue);
        let status = if detail == "host_unclear" { 400 } else { 403 };
        assert_eq!(function.answer(event).await.status, status, "{detail}");
        seen.expect(&function, detail).await;
    }
}

async fn by_what_is_around(seen: &mut Seen) {
    let clients = Clients::new();
    let other_group = TARGET_GROUP.replace("gate", "other");
    let function = respond(&clients, &[("MTLS_TARGET_GROUPS", &other_group)]).await;
    assert_eq!(function.get("/", &clients.good_headers()).await.status, 403);
    seen.expect(&function, "target_group").await;

    let variables = [
        ("MTLS_ANCHORS", clients.anchors_source()),
        ("MTLS_HEADER", "x-secret-chain".to_owned()),
        ("MTLS_PEERS", "192.0.2.0/24".to_owned()),
        ("FORWARD_UPSTREAM", "http://127.0.0.1:9".to_owned()),
        ("SERVER_LISTEN", "127.0.0.1:0".to_owned()),
        ("SERVER_ADMIN_LISTEN", "off".to_owned()),
    ];
    let mut server = Server::start(variables).await;
    let host = ["host: gate.tests.example".to_owned()];
    let answer = exchange(server.address("SERVER_LISTEN"), "GET /", &host).await;
    assert_eq!(answer.status, 403);
    let record = server.record().await;
    assert_eq!(
        (&record["detail"], &record["peer"]),
        (&json!("peer"), &json!("127.0.0.1")),
        "{record}"
    );
    seen.0.insert("peer".to_owned(), record);

    let function = respond(&clients, &[]).await;
    assert_eq!(function.answer("[]").await.status, 400);
    seen.expect(&function, "not_servable").await;

    let event = alb_mtls_tests::event(
        "CONNECT",
        "/",
        &clients.good_headers(),
        local_alb::HeaderMode::MultiValue,
    );
    assert_eq!(function.answer(event).await.status, 400);
    seen.expect(&function, "method_connect").await;

    let policies = source(&clients, "all.cedar", "permit (principal, action, resource);");
    let restating = respond(&clients, &[("MTLS_POLICY", &policies)]).await;
    let answer = restating.get("/?_method=DELETE", &clients.good_headers()).await;
    assert_eq!(answer.status, 400);
    seen.expect(&restating, "restated").await;

    let function = Function::start("respond", [("MTLS_ANCHORS", "file:/nowhere/anchors.pem")]).await;
    assert_eq!(function.get("/", &clients.good_headers()).await.status, 503);
    seen.expect(&function, "no_trust_material").await;

    let function = respond(&clients, &[("MTLS_DENY", "file:/nowhere/deny.txt")]).await;
    assert_eq!(function.get("/", &clients.good_headers()).await.status, 503);
    seen.expect(&function, "no_deny_list").await;
    let key = clients.issuing.key().public_key_info().unwrap();
    let list = source(&clients, "deny.txt", format!("key {}", Fingerprint::of(&key)));
    let function = respond(&clients, &[("MTLS_DENY", list.as_str())]).await;
    assert_eq!(function.get("/", &clients.good_headers()).await.status, 403);
    seen.expect(&function, "deny_list").await;

    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let command = FunctionCommand::new(binary("authorize"))
        .output(FunctionOutput::Lines(sender))
        .variable("MTLS_ANCHORS", clients.anchors_source());
    let authorizer = Environment::start(command).await.unwrap();
    let sample = std::fs::read_to_string(project().join("events/apigw-http-2.0-valid.json")).unwrap();
    let event: Value = serde_json::from_str(&sample).unwrap();
    for (name, detail) in [
        ("x-amzn-mtls-clientcert", "certificate_source"),
        ("x-ssl-client-verify", "identity_header"),
    ] {
        let mut event = event.clone();
        event["headers"][name] = json!("forged");
        authorizer.invoke(event.to_string().into_bytes()).await;
        let record = loop {
            let line = lines.recv().await.unwrap();
            match serde_json::from_str::<Value>(&line.text) {
                Ok(record) if record["message"] == "decision" => break record,
                _ => {}
            }
        };
        assert_eq!(record["detail"], detail, "{record}");
        seen.0.insert(detail.to_owned(), record);
    }
}
