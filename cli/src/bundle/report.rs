//! Trust anchors as text and as JSON.

use std::fmt::Write;

use alb_mtls_trust::{
    Inspection, Revision, Role, Severity, SourceError, SourceErrorKind, SourceRecord, Warning,
};
use alb_mtls_verifier::TrustAnchor;
use serde_json::{Value, json};

use super::crls::{crl_json, crl_line};
use super::{forecast, paths};

/// Returns one line about an anchor.
pub(crate) fn anchor_line(anchor: &TrustAnchor) -> String {
    let subject = anchor.subject().to_string();
    let subject = if subject.is_empty() {
        "(no subject)"
    } else {
        &subject
    };
    format!(
        "{subject}; {}; valid until {}; SHA-256 {}",
        anchor.public_key(),
        anchor.validity().not_after,
        anchor.id()
    )
}

/// Returns an anchor as JSON.
pub(crate) fn anchor_json(anchor: &TrustAnchor) -> Value {
    json!({
        "subject": anchor.subject().to_string(),
        "key": anchor.public_key().to_string(),
        "not_before": anchor.validity().not_before,
        "not_after": anchor.validity().not_after,
        "sha256": anchor.id(),
    })
}

/// Returns everything that was found, with the problems last, where one sees them.
pub(crate) fn inspection_text(inspection: &Inspection) -> String {
    let mut text = String::new();
    for record in &inspection.sources {
        // Writing to a string does not fail.
        let _ = match record.role {
            Role::RevocationLists => writeln!(text, "{}: {} CRLs", record.source, record.crls),
            _ => writeln!(text, "{}: {} certificates", record.source, record.certificates),
        };
        for document in &record.documents {
            let _ = writeln!(text, "  {}", document_line(document));
        }
    }
    write_authorities(&mut text, inspection);
    for crl in &inspection.crls {
        let _ = writeln!(text, "crl: {}", crl_line(crl));
    }
    for line in forecast::lines(inspection) {
        let _ = writeln!(text, "strict: {line}");
    }
    for warning in &inspection.warnings {
        let _ = writeln!(text, "{}: {warning}", severity_word(warning));
    }
    for problem in &inspection.errors {
        let _ = writeln!(text, "error: {problem}");
    }
    for (authority, rejection) in paths::errors(inspection) {
        let _ = writeln!(text, "error: {}", paths::error_line(authority, rejection));
    }
    let warnings = |severity| {
        let same = |warning: &&Warning| warning.severity() == severity;
        inspection.warnings.iter().filter(same).count()
    };
    let _ = write!(text, "{} trust anchors, ", inspection.anchors.len());
    if !inspection.crls.is_empty() {
        let _ = write!(text, "{} CRLs, ", inspection.crls.len());
    }
    let _ = writeln!(
        text,
        "{} errors, {} warnings, {} notices",
        inspection.errors.len() + paths::errors(inspection).count(),
        warnings(Severity::Warning),
        warnings(Severity::Notice)
    );
    text
}

/// Returns everything that was found as JSON.
pub(crate) fn inspection_json(inspection: &Inspection) -> Value {
    let uncleared = forecast::uncleared(inspection).map(|(authority, rejection)| {
        json!({
            "subject": authority.certificate.subject().to_string(),
            "sha256": authority.certificate.id(),
            "refused": rejection.detail(),
            "explanation": rejection.explanation(),
        })
    });
    let errors = inspection.errors.iter().map(problem_json);
    let errors = errors.chain(paths::errors(inspection).map(|(authority, rejection)| {
        json!({
            "origin": authority.origin,
            "readable": true,
            "entry": authority.entry,
            "subject": authority.certificate.subject().to_string(),
            "detail": rejection.detail(),
            "message": paths::error_line(authority, rejection),
        })
    }));
    json!({
        "sources": inspection.sources.iter().map(source_json).collect::<Vec<_>>(),
        "anchors": inspection.anchors.iter().map(anchor_json).collect::<Vec<_>>(),
        "crls": inspection.crls.iter().map(crl_json).collect::<Vec<_>>(),
        "authorities": inspection.authorities.iter().map(paths::authority_json).collect::<Vec<_>>(),
        "strict": inspection.forecasts.iter().map(forecast::issuer_json).collect::<Vec<_>>(),
        "uncleared": uncleared.collect::<Vec<_>>(),
        "errors": errors.collect::<Vec<_>>(),
        "warnings": inspection.warnings.iter().map(warning_json).collect::<Vec<_>>(),
    })
}

