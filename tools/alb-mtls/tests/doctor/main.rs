//! `alb-mtls doctor`: silent where all is well, and loud on each fault that is planted.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[expect(dead_code, clippy::expect_used, reason = "nothing here needs openssl")]
#[path = "../common/mod.rs"]
mod common;
mod live;
mod stack;
mod template;

use std::path::{Path, PathBuf};
use std::process::Output;

use common::{alb_mtls, stderr};
use serde_json::Value;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn doctor(arguments: &[&str], path: &Path) -> Output {
    let mut all = vec!["doctor", path.to_str().unwrap()];
    all.extend_from_slice(arguments);
    alb_mtls(&all)
}

fn found(output: &Output) -> Vec<(String, String)> {
    assert_ne!(output.status.code(), Some(2), "{}", stderr(output));
    let report: Value = serde_json::from_str(&stdout(output)).unwrap();
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(!findings.is_empty())));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for finding in findings {
        for field in ["what", "risk", "fix"] {
            assert!(text(&finding[field]).len() > 10, "{finding}");
        }
    }
    findings
        .iter()
        .map(|finding| (text(&finding["check"]), text(&finding["resource"])))
        .collect()
}
