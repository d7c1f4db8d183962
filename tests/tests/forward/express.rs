//! A real service behind the forwarder: Express with passport-jwt and method-override.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use alb_mtls_tests::tokens::{AUDIENCE, ISSUER, key, key_set, sign};
use alb_mtls_tests::{Clients, client_headers, leave_out, project, source};
use alb_mtls_verifier::Fingerprint;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{Event, forward};

/// Ends with the value.
struct Express {
    process: Child,
    port: u16,
}

impl Express {
    /// Starts the service; `None` where it is not installed, which fails the test in CI.
    fn start() -> Option<Self> {
        let modules = project().join(".venv/express/node_modules");
        if !modules.is_dir() {
            leave_out("`make .venv/express/installed` sets Express up");
            return None;
        }
        let script = std::fs::read_to_string(project().join("tests/tests/forward/express.cjs")).unwrap();
        let mut process = Command::new("node")
            .args(["--eval", &script])
            .env(
                "TOKEN_KEY",
                STANDARD.encode(key("2026").public_key_info().unwrap()),
            )
            .env("NODE_PATH", modules)
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let mut line = String::new();
        let output = process.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        Some(Self {
            process,
            port: line.trim().parse().expect("Express writes its port"),
        })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Express {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn token(fingerprint: &str) -> String {
    let claims = json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": time::OffsetDateTime::now_utc().unix_timestamp() + 300,
        "sub": "user-1",
        "cnf": {"x5t#S256": fingerprint},
    });
    sign("2026", &claims)
}

#[tokio::test]
async fn express_sees_no_token_that_is_bound_to_another_certificate() {
    let Some(express) = Express::start() else { return };
    let clients = Clients::new();
    let keys = source(&clients, "keys.json", key_set(&["2026"]));
    let variables = [
        ("MTLS_BOUND_TOKEN", "if-present"),
        ("MTLS_TOKEN_KEYS", &*keys),
        ("MTLS_TOKEN_ISSUER", ISSUER),
        ("MTLS_TOKEN_AUDIENCE", AUDIENCE),
        ("MTLS_TOKEN_ALGORITHMS", "ES256"),
    ];
    let function = forward(&clients, &express.url(), &variables).await;
    let own = token(&Fingerprint::of(clients.good.der()).to_base64url());
    let stolen = token(&Fingerprint::of(clients.root.der()).to_base64url());
    let ask = async |value: String| {
        let event = Event::get("/token", clients.good_headers()).header("authorization", &value);
        function.answer(event.to_bytes()).await
    };
    for before in ["Bearer ", "Bearer\t", "bearer \t "] {
        let answer = ask(format!("{before}{own}")).await;
        assert_eq!(answer.status, 200, "{before:?}: {}", answer.body());
        assert_eq!(answer.body_json()["subject"], "user-1");
    }
    for before in [
        "Bearer ",
        "Bearer\t",
        " Bearer ",
        "",
        "\"Bearer\" ",
        "JWT ",
        "DPoP ",
        "Bearer: ",
        "Basic eA==; Bearer ",
    ] {
        let answer = ask(format!("{before}{stolen}")).await;
        assert_eq!(answer.status, 401, "{before:?}");
        let is_ours = |line: &Value| {
            line["detail"] == "token_other_certificate" || line["detail"] == "token_unreadable"
        };
        function.line_where(is_ours).await;
    }
}

#[tokio::test]
async fn express_sees_the_method_and_the_host_that_were_decided_about() {
    let Some(express) = Express::start() else { return };
    let clients = Clients::new();
    let policies = source(
        &clients,
        "policies.cedar",
        r#"permit (principal, action == Action::"POST", resource in Path::"/public");"#,
    );
    let forged = [
        ("x-http-method-override", "DELETE"),
        ("x_http_method_override", "DELETE"),
        ("x-forwarded-host", "admin.example"),
        ("forwarded", "host=admin.example"),
    ];
    for (variables, headers) in [
        (("MTLS_POLICY", &*policies), clients.good_headers()),
        (("FORWARD_ROUTES", "public:/public"), client_headers()),
    ] {
        let function = forward(&clients, &express.url(), &[variables]).await;
        let event = forged.iter().fold(
            Event::new("POST", "/public/x", headers.clone()),
            |event, (name, value)| event.header(name, value),
        );
        let answer = function.answer(event.clone().to_bytes()).await;
        let seen = answer.body_json();
        assert_eq!((answer.status, &seen["method"]), (200, &json!("POST")), "{seen}");
        assert_ne!(seen["host"], "admin.example");
        let answer = function
            .answer(event.query(json!({"_method": ["DELETE"]})).to_bytes())
            .await;
        assert_eq!(answer.status, 400);
        // The same service falls for all of it when it is let.
        let function = forward(&clients, &express.url(), &[variables, ("MTLS_RESTATED", "keep")]).await;
        let event = Event::new("POST", "/public/x", headers)
            .header("x-http-method-override", "DELETE")
            .header("x-forwarded-host", "admin.example");
        let seen = function.answer(event.to_bytes()).await.body_json();
        assert_eq!(
            (&seen["method"], &seen["host"]),
            (&json!("DELETE"), &json!("admin.example"))
        );
    }
}
