//! `docs/two-accounts.md`: a pointer in the gate's account to anchors in a bucket of another one.

use alb_mtls_tests::{Account, deployment_script};

use crate::certificates::{Pki, ask, deployed};
use crate::examples::example;

const PAGE: &str = "docs/two-accounts.md";

#[tokio::test]
async fn gate_reads_the_anchors_that_the_pointer_names_only_with_a_policy_for_it() {
    let (account, pki) = (Account::start(), Pki::new());
    let stack = deployed(&account, pki.path(), &example("minimal"));
    let role = "aws iam list-roles --query \"Roles[?contains(RoleName, 'GateRole')].Arn\" --output text";
    let role = account.must_run(pki.path(), role, &[]);
    let run = |names: &[&str]| {
        let blocks = names.iter().map(|name| deployment_script(PAGE, name));
        let variables = [
            ("bucket", "example-trust"),
            // moto's own account: there is one.
            ("pki_account", "123456789012"),
            ("role", role.trim()),
        ];
        account.must_run(pki.path(), &blocks.collect::<Vec<_>>().join("\n"), &variables)
    };
    let clean = "aws ssm get-parameters-by-path --path /gate/anchors --query 'Parameters[].Name' --output text | xargs aws ssm delete-parameters --names";
    account.must_run(pki.path(), clean, &[]);

    let printed = run(&["bucket", "publish", "pointer"]);
    let pointer = printed.lines().find(|line| line.starts_with("s3://")).unwrap();
    for part in ["versionId=", "owner=123456789012", "#sha256="] {
        assert!(pointer.contains(part), "{pointer}");
    }
    let mut gate = stack.listen().await;
    assert_eq!(ask(&mut gate, &pki.client, "/").await.0, 503);
    gate.close().await;

    run(&["role policy"]);
    let mut gate = stack.listen().await;
    assert_eq!(ask(&mut gate, &pki.client, "/").await.0, 200);
    let foreign = Pki::of("Foreign");
    assert_eq!(ask(&mut gate, &foreign.client, "/").await.0, 401);
    gate.close().await;

    // The last: moto takes the condition on TLS for true, and this machine speaks HTTP.
    run(&["bucket policy"]);
}
