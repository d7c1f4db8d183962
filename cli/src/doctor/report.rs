//! The doctor's report: for people, as JSON, and as SARIF.

mod sarif;

pub(super) use sarif::write_error as error_as_sarif;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use clap::builder::styling::AnsiColor;
use serde::Serialize;
use serde_json::json;

use crate::console::Colours;
use crate::doctor::checks::Finding;
use crate::doctor::facts::{Deployment, Unread};
use crate::doctor::rules::{self, Severity};

/// The answer as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    Findings,
    Clean,
    NotLookedAt,
    Unreadable,
}

/// A finding as it is printed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Entry {
    file: String,
    line: usize,
    resource: String,
    check: &'static str,
    severity: Severity,
    what: String,
    /// Values of parameters under which it is so; none by default.
    when: Vec<String>,
    risk: &'static str,
    fix: &'static str,
}

#[derive(Debug, Default)]
pub(super) struct Report {
    findings: Vec<Entry>,
    unread: Vec<Unread>,
    accepted: usize,
    /// Exceptions that nothing needs.
    stale: Vec<String>,
    listeners: usize,
    target_groups: usize,
    functions: usize,
    combinations: usize,
    is_exhaustive: bool,
    has_gate: bool,
    deny_warnings: bool,
}

/// Exceptions, and the severity that counts as an error.
#[derive(Clone, Debug, Default)]
pub(super) struct Strictness {
    /// `check:resource` and `kind:subject`.
    pub(super) accepted: BTreeSet<String>,
    pub(super) deny_warnings: bool,
}

/// Number of the combinations that were looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) combinations: usize,
    pub(super) is_exhaustive: bool,
}

impl Report {
    pub(super) fn new(
        findings: BTreeMap<Finding, Vec<String>>,
        unread: BTreeSet<Unread>,
        looked_at: &[Deployment],
        extent: Extent,
        strictness: &Strictness,
    ) -> Self {
        let count = |names: fn(&Deployment) -> Vec<String>| {
            looked_at.iter().flat_map(names).collect::<BTreeSet<_>>().len()
        };
        let mut report = Self {
            listeners: count(|deployment| names(deployment.listeners.iter().map(|one| &one.name))),
            target_groups: count(|deployment| names(deployment.target_groups.iter().map(|one| &one.name))),
            functions: count(|deployment| names(deployment.functions.iter().map(|one| &one.name))),
            combinations: extent.combinations,
            is_exhaustive: extent.is_exhaustive,
            has_gate: looked_at.iter().any(Deployment::has_gate),
            deny_warnings: strictness.deny_warnings,
            ..Self::default()
        };
        let mut used = BTreeSet::new();
        for (finding, when) in findings {
            let name = format!("{}:{}", finding.rule.id, finding.resource);
            match strictness.accepted.contains(&name) {
                true => {
                    report.accepted += 1;
                    used.insert(name);
                }
                false => report.findings.push(entry(finding, when)),
            }
        }
        for gap in unread {
            let name = format!("{}:{}", gap.kind, gap.subject);
            match strictness.accepted.contains(&name) {
                true => {
                    report.accepted += 1;
                    used.insert(name);
                }
                false => report.unread.push(gap),
            }
        }
        report.findings.sort();
        report.stale = strictness.accepted.difference(&used).cloned().collect();
        report
    }

    /// Returns the answer: a finding is one whatever else was not read, and nothing is clean that
    /// was not.
    pub(super) fn answer(&self) -> Answer {
        let is_denied = |entry: &Entry| match entry.severity {
            Severity::Error => true,
            Severity::Warning => self.deny_warnings,
            Severity::Advice => false,
        };
        if self.findings.iter().any(is_denied) {
            Answer::Findings
        } else if self.unreadable().next().is_some() || (!self.has_gate && self.unread.is_empty()) {
            Answer::Unreadable
        } else if !self.unread.is_empty() {
            Answer::NotLookedAt
        } else {
            Answer::Clean
        }
    }

    fn unreadable(&self) -> impl Iterator<Item = &Unread> {
        let unread = self.unread.iter();
        unread.filter(|gap| gap.kind == rules::UNREADABLE_FILE)
    }

    /// Returns one line for each file that cannot be read, and one where there is no gate.
    pub(super) fn errors(&self) -> Vec<String> {
        let unreadable = self.unreadable();
        let mut errors: Vec<String> = unreadable
            .map(|gap| format!("`{}`: {}", gap.place.file, gap.what))
            .collect();
        if !self.has_gate && self.unread.len() == errors.len() {
            let what = "there is no gate in what was read: no function has MTLS_ANCHORS, and no listener is in passthrough mode";
            errors.push(what.to_owned());
        }
        errors
    }

    /// Returns true if there is nothing to print but errors.
    pub(super) fn is_empty(&self) -> bool {
        !self.has_gate && self.findings.is_empty() && self.unreadable().count() == self.unread.len()
    }

    pub(super) fn to_json(&self) -> String {
        let unread: Vec<_> = self.unread.iter().map(unread_json).collect();
        let report = json!({
            "answer": self.answer(),
            "findings": self.findings,
            "not_looked_at": unread,
            "accepted": self.accepted,
            "stale_exceptions": self.stale,
            "listeners": self.listeners,
            "target_groups": self.target_groups,
            "functions": self.functions,
            "combinations": self.combinations,
            "every_combination": self.is_exhaustive,
        });
        format!("{report}\n")
    }

