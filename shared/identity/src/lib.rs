//! Headers that tell the service behind the gate who the client is, in the forms that services know already.
//!
//! The gate has removed every header of this family from what the client sent; these are set on a clean request.
//!
//! ```
//! use alb_mtls_identity::IdentityForms;
//!
//! let forms: IdentityForms = "verify-mode,rfc9440".parse()?;
//! assert_eq!(forms, IdentityForms::default());
//! # Ok::<(), alb_mtls_identity::InvalidIdentityForms>(())
//! ```

#![warn(missing_docs)]

mod memory;
mod passthrough;
mod pem_text;
mod rfc9440;
mod verify_mode;
mod xfcc;

use std::str::FromStr;

use alb_mtls_gate::VerifiedClient;
use http::header::{HeaderMap, HeaderName, HeaderValue};

pub use crate::memory::IdentityHeaders;

/// The forms in which a service learns who the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentityForms {
    /// The five headers of a load balancer in verify mode.
    pub verify_mode: bool,
    /// RFC 9440: `Client-Cert` and `Client-Cert-Chain`.
    pub rfc9440: bool,
    /// Envoy's `X-Forwarded-Client-Cert`.
    pub xfcc: bool,
    /// The header of a load balancer in passthrough mode, made anew from the verified path.
    pub passthrough: bool,
}

/// The text holds no such forms. Displays as what would.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdentityForms {
    /// A word that is none of them.
    #[error("`verify-mode`, `rfc9440`, `xfcc` and `passthrough` separated by commas, or `none` alone")]
    Unknown,
    /// The same word again.
    #[error("each form once, and `{0}` is there twice")]
    Repeated(String),
}

impl IdentityForms {
    /// No header at all.
    pub const NONE: Self = Self {
        verify_mode: false,
        rfc9440: false,
        xfcc: false,
        passthrough: false,
    };

    /// The headers of these forms.
    pub fn headers(self, client: &VerifiedClient) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let identity = client.identity();
        if self.verify_mode {
            verify_mode::state(identity, &mut headers);
        }
        if self.rfc9440 {
            rfc9440::state(client, &mut headers);
        }
        if self.xfcc {
            set(&mut headers, xfcc::HEADER, xfcc::value(identity));
        }
        if self.passthrough {
            set(&mut headers, passthrough::HEADER, passthrough::value(client));
        }
        headers
    }
}

impl Default for IdentityForms {
    fn default() -> Self {
        Self {
            verify_mode: true,
            rfc9440: true,
            ..Self::NONE
        }
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
            let form = match word {
                "verify-mode" => &mut forms.verify_mode,
                "rfc9440" => &mut forms.rfc9440,
                "xfcc" => &mut forms.xfcc,
                "passthrough" => &mut forms.passthrough,
                _ => return Err(InvalidIdentityForms::Unknown),
            };
            if std::mem::replace(form, true) {
                return Err(InvalidIdentityForms::Repeated(word.to_owned()));
            }
        }
        Ok(forms)
    }
}

/// Sets a header whose value is visible ASCII and spaces; everything that makes values here escapes the rest.
pub fn set(headers: &mut HeaderMap, name: HeaderName, value: String) {
    match HeaderValue::try_from(value) {
        Ok(value) => headers.insert(name, value),
        // Not reached with visible ASCII; without the header the upstream sees a client without an identity.
        Err(_) => headers.remove(name),
    };
}

#[cfg(test)]
pub(crate) mod tests {
    use alb_mtls_verifier::{
        Intermediates, PresentedChain, Timestamp, TrustAnchor, TrustAnchors, Verifier, VerifyOptions,
    };
    use test_pki::{CertificateBuilder, Credential};

    use super::*;

    /// Verifies a client that sends its certificate and its issuer's.
    pub(crate) fn verified(client: CertificateBuilder) -> (VerifiedClient, Credential, Credential) {
        let root = CertificateBuilder::root("CN=Root,O=Tests").self_signed().unwrap();
        let issuing = CertificateBuilder::intermediate("CN=Issuing,O=Tests")
            .issued_by(&root)
            .unwrap();
        let credential = client.issued_by(&issuing).unwrap();
        let anchor = TrustAnchor::new(root.der().to_vec().into()).unwrap();
        let verifier = Verifier::new(
            TrustAnchors::new([anchor]).unwrap(),
            Intermediates::default(),
            VerifyOptions::default(),
        );
        let chain = [&credential, &issuing].map(|credential| credential.der().to_vec().into());
        let chain = PresentedChain::new(chain).unwrap();
        (
            verifier.verify(&chain, Timestamp::now()).unwrap(),
            credential,
            issuing,
        )
    }

    #[test]
    fn every_header_of_every_form_is_one_that_is_stripped_from_requests() {
        let forms = IdentityForms {
            verify_mode: true,
            rfc9440: true,
            xfcc: true,
            passthrough: true,
        };
        let (client, _, _) = verified(CertificateBuilder::client("CN=a,O=Tests"));
        let headers = forms.headers(&client);
        assert_eq!(headers.len(), 9);
        let stripped = alb_mtls_gate::StrippedHeaders::new(HeaderName::from_static("x-renamed"));
        for name in headers.keys() {
            assert!(stripped.states_identity(name), "{name}");
            let pass = vec![name.as_str().parse().unwrap()];
            assert!(stripped.clone().with_passed_headers(pass).is_err(), "{name}");
        }
    }

    #[test]
    fn values_hold_nothing_but_visible_ascii_whatever_the_certificate_holds() {
        let forms = IdentityForms {
            xfcc: true,
            passthrough: true,
            ..IdentityForms::default()
        };
        let client = CertificateBuilder::client(r"CN=J\C3\BCrgen \22x\22\2C Inc;\5C\3D\+,OU=a\;b\,c,O=\#x\ ")
            .uri("spiffe://tests/a;By=forged,Hash=0")
            .dns("a.example");
        let (client, _, _) = verified(client);
        let headers = forms.headers(&client);
        for (name, value) in &headers {
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
        assert_eq!("verify-mode,rfc9440".parse(), Ok(IdentityForms::default()));
        assert_eq!(
            "xfcc,none".parse::<IdentityForms>(),
            Err(InvalidIdentityForms::Unknown)
        );
        assert_eq!(
            "xfcc, passthrough".parse::<IdentityForms>(),
            Err(InvalidIdentityForms::Unknown)
        );
    }
}
