//! Policies that decide, and others that are tried out.

use alb_mtls_tests::Account;

use crate::certificates::{Pki, ask, deployed};
use crate::examples::example;

#[tokio::test]
async fn policies_and_shadow_policies_come_from_the_paths_of_the_example() {
    let (account, pki) = (Account::start(), Pki::new());
    let policies = r#"
put() { aws ssm put-parameter --type String --name "$1" --value "$2"; }
put /gate/policies/all 'permit (principal, action, resource) unless { resource in Path::"/secret" };'
put /gate/shadow-policies/none 'permit (principal, action, resource) when { resource in Path::"/public" };'
"#;
    let stack = deployed(
        &account,
        pki.path(),
        &format!("{policies}\n{}", example("policies")),
    );
    let mut gate = stack.listen().await;
    let (status, record) = ask(&mut gate, &pki.client, "/orders").await;
    assert_eq!(status, 200, "{record}");
    assert!(record.to_string().contains("shadow"), "{record}");
    let (status, record) = ask(&mut gate, &pki.client, "/secret").await;
    assert_eq!(status, 403, "{record}");
    gate.close().await;
}
