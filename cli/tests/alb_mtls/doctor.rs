//! `alb-mtls doctor`: silent where all is well, and loud on each fault that is planted.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "helpers of tests"
)]

mod cases;
mod containers;
mod elsewhere;
mod files;
mod live;
mod manifests;
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

/// Our template and those that are nested in it, as text.
#[derive(Clone, Debug)]
struct OurTemplates(Vec<(&'static str, String)>);

impl OurTemplates {
    const FILES: [&'static str; 5] = [
        "template.yaml",
        "deploy/sam/trust.yaml",
        "deploy/sam/load-balancer.yaml",
        "deploy/sam/api.yaml",
        "deploy/sam/observability.yaml",
    ];

    fn read() -> Self {
        let read = |file: &'static str| (file, std::fs::read_to_string(project().join(file)).unwrap());
        Self(Self::FILES.map(read).to_vec())
    }

    /// Replaces a part in the first template that has it, once.
    fn replaced(&self, before: &str, after: &str) -> Self {
        let mut changed = self.clone();
        let mut texts = changed.0.iter_mut().map(|(_, text)| text);
        let text = texts.find(|text| text.contains(before));
        let text = text.unwrap_or_else(|| panic!("no template has `{before}`"));
        *text = text.replacen(before, after, 1);
        changed
    }

    /// Writes the templates into a new folder, and returns the path of the outer one too.
    fn written(&self) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in &self.0 {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let outer = folder.path().join(Self::FILES[0]);
        (folder, outer)
    }

    /// Returns the checks that the templates fail, with what they are about.
    fn findings(&self) -> Vec<(String, String)> {
        let (_folder, path) = self.written();
        found(&doctor(&["--json"], &path))
    }
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
