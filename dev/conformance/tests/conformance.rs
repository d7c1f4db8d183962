//! The project's own cases, and the report on suites of others.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    command.args(arguments).output().unwrap()
}

/// Returns the output of a run that ends with 0.
fn run_ok(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the one line on stderr, after it ended with 2.
fn run_error(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    files.sort();
    files
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

#[test]
fn the_committed_files_are_what_the_command_makes() {
    let made = TempDir::new().unwrap();
    run_ok(&["generate", "--dir", made.path().to_str().unwrap()]);
    let names = |folder: &Path| -> Vec<String> {
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        files(folder).iter().map(name).collect()
    };
    assert_eq!(names(made.path()), names(&corpus()));
    for path in files(made.path()) {
        let committed = corpus().join(path.file_name().unwrap());
        assert!(
            fs::read(&path).unwrap() == fs::read(&committed).unwrap(),
            "{} is not what `conformance generate` makes",
            committed.display()
        );
    }
}

#[test]
fn every_id_is_unique() {
    let mut ids: Vec<String> = files(&corpus())
        .iter()
        .flat_map(|path| lines(&fs::read_to_string(path).unwrap()))
        .map(|case| case["id"].as_str().unwrap().to_owned())
        .collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

/// A folder with one suite of one accepted and one refused case, changed by `change`.
fn suite(change: impl Fn(&mut Vec<Value>)) -> TempDir {
    let paths = fs::read_to_string(corpus().join("paths.jsonl")).unwrap();
    let mut cases = lines(&paths);
    cases.retain(|case| case["id"] == "paths/direct" || case["id"] == "paths/impostor");
    change(&mut cases);
    let folder = TempDir::new().unwrap();
    let text: String = cases.iter().map(|case| format!("{case}\n")).collect();
    fs::write(folder.path().join("suite.jsonl"), text).unwrap();
    fs::write(
        folder.path().join("others.jsonl"),
        "{\"id\": \"something else\"}\n",
    )
    .unwrap();
    folder
}

/// Returns the exit code and output of a run with these exceptions.
fn conformance(folder: &TempDir, exceptions: &Value) -> (Option<i32>, String) {
    let file = folder.path().join("exceptions.json");
    fs::write(&file, exceptions.to_string()).unwrap();
    let output = run(&[
        "run",
        folder.path().to_str().unwrap(),
        "--exceptions",
        file.to_str().unwrap(),
    ]);
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

fn exception(stricter: &str) -> Value {
    json!([{"id": "paths/*", "stricter": stricter, "why": "a test"}])
}

#[test]
fn a_suite_that_agrees_is_done() {
    let (code, output) = conformance(&suite(|_| {}), &json!([]));
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("not a file of cases"), "{output}");
}

#[test]
fn an_unlisted_disagreement_fails() {
    let stricter = suite(|cases| cases[1]["expected"] = json!("accept"));
    let (code, output) = conformance(&stricter, &json!([]));
    assert_eq!(code, Some(1));
    assert!(
        output.contains("UNEXPECTED stricter (Must): paths/impostor: signature_invalid"),
        "{output}"
    );
}

#[test]
fn a_listed_disagreement_passes_for_the_side_that_is_listed() {
    let stricter = || {
        suite(|cases| {
            cases.remove(0);
            cases[0]["expected"] = json!("accept");
        })
    };
    assert_eq!(conformance(&stricter(), &exception("verifier")).0, Some(0));
    assert_eq!(conformance(&stricter(), &exception("suite")).0, Some(1));
}

#[test]
fn a_listed_disagreement_that_is_none_fails() {
    let (code, output) = conformance(&suite(|_| {}), &exception("verifier"));
    assert_eq!(code, Some(1));
    assert!(output.contains("UNEXPECTED agreement"), "{output}");
}

#[test]
fn what_must_be_refused_has_no_exceptions() {
    let accepted = |tier: &'static str| {
        suite(move |cases| {
            cases.truncate(1);
            cases[0]["expected"] = json!("reject");
            cases[0]["tier"] = json!(tier);
        })
    };
    let (code, output) = conformance(&accepted("must"), &exception("suite"));
    assert_eq!(code, Some(1));
    assert!(output.contains("UNEXPECTED wrongly accepted"), "{output}");
    assert_eq!(conformance(&accepted("advisory"), &exception("suite")).0, Some(0));
}

#[test]
fn refusal_for_another_reason_is_a_disagreement() {
    let other = |change: fn(&mut Value)| suite(move |cases| change(&mut cases[1]));
    let detail = other(|case| case["detail"] = json!("expired"));
    let (code, output) = conformance(&detail, &json!([]));
    assert_eq!(code, Some(1));
    assert!(
        output.contains("UNEXPECTED other reason (Must): paths/impostor: signature_invalid, not expired"),
        "{output}"
    );
    let family = |id: &'static str| {
        suite(move |cases| {
            cases.remove(0);
            cases[0]["detail"] = json!("");
            cases[0]["id"] = json!(id);
        })
    };
    let (code, output) = conformance(&family("pkits/4.2.1"), &json!([]));
    assert_eq!(code, Some(1));
    assert!(output.contains("signature_invalid, not Validity"), "{output}");
    assert_eq!(conformance(&family("pkits/4.1.3"), &json!([])).0, Some(0));
    let listed = json!([{"id": "pkits/*", "stricter": "neither", "why": "a test"}]);
    assert_eq!(conformance(&family("pkits/4.2.1"), &listed).0, Some(0));
    assert_eq!(conformance(&family("pkits/4.1.3"), &listed).0, Some(1));
    let (code, output) = conformance(&family("other/1"), &json!([]));
    assert_eq!(code, Some(0));
    assert!(
        output.contains("no family of reasons is known for other/1"),
        "{output}"
    );
}

#[test]
fn folder_without_cases_is_unusable() {
    let empty = TempDir::new().unwrap();
    let error = run_error(&["run", empty.path().to_str().unwrap()]);
    assert!(error.contains("does not contain a file of cases"), "{error}");
    assert_eq!(run(&["run"]).status.code(), Some(2));
}
