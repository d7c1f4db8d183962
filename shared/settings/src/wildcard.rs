//! Patterns with `*`.

/// Returns whether `text` is `pattern` with any characters, or none, in place of each `*`.
///
/// ```
/// use alb_mtls_settings::matches_wildcard;
///
/// assert!(matches_wildcard("orders-*", "orders-blue"));
/// assert!(!matches_wildcard("orders-*", "all-orders-blue"));
/// ```
pub fn matches_wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
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
    fn pattern_covers_the_whole_text() {
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
            assert_eq!(matches_wildcard(pattern, id), expected, "{pattern} {id}");
        }
    }
}
