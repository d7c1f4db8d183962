//! Issuers of the entries of a list (RFC 5280 §5.3.3).

use std::collections::HashMap;

use super::points::names_directory;

/// Issuers that the entries of a list name. Each entry is of the issuer that it names, or else of
/// that of the entry before it; those before the first name are of the list's own issuer.
#[derive(Debug, Default)]
pub(super) struct EntryIssuers {
    /// Values of certificateIssuer, each once.
    values: Vec<Box<[u8]>>,
    /// Position from which on entries are of the issuer with this number, in ascending order.
    changes: Vec<(u32, u32)>,
}

/// The issuer whose entries are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryIssuer<'n> {
    /// Whole encoding of its name.
    pub(super) name: &'n [u8],
    /// Set if it is the issuer of the list.
    pub(super) is_of_list: bool,
}

impl EntryIssuers {
    /// Returns true if no entry names an issuer.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Returns true if the entry at this position is of the issuer.
    pub(super) fn are(&self, issuer: EntryIssuer<'_>, position: u32) -> bool {
        let next = self.changes.partition_point(|(from, _)| *from <= position);
        let Some((_, number)) = next.checked_sub(1).and_then(|last| self.changes.get(last)) else {
            return issuer.is_of_list;
        };
        let value = usize::try_from(*number)
            .ok()
            .and_then(|number| self.values.get(number));
        // It was read when it was noted.
        value.is_some_and(|value| names_directory(value, issuer.name).unwrap_or(true))
    }
}

/// Issuers that are noted in the order of the entries.
#[derive(Default)]
pub(super) struct EntryIssuersBuilder {
    numbers: HashMap<Box<[u8]>, u32>,
    issuers: EntryIssuers,
}

impl EntryIssuersBuilder {
    /// Notes that the entry at this position has a certificateIssuer with this value, which can be
    /// read.
    pub(super) fn note(&mut self, position: u32, value: &[u8]) {
        let number = match self.numbers.get(value) {
            Some(number) => *number,
            None => {
                let next = u32::try_from(self.issuers.values.len()).unwrap_or(u32::MAX);
                self.numbers.insert(value.into(), next);
                self.issuers.values.push(value.into());
                next
            }
        };
        // Some CAs repeat the name in every entry.
        if self
            .issuers
            .changes
            .last()
            .is_none_or(|(_, last)| *last != number)
        {
            self.issuers.changes.push((position, number));
        }
    }

    pub(super) fn finish(mut self) -> EntryIssuers {
        self.issuers.changes.shrink_to_fit();
        self.issuers
    }
}
