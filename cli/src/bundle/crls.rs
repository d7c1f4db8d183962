//! CRLs in reports.

use alb_mtls_trust::InspectedList;
use alb_mtls_verifier::RevocationList;
use serde_json::{Value, json};

/// Returns one line about a CRL.
pub(crate) fn crl_line(crl: &InspectedList) -> String {
    format!(
        "{}; {} entries; {}; entry {} of `{}`",
        crl.list,
        crl.list.entry_count(),
        signature_words(crl),
        crl.entry,
        crl.origin
    )
}

/// Returns a CRL as JSON.
pub(crate) fn crl_json(crl: &InspectedList) -> Value {
    json!({
        "origin": crl.origin,
        "entry": crl.entry,
        "issuer": crl.list.issuer().to_string(),
        "number": number(&crl.list),
        "this_update": crl.list.this_update(),
        "next_update": crl.list.next_update(),
        "entries": crl.list.entry_count(),
        "scope": crl.list.coverage(),
        "distribution_points": crl.list.distribution_points(),
        "signature": signature_words(crl),
        "defect": crl.list.defect().map(ToString::to_string),
    })
}

/// Returns the number as it is displayed; `None` for a CRL without one.
pub(crate) fn number(list: &RevocationList) -> Option<String> {
    list.number().map(|number| number.to_string())
}

/// Returns the CRL among the others of its issuer.
pub(crate) fn name(list: &RevocationList) -> String {
    match list.number() {
        Some(number) => format!("CRL {number}"),
        None => format!("the CRL of {}", list.this_update()),
    }
}

fn signature_words(crl: &InspectedList) -> String {
    match &crl.standing {
        Some(standing) => standing.to_string(),
        None => "its signature was not checked, name the trust anchors too".to_owned(),
    }
}
