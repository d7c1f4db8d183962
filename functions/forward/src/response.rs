//! From the upstream's answer to a response that a load balancer takes from a function.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::response::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use lambda_http::Body;

use crate::headers;
use alb_mtls_proxy::{ForwardError, check_framing};

/// Most bytes of JSON that a load balancer takes from a function.
///
/// Source: Elastic Load Balancing user guide, "Lambda functions as targets", limits.
pub(crate) const MAXIMUM_JSON: usize = 1024 * 1024;

/// Most bytes of response headers that a load balancer passes on.
///
/// Source: Elastic Load Balancing user guide, "Quotas for your Application Load Balancers".
const MAXIMUM_HEADERS: usize = 32 * 1024;

/// Most bytes of the answer's JSON in addition to headers and body, with room to spare.
const FRAME: usize = 256;

/// Reads the whole answer, but no more of its body than this.
///
/// # Errors
/// [`ForwardError`] when it breaks off, is not valid or is too large; hyper's own error to be told
/// apart by the caller.
pub(crate) async fn receive(
    method: &Method,
    answer: Response<Incoming>,
    maximum_body: usize,
) -> Result<Response<Bytes>, ReceiveError> {
    let (mut parts, body) = answer.into_parts();
    if parts.status.is_informational() {
        let explanation = format!("{} without having been asked to switch protocols", parts.status);
        return Err(ForwardError::Protocol(explanation).into());
    }
    check_framing(&parts)?;
    alb_mtls_http::headers::remove_hop_by_hop(&mut parts.headers);
    let bytes = collect(method, &parts, body, maximum_body).await?;
    parts.extensions.clear();
    Ok(Response::from_parts(parts, bytes))
}

/// Marks an answer whose body its function has declared as text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeclaredText;

/// Returns the answer in the form in which it can be passed on.
///
/// # Errors
/// [`ForwardError`] when a load balancer would not take it.
pub(crate) fn hand_over(answer: Response<Bytes>) -> Result<Response<Body>, ForwardError> {
    let (parts, bytes) = answer.into_parts();
    let size = headers::wire_length(&parts.headers);
    if size > MAXIMUM_HEADERS {
        return Err(ForwardError::HeadersTooLarge {
            limit: MAXIMUM_HEADERS,
            size,
        });
    }
    let body = match parts.extensions.get::<DeclaredText>() {
        Some(DeclaredText) => declared_text(bytes),
        None => to_body(&parts.headers, bytes),
    };
    let size = json_length(&parts.headers, &body);
    if size > MAXIMUM_JSON {
        return Err(too_large(format!("it would be {size} bytes")));
    }
    Ok(Response::from_parts(parts, body))
}

/// Reason why an answer could not be received.
#[derive(Debug)]
pub(crate) enum ReceiveError {
    Final(ForwardError),
    /// While the body was read.
    Transport(hyper::Error),
}

impl From<ForwardError> for ReceiveError {
    fn from(failure: ForwardError) -> Self {
        Self::Final(failure)
    }
}

async fn collect(
    method: &Method,
    parts: &Parts,
    body: Incoming,
    maximum: usize,
) -> Result<Bytes, ReceiveError> {
    let announced = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let has_body = *method != Method::HEAD && parts.status != StatusCode::NOT_MODIFIED;
    if let Some(length) = announced.filter(|length| has_body && *length > maximum) {
        return Err(too_large(format!("its body alone is {length} bytes")).into());
    }
    match Limited::new(body, maximum).collect().await {
        // Trailers have no place in a function's answer.
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(too_large("its body alone is more".to_owned()).into())
        }
        Err(error) => match error.downcast::<hyper::Error>() {
            Ok(error) => Err(ReceiveError::Transport(*error)),
            Err(error) => Err(ForwardError::Protocol(error.to_string()).into()),
        },
    }
}

fn too_large(size: String) -> ForwardError {
    ForwardError::TooLarge {
        limit: MAXIMUM_JSON,
        size,
    }
}

/// Returns the body of a function that answered with text, which is UTF-8 as all of its JSON.
fn declared_text(bytes: Bytes) -> Body {
    match String::from_utf8(bytes.into()) {
        Ok(text) if text.is_empty() => Body::Empty,
        Ok(text) => Body::Text(text),
        Err(error) => Body::Binary(error.into_bytes()),
    }
}

/// Returns the body of a server's answer: text where its type says so and it is UTF-8; base64
/// otherwise, and where escapes would make the text longer than base64 does.
fn to_body(headers: &HeaderMap, bytes: Bytes) -> Body {
    if bytes.is_empty() {
        return Body::Empty;
    }
    if headers.contains_key(CONTENT_ENCODING) || !is_textual(headers) {
        return Body::Binary(bytes.into());
    }
    match String::from_utf8(bytes.into()) {
        Ok(text) if escaped_length(text.as_bytes()) <= base64_length(text.len()) => Body::Text(text),
        Ok(text) => Body::Binary(text.into_bytes()),
        Err(error) => Body::Binary(error.into_bytes()),
    }
}

