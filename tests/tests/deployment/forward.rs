//! The forwarder before a server and before another Lambda function.

use std::net::TcpListener;

use alb_mtls_tests::{Account, project};
use serde_json::json;

use crate::certificates::{Pki, deployed};
use crate::examples::example;

/// Answers every request with its head, from a thread of its own.
fn upstream() -> u16 {
    use std::io::{Read, Write};

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut head = Vec::new();
            let mut buffer = [0; 1024];
            while !head.ends_with(b"\r\n\r\n") {
                match connection.read(&mut buffer) {
                    Ok(count) if count > 0 => head.extend_from_slice(&buffer[..count]),
                    _ => break,
                }
            }
            let answer = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                head.len()
            );
            let _ = connection.write_all(&[answer.as_bytes(), &head].concat());
        }
    });
    port
}

#[tokio::test]
async fn server_behind_forward_learns_who_the_client_is() {
    let (account, pki) = (Account::start(), Pki::new());
    let parameters = format!("ForwardUpstream=http://127.0.0.1:{}", upstream());
    account.must_run(
        pki.path(),
        &example("forward-server"),
        &[("SIMULATOR_PARAMETERS", &parameters)],
    );
    let stack = account.stack("gate");
    let mut gate = stack.listen().await;
    let (status, body) = gate.ask(pki.client.files(), "/orders").await;
    assert_eq!(status, 200, "{body}");
    assert!(
        body.contains("x-amzn-mtls-clientcert-subject: CN=client-1,O=Example"),
        "{body}"
    );
    assert_eq!(gate.record().await["decision"], "allowed");
    assert_eq!(gate.ask(None, "/orders").await.0, 401);
    gate.close().await;
}

#[tokio::test]
async fn function_behind_forward_is_the_only_one_that_may_be_invoked() {
    let (account, pki) = (Account::start(), Pki::new());
    let python = project().join(".venv/bin/python");
    for name in ["orders", "payroll"] {
        let command = [
            python.as_path(),
            "-m".as_ref(),
            "awslambdaric".as_ref(),
            "app.handler".as_ref(),
        ];
        let folder = project().join("examples/layer/python");
        account.register(
            name,
            &command,
            &json!({"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}),
        );
    }
    let stack = deployed(&account, pki.path(), &example("forward-function"));
    let mut gate = stack.listen().await;
    let (status, body) = gate.ask(pki.client.files(), "/orders").await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("\"hello\": \"CN=client-1,O=Example\""), "{body}");
    assert_eq!(gate.record().await["decision"], "allowed");
    gate.close().await;

    // The role of a stack with another upstream does not allow this one.
    let other = "arn:aws:lambda:us-east-1:123456789012:function:other";
    let stack = account.change("gate", &[("ForwardFunctionArn", other)]).unwrap();
    let command = stack
        .command("ForwardFunction")
        .variable("FORWARD_UPSTREAM", "lambda:payroll");
    let function = alb_mtls_tests::Function::run(command).await;
    let header = stack.output("CertificateHeaderName").to_owned();
    let chain = std::fs::read_to_string(pki.path().join("client.pem")).unwrap();
    let headers = vec![
        ("host".to_owned(), "gate.example.org".to_owned()),
        ("x-forwarded-for".to_owned(), "192.0.2.7".to_owned()),
        (header, chain.replace(' ', "%20").replace('\n', "%0A")),
    ];
    let request = local_alb::AlbRequest {
        method: "GET".to_owned(),
        path: "/".to_owned(),
        query: None,
        headers,
        body: bytes::Bytes::new(),
    };
    let group = stack.output("TargetGroupArn").to_owned();
    let event = request
        .to_event(&group, local_alb::HeaderMode::MultiValue)
        .unwrap();
    let answer = function.answer(event).await;
    assert_eq!(answer.status, 502, "{}", answer.body());
    function
        .line_where(|line| line["detail"] == "upstream_invoke")
        .await;
}
