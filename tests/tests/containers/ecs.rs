//! `deploy/ecs/service.yaml`, deployed as docs/containers.md says.

use std::collections::BTreeMap;
use std::path::Path;

use alb_mtls_tests::{Account, Clients, Stack, deployment_script, page_block};
use serde_json::{Value, json};

use crate::gate::{Deployment, Site, has_the_default_ports};
use crate::text;

const PAGE: &str = "docs/containers.md";
const BUCKET: (&str, &str) = ("crl_bucket", "orders-crls");

/// Returns a block of the steps that make a CA of two tiers with openssl.
fn openssl(block: usize) -> String {
    page_block("docs/your-ca.md", "openssl", block)
}

/// Deploys the page's stack for the CA of a folder.
fn deployed(account: &Account, folder: &Path) -> Stack {
    account.must_run(folder, &openssl(0), &[]);
    account.must_run(folder, "aws s3 mb s3://$crl_bucket", &[BUCKET]);
    for step in ["trust material", "CRLs", "task"] {
        account.must_run(folder, &deployment_script(PAGE, step), &[BUCKET]);
    }
    account.stack("orders")
}

fn variables(stack: &Stack) -> BTreeMap<String, String> {
    let (variables, _) = stack.task("TaskDefinition", "gate");
    let variables = variables.as_object().unwrap().iter();
    variables
        .map(|(name, value)| (name.clone(), text(value).to_owned()))
        .collect()
}

fn deployment(stack: &Stack) -> Deployment {
    let attributes = &stack.properties("Listener")["ListenerAttributes"];
    let group = stack.properties("TargetGroup");
    Deployment {
        environment: variables(stack),
        header: text(&attributes[0]["Value"]).to_owned(),
        port: group["Port"].as_u64().unwrap(),
        health_port: text(&group["HealthCheckPort"]).parse().unwrap(),
        health_paths: vec![text(&group["HealthCheckPath"]).to_owned()],
    }
}

/// Starts the gate of the task with what the task's role may do.
async fn start(stack: &Stack, clients: Clients) -> Site {
    let (_, credentials) = stack.task("TaskDefinition", "gate");
    let credentials = credentials.as_object().unwrap().iter();
    let credentials: Vec<(&str, &str)> = credentials
        .map(|(name, value)| (name.as_str(), text(value)))
        .collect();
    Site::start(&deployment(stack), clients, &credentials).await
}

