//! The report, for people and for machines.

use std::fmt::Write;

use serde_json::{Value, json};

use super::checks::{CheckResult, Checked, Checks};
use super::connection::TlsFacts;
use super::facts::{Fact, FactStatus};
use super::route::Target;
use crate::console::{Colours, Exit};

pub(super) struct Report {
    url: String,
    tls: Option<TlsFacts>,
    checked: Vec<Checked>,
    facts: Vec<Fact>,
}

impl Report {
    pub(super) fn new(target: &Target, checks: Checks, facts: Vec<Fact>) -> Self {
        Self {
            // Without the query, which can contain a secret.
            url: format!(
                "https://{}{}",
                target.authority,
                target.path.split('?').next().unwrap_or_default()
            ),
            tls: checks.tls,
            checked: checks.checked,
            facts,
        }
    }

    pub(super) fn exit(&self) -> Exit {
        Exit::accepted(self.findings() == 0)
    }

    fn findings(&self) -> usize {
        self.count(|result| matches!(result, CheckResult::Finding { .. }))
    }

    fn count(&self, is_counted: impl Fn(&CheckResult) -> bool) -> usize {
        self.checked
            .iter()
            .filter(|checked| is_counted(&checked.result))
            .count()
    }

    pub(super) fn to_json(&self) -> String {
        let report = json!({
            "answer": match self.findings() { 0 => "as_expected", _ => "findings" },
            "url": self.url,
            "tls": self.tls,
            "checks": self.checked.iter().map(to_json).collect::<Vec<_>>(),
            "facts": self.facts,
        });
        format!("{report}\n")
    }

    pub(super) fn to_text(&self, paint: Colours) -> String {
        let mut text = String::new();
        let tls = self
            .tls
            .as_ref()
            .map(|tls| format!(" ({}, {}, {})", tls.version, tls.cipher_suite, tls.key_exchange));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}{}\n", paint.strong(&self.url), tls.unwrap_or_default());
        for checked in &self.checked {
            write_checked(&mut text, paint, checked);
        }
        let _ = writeln!(text, "\n{}", paint.strong("What AWS does not document:"));
        for fact in &self.facts {
            let status = match fact.status {
                FactStatus::Confirmed => paint.good("confirmed"),
                FactStatus::Refuted => paint.notable("refuted  "),
                FactStatus::CannotBeSeen => paint.faint("not seen "),
            };
            let _ = writeln!(
                text,
                "{status}  {}: {}\n           {}",
                fact.name,
                fact.statement,
                paint.faint(&fact.seen)
            );
        }
        let _ = writeln!(text, "\n{}", self.summary());
        text
    }

    fn summary(&self) -> String {
        let as_expected = self.count(|result| matches!(result, CheckResult::AsExpected { .. }));
        let findings = match self.findings() {
            0 => "no findings".to_owned(),
            1 => "1 finding".to_owned(),
            count => format!("{count} findings"),
        };
        let others = self.checked.len() - as_expected - self.findings();
        format!("{findings}; {as_expected} as expected, {others} not tried or not seen")
    }
}

fn write_checked(text: &mut String, paint: Colours, checked: &Checked) {
    let Checked { name, what, result } = checked;
    let _ = match result {
        CheckResult::AsExpected { seen, note } => {
            let note = note.map(|note| format!("; {note}")).unwrap_or_default();
            writeln!(text, "{}       {name}: {what}: {seen}{note}", paint.good("ok"))
        }
        CheckResult::NotSeen(why) => writeln!(text, "{} {name}: {what}: {why}", paint.notable("not seen")),
        CheckResult::NotTried(why) => {
            writeln!(text, "{}  {name}: {what}: {why}", paint.faint("skipped"))
        }
        CheckResult::Finding {
            finding,
            seen,
            meaning,
            remedy,
        } => writeln!(
            text,
            "{}  {}\n  {} {meaning}\n  {} {remedy}",
            paint.bad("FINDING"),
            paint.strong(&format!("{name}: {what}: {seen} ({finding})")),
            paint.notable("it means:"),
            paint.good("what to do:"),
        ),
    };
}

fn to_json(checked: &Checked) -> Value {
    let mut value = match &checked.result {
        CheckResult::AsExpected { seen, note } => {
            json!({"result": "as_expected", "seen": seen, "note": note})
        }
        CheckResult::NotSeen(why) => json!({"result": "not_seen", "why": why}),
        CheckResult::NotTried(why) => json!({"result": "not_tried", "why": why}),
        CheckResult::Finding {
            finding,
            seen,
            meaning,
            remedy,
        } => json!({
            "result": "finding",
            "finding": finding,
            "seen": seen,
            "meaning": meaning,
            "remedy": remedy,
        }),
    };
    if let Some(members) = value.as_object_mut() {
        members.insert("check".to_owned(), json!(checked.name));
        members.insert("what".to_owned(), json!(checked.what));
    }
    value
}
