//! The answer as a page for a browser.

use alb_mtls_gate::ClientIdentity;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8883;--soft:#8881;--good:#137333;--none:#8a6100}\
@media(prefers-color-scheme:dark){:root{--good:#6dd58c;--none:#f0c060}}\
body{font:16px/1.5 system-ui,sans-serif;margin:0;display:grid;min-height:100vh;place-items:center}\
main{width:min(46rem,calc(100vw - 2rem));margin:2rem 0;border:1px solid var(--line);border-radius:12px;overflow:hidden}\
header{padding:1.25rem 1.5rem;background:var(--soft)}h1{font-size:1.3rem;margin:.35rem 0 0;overflow-wrap:anywhere}\
.badge{font-weight:600;color:var(--good)}.badge.none{color:var(--none)}\
dl{display:grid;grid-template-columns:minmax(8rem,auto) 1fr;gap:.5rem 1.25rem;margin:0;padding:1.25rem 1.5rem}\
dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}code{font:.85em ui-monospace,monospace}\
@media(max-width:34rem){dl{grid-template-columns:1fr;gap:.1rem}dd{margin-bottom:.6rem}}";

pub(crate) fn render(client: Option<&ClientIdentity>) -> String {
    let content = match client {
        Some(identity) => verified(identity),
        None => "<header><span class=\"badge none\">Not verified</span>\
                 <h1>No client certificate</h1></header>"
            .to_owned(),
    };
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>Client certificate</title><style>{STYLE}</style></head><body><main>{content}</main></body></html>\n"
    )
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

/// Escapes text for HTML: a CA chooses the names in a certificate, which can contain markup.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_names_is_shown_and_not_obeyed() {
        assert_eq!(escape("<script>'\"&"), "&lt;script&gt;&#39;&quot;&amp;");
    }
}
