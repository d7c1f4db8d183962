//! RFC 9440: `Client-Cert` and `Client-Cert-Chain`.

use alb_mtls_gate::VerifiedClient;
use http::header::{HeaderMap, HeaderName};
use sfv::{ItemSerializer, ListSerializer};

use crate::set;

const CERTIFICATE: HeaderName = HeaderName::from_static("client-cert");
const CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// The end-entity certificate, and the intermediates of the verified path (§2.3: without the anchor, as TLS would).
pub(crate) fn state(client: &VerifiedClient, headers: &mut HeaderMap) {
    let certificate: &[u8] = client.identity().certificate();
    set(
        headers,
        CERTIFICATE,
        ItemSerializer::new().bare_item(certificate).finish(),
    );
    let mut chain = ListSerializer::new();
    for intermediate in client.intermediates().iter() {
        let intermediate: &[u8] = intermediate;
        chain.bare_item(intermediate);
    }
    // A list without members has no header.
    if let Some(chain) = chain.finish() {
        set(headers, CHAIN, chain);
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use test_pki::CertificateBuilder;

    use super::*;
    use crate::tests::verified;

    #[test]
    fn certificates_are_byte_sequences_in_the_order_of_the_path() {
        let (client, credential, issuing) = verified(CertificateBuilder::client("CN=a"));
        let mut headers = HeaderMap::new();
        state(&client, &mut headers);
        assert_eq!(
            headers["client-cert"],
            format!(":{}:", STANDARD.encode(credential.der()))
        );
        assert_eq!(
            headers["client-cert-chain"],
            format!(":{}:", STANDARD.encode(issuing.der()))
        );
    }
}
