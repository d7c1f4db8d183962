//! Table of fingerprints: open addressing in groups of a cache line.

/// Fewest entries in a block. A block is read for each fingerprint that is found, so it is small:
/// 64 usual entries are 2.5 KB, less than a page of the file.
pub(super) const MIN_BLOCK: usize = 64;

/// Bits of the number of a block. With 64 entries in each they suffice for 16 million entries;
/// larger lists have larger blocks.
const BLOCK_BITS: u32 = 18;

/// Fingerprints are 1 to this number: 14 bits, of which zero marks an empty slot. A serial number
/// that is not on the list meets about 17 slots, so that one lookup in a thousand reads a block
/// without need.
const FINGERPRINTS: u64 = (1 << (32 - BLOCK_BITS)) - 1;

/// Slots in a group: 64 octets, which is a cache line.
const GROUP: usize = 16;

/// Slots for 100 entries. Fuller tables make lookups of what is not there walk through more groups.
const SLOTS_PER_HUNDRED: usize = 118;

/// Groups that one lookup or insertion walks through at most. With this much room a run of ten is
/// already unlikely, and the secret of the hash keeps a CA from making one.
const MAX_RUN: usize = 256;

/// Fingerprints of serial numbers with the blocks that the entries are in. Four octets each.
pub(super) struct FingerprintTable {
    slots: Vec<[u32; GROUP]>,
}

/// Returns the number of entries in a block of a list with so many entries.
pub(super) fn block_length(entries: usize) -> usize {
    let least = entries >> BLOCK_BITS;
    // Room for half as many again.
    (least + least / 2 + 1).next_power_of_two().max(MIN_BLOCK)
}

impl FingerprintTable {
    /// Creates a table with room for so many entries.
    pub(super) fn new(entries: usize) -> Self {
        let slots = entries.saturating_mul(SLOTS_PER_HUNDRED) / 100;
        Self {
            slots: vec![[0; GROUP]; slots / GROUP + 1],
        }
    }

    /// Adds a fingerprint. Returns false if the table is full.
    pub(super) fn insert(&mut self, hash: u64, block: usize) -> bool {
        let Ok(block) = u32::try_from(block) else {
            return false;
        };
        if block >> BLOCK_BITS != 0 {
            return false;
        }
        let (mut group, fingerprint) = self.place(hash);
        for _ in 0..MAX_RUN {
            let Some(slots) = self.slots.get_mut(group) else {
                return false;
            };
            if let Some(free) = slots.iter_mut().find(|slot| **slot == 0) {
                *free = fingerprint << BLOCK_BITS | block;
                return true;
            }
            group = self.after(group);
        }
        false
    }

    /// Returns the blocks of entries with this fingerprint.
    pub(super) fn find(&self, hash: u64) -> impl Iterator<Item = usize> + '_ {
        let (first, fingerprint) = self.place(hash);
        let mut next = Some(first);
        let groups = std::iter::from_fn(move || {
            let group = next?;
            let slots = self.slots.get(group)?;
            // Slots are filled in order: a group with an empty one was never full.
            let is_last = slots.last() == Some(&0);
            next = (!is_last).then(|| self.after(group));
            Some(slots)
        });
        let slots = groups.take(MAX_RUN).flatten();
        let blocks = slots.filter(move |slot| **slot >> BLOCK_BITS == fingerprint);
        blocks.filter_map(|slot| usize::try_from(slot & ((1 << BLOCK_BITS) - 1)).ok())
    }

    /// Returns the group where the search begins, and the fingerprint.
    fn place(&self, hash: u64) -> (usize, u32) {
        let (high, low) = (hash >> 32, hash & 0xFFFF_FFFF);
        let groups = u64::try_from(self.slots.len()).unwrap_or(1);
        // The same as `high / 2^32 * groups`.
        let group = usize::try_from((high * groups) >> 32).unwrap_or_default();
        let fingerprint = u32::try_from(low % FINGERPRINTS + 1).unwrap_or(1);
        (group, fingerprint)
    }

    fn after(&self, group: usize) -> usize {
        if group + 1 < self.slots.len() {
            group + 1
        } else {
            0
        }
    }
}
