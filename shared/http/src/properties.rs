//! Properties of the readers of headers for any bytes. The tests check them for random bytes and
//! damaged certificates, the fuzzers for the bytes that they find.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::{HeaderFormat, HeaderLimits, HeaderValues};

const LIMITS: HeaderLimits = HeaderLimits {
    max_bytes: 16_384,
    max_certificates: 8,
};

/// Checks that a decoded chain is neither empty nor over the limits, and that it can be written and
/// decoded again.
pub fn header(format: HeaderFormat, value: &[u8], chain: &[&[u8]]) {
    let values = HeaderValues {
        certificate: &[value],
        chain,
    };
    let Ok(decoded) = format.decode(values, LIMITS) else {
        return;
    };
    let certificates = || std::iter::once(decoded.end_entity()).chain(decoded.intermediates());
    assert!(certificates().count() <= LIMITS.max_certificates);
    assert!(certificates().all(|certificate| !certificate.is_empty()));
    let written: String = certificates()
        .map(|certificate| percent_encoded_pem(certificate))
        .collect();
    let values = HeaderValues {
        certificate: &[written.as_bytes()],
        chain: &[],
    };
    let generous = HeaderLimits {
        max_bytes: usize::MAX,
        ..LIMITS
    };
    assert_eq!(
        HeaderFormat::URL_ENCODED.decode(values, generous).as_ref(),
        Ok(&decoded)
    );
}

fn percent_encoded_pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    format!("-----BEGIN%20CERTIFICATE-----%0A{base64}%0A-----END%20CERTIFICATE-----%0A")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_pki::CertificateBuilder;

    use super::*;

    /// Returns a certificate in which some octets are changed, missing or new.
    fn damaged() -> impl Strategy<Value = Vec<u8>> {
        let root = CertificateBuilder::root("CN=Root,O=Example").seed("root");
        let der = root.self_signed().unwrap().der().to_vec();
        let edit = (any::<prop::sample::Index>(), any::<u8>(), 0..3_u8);
        prop::collection::vec(edit, 0..4).prop_map(move |edits| {
            let mut der = der.clone();
            for (at, octet, kind) in edits {
                let at = at.index(der.len());
                match kind {
                    0 => der[at] = octet,
                    1 => _ = der.remove(at),
                    _ => der.insert(at, octet),
                }
            }
            der
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn random_headers_decode_to_what_they_contain(value: Vec<u8>, chain: Vec<u8>) {
            for format in HeaderFormat::all() {
                header(format, &value, &[&chain]);
            }
        }

        #[test]
        fn damaged_headers_decode_to_what_they_contain(
            der in damaged(), at: prop::sample::Index, octet: u8,
        ) {
            let mut text = percent_encoded_pem(&der).into_bytes();
            let at = at.index(text.len());
            header(HeaderFormat::URL_ENCODED, &text, &[]);
            text[at] = octet;
            header(HeaderFormat::URL_ENCODED, &text, &[]);
            let mut text = STANDARD.encode(&der).into_bytes();
            header(HeaderFormat::BASE64_ENCODED, &text, &[]);
            let item = [b":", text.as_slice(), b":"].concat();
            header(HeaderFormat::RFC9440, &item, &[&item, &item]);
            let at = at % text.len().max(1);
            text.splice(at..at, [octet]);
            header(HeaderFormat::BASE64_ENCODED, &text, &[]);
        }
    }
}
