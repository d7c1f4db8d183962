//! Framing of messages over HTTP/1.1.

use http::HeaderMap;
use http::header::{HeaderName, TRANSFER_ENCODING};
use http::response::Parts;

use crate::error::ForwardError;

/// Rejects what a load balancer would turn into an error of its own, or hand over in another form.
///
/// # Errors
/// [`ForwardError::Protocol`].
pub fn check_framing(parts: &Parts) -> Result<(), ForwardError> {
    // RFC 9110 §15: a client treats a status beyond 599 as invalid.
    if parts.status.as_u16() >= 600 {
        return Err(ForwardError::Protocol(format!(
            "{} is not a status of an answer",
            parts.status.as_u16()
        )));
    }
    // `identity` is RFC 2616's name for no coding at all.
    match other_coding(&parts.headers, &["chunked", "identity"]) {
        None => Ok(()),
        Some(explanation) => Err(ForwardError::Protocol(explanation)),
    }
}

/// Rejects a request whose body the upstream would read in another form than the client wrote it.
///
/// # Errors
/// [`ForwardError::RequestBody`].
pub(crate) fn check_request_framing(headers: &HeaderMap) -> Result<(), ForwardError> {
    match other_coding(headers, &["chunked"]) {
        None => Ok(()),
        Some(explanation) => Err(ForwardError::RequestBody(explanation)),
    }
}

/// Returns why a body cannot be passed on: hyper takes `chunked` off, and the body under another
/// coding would lose the header that says so (RFC 9112 §6.1).
fn other_coding(headers: &HeaderMap, known: &[&str]) -> Option<String> {
    let is_known = |coding: &[u8]| {
        known
            .iter()
            .any(|known| coding.eq_ignore_ascii_case(known.as_bytes()))
    };
    let coding = words(headers, &TRANSFER_ENCODING).find(|coding| !is_known(coding))?;
    Some(format!(
        "the transfer coding `{}` is not supported",
        coding.escape_ascii()
    ))
}

/// Returns true if one of the words of a header is this one, whatever its case.
pub(crate) fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    words(headers, name).any(|found| found.eq_ignore_ascii_case(word.as_bytes()))
}

/// Returns the words of a header, which commas separate, from all its values.
fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let values = headers.get_all(name).iter();
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    #[test]
    fn a_request_has_no_coding_but_chunked() {
        for (coding, is_sent) in [
            ("chunked", true),
            ("Chunked", true),
            ("gzip, chunked", false),
            ("chunked, chunked, identity", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(TRANSFER_ENCODING, coding.parse().unwrap());
            assert_eq!(check_request_framing(&headers).is_ok(), is_sent, "{coding}");
        }
        assert_eq!(check_request_framing(&HeaderMap::new()), Ok(()));
    }

    #[test]
    fn statuses_and_transfer_codings_without_a_meaning_are_rejected() {
        let check = |status: u16, coding: Option<&str>| {
            let mut answer = Response::builder().status(status);
            if let Some(coding) = coding {
                answer = answer.header(TRANSFER_ENCODING, coding);
            }
            check_framing(&answer.body(()).unwrap().into_parts().0)
        };
        for (status, coding) in [
            (200, None),
            (599, None),
            (200, Some("Chunked")),
            (200, Some("identity")),
        ] {
            assert_eq!(check(status, coding), Ok(()), "{status} {coding:?}");
        }
        for (status, coding) in [
            (600, None),
            (999, None),
            (200, Some("gzip")),
            (200, Some("gzip, chunked")),
            (200, Some("deflate")),
        ] {
            assert!(
                matches!(check(status, coding), Err(ForwardError::Protocol(_))),
                "{status} {coding:?}"
            );
        }
    }
}
