//! The layer, with the example in Python behind it.

use alb_mtls_tests::Account;

use crate::certificates::{Pki, deployed};
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
