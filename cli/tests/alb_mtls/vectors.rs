//! `alb-mtls vectors`: verdicts on the project's own cases.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{alb_mtls, alb_mtls_error, alb_mtls_ok};
use serde_json::{Value, json};
use tempfile::TempDir;

fn corpus() -> Vec<PathBuf> {
    fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

#[test]
fn every_case_gets_its_verdict_reason_and_subject() {
    let mut judged = 0;
    for path in corpus() {
        let cases = lines(&fs::read_to_string(&path).unwrap());
        let verdicts = lines(&alb_mtls_ok(&["vectors", path.to_str().unwrap(), "--json"]));
        assert_eq!(verdicts.len(), cases.len());
        for (case, verdict) in cases.iter().zip(&verdicts) {
            let empty = json!("");
            let of_case = |field: &str| case.get(field).unwrap_or(&empty);
            assert_eq!(verdict["id"], case["id"]);
            assert_eq!(verdict["verdict"], case["expected"], "{verdict}");
            assert_eq!(verdict["detail"], *of_case("detail"), "{verdict}");
            assert_eq!(
                verdict.get("subject").unwrap_or(&empty),
                of_case("subject"),
                "{verdict}"
            );
            judged += 1;
        }
    }
    assert!(judged > 200, "only {judged}");
}

#[test]
fn plain_anchors_need_not_be_ca_certificates() {
    let rules = corpus().into_iter().find(|path| path.ends_with("rules.jsonl"));
    let rules = rules.unwrap();
    let rules = rules.to_str().unwrap();
    let verdicts = |arguments: &[&str]| lines(&alb_mtls_ok(arguments));
    let usual = verdicts(&["vectors", rules, "--json"]);
    let plain = verdicts(&["vectors", rules, "--json", "--plain-anchors"]);
    let unusable = |verdict: &&Value| verdict["detail"] == "no_usable_anchor";
    let changed: Vec<_> = usual
        .iter()
        .zip(&plain)
        .filter(|(usual, plain)| usual != plain)
        .collect();
    assert!(!changed.is_empty());
    for (usual, plain) in changed {
        let detail = usual["detail"].as_str().unwrap();
        assert!(
            detail == "no_usable_anchor" || detail.starts_with("anchor_"),
            "{usual} {plain}"
        );
    }
    assert!(plain.iter().filter(unusable).count() < usual.iter().filter(unusable).count());
}

#[test]
fn wrong_input_is_one_line() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("broken.jsonl");
    fs::write(&path, "{\"id\": \"x\"}\n").unwrap();
    let error = alb_mtls_error(&["vectors", path.to_str().unwrap()]);
    assert!(
        error.contains("line 1 is not a case: missing field `trusted`"),
        "{error}"
    );
    let error = alb_mtls_error(&["vectors", "/nowhere.jsonl"]);
    assert!(error.contains("cannot read `/nowhere.jsonl`"), "{error}");
    assert_eq!(alb_mtls(&["vectors"]).status.code(), Some(2));
}
