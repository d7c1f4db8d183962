//! Our verifier, with the options of a deployment that checks revocation strictly.

use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateDer, Intermediates, PresentedChain, RevocationLists, RevocationOptions, Timestamp,
    TrustAnchor, TrustAnchors, Verifier, VerifyOptions, read_revocation_lists,
};

use super::Verdict;
use crate::scene::Case;
use crate::values::NOW;

/// Certificates below the anchor, as in the suites of vectors.
const MAX_DEPTH: usize = 10;

const MAX_LIST_OCTETS: usize = 1 << 20;

/// Returns the verdict and what a rejection says in full.
pub(super) fn judge(case: &Case) -> (Verdict, String) {
    let anchors = case
        .anchors
        .iter()
        .map(|anchor| TrustAnchor::new(CertificateDer::from(anchor.clone())));
    let mut usable = Vec::new();
    let mut problem = String::new();
    for anchor in anchors {
        match anchor {
            Ok(anchor) => usable.push(anchor),
            Err(error) => problem = error.to_string(),
        }
    }
    let Some(anchors) = TrustAnchors::new(usable) else {
        return (Verdict::Reject("no_usable_anchor".to_owned()), problem);
    };
    let presented = case.presented.iter().cloned().map(CertificateDer::from);
    let Some(chain) = PresentedChain::new(presented) else {
        return (Verdict::Reject("certificate_missing".to_owned()), String::new());
    };
    let lists = case.lists.as_ref().map(|lists| {
        // A list that cannot be read counts as absent.
        let lists = lists
            .iter()
            .filter_map(|list| read_revocation_lists(list.as_slice(), MAX_LIST_OCTETS).ok());
        RevocationLists::new(lists.flatten(), &anchors, &Intermediates::default(), None)
    });
    let options = VerifyOptions {
        max_depth: MAX_DEPTH,
        ..VerifyOptions::default()
    };
    let mut verifier = Verifier::new(anchors, Intermediates::default(), options);
    if let Some(lists) = lists {
        verifier = verifier.with_revocation(Arc::new(lists), RevocationOptions::default());
    }
    match verifier.verify(&chain, Timestamp::from_unix_seconds(NOW)) {
        Ok(client) => (Verdict::Accept, format!("validators: {:?}", client.validators())),
        Err(rejection) => (
            Verdict::Reject(rejection.detail().to_owned()),
            rejection.to_string(),
        ),
    }
}
