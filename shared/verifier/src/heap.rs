//! Sizes of allocations, so that a cache can weigh its entries.

/// Octets that an allocator takes for an allocation: its own word, in steps of 16, at least 32.
pub(crate) fn allocation(octets: usize) -> usize {
    if octets == 0 {
        0
    } else {
        (octets + size_of::<usize>()).next_multiple_of(16).max(32)
    }
}

pub(crate) fn of_texts(texts: &Vec<String>) -> usize {
    let elements = allocation(texts.capacity() * size_of::<String>());
    elements
        + texts
            .iter()
            .map(|text| allocation(text.capacity()))
            .sum::<usize>()
}
