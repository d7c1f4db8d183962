//! Choices of the generator, the same ones each time for a seed and a case.

/// Source of choices.
#[derive(Debug)]
pub(crate) struct Choices(fastrand::Rng);

impl Choices {
    /// Creates the source of one case, which does not depend on other cases.
    pub(crate) fn new(seed: u64, case: u64) -> Self {
        // An odd multiplier maps different cases to different seeds.
        Self(fastrand::Rng::with_seed(
            seed ^ case.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        ))
    }

    /// Returns a number below the bound, or 0 if the bound is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { self.0.usize(..bound) }
    }

    pub(crate) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    /// Returns one of the items, or `None` if there is none.
    pub(crate) fn one_of<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        items.get(self.below(items.len())).cloned()
    }

    pub(crate) fn octet(&mut self) -> u8 {
        self.0.u8(..)
    }

    pub(crate) fn seed(&mut self) -> u64 {
        self.0.u64(..)
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        self.0.shuffle(items);
    }
}
