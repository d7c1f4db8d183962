//! The report in the Static Analysis Results Interchange Format, version 2.1.0, which code scanning
//! takes.

use std::path::Path;

use serde_json::{Value, json};

use super::Entry;
use crate::doctor::facts::Unread;
use crate::doctor::rules::{GAPS, RULES, Severity};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

pub(super) fn write(findings: &[Entry], unread: &[Unread]) -> String {
    let mut rules: Vec<Value> = RULES
        .iter()
        .map(|rule| {
            let mut described = json!({
                "id": rule.id,
                "shortDescription": {"text": rule.what},
                "fullDescription": {"text": rule.why},
                "help": {"text": format!("{}. Source: {}", rule.fix, rule.source)},
                "defaultConfiguration": {"level": level(rule.severity)},
            });
            if rule.source.starts_with("https://")
                && let Some(members) = described.as_object_mut()
            {
                members.insert("helpUri".to_owned(), json!(rule.source));
            }
            described
        })
        .collect();
    rules.extend(GAPS.iter().map(|gap| {
        json!({
            "id": format!("not-looked-at/{}", gap.id),
            "shortDescription": {"text": format!("not looked at: {}", gap.what)},
            "defaultConfiguration": {"level": "warning"},
        })
    }));
    let found = findings.iter().map(|finding| {
        let when = match finding.when.as_slice() {
            [] => String::new(),
            when => format!(" (with {})", when.join(", ")),
        };
        let text = format!(
            "{}: {}{when}. {}. Fix: {}",
            finding.resource, finding.what, finding.risk, finding.fix
        );
        let level = level(finding.severity);
        let identity = format!("{}:{}:{}", finding.check, finding.resource, finding.what);
        result(
            finding.check,
            level,
            &text,
            &finding.file,
            finding.line,
            &identity,
        )
    });
    let missed = unread.iter().map(|gap| {
        let rule = format!("not-looked-at/{}", gap.kind);
        let text = format!("{}: {}. To read it: {}", gap.subject, gap.what, gap.remedy);
        let identity = format!("{rule}:{}", gap.subject);
        result(
            &rule,
            "warning",
            &text,
            &gap.place.file,
            gap.place.line,
            &identity,
        )
    });
    let results: Vec<Value> = found.chain(missed).collect();
    let driver = json!({
        "name": "alb-mtls doctor",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": rules,
    });
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log}\n")
}

/// Returns the log of a run that found nothing because it could not look.
pub(in crate::doctor) fn write_error(error: &str) -> String {
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "alb-mtls doctor", "semanticVersion": env!("CARGO_PKG_VERSION")}},
            "results": [],
            "invocations": [{
                "executionSuccessful": false,
                "toolExecutionNotifications": [{"level": "error", "message": {"text": error}}],
            }],
        }],
    });
    format!("{log}\n")
}

fn result(rule: &str, level: &str, text: &str, file: &str, line: usize, identity: &str) -> Value {
    json!({
        "ruleId": rule,
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(file)},
            "region": {"startLine": line.max(1)},
        }}],
        // A line that moves does not make another alert.
        "partialFingerprints": {"albMtlsDoctor/v1": identity},
    })
}

/// Returns a relative reference as it is, and an absolute path as a URI; a command of the AWS
/// command line is neither.
fn uri(file: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'.')
        .remove(b'-')
        .remove(b'_')
        .remove(b'~');
    let encoded = percent_encoding::utf8_percent_encode(file, KEPT);
    match Path::new(file).is_absolute() {
        true => format!("file://{encoded}"),
        false => encoded.to_string(),
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "note",
    }
}
