//! `deploy/kubernetes`.

use std::collections::BTreeMap;

use alb_mtls_tests::{Clients, project};
use serde_json::{Value, json};

use crate::gate::{ConfigMap, Deployment, Site, has_the_default_ports};
use crate::{from_python, objects, of_kind, text};

const FILES: [&str; 6] = [
    "gateway.yaml",
    "ingress.yaml",
    "pod-monitor.yaml",
    "private-ca.yaml",
    "sidecar.yaml",
    "trust-manager.yaml",
];

fn manifest(file: &str) -> Vec<Value> {
    objects(&format!("deploy/kubernetes/{file}"))
}

fn annotation<'a>(ingress: &'a Value, name: &str) -> &'a str {
    text(&ingress["metadata"]["annotations"][format!("alb.ingress.kubernetes.io/{name}")])
}

/// Returns the name that an Ingress has its load balancer give the certificate header.
fn header_of(ingress: &Value) -> &str {
    let attribute = annotation(ingress, "listener-attributes.HTTPS-443");
    let (key, name) = attribute.split_once('=').unwrap();
    assert_eq!(key, "routing.http.request.x_amzn_mtls_clientcert.header_name");
    name
}

/// Returns the port of a container by its name.
fn port(container: &Value, name: &str) -> u64 {
    let ports = container["ports"].as_array().unwrap();
    let port = ports.iter().find(|port| port["name"] == name).unwrap();
    port["containerPort"].as_u64().unwrap()
}

/// Returns what decides whether the gate of these objects serves behind an Ingress.
pub(crate) fn deployment(container: &Value, ingress: &Value) -> Deployment {
    let variables = container["env"].as_array().unwrap().iter();
    let environment: BTreeMap<String, String> = variables
        .map(|variable| {
            (
                text(&variable["name"]).to_owned(),
                text(&variable["value"]).to_owned(),
            )
        })
        .collect();
    let health_port = annotation(ingress, "healthcheck-port").parse().unwrap();
    let mut health_paths = vec![annotation(ingress, "healthcheck-path").to_owned()];
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        if let Some(probe) = container.get(probe) {
            let get = &probe["httpGet"];
            assert_eq!(port(container, text(&get["port"])), health_port);
            health_paths.push(text(&get["path"]).to_owned());
        }
    }
    Deployment {
        header: header_of(ingress).to_owned(),
        port: port(container, "gate"),
        health_port,
        health_paths,
        environment,
    }
}

/// Checks what the objects of a gate behind an Ingress must agree on.
pub(crate) fn agree(gate: &Value, pod: &Value, ingress: &Value, policy: &Value, service: &Value) {
    let read = |name: &str| serde_json::from_str::<Value>(annotation(ingress, name)).unwrap();
    assert_eq!(read("listen-ports"), json!([{"HTTPS": 443}]));
    assert_eq!(
        read("mutual-authentication"),
        json!([{"port": 443, "mode": "passthrough"}])
    );
    let deployment = deployment(gate, ingress);
    has_the_default_ports(&deployment);
    assert_eq!(deployment.environment["MTLS_HEADER"], deployment.header);
    assert!(!deployment.header.starts_with("x-amzn-"));

    // The Service leads to the gate, and to nothing beside it.
    let ports = service["spec"]["ports"].as_array().unwrap();
    assert_eq!(ports.len(), 1);
    assert_eq!(ports[0]["targetPort"], "gate");
    let labels = pod["metadata"]["labels"].as_object().unwrap();
    let selector = service["spec"]["selector"].as_object().unwrap();
    assert!(
        selector
            .iter()
            .all(|(name, value)| labels.get(name) == Some(value))
    );

    // The network lets the load balancer's subnets in, which are those that the gate knows.
    let policy = &policy["spec"];
    assert_eq!(policy["podSelector"]["matchLabels"], pod["metadata"]["labels"]);
    assert_eq!(policy["policyTypes"], json!(["Ingress"]));
    let rules = policy["ingress"].as_array().unwrap();
    let networks: Vec<&str> = rules[0]["from"]
        .as_array()
        .unwrap()
        .iter()
        .map(|peer| text(&peer["ipBlock"]["cidr"]))
        .collect();
    let peers: Vec<&str> = deployment.environment["MTLS_PEERS"].split(' ').collect();
    assert_eq!(networks, peers);
    for rule in rules {
        let ports = rule["ports"].as_array().unwrap();
        let from_networks = rule["from"][0].get("ipBlock").is_some();
        for port in ports {
            assert!(port["port"] == "gate-admin" || (from_networks && port["port"] == "gate"));
        }
    }
    is_unprivileged(pod, gate);
}

