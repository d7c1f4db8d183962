//! The layer, with the example in Python behind it.

use alb_mtls_tests::{Account, deployment_script};
use test_pki::{CertificateBuilder, CrlBuilder};

use crate::certificates::{Client, Pki, deployed};
use crate::examples::example;

#[tokio::test]
async fn function_behind_the_layer_is_reached_by_its_path() {
    let (account, pki) = (Account::start(), Pki::new());
    let stack = deployed(&account, pki.path(), &example("layer"));
    assert_eq!(
        stack.variables("LayeredExampleFunction")["AWS_LAMBDA_EXEC_WRAPPER"],
        "/opt/alb-mtls"
    );
    let gate = stack.listen().await;
    let (status, body) = gate.ask(pki.client.files(), "/layered/a").await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("\"hello\": \"CN=client-1,O=Example\""), "{body}");
    assert_eq!(gate.ask(None, "/layered/a").await.0, 401);
    let (status, body) = gate.ask(pki.client.files(), "/other").await;
    assert_eq!(status, 200);
    assert!(!body.contains("hello"), "{body}");
    gate.close().await;
}

#[tokio::test]
async fn function_of_a_stack_of_its_own_is_behind_the_layer_of_another() {
    let (account, pki) = (Account::start(), Pki::new());
    let gate = deployed(&account, pki.path(), &example("layer"));
    account.must_run(
        pki.path(),
        &deployment_script("docs/layer.md", "own function"),
        &[],
    );
    let orders = account.stack("orders");
    let (listener, header) = (gate.output("ListenerArn"), gate.output("CertificateHeaderName"));
    let running = orders.listen_elsewhere(listener, header).await;
    let leaf = pki.issue("leaf", false);
    let (status, body) = running.ask(leaf.files(), "/orders/1").await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("\"hello\": \"CN=leaf,O=Example\""), "{body}");
    let stranger = Pki::of("Stranger");
    for client in [None, stranger.client.files()] {
        assert_eq!(running.ask(client, "/orders/1").await.0, 401);
    }
    running.close().await;

    // With the lists of both CAs, a revoked client is refused and another one passes.
    let revoked = CertificateBuilder::client("CN=revoked,O=Example");
    let revoked = revoked.issued_by(&pki.issuing).unwrap();
    let bucket = gate.output("TrustBucketName");
    let lists = [
        ("root", CrlBuilder::new().issued_by(&pki.root)),
        (
            "issuing",
            CrlBuilder::new().revoke(&revoked).issued_by(&pki.issuing),
        ),
    ];
    let sources = lists.map(|(name, list)| {
        let key = format!("crls/{name}.crl");
        account.put_object(bucket, &key, list.unwrap().der());
        format!("s3://{bucket}/{key}")
    });
    let orders = account.change("orders", &[("Crls", &sources.join(" "))]).unwrap();
    let running = orders.listen_elsewhere(listener, header).await;
    let revoked = Client::write(pki.path(), "revoked", &[&revoked]);
    for (client, status) in [(&leaf, 200), (&revoked, 401)] {
        assert_eq!(running.ask(client.files(), "/orders/1").await.0, status);
    }
    running.close().await;
}
