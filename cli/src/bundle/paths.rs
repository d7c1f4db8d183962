//! Trust anchors and intermediates below which clients can be accepted, as text and as JSON.

use alb_mtls_trust::{InspectedAuthority, Inspection, Role};
use alb_mtls_verifier::{CertificateSummary, Reason, Rejection};
use serde_json::{Value, json};

/// Authorities below which no client can be accepted, now or later, with the rejection that each
/// will meet.
pub(crate) fn errors(inspection: &Inspection) -> impl Iterator<Item = (&InspectedAuthority, &Rejection)> {
    inspection
        .authorities
        .iter()
        .filter(|authority| !authority.is_early())
        .filter_map(|authority| Some((authority, authority.paths.as_ref().err()?)))
}

/// Subjects of the configured intermediates below the trust anchor of this authority.
pub(crate) fn subjects_below(inspection: &Inspection, anchor: &InspectedAuthority) -> Vec<String> {
    let leads = |authority: &&InspectedAuthority| {
        let mut paths = authority.paths.iter().flatten();
        paths.any(|path| path.anchor.id() == anchor.certificate.id())
    };
    let below = inspection.authorities.iter().filter(leads);
    below
        .map(|authority| authority.certificate.subject().to_string())
        .collect()
}

/// Returns one line about an authority below which no client can be accepted.
pub(crate) fn error_line(authority: &InspectedAuthority, rejection: &Rejection) -> String {
    let place = format!(
        "entry {} of `{}` ({})",
        authority.entry,
        authority.origin,
        authority.certificate.subject()
    );
    let (detail, meaning) = (rejection.detail(), rejection.reason().meaning());
    let explanation = particulars(rejection);
    let remedy = remedy(authority, rejection);
    format!("{place}: every client below it is refused with {detail}: {meaning}{explanation}; {remedy}")
}

/// Particulars of a rejection behind a colon, if there are any.
pub(crate) fn particulars(rejection: &Rejection) -> String {
    let context = rejection.context();
    match (rejection.explanation(), context.field.or(context.found)) {
        (Some(explanation), _) => format!(": {explanation}"),
        (None, Some(_)) => format!(": {context}"),
        (None, None) => String::new(),
    }
}

/// Returns an authority as JSON.
pub(crate) fn authority_json(authority: &InspectedAuthority) -> Value {
    let (paths, rejection) = match &authority.paths {
        Ok(paths) => (paths.as_slice(), None),
        Err(rejection) => (&[][..], Some(rejection)),
    };
    json!({
        "origin": authority.origin,
        "entry": authority.entry,
        "role": authority.role.as_str(),
        "subject": authority.certificate.subject().to_string(),
        "sha256": authority.certificate.id(),
        "anchors": paths.iter().map(|path| path.anchor.id()).collect::<Vec<_>>(),
        "refused": rejection.map(|rejection| json!({
            "code": rejection.code(),
            "detail": rejection.detail(),
            "meaning": rejection.reason().meaning(),
            "explanation": rejection.explanation(),
            "certificate": if rejection.certificate() == Some(0) { "itself" } else { "above" },
            "remedy": remedy(authority, rejection),
        })),
    })
}

/// Returns advice for the operator: the remedies of the reasons speak of a client.
fn remedy(authority: &InspectedAuthority, rejection: &Rejection) -> String {
    let summary = CertificateSummary::read(authority.certificate.certificate());
    let issuer = summary
        .and_then(|summary| summary.issuer)
        .map_or_else(|| "its issuer".to_owned(), |issuer| issuer.to_string());
    match rejection.reason() {
        Reason::SelfSigned => {
            "it is a root: list it among the trust anchors if its clients are meant, or take it out"
                .to_owned()
        }
        Reason::IssuerUnknown => {
            "add the missing CA to the trust anchors if its clients are meant, or take this certificate out"
                .to_owned()
        }
        Reason::SignatureInvalid | Reason::IssuerKeyMismatch if rejection.certificate() == Some(0) => {
            format!(
                "it was not issued with the key of the CA named {issuer} here, as after a renewal with a new key: add the \
             certificate of that CA with the former key, or issue this one again"
            )
        }
        Reason::Expired => "renew it, or take it out".to_owned(),
        Reason::ChainTooDeep => {
            "raise MTLS_MAX_DEPTH (--max-depth), or make an intermediate a trust anchor".to_owned()
        }
        Reason::ExtendedKeyUsage => {
            "have its certificate issued with clientAuth, or without an extended key usage".to_owned()
        }
        reason => match authority.role {
            Role::Intermediates if reason == Reason::Revoked => {
                "take it out: its issuer revoked it".to_owned()
            }
            _ => reason.remedy().to_owned(),
        },
    }
}
