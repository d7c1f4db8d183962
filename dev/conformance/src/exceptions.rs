//! Disagreements with a suite that are on purpose.

use serde::Deserialize;

/// Entry of the list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exception {
    /// The case's id; a `*` stands for anything.
    id: String,
    /// Stricter side.
    pub(crate) stricter: Side,
    /// Reason, with the section where RFC 5280 and the suite differ.
    #[expect(dead_code, reason = "for readers of the list")]
    why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    /// The verifier refuses what the suite accepts.
    Verifier,
    /// The suite refuses what the verifier accepts.
    Suite,
}

impl Exception {
    pub(crate) fn covers(&self, id: &str) -> bool {
        matches(&self.id, id)
    }
}

fn matches(pattern: &str, id: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| id.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_the_whole_id() {
        for (pattern, id, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/bc", false),
            ("a/*", "a/bc", true),
            ("a/*", "b/a/c", false),
            ("a/*/d", "a/b/c/d", true),
            ("a/*/d", "a/b/c/e", false),
            ("*d", "d", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(pattern, id), expected, "{pattern} {id}");
        }
    }
}
