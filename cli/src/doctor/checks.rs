//! The checks: each looks at facts alone, and names a rule or what it could not look at.

mod apis;
mod containers;
mod functions;
mod layer;
mod listeners;
mod permissions;
mod sources;
mod trust;

use std::collections::BTreeSet;

use crate::doctor::facts::{Deployment, Place, Unread};
use crate::doctor::rules::{self, Rule};
use crate::doctor::text;

/// Weakness that opens the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) rule: &'static Rule,
    pub(super) place: Place,
    /// The thing that it is about.
    pub(super) resource: String,
    pub(super) what: String,
}

impl Finding {
    /// Orders findings by place; two of one key are the same finding.
    pub(super) fn key(&self) -> (&Place, &str, &str, &str) {
        (&self.place, self.rule.id, &self.resource, &self.what)
    }
}

impl PartialOrd for Finding {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Finding {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// The outcome of all checks on one deployment.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) findings: BTreeSet<Finding>,
    pub(super) unread: BTreeSet<Unread>,
}

/// Runs every check.
pub(super) fn all(deployment: &Deployment) -> Outcome {
    let mut checks = Checks {
        deployment,
        outcome: Outcome {
            findings: BTreeSet::new(),
            unread: deployment.unread.clone(),
        },
    };
    checks.listeners();
    checks.targets();
    checks.header_names();
    checks.header_names_of_functions();
    checks.target_groups();
    checks.functions();
    checks.containers();
    checks.function_urls();
    checks.permissions();
    checks.authorizers();
    checks.routes();
    checks.log_groups();
    checks.trust_sources();
    checks.readable_sources();
    checks.intermediates();
    checks.shared_anchors();
    checks.invokers();
    checks.outcome
}

/// Returns the listeners of a template that say a mode in one combination of its parameters, and
/// none in another.
pub(super) fn modes_left_out(deployments: &[Deployment]) -> BTreeSet<Finding> {
    let listeners = || deployments.iter().flat_map(|deployment| &deployment.listeners);
    let with_mode: BTreeSet<&str> = listeners()
        .filter(|listener| listener.is_mode_said)
        .map(|listener| listener.name.as_str())
        .collect();
    listeners()
        .filter(|listener| !listener.is_mode_said && with_mode.contains(listener.name.as_str()))
        .map(|listener| Finding {
            rule: &rules::MODE_LEFT_OUT,
            place: listener.place.clone(),
            resource: listener.name.clone(),
            what: "has MutualAuthentication or not, as a condition decides".to_owned(),
        })
        .collect()
}

struct Checks<'a> {
    deployment: &'a Deployment,
    outcome: Outcome,
}

impl Checks<'_> {
    fn find(&mut self, rule: &'static Rule, place: &Place, resource: &str, what: &str) {
        self.outcome.findings.insert(Finding {
            rule,
            place: place.clone(),
            resource: resource.to_owned(),
            what: text::shown(what),
        });
    }

    fn miss(&mut self, kind: &'static str, place: &Place, subject: &str, what: &str, remedy: &str) {
        self.outcome.unread.insert(Unread {
            place: place.clone(),
            kind,
            subject: text::shown(subject),
            what: text::shown(what),
            remedy: remedy.to_owned(),
        });
    }
}

/// Returns what makes an unknown value readable.
fn remedy(value: &str) -> String {
    let Some(unknown) = text::first_unknown(value) else {
        return "look at the deployed stack with --stack or --load-balancer".to_owned();
    };
    if unknown.starts_with("after apply: ") {
        return "look at the state once it is applied: `terraform show -json`, or --load-balancer NAME"
            .to_owned();
    }
    match unknown.split_once(' ') {
        Some(("parameter" | "another", name)) => format!("give it with --parameter {name}=VALUE"),
        Some(("import", _)) => "name the template that exports it too".to_owned(),
        _ => "look at the deployed stack with --stack or --load-balancer".to_owned(),
    }
}
