use std::fmt::Write;

use base64::prelude::{BASE64_STANDARD, Engine};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls_pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// Characters that AWS does not encode: RFC 3986's unreserved characters and the "safe" ones of the
/// page below.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'+')
    .remove(b'=')
    .remove(b'/');

/// Characters of base64 in a line of PEM are 64, which stand for this many bytes.
const BYTES_PER_LINE: usize = 48;

/// Returns the value of `X-Amzn-Mtls-Clientcert`: the chain as the client presented it, leaf first,
/// as concatenated PEM, percent-encoded with `+`, `=` and `/` left as they are.
///
/// Source:
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html>;
/// its own sample encodes `=`, reports from the field do not.
///
/// ```
/// use rustls_pki_types::CertificateDer;
///
/// let chain = [CertificateDer::from(vec![0xfb, 0xff])];
/// assert_eq!(
///     local_alb::passthrough_header(&chain),
///     "-----BEGIN%20CERTIFICATE-----%0A+/8=%0A-----END%20CERTIFICATE-----%0A",
/// );
/// ```
pub fn passthrough_header(chain: &[CertificateDer<'_>]) -> String {
    let pem: String = chain.iter().map(|certificate| pem(certificate)).collect();
    utf8_percent_encode(&pem, ENCODED).to_string()
}

/// Returns verify mode's five headers, names in lower case, for the leaf of a verified chain.
///
/// # Errors
///
/// When the certificate cannot be read.
pub fn verify_headers(
    leaf: &CertificateDer<'_>,
) -> Result<[(&'static str, String); 5], UnreadableCertificateError> {
    let certificate = Certificate::from_der(leaf)?;
    let fields = certificate.tbs_certificate();
    let validity = fields.validity();
    Ok([
        (
            "x-amzn-mtls-clientcert-serial-number",
            serial_number(fields.serial_number().as_bytes()),
        ),
        ("x-amzn-mtls-clientcert-issuer", fields.issuer().to_string()),
        ("x-amzn-mtls-clientcert-subject", fields.subject().to_string()),
        (
            "x-amzn-mtls-clientcert-validity",
            format!(
                "NotBefore={};NotAfter={}",
                validity.not_before.to_date_time(),
                validity.not_after.to_date_time()
            ),
        ),
        (
            "x-amzn-mtls-clientcert-leaf",
            passthrough_header(std::slice::from_ref(leaf)),
        ),
    ])
}

/// A client certificate that passed the handshake but whose fields cannot be printed.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the client certificate: {0}")]
pub struct UnreadableCertificateError(#[from] x509_cert::der::Error);

fn pem(certificate: &[u8]) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in certificate.chunks(BYTES_PER_LINE) {
        BASE64_STANDARD.encode_string(line, &mut text);
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

/// Formats whole bytes in upper case, as in AWS's example `03A5B1`, without the zero byte that only
/// marks the number as positive.
fn serial_number(bytes: &[u8]) -> String {
    let significant = match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    let mut text = String::new();
    for byte in significant {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}
