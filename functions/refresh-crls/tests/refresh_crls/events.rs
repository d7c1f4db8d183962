//! Events that start the function.

use serde_json::json;

use crate::deployment::{BUCKET, Deployment};
use crate::web::Web;

#[tokio::test]
async fn a_changed_object_refreshes_itself_and_a_revocation_everything() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    web.put_content("/root.crl", deployment.root_crl(1).der());
    let issuing = deployment.issuing_crl(1);
    deployment
        .moto
        .put_object(BUCKET, "ca/issuing.crl.pem", issuing.pem());
    let function = deployment
        .function(&[&web.url("/root.crl"), "s3://trust/ca/issuing.crl.pem"], &[])
        .await;

    let changed = |key: &str| json!({"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}}]});
    let nothing = json!({"published": 0, "unchanged": 0, "refused": 0, "skipped": 0});
    assert_eq!(
        function.summary(&changed("crls/trust/ca/issuing.crl.pem")).await,
        nothing,
        "its own work"
    );
    let summary = function.summary(&changed("ca/issuing.crl.pem")).await;
    assert_eq!(
        summary,
        json!({"published": 1, "unchanged": 0, "refused": 0, "skipped": 0})
    );
    assert_eq!(
        deployment.object("crls/trust/ca/issuing.crl.pem").unwrap(),
        issuing.der()
    );
    assert!(web.requests().is_empty());

    let revoked = json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "{\"Subject\": \"Client certificate revoked\"}"}}]});
    let summary = function.summary(&revoked).await;
    assert_eq!(
        summary,
        json!({"published": 1, "unchanged": 1, "refused": 0, "skipped": 0})
    );
}

#[tokio::test]
async fn a_missing_object_is_an_error_that_says_what_to_look_at() {
    let deployment = Deployment::new();
    let function = deployment.function(&["s3://trust/missing.crl"], &[]).await;
    let error = function.error().await;
    assert!(
        error.contains("`s3://trust/missing.crl`: there is no such object in the bucket"),
        "{error}"
    );
}
