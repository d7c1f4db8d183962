//! `samconfig.toml`: every example deploys, and makes what it is for and nothing else.

use alb_mtls_tests::{Account, deployment_script, project};

use crate::certificates::{Pki, ask, deployed};

pub(crate) const PAGE: &str = "docs/deploy.md";

/// Returns the commands that put the trust anchors and intermediates of a folder where the stack
/// `gate` reads them.
pub(crate) fn put_authorities() -> String {
    ["anchors", "intermediates"]
        .map(|name| deployment_script(PAGE, name))
        .concat()
}

/// Returns the commands for an example of the page.
pub(crate) fn example(name: &str) -> String {
    format!("{}\nsam deploy --config-env {name}", put_authorities())
}

/// Names of the examples, with the functions and other resources that each makes.
const EXAMPLES: &[(&str, &[&str], &[&str])] = &[
    (
        "minimal",
        &["RespondFunction"],
        &["LoadBalancer", "HttpsListener"],
    ),
    (
        "two-tier",
        &["RespondFunction", "RefreshCrlsFunction"],
        &["LoadBalancer"],
    ),
    (
        "private-ca",
        &["RespondFunction", "RefreshCrlsFunction"],
        &["LoadBalancer"],
    ),
    ("existing-load-balancer", &["RespondFunction"], &["HttpsListener"]),
    ("existing-listener", &["RespondFunction"], &["ListenerRule"]),
    (
        "forward-server",
        &["ForwardFunction"],
        &["LoadBalancer", "FunctionSecurityGroup"],
    ),
    ("forward-function", &["ForwardFunction"], &["LoadBalancer"]),
    (
        "layer",
        &["RespondFunction", "LayeredExampleFunction"],
        &["LoadBalancer", "LayeredExampleRule"],
    ),
    ("rest-api", &["AuthorizeFunction"], &["RestApi"]),
    ("http-api", &["AuthorizeFunction"], &["HttpApi"]),
    ("policies", &["RespondFunction"], &["LoadBalancer"]),
    (
        "regulated",
        &["RespondFunction"],
        &["LoadBalancer", "WebAclAssociation", "FunctionSecurityGroup"],
    ),
];

/// Resources that only some of the examples have.
const PARTS: &[&str] = &[
    "FunctionSecurityGroup",
    "HttpApi",
    "HttpListener",
    "HttpsListener",
    "LayeredExampleRule",
    "ListenerRule",
    "LoadBalancer",
    "RestApi",
    "WebAclAssociation",
];

#[test]
fn each_example_makes_what_it_is_for_and_nothing_else() {
    let text = std::fs::read_to_string(project().join("samconfig.toml")).unwrap();
    let page = std::fs::read_to_string(project().join(PAGE)).unwrap();
    assert_eq!(text.matches(".deploy.parameters]").count(), EXAMPLES.len());
    let account = Account::start();
    let folder = tempfile::tempdir().unwrap();
    for (name, functions, resources) in EXAMPLES {
        assert!(page.contains(&format!("`{name}`")), "the page has no `{name}`");
        let (_, section) = text.split_once(&format!("[{name}.deploy.parameters]")).unwrap();
        let section = section.split("\n]").next().unwrap();
        assert!(
            *name == "regulated" || section.matches("=").count() <= 10 + 4,
            "{name}"
        );

        account.must_run(folder.path(), &format!("sam deploy --config-env {name}"), &[]);
        let stack = account.stack("gate");
        assert_eq!(stack.functions(), *functions, "{name}");
        for resource in *resources {
            assert!(stack.resource(resource).is_some(), "{name}: {resource}");
        }
        let has_listener = resources.contains(&"LoadBalancer");
        for part in PARTS {
            let is_wanted = resources.contains(part) || has_listener && *part == "HttpsListener";
            assert_eq!(stack.resource(part).is_some(), is_wanted, "{name}: {part}");
        }
    }
}

/// Longest template that CloudFormation takes without a bucket.
const MAX_TEMPLATE: usize = 51_200;

#[test]
fn each_template_is_short_enough_for_a_deployment_without_a_bucket() {
    for file in [
        "template.yaml",
        "deploy/sam/trust.yaml",
        "deploy/sam/load-balancer.yaml",
        "deploy/sam/api.yaml",
        "deploy/sam/observability.yaml",
    ] {
        let length = std::fs::read(project().join(file)).unwrap().len();
        assert!(length <= MAX_TEMPLATE, "{file}: {length}");
    }
}

