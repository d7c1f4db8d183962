//! Choice of the combinations that are examined.

mod seen;

use std::collections::BTreeSet;

use super::variables;
use super::{Choice, Examiner, VariableKey};
use seen::Seen;

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

/// `MAX_USELESS` for templates with rules, where each combination costs more.
const MAX_USELESS_WITH_RULES: usize = 40;

impl Examiner<'_> {
    pub(super) fn combinations(&mut self) -> Vec<Choice> {
        let variables = self.variables.as_slice();
        let sizes = variables.iter().map(|variable| variable.values.len());
        let all = sizes.fold(1_usize, |product, size| product.saturating_mul(size));
        let positions: Vec<usize> = (0..variables.len()).collect();
        let mut choices = match all <= EXHAUSTIVE {
            true => self.product(positions).collect(),
            false => {
                self.is_exhaustive = false;
                self.bounded()
            }
        };
        choices.retain(|choice| self.allows(choice));
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
        let mut seen = Seen::new(self.variables.as_slice(), self.conditions.len());
        for choice in &choices {
            seen.note(choice, &self.truths(choice));
        }
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut useless = 0;
        let max_useless = match self.rules.is_empty() {
            true => MAX_USELESS,
            false => MAX_USELESS_WITH_RULES,
        };
        for _ in 0..CANDIDATES {
            if useless > max_useless || choices.len() >= MAX_COMBINATIONS || seen.count() > MAX_PICKED * 4_096
            {
                break;
            }
            let mut choice = self.default();
            for (position, variable) in self.variables.as_slice().iter().enumerate() {
                set(&mut choice, position, random.below(variable.values.len()));
            }
            useless += 1;
            let Some(choice) = self.allowed(choice, &[]) else {
                continue;
            };
            if seen.note(&choice, &self.truths(&choice)) {
                choices.push(choice);
                useless = 0;
            }
        }
        self.directed(&mut choices, &mut seen);
        choices
    }

    /// Adds what no arbitrary combination shows: a condition of many values that must all be right.
    fn directed(&self, choices: &mut Vec<Choice>, seen: &mut Seen) {
        let of_conditions: Vec<BTreeSet<usize>> = (0..self.conditions.len())
            .map(|condition| self.variables_of(condition))
            .collect();
        let (mut tried, mut changed) = (0, 0);
        for (first, (one, of_one)) in self.conditions.iter().zip(&of_conditions).enumerate() {
            let others = self.conditions.iter().zip(&of_conditions).enumerate();
            for (second, (other, of_other)) in others.skip(first) {
                if choices.len() >= MAX_COMBINATIONS || seen.has_every_pair(first, second) {
                    continue;
                }
                let positions: Vec<usize> = of_one.union(of_other).copied().collect();
                let size = self.size(&positions);
                if size > MAX_DIRECTED || tried + size > MAX_TRIED {
                    continue;
                }
                tried += size;
                for choice in self.product(positions.clone()) {
                    let truths = (self.truth(one, &choice), self.truth(other, &choice));
                    if seen.has_pair(first, second, truths) {
                        continue;
                    }
                    let choice = match self.allows(&choice) {
                        true => choice,
                        false if changed >= MAX_CHANGED => continue,
                        false => {
                            changed += 1;
                            match self.allowed(choice, &positions) {
                                Some(choice) => choice,
                                None => continue,
                            }
                        }
                    };
                    if seen.note(&choice, &self.truths(&choice)) {
                        choices.push(choice);
                    }
                }
            }
        }
    }

    /// Returns the positions of the variables that a condition depends on.
    fn variables_of(&self, condition: usize) -> BTreeSet<usize> {
        let Some(condition) = self.conditions.get(condition) else {
            return BTreeSet::new();
        };
        let keys = variables::of_condition(self.program, condition.index, &condition.name);
        let mut positions = self.positions_of(&keys);
        let variables = self.variables.as_slice().iter().enumerate();
        let equalities = variables.filter(|(_, variable)| matches!(variable.key, VariableKey::Equality(_)));
        positions.extend(equalities.map(|(position, _)| position));
        positions
    }

    /// Returns the defaults, and each other value alone.
    pub(super) fn singles(&self) -> Vec<Choice> {
        let mut choices = vec![self.default()];
        for (position, variable) in self.variables.as_slice().iter().enumerate() {
            for value in 1..variable.values.len() {
                let mut choice = self.default();
                set(&mut choice, position, value);
                // Where the rules exclude it by itself, with what it needs.
                choices.extend(self.allowed(choice, &[position]));
            }
        }
        choices
    }

    fn size(&self, positions: &[usize]) -> usize {
        let sizes = positions
            .iter()
            .map(|position| self.variables.count_of_values(*position));
        sizes.fold(1, usize::saturating_mul)
    }

    /// Returns every combination of the values at some positions, with the defaults elsewhere.
    fn product(&self, positions: Vec<usize>) -> impl Iterator<Item = Choice> {
        let sizes: Vec<(usize, usize)> = positions
            .into_iter()
            .map(|position| (position, self.variables.count_of_values(position)))
            .collect();
        std::iter::successors(Some(self.default()), move |choice| {
            let mut next = choice.clone();
            for (position, size) in &sizes {
                let value = choice.get(*position).map_or(0, |value| value + 1);
                if value < *size {
                    set(&mut next, *position, value);
                    return Some(next);
                }
                set(&mut next, *position, 0);
            }
            None
        })
    }
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
