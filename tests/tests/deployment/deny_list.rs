//! The deny list in the trust bucket of a stack.

use std::time::Duration;

use alb_mtls_tests::{Account, Function};

use crate::certificates::{Pki, ask, deployed};
use crate::examples::example;

/// Default of `MTLS_DENY_REFRESH`, and a second for the lookup.
const SOON: Duration = Duration::from_secs(6);

#[tokio::test]
async fn entry_of_the_stack_s_list_acts_and_no_other_object_is_read() {
    let (account, pki) = (Account::start(), Pki::new());
    let stack = deployed(&account, pki.path(), &example("minimal"));
    assert!(stack.variables("RespondFunction").get("MTLS_DENY").is_none());
    let list = format!("s3://{}/deny.txt", stack.output("TrustBucketName"));
    let deny = |arguments: &str| account.must_run(pki.path(), &format!("alb-mtls deny {arguments}"), &[]);

    // A list that is not there is not an empty one.
    let stack = account.change("gate", &[("DenyList", "true")]).unwrap();
    assert_eq!(stack.variables("RespondFunction")["MTLS_DENY"], list);
    let mut gate = stack.listen().await;
    let (status, record) = ask(&mut gate, &pki.client, "/").await;
    assert_eq!(
        (status, &record["detail"]),
        (503, &"no_deny_list".into()),
        "{record}"
    );
    deny(&format!("create {list}"));
    tokio::time::sleep(SOON).await;
    assert_eq!(ask(&mut gate, &pki.client, "/").await.0, 200);
    deny(&format!("add {list} --pem client.pem --because INC-4711"));
    tokio::time::sleep(SOON).await;
    let (status, record) = ask(&mut gate, &pki.client, "/").await;
    assert_eq!(
        (status, &record["detail"]),
        (403, &"deny_list".into()),
        "{record}"
    );
    assert!(
        record["explanation"]
            .as_str()
            .unwrap()
            .ends_with("because INC-4711"),
        "{record}"
    );
    deny(&format!("remove {list} --pem client.pem"));
    tokio::time::sleep(SOON).await;
    assert_eq!(ask(&mut gate, &pki.client, "/").await.0, 200);
    gate.close().await;

    let other = stack
        .command("RespondFunction")
        .variable("MTLS_DENY", list.replace("deny.txt", "other.txt"));
    let function = Function::run(other).await;
    let failure = function.line_where(|line| line["level"] == "ERROR").await;
    assert!(failure.to_string().contains("may not be read"), "{failure}");
}
