//! `docs/from-zero.md`: a CA made with openssl, deployed, and the first request.

use alb_mtls_tests::{Account, deployment_script, project};

use crate::certificates::{Client, Pki, ask, deployed};

const PAGE: &str = "docs/from-zero.md";

/// Returns the blocks of the page that make the CA and its client.
fn commands_of_the_ca() -> String {
    let page = std::fs::read_to_string(project().join(PAGE)).unwrap();
    let block = page.split("<!-- run -->\n```sh\n").nth(1).unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

#[tokio::test]
async fn first_request_of_the_page_is_answered_with_200() {
    let account = Account::start();
    let folder = tempfile::tempdir().unwrap();
    account.must_run(folder.path(), &commands_of_the_ca(), &[]);
    let stack = deployed(&account, folder.path(), &deployment_script(PAGE, "single root"));
    assert_eq!(stack.functions(), ["RespondFunction"]);
    let mut gate = stack.listen().await;
    assert_eq!(gate.try_it(stack.output("TryIt"), folder.path()).await.0, 200);
    assert_eq!(gate.record().await["decision"], "allowed");
    let (status, _) = gate.ask(None, "/").await;
    assert_eq!(status, 401);
    let foreign = Pki::of("Foreign");
    let (status, record) = ask(&mut gate, &foreign.client, "/").await;
    assert_eq!((status, &record["decision"]), (401, &"denied".into()));
    gate.close().await;
    assert!(Client::at(folder.path(), "client").files().is_some());
}

#[tokio::test]
async fn anchors_can_be_several_on_one_line_with_escaped_line_feeds() {
    let account = Account::start();
    let (one, other) = (Pki::of("One"), Pki::of("Other"));
    let second = std::fs::read_to_string(other.path().join("anchors.pem")).unwrap();
    let first = std::fs::read_to_string(one.path().join("anchors.pem")).unwrap();
    std::fs::write(one.path().join("anchors.pem"), first + &second).unwrap();
    let page = deployment_script(PAGE, "single root");
    assert!(page.contains("$(cat anchors.pem)"), "{page}");
    let script = page.replace("$(cat anchors.pem)", "$(awk -v ORS='\\\\n' 1 anchors.pem)");
    let stack = deployed(&account, one.path(), &script);
    let mut gate = stack.listen().await;
    for pki in [&one, &other] {
        assert_eq!(ask(&mut gate, &pki.client, "/").await.0, 200);
    }
    gate.close().await;
}
