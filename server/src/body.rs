//! Bodies of the server's responses.

use std::convert::Infallible;
use std::error::Error;

use bytes::Bytes;
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
