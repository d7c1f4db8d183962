//! The program as a whole, in its quick mode.

use std::process::Command;

#[test]
fn a_quick_run_fills_every_section_and_draws_the_plot() {
    // Builds the functions beside the program.
    alb_mtls_tests::binary("respond");
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("plot.svg");
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["--quick", "--markdown", "--plot"])
        .arg(&plot)
        .output()
        .unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for row in [
        "RSA-4096, 3 certificates",
        "an impostor of the issuing authority",
        "seen before, 10 policies",
        "1000 entries",
        "100 trust anchors",
        "event to decision and record to answer",
        "respond, S3",
        "authorize, 99th percentile",
        "respond, 1 connection, one environment",
    ] {
        assert!(table.contains(row), "no `{row}` in\n{table}");
    }
    assert!(!table.contains("NaN"), "{table}");
    let plot = std::fs::read_to_string(plot).unwrap();
    assert_eq!(plot.matches("<path").count(), 4, "{plot}");
}

#[test]
fn an_unknown_section_ends_with_2() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .arg("everything")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_short_soak_has_no_wrong_answer() {
    alb_mtls_tests::binary("respond");
    let output = Command::new(env!("CARGO_BIN_EXE_soak"))
        .args(["--requests", "2000", "--clients", "4", "--refresh", "1"])
        .output()
        .unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{report}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(report.contains("\n0 wrong answers, 0 restarts"), "{report}");
}
