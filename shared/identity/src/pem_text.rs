//! Certificates as PEM in header values, percent-encoded.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// RFC 3986's unreserved characters stay; `+`, `=` and `/` are escaped too, as Envoy does.
pub(crate) const STRICT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What a load balancer leaves besides: `+`, `=` and `/`.
///
/// Source: Elastic Load Balancing user guide, "Mutual authentication with TLS", HTTP headers.
pub(crate) const LOAD_BALANCER: &AsciiSet = &STRICT.remove(b'+').remove(b'=').remove(b'/');

/// Bytes that make a line of 64 characters (RFC 7468 §2).
const BYTES_IN_LINE: usize = 48;

/// One certificate as an encoded PEM block with a line break at its end.
pub(crate) fn encoded(der: &[u8], escaped: &'static AsciiSet) -> String {
    let mut pem = String::with_capacity(der.len() * 3 / 2 + 64);
    pem.push_str("-----BEGIN CERTIFICATE-----\n");
    for line in der.chunks(BYTES_IN_LINE) {
        STANDARD.encode_string(line, &mut pem);
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    // Room for the escapes of `+`, `/` and line breaks; a formatter would ask for more with each run of characters.
    let mut text = String::with_capacity(pem.len() * 5 / 4);
    text.extend(utf8_percent_encode(&pem, escaped));
    text
}
