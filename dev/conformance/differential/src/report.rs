//! Result of a run.

use std::collections::BTreeMap;
use std::fmt;

use crate::explanations::{Difference, EXPLANATIONS, differences, explain};
use crate::peers::{Verdict, Verdicts};
use crate::scene::Case;

/// Numbers of cases that are printed for each difference.
const MAX_EXAMPLES: usize = 3;

/// Counts of verdicts and differences.
#[derive(Debug, Default)]
pub(crate) struct Report {
    cases: u64,
    accepted: u64,
    /// Accepted by all peers too.
    accepted_by_all: u64,
    /// Accepted, and rejected by all peers.
    accepted_alone: u64,
    /// Differences by position in the table.
    explained: BTreeMap<usize, u64>,
    unexplained: BTreeMap<Key, Unexplained>,
}

/// Differences of one kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    difference: Difference,
    reason: String,
    /// Of the first mutation.
    mutation: String,
}

#[derive(Debug, Default)]
struct Unexplained {
    count: u64,
    examples: Vec<u64>,
}

impl Report {
    pub(crate) fn add(&mut self, case: &Case, verdicts: &Verdicts) {
        self.cases += 1;
        let differences = differences(verdicts);
        if verdicts.own == Verdict::Accept {
            self.accepted += 1;
            self.accepted_by_all += u64::from(differences.is_empty());
            self.accepted_alone += u64::from(differences.len() == verdicts.peers.len());
        }
        for (difference, reason) in differences {
            if let Some(row) = explain(case, difference, &reason) {
                *self.explained.entry(row).or_default() += 1;
                continue;
            }
            let key = Key {
                difference,
                reason,
                mutation: case.mutations.join(", "),
            };
            let unexplained = self.unexplained.entry(key).or_default();
            unexplained.count += 1;
            if unexplained.examples.len() < MAX_EXAMPLES {
                unexplained.examples.push(case.number);
            }
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.cases += other.cases;
        self.accepted += other.accepted;
        self.accepted_by_all += other.accepted_by_all;
        self.accepted_alone += other.accepted_alone;
        for (row, count) in other.explained {
            *self.explained.entry(row).or_default() += count;
        }
        for (key, more) in other.unexplained {
            let unexplained = self.unexplained.entry(key).or_default();
            unexplained.count += more.count;
            unexplained.examples.extend(more.examples);
            unexplained.examples.truncate(MAX_EXAMPLES);
        }
    }

    /// Returns true if every difference is explained.
    pub(crate) fn is_explained(&self) -> bool {
        self.unexplained.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{} cases, {} accepted, {} of them by all verifiers and {} by no other",
            self.cases, self.accepted, self.accepted_by_all, self.accepted_alone
        )?;
        for (row, explanation) in EXPLANATIONS.iter().enumerate() {
            let count = self.explained.get(&row).copied().unwrap_or_default();
            writeln!(formatter, "{count:>8} explained by {}", explanation.name)?;
        }
        for (key, unexplained) in &self.unexplained {
            let who = match key.difference {
                Difference::Accept(peer) => format!("accepted, and rejected by {}", peer.name()),
                Difference::Reject => "rejected, and accepted by all others".to_owned(),
            };
            writeln!(
                formatter,
                "{:>8} UNEXPLAINED {who}: {} [{}] cases {:?}",
                unexplained.count, key.reason, key.mutation, unexplained.examples
            )?;
        }
        Ok(())
    }
}
