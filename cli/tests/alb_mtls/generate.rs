//! Completions, man pages, and what `--version` says.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{alb_mtls, alb_mtls_ok};

#[test]
fn version_names_the_commit_if_there_is_one() {
    let version = alb_mtls_ok(&["--version"]);
    let words: Vec<&str> = version.split_whitespace().collect();
    assert_eq!(
        words.get(..2),
        Some(["alb-mtls", env!("CARGO_PKG_VERSION")].as_slice())
    );
    if let Some(commit) = words.get(2) {
        let digits = commit.strip_prefix('(').unwrap().strip_suffix(')').unwrap();
        assert!(digits.len() >= 7 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}

#[test]
fn bash_completes_sub_commands_and_options() {
    let folder = TempDir::new().unwrap();
    let script = folder.path().join("alb-mtls.bash");
    fs::write(&script, alb_mtls_ok(&["generate", "completions", "bash"])).unwrap();
    for (words, expected) in [
        ("alb-mtls ver", "verify"),
        ("alb-mtls verify --anch", "--anchors"),
        ("alb-mtls bundle pub", "publish"),
    ] {
        let program = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _alb__mtls alb-mtls \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; echo \"${{COMPREPLY[@]}}\"",
            script.display()
        );
        let output = Command::new("bash").args(["-c", &program]).output().unwrap();
        let found = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            found.split_whitespace().any(|word| word == expected),
            "{words}: {found}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn other_shells_have_completions_and_unknown_ones_are_named() {
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(alb_mtls_ok(&["generate", "completions", shell]).contains("verify"));
    }
    let output = alb_mtls(&["generate", "completions", "csh"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`csh`") || !output.stderr.is_empty());
}

#[test]
fn each_sub_command_has_a_man_page() {
    let folder = TempDir::new().unwrap();
    let pages = folder.path().join("man");
    alb_mtls_ok(&["generate", "man", pages.to_str().unwrap()]);
    for name in [
        "alb-mtls",
        "alb-mtls-verify",
        "alb-mtls-bundle-lint",
        "alb-mtls-doctor",
    ] {
        let page = fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(".SH NAME"), "{name}");
    }
    assert!(!pages.join("alb-mtls-generate.1").exists());
}

#[test]
fn man_pages_in_a_folder_that_cannot_be_made_are_an_error() {
    let output = alb_mtls(&["generate", "man", "/proc/nowhere"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`/proc/nowhere`"));
}
