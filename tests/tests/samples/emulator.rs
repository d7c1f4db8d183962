//! Every file of `events/` through every built function, in AWS's Runtime Interface Emulator.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use alb_mtls_tests::{Clients, Moto, binary, project};
use serde_json::{Value, json};
use test_pki::CrlBuilder;

use crate::answers::expected_status;
use crate::interface_emulator::Emulator;

/// Names and paths of the sample events, in order.
fn samples() -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(project().join("events")).unwrap();
    let mut samples: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    samples.sort();
    assert!(samples.len() >= 30, "{samples:?}");
    samples
}

fn source(file: &str) -> String {
    format!("file:{}", project().join("events").join(file).display())
}

/// A target of the load balancer answers its events by what they hold, and refuses what is not its
/// business.
fn assert_target(emulator: &Emulator) {
    for (name, path) in samples() {
        let answer = emulator.invoke(&path);
        let status = answer["statusCode"].as_u64();
        match expected_status(&name) {
            Some(expected) => assert_eq!(status, Some(expected.into()), "{name}: {answer}"),
            None => assert!(
                status.is_some_and(|status| (400..500).contains(&status)),
                "{name}: {answer}"
            ),
        }
    }
    let log = emulator.log();
    assert!(log.contains("INIT RTDONE(status: success)"), "{log}");
    assert!(!log.contains("status: error"), "{log}");
}

#[test]
fn respond_answers_every_sample_event() {
    assert_target(&Emulator::start(
        "respond",
        [("MTLS_ANCHORS", source("anchors.pem"))],
    ));
}

#[test]
fn forward_answers_every_sample_event() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in upstream.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let length = stream.read(&mut head).unwrap_or_default();
            assert!(head.starts_with(b"GET "), "{:?}", &head[..length]);
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
            stream.write_all(answer).unwrap();
        }
    });
    assert_target(&Emulator::start(
        "forward",
        [
            ("MTLS_ANCHORS", source("anchors.pem")),
            ("FORWARD_UPSTREAM", format!("http://{address}")),
        ],
    ));
}

/// AWS's own runtime for Python behind the layer.
#[test]
fn the_layer_lets_good_clients_alone_through_to_the_function() {
    let command_line = [
        binary("alb-mtls-layer"),
        project().join(".venv/bin/python"),
        "-m".into(),
        "awslambdaric".into(),
        "handler.handler".into(),
    ];
    let handler = project().join("tests/tests/layer");
    let emulator = Emulator::run(
        command_line,
        [
            ("MTLS_ANCHORS", source("anchors.pem")),
            ("PYTHONPATH", handler.display().to_string()),
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
        ],
    );
    let mut calls = 0;
    for (name, path) in samples() {
        let answer = emulator.invoke(&path);
        let status = answer["statusCode"].as_u64();
        match expected_status(&name) {
            Some(expected) => assert_eq!(status, Some(expected.into()), "{name}: {answer}"),
            None if name.starts_with("refresh-crls") => {
                assert_eq!(answer["errorType"], "AlbMtls.EventRefused", "{name}: {answer}");
            }
            None => assert_eq!(status, Some(400), "{name}: {answer}"),
        }
        // The function counts its calls.
        if name.starts_with("alb-mtls-valid") || name == "alb-mtls-plus-heavy" {
            calls += 1;
            assert_eq!(answer["calls"], calls, "{name}");
        } else {
            assert!(answer.get("calls").is_none(), "{name}: {answer}");
        }
    }
    assert_eq!(calls, 3);
    assert!(emulator.log().contains("INIT RTDONE(status: success)"));
}

#[test]
fn authorize_answers_every_sample_event() {
    let emulator = Emulator::start(
        "authorize",
        [
            ("MTLS_ANCHORS", source("anchors.pem")),
            ("MTLS_INTERMEDIATES", source("intermediates.pem")),
            ("AUTHORIZE_CERTIFICATE", "client-cert".to_owned()),
        ],
    );
    let mut allowed = Vec::new();
    for (name, path) in samples() {
        let answer = emulator.invoke(&path);
        let effect = &answer["policyDocument"]["Statement"][0]["Effect"];
        match (effect.as_str(), answer["errorMessage"].as_str()) {
            (Some("Allow"), None) => allowed.push(name),
            (Some("Deny"), None) | (None, Some("Unauthorized")) => {}
            _ => panic!("{name}: {answer}"),
        }
    }
    assert_eq!(
        allowed,
        ["apigw-http-1.0-valid", "apigw-http-2.0-valid", "apigw-rest-valid"]
    );
}

#[test]
fn refresh_crls_refreshes_at_every_sample_event() {
    let clients = Clients::new();
    let moto = Moto::start();
    moto.create_bucket("source");
    moto.create_bucket("trust");
    let crl = CrlBuilder::new().number(1).issued_by(&clients.root).unwrap();
    moto.put_object("source", "root.crl", crl.pem());
    let variables = moto.variables();
    let mut variables: Vec<(&str, String)> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    variables.extend([
        ("CRL_ANCHORS", clients.anchors_source()),
        ("CRL_SOURCES", "s3://source/root.crl".to_owned()),
        ("CRL_DESTINATION", "s3://trust/crls/".to_owned()),
    ]);
    let emulator = Emulator::start("refresh-crls", variables);
    let answers: Vec<Value> = samples().iter().map(|(_, path)| emulator.invoke(path)).collect();
    let (first, others) = answers.split_first().unwrap();
    assert_eq!(first["published"], json!(1), "{first}");
    for answer in others {
        assert_eq!(
            (&answer["published"], &answer["unchanged"]),
            (&json!(0), &json!(1)),
            "{answer}"
        );
    }
}

/// Otherwise a green test could mean that the emulator hides what goes wrong.
#[test]
fn the_emulator_shows_a_function_that_does_not_start() {
    let emulator = Emulator::start("respond", [("MTLS_ANCHORS", "http://nowhere".to_owned())]);
    let (_, path) = samples().swap_remove(0);
    let answer = emulator.invoke_raw(&path);
    let answer = String::from_utf8_lossy(&answer);
    assert!(!answer.contains("statusCode"), "{answer}");
    // The emulator's own line, which it may write after its answer.
    let end = Instant::now() + Duration::from_secs(20);
    while !emulator
        .log()
        .contains("Runtime exited with error: exit status 2")
    {
        assert!(Instant::now() < end, "{}", emulator.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}
