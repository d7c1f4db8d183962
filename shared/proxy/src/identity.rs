//! Identity of the client as the upstream sees it: headers, and an assertion, which needs a key.

use std::str::FromStr;

use alb_mtls_http::forms::WRITTEN;
use alb_mtls_http::{IdentityForms, InvalidIdentityForms};

const ASSERTION: &str = "assertion";

/// The forms in which the upstream learns who the client is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct UpstreamIdentity {
    pub(crate) forms: IdentityForms,
    pub(crate) assertion: bool,
}

/// The text does not name forms of identity. Displays as what would.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidIdentity {
    #[error("`{}` and `assertion` separated by commas, or `none` alone", WRITTEN.join("`, `"))]
    Unknown,
    #[error("each form once, and `{0}` is there twice")]
    Repeated(String),
}

impl FromStr for UpstreamIdentity {
    type Err = InvalidIdentity;

    fn from_str(text: &str) -> Result<Self, InvalidIdentity> {
        let (assertions, others): (Vec<&str>, Vec<&str>) =
            text.split(',').partition(|word| *word == ASSERTION);
        let assertion = match assertions.len() {
            0 => false,
            1 => true,
            _ => return Err(InvalidIdentity::Repeated(ASSERTION.to_owned())),
        };
        if assertion && others == ["none"] {
            return Err(InvalidIdentity::Unknown);
        }
        let forms = if others.is_empty() {
            IdentityForms::NONE
        } else {
            others.join(",").parse().map_err(|error| match error {
                InvalidIdentityForms::Unknown => InvalidIdentity::Unknown,
                InvalidIdentityForms::Repeated(word) => InvalidIdentity::Repeated(word),
            })?
        };
        Ok(Self { forms, assertion })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assertion_stands_alone_or_among_the_forms() {
        let read = |text: &str| text.parse::<UpstreamIdentity>();
        let with = |forms| UpstreamIdentity {
            forms,
            assertion: true,
        };
        assert_eq!(read("assertion"), Ok(with(IdentityForms::NONE)));
        assert_eq!(
            read("verify-mode,assertion,rfc9440,extensions"),
            Ok(with(IdentityForms::default()))
        );
        assert_eq!(
            read("verify-mode,rfc9440,extensions"),
            Ok(UpstreamIdentity::default())
        );
        for unknown in [
            "xfcc, assertion",
            "assertion,none",
            "none,assertion",
            "assertion,",
            "",
        ] {
            assert_eq!(read(unknown), Err(InvalidIdentity::Unknown), "{unknown}");
        }
        for (repeated, word) in [
            ("assertion,assertion", "assertion"),
            ("assertion,xfcc,xfcc", "xfcc"),
        ] {
            assert_eq!(read(repeated), Err(InvalidIdentity::Repeated(word.to_owned())));
        }
    }

    #[test]
    fn assertion_header_is_stripped_from_requests() {
        let certificate_header = http::HeaderName::from_static("x-renamed");
        let stripped = alb_mtls_http::StrippedHeaders::new(certificate_header);
        assert!(stripped.states_identity(&crate::assertion::HEADER));
        let pass = vec![crate::assertion::HEADER.as_str().parse().unwrap()];
        assert!(stripped.with_passed_headers(pass).is_err());
    }
}
