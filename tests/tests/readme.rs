//! The tables of the README are those of the code.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::process::Command;

use alb_mtls_gate::{METRICS, SETTINGS, denial_reasons};
use alb_mtls_tests::{binary, project};
use alb_mtls_trust::FORMS;
use alb_mtls_verifier::WebpkiGap;

#[test]
fn the_tables_are_those_of_the_code() {
    let path = project().join("README.md");
    let written = std::fs::read_to_string(&path).unwrap();
    let tables = [
        ("sources", sources()),
        ("settings", settings()),
        ("reasons", reasons()),
        ("metrics", metrics()),
    ];
    let expected = tables
        .iter()
        .fold(written.clone(), |text, (name, table)| replace(&text, name, table));
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, expected).unwrap();
        return;
    }
    assert!(
        written == expected,
        "the README's tables are not those of the code: `make readme` writes them"
    );
}

#[test]
fn threat_model_lists_the_features_that_webpki_does_not_process() {
    let path = project().join("docs/threat-model.md");
    let written = std::fs::read_to_string(&path).unwrap();
    let mut table = "| name | feature | source |\n| --- | --- | --- |\n".to_owned();
    for gap in WebpkiGap::ALL {
        writeln!(
            table,
            "| `{}` | {} | {} |",
            gap.name(),
            gap.meaning(),
            gap.source()
        )
        .unwrap();
    }
    let expected = replace(&written, "gaps", &table);
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, expected).unwrap();
        return;
    }
    assert!(
        written == expected,
        "`make readme` writes the table of docs/threat-model.md"
    );
}

/// Names of environment variables in a text that begin with one of the functions' own prefixes.
fn variables_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|character: char| !character.is_ascii_uppercase() && character != '_');
    let is_variable = |word: &&str| {
        let prefixes = ["AUTHORIZE_", "CRL_", "FORWARD_", "LAYER_"];
        prefixes
            .iter()
            .any(|prefix| word.len() > prefix.len() && word.starts_with(prefix))
    };
    words.filter(is_variable).collect()
}

#[test]
fn every_setting_of_every_function_is_in_the_readme_and_no_other() {
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    let helps = ["alb-mtls-layer", "authorize", "forward", "refresh-crls"].map(|function| {
        let output = Command::new(binary(function)).arg("--help").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    });
    let in_code: BTreeSet<&str> = helps
        .iter()
        .flat_map(|help| help.lines())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|word| variables_in(word).contains(word))
        .collect();
    assert!(in_code.len() > 20, "{in_code:?}");
    assert_eq!(variables_in(&readme), in_code);
}

fn sources() -> String {
    let mut table = "| source | contents | permissions |\n| --- | --- | --- |\n".to_owned();
    for row in FORMS {
        let permissions = match row.permissions {
            "" => "none",
            permissions => permissions,
        };
        writeln!(table, "| `{}` | {} | {permissions} |", row.form, row.meaning).unwrap();
    }
    table
}

fn settings() -> String {
    let mut table = "| variable | default | meaning |\n| --- | --- | --- |\n".to_owned();
    for variable in SETTINGS.variables {
        writeln!(
            table,
            "| `{}` | {} | {} |",
            variable.name, variable.default, variable.meaning
        )
        .unwrap();
    }
    table
}

fn metrics() -> String {
    let mut table =
        "| metric | unit | dimensions | in Prometheus | what it says |\n| --- | --- | --- | --- | --- |\n"
            .to_owned();
    for metric in METRICS {
        let sets: Vec<String> = metric
            .dimensions
            .iter()
            .map(|set| format!("`{}`", set.join(", ")))
            .collect();
        writeln!(
            table,
            "| `{}` | {} | {} | `{}` | {} |",
            metric.name,
            metric.unit,
            sets.join(" and "),
            metric.series,
            metric.meaning
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
    for reason in denial_reasons() {
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

/// Returns the text with what stands between `<!-- name -->` and `<!-- /name -->` replaced.
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

/// Checks the walk of a request in ARCHITECTURE.md, and the files that it names elsewhere.
#[test]
fn architecture_names_functions_where_they_are() {
    let page = std::fs::read_to_string(project().join("ARCHITECTURE.md")).unwrap();
    let walk: Vec<(&str, &str)> = page
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split(" | ").collect();
            let [_, function, file] = cells.as_slice() else {
                return None;
            };
            Some((
                function.strip_prefix('`')?.strip_suffix('`')?,
                file.strip_prefix('`')?.split('`').next()?,
            ))
        })
        .collect();
    assert!(walk.len() > 20, "{walk:?}");
    for (function, file) in walk {
        let text =
            std::fs::read_to_string(project().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let is_there = text.contains(&format!("fn {function}("))
            || text.contains(&format!("fn {function}<"))
            || text.contains(&format!(".{function}("));
        assert!(is_there, "{function} is not in {file}");
    }
    for file in page
        .split('`')
        .filter(|part| part.ends_with(".rs") && part.contains('/') && !part.contains("NAME"))
    {
        assert!(project().join(file).exists(), "{file}");
    }
}
