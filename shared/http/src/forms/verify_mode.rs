//! The five headers of a load balancer in verify mode.
//!
//! Source: Elastic Load Balancing user guide, "Mutual authentication with TLS", HTTP headers.

use std::fmt::Write;

use alb_mtls_verifier::{DistinguishedName, VerifiedClient};
use http::header::{HeaderMap, HeaderName};

use super::pem_text;
use super::value::set;

/// Name of the header with the end-entity certificate.
pub(crate) const LEAF: &str = "x-amzn-mtls-clientcert-leaf";

const SERIAL_NUMBER: &str = "x-amzn-mtls-clientcert-serial-number";
const ISSUER: &str = "x-amzn-mtls-clientcert-issuer";
const SUBJECT: &str = "x-amzn-mtls-clientcert-subject";
const VALIDITY: &str = "x-amzn-mtls-clientcert-validity";

pub(super) const HEADERS: &[&str] = &[SERIAL_NUMBER, ISSUER, SUBJECT, VALIDITY, LEAF];

pub(super) fn write(client: &VerifiedClient, headers: &mut HeaderMap) {
    let identity = client.identity();
    let validity = identity.validity;
    let mut write = |name, value| set(headers, HeaderName::from_static(name), value);
    write(SERIAL_NUMBER, identity.serial_number.clone());
    write(ISSUER, ascii(&identity.issuer));
    write(SUBJECT, ascii(&identity.subject));
    let (not_before, not_after) = (validity.not_before, validity.not_after);
    write(VALIDITY, format!("NotBefore={not_before};NotAfter={not_after}"));
    let leaf = pem_text::encoded(identity.certificate(), pem_text::LOAD_BALANCER);
    write(LEAF, leaf);
}

/// Writes a name in the form of RFC 2253. Characters beyond ASCII become escaped UTF-8 (§2.4), as
/// in OpenSSL.
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
    use crate::samples::verified;

    #[test]
    fn the_headers_are_those_that_the_load_balancer_would_set() {
        let (client, credential, _) = verified(CertificateBuilder::client(
            "CN=client_.com,OU=client-3,O=mTLS,ST=Washington,C=US",
        ));
        let mut headers = HeaderMap::new();
        write(&client, &mut headers);
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
