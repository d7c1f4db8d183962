//! Every example of every `--help` runs as it stands, in a folder with the files that it names.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::local::FUNCTION;
use crate::support::alb_mtls_ok;

/// Examples that need what this folder cannot have, and the test that runs the same elsewhere.
const ELSEWHERE: &[(&str, &str)] = &[
    ("alb-mtls bundle lint 'ssm:", "cli/tests/alb_mtls/bundle.rs"),
    (
        "alb-mtls bundle lint root.pem --intermediates issuing.pem --crls s3:",
        "cli/tests/alb_mtls/bundle.rs",
    ),
    ("alb-mtls bundle publish", "cli/tests/alb_mtls/bundle.rs"),
    ("alb-mtls authorize", "tests/tests/authorize/command_line.rs"),
    ("alb-mtls doctor cdk.out/", "tests/tests/cdk.rs"),
    ("terraform show -json plan.out", "tests/tests/terraform/doctor.rs"),
    ("alb-mtls doctor --stack", "cli/tests/alb_mtls/doctor/live.rs"),
    (
        "alb-mtls doctor --load-balancer",
        "cli/tests/alb_mtls/doctor/live.rs",
    ),
    ("alb-mtls deny", "cli/tests/alb_mtls/deny.rs"),
    ("alb-mtls probe", "tests/tests/operations/probe.rs"),
];

/// Examples that do not end with 0: a denied request, and a report about what is left out on
/// purpose.
const OTHER_EXITS: &[(&str, i32)] = &[
    (
        "alb-mtls policy check deploy/policies/path-by-role.cedar --pem",
        1,
    ),
    // At a time before the demo's certificates are valid.
    (
        "alb-mtls verify --anchors anchors.pem --header header.txt --at",
        1,
    ),
    ("alb-mtls doctor template.yaml --accept", 3),
];

/// Answer of `kubectl get`: a gate behind a load balancer of the AWS Load Balancer Controller.
const MANIFESTS: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: gate}
spec:
  selector: {matchLabels: {app: gate}}
  template:
    metadata: {labels: {app: gate}}
    spec:
      containers:
        - name: gate
          image: registry.example.org/gate:1
          ports: [{containerPort: 8080, name: http}]
          env:
            - {name: MTLS_ANCHORS, value: "file:/etc/alb-mtls/anchors.pem"}
            - {name: MTLS_HEADER, value: x-7f3a}
