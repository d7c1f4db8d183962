//! `sam build` itself, with a stand-in for cargo-lambda, and a deployment of what it leaves.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use alb_mtls_tests::{Account, binary, project};

/// Functions, and the programs that they are built from.
const FUNCTIONS: [(&str, &str); 4] = [
    ("RespondFunction", "respond"),
    ("ForwardFunction", "forward"),
    ("AuthorizeFunction", "authorize"),
    ("RefreshCrlsFunction", "refresh-crls"),
];

/// Runs SAM in the project with `cargo_lambda.py` as cargo-lambda, and returns its success and its
/// output. The artefacts are in `built` of the folder.
fn sam_build(folder: &Path, template: &Path) -> (bool, String) {
    let commands = folder.join("commands");
    std::fs::create_dir_all(&commands).unwrap();
    let stub = commands.join("cargo-lambda");
    let (python, script) = (".venv/bin/python", "tests/simulator/cargo_lambda.py");
    let [python, script] = [python, script].map(|file| project().join(file));
    let script = format!(
        "#!/bin/sh\nexec {} -B {} \"$@\"\n",
        python.display(),
        script.display()
    );
    std::fs::write(&stub, script).unwrap();
    std::fs::set_permissions(&stub, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths([commands].into_iter().chain(std::env::split_paths(&path)));
    let output = Command::new("timeout")
        .args(["300".as_ref(), project().join(".venv/bin/sam").as_os_str()])
        .args(["build", "--base-dir"])
        .arg(project())
        .arg("--template")
        .arg(template)
        .arg("--build-dir")
        .arg(folder.join("built"))
        .current_dir(project())
        .env("PATH", path.unwrap())
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env("SIMULATOR_PROGRAMS", binary("respond").parent().unwrap())
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("SAM_CLI_TELEMETRY", "0")
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[test]
fn sam_build_leaves_each_function_and_the_layer_where_deploy_finds_them() {
    let folder = tempfile::tempdir().unwrap();
    let (is_success, text) = sam_build(folder.path(), &project().join("template.yaml"));
    assert!(is_success, "{text}");
    let built = folder.path().join("built");
    for (function, program) in FUNCTIONS {
        let bootstrap = built.join(function).join("bootstrap");
        let content =
            std::fs::read_to_string(&bootstrap).unwrap_or_else(|error| panic!("{function}: {error}"));
        assert!(content.contains(&format!("/{program} ")), "{function}: {content}");
        let mode = std::fs::metadata(&bootstrap).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{function}");
    }
    for file in ["alb-mtls", "bin/alb-mtls-layer"] {
        let mode = std::fs::metadata(built.join("GateLayer").join(file)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o111, 0o111, "{file}");
    }

    let account = Account::start();
    for example in ["layer", "rest-api"] {
        let deploy = format!(
            "sam deploy --config-file $PWD/samconfig.toml --config-env {example} --template-file built/template.yaml"
        );
        account.must_run(folder.path(), &deploy, &[]);
    }
}

#[test]
fn program_that_no_package_has_fails_the_build() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(project().join("template.yaml")).unwrap();
    let changed = text.replace("        Binary: forward\n", "        Binary: forwarder\n");
    assert_ne!(text, changed);
    std::os::unix::fs::symlink(project().join("deploy"), folder.path().join("deploy")).unwrap();
    let template = folder.path().join("template.yaml");
    std::fs::write(&template, changed).unwrap();
    let (is_success, text) = sam_build(folder.path(), &template);
    assert!(!is_success && text.contains("`forwarder`"), "{text}");
}
