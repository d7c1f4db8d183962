//! What is known of trust anchors, for people and for machines.

use std::fmt::Write;

use alb_mtls_trust::{Inspection, Revision, Role, Severity, SourceError, SourceRecord, Warning};
use alb_mtls_verifier::TrustAnchor;
use serde_json::{Value, json};

use super::crls::{StrictVerdict, crl_json, crl_line};

/// One line on one anchor.
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

/// One anchor for machines.
pub(crate) fn anchor_json(anchor: &TrustAnchor) -> Value {
    json!({
        "subject": anchor.subject().to_string(),
        "key": anchor.public_key().to_string(),
        "not_before": anchor.validity().not_before,
        "not_after": anchor.validity().not_after,
        "sha256": anchor.id(),
    })
}

/// Everything that was found, with the problems last, where one sees them.
pub(crate) fn inspection_text(inspection: &Inspection, verdicts: &[StrictVerdict<'_>]) -> String {
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
    for anchor in &inspection.anchors {
        let _ = writeln!(text, "anchor: {}", anchor_line(anchor));
    }
    for crl in &inspection.crls {
        let _ = writeln!(text, "crl: {}", crl_line(crl));
    }
    for line in verdicts.iter().flat_map(StrictVerdict::lines) {
        let _ = writeln!(text, "strict: {line}");
    }
    for warning in &inspection.warnings {
        let _ = writeln!(text, "{}: {warning}", severity_word(warning));
    }
    for problem in &inspection.problems {
        let _ = writeln!(text, "error: {problem}");
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
        inspection.problems.len(),
        warnings(Severity::Warning),
        warnings(Severity::Notice)
    );
    text
}

/// The same for machines.
pub(crate) fn inspection_json(inspection: &Inspection, verdicts: &[StrictVerdict<'_>]) -> Value {
    json!({
        "sources": inspection.sources.iter().map(source_json).collect::<Vec<_>>(),
        "anchors": inspection.anchors.iter().map(anchor_json).collect::<Vec<_>>(),
        "crls": inspection.crls.iter().map(crl_json).collect::<Vec<_>>(),
        "strict": verdicts.iter().map(StrictVerdict::json).collect::<Vec<_>>(),
        "errors": inspection.problems.iter().map(problem_json).collect::<Vec<_>>(),
        "warnings": inspection.warnings.iter().map(warning_json).collect::<Vec<_>>(),
    })
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
        "readable": problem.problem.is_refusal(),
        "message": problem.problem.to_string(),
    })
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
