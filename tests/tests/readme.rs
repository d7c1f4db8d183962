//! The tables of the documentation are those of the code, and the README stays short.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::process::Command;

use alb_mtls_gate::{METRICS, SETTINGS, denial_reasons};
use alb_mtls_http::HeaderFormat;
use alb_mtls_http::forms::{FORMS as IDENTITY_FORMS, READ, WRITTEN};
use alb_mtls_http::headers::{Role, names};
use alb_mtls_tests::{binary, project};
use alb_mtls_trust::FORMS;
use alb_mtls_verifier::WebpkiGap;

/// Compares the generated parts of a page with the code, or writes them with `UPDATE_README=1`.
fn check(page: &str, parts: &[(&str, String)]) {
    let path = project().join(page);
    let written = std::fs::read_to_string(&path).unwrap();
    let expected = parts.iter().fold(written.clone(), |text, (name, content)| {
        replace(page, &text, name, content)
    });
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, expected).unwrap();
        return;
    }
    assert!(
        written == expected,
        "{page} is not what the code says: `make readme` writes its tables"
    );
}

#[test]
fn settings_page_has_the_tables_of_the_code() {
    check(
        "docs/reference/settings.md",
        &[
            ("sources", sources()),
            ("settings", settings()),
            ("server", server_settings()),
        ],
    );
}

#[test]
fn reasons_page_has_every_reason() {
    check("docs/reference/reasons.md", &[("reasons", reasons())]);
}

#[test]
fn metrics_page_has_every_metric() {
    check("docs/reference/metrics.md", &[("metrics", metrics())]);
}

#[test]
fn headers_page_has_every_form_and_name() {
    let restated = [names(Role::Method), names(Role::Target)];
    check(
        "docs/reference/headers.md",
        &[
            ("formats", formats()),
            ("forms", forms()),
            ("identity", list(names(Role::Identity))),
            ("restated", list(restated.into_iter().flatten())),
        ],
    );
}

#[test]
fn readme_has_at_most_200_lines() {
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    let lines = readme.lines().count();
    assert!(lines <= 200, "{lines} lines: details belong to a page of docs/");
}

#[test]
fn threat_model_lists_the_features_that_webpki_does_not_process() {
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
    check("docs/threat-model.md", &[("gaps", table)]);
}

/// Names of environment variables in a text that begin with one of the functions' own prefixes.
fn variables_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|character: char| !character.is_ascii_uppercase() && character != '_');
    let is_variable = |word: &&str| {
        let prefixes = ["AUTHORIZE_", "CRL_", "FORWARD_", "LAYER_", "SERVER_"];
        prefixes
            .iter()
            .any(|prefix| word.len() > prefix.len() && word.starts_with(prefix))
    };
    words.filter(is_variable).collect()
}

#[test]
fn settings_page_has_the_settings_of_every_function() {
    let page = std::fs::read_to_string(project().join("docs/reference/settings.md")).unwrap();
    let helps = [
        "alb-mtls-layer",
        "alb-mtls-server",
        "authorize",
        "forward",
        "refresh-crls",
    ]
    .map(help);
    let in_code: BTreeSet<&str> = helps
        .iter()
        .flat_map(|help| help.lines())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|word| variables_in(word).contains(word))
        .collect();
    assert!(in_code.len() > 20, "{in_code:?}");
    assert_eq!(variables_in(&page), in_code);
}

fn help(program: &str) -> String {
    let output = Command::new(binary(program)).arg("--help").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the settings of the server's own, which only the program itself has.
fn server_settings() -> String {
    let mut table = "| variable | default | meaning |\n| --- | --- | --- |\n".to_owned();
    let help = help("alb-mtls-server");
    let lines: Vec<&str> = help.lines().collect();
    for (name, meaning) in lines.iter().zip(lines.iter().skip(1)) {
        let setting = name.strip_prefix("  ").filter(|name| name.starts_with("SERVER_"));
        let Some((name, default)) = setting.and_then(|setting| setting.split_once(" (")) else {
            continue;
        };
        let default = default.strip_suffix(')').unwrap();
        writeln!(table, "| `{name}` | {default} | {} |", meaning.trim()).unwrap();
    }
    table
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

fn formats() -> String {
    let mut table =
        "| format | header, unless renamed | header with the rest of the chain |\n| --- | --- | --- |\n"
            .to_owned();
    for word in READ {
        let format: HeaderFormat = word.parse().unwrap();
        let rest = format
            .chain_header()
            .map_or_else(|| "none".to_owned(), |name| format!("`{name}`"));
        writeln!(table, "| `{word}` | `{}` | {rest} |", format.default_header()).unwrap();
    }
    table
}

fn forms() -> String {
    let mut table = "| form | headers | contents | limits |\n| --- | --- | --- | --- |\n".to_owned();
    // Both lists have the same order, and a form that is only read writes no header.
    let written: Vec<_> = IDENTITY_FORMS
        .iter()
        .filter(|form| !form.headers.is_empty())
        .collect();
    assert_eq!(written.len(), WRITTEN.len());
    for (form, word) in written.into_iter().zip(WRITTEN) {
        let headers: Vec<String> = form.headers.iter().map(|name| format!("`{name}`")).collect();
        writeln!(
            table,
            "| `{word}` | {} | {} | {} |",
            headers.join(", "),
            form.meaning,
            form.limits
        )
        .unwrap();
    }
    table
}

fn list(names: impl Iterator<Item = &'static str>) -> String {
    let names: BTreeSet<&str> = names.collect();
    assert!(names.len() > 3, "{names:?}");
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    format!("{}\n", names.join(", "))
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
fn replace(page: &str, text: &str, name: &str, content: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = text
        .split_once(&begin)
        .unwrap_or_else(|| panic!("{page} has no {begin}"));
    let (_, after) = rest
        .split_once(&end)
        .unwrap_or_else(|| panic!("{page} has no {end}"));
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
