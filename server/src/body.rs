//! Bodies of the server's responses.

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};

/// Body of a response, from whichever part of the server answers.
pub(crate) type Body = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;

/// Returns a body of these bytes.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(never).boxed_unsync()
}

/// Returns an empty body.
pub(crate) fn empty() -> Body {
    Empty::new().map_err(never).boxed_unsync()
}

pub(crate) fn never(never: Infallible) -> Box<dyn Error + Send + Sync> {
    match never {}
}

/// Body of a response that keeps a value until the body's end, such as a span that ends with it.
pub(crate) struct Keeping<K> {
    body: Body,
    _kept: K,
}

impl<K> Keeping<K> {
    pub(crate) fn new(body: Body, kept: K) -> Self {
        Self { body, _kept: kept }
    }
}

impl<K: Unpin> http_body::Body for Keeping<K> {
    type Data = Bytes;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
