//! Effect of `MTLS_REVOCATION=strict` and `soft` on the certificates of each CA.

use alb_mtls_trust::{InspectedAuthority, Inspection};
use alb_mtls_verifier::{CertificateStatus, IssuerForecast, Rejection};
use serde_json::{Value, json};

use super::crls::{self, number};
use super::paths::particulars;

/// Returns true if strict revocation would reject some of what the CA issued for want of a CRL that
/// counts now.
pub(crate) fn is_refused(forecast: &IssuerForecast) -> bool {
    let unknown = |(_, status): &(String, CertificateStatus)| matches!(status, CertificateStatus::Unknown(_));
    forecast.scopes.is_empty() || forecast.scopes.iter().any(unknown)
}

/// Lines on every CA, then on every intermediate whose own status is not known.
pub(crate) fn lines(inspection: &Inspection) -> Vec<String> {
    let of_issuers = inspection.forecasts.iter().flat_map(issuer_lines);
    of_issuers
        .chain(uncleared(inspection).map(|(authority, rejection)| {
            format!(
                "everything below {} is refused with {}, as no CRL clears this CA itself (soft lets it in){}",
                authority.certificate.subject(),
                rejection.detail(),
                particulars(rejection)
            )
        }))
        .collect()
}

/// Intermediates that no CRL clears on any path, and the rejection of strict revocation.
pub(crate) fn uncleared(inspection: &Inspection) -> impl Iterator<Item = (&InspectedAuthority, &Rejection)> {
    let with_lists = !inspection.forecasts.is_empty();
    let authorities = inspection.authorities.iter().filter(move |_| with_lists);
    authorities.filter_map(|authority| {
        let paths = authority.paths.as_ref().ok()?;
        let first = paths.first()?.unknown.as_ref()?;
        paths
            .iter()
            .all(|path| path.unknown.is_some())
            .then_some((authority, first))
    })
}

/// Returns a CA as JSON.
pub(crate) fn issuer_json(forecast: &IssuerForecast) -> Value {
    let scopes = forecast.scopes.iter().map(|(scope, status)| {
        let mut fields = status_json(status);
        if let Value::Object(fields) = &mut fields {
            fields.insert("scope".to_owned(), json!(scope));
        }
        fields
    });
    json!({
        "issuer": forecast.issuer,
        "sha256": forecast.certificates.first(),
        "certificates": forecast.certificates,
        "scopes": scopes.collect::<Vec<_>>(),
        "others": rejection_of(&forecast.others).map(Rejection::detail),
    })
}

fn status_json(status: &CertificateStatus) -> Value {
    match status {
        CertificateStatus::Good(list) => json!({
            "number": number(list),
            "cleared_until": list.next_update(),
            "refused": null,
        }),
        CertificateStatus::Answered(status) => json!({
            "cleared_until": status.until(),
            "refused": null,
        }),
        CertificateStatus::Unknown(rejection) => json!({
            "cleared_until": null,
            "refused": rejection.detail(),
            "explanation": rejection.explanation(),
        }),
    }
}

fn issuer_lines(forecast: &IssuerForecast) -> Vec<String> {
    let name = &forecast.issuer;
    let rest = rejection_of(&forecast.others).map(|rejection| {
        let what = match forecast.scopes.as_slice() {
            [] => format!("everything that {name} issued is"),
            _ => format!("what else {name} issued is"),
        };
        refused(&what, rejection)
    });
    let scopes = forecast.scopes.iter().map(|(scope, status)| {
        let what = format!("{scope} of {name} are");
        match status {
            CertificateStatus::Good(list) => {
                let until = list.next_update().map(|until| until.to_string());
                format!(
                    "{what} cleared by {} until {}",
                    crls::name(list),
                    until.unwrap_or_default()
                )
            }
            CertificateStatus::Answered(status) => format!("{what} cleared by {status}"),
            CertificateStatus::Unknown(rejection) => refused(&what, rejection),
        }
    });
    scopes.chain(rest).collect()
}

fn refused(what: &str, rejection: &Rejection) -> String {
    format!(
        "{what} refused with {} (soft lets it in){}",
        rejection.detail(),
        particulars(rejection)
    )
}

fn rejection_of(status: &CertificateStatus) -> Option<&Rejection> {
    match status {
        CertificateStatus::Good(_) | CertificateStatus::Answered(_) => None,
        CertificateStatus::Unknown(rejection) => Some(rejection),
    }
}
