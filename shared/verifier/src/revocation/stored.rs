//! Entries of a large list that stay in a storage outside of memory.
//!
//! Memory keeps four to five octets for each entry: a short fingerprint of its serial number, and
//! the block of entries that it is in. A serial number whose fingerprint is not there is not on the
//! list. For one whose fingerprint is there, the block is read and whole serial numbers are
//! compared, so that the answer is exact.

mod table;

use std::fmt;
use std::hash::BuildHasher;
use std::io;

use super::entries::{Entry, RevocationReason, RevokedCertificate};
use super::entry_issuers::{EntryIssuer, EntryIssuers, EntryIssuersBuilder};
use super::error::RevocationListErrorKind;
use crate::x509::der::{Elements, Malformed, shortest};
use table::FingerprintTable;

/// Storage of the octets of a large list, such as a file. Nothing but the list may write to it: its
/// octets are verified when they arrive and not again.
pub trait ListStorage: fmt::Debug + Send + Sync {
    /// Adds octets at the end.
    ///
    /// # Errors
    /// Those of the storage.
    fn append(&mut self, octets: &[u8]) -> io::Result<()>;

    /// Reads octets from a position on, as many as there is room for.
    ///
    /// # Errors
    /// Those of the storage, and that it ends before.
    fn read_at(&self, position: u64, octets: &mut [u8]) -> io::Result<()>;
}

/// Octets that are read at once while entries are indexed again.
const REPLAYED: usize = 256 * 1_024;

/// Entries that are looked at for the usual length of one, before the table is made.
const SAMPLED: usize = 4_096;

/// Most entries of a list: a table of 160 MB. No CA has a tenth of it, and without a limit a file
/// of tiny entries, whose signature is not verified yet, could take all memory.
const MAX_ENTRIES: usize = 1 << 25;

/// Entries of a list in a storage, with the index of them.
pub(super) struct StoredEntries {
    storage: Box<dyn ListStorage>,
    table: FingerprintTable,
    /// Position of the first entry of each block, then the end of the last one.
    blocks: Vec<u32>,
    count: usize,
    issuers: EntryIssuers,
    hasher: SerialNumberHasher,
}

impl StoredEntries {
    /// Returns the number of entries.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Returns the entries of an issuer with this serial number. A block that cannot be read counts
    /// as an entry: its fingerprint says that the certificate is almost certainly on the list.
    pub(super) fn find(&self, issuer: EntryIssuer<'_>, serial_number: &[u8]) -> Vec<RevokedCertificate> {
        let mut found = Vec::new();
        let mut last = None;
        for block in self.table.find(self.hasher.hash(serial_number)) {
            // Several fingerprints of one block can be equal.
            if last.replace(block) == Some(block) {
                continue;
            }
            if self.find_in(block, issuer, serial_number, &mut found).is_none() {
                found.push(RevokedCertificate {
                    revoked_at: None,
                    reason: Some(RevocationReason::Unreadable),
                });
            }
        }
        found
    }

    /// Looks through a block. Returns `None` if it cannot be read.
    fn find_in(
        &self,
        block: usize,
        issuer: EntryIssuer<'_>,
        serial_number: &[u8],
        found: &mut Vec<RevokedCertificate>,
    ) -> Option<()> {
        let (start, end) = (*self.blocks.get(block)?, *self.blocks.get(block + 1)?);
        let mut octets = vec![0; usize::try_from(end.checked_sub(start)?).ok()?];
        self.storage.read_at(start.into(), &mut octets).ok()?;
        let mut entries = Elements::at(&octets, usize::try_from(start).ok()?);
        while !entries.at_end() {
            let position = u32::try_from(entries.position()).ok()?;
            // The same octets were elements when they arrived.
            let element = entries.next_element().ok()?;
            let Ok(entry) = Entry::read(element) else { continue };
            if entry.is_of(serial_number) && self.issuers.are(issuer, position) {
                found.push(entry.details());
            }
        }
        Some(())
    }

    /// Returns the storage, with the octets of the whole list.
    pub(super) fn storage(&self) -> &dyn ListStorage {
        &*self.storage
    }

    /// Returns true if an entry names its issuer.
    pub(super) fn name_issuers(&self) -> bool {
        !self.issuers.is_empty()
    }
}

impl fmt::Debug for StoredEntries {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "StoredEntries({} entries)", self.count)
    }
}

