//! Headers with the extensions of `MTLS_EXTENSIONS` that the client's certificate has, one each.

use alb_mtls_verifier::VerifiedClient;
use http::header::{HeaderMap, HeaderName};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::value::set;

/// Beginning of the names. What follows is the name of the extension with `-` for `_`, or its
/// object identifier with `-` for `.`: a name begins with a letter, so that no two are alike.
const PREFIX: &str = "x-client-cert-extension-";

/// Names that the form writes.
pub(super) const HEADERS: &[&str] = &["x-client-cert-extension-*"];

/// Characters to escape, beside all beyond ASCII (RFC 3986 §2.1). Text of URIs stays readable, and
/// every decoder reads the same: a comma joins headers, `+` is a space to some, and a reader of
/// parameters ends at a quotation mark, a backslash or a semicolon.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'%')
    .add(b'+')
    .add(b',')
    .add(b';')
    .add(b'\\');

pub(super) fn write(client: &VerifiedClient, headers: &mut HeaderMap) {
    for extension in client.identity().extensions.iter() {
        let name = format!("{PREFIX}{}", extension.key.replace(['_', '.'], "-"));
        // Keys consist of letters, digits, `_` and `.`.
        if let Ok(name) = HeaderName::try_from(name) {
            let value = utf8_percent_encode(&extension.value, ESCAPED);
            set(headers, name, value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use test_pki::{CertificateBuilder, Criticality};

    use super::*;
    use crate::samples::verified_with_extensions;

    fn written(selected: &str, values: &[(&str, &str)]) -> HeaderMap {
        let client = values
            .iter()
            .fold(CertificateBuilder::client("CN=a"), |client, (oid, text)| {
                let length = u8::try_from(text.len()).unwrap();
                let string = [&[0x0C, length], text.as_bytes()].concat();
                client.extension(oid, Criticality::NotCritical, &string)
            });
        let client = verified_with_extensions(client, selected);
        let mut headers = HeaderMap::new();
        write(&client, &mut headers);
        headers
    }

    #[test]
    fn each_extension_is_a_header_under_its_key() {
        let headers = written(
            "device_id=1.2.3.1 1.2.3.2 absent=1.2.3.3",
            &[
                ("1.2.3.1", "device-7"),
                ("1.2.3.2", "https://issuer.example/a?b=c#d"),
            ],
        );
        assert_eq!(headers.len(), 2);
        assert_eq!(headers["x-client-cert-extension-device-id"], "device-7");
        assert_eq!(
            headers["x-client-cert-extension-1-2-3-2"],
            "https://issuer.example/a?b=c#d"
        );
    }

    #[test]
    fn value_decodes_to_the_text_and_is_one_visible_word() {
        for text in [
            "a, b; c=\"d\"\\ + 100%",
            "Gerät 7",
            " edges ",
            "%41",
            "a%0D%0Ax-user: root",
        ] {
            let headers = written("1.2.3.1", &[("1.2.3.1", text)]);
            let value = headers["x-client-cert-extension-1-2-3-1"].to_str().unwrap();
            assert!(value.bytes().all(|byte| byte.is_ascii_graphic()), "{value}");
            assert!(!value.contains([',', ';', '"', '\\', '+']), "{value}");
            assert_eq!(percent_decode_str(value).decode_utf8().unwrap(), text);
        }
        let headers = written("1.2.3.1", &[("1.2.3.1", "a\r\nx-user: root")]);
        assert_eq!(
            headers["x-client-cert-extension-1-2-3-1"],
            "#0c0f610d0a782d757365723a20726f6f74"
        );
    }
}
