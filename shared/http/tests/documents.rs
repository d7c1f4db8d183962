//! The deployment template and the documentation name the forms of the table.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;

use alb_mtls_http::forms::{CERTIFICATE_HEADER, READ, WRITTEN};

fn read(path: &str) -> String {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(project.join(path)).unwrap()
}

#[test]
fn template_allows_the_written_forms() {
    let words = WRITTEN.join("|");
    let pattern = format!("AllowedPattern: ^(none|({words})(,({words}))*)$\n");
    assert!(read("template.yaml").contains(&pattern), "{pattern}");
}

#[test]
fn documents_name_every_form() {
    let (settings, layer) = (read("docs/reference/settings.md"), read("docs/layer.md"));
    let row_of = |text: &str, name: &str| {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{name}`")));
        row.unwrap_or_default().to_owned()
    };
    for word in WRITTEN {
        assert!(!row_of(&layer, word).is_empty(), "docs/layer.md: {word}");
        let row = row_of(&settings, "FORWARD_IDENTITY");
        assert!(row.contains(&format!("`{word}`")), "settings.md: {word}: {row}");
    }
    for word in READ {
        let row = row_of(&settings, "MTLS_HEADER_FORMAT");
        assert!(row.contains(&format!("`{word}`")), "settings.md: {word}: {row}");
    }
    assert!(row_of(&settings, "MTLS_HEADER").contains(CERTIFICATE_HEADER));
}
