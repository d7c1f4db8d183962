//! Choice of the combinations that are examined.

use std::collections::BTreeSet;

use super::variables::{self, Variable, VariableKey};
use super::{Choice, Examiner};

/// Up to so many combinations of values all are looked at; each takes about a millisecond.
const EXHAUSTIVE: usize = 192;

/// Most combinations beyond which only single values are tried: a template that needs more is
/// looked at in seconds still.
const MAX_COMBINATIONS: usize = 600;

/// Arbitrary combinations among which those are picked that show three conditions as no other has
/// shown them.
const CANDIDATES: usize = 1_500;

/// Picked ones at most.
const MAX_PICKED: usize = 96;

/// Most combinations of the values that one condition, or two, depend on.
const MAX_DIRECTED: usize = 2_048;

/// Combinations that are tried for conditions that no arbitrary one shows: a second or so, however
/// many conditions.
const MAX_TRIED: usize = 40_000;

/// Choices that the templates' rules exclude for which one near them is looked for, among those for
/// two conditions: each costs as much as a hundred others, and most are excluded for good.
const MAX_CHANGED: usize = 150;

/// Arbitrary combinations in a row that show nothing new, after which there are no more.
const MAX_USELESS: usize = 300;

/// The same for templates with rules, where each costs more.
const MAX_USELESS_WITH_RULES: usize = 40;

impl Examiner<'_> {
    pub(super) fn combinations(&mut self) -> Vec<Choice> {
        let sizes = self.variables.iter().map(|variable| variable.values.len());
        let all = sizes.fold(1_usize, |product, size| product.saturating_mul(size));
        let mut choices = match all <= EXHAUSTIVE {
            true => product(
                &self.variables,
                &(0..self.variables.len()).collect::<Vec<_>>(),
                &self.default(),
            ),
            false => {
                self.is_exhaustive = false;
                self.bounded()
            }
        };
        choices.retain(|choice| self.truths(choice).is_some());
        // Those with the fewest values that are not the defaults explain themselves best.
        choices.sort_by_key(|choice| choice.iter().filter(|value| **value != 0).count());
        choices.dedup();
        if choices.is_empty() {
            // No value satisfies the template's rules: its defaults are still examined.
            choices.push(self.default());
        }
        choices
    }

    /// Returns the values one by one; each condition, and each two of them, in every way; and
    /// combinations until three conditions have been seen in every way that was come across.
    fn bounded(&self) -> Vec<Choice> {
        let mut choices = self.singles();
        choices.truncate(MAX_COMBINATIONS);
        let mut seen = BTreeSet::new();
        for choice in &choices {
            self.note(choice, &mut seen);
        }
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut useless = 0;
        let max_useless = match self.rules.is_empty() {
            true => MAX_USELESS,
            false => MAX_USELESS_WITH_RULES,
        };
        for _ in 0..CANDIDATES {
            if useless > max_useless || choices.len() >= MAX_COMBINATIONS || seen.len() > MAX_PICKED * 4_096 {
                break;
            }
            let mut choice = self.default();
            for (position, variable) in self.variables.iter().enumerate() {
                set(&mut choice, position, random.below(variable.values.len()));
            }
            useless += 1;
            let Some(choice) = self.allowed(choice, &[]) else {
                continue;
            };
            if self.note(&choice, &mut seen) {
                choices.push(choice);
                useless = 0;
            }
        }
        self.directed(&mut choices, &mut seen);
        choices
    }

    /// Adds what no arbitrary combination shows: a condition of many values that must all be right.
    fn directed(&self, choices: &mut Vec<Choice>, seen: &mut BTreeSet<Seen>) {
        let count = self.conditions.len();
        let (mut tried, mut changed) = (0, 0);
        for first in 0..count {
            for second in first..count {
                let mut positions = self.variables_of(first);
                positions.extend(self.variables_of(second));
                let positions: Vec<usize> = positions.into_iter().collect();
                let size = size(&self.variables, &positions);
                if choices.len() >= MAX_COMBINATIONS || size > MAX_DIRECTED || tried + size > MAX_TRIED {
                    continue;
                }
                if [(true, true), (true, false), (false, true), (false, false)]
                    .iter()
                    .all(|truth| seen.contains(&Seen::Pair(first, second, truth.0, truth.1)))
                {
                    continue;
                }
                tried += size;
                for choice in product(&self.variables, &positions, &self.default()) {
                    let choice = match self.truths(&choice) {
                        Some(_) => choice,
                        None if changed >= MAX_CHANGED => continue,
                        None => {
                            changed += 1;
                            match self.allowed(choice, &positions) {
                                Some(choice) => choice,
                                None => continue,
                            }
                        }
                    };
                    let Some(truths) = self.truths(&choice) else {
                        continue;
                    };
                    let (Some(one), Some(other)) = (truths.get(first), truths.get(second)) else {
                        continue;
                    };
                    if !seen.contains(&Seen::Pair(first, second, *one, *other)) {
                        self.note(&choice, seen);
                        choices.push(choice);
                    }
                }
            }
        }
    }

    /// Returns the positions of the variables that a condition depends on.
    fn variables_of(&self, condition: usize) -> BTreeSet<usize> {
        let Some((index, name)) = self.conditions.get(condition) else {
            return BTreeSet::new();
        };
        let keys = variables::of_condition(self.program, *index, name);
        positions(&self.variables, |variable| {
            keys.contains(&variable.key) || matches!(variable.key, VariableKey::Equality(_))
        })
        .into_iter()
        .collect()
    }

    /// Notes what a choice shows of three conditions; returns whether any of it is new.
    fn note(&self, choice: &Choice, seen: &mut BTreeSet<Seen>) -> bool {
        let Some(truths) = self.truths(choice) else {
            return false;
        };
        let before = seen.len();
        for (position, (variable, value)) in self.variables.iter().zip(choice).enumerate() {
            // A value that no condition depends on can be a hole in what one makes.
            let others = truths.iter().enumerate().filter(|_| !variable.decides);
            seen.extend(others.map(|(condition, truth)| Seen::Value(condition, *truth, position, *value)));
        }
        // Of very many conditions two at a time are enough to go through.
        let with_triples = truths.len() <= 24;
        for (first, one) in truths.iter().enumerate() {
            for (second, other) in truths.iter().enumerate().skip(first) {
                seen.insert(Seen::Pair(first, second, *one, *other));
                let thirds = truths
                    .iter()
                    .enumerate()
                    .skip(second + 1)
                    .filter(|_| with_triples);
                for (third, last) in thirds {
                    seen.insert(Seen::Triple([first, second, third], [*one, *other, *last]));
                }
            }
        }
        seen.len() > before
    }

    /// Returns the defaults, and each other value alone.
    pub(super) fn singles(&self) -> Vec<Choice> {
        let mut choices = vec![self.default()];
        for (position, variable) in self.variables.iter().enumerate() {
            for value in 1..variable.values.len() {
                let mut choice = self.default();
                set(&mut choice, position, value);
                // Where the rules exclude it by itself, with what it needs.
                choices.extend(self.allowed(choice, &[position]));
            }
        }
        choices
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Pair(usize, usize, bool, bool),
    Value(usize, bool, usize, usize),
    Triple([usize; 3], [bool; 3]),
}

