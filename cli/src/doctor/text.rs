//! Texts in which `${…}` stands for what only a deployment knows.
//!
//! `${Function.Arn}` is an attribute of a resource, `${AWS::Region}` a pseudo parameter, and
//! `${?…}` a value that was not among the files: a parameter without a default, an import, a
//! function that is not computed here.

/// Returns a placeholder.
pub(super) fn placeholder(name: &str) -> String {
    format!("${{{name}}}")
}

/// Returns a placeholder for a value that was not among the files.
pub(super) fn unknown(what: &str) -> String {
    format!("${{?{what}}}")
}

/// Returns true if a text contains a value that was not among the files.
pub(super) fn is_unknown(text: &str) -> bool {
    text.contains("${?")
}

/// Returns true if a text contains such a value that the operator has not chosen: another one than
/// a default is chosen.
pub(super) fn is_open(text: &str) -> bool {
    is_unknown(&text.replace("${?another ", "${"))
}

/// Returns true if what is between the braces of a placeholder names such a value.
pub(super) fn is_open_inner(inner: &str) -> bool {
    inner.starts_with('?') && !inner.starts_with("?another ")
}

/// Returns the first unknown value in a text, as a person would write it.
pub(super) fn first_unknown(text: &str) -> Option<String> {
    let (_, after) = text.split_once("${?")?;
    let inner = pieces(&format!("${{{after}")).into_iter().next()?.to_owned();
    let inner = inner.strip_prefix("${").unwrap_or(&inner);
    Some(inner.strip_suffix('}').unwrap_or(inner).to_owned())
}

/// Returns a text as a person would write it.
pub(super) fn shown(text: &str) -> String {
    text.replace("${?parameter ", "${")
        .replace("${?another ", "${")
        .replace("${?", "${")
}

/// Returns the resource in a text that is exactly one placeholder, `${Name}` or
/// `${Name.Attribute}`.
pub(super) fn resource_in(text: &str) -> Option<&str> {
    let inner = inner(text)?;
    if inner.starts_with('?') || inner.starts_with("AWS::") {
        return None;
    }
    // An address of Terraform contains dots itself.
    if inner.starts_with("module.") || inner.starts_with("aws_") || inner.starts_with("k8s:") {
        return Some(inner);
    }
    let (resource, _) = inner.split_once('.').unwrap_or((inner, ""));
    Some(resource)
}

/// Returns what is between the braces of a text that is exactly one placeholder.
pub(super) fn inner(text: &str) -> Option<&str> {
    match pieces(text).as_slice() {
        [only] => only.strip_prefix("${")?.strip_suffix('}'),
        _ => None,
    }
}

/// Returns the text cut into placeholders and what is between them.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, _)) = rest.split_once("${") {
        let (before, from) = rest.split_at(before.len());
        if !before.is_empty() {
            pieces.push(before);
        }
        let Some(length) = length_of_placeholder(from) else {
            pieces.push(from);
            return pieces;
        };
        let (placeholder, after) = from.split_at(length);
        pieces.push(placeholder);
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// Returns the length of the placeholder that a text begins with; placeholders may contain others.
fn length_of_placeholder(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(index + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Splits a text at each separator that is not in a placeholder.
pub(super) fn split(text: &str, separator: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for piece in pieces(text) {
        let texts: Vec<&str> = match piece.starts_with("${") {
            true => vec![piece],
            false => piece.split(separator).collect(),
        };
        for (index, part) in texts.into_iter().enumerate() {
            if index > 0 {
                parts.push(String::new());
            }
            if let Some(last) = parts.last_mut() {
                last.push_str(part);
            }
        }
    }
    parts
}

/// Returns the resource of an ARN: everything after the account.
pub(super) fn resource_of_arn(arn: &str) -> Option<String> {
    let parts = split(arn, ":");
    match parts.get(..5) {
        Some([prefix, ..]) if prefix == "arn" && parts.len() > 5 => {
            parts.get(5..).map(|resource| resource.join(":"))
        }
        _ => None,
    }
}

/// Returns the account of an ARN.
pub(super) fn account_of_arn(arn: &str) -> Option<String> {
    split(arn, ":").into_iter().nth(4)
}

/// Returns true if a text fits a pattern in which `*` stands for any text and `?` for any
/// character.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // What follows the last `*`, and the text that it does not take.
    let mut star = None;
    loop {
        let mut rest = text.clone();
        let character = rest.next();
        let mut after = pattern.clone();
        match (after.next(), character) {
            (Some('*'), _) => star = Some((after.clone(), text.clone())),
            (None, None) => return true,
            // The question mark of `${?…}` is a character of its own.
            (Some(expected), Some(character)) if expected == character || expected == '?' => text = rest,
            _ => {
                let Some((place, taken)) = &mut star else {
                    return false;
                };
                if taken.next().is_none() {
                    return false;
                }
                after = place.clone();
                text = taken.clone();
            }
        }
        pattern = after;
    }
}

/// Returns true if two patterns have a text in common.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    let one: Vec<char> = one.chars().collect();
    let other: Vec<char> = other.chars().collect();
    // Which beginnings of `other` have a text in common with the beginning of `one` that was looked
    // at.
    let mut common: Vec<bool> = (0..=other.len())
        .map(|length| other.iter().take(length).all(|character| *character == '*'))
        .collect();
    for character in one {
        let mut next = vec![false; common.len()];
        for index in 0..=other.len() {
            let before = index.checked_sub(1);
            let last = before.and_then(|before| other.get(before)).copied();
            let at = |known: &[bool], index: Option<usize>| {
                index.is_some_and(|index| known.get(index) == Some(&true))
            };
            let fits = match (character, last) {
                ('*', _) => at(&common, Some(index)) || at(&next, before),
                (_, Some('*')) => at(&common, Some(index)) || at(&next, before),
                (_, Some(last)) => {
                    (character == last || character == '?' || last == '?') && at(&common, before)
                }
                (_, None) => false,
            };
            if let Some(slot) = next.get_mut(index) {
                *slot = fits;
            }
        }
        common = next;
    }
    common.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcd", false),
            ("a?c", "abc", true),
            ("*", "", true),
            ("a*b*b", "ab", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn patterns_overlap_where_one_text_fits_both() {
        for (one, other, expected) in [
            ("a", "a", true),
            ("a*", "ab", true),
            ("a*", "*b", true),
            ("a*", "b*", false),
            ("*", "", true),
            ("a/*", "a", false),
            ("a/*/c", "a/b/*", true),
            ("a?c", "abc", true),
        ] {
            assert_eq!(overlap(one, other), expected, "{one} {other}");
            assert_eq!(overlap(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn placeholders_are_split_by_nothing_in_them() {
        let arn = "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:${?Fn::Join(:,${A})}:live";
        assert_eq!(split(arn, ":").len(), 8);
        assert_eq!(
            resource_of_arn(arn).as_deref(),
            Some("function:${?Fn::Join(:,${A})}:live")
        );
        assert_eq!(first_unknown(arn).as_deref(), Some("Fn::Join(:,${A})"));
        assert_eq!(resource_in("${F.Arn}"), Some("F"));
        assert_eq!(resource_in("${F.Arn}:live"), None);
        assert_eq!(resource_in("${AWS::Region}"), None);
    }
}
