//! `docs/your-ca.md`: a root and an issuing CA made with openssl, with a CRL of each.

use std::path::Path;

use alb_mtls_tests::{Account, FileServer, RunningStack, Stack, deployment_script, page_block};

use crate::certificates::{Client, ask};

pub(crate) const PAGE: &str = "docs/your-ca.md";

/// Lets `refresh-crls` fetch from this machine, which the page's host stands for.
pub(crate) const FROM_HERE: (&str, &str) = ("SIMULATOR_PARAMETERS", "CrlPrivateNetworks=127.0.0.0/8");

/// Returns a block of the page's section about openssl.
fn openssl(block: usize) -> String {
    page_block(PAGE, "openssl", block)
}

/// Deploys the CA of a folder, whose CRLs are where `sources` says.
pub(crate) fn deploy(
    account: &Account,
    folder: &Path,
    sources: &str,
    variables: &[(&str, &str)],
) -> (Stack, String) {
    let script = format!("{sources}\n{}", deployment_script(PAGE, "two tiers"));
    let output = account.must_run(folder, &script, variables);
    (account.stack("gate"), output)
}

/// Deploys the CA of the page in a folder, with its CRLs on a web server.
fn deployed(account: &Account, folder: &Path) -> (Stack, FileServer) {
    account.must_run(folder, &openssl(0), &[]);
    std::fs::copy(folder.join("client.crt"), folder.join("leaf.pem")).unwrap();
    std::fs::copy(folder.join("client.key"), folder.join("leaf.key")).unwrap();
    let server = FileServer::start(folder);
    let sources = deployment_script(PAGE, "web sources").replace("crl.example.org", &server.host());
    let (stack, output) = deploy(account, folder, &sources, &[FROM_HERE]);
    assert!(
        output.contains(r#"{"published":2,"unchanged":0,"refused":0,"skipped":0}"#),
        "{output}"
    );
    (stack, server)
}

/// Asks as the client with its whole chain and with its own certificate alone.
async fn statuses(gate: &mut RunningStack, folder: &Path) -> [u16; 2] {
    let mut statuses = [0; 2];
    for (status, name) in statuses.iter_mut().zip(["client", "leaf"]) {
        *status = ask(gate, &Client::at(folder, name), "/").await.0;
    }
    statuses
}

#[tokio::test]
async fn client_passes_and_is_refused_once_its_crl_is_fetched() {
    let account = Account::start();
    let folder = tempfile::tempdir().unwrap();
    let (stack, _server) = deployed(&account, folder.path());
    let mut gate = stack.listen().await;
    assert_eq!(statuses(&mut gate, folder.path()).await, [200, 200]);
    gate.close().await;

    // The CRL with the client on it is fetched by the function's schedule.
    account.must_run(folder.path(), &openssl(1), &[]);
    let fetch = "aws lambda invoke --function-name $function --payload '{}' /dev/stdout";
    let function = ("function", stack.output("RefreshCrlsFunctionName"));
    let output = account.must_run(folder.path(), fetch, &[function]);
    assert!(output.contains(r#""published":1"#), "{output}");
    let mut gate = stack.listen().await;
    assert_eq!(statuses(&mut gate, folder.path()).await, [401, 401]);
    gate.close().await;
}
