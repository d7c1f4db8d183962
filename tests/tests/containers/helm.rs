//! `deploy/helm/alb-mtls`, by Helm as a library.

use alb_mtls_tests::Clients;
use serde_json::{Value, json};

use crate::gate::{ConfigMap, Site};
use crate::kubernetes::{agree, deployment};
use crate::{from_python, of_kind, text};

fn values() -> Value {
    json!({
        "image": {
            "repository": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/alb-mtls-server",
            "digest": format!("sha256:{}", "0123456789abcdef".repeat(4)),
        },
        "upstream": "http://orders.orders.svc.cluster.local",
        "header": "x-7f3a9c1e",
        "peers": ["10.0.0.0/24", "10.0.1.0/24"],
        "settings": {"MTLS_SERVICE": "orders"},
        "ingress": {"certificateArn": "arn:aws:acm:eu-west-1:111122223333:certificate/x"},
        "podMonitor": {"enabled": true},
    })
}

/// Returns Helm's complaints and the objects.
fn rendered(values: &Value) -> (Vec<Value>, Vec<Value>) {
    let found = from_python(
        &["tests/tests/containers/chart.py", "deploy/helm/alb-mtls"],
        values,
    );
    let list = |name: &str| found[name].as_array().unwrap().clone();
    (list("complaints"), list("objects"))
}

#[test]
fn the_chart_makes_what_the_schemas_of_kubernetes_take() {
    let (complaints, objects) = rendered(&values());
    assert_eq!(complaints, Vec::<Value>::new());
    let checked = from_python(&["tests/tests/containers/schemas.py"], &Value::Array(objects));
    assert_eq!(checked, json!({"faults": [], "unknown": ["PodMonitor"]}));
}

#[test]
fn the_objects_of_the_chart_agree() {
    let mut values = values();
    for source in ["", "ssm:/orders/anchors"] {
        values["anchors"] = json!({ "sources": source });
        let (_, objects) = rendered(&values);
        let pod = &of_kind(&objects, "Deployment")["spec"]["template"];
        let gate = &pod["spec"]["containers"][0];
        let ingress = of_kind(&objects, "Ingress");
        let policy = of_kind(&objects, "NetworkPolicy");
        agree(gate, pod, ingress, policy, of_kind(&objects, "Service"));
        assert_eq!(source.is_empty(), pod["spec"].get("volumes").is_some());
    }
}

#[test]
fn values_that_would_open_the_gate_are_refused() {
    for (path, value, words) in [
        ("/header", json!(""), "header"),
        ("/header", json!("x-amzn-mtls-clientcert"), "header"),
        ("/peers", json!([]), "peers"),
        ("/peers", json!(["any"]), "peers"),
        ("/upstream", json!("orders"), "upstream"),
        ("/image/digest", json!("latest"), "digest"),
        ("/ingress/certificateArn", json!(""), "certificateArn"),
        ("/settings", json!({"MLTS_CRLS": "file:/crl.pem"}), "MLTS_CRLS"),
        ("/settings", json!({"MTLS_MAX_DEPTH": 3}), "MTLS_MAX_DEPTH"),
        // They have values of their own, beside which these would win.
        ("/settings", json!({"MTLS_PEERS": "any"}), "MTLS_PEERS"),
        (
            "/settings",
            json!({"FORWARD_UPSTREAM": "http://other"}),
            "FORWARD_UPSTREAM",
        ),
    ] {
        let mut values = values();
        *values.pointer_mut(path).unwrap() = value;
        let (complaints, objects) = rendered(&values);
        let said = json!(complaints).to_string();
        assert!(said.contains(words) && objects.is_empty(), "{path}: {said}");
    }
    let mut unknown = values();
    unknown["peer"] = json!(["10.0.0.0/24"]);
    assert!(json!(rendered(&unknown).0).to_string().contains("peer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gate_of_the_chart_serves() {
    let (_, objects) = rendered(&values());
    let gate = &of_kind(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    let mut deployment = deployment(gate, of_kind(&objects, "Ingress"));
    let clients = Clients::new();
    let map = ConfigMap::new("anchors.pem", &clients.root.pem());
    let mounted = text(&gate["volumeMounts"][0]["mountPath"]);
    let anchors = deployment.environment.get_mut("MTLS_ANCHORS").unwrap();
    *anchors = anchors.replacen(mounted, &map.path().display().to_string(), 1);
    let mut site = Site::start(&deployment, clients, &[]).await;
    site.serves_its_clients_alone().await;
}
