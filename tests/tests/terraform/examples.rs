//! Each example by the commands of the page, and clients that send their own certificate alone.

use alb_mtls_tests::upstream::{Recorder, Reply};

use test_pki::{CertificateBuilder, CrlBuilder};

use crate::configuration::Configuration;

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
        ("good", 200, serde_json::Value::Null),
        ("other", 200, serde_json::Value::Null),
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
async fn existing_load_balancer_gets_a_listener_and_nothing_more() {
    let Some(configuration) = Configuration::new() else {
        return;
    };
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
