//! Writer of percent-encoded PEM.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Characters to escape as Envoy does: all but the unreserved ones of RFC 3986 §2.3.
pub(super) const STRICT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Characters to escape as a load balancer does, which also leaves `+`, `=` and `/`.
///
/// Source: Elastic Load Balancing user guide, "Mutual authentication with TLS", HTTP headers.
pub(super) const LOAD_BALANCER: &AsciiSet = &STRICT.remove(b'+').remove(b'=').remove(b'/');

/// Bytes in a line of 64 characters of base64 (RFC 7468 §2).
const BYTES_IN_LINE: usize = 48;

/// Returns one certificate as an encoded PEM block with a line break at its end.
pub(super) fn encoded(der: &[u8], escaped: &'static AsciiSet) -> String {
    let mut pem = String::with_capacity(der.len() * 3 / 2 + 64);
    pem.push_str("-----BEGIN CERTIFICATE-----\n");
    for line in der.chunks(BYTES_IN_LINE) {
        STANDARD.encode_string(line, &mut pem);
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    // Room for the escapes of `+`, `/` and line breaks: a formatter would allocate again with each
    // run of characters.
    let mut text = String::with_capacity(pem.len() * 5 / 4);
    text.extend(utf8_percent_encode(&pem, escaped));
    text
}
