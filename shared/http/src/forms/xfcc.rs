//! Envoy's `X-Forwarded-Client-Cert`.
//!
//! Source: Envoy documentation, "HTTP header manipulation", x-forwarded-client-cert. It does not
//! define an escaped backslash, and readers differ on `\\"`. No value here contains a quotation
//! mark or ends with a backslash.

use std::fmt::Write;

use alb_mtls_verifier::{AlternativeName, ClientIdentity, DistinguishedName, VerifiedClient};
use http::header::{HeaderMap, HeaderName};

use super::pem_text;
use super::value::set;

pub(super) const HEADER: &str = "x-forwarded-client-cert";

pub(super) fn write(client: &VerifiedClient, headers: &mut HeaderMap) {
    set(headers, HeaderName::from_static(HEADER), value(client.identity()));
}

/// Returns one element: fingerprint, certificate, subject, and the URI and DNS names. `By` is left
/// out, because it names the certificate of a proxy, and the load balancer does not tell its own.
fn value(identity: &ClientIdentity) -> String {
    let mut value = format!(
        "Hash={};Cert=\"{}\";Subject=\"{}\"",
        identity.certificate_fingerprint,
        pem_text::encoded(identity.certificate(), pem_text::STRICT),
        subject(&identity.subject),
    );
    for name in &identity.alternative_names {
        // Writing to a string cannot fail.
        let _ = match name {
            AlternativeName::Uri(uri) => write!(value, ";URI={}", quoted(uri)),
            AlternativeName::Dns(dns) => write!(value, ";DNS={}", quoted(dns)),
            _ => Ok(()),
        };
    }
    value
}

/// Writes a name with each special character as two hexadecimal digits, which RFC 4514 §2.4 allows
/// for all of them.
fn subject(name: &DistinguishedName) -> String {
    let text = name.to_string();
    let mut safe = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let escaped = match character {
            '\\' => characters.next(),
            character if character.is_ascii() => None,
            character => Some(character),
        };
        match escaped {
            None => safe.push(character),
            Some(escaped) => {
                for byte in escaped.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(safe, "\\{byte:02X}");
                }
            }
        }
    }
    safe
}

/// Quotes a name of visible ASCII characters. Quotation marks and backslashes, which neither host
/// names nor URIs can contain, are escaped as in URIs.
fn quoted(name: &str) -> String {
    let safe = name.replace('"', "%22").replace('\\', "%5C");
    if safe.contains([',', ';', '=', ' ']) {
        format!("\"{safe}\"")
    } else {
        safe
    }
}

#[cfg(test)]
mod tests {
    use test_pki::CertificateBuilder;

    use super::*;
    use crate::samples::verified;

    #[test]
    fn fields_are_envoys() {
        let client = CertificateBuilder::client("CN=a,O=Tests")
            .uri("spiffe://tests/a")
            .dns("a.example")
            .dns("b.example");
        let (client, _, _) = verified(client);
        let identity = client.identity();
        let value = value(identity);
        let (start, rest) = value.split_once(";Cert=\"").unwrap();
        assert_eq!(start, format!("Hash={}", identity.certificate_fingerprint));
        let (certificate, rest) = rest.split_once('"').unwrap();
        assert!(certificate.starts_with("-----BEGIN%20CERTIFICATE-----%0A") && !certificate.contains('/'));
        assert!(rest.starts_with(";Subject=\"CN=a,O=Tests\";"), "{rest}");
        assert!(
            rest.contains(";URI=spiffe://tests/a") && rest.ends_with(";DNS=a.example;DNS=b.example"),
            "{rest}"
        );
    }

    #[test]
    fn nothing_in_a_certificate_ends_a_value_early() {
        let client = CertificateBuilder::client(r"CN=x\5C\22;Hash\=0\,By\=forged\5C")
            .uri("spiffe://tests/a;Hash=0,By=forged")
            .uri(r#"urn:"quoted"\"#);
        let (client, _, _) = verified(client);
        let value = value(client.identity());
        assert_eq!(value.matches('"').count(), 6, "three quoted values: {value}");
        assert!(
            value.contains(r#";Subject="CN=x\5C\22\3BHash\3D0\2CBy\3Dforged\5C""#),
            "{value}"
        );
        assert!(
            value.contains(r#";URI="spiffe://tests/a;Hash=0,By=forged""#),
            "{value}"
        );
        assert!(value.contains(";URI=urn:%22quoted%22%5C"), "{value}");
    }

    /// The parser takes a backslash for an escape, which Envoy's documentation does not say. Even
    /// so, nothing that it reads passes for another field or another attribute.
    #[test]
    fn a_parser_that_we_did_not_write_finds_the_same_fields() {
        let client = CertificateBuilder::client(r"CN=x\5C\22;Hash\=0\,By\=forged\5C,OU=a")
            .uri("spiffe://tests/a;Hash=0,By=forged")
            .dns("a.example");
        let (client, credential, _) = verified(client);
        let identity = client.identity();
        let value = value(identity);
        let elements = xfcc_parser::element_list(value.as_bytes()).unwrap();
        let [element] = elements.as_slice() else {
            panic!("{elements:?}")
        };
        assert_eq!(
            element.hash.as_deref(),
            Some(&*identity.certificate_fingerprint.to_string())
        );
        assert!(element.by.is_empty());
        assert_eq!(element.uri, ["spiffe://tests/a;Hash=0,By=forged"]);
        assert_eq!(element.dns, ["a.example"]);
        assert_eq!(
            element.subject.as_deref(),
            Some("CN=x5C223BHash3D02CBy3Dforged5C,OU=a")
        );
        let pem = percent_encoding::percent_decode_str(element.cert.as_deref().unwrap())
            .decode_utf8()
            .unwrap();
        assert_eq!(pem, credential.pem());
    }
}