/// Hash of serial numbers with a secret of the process, so that no CA can make its entries collide.
#[derive(Clone, Copy)]
struct SerialNumberHasher([u64; 2]);

impl SerialNumberHasher {
    fn new() -> Self {
        let secret = || std::hash::RandomState::new().hash_one(0_u8);
        Self([secret(), secret()])
    }

    fn hash(self, serial_number: &[u8]) -> u64 {
        let [first, second] = self.0;
        let fold = |left: u64, right: u64| {
            let [low, high] = split(u128::from(left) * u128::from(right));
            low ^ high
        };
        let number = shortest(serial_number);
        let length = u64::try_from(number.len()).unwrap_or(u64::MAX);
        let mixed = number.chunks(8).fold(first ^ length, |mixed, chunk| {
            let mut octets = [0; 8];
            for (to, from) in octets.iter_mut().zip(chunk) {
                *to = *from;
            }
            fold(mixed ^ u64::from_le_bytes(octets), second | 1)
        });
        fold(mixed ^ second, first | 1)
    }
}

fn split(product: u128) -> [u64; 2] {
    let low = u64::try_from(product & u128::from(u64::MAX)).unwrap_or_default();
    let high = u64::try_from(product >> 64).unwrap_or_default();
    [low, high]
}

/// Index of entries that arrive in order.
pub(super) struct StoredEntriesBuilder {
    storage: Box<dyn ListStorage>,
    /// Position of the first entry.
    start: usize,
    /// Octets of all entries.
    length: usize,
    /// Hashes of the first entries, until there are enough to know how large the table becomes.
    sample: Vec<u64>,
    table: Option<FingerprintTable>,
    /// Entries in a block.
    block_length: usize,
    blocks: Vec<u32>,
    count: usize,
    issuers: EntryIssuersBuilder,
    hasher: SerialNumberHasher,
    defects: EntryDefects,
}

/// First defects of the entries.
#[derive(Debug, Default)]
pub(super) struct EntryDefects {
    /// For a list that is not indirect.
    of_direct: Option<RevocationListErrorKind>,
    /// For an indirect CRL, whose entries can name issuers.
    of_indirect: Option<RevocationListErrorKind>,
}

impl EntryDefects {
    /// Returns the first defect.
    pub(super) fn first(self, is_indirect: bool) -> Option<RevocationListErrorKind> {
        match is_indirect {
            true => self.of_indirect,
            false => self.of_direct,
        }
    }

    fn note(&mut self, defect: &RevocationListErrorKind) {
        self.of_direct.get_or_insert_with(|| defect.clone());
        self.of_indirect.get_or_insert_with(|| defect.clone());
    }
}

impl StoredEntriesBuilder {
    pub(super) fn new(storage: Box<dyn ListStorage>, start: usize, length: usize) -> Self {
        Self {
            storage,
            start,
            length,
            sample: Vec::new(),
            table: None,
            block_length: table::MIN_BLOCK,
            blocks: Vec::new(),
            count: 0,
            issuers: EntryIssuersBuilder::default(),
            hasher: SerialNumberHasher::new(),
            defects: EntryDefects::default(),
        }
    }

