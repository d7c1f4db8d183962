//! Set of forms in which identity headers are written.

use std::str::FromStr;

use alb_mtls_verifier::VerifiedClient;
use http::header::HeaderMap;

use crate::forms::{FORMS, Form, WRITTEN};

/// Set of forms in which a service learns who the client is.
///
/// ```
/// use alb_mtls_http::IdentityForms;
///
/// let forms: IdentityForms = "verify-mode,rfc9440,extensions".parse()?;
/// assert_eq!(forms, IdentityForms::default());
/// # Ok::<(), alb_mtls_http::InvalidIdentityForms>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentityForms([bool; FORMS.len()]);

/// Text that is not a set of forms. Displays as the texts that are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdentityForms {
    /// A word that does not name a form.
    #[error("`{}` separated by commas, or `none` alone", WRITTEN.join("`, `"))]
    Unknown,
    /// A form that is named twice.
    #[error("each form once, and `{0}` is there twice")]
    Repeated(String),
}

impl IdentityForms {
    /// Empty set: no header.
    pub const NONE: Self = Self([false; FORMS.len()]);

    /// Returns the set of all forms that can be written.
    pub fn all() -> Self {
        Self(FORMS.map(|form| form.writer.is_some()))
    }

    /// Writes the headers of these forms.
    pub fn headers(self, client: &VerifiedClient) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for writer in self.forms().filter_map(|form| form.writer.as_ref()) {
            (writer.write)(client, &mut headers);
        }
        headers
    }

    fn forms(self) -> impl Iterator<Item = &'static Form> {
        let chosen = FORMS.into_iter().zip(self.0);
        chosen.filter_map(|(form, is_chosen)| is_chosen.then_some(form))
    }
}

/// The load balancer's own headers in verify mode, the standard ones, and those of the extensions
/// that the operator selected.
impl Default for IdentityForms {
    fn default() -> Self {
        let is_default = |word| ["verify-mode", "rfc9440", "extensions"].contains(&word);
        Self(FORMS.map(|form| form.writer.as_ref().is_some_and(|writer| is_default(writer.word))))
    }
}

impl FromStr for IdentityForms {
    type Err = InvalidIdentityForms;

    fn from_str(text: &str) -> Result<Self, InvalidIdentityForms> {
        let mut forms = Self::NONE;
        if text == "none" {
            return Ok(forms);
        }
        for word in text.split(',') {
            let is_named = |form: &Form| form.writer.as_ref().is_some_and(|writer| writer.word == word);
            let mut places = FORMS.into_iter().zip(&mut forms.0);
            let (_, is_chosen) = places
                .find(|(form, _)| is_named(form))
                .ok_or(InvalidIdentityForms::Unknown)?;
            if std::mem::replace(is_chosen, true) {
                return Err(InvalidIdentityForms::Repeated(word.to_owned()));
            }
        }
        Ok(forms)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use test_pki::{CertificateBuilder, Criticality};

    use super::*;
    use crate::samples::{verified, verified_with_extensions};
    use crate::{NamePattern, StrippedHeaders};

    fn client_with_extensions() -> VerifiedClient {
        let client = CertificateBuilder::client("CN=a,O=Tests")
            .extension("1.2.3.1", Criticality::NotCritical, &[0x0C, 1, b'a'])
            .extension("1.2.3.2", Criticality::NotCritical, &[0x05, 0]);
        verified_with_extensions(client, "device_id=1.2.3.1 1.2.3.2")
    }

    #[test]
    fn every_header_of_every_form_is_stripped_from_requests() {
        let headers = IdentityForms::all().headers(&client_with_extensions());
        assert_eq!(headers.len(), 11);
        let stripped = StrippedHeaders::new(HeaderName::from_static("x-renamed"));
        for name in headers.keys() {
            assert!(stripped.states_identity(name), "{name}");
            let pass = vec![name.as_str().parse().unwrap()];
            assert!(stripped.clone().with_passed_headers(pass).is_err(), "{name}");
        }
    }

    #[test]
    fn each_form_writes_the_headers_of_its_row() {
        let client = client_with_extensions();
        for word in WRITTEN {
            let forms: IdentityForms = word.parse().unwrap();
            let headers = forms.headers(&client);
            let names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
            let rows: Vec<&str> = forms.forms().flat_map(|form| form.headers).copied().collect();
            match rows.as_slice() {
                [family] if family.ends_with('*') => {
                    let family: NamePattern = family.parse().unwrap();
                    let mut names = names.iter();
                    assert!(
                        names.len() == 2 && names.all(|name| family.covers(name)),
                        "{word}"
                    );
                }
                rows => assert_eq!(names, rows, "{word}"),
            }
        }
    }

    #[test]
    fn values_are_visible_ascii_for_any_certificate() {
        let client = CertificateBuilder::client(r"CN=J\C3\BCrgen \22x\22\2C Inc;\5C\3D\+,OU=a\;b\,c,O=\#x\ ")
            .uri("spiffe://tests/a;By=forged,Hash=0")
            .dns("a.example");
        let (client, _, _) = verified(client);
        for (name, value) in &IdentityForms::all().headers(&client) {
            assert!(
                value
                    .as_bytes()
                    .iter()
                    .all(|byte| byte.is_ascii_graphic() || *byte == b' '),
                "{name}: {value:?}"
            );
        }
    }

    #[test]
    fn forms_are_words_in_a_list() {
        assert_eq!("none".parse(), Ok(IdentityForms::NONE));
        assert_eq!(
            "extensions,rfc9440,verify-mode".parse(),
            Ok(IdentityForms::default())
        );
        assert_eq!(WRITTEN.join(",").parse(), Ok(IdentityForms::all()));
        for unknown in ["xfcc,none", "xfcc, passthrough", "", "base64_encoded"] {
            let error = unknown.parse::<IdentityForms>();
            assert_eq!(error, Err(InvalidIdentityForms::Unknown), "{unknown}");
        }
        let repeated = InvalidIdentityForms::Repeated("xfcc".to_owned());
        assert_eq!("xfcc,xfcc".parse::<IdentityForms>(), Err(repeated));
    }
}
