//! The five headers of a load balancer in verify mode.
//!
//! Source: Elastic Load Balancing user guide, "Mutual authentication with TLS", HTTP headers.

use std::fmt::Write;

use alb_mtls_gate::ClientIdentity;
use alb_mtls_verifier::DistinguishedName;
use http::header::{HeaderMap, HeaderName};

use crate::{pem_text, set};

const SERIAL_NUMBER: HeaderName = HeaderName::from_static("x-amzn-mtls-clientcert-serial-number");
const ISSUER: HeaderName = HeaderName::from_static("x-amzn-mtls-clientcert-issuer");
const SUBJECT: HeaderName = HeaderName::from_static("x-amzn-mtls-clientcert-subject");
const VALIDITY: HeaderName = HeaderName::from_static("x-amzn-mtls-clientcert-validity");
const LEAF: HeaderName = HeaderName::from_static("x-amzn-mtls-clientcert-leaf");

pub(crate) fn state(identity: &ClientIdentity, headers: &mut HeaderMap) {
    let validity = identity.validity;
    set(headers, SERIAL_NUMBER, identity.serial_number.clone());
    set(headers, ISSUER, ascii(&identity.issuer));
    set(headers, SUBJECT, ascii(&identity.subject));
    set(
        headers,
        VALIDITY,
        format!(
            "NotBefore={};NotAfter={}",
            validity.not_before, validity.not_after
        ),
    );
    set(
        headers,
        LEAF,
        pem_text::encoded(identity.certificate(), pem_text::LOAD_BALANCER),
    );
}

/// The name as RFC 2253 writes it, what is not ASCII as escaped UTF-8 (§2.4), as OpenSSL prints it too.
fn ascii(name: &DistinguishedName) -> String {
    let text = name.to_string();
    if text.is_ascii() {
        return text;
    }
    let mut ascii = String::with_capacity(text.len() * 2);
    for character in text.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a string cannot fail.
                let _ = write!(ascii, "\\{byte:02X}");
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use test_pki::CertificateBuilder;

    use super::*;
    use crate::tests::verified;

    #[test]
    fn the_headers_are_those_that_the_load_balancer_would_set() {
        let (client, credential, _) = verified(CertificateBuilder::client(
            "CN=client_.com,OU=client-3,O=mTLS,ST=Washington,C=US",
        ));
        let mut headers = HeaderMap::new();
        state(client.identity(), &mut headers);
        let expected = local_alb::verify_headers(&credential.der().to_vec().into()).unwrap();
        assert_eq!(headers.len(), expected.len());
        for (name, value) in expected {
            assert_eq!(headers[name], value, "{name}");
        }
        assert_eq!(
            headers["x-amzn-mtls-clientcert-subject"],
            "CN=client_.com,OU=client-3,O=mTLS,ST=Washington,C=US"
        );
    }

    #[test]
    fn names_are_escaped_so_that_no_value_passes_for_an_attribute() {
        let (client, _, _) = verified(CertificateBuilder::client(r"CN=a\,OU=admin\+x,O=J\C3\BCrgen"));
        assert_eq!(
            ascii(&client.identity().subject),
            r"CN=a\,OU\=admin\+x,O=J\C3\BCrgen"
        );
    }
}
