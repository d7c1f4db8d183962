//! What the doctor says.

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write;
use std::io::{self, IsTerminal};

use serde_json::json;

use super::checks::Finding;
use super::deployment::Deployment;

pub(super) struct Report {
    findings: BTreeSet<Finding>,
    listeners: usize,
    target_groups: usize,
    functions: usize,
}

/// Whether a person reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Plain,
    Coloured,
}

impl Colour {
    /// Coloured on a terminal, unless `NO_COLOR` is set (no-color.org).
    pub(super) fn of_terminal() -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match io::stdout().is_terminal() && !unwanted {
            true => Self::Coloured,
            false => Self::Plain,
        }
    }
}

impl Report {
    pub(super) fn new(findings: BTreeSet<Finding>, looked_at: &[Deployment]) -> Self {
        let count = |names: fn(&Deployment) -> Vec<String>| {
            looked_at.iter().flat_map(names).collect::<BTreeSet<_>>().len()
        };
        Self {
            findings,
            listeners: count(|deployment| deployment.listeners.iter().map(|one| one.name.clone()).collect()),
            target_groups: count(|deployment| {
                deployment
                    .target_groups
                    .iter()
                    .map(|one| one.name.clone())
                    .collect()
            }),
            functions: count(|deployment| deployment.functions.iter().map(|one| one.name.clone()).collect()),
        }
    }

    pub(super) fn has_findings(&self) -> bool {
        !self.findings.is_empty()
    }

    pub(super) fn to_json(&self) -> String {
        let report = json!({
            "findings": self.findings,
            "listeners": self.listeners,
            "target_groups": self.target_groups,
            "functions": self.functions,
        });
        format!("{report}\n")
    }

    pub(super) fn to_text(&self, colour: Colour) -> String {
        let paint = |code: &str, text: &str| match colour {
            Colour::Plain => text.to_owned(),
            Colour::Coloured => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        };
        let mut text = String::new();
        for finding in &self.findings {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{}:{}: {} {}\n  {} {}\n  {} {}\n",
                finding.file,
                finding.line,
                paint("1;31", finding.check),
                paint("1", &format!("{}: {}", finding.resource, finding.what)),
                paint("33", "risk:"),
                finding.risk,
                paint("32", "fix:"),
                finding.fix,
            );
        }
        let count = match self.findings.len() {
            0 => "nothing opens the gate".to_owned(),
            1 => "1 finding".to_owned(),
            several => format!("{several} findings"),
        };
        let _ = writeln!(
            text,
            "{count}: looked at {}, {} and {}",
            counted(self.listeners, "listener"),
            counted(self.target_groups, "target group"),
            counted(self.functions, "function"),
        );
        text
    }
}

fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let finding = Finding {
            file: "template.yaml".to_owned(),
            line: 7,
            resource: "Listener".to_owned(),
            check: "listener-without-mutual-tls",
            what: "forwards".to_owned(),
            risk: "a risk",
            fix: "a fix",
        };
        Report::new(BTreeSet::from([finding]), &[Deployment::default()])
    }

    #[test]
    fn colours_change_nothing_but_the_colour() {
        let (plain, coloured) = (
            report().to_text(Colour::Plain),
            report().to_text(Colour::Coloured),
        );
        assert!(!plain.contains('\u{1b}'));
        assert!(
            coloured.contains("\u{1b}[1;31mlistener-without-mutual-tls\u{1b}[0m"),
            "{coloured}"
        );
        let stripped = ["1;31", "1", "33", "32", "0"]
            .iter()
            .fold(coloured, |text, code| {
                text.replace(&format!("\u{1b}[{code}m"), "")
            });
        assert_eq!(stripped, plain);
    }
}
