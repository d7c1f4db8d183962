//! The reader of the certificate header is strict and bounded.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use alb_mtls_http::{HeaderFormat, HeaderLimits, HeaderValues};
use alb_mtls_verifier::{CertificateDer, PresentedChain, Reason, Rejection};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use test_pki::{CertificateBuilder, chain_pem};

const LIMITS: HeaderLimits = HeaderLimits {
    max_bytes: 16_384,
    max_certificates: 8,
};

fn decode(format: HeaderFormat, value: &[u8]) -> Result<PresentedChain, Rejection> {
    let values = HeaderValues {
        certificate: &[value],
        chain: &[],
    };
    format.decode(values, LIMITS)
}

#[track_caller]
fn refused(format: HeaderFormat, value: impl AsRef<[u8]>, reason: Reason) {
    let value = value.as_ref();
    let rejection = decode(format, value).expect_err(&String::from_utf8_lossy(value));
    assert_eq!(rejection.reason(), reason, "{rejection}");
}

/// As a load balancer writes it: `+`, `=` and `/` stay.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'+' | b'=' | b'/' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// PEM of a client and its issuer, and their DER.
fn chain() -> (String, Vec<CertificateDer<'static>>) {
    let root = CertificateBuilder::root("CN=Root,O=Example")
        .self_signed()
        .unwrap();
    let issuing = CertificateBuilder::intermediate("CN=Issuing,O=Example");
    let issuing = issuing.issued_by(&root).unwrap();
    let client = CertificateBuilder::client("CN=client,O=Example");
    let client = client.issued_by(&issuing).unwrap();
    let ders = [&client, &issuing].map(|credential| CertificateDer::from(credential.der().to_vec()));
    (chain_pem([&client, &issuing]), ders.into())
}

fn ders(chain: &PresentedChain) -> Vec<CertificateDer<'static>> {
    let mut all = vec![chain.end_entity().clone()];
    all.extend_from_slice(chain.intermediates());
    all
}

#[test]
fn reads_what_a_load_balancer_writes() {
    let (pem, expected) = chain();
    for text in [
        percent_encoded(&pem),
        percent_encoded(pem.trim_end()),
        percent_encoded(&pem.replace('\n', "\r\n")),
        percent_encoded(&pem.replace('\n', "")),
        percent_encoded(&pem)
            .replace('+', "%2B")
            .replace('=', "%3D")
            .replace('/', "%2F"),
        percent_encoded(&pem).replace("%0A", "%0a"),
    ] {
        assert_eq!(
            ders(&decode(HeaderFormat::URL_ENCODED, text.as_bytes()).unwrap()),
            expected,
            "{text}"
        );
    }
}

#[test]
fn a_plus_is_never_a_space() {
    // A form decoder on the way turns `+` into a space: the header is refused, not repaired.
    let (pem, _) = chain();
    let text = percent_encoded(&pem);
    assert!(text.contains('+'), "test bug: no `+` in this certificate");
    refused(
        HeaderFormat::URL_ENCODED,
        text.replace('+', " "),
        Reason::HeaderEncoding,
    );
    refused(
        HeaderFormat::URL_ENCODED,
        text.replace('+', "%20"),
        Reason::HeaderNotPem,
    );
}

#[test]
fn refuses_escapes_that_are_none() {
    let (pem, _) = chain();
    let text = percent_encoded(&pem);
    for broken in ["%", "%4", "%zz", "%0x0A", "%u0041"] {
        refused(
            HeaderFormat::URL_ENCODED,
            format!("{text}{broken}"),
            Reason::HeaderEncoding,
        );
    }
    refused(
        HeaderFormat::URL_ENCODED,
        text.replace('%', "%25"),
        Reason::HeaderNotPem,
    );
    refused(HeaderFormat::URL_ENCODED, &pem, Reason::HeaderEncoding);
    refused(
        HeaderFormat::URL_ENCODED,
        format!("{text}\u{e9}"),
        Reason::HeaderEncoding,
    );
    refused(
        HeaderFormat::URL_ENCODED,
        format!("{text}\0"),
        Reason::HeaderEncoding,
    );
}

#[test]
fn refuses_two_headers_joined_by_a_comma() {
    let (pem, _) = chain();
    let text = percent_encoded(&pem);
    refused(
        HeaderFormat::URL_ENCODED,
        format!("{text},{text}"),
        Reason::HeaderJoined,
    );
    refused(
        HeaderFormat::URL_ENCODED,
        format!("{text}, {text}"),
        Reason::HeaderJoined,
    );
}

#[test]
fn refuses_a_repeated_header_even_when_equal() {
    let (pem, _) = chain();
    let text = percent_encoded(&pem);
    for format in HeaderFormat::all() {
        let values = HeaderValues {
            certificate: &[text.as_bytes(), text.as_bytes()],
            chain: &[],
        };
        assert_eq!(
            format.decode(values, LIMITS).unwrap_err().reason(),
            Reason::HeaderRepeated
        );
    }
}

#[test]
fn a_missing_header_is_told_from_an_empty_one() {
    for format in HeaderFormat::all() {
        let missing = format.decode(HeaderValues::default(), LIMITS).unwrap_err();
        assert_eq!(missing.reason(), Reason::CertificateMissing);
        let empty = decode(format, b"").unwrap_err().reason();
        assert!(
            [Reason::HeaderNotPem, Reason::HeaderEncoding].contains(&empty),
            "{format}: {empty:?}"
        );
    }
}

