//! The tables of the README are those of the code.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Write;

use alb_mtls_gate::{GATE_REASONS, VARIABLES};
use alb_mtls_tests::project;
use alb_mtls_verifier::Reason;

#[test]
fn the_tables_are_those_of_the_code() {
    let path = project().join("README.md");
    let written = std::fs::read_to_string(&path).unwrap();
    let expected = replace(&replace(&written, "settings", &settings()), "reasons", &reasons());
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, expected).unwrap();
        return;
    }
    assert!(
        written == expected,
        "the README's tables are not those of the code: `make readme` writes them"
    );
}

fn settings() -> String {
    let mut table = "| variable | default | meaning |\n| --- | --- | --- |\n".to_owned();
    for variable in VARIABLES {
        let default = match variable.default {
            word @ ("required" | "none" | "any") => word.to_owned(),
            value => format!("`{value}`"),
        };
        writeln!(
            table,
            "| `{}` | {default} | {} |",
            variable.name, variable.meaning
        )
        .unwrap();
    }
    table
}

fn reasons() -> String {
    let mut table =
        "| code | detail | status | what happened | what to do |\n| --- | --- | --- | --- | --- |\n"
            .to_owned();
    let mut row = |code: &str, detail: &str, status: u16, meaning: &str, remedy: &str| {
        writeln!(
            table,
            "| `{code}` | `{detail}` | {status} | {meaning} | {remedy} |"
        )
        .unwrap();
    };
    for reason in Reason::ALL {
        row(
            reason.code().as_str(),
            reason.detail(),
            401,
            reason.meaning(),
            reason.remedy(),
        );
    }
    for reason in GATE_REASONS {
        row(
            reason.code.as_str(),
            reason.detail,
            reason.status.as_u16(),
            reason.meaning,
            reason.remedy,
        );
    }
    table
}

/// The text with what stands between `<!-- name -->` and `<!-- /name -->` replaced.
fn replace(text: &str, name: &str, content: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = text
        .split_once(&begin)
        .unwrap_or_else(|| panic!("no {begin} in the README"));
    let (_, after) = rest
        .split_once(&end)
        .unwrap_or_else(|| panic!("no {end} in the README"));
    format!("{before}{begin}{content}{end}{after}")
}
