//! The answer as a page for a browser.

use alb_mtls_gate::ClientIdentity;
use alb_mtls_http::page::{self, escape};

pub(crate) fn render(client: Option<&ClientIdentity>) -> String {
    let content = match client {
        Some(identity) => verified(identity),
        None => "<header><span class=\"badge none\">Not verified</span>\
                 <h1>No client certificate</h1></header>"
            .to_owned(),
    };
    page::render("Client certificate", &content)
}

fn verified(identity: &ClientIdentity) -> String {
    let subject = identity.subject.to_string();
    let title = identity.common_name().unwrap_or_else(|| subject.clone());
    let names: Vec<String> = identity
        .alternative_names
        .iter()
        .map(ToString::to_string)
        .collect();
    let rows = [
        ("Subject", escape(&subject)),
        ("Alternative names", escape(&names.join(", "))),
        (
            "SPIFFE id",
            escape(identity.spiffe_id.as_deref().unwrap_or_default()),
        ),
        ("Issuer", escape(&identity.issuer.to_string())),
        ("Trust anchor", escape(&identity.anchor.subject().to_string())),
        ("Serial number", code(&identity.serial_number)),
        ("Valid from", code(&identity.validity.not_before.to_string())),
        ("Valid until", code(&identity.validity.not_after.to_string())),
        ("Key", escape(&identity.public_key.to_string())),
        (
            "Certificate SHA-256",
            code(&identity.certificate_fingerprint.to_string()),
        ),
    ];
    let rows: String = rows
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("<dt>{name}</dt><dd>{value}</dd>"))
        .collect();
    format!(
        "<header><span class=\"badge\">&#10003; Verified client</span><h1>{}</h1></header><dl>{rows}</dl>",
        escape(&title)
    )
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}
