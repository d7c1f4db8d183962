//! Helpers of the end-to-end tests: the built binaries, a PKI made for the test, and a function
//! with its logs.
//!
//! ```no_run
//! # async fn example() {
//! use alb_mtls_tests::{Clients, Function};
//!
//! let clients = Clients::new();
//! let function = Function::start("respond", [("MTLS_ANCHORS", clients.anchors_source())]).await;
//! let answer = function.get("/", &clients.good_headers()).await;
//! assert_eq!(answer.status, 200);
//! # }
//! ```

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod account;
pub mod api_events;
mod clients;
mod corpus;
mod function;
mod large_crl;
mod runtime_api;
mod server;
mod stack;
pub mod tokens;
pub mod upstream;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

pub use account::{Account, ScriptOutput, deployment_script, page_block};
pub use clients::{Clients, certificate_headers, client_headers, header_of, source};
pub use corpus::{IDENTITY_HEADERS, RESTATING_HEADERS, event_of, hostile_events, spellings, valid_event};
pub use function::{Answer, Function, TARGET_GROUP, event, respond};
pub use large_crl::{LARGE_CRL_ENTRY_BYTES, large_crl, large_crl_serials};
pub use runtime_api::{Next, PlannedApi, Sent, Taken};
pub use server::{RawAnswer, SECRET_HEADER, Server, exchange};
pub use stack::{FileServer, RunningStack, Stack};
pub use test_servers::{Fault, FaultProxy, Moto, ProxiedRequest};

/// Returns the built binary of a package, in the profile of the tests, as it is today.
pub fn binary(package: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    // The whole workspace, as `make test` builds it: a package by itself would have its
    // dependencies built again, with the features that it alone asks for.
    BUILT.get_or_init(|| {
        // `make test` has just done it, and each of the test programs would look again.
        if std::env::var_os("ALB_MTLS_BUILT").is_some() {
            return;
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(["build", "--quiet", "--workspace", "--all-targets"])
            .current_dir(project());
        assert!(
            command.status().expect("cargo starts").success(),
            "the workspace does not build"
        );
    });
    profile_directory().join(package)
}

/// Says that a test is left out because something is missing on this machine. In CI that is a
/// failure: `.ci/run` installs everything.
///
/// # Panics
/// When the variable `CI` is set.
pub fn leave_out(missing: &str) {
    assert!(std::env::var_os("CI").is_none(), "{missing}");
    eprintln!("left out: {missing}");
}

/// Returns the root of the project.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests are in a folder of the project")
}

/// `target/debug`: tests run from its `deps` folder.
fn profile_directory() -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    let deps = test.parent().expect("a program is in a folder");
    deps.parent().expect("tests are in `deps`").to_owned()
}
