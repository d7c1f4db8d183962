//! The page about faults has the tables of this suite.

use std::fmt::Write;

use alb_mtls_tests::project;

use crate::{clocks, gates, logs, processes, sources, upstreams};

#[test]
fn the_page_has_the_tables_of_the_suite() {
    let path = project().join("docs/faults.md");
    let written = std::fs::read_to_string(&path).unwrap();
    let tables = [
        ("gates", gates()),
        ("sources", sources()),
        ("upstreams", upstreams("the upstream", &upstreams::FAULTS)),
        (
            "functions",
            upstreams("the function", &upstreams::FUNCTION_FAULTS),
        ),
        ("processes", processes()),
        ("clocks", clocks()),
        ("logs", logs()),
    ];
    let expected = tables
        .iter()
        .fold(written.clone(), |text, (name, table)| replace(&text, name, table));
    if std::env::var_os("UPDATE_FAULTS").is_some() {
        std::fs::write(&path, expected).unwrap();
        return;
    }
    assert!(
        written == expected,
        "docs/faults.md has other tables than the suite: `make fault-page` writes them"
    );
}

fn table(head: &str, rows: impl Iterator<Item = String>) -> String {
    let columns = head.matches('|').count() - 1;
    let mut table = format!("{head}\n|{}\n", " --- |".repeat(columns));
    for row in rows {
        writeln!(table, "{row}").unwrap();
    }
    table
}

fn gates() -> String {
    table(
        "| material | read from, in the suite | while it may be used | when there is none | a request without a certificate |",
        gates::ROWS.iter().map(|row| {
            let services: Vec<&str> = row.services.iter().map(|service| service.name()).collect();
            format!(
                "| {} | {} | {} | {} | {} |",
                row.material,
                services.join(", "),
                row.served,
                row.unavailable,
                row.stranger
            )
        }),
    )
}

fn sources() -> String {
    let rows = sources::FAULTS.iter().map(|fault| format!("- {}\n", fault.does));
    rows.collect()
}

fn upstreams(subject: &str, faults: &[upstreams::UpstreamFault]) -> String {
    table(
        &format!("| {subject} | client gets | `detail` |"),
        faults.iter().map(|fault| {
            let detail = fault.detail.map_or_else(
                || "none: the answer is the upstream's".to_owned(),
                |detail| format!("`{detail}`"),
            );
            format!("| {} | {} | {detail} |", fault.does, fault.status)
        }),
    )
}

fn processes() -> String {
    table(
        "| what happens | outcome |",
        processes::FAULTS
            .iter()
            .map(|fault| format!("| {} | {} |", fault.what, fault.outcome)),
    )
}

fn clocks() -> String {
    table(
        "| what the clock does | a good client |",
        clocks::CLOCKS.iter().map(|clock| {
            let outcome = if clock.is_served { "served" } else { "503" };
            format!("| {} | {outcome} |", clock.what)
        }),
    )
}

fn logs() -> String {
    table(
        "| the log | outcome |",
        logs::FAULTS
            .iter()
            .map(|fault| format!("| {} | {} |", fault.what, fault.outcome)),
    )
}

/// Returns the text with what stands between `<!-- name -->` and `<!-- /name -->` replaced.
fn replace(text: &str, name: &str, content: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = text
        .split_once(&begin)
        .unwrap_or_else(|| panic!("no {begin} in the page"));
    let (_, after) = rest
        .split_once(&end)
        .unwrap_or_else(|| panic!("no {end} in the page"));
    format!("{before}{begin}{content}{end}{after}")
}
