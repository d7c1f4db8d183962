//! Relation of a name to a subtree.

/// Relation of a name to a subtree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    Not,
    /// The name may be partly within: some of the names that a wildcard stands for, or a name that
    /// cannot be compared.
    Partly,
    Wholly,
}
