//! Records that are written, and what they leave out.

use std::sync::Arc;

use alb_mtls_gate::{FunctionFacts, Gate, Ingress, Peer};
use alb_mtls_verifier::Timestamp;
use http::Request;
use serde_json::{Value, json};
use test_pki::CertificateBuilder;

use crate::support::{Records, Site, of_client, settings, status};

/// Asks several times without a certificate and returns the statuses, and the sampling rates of the
/// records.
async fn rates(variables: &[(&str, &str)], times: usize) -> (Vec<u16>, Vec<Option<f64>>) {
    let anchors = [("MTLS_ANCHORS", "file:/nonexistent/anchors.pem")];
    let records = Records::default();
    let gate = Gate::new(settings(&anchors, variables)).with_audit_sink(records.clone());
    let mut statuses = Vec::new();
    for _ in 0..times {
        let (parts, ()) = Request::new(()).into_parts();
        statuses.push(status(&gate.admit_at(parts.into(), Timestamp::now()).await));
    }
    statuses.dedup();
    let records = records.0.lock().unwrap();
    let rates = records.iter().map(|record| record["sampling_rate"].as_f64());
    (statuses, rates.collect())
}

#[tokio::test]
async fn sampled_records_tell_their_share_and_denials_are_all_written() {
    let optional = ("MTLS_MODE", "optional");
    let (statuses, all) = rates(&[optional], 20).await;
    assert_eq!((statuses, all), (vec![200], vec![None; 20]));
    let (statuses, half) = rates(&[optional, ("MTLS_RECORD_ALLOWED", "50%")], 200).await;
    assert_eq!(statuses, [200]);
    assert!((40..160).contains(&half.len()), "{} of 200", half.len());
    assert!(half.iter().all(|rate| *rate == Some(0.5)), "{half:?}");
    let (statuses, denied) = rates(&[("MTLS_RECORD_ALLOWED", "50%")], 20).await;
    assert_eq!((statuses, denied), (vec![401], vec![None; 20]));
}

/// Asks, and returns the record.
async fn ask(site: &Site, gate: &Gate, request: Request<()>) -> Value {
    let (parts, ()) = request.into_parts();
    let _ = gate.admit_at(parts.into(), Timestamp::now()).await;
    site.records.last()
}

#[tokio::test]
async fn a_record_says_who_asked_for_what_and_which_way_it_took() {
    let site = Site::new();
    let client = CertificateBuilder::client("CN=client,O=Example")
        .serial_bytes(&[0x0A, 0xBC])
        .dns("client.example")
        .issued_by(&site.root)
        .unwrap();
    let gate = site.gate(&[("MTLS_SERVICE", "orders")]);
    let group = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/orders/0123456789abcdef";
    let request = || {
        let facts = FunctionFacts {
            name: "respond".to_owned(),
            version: "$LATEST".to_owned(),
        };
        of_client(&client)
            .method("PUT")
            .uri("/orders/7?color=red")
            .header("host", "orders.example")
            .header("x-amzn-trace-id", "Root=1-67891233-abcdef012345678912345678")
            .extension(Ingress {
                peer: Peer::Address("::ffff:192.0.2.7".parse().unwrap()),
                target_group: Some(group.to_owned()),
                function_request_id: Some("request-1".to_owned()),
                xray_trace_id: Some("Root=1-5759e988-bd862e3fe1be46a994272793".to_owned()),
                function: Some(Arc::new(facts)),
                ..Ingress::default()
            })
            .body(())
            .unwrap()
    };
    let first = ask(&site, &gate, request()).await;
    let expected = json!({
        "level": "INFO", "message": "decision", "service": "orders", "cold_start": true, "decision": "allowed",
        "function_name": "respond", "function_version": "$LATEST", "mode": "enforce", "cache_hit": false,
        "method": "PUT", "host": "orders.example", "path": "/orders/7",
        "alb_trace_id": "Root=1-67891233-abcdef012345678912345678", "function_request_id": "request-1",
        "xray_trace_id": "Root=1-5759e988-bd862e3fe1be46a994272793", "peer": "192.0.2.7", "target_group": group,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&first[name], value, "{name}: {first}");
    }
    for name in ["trust_version", "timestamp"] {
        assert!(
            first[name].as_str().is_some_and(|text| !text.is_empty()),
            "{name}"
        );
    }
    assert!(first["duration_us"].is_u64(), "{first}");
    let (own, anchor) = (&first["client"], "CN=Root");
    let expected = json!({
        "subject": "CN=client,O=Example", "issuer": anchor, "anchor": anchor, "serial_number": "0ABC",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&own[name], value, "{name}: {own}");
    }
    let second = ask(&site, &gate, request()).await;
    assert_eq!(
        (&second["cold_start"], &second["cache_hit"]),
        (&json!(false), &json!(true))
    );
}

#[tokio::test]
async fn a_record_of_a_refusal_is_a_warning_with_the_reason() {
    let site = Site::new();
    let stranger = CertificateBuilder::root("CN=Stranger").self_signed().unwrap();
    let client = CertificateBuilder::client("CN=client")
        .issued_by(&stranger)
        .unwrap();
    let request = || of_client(&client).body(()).unwrap();
    for (mode, decision) in [("enforce", "denied"), ("report", "would_deny")] {
        let record = ask(&site, &site.gate(&[("MTLS_MODE", mode)]), request()).await;
        let expected = json!({
            "level": "WARN", "decision": decision, "mode": mode, "detail": "issuer_unknown", "status": 401,
            "client": null, "target_group": null, "alb_trace_id": null, "function_request_id": null,
        });
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&record[name], value, "{name}: {record}");
        }
        for name in ["host", "peer", "xray_trace_id", "function_name", "sampling_rate"] {
            assert!(record.get(name).is_none(), "{name}: {record}");
        }
    }
}

#[tokio::test]
async fn a_record_has_the_first_names_of_a_client_and_the_number_of_the_others() {
    let site = Site::new();
    let builder = CertificateBuilder::client("CN=client");
    let builder = (0..40).fold(builder, |builder, number| {
        builder.dns(&format!("{number}.example"))
    });
    let client = builder.issued_by(&site.root).unwrap();
    let request = of_client(&client).body(()).unwrap();
    let record = ask(&site, &site.gate(&[]), request).await;
    let client = &record["client"];
    let shown = client["alternative_names"].as_array().unwrap().len();
    let left_out = client["alternative_names_left_out"].as_u64().unwrap();
    assert_eq!((shown, left_out), (32, 8), "{client}");
}
