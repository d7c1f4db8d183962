//! `deploy/monitoring`: every metric that is named there exists.

use std::collections::BTreeSet;
use std::process::Command;

use alb_mtls_gate::{METRICS, SeriesKind};
use alb_mtls_tests::{leave_out, project};
use serde_json::Value;

fn read(name: &str) -> String {
    std::fs::read_to_string(project().join("deploy/monitoring").join(name)).unwrap()
}

/// Returns the series that the server shows.
fn series() -> BTreeSet<String> {
    let names = METRICS.iter().flat_map(|metric| match metric.kind {
        SeriesKind::Histogram => ["_bucket", "_sum", "_count"]
            .map(|part| format!("{}{part}", metric.series))
            .to_vec(),
        _ => vec![metric.series.to_owned()],
    });
    names.collect()
}

/// Returns the words of a text that begin like a series.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    words
        .filter(|word| word.starts_with("alb_mtls_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn alerts_and_dashboard_name_series_that_exist() {
    let known = series();
    for file in ["alerts.yaml", "alerts_test.yaml", "dashboard.json"] {
        let named = named(&read(file));
        assert!(named.len() >= 9, "{file}: {named:?}");
        let unknown: Vec<&String> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
}

#[test]
fn the_dashboard_shows_every_metric() {
    let text = read("dashboard.json");
    for metric in METRICS {
        assert!(text.contains(metric.series), "{}", metric.series);
    }
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut places = BTreeSet::new();
    for panel in panels {
        let place = &panel["gridPos"];
        assert!(
            places.insert((place["x"].as_u64(), place["y"].as_u64())),
            "{panel}"
        );
        assert!(!panel["targets"].as_array().unwrap().is_empty());
    }
}

#[test]
fn promtool_takes_the_alerts_and_their_tests_pass() {
    let promtool = |arguments: &[&str]| {
        let mut command = Command::new("promtool");
        command
            .args(arguments)
            .current_dir(project().join("deploy/monitoring"));
        command.output()
    };
    let Ok(checked) = promtool(&["check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml"]) else {
        leave_out("promtool is in Debian's package `prometheus`");
        return;
    };
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    let tested = promtool(&["test", "rules", "alerts_test.yaml"]).unwrap();
    assert!(
        tested.status.success(),
        "{}",
        String::from_utf8_lossy(&tested.stdout)
    );
}
