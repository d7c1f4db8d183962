//! Forms in which headers carry client certificates: one table of what is read and what is written.
//!
//! A new form is a file of its own in this module and a row in [`FORMS`]. The settings' words and
//! help, the headers that are stripped from requests, the pattern in `template.yaml` and the tables
//! in the documentation come from the rows.

mod base64_der;
mod extensions;
mod limits;
mod passthrough;
mod pem_blocks;
mod pem_text;
mod rfc9440;
mod value;
mod verify_mode;
mod xfcc;

use alb_mtls_verifier::{CertificateDer, Rejection, VerifiedClient};
use http::header::HeaderMap;

pub use limits::HeaderLimits;
pub use passthrough::CERTIFICATE_HEADER;
pub use rfc9440::{CLIENT_CERT, CLIENT_CERT_CHAIN};
pub use value::set;
pub(crate) use verify_mode::LEAF;

/// Form in which headers carry client certificates.
#[derive(Debug)]
pub struct Form {
    /// Description, as one clause.
    pub meaning: &'static str,
    /// Restriction that an operator needs to know before choosing the form, as one clause.
    pub limits: &'static str,
    /// Names of the headers that the form writes; `*` at the end stands for any rest.
    pub headers: &'static [&'static str],
    /// Reader of the certificate header; absent for a form that is only written.
    pub(crate) reader: Option<Reader>,
    /// Writer of identity headers; absent for a form that is only read.
    pub(crate) writer: Option<Writer>,
}

/// Reading half of a [`Form`].
#[derive(Debug)]
pub(crate) struct Reader {
    /// Word in `MTLS_HEADER_FORMAT`.
    pub(crate) word: &'static str,
    /// Name of the certificate header, unless the operator sets another one.
    pub(crate) header: &'static str,
    /// Name of a second header with the rest of the chain.
    pub(crate) chain_header: Option<&'static str>,
    /// Finds the end of the end-entity certificate in the value, without decoding it.
    pub(crate) end_of_end_entity: fn(&[u8]) -> Option<usize>,
    /// Decodes the value of the certificate header and the values of the second one, end-entity
    /// certificate first.
    pub(crate) decode: Decode,
}

type Decode = fn(&[u8], &[&[u8]], HeaderLimits) -> Result<Vec<CertificateDer<'static>>, Rejection>;

/// Writing half of a [`Form`].
#[derive(Debug)]
pub(crate) struct Writer {
    /// Word in `FORWARD_IDENTITY` and `LAYER_IDENTITY`.
    pub(crate) word: &'static str,
    /// Sets the form's headers.
    pub(crate) write: fn(&VerifiedClient, &mut HeaderMap),
}

/// Every form, in the order of the documentation.
pub static FORMS: [&Form; 6] = [&VERIFY_MODE, &PASSTHROUGH, &RFC9440, &XFCC, &EXTENSIONS, &BASE64];

static VERIFY_MODE: Form = Form {
    meaning: "the five headers of a load balancer in verify mode",
    limits: "without intermediates",
    headers: verify_mode::HEADERS,
    reader: None,
    writer: Some(Writer {
        word: "verify-mode",
        write: verify_mode::write,
    }),
};

/// The form of the load balancer itself.
pub(crate) static PASSTHROUGH: Form = Form {
    meaning: "percent-encoded PEM of the chain in one header, as a load balancer in passthrough mode sends it",
    limits: "written with the verified path alone, without the trust anchor",
    headers: &[CERTIFICATE_HEADER],
    reader: Some(Reader {
        word: "url_encoded",
        header: CERTIFICATE_HEADER,
        chain_header: None,
        end_of_end_entity: passthrough::end_of_end_entity,
        decode: passthrough::decode,
    }),
    writer: Some(Writer {
        word: "passthrough",
        write: passthrough::write,
    }),
};

/// The form that the IETF standardised.
pub(crate) static RFC9440: Form = Form {
    meaning: "RFC 9440: the certificate as a structured field, the rest of the chain in a second header",
    limits: "written with the verified path alone, without the trust anchor",
    headers: &[CLIENT_CERT, CLIENT_CERT_CHAIN],
    reader: Some(Reader {
        word: "rfc9440",
        header: CLIENT_CERT,
        chain_header: Some(CLIENT_CERT_CHAIN),
        end_of_end_entity: |_| None,
        decode: rfc9440::decode,
    }),
    writer: Some(Writer {
        word: "rfc9440",
        write: rfc9440::write,
    }),
};

static XFCC: Form = Form {
    meaning: "Envoy's header: fingerprint, certificate, subject, and URI and DNS names",
    limits: "without intermediates",
    headers: &[xfcc::HEADER],
    reader: None,
    writer: Some(Writer {
        word: "xfcc",
        write: xfcc::write,
    }),
};

static EXTENSIONS: Form = Form {
    meaning: "a header for each extension of `MTLS_EXTENSIONS` that the certificate has",
    limits: "without the certificate",
    headers: extensions::HEADERS,
    reader: None,
    writer: Some(Writer {
        word: "extensions",
        write: extensions::write,
    }),
};

/// The form of Kong's `base64_encoded` and of Traefik.
pub(crate) static BASE64: Form = Form {
    meaning: "base64 of DER certificates without PEM lines, separated by commas",
    limits: "only read",
    headers: &[],
    reader: Some(Reader {
        word: "base64_encoded",
        header: CERTIFICATE_HEADER,
        chain_header: None,
        end_of_end_entity: base64_der::end_of_end_entity,
        decode: base64_der::decode,
    }),
    writer: None,
};

/// Words of the forms that are read, in the order of [`FORMS`]: the values of `MTLS_HEADER_FORMAT`.
pub const READ: [&str; count(false)] = words(false);

/// Words of the forms that are written, in the order of [`FORMS`]: the values of `FORWARD_IDENTITY`
/// and `LAYER_IDENTITY`.
pub const WRITTEN: [&str; count(true)] = words(true);

const fn word(form: &Form, is_written: bool) -> Option<&'static str> {
    match (is_written, &form.reader, &form.writer) {
        (false, Some(reader), _) => Some(reader.word),
        (true, _, Some(writer)) => Some(writer.word),
        _ => None,
    }
}

const fn count(is_written: bool) -> usize {
    let mut count = 0;
    let mut forms: &[&Form] = &FORMS;
    while let [form, rest @ ..] = forms {
        if word(form, is_written).is_some() {
            count += 1;
        }
        forms = rest;
    }
    count
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which rejects an index out of range"
)]
const fn words<const COUNT: usize>(is_written: bool) -> [&'static str; COUNT] {
    let mut words = [""; COUNT];
    let mut found = 0;
    let mut forms: &[&Form] = &FORMS;
    while let [form, rest @ ..] = forms {
        if let Some(word) = word(form, is_written) {
            words[found] = word;
            found += 1;
        }
        forms = rest;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_unique_and_every_form_has_one() {
        for words in [&READ[..], &WRITTEN] {
            let mut unique = words.to_vec();
            unique.sort_unstable();
            unique.dedup();
            assert_eq!(unique.len(), words.len(), "{words:?}");
            assert!(!words.contains(&"") && !words.contains(&"none"), "{words:?}");
        }
        for form in FORMS {
            assert!(form.reader.is_some() || form.writer.is_some(), "{form:?}");
            assert_eq!(form.writer.is_some(), !form.headers.is_empty(), "{form:?}");
        }
    }
}
