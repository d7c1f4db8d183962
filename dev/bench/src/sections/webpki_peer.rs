//! webpki alone, on certificates that are decoded already.

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{CertRevocationList, EndEntityCert, KeyUsage, RevocationOptionsBuilder};

use alb_mtls_bench::Presented;

/// Returns true if webpki accepts the presented chain.
pub(crate) fn verify(
    presented: &Presented,
    anchors: &[TrustAnchor<'_>],
    lists: &[&CertRevocationList<'_>],
) -> Result<(), webpki::Error> {
    let client = EndEntityCert::try_from(&presented.end_entity)?;
    let revocation = RevocationOptionsBuilder::new(lists)
        .ok()
        .map(RevocationOptionsBuilder::build);
    let path = client.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        anchors,
        &presented.intermediates,
        UnixTime::now(),
        KeyUsage::client_auth(),
        revocation,
        None,
    )?;
    std::hint::black_box(path);
    Ok(())
}

/// Returns the trust anchor that webpki makes of a certificate.
pub(crate) fn anchor<'a>(certificate: &'a CertificateDer<'_>) -> TrustAnchor<'a> {
    webpki::anchor_from_trusted_cert(certificate).expect("a trust anchor")
}
