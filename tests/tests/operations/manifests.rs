//! `deploy/kubernetes`: what its parts must agree on. No cluster is asked.

use std::ffi::OsStr;

use alb_mtls_tests::project;
use serde_json::{Value, json};

use crate::from_python;

/// Returns the objects of the manifest.
fn manifest() -> Vec<Value> {
    let read = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let manifest = project().join("deploy/kubernetes/alb-mtls.yaml");
    let objects = from_python([OsStr::new("-c"), read.as_ref(), manifest.as_ref()]);
    serde_json::from_value(objects).unwrap()
}

fn of_kind(manifest: &[Value], kind: &str) -> Value {
    let mut found = manifest.iter().filter(|object| object["kind"] == kind);
    let object = found.next().unwrap().clone();
    assert!(found.next().is_none(), "one {kind}");
    object
}

#[test]
fn the_ingress_reaches_the_pods_through_mutual_tls_alone() {
    let manifest = manifest();
    let ingress = of_kind(&manifest, "Ingress");
    let annotation = |name: &str| {
        let text = &ingress["metadata"]["annotations"][format!("alb.ingress.kubernetes.io/{name}")];
        text.as_str().unwrap_or_else(|| panic!("no {name}")).to_owned()
    };
    let read = |name: &str| serde_json::from_str::<Value>(&annotation(name)).unwrap();
    assert_eq!(read("listen-ports"), json!([{"HTTPS": 443}]));
    assert_eq!(
        read("mutual-authentication"),
        json!([{"port": 443, "mode": "passthrough"}])
    );

    let pod = &of_kind(&manifest, "Deployment")["spec"]["template"];
    let container = &pod["spec"]["containers"][0];
    let variables = container["env"].as_array().unwrap();
    let header = variables
        .iter()
        .find(|variable| variable["name"] == "MTLS_HEADER")
        .unwrap();
    assert!(
        !header["value"]
            .as_str()
            .unwrap()
            .to_lowercase()
            .starts_with("x-amzn-")
    );
    assert_eq!(
        annotation("listener-attributes.HTTPS-443"),
        format!(
            "routing.http.request.x_amzn_mtls_clientcert.header_name={}",
            header["value"].as_str().unwrap()
        )
    );

    let policy = &of_kind(&manifest, "NetworkPolicy")["spec"];
    assert_eq!(policy["podSelector"]["matchLabels"], pod["metadata"]["labels"]);
    assert_eq!(policy["policyTypes"], json!(["Ingress"]));
    let rules = policy["ingress"].as_array().unwrap();
    assert_eq!(rules.len(), 1);
    assert_eq!(
        rules[0]["ports"][0]["port"],
        container["ports"][0]["containerPort"]
    );
    let sources = rules[0]["from"].as_array().unwrap();
    assert!(!sources.is_empty() && sources.iter().all(|source| source["ipBlock"].is_object()));
}

#[test]
fn the_image_can_be_told_not_to_run_as_root() {
    let pod = &of_kind(&manifest(), "Deployment")["spec"]["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let dockerfile = std::fs::read_to_string(project().join("examples/axum/Dockerfile")).unwrap();
    let user = dockerfile
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("USER "))
        .unwrap();
    let (user, group) = user.split_once(':').unwrap();
    // A name would do for Docker, and Kubernetes would refuse to start the container.
    assert!(user.parse::<u32>().unwrap() > 0 && group.parse::<u32>().unwrap() > 0);
}

#[test]
fn a_deployment_by_cargo_lambda_takes_no_setting_away() {
    let functions = std::fs::read_dir(project().join("functions")).unwrap();
    let mut deployed = 0;
    for folder in functions {
        let path = folder.unwrap().path().join("Cargo.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        // Variables that stand there replace those of the function: CRLs that an operator named
        // would be gone.
        assert!(
            !text.contains("[package.metadata.lambda.deploy.env]"),
            "{}",
            path.display()
        );
        if let Some((_, deploy)) = text.split_once("[package.metadata.lambda.deploy]\n") {
            let own = deploy.split("\n[").next().unwrap();
            assert!(
                own.lines().any(|line| line == "merge_env = true"),
                "{}",
                path.display()
            );
            deployed += 1;
        }
    }
    assert!(deployed >= 4, "{deployed}");
}
