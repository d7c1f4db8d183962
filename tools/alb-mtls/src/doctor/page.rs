//! `docs/doctor.md`, from the tables of rules and gaps.

use std::fmt::Write;

use super::rules::{GAPS, RULES};

/// Returns the page.
pub(super) fn markdown() -> String {
    let mut text = String::new();
    for rule in RULES {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "### `{}` ({})\n\n{}\n", rule.id, rule.severity.word(), rule.what);
    }
    for gap in GAPS {
        let _ = writeln!(text, "* `{}`: {}", gap.id, gap.what);
    }
    text
}
