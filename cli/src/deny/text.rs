//! Changes to the text of a list. Comments and other entries stay as they are.

use alb_mtls_trust::{DenyEntry, NO_ENTRIES};

/// Returns the text with another entry at its end.
pub(crate) fn with_entry(text: &str, entry: &DenyEntry) -> String {
    let lines = text.lines().filter(|line| line.trim() != NO_ENTRIES);
    let mut changed: String = lines.map(|line| format!("{line}\n")).collect();
    changed.push_str(&format!("{entry}\n"));
    changed
}

/// Returns the text without the entries that are unwanted.
pub(crate) fn without_entries(text: &str, is_unwanted: impl Fn(&DenyEntry) -> bool) -> String {
    let mut changed = String::new();
    let mut entries = 0;
    for line in text.lines() {
        match line.trim().parse::<DenyEntry>() {
            Ok(entry) if is_unwanted(&entry) => continue,
            Ok(_) => entries += 1,
            // A comment, an empty line, or the word for a list without entries.
            Err(_) => {}
        }
        changed.push_str(&format!("{line}\n"));
    }
    if entries == 0 && !changed.lines().any(|line| line.trim() == NO_ENTRIES) {
        changed.push_str(&format!("{NO_ENTRIES}\n"));
    }
    changed
}

/// Returns the text of a list without entries.
pub(crate) fn without_any() -> String {
    format!("# Deny list of alb-mtls: one entry a line. `alb-mtls deny --help` says more.\n{NO_ENTRIES}\n")
}

#[cfg(test)]
mod tests {
    use alb_mtls_trust::DenyList;

    use super::*;

    const ONE: &str = "key 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef because lost";
    const TWO: &str = "spiffe spiffe://example.org/a";

    #[test]
    fn text_around_entries_stays() {
        let empty = without_any();
        let one = with_entry(&empty, &ONE.parse().unwrap());
        assert_eq!(one, empty.replace("none\n", &format!("{ONE}\n")));
        let commented = format!("{one}# {TWO}\n");
        let two = with_entry(&commented, &TWO.parse().unwrap());
        assert_eq!(two, format!("{commented}{TWO}\n"));
        let left = without_entries(&two, |entry| entry.because.is_some());
        assert_eq!(left, two.replace(&format!("{ONE}\n"), ""));
        let none = without_entries(&left, |_| true);
        assert!(
            DenyList::parse(none.clone().into_bytes())
                .unwrap()
                .entries()
                .is_empty()
        );
        assert_eq!(without_entries(&none, |_| true), none);
    }

    #[test]
    fn line_ends_of_windows_do_not_stay() {
        let text = format!("\u{feff}# a\r\n{ONE}");
        assert_eq!(
            with_entry(&text, &TWO.parse().unwrap()),
            format!("\u{feff}# a\n{ONE}\n{TWO}\n")
        );
    }
}
