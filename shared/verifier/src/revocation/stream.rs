//! Large lists, read while they arrive.
//!
//! The signature of a list is over every octet of it, and its issuer is found at its end. So the
//! octets are hashed and indexed as they come and kept in a storage; nothing that they say counts
//! before the signature was verified with the hash. No other file is believed: an index of
//! another program would have to be proven against the list, for which the whole list would have to
//! be read as well.

use std::fmt;

use aws_lc_rs::digest::Context;

use super::error::{RevocationListError, RevocationListErrorKind};
use super::list::RevocationList;
use super::stored::{ListStorage, StorageError, StoredEntries, StoredEntriesBuilder};
use crate::signature::hash_function;
use crate::x509::der::{Elements, Malformed, Tag, encode, read_header};

/// Octets before the entries: versions, an algorithm, a name and two dates. Names of CAs have
/// hundreds of octets.
const MAX_HEAD: usize = 64 * 1_024;

/// Octets after the entries: extensions and the signature, some 10 KB at most.
const MAX_TAIL: usize = 1_024 * 1_024;

/// Longest entry. Real ones have tens of octets, and hundreds with a certificateIssuer.
const MAX_ENTRY: usize = 64 * 1_024;

/// Reader of one CRL in DER that arrives in parts, for lists that are too large for memory.
///
/// The octets are kept in a storage. Memory holds four to five octets for each entry, and lookups
/// are exact: see [`ListStorage`].
pub struct RevocationListStream {
    total: usize,
    /// Octets that were not understood yet, or are kept.
    pending: Vec<u8>,
    /// Position of the first of them.
    position: usize,
    stage: Stage,
}

enum Stage {
    /// Before the entries.
    Head(Box<dyn ListStorage>),
    Entries(Box<Reading>),
    /// After the entries.
    Tail(Box<Reading>),
    /// A storage failed, and took the entries with it.
    Failed,
}

struct Reading {
    head: Head,
    /// Octets of the head.
    octets: Vec<u8>,
    entries: StoredEntriesBuilder,
    digest: Context,
    /// Set once an entry has no end, so that those after it cannot be found.
    is_skipping: bool,
}

/// Positions in a list, from its beginning.
#[derive(Clone, Copy, Debug)]
struct Head {
    file_end: usize,
    signed_start: usize,
    /// Begin of the content of what is signed.
    fields_start: usize,
    signed_end: usize,
    /// Begin of the element with the entries.
    fields_end: usize,
    entries_start: usize,
    entries_end: usize,
}

impl RevocationListStream {
    /// Returns true if the octets at the beginning of a file are those of a CRL in DER that can be
    /// read in parts.
    ///
    /// The signatures of some algorithms need the whole list: those of ML-DSA, and all with the
    /// FIPS module.
    pub fn can_read(head: &[u8]) -> bool {
        matches!(read_head(head), Ok((_, algorithm)) if hash_function(algorithm).is_some())
    }

    /// Begins to read a list, which an empty storage will contain.
    pub fn new(storage: Box<dyn ListStorage>) -> Self {
        Self {
            total: 0,
            pending: Vec::new(),
            position: 0,
            stage: Stage::Head(storage),
        }
    }

    /// Takes the next octets.
    ///
    /// # Errors
    /// [`RevocationListError`] if they cannot be those of a CRL, or the storage failed. Nothing can
    /// be read after that.
    pub fn push(&mut self, octets: &[u8]) -> Result<(), RevocationListError> {
        self.take(octets).map_err(|problem| {
            self.stage = Stage::Failed;
            alone(problem)
        })
    }

