//! Table of explanations in `docs/threat-model.md`.

use std::fmt::Write;

use crate::explanations::{Difference, EXPLANATIONS};

/// Returns the table in Markdown.
pub(crate) fn table() -> String {
    let mut table = "| explanation | stricter | why | source |\n| --- | --- | --- | --- |\n".to_owned();
    for row in EXPLANATIONS {
        let names = row.differences.iter().map(|difference| match difference {
            Difference::Accept(peer) => peer.name(),
            Difference::Reject => "alb-mtls",
        });
        let names: Vec<&str> = names.collect();
        // Writing to a string does not fail.
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {} |",
            row.name,
            names.join(", "),
            row.why,
            row.source
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const BEGIN: &str = "<!-- explanations -->\n";
    const END: &str = "<!-- /explanations -->\n";

    #[test]
    fn threat_model_has_the_table_of_explanations() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/threat-model.md");
        let written = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = written.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let expected = format!("{before}{BEGIN}{}{END}{after}", table());
        if std::env::var_os("UPDATE_README").is_some() {
            std::fs::write(&path, expected).unwrap();
            return;
        }
        assert!(
            written == expected,
            "`UPDATE_README=1 cargo test --package differential` writes the table of docs/threat-model.md"
        );
    }
}
