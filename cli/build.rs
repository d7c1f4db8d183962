//! Sets the version that `alb-mtls --version` prints: the version of the package, and the commit
//! where one is known.

use std::path::Path;
use std::process::Command;

/// Names the commit where the sources are built without their repository.
const COMMIT: &str = "ALB_MTLS_COMMIT";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={COMMIT}");
    let version = env!("CARGO_PKG_VERSION");
    let given = std::env::var(COMMIT).ok().filter(|commit| !commit.is_empty());
    let version = match given.or_else(commit_of_repository) {
        Some(commit) => format!("{version} ({commit})"),
        None => version.to_owned(),
    };
    println!("cargo::rustc-env=ALB_MTLS_VERSION={version}");
}

/// Returns the commit that is checked out, if the sources lie in a repository of their own. The
/// sources of a package can lie in the repository of another project, whose commit says nothing.
fn commit_of_repository() -> Option<String> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != project.canonicalize().ok()? {
        return None;
    }
    // The log has a line for each commit, also where HEAD names a branch.
    let log = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