    fn take(&mut self, octets: &[u8]) -> Result<(), RevocationListErrorKind> {
        let start = self.total;
        self.total = self.total.saturating_add(octets.len());
        match &mut self.stage {
            Stage::Failed => return Err(failed()),
            Stage::Head(storage) => {
                storage
                    .append(octets)
                    .map_err(|error| StorageError::from(error).into_kind())?;
                self.pending.extend_from_slice(octets);
                return self.read_head();
            }
            Stage::Entries(reading) | Stage::Tail(reading) => {
                reading
                    .entries
                    .append(octets)
                    .map_err(|error| StorageError::from(error).into_kind())?;
                // What is signed ends before the signature.
                let signed = reading.head.signed_end.saturating_sub(start).min(octets.len());
                reading.digest.update(octets.get(..signed).unwrap_or_default());
                self.pending.extend_from_slice(octets);
            }
        }
        self.read_entries()
    }

    fn read_head(&mut self) -> Result<(), RevocationListErrorKind> {
        let found = match read_head(&self.pending) {
            Err(Malformed) if self.pending.len() < MAX_HEAD => return Ok(()),
            Err(Malformed) => return Err(malformed("the CRL", 0)),
            Ok((head, algorithm)) => hash_function(algorithm).map(|hash| (head, hash)),
        };
        let Some((head, hash)) = found else {
            return Err(malformed(
                "a signature algorithm that can be verified in parts",
                0,
            ));
        };
        let Stage::Head(storage) = std::mem::replace(&mut self.stage, Stage::Failed) else {
            return Err(failed());
        };
        let mut digest = Context::new(hash);
        let signed = head.signed_end.min(self.pending.len());
        digest.update(self.pending.get(head.signed_start..signed).unwrap_or_default());
        let length = head.entries_end - head.entries_start;
        let rest = self.pending.split_off(head.entries_start);
        let octets = std::mem::replace(&mut self.pending, rest);
        self.position = head.entries_start;
        self.stage = Stage::Entries(Box::new(Reading {
            head,
            octets,
            // Whether a list is indirect stands after its entries: what is a defect of others is
            // decided then.
            entries: StoredEntriesBuilder::new(storage, head.entries_start, length),
            digest,
            is_skipping: false,
        }));
        self.read_entries()
    }

    fn read_entries(&mut self) -> Result<(), RevocationListErrorKind> {
        let Stage::Entries(reading) = &mut self.stage else {
            return self.check_tail();
        };
        let end = reading.head.entries_end;
        let here = end.saturating_sub(self.position).min(self.pending.len());
        let mut entries = Elements::at(self.pending.get(..here).unwrap_or_default(), self.position);
        while !entries.at_end() {
            if !reading.is_skipping && entries.has_whole_element() {
                let added = reading.entries.add(&mut entries);
                added.map_err(StorageError::into_kind)?;
                continue;
            }
            let is_all_here = entries.position() + entries.octets_left() == end;
            if reading.is_skipping {
                entries = Elements::at(&[], self.position + here);
            } else if is_all_here || entries.octets_left() > MAX_ENTRY {
                reading.entries.note_malformed(entries.position());
                reading.is_skipping = true;
            } else {
                break;
            }
        }
        let read = entries.position() - self.position;
        self.pending.drain(..read);
        self.position += read;
        if self.position < end {
            return Ok(());
        }
        if let Stage::Entries(reading) = std::mem::replace(&mut self.stage, Stage::Failed) {
            self.stage = Stage::Tail(reading);
        }
        self.check_tail()
    }

    fn check_tail(&self) -> Result<(), RevocationListErrorKind> {
        let is_too_long = match &self.stage {
            Stage::Tail(reading) => self.total > reading.head.file_end,
            _ => false,
        };
        if is_too_long || (matches!(self.stage, Stage::Tail(_)) && self.pending.len() > MAX_TAIL) {
            return Err(malformed("nothing more", self.position));
        }
        Ok(())
    }

