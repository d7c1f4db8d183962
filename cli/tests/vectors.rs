//! `alb-mtls vectors`: the project's own cases, and how suites of others are reported.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

fn alb_mtls(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alb-mtls"));
    command.args(arguments).output().unwrap()
}

/// What it wrote, after it ended with 0.
fn alb_mtls_ok(arguments: &[&str]) -> String {
    let output = alb_mtls(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The one line on stderr, after it ended with 2.
fn alb_mtls_error(arguments: &[&str]) -> String {
    let output = alb_mtls(arguments);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors")
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
    alb_mtls_ok(&["vectors", "generate", "--dir", made.path().to_str().unwrap()]);
    let names = |folder: &Path| -> Vec<String> {
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        files(folder).iter().map(name).collect()
    };
    assert_eq!(names(made.path()), names(&corpus()));
    for path in files(made.path()) {
        let committed = corpus().join(path.file_name().unwrap());
        assert!(
            fs::read(&path).unwrap() == fs::read(&committed).unwrap(),
            "{} is not what `alb-mtls vectors generate` makes",
            committed.display()
        );
    }
}

#[test]
fn every_case_gets_its_verdict_reason_and_subject() {
    let mut judged = 0;
    for path in files(&corpus()) {
        let cases = lines(&fs::read_to_string(&path).unwrap());
        let file = path.to_str().unwrap();
        let verdicts = lines(&alb_mtls_ok(&["vectors", file, "--json"]));
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

/// Exit code and output of a run with these exceptions.
fn conformance(folder: &TempDir, exceptions: &Value) -> (Option<i32>, String) {
    let file = folder.path().join("exceptions.json");
    fs::write(&file, exceptions.to_string()).unwrap();
    let output = alb_mtls(&[
        "vectors",
        "--conformance",
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
    let empty = TempDir::new().unwrap();
    let error = alb_mtls_error(&["vectors", "--conformance", empty.path().to_str().unwrap()]);
    assert!(error.contains("holds no file of cases"), "{error}");
    assert_eq!(alb_mtls(&["vectors"]).status.code(), Some(2));
}
