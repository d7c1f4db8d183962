//! Framing of an upstream's answer.

use http::header::TRANSFER_ENCODING;
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
    // hyper takes `chunked` off. The body under another coding would lose the header that says so
    // (RFC 9112 §6.1).
    let codings = parts.headers.get_all(TRANSFER_ENCODING).iter();
    let mut codings = codings.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let is_undone = |coding: &&[u8]| {
        // `identity` is RFC 2616's name for no coding at all.
        [&b"chunked"[..], b"identity"]
            .iter()
            .any(|known| coding.trim_ascii().eq_ignore_ascii_case(known))
    };
    match codings.find(|coding| !is_undone(coding)) {
        None => Ok(()),
        Some(coding) => Err(ForwardError::Protocol(format!(
            "the transfer coding `{}` is not supported",
            coding.escape_ascii()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

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