/// Asks as the client of the page's CA, with its whole chain and with its own certificate alone.
async fn statuses(site: &Site, folder: &Path) -> [String; 2] {
    let key = folder.join("client.key");
    let mut statuses = Vec::new();
    for name in ["client.pem", "client.crt"] {
        statuses.push(site.ask_with(Some((&folder.join(name), &key))).await);
    }
    statuses.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn client_of_two_tiers_passes_until_its_ca_revokes_it() {
    let account = Account::start();
    let folder = tempfile::tempdir().unwrap();
    let stack = deployed(&account, folder.path());
    let mut site = start(&stack, Clients::new()).await;
    assert_eq!(statuses(&site, folder.path()).await, ["200", "200"]);
    for _ in 0..2 {
        let head = site.upstream.next().await.head().to_lowercase();
        assert!(head.contains("client-cert: :"), "no identity: {head}");
    }
    assert_eq!(site.ask(None).await, "401");
    assert_eq!(site.ask(Some(&Clients::of("Foreign"))).await, "401");
    assert!(site.upstream.arrived().is_none(), "a denied request came through");

    account.must_run(folder.path(), &openssl(1), &[]);
    account.must_run(folder.path(), &deployment_script(PAGE, "CRLs"), &[BUCKET]);
    site.server.signal("HUP").await;
    let key = folder.path().join("client.key");
    let revoked = folder.path().join("client.pem");
    site.wait_until_files((&revoked, &key), "401").await;
    assert_eq!(statuses(&site, folder.path()).await, ["401", "401"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn gate_of_a_task_serves_with_anchors_alone() {
    let account = Account::start();
    let clients = Clients::new();
    let anchors = "aws ssm put-parameter --name /orders/anchors --type String --value file://anchors.pem";
    account.must_run(clients.directory(), anchors, &[]);
    let task = deployment_script(PAGE, "task");
    let (without, _) = task
        .split_once(" IntermediatesParameter=")
        .expect("what two tiers need stands last");
    account.must_run(clients.directory(), without, &[]);
    let stack = account.stack("orders");
    for name in ["MTLS_INTERMEDIATES", "MTLS_CRLS", "MTLS_OCSP", "MTLS_REVOCATION"] {
        assert!(!variables(&stack).contains_key(name), "{name}");
    }
    let mut site = start(&stack, clients).await;
    site.serves_its_clients_alone().await;
    site.shows_metrics().await;
}

#[test]
fn the_load_balancer_alone_reaches_the_gate_and_nothing_reaches_the_service() {
    let account = Account::start();
    let folder = tempfile::tempdir().unwrap();
    let stack = deployed(&account, folder.path());
    let deployment = deployment(&stack);
    has_the_default_ports(&deployment);
    assert_eq!(deployment.environment["MTLS_HEADER"], deployment.header);
    assert_eq!(deployment.header.len(), "x-".len() + 36, "the stack's own id");
    assert_eq!(deployment.environment["MTLS_PEERS"], "10.0.0.0/24 10.0.1.0/24");
    let listener = stack.properties("Listener");
    assert_eq!(listener["MutualAuthentication"], json!({"Mode": "passthrough"}));
    assert_eq!(
        listener["ListenerAttributes"][0]["Key"],
        "routing.http.request.x_amzn_mtls_clientcert.header_name"
    );

    assert_eq!(stack.of_type("AWS::ElasticLoadBalancingV2::Listener").len(), 1);
    let group = |name: &str| stack.properties("LoadBalancer")["SecurityGroups"][0] == name;
    assert!(
        stack
            .properties("TaskSecurityGroup")
            .get("SecurityGroupIngress")
            .is_none()
    );
    let mut open = Vec::new();
    for rule in stack.of_type("AWS::EC2::SecurityGroupIngress") {
        assert!(!group(text(&rule["GroupId"])), "a rule of the tasks' group");
        assert!(group(text(&rule["SourceSecurityGroupId"])));
        assert!(rule.get("CidrIp").is_none());
        assert_eq!(rule["FromPort"], rule["ToPort"]);
        open.push(rule["FromPort"].as_u64().unwrap());
    }
    open.sort_unstable();
    assert_eq!(open, [deployment.port, deployment.health_port]);

    let containers = stack.properties("TaskDefinition")["ContainerDefinitions"]
        .as_array()
        .unwrap();
    let container = |name: &str| containers.iter().find(|one| one["Name"] == name).unwrap();
    assert!(container("service").get("PortMappings").is_none());
    let service = stack.properties("Service");
    let network = &service["NetworkConfiguration"]["AwsvpcConfiguration"];
    assert_eq!(network["AssignPublicIp"], "DISABLED");
    assert_eq!(
        deployment.environment["FORWARD_UPSTREAM"],
        "http://127.0.0.1:3000"
    );
    assert_eq!(service["LoadBalancers"][0]["ContainerName"], "gate");
    let gate = container("gate");
    assert_eq!(gate["ReadonlyRootFilesystem"], true);
    assert_eq!(gate["User"], "65532:65532");
    assert_eq!(gate["LinuxParameters"]["Capabilities"]["Drop"], json!(["ALL"]));
}

#[test]
fn values_that_miss_something_are_refused() {
    let account = Account::start();
    let folder = tempfile::tempdir().unwrap();
    let task = deployment_script(PAGE, "task");
    let without_bucket = task.replace("\"CrlBucket=$crl_bucket\"", "");
    let output = account.run(folder.path(), &without_bucket, &[BUCKET]);
    assert!(
        !output.is_success && output.text.contains("Crls needs CrlBucket"),
        "{}",
        output.text
    );
    let without_crls = task.split(" \"Crls=").next().unwrap().to_owned();
    let output = account.run(folder.path(), &without_crls, &[BUCKET]);
    assert!(
        !output.is_success && output.text.contains("CrlBucket has no effect without Crls"),
        "{}",
        output.text
    );
    let ocsp = task.replace(
        "\"CrlBucket=$crl_bucket\"",
        "Ocsp=aia-cas Revocation=soft CpuArchitecture=ARM64",
    );
    let ocsp = ocsp.split(" \"Crls=").next().unwrap().to_owned();
    account.must_run(folder.path(), &ocsp, &[BUCKET]);
    let stack = account.stack("orders");
    let variables = variables(&stack);
    assert_eq!(variables["MTLS_OCSP"], "aia-cas");
    assert_eq!(variables["MTLS_REVOCATION"], "soft");
    let rules = stack.of_type("AWS::EC2::SecurityGroupEgress");
    let ports: Vec<&Value> = rules.iter().map(|rule| &rule["FromPort"]).collect();
    assert!(ports.contains(&&json!(80)), "{ports:?}");
    let platform = &stack.properties("TaskDefinition")["RuntimePlatform"];
    assert_eq!(platform["CpuArchitecture"], "ARM64");
}
