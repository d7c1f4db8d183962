//! Readiness of a gate before and after each part of its material is loaded.

use alb_mtls_gate::{Gate, Readiness};

use crate::support::{ANCHORS, KEYS, Site, TOKENS, settings};

/// Returns the readiness of a gate before and after it has loaded what these files are.
async fn readiness(files: &[(&str, &str)]) -> [Readiness; 2] {
    let site = Site::new();
    for (name, content) in files {
        site.write(name, content);
    }
    let [deny_list, keys] = ["deny.txt", "keys.json"].map(|name| site.source(name));
    let sources = [
        ("MTLS_ANCHORS", &*site.source(ANCHORS)),
        ("MTLS_DENY", &deny_list),
        ("MTLS_TOKEN_KEYS", &keys),
    ];
    let gate = Gate::new(settings(&sources, &TOKENS));
    let before = gate.readiness();
    gate.load().await;
    [before, gate.readiness()]
}

#[tokio::test]
async fn a_gate_is_ready_once_it_has_loaded_everything_that_it_decides_by() {
    let before = Readiness::NoTrustMaterial;
    let both = [("keys.json", KEYS), ("deny.txt", "none")];
    assert_eq!(readiness(&both).await, [before, Readiness::Ready]);
    let [keys, deny_list] = both;
    assert_eq!(readiness(&[deny_list]).await, [before, Readiness::NoTokenKeys]);
    assert_eq!(readiness(&[keys]).await, [before, Readiness::NoDenyList]);
    let no_anchor = (ANCHORS, "");
    assert_eq!(
        readiness(&[keys, deny_list, no_anchor]).await,
        [before, Readiness::NoTrustMaterial]
    );
}