    pub(super) fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        self.storage.append(octets)
    }

    /// Notes that the entry at this position cannot be read whole.
    pub(super) fn note_malformed(&mut self, offset: usize) {
        let field = "an entry";
        self.defects
            .note(&RevocationListErrorKind::Malformed { field, offset });
    }

    /// Adds the only element of a reader, as
    /// [`EntryIndex::build`](super::entries::EntryIndex::build) does.
    pub(super) fn add(&mut self, entries: &mut Elements<'_>) -> Result<(), StorageError> {
        let offset = entries.position();
        let (element, position) = (
            entries.next_element()?,
            u32::try_from(offset).map_err(Malformed::from)?,
        );
        if self.count.is_multiple_of(self.block_length) {
            self.blocks.push(position);
        }
        // One that cannot be read has a place in its block too.
        self.count += 1;
        let Ok(entry) = Entry::read(element) else {
            self.note_malformed(offset);
            return Ok(());
        };
        if !entry.is_whole {
            self.note_malformed(offset);
        }
        if !entry.is_usual() {
            let notes = entry.notes(true);
            if let Some(value) = notes.issuer {
                self.issuers.note(position, value);
            }
            let defects = &mut self.defects;
            if let Some(problem) = notes.problem {
                defects.of_indirect.get_or_insert(problem);
            }
            // Whether the list is indirect stands after its entries.
            if let Some(problem) = entry.notes(false).problem {
                defects.of_direct.get_or_insert(problem);
            }
        }
        let hash = self.hasher.hash(entry.serial_number);
        let after = offset + element.encoding.len();
        self.index(hash, after)
    }

    /// Adds a fingerprint for the last block; `after` is the end of its entry.
    fn index(&mut self, hash: u64, after: usize) -> Result<(), StorageError> {
        match &mut self.table {
            None => {
                self.sample.push(hash);
                if self.sample.len() == SAMPLED {
                    // As many entries as there are if the rest is like these, and a fiftieth more.
                    let read = after.saturating_sub(self.start).max(1);
                    let expected = scale(self.length, self.count, read);
                    self.begin(expected + expected / 50, after)?;
                }
                Ok(())
            }
            Some(table) => {
                let block = self.blocks.len().saturating_sub(1);
                if table.insert(hash, block) {
                    return Ok(());
                }
                // The rest has shorter entries than the beginning.
                self.begin(self.count + self.count / 2, after)
            }
        }
    }

    /// Makes a table for so many entries, and indexes those up to `after`.
    fn begin(&mut self, expected: usize, after: usize) -> Result<(), StorageError> {
        if expected > MAX_ENTRIES {
            return Err(StorageError::TooMany);
        }
        self.sample = Vec::new();
        // Both together would take twice the memory.
        self.table = None;
        self.block_length = table::block_length(expected);
        let mut table = FingerprintTable::new(expected);
        self.blocks = Vec::with_capacity(expected / self.block_length + 2);
        let mut count = 0_usize;
        let mut is_full = false;
        let (hasher, block_length) = (self.hasher, self.block_length);
        let blocks = &mut self.blocks;
        replay(&*self.storage, self.start..after, |entries| {
            let offset = entries.position();
            let element = entries.next_element()?;
            if count.is_multiple_of(block_length) {
                blocks.push(u32::try_from(offset)?);
            }
            count += 1;
            if let Ok(entry) = Entry::read(element) {
                is_full |= !table.insert(hasher.hash(entry.serial_number), blocks.len().saturating_sub(1));
            }
            Ok(())
        })?;
        if is_full {
            return Err(StorageError::Index);
        }
        self.table = Some(table);
        Ok(())
    }

    /// Ends the index; `end` is the end of the last entry.
    pub(super) fn finish(mut self, end: usize) -> Result<(StoredEntries, EntryDefects), StorageError> {
        if self.table.is_none() {
            self.begin(self.count, end)?;
        }
        self.blocks
            .push(u32::try_from(end).map_err(|_| StorageError::Index)?);
        let entries = StoredEntries {
            storage: self.storage,
            table: self.table.ok_or(StorageError::Index)?,
            blocks: self.blocks,
            count: self.count,
            issuers: self.issuers.finish(),
            hasher: self.hasher,
        };
        Ok((entries, self.defects))
    }
}

fn scale(whole: usize, count: usize, part: usize) -> usize {
    whole.saturating_mul(count).checked_div(part).unwrap_or(whole)
}

/// Failure of storing or indexing entries.
#[derive(Debug, thiserror::Error)]
pub(super) enum StorageError {
    #[error("the storage of its entries failed: {0}")]
    Storage(#[from] io::Error),
    #[error("its entries cannot be indexed")]
    Index,
    #[error("it has more than {MAX_ENTRIES} entries")]
    TooMany,
}

impl From<Malformed> for StorageError {
    fn from(_: Malformed) -> Self {
        Self::Index
    }
}

/// Passes on the elements of a range of the storage one by one.
fn replay(
    storage: &dyn ListStorage,
    range: std::ops::Range<usize>,
    mut visit: impl FnMut(&mut Elements<'_>) -> Result<(), Malformed>,
) -> Result<(), StorageError> {
    let mut octets = Vec::new();
    let mut position = range.start;
    while position < range.end {
        let length = REPLAYED.min(range.end - position);
        octets.resize(length, 0);
        let from = u64::try_from(position).map_err(|_| StorageError::Index)?;
        storage.read_at(from, &mut octets)?;
        let mut entries = Elements::at(&octets, position);
        while entries.has_whole_element() {
            visit(&mut entries)?;
        }
        // An entry is shorter than what is read at once.
        if entries.position() == position {
            return Err(StorageError::Index);
        }
        position = entries.position();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
