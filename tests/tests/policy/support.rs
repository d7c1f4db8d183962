//! A function with policies, and what it says about a request.

use alb_mtls_tests::{Clients, Function, certificate_headers, client_headers, event};
pub(crate) use alb_mtls_tests::{respond, source};
use alb_mtls_verifier::TrustAnchor;
use local_alb::HeaderMode;
use serde_json::Value;
use test_pki::{CertificateBuilder, Credential};

/// Permits every verified client everything.
pub(crate) const ALL_CLIENTS: &str =
    "@id(\"all-clients\")\npermit (principal is Client, action, resource);\n";

/// Starts `respond` with these policies.
pub(crate) async fn with_policies(clients: &Clients, text: &str, variables: &[(&str, &str)]) -> Function {
    let source = source(clients, "policies.cedar", text);
    let mut all = vec![("MTLS_POLICY", source.as_str())];
    all.extend(variables);
    respond(clients, &all).await
}

/// Returns the id of the anchor of these clients, as policies spell it.
pub(crate) fn anchor_id(clients: &Clients) -> String {
    let anchor = TrustAnchor::new(clients.root.der().to_vec().into()).unwrap();
    anchor.id().to_string()
}

pub(crate) fn issue(clients: &Clients, subject: &str) -> Credential {
    clients.issue(CertificateBuilder::client(subject))
}

/// Sends a request as this client or without a certificate; returns the status and the record.
pub(crate) async fn ask(
    function: &Function,
    client: Option<(&Clients, &Credential)>,
    line: &str,
) -> (u16, Value) {
    let headers = match client {
        Some((clients, client)) => certificate_headers(clients.header(client)),
        None => client_headers(),
    };
    ask_with(function, headers, line).await
}

/// Asks with these headers; `line` is a method and a path.
pub(crate) async fn ask_with(
    function: &Function,
    headers: Vec<(String, String)>,
    line: &str,
) -> (u16, Value) {
    let (method, path) = line.split_once(' ').unwrap();
    let answer = function
        .answer(event(method, path, &headers, HeaderMode::MultiValue))
        .await;
    (answer.status, function.record().await)
}

/// Returns the ids of the policies that decided, joined by spaces, or the detail of a refusal by
/// none.
pub(crate) fn deciding(record: &Value) -> String {
    match record["policies"].as_array() {
        Some(policies) => {
            let ids: Vec<&str> = policies.iter().map(|id| id.as_str().unwrap()).collect();
            ids.join(" ")
        }
        None => record["detail"].as_str().unwrap_or_default().to_owned(),
    }
}
