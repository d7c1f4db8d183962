//! `docs/rotation.md`: a new root beside the old one, then alone.

use alb_mtls_tests::{Account, deployment_script};

use crate::certificates::{Pki, ask, deployed};
use crate::examples::example;

const PAGE: &str = "docs/rotation.md";

#[tokio::test]
async fn both_roots_are_trusted_until_the_old_one_is_taken_away() {
    let (account, old, new) = (Account::start(), Pki::of("Old"), Pki::of("New"));
    let folder = old.path();
    let stack = deployed(&account, folder, &example("minimal"));
    std::fs::copy(folder.join("anchors.pem"), folder.join("old-root.pem")).unwrap();
    std::fs::copy(new.path().join("anchors.pem"), folder.join("new-root.pem")).unwrap();
    for (step, statuses) in [("overlap", [200, 200]), ("new root", [401, 200])] {
        account.must_run(folder, &deployment_script(PAGE, step), &[]);
        let mut gate = stack.listen().await;
        let found = [
            ask(&mut gate, &old.client, "/").await.0,
            ask(&mut gate, &new.client, "/").await.0,
        ];
        assert_eq!(found, statuses, "{step}");
        gate.close().await;
    }
}
