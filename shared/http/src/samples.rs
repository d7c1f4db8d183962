//! Verified clients for the tests of this crate.

use alb_mtls_verifier::{
    IdentityExtensions, Intermediates, PresentedChain, Timestamp, TrustAnchor, TrustAnchors, VerifiedClient,
    Verifier, VerifyOptions,
};
use test_pki::{CertificateBuilder, Credential};

/// Verifies a client that sends its certificate and its issuer's.
pub(crate) fn verified(client: CertificateBuilder) -> (VerifiedClient, Credential, Credential) {
    verified_by(client, IdentityExtensions::default())
}

/// Verifies a client with these extensions in its identity.
pub(crate) fn verified_with_extensions(client: CertificateBuilder, selected: &str) -> VerifiedClient {
    verified_by(client, selected.parse().unwrap()).0
}

fn verified_by(
    client: CertificateBuilder,
    extensions: IdentityExtensions,
) -> (VerifiedClient, Credential, Credential) {
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
    )
    .with_identity_extensions(extensions);
    let chain = [&credential, &issuing].map(|credential| credential.der().to_vec().into());
    let chain = PresentedChain::new(chain).unwrap();
    (
        verifier.verify(&chain, Timestamp::now()).unwrap(),
        credential,
        issuing,
    )
}
