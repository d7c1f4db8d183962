//! webpki without our rules.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy, anchor_from_trusted_cert,
};

use super::Verdict;
use crate::scene::Case;
use crate::values::NOW;

pub(super) fn judge(case: &Case) -> Verdict {
    match verify(case) {
        Ok(()) => Verdict::Accept,
        Err(error) => Verdict::Reject(error),
    }
}

fn verify(case: &Case) -> Result<(), String> {
    let describe = |error: webpki::Error| format!("{error:?}");
    let certificates = |all: &[Vec<u8>]| -> Vec<CertificateDer<'static>> {
        all.iter().cloned().map(CertificateDer::from).collect()
    };
    let roots = certificates(&case.anchors);
    let anchors: Vec<_> = roots
        .iter()
        .filter_map(|root| anchor_from_trusted_cert(root).ok())
        .collect();
    let presented = certificates(&case.presented);
    let Some((end_entity, intermediates)) = presented.split_first() else {
        return Err("no certificate".to_owned());
    };
    let end_entity = EndEntityCert::try_from(end_entity).map_err(describe)?;
    let lists: Vec<CertRevocationList<'static>> = case
        .lists
        .iter()
        .flatten()
        .filter_map(|list| OwnedCertRevocationList::from_der(list).ok())
        .map(CertRevocationList::Owned)
        .collect();
    let lists: Vec<&CertRevocationList<'static>> = lists.iter().collect();
    let revocation = match case.lists {
        None => None,
        Some(_) => Some(
            RevocationOptionsBuilder::new(&lists)
                .map_err(|_| "no CRL".to_owned())?
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Deny)
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build(),
        ),
    };
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW.unsigned_abs()));
    let verified = end_entity.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &anchors,
        intermediates,
        now,
        KeyUsage::client_auth(),
        revocation,
        None,
    );
    verified.map(|_| ()).map_err(describe)
}
