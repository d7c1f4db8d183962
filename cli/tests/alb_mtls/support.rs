//! Runs the built command line, and openssl beside it.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::process::{Command, Output};

pub(crate) fn alb_mtls(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_alb-mtls"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Returns the output of a run that ends with 0.
pub(crate) fn alb_mtls_ok(arguments: &[&str]) -> String {
    let output = alb_mtls(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the one line on stderr, after it ended with 2 and wrote nothing else.
pub(crate) fn alb_mtls_error(arguments: &[&str]) -> String {
    let output = alb_mtls(arguments);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{arguments:?}");
    assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
    text.trim_end().to_owned()
}

pub(crate) fn openssl(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("openssl");
    command
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("openssl must be installed")
}

pub(crate) fn openssl_ok(directory: &Path, arguments: &[&str]) -> String {
    let output = openssl(directory, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
