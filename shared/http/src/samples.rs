//! Verified clients for the tests of this crate.

use alb_mtls_verifier::{
    Intermediates, PresentedChain, Timestamp, TrustAnchor, TrustAnchors, VerifiedClient, Verifier,
    VerifyOptions,
};
use test_pki::{CertificateBuilder, Credential};

/// Verifies a client that sends its certificate and its issuer's.
pub(crate) fn verified(client: CertificateBuilder) -> (VerifiedClient, Credential, Credential) {
    let root = CertificateBuilder::root("CN=Root,O=Tests").self_signed().unwrap();
    let issuing = CertificateBuilder::intermediate("CN=Issuing,O=Tests")
        .issued_by(&root)
        .unwrap();
    let credential = client.issued_by(&issuing).unwrap();
    let anchor = TrustAnchor::new(root.der().to_vec().into()).unwrap();
    let verifier = Verifier::new(
        TrustAnchors::new([anchor]).unwrap(),
        Intermediates::default(),
        VerifyOptions::default(),
    );
    let chain = [&credential, &issuing].map(|credential| credential.der().to_vec().into());
    let chain = PresentedChain::new(chain).unwrap();
    (
        verifier.verify(&chain, Timestamp::now()).unwrap(),
        credential,
        issuing,
    )
}