    pub(super) fn to_sarif(&self) -> String {
        sarif::write(&self.findings, &self.unread)
    }

    pub(super) fn to_text(&self, paint: Colours) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let when = match finding.when.as_slice() {
                [] => String::new(),
                when => format!(" (with {})", when.join(", ")),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{}:{}: {}: {} {}\n  {} {}\n  {} {}\n",
                finding.file,
                finding.line,
                finding.severity.word(),
                paint.bad(finding.check),
                paint.strong(&format!("{}: {}{when}", finding.resource, finding.what)),
                paint.notable("risk:"),
                finding.risk,
                paint.good("fix:"),
                finding.fix,
            );
        }
        for gap in &self.unread {
            let _ = writeln!(
                text,
                "{}:{}: not looked at: {} {}\n  {} {}\n",
                gap.place.file,
                gap.place.line,
                paint.paint(AnsiColor::Magenta.on_default().bold(), gap.kind),
                paint.strong(&format!("{}: {}", gap.subject, gap.what)),
                paint.good("to read it:"),
                gap.remedy,
            );
        }
        let _ = writeln!(text, "{}", self.summary());
        text
    }

    fn summary(&self) -> String {
        let looked_at = format!(
            "looked at {}, {} and {}",
            counted(self.listeners, "listener"),
            counted(self.target_groups, "target group"),
            counted(self.functions, "function"),
        );
        let mut parts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Advice]
            .into_iter()
            .filter_map(|severity| {
                let findings = self.findings.iter();
                let count = findings.filter(|finding| finding.severity == severity).count();
                match (count, severity) {
                    (0, _) => None,
                    (count, Severity::Advice) => Some(format!("{count} advice")),
                    (count, severity) => Some(counted(count, severity.word())),
                }
            })
            .collect();
        if !self.unread.is_empty() {
            parts.push(format!("{} not looked at", counted(self.unread.len(), "thing")));
        }
        if self.accepted > 0 {
            parts.push(format!("{} accepted", self.accepted));
        }
        if !self.stale.is_empty() {
            parts.push(format!("no use for --accept {}", self.stale.join(", ")));
        }
        let counts = match parts.is_empty() {
            true => String::new(),
            false => format!("{}; ", parts.join(", ")),
        };
        let extent = match self.combinations {
            0 | 1 => String::new(),
            combinations if self.is_exhaustive => {
                format!(
                    " in all {combinations} combinations of what conditions and allowed values leave open"
                )
            }
            combinations => format!(
                " in {combinations} combinations of what conditions and allowed values leave open: each two conditions in every way, not all of them together"
            ),
        };
        let verdict = match self.answer() {
            Answer::Clean => "nothing opens the gate: ",
            Answer::NotLookedAt => "no verdict: ",
            Answer::Findings | Answer::Unreadable => "",
        };
        format!("{verdict}{counts}{looked_at}{extent}")
    }
}

fn entry(finding: Finding, when: Vec<String>) -> Entry {
    let rule = finding.rule;
    // An operator who gives a parameter this value chooses the mode; a condition on an environment
    // or a Region asks for no such choice.
    let is_choice = rule.id == rules::MODE_REPORT.id && when.iter().any(|value| value.ends_with("=report"));
    Entry {
        file: finding.place.file,
        line: finding.place.line,
        resource: finding.resource,
        check: rule.id,
        severity: match is_choice {
            true => Severity::Advice,
            false => rule.severity,
        },
        what: finding.what,
        when,
        risk: rule.why,
        fix: rule.fix,
    }
}

fn unread_json(gap: &Unread) -> serde_json::Value {
    json!({
        "file": gap.place.file,
        "line": gap.place.line,
        "kind": gap.kind,
        "subject": gap.subject,
        "what": gap.what,
        "remedy": gap.remedy,
    })
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    names.cloned().collect()
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
    use crate::doctor::facts::Place;

    fn report() -> Report {
        let finding = Finding {
            rule: &rules::LISTENER_WITHOUT_MUTUAL_TLS,
            place: Place {
                file: "template.yaml".to_owned(),
                line: 7,
            },
            resource: "Listener".to_owned(),
            what: "forwards".to_owned(),
        };
        let extent = Extent {
            combinations: 1,
            is_exhaustive: true,
        };
        let findings = BTreeMap::from([(finding, Vec::new())]);
        Report::new(findings, BTreeSet::new(), &[], extent, &Strictness::default())
    }

    #[test]
    fn colours_change_nothing_but_the_colour() {
        let (plain, coloured) = (
            report().to_text(Colours::Never),
            report().to_text(Colours::Always),
        );
        assert!(!plain.contains('\u{1b}'));
        assert!(
            coloured.contains("\u{1b}[1m\u{1b}[31mlistener-without-mutual-tls\u{1b}[0m"),
            "{coloured}"
        );
        let codes = ["1", "31", "32", "33", "35", "0"];
        let stripped = codes.iter().fold(coloured, |text, code| {
            text.replace(&format!("\u{1b}[{code}m"), "")
        });
        assert_eq!(stripped, plain);
    }
}