fn positions(variables: &[Variable], wanted: impl Fn(&Variable) -> bool) -> Vec<usize> {
    let variables = variables.iter().enumerate();
    variables
        .filter(|(_, variable)| wanted(variable))
        .map(|(position, _)| position)
        .collect()
}

fn size(variables: &[Variable], positions: &[usize]) -> usize {
    let sizes = positions.iter().filter_map(|position| variables.get(*position));
    sizes.fold(1, |product: usize, variable| {
        product.saturating_mul(variable.values.len())
    })
}

/// Returns every combination of the values of some variables, with the others as in `base`.
fn product(variables: &[Variable], positions: &[usize], base: &Choice) -> Vec<Choice> {
    let mut choices = vec![base.clone()];
    for position in positions {
        let count = variables
            .get(*position)
            .map_or(1, |variable| variable.values.len());
        choices = choices
            .iter()
            .flat_map(|choice| {
                (0..count).map(move |value| {
                    let mut choice = choice.clone();
                    set(&mut choice, *position, value);
                    choice
                })
            })
            .collect();
    }
    choices
}

pub(super) fn set(choice: &mut Choice, position: usize, value: usize) {
    if let Some(slot) = choice.get_mut(position) {
        *slot = value;
    }
}

/// Numbers that are the same in every run (xorshift64*).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number)
            .unwrap_or(0)
            .checked_rem(bound)
            .unwrap_or(0)
    }
}
