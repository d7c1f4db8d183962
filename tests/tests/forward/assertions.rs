//! Assertions, verified by a library that we did not write.

use alb_mtls_tests::{Clients, Function, Moto, certificate_headers, client_headers, project};
use serde_json::{Value, json};
use test_pki::{CertificateBuilder, Criticality, Key, KeyKind};

use crate::backends::{read, sha256};
use crate::harness::{Event, assert_problem, forward};
use crate::upstream::{Recorder, Reply};

const JWKS: &str = "/.well-known/alb-mtls/jwks.json";

fn new_key() -> String {
    Key::random(KeyKind::P256).unwrap().to_pem().unwrap()
}

async fn jwks(function: &Function) -> Value {
    let answer = function
        .answer(Event::get(JWKS, client_headers()).to_bytes())
        .await;
    assert_eq!(answer.status, 200, "{}", function.log().join("\n"));
    assert_eq!(answer.header("content-type"), Some("application/jwk-set+json"));
    assert!(!answer.body().contains("\"d\""), "no private key");
    answer.body_json()
}

async fn asserting(clients: &Clients, upstream: &Recorder, keys: &str, more: &[(&str, &str)]) -> Function {
    let mut variables = vec![
        ("FORWARD_IDENTITY", "assertion"),
        ("FORWARD_ASSERTION_KEYS", keys),
        ("FORWARD_ASSERTION_ISSUER", "https://gate.example"),
    ];
    variables.extend(more);
    forward(clients, &upstream.url(), &variables).await
}

