//! Kubernetes manifests: network policies, classes, groups, routes and what other controllers make.

use std::fs;

use tempfile::TempDir;

use super::{not_looked_at, report, text};
use crate::support::alb_mtls;

const GATE: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: gate, namespace: a}
spec:
  template:
    metadata: {labels: {app: gate}}
    spec:
      containers:
        - name: gate
          ports: [{name: gate, containerPort: 8080}, {name: admin, containerPort: 9901}]
          env:
            - {name: MTLS_ANCHORS, value: "file:/anchors.pem"}
            - {name: MTLS_HEADER, value: x-7f3a}
            - {name: MTLS_PEERS, value: 10.0.0.0/20}
            - {name: SERVER_UPSTREAM, value: "http://orders:3000"}
---
apiVersion: v1
kind: Service
metadata: {name: gate, namespace: a}
spec: {selector: {app: gate}, ports: [{port: 80, targetPort: gate}]}
---
apiVersion: v1
kind: Pod
metadata: {name: orders, namespace: a, labels: {app: orders}}
spec: {containers: [{name: orders, ports: [{containerPort: 3000}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: orders, namespace: a}
spec: {selector: {app: orders}, ports: [{port: 3000}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: gate, namespace: a}
spec:
  podSelector: {matchLabels: {app: gate}}
  policyTypes: [Ingress]
  ingress:
    - {from: [{ipBlock: {cidr: 10.0.0.0/20}}], ports: [{port: gate}, {port: admin}]}
    - {from: [{namespaceSelector: {}}], ports: [{port: admin}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: orders, namespace: a}
spec:
  podSelector: {matchExpressions: [{key: app, operator: In, values: [orders]}]}
  ingress: [{from: [{podSelector: {matchLabels: {app: gate}}}]}]
"#;

const INGRESS: &str = r#"---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: gate
  namespace: a
  annotations:
    alb.ingress.kubernetes.io/listen-ports: '[{"HTTPS": 443}]'
    alb.ingress.kubernetes.io/ssl-policy: ELBSecurityPolicy-TLS13-1-2-2021-06
    alb.ingress.kubernetes.io/mutual-authentication: '[{"Port": 443, "Mode": "passthrough"}]'
    alb.ingress.kubernetes.io/listener-attributes.HTTPS-443: routing.http.request.x_amzn_mtls_clientcert.header_name=x-7f3a
spec:
  ingressClassName: alb
  defaultBackend: {service: {name: gate, port: {number: 80}}}
"#;

const GATEWAY: &str = "---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: alb}
spec: {controllerName: gateway.k8s.aws/alb, parametersRef: {kind: LoadBalancerConfiguration, name: gate, namespace: a}}
---
apiVersion: gateway.k8s.aws/v1beta1
kind: LoadBalancerConfiguration
metadata: {name: gate, namespace: a}
spec: {listenerConfigurations: [{protocolPort: HTTPS:443, mutualAuthentication: {mode: passthrough}, listenerAttributes: [{key: routing.http.request.x_amzn_mtls_clientcert.header_name, value: x-7f3a}]}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gate, namespace: a}
spec: {gatewayClassName: alb, listeners: [{name: https, protocol: HTTPS, port: 443}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: gate, namespace: b}
spec: {parentRefs: [{name: gate, namespace: a}], rules: [{backendRefs: [{name: gate, namespace: a}]}]}
";

/// Returns every check, with advice, and every kind of gap of a manifest.
fn examined(manifest: &str) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("app.yaml");
    fs::write(&path, manifest).unwrap();
    let output = alb_mtls(&["doctor", path.to_str().unwrap(), "--json"]);
    let findings = report(&output)["findings"].as_array().unwrap().clone();
    let mut all: Vec<String> = findings.iter().map(|finding| text(&finding["check"])).collect();
    let gaps = not_looked_at(&output).into_iter();
    all.extend(gaps.map(|gap| format!("{}:", gap.split(':').next().unwrap())));
    all.sort();
    all.dedup();
    all
}

fn ingress(name: &str, class: &str, service: &str) -> String {
    format!(
        "---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}, namespace: a}}
spec: {{ingressClassName: {class}, defaultBackend: {{service: {{name: {service}, port: {{number: 80}}}}}}}}
"
    )
}

#[test]
fn network_policy_that_lacks_or_allows_everything_is_advice() {
    let manifest = format!("{GATE}{INGRESS}");
    assert_eq!(examined(&manifest), Vec::<String>::new());
    for (before, after, check) in [
        (
            "policyTypes: [Ingress]",
            "policyTypes: [Egress]",
            "network-policy-missing",
        ),
        (
            "kind: NetworkPolicy\nmetadata: {name: gate, namespace: a}",
            "kind: NetworkPolicy\nmetadata: {name: gate, namespace: b}",
            "network-policy-missing",
        ),
        (
            "{from: [{ipBlock: {cidr: 10.0.0.0/20}}], ports",
            "{ports",
            "network-policy-open",
        ),
        (
            "[{from: [{podSelector: {matchLabels: {app: gate}}}]}]",
            "[{}]",
            "network-policy-open",
        ),
        (
            "{ipBlock: {cidr: 10.0.0.0/20}}",
            "{namespaceSelector: {}}",
            "network-policy-open",
        ),
        (
            "{ipBlock: {cidr: 10.0.0.0/20}}",
            "{ipBlock: {cidr: 10.0.0.0/8}}",
            "network-policy-open",
        ),
        (
            "{ipBlock: {cidr: 10.0.0.0/20}}",
            "{ipBlock: {cidr: 0.0.0.0/1}}, {ipBlock: {cidr: 128.0.0.0/1}}",
            "network-policy-open",
        ),
        ("value: 10.0.0.0/20", "value: 10.0.0.0/8", "peers-wide"),
        ("value: 10.0.0.0/20", "value: 0.0.0.0/1 128.0.0.0/1", "peers-any"),
        ("value: 10.0.0.0/20", "value: '10.0.0.0/20 ::/1'", "peers-any"),
        ("value: 10.0.0.0/20", "value: $(NETWORK)", "value:"),
        (
            "spec: {selector: {app: gate}",
            "spec: {externalIPs: [192.0.2.1], selector: {app: gate}",
            "gate-bypassed",
        ),
    ] {
        assert!(manifest.contains(before), "{before}");
        assert_eq!(examined(&manifest.replacen(before, after, 1)), [check], "{after}");
    }
}

#[test]
fn ingress_of_every_class_and_form_is_read() {
    let manifest = format!("{GATE}{INGRESS}");
    let class = "---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: internal}\nspec: {controller: ingress.k8s.aws/alb}\n";
    let old = "---\napiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: old, namespace: a, annotations: {kubernetes.io/ingress.class: alb}}\nspec: {backend: {serviceName: gate, servicePort: 80}}\n";
    for (more, expected) in [
        (
            format!("{class}{}", ingress("second", "internal", "gate")),
            vec!["listener-without-mutual-tls"],
        ),
        (ingress("second", "nginx", "gate"), vec!["listener:"]),
        (ingress("second", "nginx", "orders"), vec!["gate-bypassed"]),
        (ingress("second", "nginx", "elsewhere"), vec![]),
        (old.to_owned(), vec!["listener-without-mutual-tls"]),
    ] {
        assert_eq!(examined(&format!("{manifest}{more}")), expected, "{more}");
    }
    let grouped = manifest.replace(
        "ingress.kubernetes.io/ssl-policy",
        "ingress.kubernetes.io/group.name: g\n    alb.ingress.kubernetes.io/ssl-policy",
    );
    let member = ingress("second", "alb", "orders").replace(", namespace: a}", ", namespace: a, annotations: {alb.ingress.kubernetes.io/group.name: g, alb.ingress.kubernetes.io/listen-ports: '[{\"HTTPS\": 443}]'}}");
    let found = examined(&format!("{grouped}{member}"));
    assert!(found.contains(&"target-without-gate".to_owned()), "{found:?}");
}

#[test]
fn actions_are_read_in_any_case_and_named_where_they_are_not_json() {
    let with = |action: &str| {
        let manifest = format!("{GATE}{INGRESS}").replace(
            "ingress.kubernetes.io/ssl-policy",
            &format!("ingress.kubernetes.io/actions.x: '{action}'\n    alb.ingress.kubernetes.io/ssl-policy"),
        );
        let rule = "rules: [{http: {paths: [{path: /x, backend: {service: {name: x, port: {name: use-annotation}}}}]}}]\n  defaultBackend:";
        examined(&manifest.replace("defaultBackend:", rule))
    };
    let forward = r#"{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"ServiceName": "orders"}]}}"#;
    assert_eq!(with(forward), ["target-without-gate"]);
    assert_eq!(
        with(r#"{"Type": "redirect", "RedirectConfig": {"Port": "443"}}"#),
        Vec::<String>::new()
    );
    assert_eq!(with("{type: forward"), ["listener:"]);
}

#[test]
fn target_group_binding_leads_to_its_listener() {
    let binding = "---\napiVersion: elbv2.k8s.aws/v1beta1\nkind: TargetGroupBinding\nmetadata: {name: gate, namespace: a}\nspec: {serviceRef: {name: gate, port: 80}, targetGroupARN: group}\n";
    assert_eq!(examined(&format!("{GATE}{binding}")), ["listener:"]);
}

#[test]
fn routes_and_listener_sets_of_a_gateway_are_read() {
    let manifest = format!("{GATE}{GATEWAY}");
    assert_eq!(examined(&manifest), Vec::<String>::new());
    let off = manifest.replace(", mutualAuthentication: {mode: passthrough}", "");
    assert_eq!(examined(&off), ["listener-without-mutual-tls"]);
    let route = |kind: &str, parent: &str, service: &str| {
        format!(
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: {kind}\nmetadata: {{name: more, namespace: a}}\nspec: {{parentRefs: [{parent}], rules: [{{backendRefs: [{{name: {service}}}]}}]}}\n"
        )
    };
    let set = "---\napiVersion: gateway.networking.k8s.io/v1\nkind: ListenerSet\nmetadata: {name: set, namespace: a}\nspec: {parentRef: {name: gate}, listeners: [{name: http, protocol: HTTP, port: 80}]}\n";
    for (more, expected) in [
        (route("GRPCRoute", "{name: gate}", "orders"), vec!["target-without-gate"]),
        (route("HTTPRoute", "{name: gate, namespace: other}", "orders"), vec![]),
        (format!("{set}{}", route("HTTPRoute", "{kind: ListenerSet, name: set}", "gate")), vec!["listener-without-mutual-tls"]),
        ("---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: mesh}\nspec: {servers: []}\n".to_owned(), vec![]),
    ] {
        assert_eq!(examined(&format!("{manifest}{more}")), expected, "{more}");
    }
}
