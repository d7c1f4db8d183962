//! Each example by the commands of the page, and clients that send their own certificate alone.

use alb_mtls_tests::Function;
use alb_mtls_tests::api_events::{Api, anonymous, with_pem};
use alb_mtls_tests::upstream::{Recorder, Reply};
use alb_mtls_verifier::Fingerprint;
use local_alb::InvocationOutcome;
use serde_json::Value;
use test_pki::{CertificateBuilder, CrlBuilder};

use crate::configuration::Configuration;
use crate::doctor::examine;

#[tokio::test(flavor = "multi_thread")]
async fn minimal_allows_a_client_of_its_root() {
    let Some(configuration) = Configuration::new() else {
        return;
    };
    // One root: it issues to clients itself.
    let root = CertificateBuilder::root("CN=Example Root").self_signed().unwrap();
    let client = CertificateBuilder::client("CN=client-1")
        .issued_by(&root)
        .unwrap();
    std::fs::write(configuration.path().join("root.pem"), root.pem()).unwrap();
    configuration.write("good", &client);
    let stack = configuration.apply("minimal", &[]);
    let mut gate = stack.listen().await;
    assert_eq!(configuration.ask(&mut gate, "good").await.0, 200);
    assert_eq!(configuration.ask(&mut gate, "strange").await.0, 401);
    assert_eq!(gate.ask(None, "/").await.0, 401);
    gate.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn private_ca_publishes_partitions_before_the_first_request() {
    let Some(configuration) = Configuration::new() else {
        return;
    };
    let uri = |partition: u8| {
        format!("http://example-crls.s3.us-east-1.amazonaws.com/crl/SUBORDINATE/{partition}.crl")
    };
    let client = |name: &str, partition: u8| {
        let client = CertificateBuilder::client(name).crl_distribution_point(&uri(partition));
        client.issued_by(&configuration.issuing).unwrap()
    };
    let revoked = client("CN=lost laptop", 1);
    for (name, client) in [
        ("good", &client("CN=client-1", 1)),
        ("other", &client("CN=client-2", 2)),
        ("unpublished", &client("CN=client-3", 3)),
        ("revoked", &revoked),
    ] {
        configuration.write(name, client);
    }
    let of_root = CrlBuilder::new()
        .number(1)
        .issued_by(&configuration.root)
        .unwrap();
    configuration.put("s3://example-crls/crl/ROOT.crl", of_root.der());
    for partition in [1, 2] {
        let crl = CrlBuilder::new().number(1).distribution_point(&uri(partition));
        let crl = if partition == 1 { crl.revoke(&revoked) } else { crl };
        let object = format!("s3://example-crls/crl/SUBORDINATE/{partition}.crl");
        configuration.put(&object, crl.issued_by(&configuration.issuing).unwrap().der());
    }
    let stack = configuration.apply("private-ca", &[]);
    assert_eq!(
        stack.variables("aws_lambda_function.gate")["MTLS_CRLS"],
        "s3://alb-mtls-trust-123456789012-us-east-1/crls/example-crls/crl/ROOT.crl \
         s3://alb-mtls-trust-123456789012-us-east-1/crls/example-crls/crl/SUBORDINATE/1.crl \
         s3://alb-mtls-trust-123456789012-us-east-1/crls/example-crls/crl/SUBORDINATE/2.crl"
    );
    let mut gate = stack.listen().await;
    for (client, status, detail) in [
        ("good", 200, Value::Null),
        ("other", 200, Value::Null),
        ("unpublished", 401, "crl_scope".into()),
        ("revoked", 401, "revoked".into()),
        ("strange", 401, "signature_invalid".into()),
    ] {
        let (answered, record) = configuration.ask(&mut gate, client).await;
        assert_eq!(
            (answered, &record["detail"]),
            (status, &detail),
            "{client}: {record}"
        );
    }
    let folder = configuration.path();
    std::fs::copy(folder.join("good.pem"), folder.join("client.pem")).unwrap();
    std::fs::copy(folder.join("good.key"), folder.join("client.key")).unwrap();
    assert_eq!(gate.try_it(stack.output("try_it"), folder).await.0, 200);
    gate.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn serverless_ca_is_found_in_each_environment() {
    for (environment, end) in [("dev", "-dev"), ("prod", ""), ("staging", "-staging")] {
        let Some(configuration) = Configuration::new() else {
            return;
        };
        let object = |name: &str| format!("s3://example-external/serverless-{name}");
        configuration.put(&object(&format!("root-ca{end}.crt")), configuration.root.pem());
        configuration.put(
            &object(&format!("issuing-ca{end}.crt")),
            configuration.issuing.pem(),
        );
        configuration.put_crls(
            &object(&format!("root-ca{end}.crl")),
            &[&object(&format!("issuing-ca{end}.crl"))],
        );
        let variables = [("bucket", "example-external"), ("env", environment)];
        let stack = configuration.apply("serverless-ca", &variables);
        let mut gate = stack.listen().await;
        assert_eq!(configuration.ask(&mut gate, "good").await.0, 200, "{environment}");
        let (status, record) = configuration.ask(&mut gate, "revoked").await;
        assert_eq!(
            (status, &record["detail"]),
            (401, &"revoked".into()),
            "{environment}: {record}"
        );
        gate.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn existing_load_balancer_gets_a_listener_and_trust_from_objects() {
    let Some(configuration) = Configuration::new() else {
        return;
    };
    // Both CAs in S3: the module makes no parameters, and the role reads these objects alone.
    configuration.put("s3://example-pki/root.pem", configuration.root.pem());
    configuration.put("s3://example-pki/issuing.pem", configuration.issuing.pem());
    configuration.put("s3://example-pki/other.pem", configuration.root.pem());
    let main = configuration
        .path()
        .join("deploy/terraform/examples/existing-alb/main.tf");
    let text = std::fs::read_to_string(&main).unwrap();
    let digest = Fingerprint::of(configuration.root.pem().as_bytes());
    let objects = text
        .replace(
            "anchors           = { root = file(var.root_certificate) }",
            &format!(r#"anchors_objects = ["s3://example-pki/root.pem?region=us-east-1#sha256={digest}"]"#),
        )
        .replace(
            "intermediates     = { issuing = file(var.issuing_certificate) }",
            r#"intermediates_objects = ["s3://example-pki/issuing.pem"]"#,
        );
    assert!(objects.matches("_objects = ").count() == 2, "{text}");
    std::fs::write(main, objects).unwrap();
    let balancer =
        "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/mine/50dc6c495c0c9188";
    let stack = configuration.apply("existing-alb", &[("load_balancer", balancer)]);
    assert_eq!(stack.resource("module.gate.aws_lb.gate[0]"), None);
    assert_eq!(stack.resource("module.gate.aws_s3_bucket.logs[0]"), None);
    let listener = stack.properties("module.gate.aws_lb_listener.https[0]");
    assert_eq!(
        (&listener["port"], &listener["load_balancer_arn"]),
        (&8443.into(), &balancer.into())
    );
    let mut gate = stack.listen().await;
    assert_eq!(configuration.ask(&mut gate, "good").await.0, 200);
    assert_eq!(gate.ask(None, "/").await.0, 401);
    gate.close().await;
    let command = stack
        .command("aws_lambda_function.gate")
        .variable("MTLS_ANCHORS", "s3://example-pki/other.pem");
    let function = Function::run(command).await;
    let failure = function.line_where(|line| line["level"] == "ERROR").await;
    assert!(failure.to_string().contains("may not be read"), "{failure}");
}

/// The REST API is in the module's own tests.
#[tokio::test(flavor = "multi_thread")]
async fn api_gateway_lets_in_clients_of_the_issuing_ca() {
    let Some(configuration) = Configuration::new() else {
        return;
    };
    let upstream = [("upstream", "https://orders.example.org")];
    let stack = configuration.apply("api-gateway", &upstream);
    let (code, report) = examine(&configuration, "state.json");
    assert_eq!(
        (code, &report["findings"]),
        (0, &Value::Array(Vec::new())),
        "{report:#}"
    );
    let (authorizer, _lines) = stack.start("aws_lambda_function.gate").await;
    let pem = |client: &str| std::fs::read_to_string(configuration.path().join(client)).unwrap();
    for (event, is_wanted) in [
        (with_pem(Api::Http2, &pem("good.pem")), true),
        (with_pem(Api::Http2, &pem("strange.pem")), false),
        (anonymous(Api::Http2), false),
    ] {
        match authorizer.invoke(event.to_string()).await {
            InvocationOutcome::Response(answer) => {
                let answer: Value = serde_json::from_slice(&answer).unwrap();
                assert_eq!(answer["isAuthorized"], is_wanted, "{answer}");
            }
            other => unreachable!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forward_tells_its_upstream_who_the_client_is() {
    let Some(configuration) = Configuration::new() else {
        return;
    };
    let mut upstream = Recorder::start([Reply::ok()]).await;
    let url = upstream.url();
    let stack = configuration.apply("forward", &[("upstream", &url)]);
    let mut gate = stack.listen().await;
    assert_eq!(configuration.ask(&mut gate, "good").await.0, 200);
    assert_eq!(
        upstream.next().await.values("x-amzn-mtls-clientcert-subject"),
        ["CN=client-1"]
    );
    assert_eq!(configuration.ask(&mut gate, "strange").await.0, 401);
    assert!(upstream.arrived().is_none());
    gate.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn layer_is_before_a_function_in_python() {
    let Some(configuration) = Configuration::new() else {
        return;
    };
    // What cargo-lambda and zip would leave.
    let commands = Configuration::commands("layer");
    let (building, commands) = commands.split_once("cp root.pem").unwrap();
    assert!(building.starts_with("make layer\n"), "{building}");
    let folder = configuration.path().join("deploy/terraform/examples/layer");
    for package in ["layer.zip", "function.zip"] {
        assert!(building.contains(&format!("examples/layer/{package}")));
        std::fs::write(folder.join(package), package).unwrap();
    }
    configuration.must_run(&format!("cp root.pem{commands}"), &[]);
    let stack = configuration.described("deploy/terraform/examples/layer");
    let variables = stack.variables("aws_lambda_function.gate");
    assert_eq!(variables["AWS_LAMBDA_EXEC_WRAPPER"], "/opt/alb-mtls");
    let mut gate = stack.listen().await;
    assert_eq!(configuration.ask(&mut gate, "good").await.0, 200);
    assert_eq!(configuration.ask(&mut gate, "strange").await.0, 401);
    gate.close().await;
}