/// Writes a parameter of type SecureString.
fn put_secret(moto: &Moto, name: &str, value: &str) {
    let request = json!({"Name": name, "Value": value, "Type": "SecureString", "Overwrite": true});
    let output = std::process::Command::new("curl")
        .args(["--silent", "--show-error", "--fail-with-body", "-X", "POST", &moto.endpoint()])
        .args(["-H", "x-amz-target: AmazonSSM.PutParameter", "-H", "content-type: application/x-amz-json-1.1"])
        .args(["-H", "authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/ssm/aws4_request, SignedHeaders=host, Signature=0"])
        .args(["-d", &request.to_string()])
        .output()
        .expect("curl starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// Returns PyJWT's reading of the assertion with this key set.
async fn verified(clients: &Clients, upstream: &mut Recorder, keys: &Value) -> Value {
    let jwks = clients
        .write("jwks.json", &keys.to_string())
        .display()
        .to_string();
    let audience = upstream.url();
    let request = upstream.next().await;
    read(
        &request,
        clients.directory(),
        &[&jwks, "https://gate.example", &audience],
    )["assertion"]
        .clone()
}

#[tokio::test]
async fn an_assertion_says_who_the_client_is_to_this_upstream_for_a_minute() {
    let clients = Clients::new();
    let mut upstream = Recorder::start([Reply::ok()]).await;
    let keys = format!("file:{}", clients.write("key.pem", &new_key()).display());
    let function = asserting(&clients, &upstream, &keys, &[]).await;
    let key_set = jwks(&function).await;
    assert_eq!(
        function
            .answer(Event::get("/", clients.good_headers()).to_bytes())
            .await
            .status,
        200
    );
    let assertion = verified(&clients, &mut upstream, &key_set).await;
    assert_eq!(
        assertion["header"],
        json!({"alg": "ES256", "typ": "client-cert+jwt", "kid": key_set["keys"][0]["kid"]})
    );
    let claims = &assertion["claims"];
    assert_eq!(claims["sub"], "spiffe://tests.example/client-1");
    assert_eq!(claims["aud"], upstream.url());
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        60
    );
    assert_eq!(
        claims["san"],
        json!([{"dns": "client-1.tests.example"}, {"uri": "spiffe://tests.example/client-1"}])
    );
    assert_eq!(claims["anchor"], sha256(clients.root.der()));
    let thumbprint = alb_mtls_verifier::Fingerprint::of(clients.good.der()).to_base64url();
    assert_eq!(claims["cnf"], json!({"x5t#S256": thumbprint}));
    let record = function.line_where(|line| line["decision"] == "allowed").await;
    assert_eq!(claims["trust_version"], record["trust_version"]);
    assert!(claims["trust_version"].is_string());
}

#[tokio::test]
async fn extensions_are_claims_and_headers_and_no_forged_one_is_left() {
    let clients = Clients::new();
    let keys = format!("file:{}", clients.write("key.pem", &new_key()).display());
    let device = CertificateBuilder::client("CN=device").extension(
        "1.3.6.1.4.1.99999.1",
        Criticality::NotCritical,
        b"\x0c\x05a, \xc3\xbc",
    );
    let device = clients.issue(device);
    for selected in [
        Some("device_id=1.3.6.1.4.1.99999.1 class=1.3.6.1.4.1.99999.2"),
        None,
    ] {
        let mut upstream = Recorder::start([Reply::ok()]).await;
        let mut more = vec![("FORWARD_IDENTITY", "extensions,assertion")];
        more.extend(selected.map(|selected| ("MTLS_EXTENSIONS", selected)));
        let function = asserting(&clients, &upstream, &keys, &more).await;
        let key_set = jwks(&function).await;
        let headers = certificate_headers(clients.header(&device));
        let event = Event::get("/", headers)
            .header("X-Client-Cert-Extension-Device-Id", "forged")
            .header("x-client-cert-extension-class", "forged")
            .header("x_client_cert_extension_other", "forged");
        assert_eq!(function.answer(event.to_bytes()).await.status, 200);
        let request = upstream.next().await;
        let values = request.values("x-client-cert-extension-device-id");
        assert_eq!(values, selected.map(|_| "a%2C%20%C3%BC").as_slice());
        for name in ["x-client-cert-extension-class", "x_client_cert_extension_other"] {
            assert!(request.values(name).is_empty(), "{name}");
        }
        let jwks = clients
            .write("jwks.json", &key_set.to_string())
            .display()
            .to_string();
        let verified = read(
            &request,
            clients.directory(),
            &[&jwks, "https://gate.example", &upstream.url()],
        );
        let claim = &verified["assertion"]["claims"]["extensions"];
        match selected {
            Some(_) => assert_eq!(*claim, json!({"device_id": "a, ü"})),
            None => assert!(claim.is_null(), "{claim}"),
        }
    }
}

#[tokio::test]
async fn anonymous_clients_get_no_assertion() {
    let clients = Clients::new();
    let mut upstream = Recorder::start([Reply::ok()]).await;
    let keys = format!("file:{}", clients.write("key.pem", &new_key()).display());
    let more = [("MTLS_MODE", "optional"), ("FORWARD_ROUTES", "public:/open")];
    let function = asserting(&clients, &upstream, &keys, &more).await;
    for event in [
        Event::get("/", client_headers()),
        Event::get("/open", clients.good_headers()).header("x-client-cert-assertion", "forged"),
    ] {
        assert_eq!(function.answer(event.to_bytes()).await.status, 200);
        assert!(upstream.next().await.values("x-client-cert-assertion").is_empty());
    }
}

#[tokio::test]
async fn keys_in_the_parameter_store_rotate_with_overlap() {
    let clients = Clients::new();
    let mut upstream = Recorder::start([Reply::ok()]).await;
    let moto = Moto::start();
    let (old, new) = (new_key(), new_key());
    put_secret(&moto, "/gate/keys", &old);
    let variables = moto.variables();
    let mut more: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    more.push(("MTLS_REFRESH", "0s"));
    let function = asserting(&clients, &upstream, "ssm:/gate/keys", &more).await;
    let event = Event::get("/", clients.good_headers());
    let only_old = jwks(&function).await;

    put_secret(&moto, "/gate/keys", &format!("{old}{new}"));
    let both = jwks(&function).await;
    assert_eq!(
        (
            only_old["keys"].as_array().unwrap().len(),
            both["keys"].as_array().unwrap().len()
        ),
        (1, 2)
    );
    assert_eq!(function.answer(event.to_bytes()).await.status, 200);
    let by_old = verified(&clients, &mut upstream, &only_old).await;

    put_secret(&moto, "/gate/keys", &format!("{new}{old}"));
    assert_eq!(function.answer(event.to_bytes()).await.status, 200);
    let by_new = verified(&clients, &mut upstream, &both).await;
    assert_ne!(by_old["header"]["kid"], by_new["header"]["kid"]);

    // A mistake does not take the keys away.
    put_secret(&moto, "/gate/keys", "not a key");
    assert_eq!(function.answer(event.to_bytes()).await.status, 200);
    assert_eq!(
        verified(&clients, &mut upstream, &both).await["header"]["kid"],
        by_new["header"]["kid"]
    );
}

#[tokio::test]
async fn assertion_keys_that_are_gone_or_empty_stay_and_the_last_writer_decides() {
    let clients = Clients::new();
    let upstream = Recorder::start((0..8).map(|_| Reply::ok())).await;
    let path = clients.write("key.pem", &new_key());
    let keys = format!("file:{}", path.display());
    let function = asserting(&clients, &upstream, &keys, &[("MTLS_REFRESH", "1s")]).await;
    let first = jwks(&function).await;
    for content in [None, Some(""), Some("nothing")] {
        match content {
            None => std::fs::remove_file(&path).unwrap(),
            Some(content) => std::fs::write(&path, content).unwrap(),
        }
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        assert_eq!(jwks(&function).await, first, "{content:?}");
    }
    std::fs::write(&path, new_key()).unwrap();
    // The lookups that failed are followed by a backoff of up to 20 seconds.
    for _ in 0..60 {
        if jwks(&function).await != first {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    panic!("the new key was not read within 30 seconds");
}

#[tokio::test]
async fn without_a_key_nothing_is_forwarded() {
    let clients = Clients::new();
    let mut upstream = Recorder::start([Reply::ok()]).await;
    let keys = format!("file:{}/nowhere.pem", clients.directory().display());
    let function = asserting(&clients, &upstream, &keys, &[]).await;
    let answer = function
        .answer(Event::get("/", clients.good_headers()).to_bytes())
        .await;
    assert_problem(&function, &answer, 503, "material_unavailable").await;
    assert!(upstream.arrived().is_none());
}

#[tokio::test]
async fn the_key_set_can_only_be_read_and_never_reaches_the_upstream() {
    let clients = Clients::new();
    let mut upstream = Recorder::start([Reply::ok()]).await;
    let keys = format!("file:{}", clients.write("key.pem", &new_key()).display());
    let function = asserting(&clients, &upstream, &keys, &[("FORWARD_JWKS_PATH", "/keys")]).await;
    let answer = function
        .answer(Event::new("POST", "/keys", client_headers()).to_bytes())
        .await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(
        function
            .answer(Event::get("/keys", client_headers()).to_bytes())
            .await
            .status,
        200
    );
    assert!(upstream.arrived().is_none());
    assert_eq!(
        function
            .answer(Event::get("/keys/x", client_headers()).to_bytes())
            .await
            .status,
        401
    );
}

/// The example upstream. Ends with the value.
struct Example(std::process::Child);

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_example_serves_only_what_passed_the_gate() {
    let clients = Clients::new();
    let keys = format!("file:{}", clients.write("key.pem", &new_key()).display());
    // A port that was free a moment ago; the example has to know its own name.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let audience = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let variables = [
        ("FORWARD_IDENTITY", "assertion"),
        ("FORWARD_ASSERTION_KEYS", keys.as_str()),
        ("FORWARD_ASSERTION_ISSUER", "https://gate.example"),
        ("FORWARD_ROUTES", "public:/open"),
    ];
    let function = forward(&clients, &audience, &variables).await;
    let key_set = jwks(&function).await.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        key_set.len()
    );
    let gate = Recorder::start([Reply::BytesThenClose((head + &key_set).into_bytes())]).await;
    let process = std::process::Command::new(project().join(".venv/bin/python"))
        .arg(project().join("examples/verify_assertion.py"))
        .args([gate.url(), "https://gate.example".to_owned(), audience.clone()])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let _example = Example(process);
    while std::net::TcpStream::connect(audience.trim_start_matches("http://")).is_err() {
        tokio::task::yield_now().await;
    }

    let answer = function
        .answer(Event::get("/", clients.good_headers()).to_bytes())
        .await;
    assert_eq!(
        (answer.status, answer.body()),
        (200, "hello spiffe://tests.example/client-1\n")
    );
    let answer = function
        .answer(Event::get("/open", client_headers()).to_bytes())
        .await;
    assert_eq!((answer.status, answer.body()), (401, "DecodeError\n"));
}
