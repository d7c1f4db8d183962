//! Cached signatures change no verdict: every case of the corpus and of the suites beside it is
//! decided by a verifier that has decided all cases with the same anchors before, and by a new one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alb_mtls::vectors::{Case, read_cases};
use alb_mtls_http::{HeaderLimits, HeaderValues};
use alb_mtls_verifier::{
    Intermediates, PresentedChain, Rejection, RevocationLists, RevocationOptions, Timestamp, TrustAnchor,
    TrustAnchors, VerifiedClient, Verifier, VerifyOptions, read_bundle, read_revocation_lists,
};

/// Depth of the longest chains of the suites.
const MAX_DEPTH: usize = 10;

/// Settings of a verifier: cases with the same ones are decided by one verifier.
type Settings = (Vec<String>, Vec<String>, String, usize);

fn files() -> Vec<PathBuf> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders = [project.join("vectors"), project.join("../shared/acceptance")];
    let mut files = Vec::new();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        let entries = std::fs::read_dir(folder).unwrap();
        files.extend(entries.map(|entry| entry.unwrap().path()));
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    files
}

/// Returns a verifier without revocation; `None` for a case without usable anchors or
/// intermediates.
fn verifier(case: &Case) -> Option<Verifier> {
    let anchors = case.trusted.iter().filter_map(|pem| {
        let first = read_bundle(pem.as_bytes()).ok()?.into_iter().next()?;
        TrustAnchor::new(first).ok()
    });
    let anchors = TrustAnchors::new(anchors)?;
    let configured = case
        .configured
        .iter()
        .filter_map(|pem| read_bundle(pem.as_bytes()).ok());
    let intermediates = Intermediates::new(configured.flatten()).ok()?;
    let options = VerifyOptions {
        max_depth: case.max_depth.unwrap_or(MAX_DEPTH),
        extended_key_usage: case.extended_key_usage,
        ..VerifyOptions::default()
    };
    Some(Verifier::new(anchors, intermediates, options))
}

fn with_lists(verifier: Verifier, case: &Case) -> Verifier {
    if case.crls.is_empty() {
        return verifier;
    }
    let lists = case
        .crls
        .iter()
        .filter_map(|pem| read_revocation_lists(pem.as_bytes(), 1 << 24).ok());
    let lists = RevocationLists::new(
        lists.flatten().collect::<Vec<_>>(),
        verifier.anchors(),
        &Intermediates::default(),
        None,
    );
    verifier.with_revocation(Arc::new(lists), RevocationOptions::default())
}

fn chain(case: &Case) -> Option<PresentedChain> {
    let certificate = std::iter::once(&case.header).chain(&case.more_headers);
    let certificate: Vec<&[u8]> = certificate.map(String::as_bytes).collect();
    let others: Vec<&[u8]> = case.chain_headers.iter().map(String::as_bytes).collect();
    let values = HeaderValues {
        certificate: &certificate,
        chain: &others,
    };
    let limits = HeaderLimits {
        max_bytes: 65_536,
        max_certificates: 128,
    };
    case.header_format.decode(values, limits).ok()
}

/// Returns everything that a verdict says.
fn facts(verdict: Result<VerifiedClient, Rejection>) -> Result<String, Rejection> {
    verdict.map(|client| format!("{client:?}"))
}

#[test]
fn cached_signatures_change_no_verdict_on_any_vector() {
    let mut knowing: HashMap<Settings, Verifier> = HashMap::new();
    let (mut decided, mut saved) = (0, 0);
    for path in files() {
        // Some files of the suites are not cases.
        let Ok(cases) = read_cases(&path) else {
            continue;
        };
        // In the second round the CAs of every accepted case are known.
        for case in cases.iter().chain(&cases) {
            let (Some(fresh), Some(chain)) = (verifier(case), chain(case)) else {
                continue;
            };
            let now = Timestamp::parse_rfc3339(&case.validation_time).expect("a time");
            let settings = (
                case.trusted.clone(),
                case.configured.clone(),
                format!("{:?}", case.extended_key_usage),
                case.max_depth.unwrap_or(MAX_DEPTH),
            );
            // Clones share the cache.
            let known = knowing
                .entry(settings)
                .or_insert_with(|| verifier(case).expect("it could be made"));
            let (verdict, computed) = with_lists(known.clone(), case).verify_counting(&chain, now);
            let (expected, all) = with_lists(fresh, case).verify_counting(&chain, now);
            assert_eq!(facts(verdict), facts(expected), "{}", case.id);
            assert!(computed <= all, "{}: {computed} of {all}", case.id);
            decided += 1;
            saved += all - computed;
        }
    }
    assert!(decided > 100 && saved > 100, "{decided} decided, {saved} saved");
    println!("{decided} verdicts, {saved} signatures saved");
}
