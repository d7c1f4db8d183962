//! The gate in containers: the image, and what the manifests, the chart and the templates say,
//! with the built server started as they say. No cluster and no account is asked.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests"
)]

mod ecs;
mod gate;
mod helm;
mod image;
mod kubernetes;
mod monitoring;
mod services;

use std::io::Write;
use std::process::{Command, Stdio};

use alb_mtls_tests::project;
use serde_json::Value;

/// Returns the JSON that a Python program makes of its arguments and of standard input.
fn from_python(arguments: &[&str], input: &Value) -> Value {
    let mut process = Command::new(project().join(".venv/bin/python"))
        .arg("-B")
        .args(arguments)
        .current_dir(project())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = process.stdin.take().unwrap();
    // A program that does not read it may have ended.
    _ = stdin.write_all(input.to_string().as_bytes());
    drop(stdin);
    let output = process.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns the objects of a file of YAML.
fn objects(file: &str) -> Vec<Value> {
    let read = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let objects = from_python(&["-c", read, file], &Value::Null);
    serde_json::from_value(objects).unwrap()
}

/// Returns the only object of a kind.
fn of_kind<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let object = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "one {kind}");
    object
}

/// Returns the text of a value.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not text"))
}
