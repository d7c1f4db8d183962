//! A load balancer or a listener that was there before: only what is missing is made.

use alb_mtls_tests::Account;

use crate::certificates::{Pki, ask, deployed};
use crate::examples::example;

const LISTENER: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/shared/50dc6c495c0c9188/f2f7dc8efc522ab2";
const HEADER: &str = "x-5f0c2f3e-7c5f-4a8e-9d0b-0123456789ab";

#[tokio::test]
async fn listener_on_an_existing_load_balancer_serves_clients() {
    let (account, pki) = (Account::start(), Pki::new());
    let stack = deployed(&account, pki.path(), &example("existing-load-balancer"));
    assert_eq!(stack.properties("HttpsListener")["Port"], "8443");
    assert!(
        stack.properties("HttpsListener")["LoadBalancerArn"]
            .as_str()
            .unwrap()
            .contains("/shared/")
    );
    let dimension = &stack.properties("TargetErrorsAlarm")["Dimensions"][0];
    assert_eq!(dimension["Value"], "app/shared/50dc6c495c0c9188");
    let mut gate = stack.listen().await;
    assert_eq!(ask(&mut gate, &pki.client, "/").await.0, 200);
    gate.close().await;
}

#[tokio::test]
async fn rule_of_an_existing_listener_serves_its_paths() {
    let (account, pki) = (Account::start(), Pki::new());
    let stack = deployed(&account, pki.path(), &example("existing-listener"));
    let dimension = &stack.properties("TargetErrorsAlarm")["Dimensions"][0];
    assert_eq!(dimension["Value"], "app/shared/50dc6c495c0c9188");
    assert_eq!(stack.output("ListenerArn"), LISTENER);
    let mut gate = stack.listen_elsewhere(LISTENER, HEADER).await;
    assert_eq!(ask(&mut gate, &pki.client, "/partners/a").await.0, 200);
    gate.close().await;
    // A listener that does not rename the header is no way in.
    let gate = stack.listen_elsewhere(LISTENER, "x-amzn-mtls-clientcert").await;
    assert_eq!(gate.ask(pki.client.files(), "/partners/a").await.0, 401);
    gate.close().await;
}
