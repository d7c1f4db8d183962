//! The header of a load balancer in passthrough mode, made anew from the verified path.

use alb_mtls_gate::VerifiedClient;
use http::header::HeaderName;

use crate::pem_text;

pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-amzn-mtls-clientcert");

/// The end-entity certificate and the intermediates that lead to the anchor: nothing that was not verified.
pub(crate) fn value(client: &VerifiedClient) -> String {
    std::iter::once(client.identity().certificate())
        .chain(client.intermediates().iter())
        .map(|certificate| pem_text::encoded(certificate, pem_text::LOAD_BALANCER))
        .collect()
}

#[cfg(test)]
mod tests {
    use test_pki::CertificateBuilder;

    use super::*;
    use crate::tests::verified;

    #[test]
    fn the_header_is_the_one_that_the_load_balancer_would_set() {
        let (client, credential, issuing) = verified(CertificateBuilder::client("CN=a"));
        let chain = [credential.der().to_vec().into(), issuing.der().to_vec().into()];
        assert_eq!(value(&client), local_alb::passthrough_header(&chain));
    }
}
