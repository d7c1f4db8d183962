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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocation_has_its_word_and_is_in_steps_of_16() {
        let sizes = [0, 1, 24, 25, 40, 41, 1000];
        assert_eq!(sizes.map(allocation), [0, 32, 32, 48, 48, 64, 1008]);
    }

    #[test]
    fn texts_weigh_their_list_and_their_characters() {
        assert_eq!(of_texts(&Vec::new()), 0);
        let texts = vec!["a".repeat(1000), String::new()];
        assert_eq!(of_texts(&texts), allocation(2 * size_of::<String>()) + 1008);
    }
}