/// Writes trust anchors with the intermediates below them, then the intermediates that lead to one.
fn write_authorities(text: &mut String, inspection: &Inspection) {
    let with_intermediates = inspection
        .authorities
        .iter()
        .any(|authority| authority.role == Role::Intermediates);
    for anchor in &inspection.anchors {
        // Writing to a string does not fail.
        let _ = writeln!(text, "anchor: {}", anchor_line(anchor));
        let mut authorities = inspection.authorities.iter();
        let inspected = authorities
            .find(|one| one.role == Role::Anchors && one.certificate.id() == anchor.id())
            .filter(|_| with_intermediates);
        let Some(inspected) = inspected else { continue };
        let below = paths::subjects_below(inspection, inspected);
        if below.is_empty() {
            let _ = writeln!(text, "  no configured intermediate leads to it");
        }
        for subject in below {
            let _ = writeln!(text, "  from intermediate: {subject}");
        }
    }
}

fn source_json(record: &SourceRecord) -> Value {
    let document = |document: &Revision| {
        json!({
            "origin": document.origin,
            "target": document.target,
            "ssm_version": document.ssm_version,
            "s3_version_id": document.s3_version_id,
            "etag": document.etag,
            "sha256": document.sha256,
            "bytes": document.bytes,
        })
    };
    json!({
        "source": record.source.to_string(),
        "certificates": record.certificates,
        "crls": record.crls,
        "documents": record.documents.iter().map(document).collect::<Vec<_>>(),
    })
}

fn problem_json(problem: &SourceError) -> Value {
    json!({
        "source": problem.source,
        "origin": problem.origin,
        "readable": problem.is_refusal(),
        "entry": entry_of(&problem.kind),
        "subject": subject_of(&problem.kind),
        "message": problem.kind.to_string(),
    })
}

fn entry_of(problem: &SourceErrorKind) -> Option<usize> {
    match problem {
        SourceErrorKind::Authority { entry, .. } | SourceErrorKind::RevocationListSignature { entry, .. } => {
            Some(*entry)
        }
        SourceErrorKind::Bundle(error) => error.entry,
        SourceErrorKind::RevocationList(error) => error.entry,
        _ => None,
    }
}

fn subject_of(problem: &SourceErrorKind) -> Option<&str> {
    match problem {
        SourceErrorKind::Authority { subject, .. } => subject.as_deref(),
        SourceErrorKind::RevocationListSignature { issuer, .. } => Some(issuer),
        _ => None,
    }
}

fn warning_json(warning: &Warning) -> Value {
    json!({
        "severity": severity_word(warning),
        "kind": warning.kind(),
        "message": warning.to_string(),
    })
}

fn severity_word(warning: &Warning) -> &'static str {
    match warning.severity() {
        Severity::Notice => "notice",
        Severity::Warning => "warning",
    }
}

fn document_line(document: &Revision) -> String {
    let mut line = document.origin.clone();
    for (name, value) in [
        ("→", document.target.clone()),
        ("version", document.ssm_version.map(|version| version.to_string())),
        ("version id", document.s3_version_id.clone()),
        ("SHA-256", Some(document.sha256.to_string())),
    ] {
        if let Some(value) = value {
            let _ = write!(line, " {name} {value}");
        }
    }
    line
}
