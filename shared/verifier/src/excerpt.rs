//! Values that a client chose, as they are shown to an operator.

/// Characters of one value that go into a log.
pub(crate) const MAX_SHOWN: usize = 200;

/// Cuts a value that a client chose to what goes into a log.
pub(crate) fn abbreviated(text: &str) -> Box<str> {
    match text.char_indices().nth(MAX_SHOWN) {
        None => text.into(),
        Some((end, _)) => [text.get(..end).unwrap_or_default(), "…"].concat().into(),
    }
}