    /// Ends the list.
    ///
    /// # Errors
    /// [`RevocationListError`] under the conditions of [`RevocationList::from_der`], and if the
    /// storage failed.
    pub fn finish(self) -> Result<RevocationList, RevocationListError> {
        let cut_off = malformed("the CRL", self.total);
        let Stage::Tail(reading) = self.stage else {
            return Err(alone(cut_off));
        };
        let reading = *reading;
        let head = reading.head;
        if self.total != head.file_end {
            return Err(alone(cut_off));
        }
        // The list without its entries is read like any other, so that there is one reader.
        let before = reading.octets.get(head.fields_start..head.fields_end);
        let after = self.pending.split_at_checked(head.signed_end - head.entries_end);
        let (Some(before), Some((after, rest))) = (before, after) else {
            return Err(alone(cut_off));
        };
        let signed = encode(Tag::SEQUENCE, &[before, after]);
        let skeleton = encode(Tag::SEQUENCE, &[&signed, rest]);
        let (entries, defects) = reading
            .entries
            .finish(head.entries_end)
            .map_err(|error| alone(error.into_kind()))?;
        let parts = StreamedParts {
            entries,
            defects,
            digest: reading.digest.finish(),
            length: head.file_end,
        };
        RevocationList::from_parts(skeleton, parts)
    }
}

/// Parts of a list beside its fields, which were found while it arrived.
pub(super) struct StreamedParts {
    pub(super) entries: StoredEntries,
    pub(super) defects: super::stored::EntryDefects,
    /// Digest of what is signed.
    pub(super) digest: aws_lc_rs::digest::Digest,
    /// Octets of the whole list.
    pub(super) length: usize,
}

/// Reads what stands before the entries, and the content of the AlgorithmIdentifier in it.
fn read_head(octets: &[u8]) -> Result<(Head, &[u8]), Malformed> {
    let from = |position: usize| octets.get(position..).ok_or(Malformed);
    let header = |position: usize| -> Result<(Tag, usize, usize), Malformed> {
        let (tag, header, length) = read_header(from(position)?)?;
        let start = position.checked_add(header).ok_or(Malformed)?;
        Ok((tag, start, start.checked_add(length).ok_or(Malformed)?))
    };
    let (Tag::SEQUENCE, signed_start, file_end) = header(0)? else {
        return Err(Malformed);
    };
    let (Tag::SEQUENCE, fields_start, signed_end) = header(signed_start)? else {
        return Err(Malformed);
    };
    let mut fields = Elements::at(from(fields_start)?, fields_start);
    fields.optional(Tag::INTEGER)?;
    let algorithm = fields.content(Tag::SEQUENCE)?;
    fields.expect(Tag::SEQUENCE)?;
    fields.next_element()?;
    if matches!(fields.peek(), Some(Tag::UTC_TIME | Tag::GENERALIZED_TIME)) {
        fields.next_element()?;
    }
    let fields_end = fields.position();
    let (tag, entries_start, entries_end) = match fields_end == signed_end {
        true => (Tag::SEQUENCE, fields_end, fields_end),
        false => header(fields_end)?,
    };
    let (entries_start, entries_end) = match tag {
        Tag::SEQUENCE => (entries_start, entries_end),
        // No entries.
        _ => (fields_end, fields_end),
    };
    let head = Head {
        file_end,
        signed_start,
        fields_start,
        signed_end,
        fields_end,
        entries_start,
        entries_end,
    };
    if entries_end <= signed_end && signed_end <= file_end {
        Ok((head, algorithm))
    } else {
        Err(Malformed)
    }
}

fn malformed(field: &'static str, offset: usize) -> RevocationListErrorKind {
    RevocationListErrorKind::Malformed { field, offset }
}

fn failed() -> RevocationListErrorKind {
    RevocationListErrorKind::Unreadable("it failed before".to_owned())
}

fn alone(problem: RevocationListErrorKind) -> RevocationListError {
    RevocationListError {
        entry: None,
        issuer: None,
        problem,
    }
}

impl StorageError {
    fn into_kind(self) -> RevocationListErrorKind {
        RevocationListErrorKind::Unreadable(self.to_string())
    }
}

impl fmt::Debug for RevocationListStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RevocationListStream({} octets)", self.total)
    }
}