fn is_unprivileged(pod: &Value, container: &Value) {
    assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], true);
    let context = &container["securityContext"];
    assert_eq!(context["allowPrivilegeEscalation"], false);
    assert_eq!(context["readOnlyRootFilesystem"], true);
    assert_eq!(context["capabilities"]["drop"], json!(["ALL"]));
    let dockerfile = std::fs::read_to_string(project().join("deploy/container/Dockerfile")).unwrap();
    let user = dockerfile
        .lines()
        .find_map(|line| line.strip_prefix("USER "))
        .unwrap();
    assert_eq!(
        user,
        format!("{}:{}", context["runAsUser"], context["runAsGroup"])
    );
    for mount in container["volumeMounts"].as_array().into_iter().flatten() {
        assert!(mount.get("subPath").is_none(), "Kubernetes never updates it");
    }
}

fn sidecar() -> (Vec<Value>, Value, Value) {
    let objects = manifest("sidecar.yaml");
    let pod = of_kind(&objects, "Deployment")["spec"]["template"].clone();
    let gates = pod["spec"]["initContainers"].as_array().unwrap();
    assert_eq!(gates.len(), 1);
    let gate = gates[0].clone();
    (objects, pod, gate)
}

#[test]
fn every_file_fits_the_schemas_of_kubernetes() {
    let folder = std::fs::read_dir(project().join("deploy/kubernetes")).unwrap();
    let mut files: Vec<String> = folder
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, FILES);
    let all: Vec<Value> = FILES.iter().flat_map(|file| manifest(file)).collect();
    let checked = from_python(&["tests/tests/containers/schemas.py"], &Value::Array(all));
    assert_eq!(checked["faults"], json!([]));
    // Those of controllers: compared with their definitions when the files were written.
    let elsewhere = [
        "AWSPCAClusterIssuer",
        "Bundle",
        "Certificate",
        "Gateway",
        "GatewayClass",
        "HTTPRoute",
        "LoadBalancerConfiguration",
        "PodMonitor",
        "TargetGroupConfiguration",
    ];
    assert_eq!(checked["unknown"], json!(elsewhere));
}

#[test]
fn sidecar_and_ingress_agree() {
    let (objects, pod, gate) = sidecar();
    let ingress = manifest("ingress.yaml");
    let ingress = of_kind(&ingress, "Ingress");
    let policy = of_kind(&objects, "NetworkPolicy");
    let service = of_kind(&objects, "Service");
    agree(&gate, &pod, ingress, policy, service);
    assert_eq!(gate["restartPolicy"], "Always", "it is a sidecar");
    let backend = &ingress["spec"]["defaultBackend"]["service"];
    assert_eq!(backend["name"], service["metadata"]["name"]);
    assert_eq!(backend["port"]["name"], service["spec"]["ports"][0]["name"]);
    // The service behind has no port in the manifest, and the end of the pod is longer than both
    // containers take.
    let behind = &pod["spec"]["containers"][0];
    assert!(behind.get("ports").is_none());
    is_unprivileged(&pod, behind);
    let hook = behind["lifecycle"]["preStop"]["sleep"]["seconds"]
        .as_u64()
        .unwrap();
    let delay = annotation(ingress, "target-group-attributes");
    // The load balancer still sends some requests when the delay has passed.
    assert_eq!(
        delay,
        format!("deregistration_delay.timeout_seconds={}", hook - 10)
    );
    assert!(pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap() >= hook + 30);
}

