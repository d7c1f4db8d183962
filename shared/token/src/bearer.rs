use std::fmt;

use crate::rejection::{TokenReason, TokenRejection};

/// Longest token that is read, in bytes. API Gateway allows 10,240 for all headers together, a load balancer 16 K for
/// one.
const MAX_TOKEN_BYTES: usize = 8_192;

/// The scheme of RFC 6750 §2.1; schemes have no case (RFC 9110 §11.1).
const SCHEME: &str = "Bearer";

/// A token as a client sent it. Nothing is known of it yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BearerToken<'a>(&'a str);

impl<'a> BearerToken<'a> {
    /// Reads every value that a request holds of the `Authorization` header (RFC 6750 §2.1). `None` when there is no
    /// value, or one of another scheme.
    ///
    /// # Errors
    /// A [`TokenRejection`] when the header is repeated, or names the scheme and holds no token after it. Two values,
    /// even equal ones, would let this function and a later one read different tokens.
    pub fn read(authorization: &[&'a [u8]]) -> Result<Option<Self>, TokenRejection> {
        let value = match authorization {
            [] => return Ok(None),
            [value] => value,
            several => {
                let explanation = format!("{} values", several.len());
                return Err(TokenRejection::new(TokenReason::Repeated).because(explanation));
            }
        };
        let end_of_scheme = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
        let (scheme, rest) = value.split_at_checked(end_of_scheme).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case(SCHEME.as_bytes()) {
            // API Gateway joins repeated headers with a comma, and the other one may be a token.
            return if holds_scheme(value) {
                Err(joined())
            } else {
                Ok(None)
            };
        }
        let token = rest.trim_ascii();
        if token.contains(&b',') {
            return Err(joined());
        }
        if token.len() > MAX_TOKEN_BYTES {
            let explanation = format!("{} bytes, read are {MAX_TOKEN_BYTES}", token.len());
            return Err(TokenRejection::new(TokenReason::Malformed).because(explanation));
        }
        // base64url and the dots of the compact form (RFC 7515 §3.1): less than the `b64token` of RFC 6750.
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        match std::str::from_utf8(token) {
            Ok(token) if !token.is_empty() && token.bytes().all(|byte| allowed(&byte)) => {
                Ok(Some(Self(token)))
            }
            _ => {
                let explanation = "the scheme Bearer is followed by something else";
                Err(TokenRejection::new(TokenReason::Malformed).because(explanation))
            }
        }
    }

    pub(crate) fn as_str(self) -> &'a str {
        self.0
    }
}

impl fmt::Debug for BearerToken<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may be valid, and then it is a secret.
        write!(formatter, "BearerToken({} bytes)", self.0.len())
    }
}

fn joined() -> TokenRejection {
    TokenRejection::new(TokenReason::Repeated).because("values joined by a comma")
}

/// Whether one of several values joined by commas has the scheme.
fn holds_scheme(value: &[u8]) -> bool {
    value
        .split(|byte| *byte == b',')
        .skip(1)
        .map(<[u8]>::trim_ascii_start)
        .filter_map(|part| part.get(..SCHEME.len()))
        .any(|start| start.eq_ignore_ascii_case(SCHEME.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Option<String>, TokenReason> {
        let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        BearerToken::read(&values)
            .map(|token| token.map(|token| token.as_str().to_owned()))
            .map_err(|rejection| rejection.reason())
    }

    #[test]
    fn two_values_are_refused_in_each_form() {
        for values in [
            &["Bearer a.b.c", "Bearer a.b.c"][..],
            &["Basic YTpi", "Bearer a.b.c"],
            &["Bearer a.b.c,Bearer d.e.f"],
            &["Bearer a.b.c, Basic YTpi"],
            &["Basic YTpi, bearer a.b.c"],
        ] {
            assert_eq!(read(values), Err(TokenReason::Repeated), "{values:?}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN_BYTES + 1));
        for value in [
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Bearer a.b.c\u{e9}",
            "bearer \"a\"",
            &long,
        ] {
            assert_eq!(read(&[value]), Err(TokenReason::Malformed), "{value}");
        }
    }

    #[test]
    fn other_schemes_hold_no_bearer_token() {
        assert_eq!(read(&[]), Ok(None));
        for value in [
            "",
            "Basic YTpi",
            "BearerToken a",
            "Digest username=\"a\", realm=\"b\"",
        ] {
            assert_eq!(read(&[value]), Ok(None), "{value}");
        }
    }

    #[test]
    fn the_scheme_has_no_case() {
        for value in ["Bearer a.b.c", "bearer  a.b.c", "BEARER a.b.c "] {
            assert_eq!(read(&[value]), Ok(Some("a.b.c".to_owned())), "{value}");
        }
    }
}
