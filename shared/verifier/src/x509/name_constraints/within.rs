//! Relation of a name to a subtree.

/// Whether a name lies in a subtree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    Not,
    /// Some of what the name stands for, or perhaps.
    Partly,
    Wholly,
}