#[test]
fn gateway_says_the_same_as_the_ingress() {
    let (objects, _, gate) = sidecar();
    let ingress = manifest("ingress.yaml");
    let ingress = of_kind(&ingress, "Ingress");
    let gateway = manifest("gateway.yaml");
    let configuration = of_kind(&gateway, "LoadBalancerConfiguration");
    let listeners = configuration["spec"]["listenerConfigurations"]
        .as_array()
        .unwrap();
    assert_eq!(listeners.len(), 1);
    let listener = &listeners[0];
    assert_eq!(listener["protocolPort"], "HTTPS:443");
    assert_eq!(listener["mutualAuthentication"], json!({"mode": "passthrough"}));
    assert_eq!(listener["sslPolicy"], annotation(ingress, "ssl-policy"));
    let attribute = &listener["listenerAttributes"][0];
    assert_eq!(
        attribute["key"],
        "routing.http.request.x_amzn_mtls_clientcert.header_name"
    );
    assert_eq!(attribute["value"], header_of(ingress));
    let own = of_kind(&gateway, "Gateway");
    let listeners = own["spec"]["listeners"].as_array().unwrap();
    assert_eq!(listeners.len(), 1);
    assert_eq!(listeners[0]["port"], 443);
    assert_eq!(listeners[0]["protocol"], "HTTPS");
    assert_eq!(
        own["spec"]["infrastructure"]["parametersRef"]["name"],
        configuration["metadata"]["name"]
    );
    let route = &of_kind(&gateway, "HTTPRoute")["spec"]["rules"][0]["backendRefs"][0];
    let service = of_kind(&objects, "Service");
    assert_eq!(route["name"], service["metadata"]["name"]);
    assert_eq!(route["port"], service["spec"]["ports"][0]["port"]);
    let target = &of_kind(&gateway, "TargetGroupConfiguration")["spec"];
    assert_eq!(target["targetReference"]["name"], service["metadata"]["name"]);
    let check = &target["defaultConfiguration"]["healthCheckConfig"];
    let deployment = deployment(&gate, ingress);
    assert_eq!(check["healthCheckPort"], deployment.health_port.to_string());
    assert_eq!(check["healthCheckPath"], deployment.health_paths[0]);
}

#[test]
fn metrics_and_anchors_come_from_where_the_sidecar_has_them() {
    let (objects, pod, gate) = sidecar();
    let monitor = manifest("pod-monitor.yaml");
    let monitor = of_kind(&monitor, "PodMonitor");
    assert_eq!(
        monitor["spec"]["selector"]["matchLabels"],
        pod["metadata"]["labels"]
    );
    let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
    port(&gate, text(&endpoint["port"]));
    assert_eq!(endpoint["path"], "/metrics");
    let bundle = manifest("trust-manager.yaml");
    let bundle = of_kind(&bundle, "Bundle");
    let volume = &pod["spec"]["volumes"][0]["configMap"]["name"];
    assert_eq!(&bundle["metadata"]["name"], volume);
    let mounted = text(&gate["volumeMounts"][0]["mountPath"]);
    let key = text(&bundle["spec"]["target"]["configMap"]["key"]);
    let variables = gate["env"].as_array().unwrap();
    let anchors = variables
        .iter()
        .find(|one| one["name"] == "MTLS_ANCHORS")
        .unwrap();
    assert_eq!(anchors["value"], format!("file:{mounted}/{key}"));
    let namespace = &of_kind(&objects, "Namespace")["metadata"]["name"];
    let selected = &bundle["spec"]["target"]["namespaceSelector"]["matchLabels"];
    assert_eq!(&selected["kubernetes.io/metadata.name"], namespace);
    let sources = bundle["spec"]["sources"].as_array().unwrap();
    assert!(sources.iter().all(|source| source.get("useDefaultCAs").is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sidecar_serves_and_takes_up_a_new_config_map() {
    let (_, _, gate) = sidecar();
    let ingress = manifest("ingress.yaml");
    let mut deployment = deployment(&gate, of_kind(&ingress, "Ingress"));
    let clients = Clients::new();
    let foreign = Clients::of("Foreign");
    let mut map = ConfigMap::new("anchors.pem", &clients.root.pem());
    let mounted = text(&gate["volumeMounts"][0]["mountPath"]);
    let anchors = deployment.environment.get_mut("MTLS_ANCHORS").unwrap();
    *anchors = anchors.replacen(mounted, &map.path().display().to_string(), 1);

    let mut site = Site::start(&deployment, clients, &[]).await;
    site.serves_its_clients_alone().await;
    site.shows_metrics().await;

    map.replace("anchors.pem", &foreign.root.pem());
    site.wait_until(&foreign, "200").await;
    assert_eq!(site.ask(Some(&site.clients)).await, "401");
    // What is not a bundle changes nothing, by the file or by a signal.
    map.replace("anchors.pem", "damaged");
    site.reload_until(&foreign, "200").await;
    assert_eq!(site.ask(Some(&site.clients)).await, "401");
    map.replace("anchors.pem", &site.clients.root.pem());
    site.wait_until(&site.clients, "200").await;
}