---
apiVersion: v1
kind: Service
metadata: {name: gate}
spec:
  selector: {app: gate}
  ports: [{port: 80, targetPort: http, name: http}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: gate
  annotations:
    alb.ingress.kubernetes.io/listen-ports: '[{"HTTPS": 443}]'
    alb.ingress.kubernetes.io/mutual-authentication: '[{"port": 443, "mode": "passthrough"}]'
    alb.ingress.kubernetes.io/listener-attributes.HTTPS-443: routing.http.request.x_amzn_mtls_clientcert.header_name=x-7f3a
    alb.ingress.kubernetes.io/load-balancer-attributes: routing.http.drop_invalid_header_fields.enabled=true
spec:
  ingressClassName: alb
  defaultBackend: {service: {name: gate, port: {name: http}}}
"#;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the examples of all pages of help, with continued lines joined.
fn examples() -> Vec<String> {
    let page = alb_mtls_ok(&["generate", "page"]);
    let mut examples: Vec<String> = Vec::new();
    let mut is_example = false;
    let mut is_continued = false;
    for line in page.lines() {
        if line.starts_with("Examples") {
            is_example = true;
        } else if line.is_empty() || line == "```" {
            is_example = false;
        } else if is_example {
            let text = line.trim();
            if is_continued {
                let last = examples.last_mut().unwrap();
                last.push(' ');
                last.push_str(text.trim_end_matches('\\').trim_end());
            } else if line.starts_with("  ") && !line.starts_with("   ") {
                examples.push(text.trim_end_matches('\\').trim_end().to_owned());
            }
            is_continued = text.ends_with('\\');
        }
    }
    examples
}

/// Makes the folder in which the examples run.
fn folder() -> TempDir {
    // On the file system of the built programs, for a hard link to one.
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path();
    for name in ["deploy", "vectors", "template.yaml"] {
        symlink(project().join(name), path.join(name)).unwrap();
    }
    fs::create_dir_all(path.join("target/debug")).unwrap();
    // `respond` is looked for next to the program.
    fs::hard_link(env!("CARGO_BIN_EXE_alb-mtls"), path.join("target/debug/alb-mtls")).unwrap();
    let record = r#"{"timestamp":"2026-11-22T06:38:43Z","level":"INFO","message":"decision","decision":"allowed","mode":"enforce","client":null,"trust_version":"v1","method":"GET","path":"/","duration_us":1}"#;
    for (name, text) in [
        ("target/debug/respond", FUNCTION.to_owned()),
        (
            "target/debug/kubectl",
            "#!/bin/sh\nexec cat manifests.yaml\n".to_owned(),
        ),
        (
            "target/debug/aws",
            "#!/bin/sh\ntest \"$1\" = logs && exec cat export.log\n".to_owned(),
        ),
        (
            "target/debug/pbpaste",
            "#!/bin/sh\nexec cat header.txt\n".to_owned(),
        ),
        ("manifests.yaml", MANIFESTS.to_owned()),
        ("export.log", format!("{record}\n")),
    ] {
        fs::write(path.join(name), text).unwrap();
        fs::set_permissions(path.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let (status, output) = run(
        path,
        "alb-mtls pki init
        for copy in anchors.pem:anchors.pem client-root.pem:root.pem issuing-ca.pem:issuing.pem good.pem:client.pem; do
            cp .demo/${copy%%:*} ${copy##*:}
        done
        cp vectors/headers.jsonl suite.jsonl
        alb-mtls event --pem .demo/good.pem > event.json
        sed -n 's/.*\"\\(-----BEGIN[^\"]*\\)\".*/\\1/p' event.json > header.txt
        mkdir -p export/a && gzip -c export.log > export/a/b.gz",
    );
    assert_eq!(status, Some(0), "{output}");
    folder
}

/// Returns a shell with the command, in the folder, with its programs first.
fn shell(folder: &Path, command: &str) -> Command {
    let mut path = vec![folder.join("target/debug")];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", &format!("exec 2>&1; {command}")])
        .env("PATH", std::env::join_paths(path).unwrap())
        .current_dir(folder);
    shell
}

/// Runs a command that serves, until it listens; it must end when it is told to.
fn serve(folder: &Path, command: &str) {
    let mut child = shell(folder, &format!("exec {command}"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen = Vec::new();
    for line in lines.map_while(Result::ok) {
        let listens = line.starts_with("listening on https://");
        seen.push(line);
        if listens {
            break;
        }
    }
    let listens = seen
        .last()
        .is_some_and(|line| line.starts_with("listening on https://"));
    let _ = Command::new("kill").arg(child.id().to_string()).status();
    let status = child.wait().unwrap();
    assert!(listens && status.success(), "{command}: {status}: {seen:?}");
}

/// Runs a command, and returns its exit code and output.
fn run(folder: &Path, command: &str) -> (Option<i32>, String) {
    let output = shell(folder, command).output().unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[test]
fn every_example_of_help_runs() {
    let examples = examples();
    assert!(examples.len() >= 30, "{examples:?}");
    let folder = folder();
    let mut run_here = 0;
    for example in &examples {
        if let Some((_, test)) = ELSEWHERE.iter().find(|(start, _)| example.starts_with(start)) {
            assert!(project().join(test).exists(), "{test}");
            continue;
        }
        run_here += 1;
        if let Some(arguments) = example.strip_prefix("alb-mtls local ") {
            // It serves until it is stopped; the port can be taken on this machine.
            serve(
                folder.path(),
                &format!("alb-mtls local --listen 127.0.0.1:0 {arguments}"),
            );
            continue;
        }
        let expected = OTHER_EXITS
            .iter()
            .find(|(start, _)| example.starts_with(start))
            .map_or(0, |(_, code)| *code);
        let (status, output) = run(folder.path(), example);
        assert_eq!(status, Some(expected), "{example}:\n{output}");
    }
    assert!(run_here >= 22, "{run_here} of {}", examples.len());
    for (start, _) in OTHER_EXITS {
        assert!(
            examples.iter().any(|example| example.starts_with(start)),
            "{start}"
        );
    }
}

#[test]
fn page_is_what_the_help_says() {
    let path = project().join("docs/reference/cli.md");
    let page = alb_mtls_ok(&["generate", "page"]);
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, page).unwrap();
        return;
    }
    assert!(
        fs::read_to_string(&path).unwrap() == page,
        "docs/reference/cli.md is not what `--help` says: `make readme` writes it"
    );
}
