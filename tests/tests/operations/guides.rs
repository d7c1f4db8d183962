//! The guides in `docs/`: their commands run. `dev/docs_check.py` checks marks and links.

use std::path::{Path, PathBuf};
use std::process::Command;

use alb_mtls_tests::{Clients, binary, project};
use test_pki::chain_pem;

/// Returns the pages in `docs/`.
pub(crate) fn guides() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project().join("docs")).unwrap();
    let mut guides: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    guides.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    guides.sort();
    assert!(guides.len() >= 8, "{guides:?}");
    guides
}

/// Returns the blocks of a guide that are marked to be run, in order, as one script.
pub(crate) fn script(text: &str) -> String {
    let blocks = text.split("<!-- run").skip(1).map(|after| {
        let (_, block) = after.split_once("```sh\n").unwrap();
        block.split_once("```").unwrap().0
    });
    blocks.collect::<Vec<_>>().join("\n")
}

/// Runs a script in a folder, with our command line and these folders on the path.
pub(crate) fn run(
    script: &str,
    folder: &Path,
    programs: &[PathBuf],
    variables: &[(String, String)],
) -> (bool, String) {
    let command_line = binary("alb-mtls");
    let mut path = vec![command_line.parent().unwrap().to_owned()];
    path.extend_from_slice(programs);
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &format!("exec 2>&1; {script}")])
        .env("PATH", std::env::join_paths(path).unwrap())
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(folder)
        .output()
        .unwrap();
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[test]
fn the_commands_of_each_guide_do_what_it_says() {
    let mut run_guides = Vec::new();
    for guide in guides() {
        let name = guide.file_stem().unwrap().to_str().unwrap().to_owned();
        let script = script(&std::fs::read_to_string(&guide).unwrap());
        // These have a test of their own.
        if script.is_empty() || ["deny-list", "your-ca"].contains(&name.as_str()) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let (succeeded, output) = run(&script, folder.path(), &[], &[]);
        assert!(succeeded, "{}:\n{output}", guide.display());
        run_guides.push(name);
    }
    assert_eq!(run_guides, ["from-zero", "operations", "rotation"]);
}

#[test]
fn a_guide_whose_command_fails_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (succeeded, output) = run("alb-mtls bundle lint nowhere.pem\ntrue", folder.path(), &[], &[]);
    assert!(!succeeded && output.contains("nowhere.pem"), "{output}");
}

/// Prepares the files that readers have at the start of a guide.
fn prepare(folder: &Path) {
    for name in ["template.yaml", "deploy"] {
        std::os::unix::fs::symlink(project().join(name), folder.join(name)).unwrap();
    }
    for (name, clients) in [("old", Clients::of("Old")), ("new", Clients::of("New"))] {
        std::fs::write(folder.join(format!("{name}-root.pem")), clients.root.pem()).unwrap();
        let chain = chain_pem([&clients.good, &clients.issuing]);
        std::fs::write(folder.join(format!("{name}-client.pem")), chain).unwrap();
    }
}

#[test]
fn every_alarm_of_the_template_has_a_first_look() {
    let template = std::fs::read_to_string(project().join("deploy/sam/observability.yaml")).unwrap();
    let operations = std::fs::read_to_string(project().join("docs/operations.md")).unwrap();
    let lines: Vec<&str> = template.lines().collect();
    let mut alarms = 0;
    for pair in lines.windows(2) {
        let [name, kind] = pair else { continue };
        if kind.trim() == "Type: AWS::CloudWatch::Alarm" {
            let name = name.trim().trim_end_matches(':');
            assert!(operations.contains(&format!("`{name}`")), "{name}");
            alarms += 1;
        }
    }
    assert!(alarms >= 10, "only {alarms} alarms");
}
