//! `docs/deny-list.md`: its commands, against moto, and the list that they leave.

use alb_mtls_tests::{Clients, Moto, project};
use alb_mtls_trust::DenyList;

use super::guides::{run, script};

fn page() -> String {
    std::fs::read_to_string(project().join("docs/deny-list.md")).unwrap()
}

#[test]
fn commands_of_the_page_deny_the_client_and_take_it_back() {
    let moto = Moto::start();
    moto.create_bucket("pki-trust");
    let clients = Clients::new();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("stolen.pem"), clients.good.pem()).unwrap();
    let (succeeded, output) = run(&script(&page()), folder.path(), &[], &moto.variables());
    assert!(succeeded, "{output}");
    for words in [
        "`s3://pki-trust/deny.txt` written: it denies no client",
        "denies the client `CN=client-1,OU=Payments,O=Tests`",
        " because stolen laptop, INC-4711\n",
        "+ serial A1B issuer \"CN=Issuing CA,O=Example\"",
        // By its key and by its SHA-256.
        ": 2 entries left",
    ] {
        assert!(output.contains(words), "{words}:\n{output}");
    }
}

#[test]
fn list_that_the_page_shows_is_one() {
    let page = page();
    let shown = page
        .split("```text\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let list = DenyList::parse(shown.as_bytes().to_vec()).unwrap();
    assert_eq!(list.entries().len(), 3);
}
