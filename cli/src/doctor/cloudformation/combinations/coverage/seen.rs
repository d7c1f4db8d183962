//! Ways in which conditions have been seen together, one bit for each.

use crate::doctor::cloudformation::evaluation::Variable;

/// Most conditions of which three at a time are noted: of very many, two are enough to go through.
const MAX_IN_TRIPLES: usize = 24;

/// The bits of pairs come first, then those of triples, then those of values.
pub(super) struct Seen {
    conditions: usize,
    has_triples: bool,
    /// Of the variables that no condition depends on, each with the number of values before its
    /// own: a value can be a hole in what a condition makes.
    values: Vec<(usize, usize)>,
    count_of_values: usize,
    bits: Vec<u64>,
    count: usize,
}

impl Seen {
    pub(super) fn new(variables: &[Variable], conditions: usize) -> Self {
        let mut values = Vec::new();
        let mut count_of_values = 0;
        for (position, variable) in variables.iter().enumerate() {
            if !variable.decides {
                values.push((position, count_of_values));
                count_of_values += variable.values.len();
            }
        }
        Self {
            conditions,
            has_triples: conditions <= MAX_IN_TRIPLES,
            values,
            count_of_values,
            bits: Vec::new(),
            count: 0,
        }
    }

    /// Returns the number of ways that were seen.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Notes what a choice shows; returns true if any of it is new.
    pub(super) fn note(&mut self, choice: &[usize], truths: &[bool]) -> bool {
        let before = self.count;
        for (first, one) in truths.iter().enumerate() {
            for (second, other) in truths.iter().enumerate().skip(first) {
                self.set(self.pair(first, second, (*one, *other)));
                if !self.has_triples {
                    continue;
                }
                let pair = first * self.conditions + second;
                for (third, last) in truths.iter().enumerate().skip(second + 1) {
                    let triple = (pair * self.conditions + third) * 8;
                    let truth = usize::from(*one) * 4 + usize::from(*other) * 2 + usize::from(*last);
                    self.set(self.pairs() + triple + truth);
                }
            }
            for slot in 0..self.values.len() {
                let (position, before) = self.values.get(slot).copied().unwrap_or_default();
                let value = before + choice.get(position).copied().unwrap_or_default();
                let of_condition = (first * 2 + usize::from(*one)) * self.count_of_values;
                self.set(self.pairs() + self.triples() + of_condition + value);
            }
        }
        self.count > before
    }

    pub(super) fn has_pair(&self, first: usize, second: usize, truths: (bool, bool)) -> bool {
        self.has(self.pair(first, second, truths))
    }

    /// Returns true if two conditions were seen in all four ways.
    pub(super) fn has_every_pair(&self, first: usize, second: usize) -> bool {
        let ways = [(true, true), (true, false), (false, true), (false, false)];
        ways.into_iter()
            .all(|truths| self.has_pair(first, second, truths))
    }

    const fn pairs(&self) -> usize {
        self.conditions * self.conditions * 4
    }

    const fn triples(&self) -> usize {
        match self.has_triples {
            true => self.conditions * self.conditions * self.conditions * 8,
            false => 0,
        }
    }

    fn pair(&self, first: usize, second: usize, (one, other): (bool, bool)) -> usize {
        (first * self.conditions + second) * 4 + usize::from(one) * 2 + usize::from(other)
    }

    fn has(&self, bit: usize) -> bool {
        let block = self.bits.get(bit / 64).copied().unwrap_or_default();
        block >> (bit % 64) & 1 == 1
    }

    fn set(&mut self, bit: usize) {
        if self.bits.len() <= bit / 64 {
            self.bits.resize(bit / 64 + 1, 0);
        }
        if let Some(block) = self.bits.get_mut(bit / 64)
            && *block >> (bit % 64) & 1 == 0
        {
            *block |= 1 << (bit % 64);
            self.count += 1;
        }
    }
}
