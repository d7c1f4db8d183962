//! `alb-mtls doctor`: silent where all is well, and loud on each fault that is planted.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

mod elsewhere;
mod files;
mod live;
mod removal;
mod roles;
mod stack;
mod template;

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::{alb_mtls, stderr};
use serde_json::Value;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn doctor(arguments: &[&str], path: &Path) -> Output {
    let mut all = vec!["doctor", path.to_str().unwrap()];
    all.extend_from_slice(arguments);
    alb_mtls(&all)
}

/// Returns errors and warnings, with what they are about.
fn found(output: &Output) -> Vec<(String, String)> {
    let report = report(output);
    let findings = report["findings"].as_array().unwrap().iter();
    let findings = findings.filter(|finding| finding["severity"] != "advice");
    findings
        .map(|finding| (text(&finding["check"]), text(&finding["resource"])))
        .collect()
}

/// Returns what was not looked at, as `kind:subject`.
fn not_looked_at(output: &Output) -> Vec<String> {
    let report = report(output);
    let gaps = report["not_looked_at"].as_array().unwrap().iter();
    gaps.map(|gap| format!("{}:{}", text(&gap["kind"]), text(&gap["subject"])))
        .collect()
}

/// Returns the report, whose parts fit each other and the exit code.
fn report(output: &Output) -> Value {
    let report: Value = serde_json::from_str(&stdout(output)).unwrap();
    let findings = report["findings"].as_array().unwrap();
    for finding in findings {
        for field in ["what", "risk", "fix"] {
            assert!(text(&finding[field]).len() > 8, "{finding}");
        }
    }
    let gaps = report["not_looked_at"].as_array().unwrap();
    for gap in gaps {
        assert!(
            text(&gap["what"]).len() > 10 && text(&gap["remedy"]).len() > 10,
            "{gap}"
        );
    }
    let has_error = findings.iter().any(|finding| finding["severity"] == "error");
    let expected = match (has_error, gaps.is_empty()) {
        (true, _) => (1, "findings"),
        (_, true) => (0, "clean"),
        _ => (3, "not-looked-at"),
    };
    let actual = (output.status.code().unwrap(), text(&report["answer"]));
    assert_eq!(
        actual,
        (expected.0, expected.1.to_owned()),
        "{report} {}",
        stderr(output)
    );
    report
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
