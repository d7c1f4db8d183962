use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::extensions::identifier;
use super::*;
use crate::x509::der::{Tag, encode};

/// Storage in memory that can be broken.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    octets: Vec<u8>,
    is_broken: Arc<AtomicBool>,
}

impl ListStorage for Memory {
    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        self.octets.extend_from_slice(octets);
        Ok(())
    }

    fn read_at(&self, position: u64, octets: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(position).unwrap();
        let wanted = self.octets.get(start..start + octets.len());
        match wanted {
            Some(wanted) if !self.is_broken.load(Ordering::Relaxed) => {
                octets.copy_from_slice(wanted);
                Ok(())
            }
            _ => Err(io::Error::other("broken")),
        }
    }
}

const OWN: EntryIssuer<'static> = EntryIssuer {
    name: &[],
    is_of_list: true,
};

fn serial(number: u64) -> Vec<u8> {
    // Numbers that are close to each other, and of different lengths.
    let octets = number.to_be_bytes();
    let first = octets.iter().position(|octet| *octet != 0).unwrap_or(7);
    [&[1][..], octets.get(first..).unwrap()].concat()
}

fn entry(serial: &[u8], rest: &[u8]) -> Vec<u8> {
    let serial = encode(Tag::INTEGER, &[serial]);
    encode(Tag::SEQUENCE, &[&serial, b"\x17\x0D250101000000Z", rest])
}

fn reason() -> Vec<u8> {
    let code = encode(Tag::ENUMERATED, &[&[4]]);
    let value = encode(Tag::OCTET_STRING, &[&code]);
    let oid = encode(Tag::OBJECT_IDENTIFIER, &[identifier::REASON_CODE]);
    encode(Tag::SEQUENCE, &[&encode(Tag::SEQUENCE, &[&oid, &value])])
}

fn store(entries: &[Vec<u8>], announced: usize) -> (StoredEntries, Arc<AtomicBool>) {
    let memory = Memory::default();
    let is_broken = Arc::clone(&memory.is_broken);
    let mut builder = StoredEntriesBuilder::new(Box::new(memory), 0, announced);
    let mut position = 0;
    for entry in entries {
        builder.append(entry).unwrap();
        builder.add(&mut Elements::at(entry, position)).unwrap();
        position += entry.len();
    }
    let (stored, defects) = builder.finish(position).unwrap();
    assert_eq!(defects.first(false), None);
    (stored, is_broken)
}

#[test]
fn finds_every_entry_and_no_other_whatever_the_length_of_the_first_ones() {
    for (count, long) in [
        (0_u64, 0),
        (1, 0),
        (100, 100),
        (4_095, 0),
        (4_096, 0),
        (30_000, 0),
        (30_000, 8_000),
    ] {
        let entries: Vec<Vec<u8>> = (0..count)
            .map(|number| {
                entry(
                    &serial(2 * number),
                    &if number < long { reason() } else { Vec::new() },
                )
            })
            .collect();
        let length = entries.iter().map(Vec::len).sum();
        let (stored, _) = store(&entries, length);
        assert_eq!(stored.len(), usize::try_from(count).unwrap());
        for number in 0..count {
            let found = stored.find(OWN, &serial(2 * number));
            assert_eq!(found.len(), 1, "{number} of {count}");
            assert_eq!(found.first().unwrap().reason.is_some(), number < long);
            assert!(stored.find(OWN, &serial(2 * number + 1)).is_empty());
        }
    }
}

#[test]
fn entry_that_cannot_be_read_again_counts_as_revoked() {
    let entries: Vec<Vec<u8>> = (0..5_000).map(|number| entry(&serial(number), &[])).collect();
    let (stored, is_broken) = store(&entries, entries.iter().map(Vec::len).sum());
    is_broken.store(true, Ordering::Relaxed);
    for number in 0..5_000 {
        let found = stored.find(OWN, &serial(number));
        assert_eq!(found.first().unwrap().reason, Some(RevocationReason::Unreadable));
    }
}

#[test]
fn leading_zeros_do_not_hide_an_entry() {
    let entries = [entry(&[0, 0, 0x85], &[]), entry(&[5], &[])];
    let (stored, _) = store(&entries, 40);
    assert_eq!(stored.find(OWN, &[0, 0x85]).len(), 1);
    assert_eq!(stored.find(OWN, &[0, 0, 5]).len(), 1);
    assert!(stored.find(OWN, &[0x85]).is_empty(), "that is a negative number");
}

#[test]
fn blocks_grow_with_the_list() {
    for entries in [0, 1, 1 << 20, 10_000_000, 16_000_000, 50_000_000, 100_000_000] {
        let length = table::block_length(entries);
        assert!(entries / length < 1 << 18, "{entries}");
        assert!(length >= table::MIN_BLOCK && length.is_power_of_two());
    }
    assert_eq!(table::block_length(10_000_000), 64);
}
