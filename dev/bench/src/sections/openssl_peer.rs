//! OpenSSL, as a server that asks for client certificates uses it: it decodes what was presented,
//! then verifies it.

use alb_mtls_bench::Presented;
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::{X509, X509PurposeId, X509StoreContext};

/// A store with one trust anchor, for TLS clients.
pub(crate) fn store(root: &[u8]) -> X509Store {
    let mut builder = X509StoreBuilder::new().expect("a store");
    builder.set_purpose(X509PurposeId::SSL_CLIENT).expect("a purpose");
    builder
        .add_cert(X509::from_der(root).expect("a certificate"))
        .expect("a trust anchor");
    builder.build()
}

/// Returns true if OpenSSL accepts the presented chain.
pub(crate) fn verify(presented: &Presented, store: &X509Store) -> bool {
    let end_entity = X509::from_der(&presented.end_entity).expect("a certificate");
    let mut chain = Stack::new().expect("a stack");
    for intermediate in &presented.intermediates {
        chain
            .push(X509::from_der(intermediate).expect("a certificate"))
            .expect("room");
    }
    let mut context = X509StoreContext::new().expect("a context");
    context
        .init(store, &end_entity, &chain, |context| context.verify_cert())
        .expect("a verdict")
}