fn is_textual(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let media_type = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    // RFC 6839 §3: the suffixes of what is JSON or XML underneath.
    media_type.starts_with("text/")
        || media_type.ends_with("+json")
        || media_type.ends_with("+xml")
        || ["application/json", "application/javascript", "application/xml"].contains(&media_type.as_str())
}

/// Returns an upper bound, close to the real value, of the length of the answer's JSON in either
/// form of headers.
fn json_length(headers: &HeaderMap, body: &Body) -> usize {
    let headers: usize = headers
        .iter()
        // Both quoted; in the form of lists also a colon, a comma and brackets.
        .map(|(name, value)| {
            name.as_str().len()
                + escaped_length(String::from_utf8_lossy(value.as_bytes()).as_bytes())
                + r#""":[""],"#.len()
        })
        .sum();
    let body = match body {
        Body::Text(text) => escaped_length(text.as_bytes()),
        Body::Binary(bytes) => base64_length(bytes.len()),
        _ => 0,
    };
    FRAME + headers + body
}

/// Bytes of a JSON string between its quotes.
fn escaped_length(text: &[u8]) -> usize {
    let of_byte = |byte: &u8| match byte {
        b'"' | b'\\' | 0x08 | 0x09 | 0x0a | 0x0c | 0x0d => 2,
        0x00..0x20 => 6,
        _ => 1,
    };
    text.iter().map(of_byte).sum()
}

const fn base64_length(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4)
}

#[cfg(test)]
mod tests {
    use alb_mtls_lambda::{Answer, HeaderMode};

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_servers_text_is_known_by_its_type() {
        for (content_type, text) in [
            ("text/plain", true),
            ("TEXT/HTML; charset=utf-8", true),
            ("application/json", true),
            ("application/javascript", true),
            ("application/xml;q=1", true),
            ("application/problem+json", true),
            ("application/vnd.api+json; charset=utf-8", true),
            ("image/svg+xml", true),
            ("application/x-ndjson", false),
            ("image/png", false),
            ("application/octet-stream", false),
        ] {
            let body = to_body(
                &headers(&[("content-type", content_type)]),
                Bytes::from_static(b"abc"),
            );
            assert_eq!(matches!(body, Body::Text(_)), text, "{content_type}");
        }
        assert!(matches!(
            to_body(&HeaderMap::new(), Bytes::from_static(b"abc")),
            Body::Binary(_)
        ));
        assert!(matches!(to_body(&HeaderMap::new(), Bytes::new()), Body::Empty));
    }

    #[test]
    fn body_not_utf8_or_encoded_is_binary() {
        let text = headers(&[("content-type", "text/plain")]);
        assert!(matches!(
            to_body(&text, Bytes::from_static(b"\xff")),
            Body::Binary(_)
        ));
        let gzip = headers(&[("content-type", "text/plain"), ("content-encoding", "gzip")]);
        assert!(matches!(
            to_body(&gzip, Bytes::from_static(b"abc")),
            Body::Binary(_)
        ));
        assert!(
            matches!(
                to_body(&text, Bytes::from_static(b"\x01\x02\x03")),
                Body::Binary(_)
            ),
            "shorter as base64"
        );
    }

    #[test]
    fn body_declared_as_text_stays_text() {
        for content_type in [None, Some("image/png"), Some("application/x-ndjson")] {
            let mut answer = Response::new(Bytes::from("a".repeat(1_000_000)));
            if let Some(content_type) = content_type {
                answer
                    .headers_mut()
                    .insert(CONTENT_TYPE, content_type.parse().unwrap());
            }
            answer.extensions_mut().insert(DeclaredText);
            let answer = hand_over(answer).unwrap();
            assert!(matches!(answer.body(), Body::Text(text) if text.len() == 1_000_000));
        }
    }

    #[test]
    fn predicted_length_is_a_close_upper_bound() {
        for (pairs, body) in [
            (vec![], Body::Empty),
            (
                vec![
                    ("content-type", "text/plain"),
                    ("x-a", "\"quoted\\"),
                    ("x-a", "2"),
                ],
                Body::Text("\"\n\u{1}é".repeat(99)),
            ),
            (vec![("content-type", "image/png")], Body::Binary(vec![7; 1_000])),
        ] {
            let headers = headers(&pairs);
            let predicted = json_length(&headers, &body);
            for mode in [HeaderMode::SingleValue, HeaderMode::MultiValue] {
                let mut response = Response::new(match &body {
                    Body::Text(text) => Body::Text(text.clone()),
                    Body::Binary(bytes) => Body::Binary(bytes.clone()),
                    _ => Body::Empty,
                });
                *response.headers_mut() = headers.clone();
                let actual = serde_json::to_vec(&Answer::new(response, mode)).unwrap().len();
                assert!(
                    actual <= predicted && predicted <= actual + FRAME + 64,
                    "{actual} {predicted}"
                );
            }
        }
    }
}
