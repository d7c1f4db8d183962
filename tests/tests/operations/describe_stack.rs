//! `tools/describe-stack` and the doctor on what it saves, with a stand-in for the AWS command line.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use alb_mtls_tests::{binary, project};

/// Runs the script with our `aws` first on the path.
fn describe(tools: &Path, folder: &Path) -> Output {
    let path = std::env::var("PATH").unwrap();
    Command::new(project().join("tools/describe-stack"))
        .arg("gate")
        .arg(folder)
        .env("PATH", format!("{}:{path}", tools.display()))
        .output()
        .unwrap()
}

fn doctor(folder: &Path) -> (Option<i32>, String) {
    let output = Command::new(binary("alb-mtls"))
        .arg("doctor")
        .arg(folder)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn the_doctor_reads_all_that_the_script_saves() {
    let tools = tempfile::tempdir().unwrap();
    let aws = tools.path().join("aws");
    std::fs::copy(project().join("tests/tests/operations/aws.py"), &aws).unwrap();
    std::fs::set_permissions(&aws, std::fs::Permissions::from_mode(0o755)).unwrap();
    let stack = tempfile::tempdir().unwrap();
    let output = describe(tools.path(), stack.path());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let (code, text) = doctor(stack.path());
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("looked at 2 listeners, 1 target group and 1 function"),
        "{text}"
    );

    let listeners = stack.path().join("listeners-50dc6c495c0c9188.json");
    let found = std::fs::read_to_string(&listeners).unwrap();
    std::fs::write(&listeners, found.replace("passthrough", "off")).unwrap();
    let (code, text) = doctor(stack.path());
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("listener-without-mutual-tls"), "{text}");

    // A second stack in the same folder would be taken for one with the first.
    assert_eq!(describe(tools.path(), stack.path()).status.code(), Some(2));
}