#[test]
fn extensions_and_signatures_reach_the_functions() {
    let account = Account::start();
    let folder = tempfile::tempdir().unwrap();
    account.must_run(folder.path(), "sam deploy --config-env two-tier", &[]);
    let values = [
        ("Extensions", "device_id=1.3.6.1.4.1.99999.1 1.2.3"),
        ("Signatures", "ml-dsa-87 ecdsa-p384-sha384"),
    ];
    let stack = account.change("gate", &values).unwrap();
    let [(_, extensions), (_, signatures)] = values;
    let respond = stack.variables("RespondFunction");
    assert_eq!(
        (&respond["MTLS_EXTENSIONS"], &respond["MTLS_SIGNATURES"]),
        (&extensions.into(), &signatures.into())
    );
    assert_eq!(
        stack.variables("RefreshCrlsFunction")["CRL_SIGNATURES"],
        signatures
    );
}

#[tokio::test]
async fn minimal_example_serves_clients_of_anchors_that_were_put_beside_it() {
    let (account, pki) = (Account::start(), Pki::new());
    let stack = deployed(&account, pki.path(), &example("minimal"));
    let mut gate = stack.listen().await;
    assert_eq!(ask(&mut gate, &pki.client, "/").await.0, 200);
    // The intermediates were put too, and the example does not name them.
    let leaf = pki.issue("leaf", false);
    assert_eq!(ask(&mut gate, &leaf, "/").await.0, 401);
    gate.close().await;
}

#[tokio::test]
async fn regulated_example_reads_its_anchors_within_the_boundary_and_not_without() {
    let (account, pki) = (Account::start(), Pki::new());
    let boundary = |allowed: &str| {
        let statement = format!(r#"{{"Effect": "Allow", "Action": "{allowed}", "Resource": "*"}}"#);
        format!(
            r#"aws iam create-policy --policy-name boundary --policy-document '{{"Version": "2012-10-17", "Statement": [{statement}]}}'"#
        )
    };
    let script = format!("{}\n{}", boundary("ssm:*"), example("regulated"));
    let stack = deployed(&account, pki.path(), &script);
    let mut gate = stack.listen().await;
    assert_eq!(ask(&mut gate, &pki.client, "/").await.0, 200);
    gate.close().await;

    let account = Account::start();
    let script = format!("{}\n{}", boundary("s3:*"), example("regulated"));
    let stack = deployed(&account, pki.path(), &script);
    let mut gate = stack.listen().await;
    assert_eq!(ask(&mut gate, &pki.client, "/").await.0, 503);
    gate.close().await;
}

#[test]
fn regulated_example_has_its_keys_networks_and_roles_everywhere() {
    let account = Account::start();
    let folder = tempfile::tempdir().unwrap();
    let stack = deployed(&account, folder.path(), "sam deploy --config-env regulated");
    let key = &stack.properties("RespondLogGroup")["KmsKeyId"];
    assert!(key.as_str().unwrap().contains(":key/"), "{key}");
    assert_eq!(&stack.properties("RespondFunction")["KmsKeyArn"], key);
    let encryption =
        &stack.properties("TrustBucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
    assert_eq!(
        encryption["ServerSideEncryptionByDefault"]["KMSMasterKeyID"],
        *key
    );
    let network = &stack.properties("RespondFunction")["VpcConfig"];
    assert_eq!(network["SubnetIds"].as_array().unwrap().len(), 2, "{network}");
    assert!(
        stack.properties("GateRole")["PermissionsBoundary"]
            .as_str()
            .unwrap()
            .ends_with("policy/boundary")
    );
    let rules = stack.properties("LoadBalancerSecurityGroup")["SecurityGroupIngress"].clone();
    let sources: Vec<&str> = rules
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            assert_eq!(
                (&rule["FromPort"], &rule["ToPort"]),
                (&"443".into(), &"443".into())
            );
            ["CidrIp", "CidrIpv6", "SourcePrefixListId"]
                .iter()
                .find_map(|kind| rule[kind].as_str())
                .unwrap()
        })
        .collect();
    assert_eq!(
        sources,
        [
            "10.0.0.0/8",
            "192.0.2.0/24",
            "2001:db8::/32",
            "pl-0a1b2c3d4e5f67890"
        ]
    );
}