#[test]
fn refuses_pem_that_is_damaged() {
    let (pem, _) = chain();
    let block = percent_encoded(&pem);
    let damaged = |from: &str, to: &str| percent_encoded(&pem.replacen(from, to, 1));
    for text in [
        damaged("-----END CERTIFICATE-----", ""),
        damaged("-----END CERTIFICATE-----", "-----END CERTIFICATE----"),
        damaged("-----END CERTIFICATE-----", "-----END X509 CRL-----"),
        damaged("-----BEGIN CERTIFICATE-----", ""),
        damaged("-----BEGIN CERTIFICATE-----", "------BEGIN CERTIFICATE-----"),
        damaged("CERTIFICATE", "TRUSTED CERTIFICATE"),
        damaged("CERTIFICATE", "PRIVATE KEY"),
        damaged("\nMII", "\nProc-Type: 4,ENCRYPTED\n\nMII").replace(',', "%2C"),
        damaged("\nMII", "\n!MII"),
        damaged("\nMII", "\nMI"),
        format!("junk{block}"),
        format!("{block}junk"),
        format!("{block}%00"),
        format!("{block}%2D%2D%2D%2D%2DBEGIN"),
        "-----BEGIN%20CERTIFICATE-----%0A-----END%20CERTIFICATE-----".to_owned(),
    ] {
        refused(HeaderFormat::URL_ENCODED, text, Reason::HeaderNotPem);
    }
}

#[test]
fn limits_are_inclusive_and_come_before_decoding() {
    let (pem, _) = chain();
    let text = percent_encoded(&pem);
    let decode = |limits| {
        let values = HeaderValues {
            certificate: &[text.as_bytes()],
            chain: &[],
        };
        HeaderFormat::URL_ENCODED
            .decode(values, limits)
            .map_err(|rejection| rejection.reason())
    };
    let exact = HeaderLimits {
        max_bytes: text.len(),
        max_certificates: 2,
    };
    assert!(decode(exact).is_ok());
    assert_eq!(
        decode(HeaderLimits {
            max_bytes: text.len() - 1,
            ..exact
        }),
        Err(Reason::HeaderTooLarge)
    );
    assert_eq!(
        decode(HeaderLimits {
            max_certificates: 1,
            ..exact
        }),
        Err(Reason::HeaderTooManyCertificates)
    );
    // Blocks are counted before their content is looked at.
    let nine = "-----BEGIN%20CERTIFICATE-----".repeat(9);
    refused(HeaderFormat::URL_ENCODED, nine, Reason::HeaderTooManyCertificates);
    refused(
        HeaderFormat::BASE64_ENCODED,
        ",".repeat(8),
        Reason::HeaderTooManyCertificates,
    );
}

#[test]
fn reads_base64_of_der_separated_by_commas() {
    let (_, expected) = chain();
    let texts: Vec<String> = expected.iter().map(|der| STANDARD.encode(der)).collect();
    for joined in [texts.join(","), texts.join(", ")] {
        assert_eq!(
            ders(&decode(HeaderFormat::BASE64_ENCODED, joined.as_bytes()).unwrap()),
            expected
        );
    }
    let text = texts.join(",");
    refused(
        HeaderFormat::BASE64_ENCODED,
        format!("{text},"),
        Reason::HeaderEncoding,
    );
    refused(
        HeaderFormat::BASE64_ENCODED,
        text.replace('+', " "),
        Reason::HeaderEncoding,
    );
    refused(
        HeaderFormat::BASE64_ENCODED,
        text.replace('+', "-"),
        Reason::HeaderEncoding,
    );
    refused(HeaderFormat::BASE64_ENCODED, "=", Reason::HeaderEncoding);
    let padded = STANDARD.encode([0x30, 0]);
    refused(
        HeaderFormat::BASE64_ENCODED,
        padded.trim_end_matches('='),
        Reason::HeaderEncoding,
    );
}

#[test]
fn reads_rfc_9440() {
    let (_, expected) = chain();
    let items: Vec<String> = expected
        .iter()
        .map(|der| format!(":{}:", STANDARD.encode(der)))
        .collect();
    let decode = |certificate: &str, chain: &[&str]| {
        let chain: Vec<&[u8]> = chain.iter().map(|value| value.as_bytes()).collect();
        let values = HeaderValues {
            certificate: &[certificate.as_bytes()],
            chain: &chain,
        };
        HeaderFormat::RFC9440
            .decode(values, LIMITS)
            .map_err(|rejection| rejection.reason())
    };
    let (leaf, issuer) = (items[0].as_str(), items[1].as_str());
    assert_eq!(ders(&decode(leaf, &[issuer]).unwrap()), expected);
    assert_eq!(ders(&decode(leaf, &[]).unwrap()), expected[..1]);
    let twice = format!("{issuer}, {issuer}");
    assert_eq!(decode(leaf, &[&twice]).unwrap().intermediates().len(), 2);
    assert_eq!(decode(leaf, &[issuer, issuer]).unwrap().intermediates().len(), 2);
    for (certificate, chain) in [
        (issuer.trim_matches(':'), ""),
        ("\"text\"", ""),
        ("::", ""),
        (&*format!("{leaf}, {leaf}"), ""),
        (leaf, "(:AAAA:)"),
        (leaf, "1"),
        (leaf, ":AAAA"),
    ] {
        let chain: &[&str] = if chain.is_empty() { &[] } else { &[chain] };
        assert_eq!(
            decode(certificate, chain),
            Err(Reason::HeaderEncoding),
            "{certificate} {chain:?}"
        );
    }
    let many = [issuer; 8].join(", ");
    assert_eq!(decode(leaf, &[&many]), Err(Reason::HeaderTooManyCertificates));
}
