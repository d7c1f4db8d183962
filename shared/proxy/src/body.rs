//! Bodies of requests to upstreams.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use tokio::time::Instant;

/// Error of reading a client's body.
pub type BodyError = Box<dyn Error + Send + Sync>;

/// Most bytes of a body that are remembered, so that they can be sent once more when nothing was
/// sent.
const REMEMBERED: usize = 64 * 1024;

/// Body of a request to an upstream, without trailers: those of a client could state an identity.
///
/// Each attempt to send it begins at its start, as long as it is remembered from there.
#[derive(Debug)]
pub struct UpstreamBody {
    source: Arc<Mutex<Source>>,
    /// Chunks that this clone has handed out.
    given: usize,
}

#[derive(Debug)]
struct Source {
    body: UnsyncBoxBody<Bytes, BodyError>,
    /// Chunks from the start on; absent once they are too many.
    chunks: Option<Vec<Bytes>>,
    size: usize,
    last_progress: Instant,
    /// The next part is the client's to send.
    waits_for_client: bool,
}

impl UpstreamBody {
    /// Wraps a body that is read as it is sent.
    pub fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        Self {
            source: Arc::new(Mutex::new(Source {
                body: body.map_err(Into::into).boxed_unsync(),
                chunks: Some(Vec::new()),
                size: 0,
                last_progress: Instant::now(),
                waits_for_client: false,
            })),
            given: 0,
        }
    }

    /// Returns this body from its start, for one attempt.
    pub(crate) fn attempt(&self) -> Self {
        Self {
            source: Arc::clone(&self.source),
            given: 0,
        }
    }

    /// Returns true if an attempt can send all of it.
    pub(crate) fn is_whole(&self) -> bool {
        self.source().chunks.is_some()
    }

    /// Returns when the client last sent a part of it.
    pub(crate) fn last_progress(&self) -> Instant {
        self.source().last_progress
    }

    /// Returns true if the client has not sent more than what was sent on.
    pub(crate) fn waits_for_client(&self) -> bool {
        self.source().waits_for_client
    }

    fn source(&self) -> MutexGuard<'_, Source> {
        // A panic in the middle of a body leaves one that fails, or that goes on.
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Bytes> for UpstreamBody {
    fn from(bytes: Bytes) -> Self {
        Self::new(Full::new(bytes))
    }
}

impl Source {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            let polled = Pin::new(&mut self.body).poll_frame(context);
            self.waits_for_client = polled.is_pending();
            let Some(frame) = ready!(polled?) else {
                return Poll::Ready(None);
            };
            self.last_progress = Instant::now();
            let Ok(chunk) = frame.into_data() else {
                continue;
            };
            self.size = self.size.saturating_add(chunk.len());
            if self.size > REMEMBERED {
                self.chunks = None;
            } else if let Some(chunks) = &mut self.chunks {
                chunks.push(chunk.clone());
            }
            return Poll::Ready(Some(Ok(chunk)));
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let mut source = this.source.lock().unwrap_or_else(PoisonError::into_inner);
        let known = source.chunks.as_ref().and_then(|chunks| chunks.get(this.given));
        let polled = match known {
            Some(chunk) => Some(Ok(chunk.clone())),
            None => ready!(source.poll(context)),
        };
        if let Some(Ok(_)) = polled {
            this.given = this.given.saturating_add(1);
        }
        Poll::Ready(polled.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        let source = self.source();
        let given_all = source
            .chunks
            .as_ref()
            .is_none_or(|chunks| chunks.len() <= self.given);
        given_all && source.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let source = self.source();
        if source.size == 0 {
            source.body.size_hint()
        } else {
            SizeHint::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;

    use http::HeaderMap;

    use super::*;

    /// Frames that come one by one.
    struct Frames(VecDeque<Frame<Bytes>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }

    fn body(sizes: &[usize]) -> UpstreamBody {
        let chunks = sizes.iter().map(|size| Frame::data(Bytes::from(vec![7; *size])));
        let mut forged = HeaderMap::new();
        forged.insert("x-client-cert", "forged".parse().unwrap());
        UpstreamBody::new(Frames(chunks.chain([Frame::trailers(forged)]).collect()))
    }

    #[tokio::test]
    async fn a_second_attempt_sends_the_same_from_the_start() {
        let body = body(&[3, 4, 5]);
        let mut first = body.attempt();
        first.frame().await.unwrap().unwrap();
        first.frame().await.unwrap().unwrap();
        drop(first);
        assert!(body.is_whole());
        let second = body.attempt().collect().await.unwrap();
        assert_eq!(second.to_bytes().len(), 12);
    }

    #[tokio::test]
    async fn trailers_of_a_client_are_not_sent() {
        assert!(body(&[1]).collect().await.unwrap().trailers().is_none());
    }

    #[tokio::test]
    async fn what_is_too_long_to_remember_is_sent_once() {
        let body = body(&[REMEMBERED, 1]);
        assert_eq!(
            body.attempt().collect().await.unwrap().to_bytes().len(),
            REMEMBERED + 1
        );
        assert!(!body.is_whole());
    }

    #[test]
    fn the_length_is_told_as_long_as_it_is_all_there() {
        let body = UpstreamBody::from(Bytes::from_static(b"abc"));
        assert_eq!(body.attempt().size_hint().exact(), Some(3));
        let empty = UpstreamBody::from(Bytes::new());
        assert!(empty.attempt().is_end_stream());
    }
}
