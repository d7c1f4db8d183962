//! gRPC of one message each way, over HTTP/2 with prior knowledge.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, Version};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use prost::Message;
use tokio::time::timeout;

use crate::body::{self, Body};

const CONTENT_TYPE_GRPC: &str = "application/grpc";
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Length of what precedes a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// Longest message that is read. A load balancer's headers are 64 KB at most, and Envoy can tell
/// them and a body; its own limit for such messages is 4 MB.
const MAX_MESSAGE: usize = 1024 * 1024;

/// Failure of a call, without an answer about the request. Envoy denies the request then, unless
/// `failure_mode_allow` is set.
///
/// Source: gRPC, "Status codes and their use in gRPC".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    ResourceExhausted = 8,
    Unimplemented = 12,
}

/// Answers a call: reads the one message, and writes the one that `answer` makes of it.
pub(super) async fn unary<Q: Message + Default, A: Message>(
    request: Request<Incoming>,
    longest: Duration,
    answer: impl AsyncFnOnce(Q) -> A,
) -> Response<Body> {
    let read = timeout(longest, read(request)).await;
    let message = match read.unwrap_or(Err((Status::DeadlineExceeded, "the message came too slowly"))) {
        Ok(message) => message,
        Err((status, explanation)) => return failure(status, explanation),
    };
    let Ok(question) = Q::decode(message) else {
        return failure(Status::InvalidArgument, "the message is not of the expected type");
    };
    success(&answer(question).await)
}

async fn read(request: Request<Incoming>) -> Result<Bytes, (Status, &'static str)> {
    let is_grpc = |value: &HeaderValue| {
        let value = value.as_bytes();
        let rest = value.strip_prefix(CONTENT_TYPE_GRPC.as_bytes());
        rest.is_some_and(|rest| matches!(rest, [] | [b'+' | b';', ..]))
    };
    let is_call = request.version() == Version::HTTP_2
        && request.method() == Method::POST
        && request.headers().get(CONTENT_TYPE).is_some_and(is_grpc);
    // Before anything is answered: clients lose an answer that comes while they still write.
    let body = Limited::new(request.into_body(), PREFIX + MAX_MESSAGE)
        .collect()
        .await;
    if !is_call {
        return Err((Status::Unimplemented, "this is not a call over HTTP/2"));
    }
    let body = body.map_err(|_| (Status::ResourceExhausted, "the message is too long or incomplete"))?;
    message_from(body.to_bytes()).ok_or((
        Status::InvalidArgument,
        "the call is not one message without compression",
    ))
}

/// Returns the message of a body with exactly one, which is not compressed.
fn message_from(mut body: Bytes) -> Option<Bytes> {
    if body.len() < PREFIX {
        return None;
    }
    let is_compressed = body.get_u8() != 0;
    let length = usize::try_from(body.get_u32()).ok()?;
    (!is_compressed && length == body.len()).then_some(body)
}

fn success(message: &impl Message) -> Response<Body> {
    let bytes = message.encode_to_vec();
    let mut framed = BytesMut::with_capacity(PREFIX + bytes.len());
    framed.put_u8(0);
    // The headers of a client are some kilobytes.
    framed.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(&bytes);
    let mut trailers = HeaderMap::new();
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
    let body = Full::new(framed.freeze()).with_trailers(async { Some(Ok(trailers)) });
    respond(body.map_err(body::never).boxed_unsync())
}

fn failure(status: Status, explanation: &'static str) -> Response<Body> {
    tracing::warn!(
        kind = "grpc",
        explanation,
        "a call to the authorization service cannot be answered"
    );
    let mut response = respond(body::empty());
    let headers = response.headers_mut();
    headers.insert(GRPC_STATUS, HeaderValue::from(status as u16));
    headers.insert(GRPC_MESSAGE, HeaderValue::from_static(explanation));
    response
}

fn respond(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let content_type = HeaderValue::from_static(CONTENT_TYPE_GRPC);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_is_one_message_without_compression() {
        let message = |bytes: &'static [u8]| message_from(Bytes::from_static(bytes));
        assert_eq!(message(b"\0\0\0\0\x02ab").as_deref(), Some(&b"ab"[..]));
        assert_eq!(message(b"\0\0\0\0\0").as_deref(), Some(&b""[..]));
        for other in [
            &b""[..],
            b"\0\0\0\0",
            b"\x01\0\0\0\x02ab",
            b"\0\0\0\0\x03ab",
            b"\0\0\0\0\x01ab",
            b"\0\xff\xff\xff\xffab",
            b"\0\0\0\0\x01a\0\0\0\0\x01b",
        ] {
            assert_eq!(message(other), None, "{other:?}");
        }
    }
}
