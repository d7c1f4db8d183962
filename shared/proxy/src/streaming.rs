//! Exchange with an upstream whose bodies pass as they come.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use alb_mtls_gate::AllowedRequest;
use alb_mtls_trust::Waiting;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HeaderValue, TE, TRAILER, UPGRADE};
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::body::UpstreamBody;
use crate::error::{ForwardError, TimeLimit};
use crate::framing::{check_framing, check_request_framing, has_word};
use crate::pool::{Connection, Pool};
use crate::proxy::Proxy;
use crate::upstream::{Server, Upstream};
use crate::upstream_client::{Phase, classify};
use crate::websocket::{self, WebSocketHandshake};

/// Body of an upstream's answer. At its end the connection is kept for the next request; dropped
/// before, the connection ends, and the upstream learns that the client has gone.
pub struct AnswerBody {
    incoming: Incoming,
    connection: Option<(Connection, Arc<Pool>)>,
    /// Longest time between two parts.
    limit: Duration,
    waits: Option<Pin<Box<Sleep>>>,
}

/// The upstream sent no part of its answer for this long.
#[derive(Debug, thiserror::Error)]
#[error("the upstream sent nothing more of its answer within {} ms, which is FORWARD_TIMEOUT", .0.as_millis())]
struct Stalled(Duration);

impl fmt::Debug for AnswerBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AnswerBody").finish_non_exhaustive()
    }
}

impl AnswerBody {
    fn keep(&mut self) {
        if let Some((connection, pool)) = self.connection.take() {
            pool.keep(connection);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let Poll::Ready(polled) = Pin::new(&mut this.incoming).poll_frame(context) else {
            let limit = this.limit;
            let waits = this
                .waits
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
            ready!(waits.as_mut().poll(context));
            this.connection = None;
            return Poll::Ready(Some(Err(Stalled(limit).into())));
        };
        this.waits = None;
        match polled {
            Some(Ok(frame)) => {
                if this.incoming.is_end_stream() {
                    this.keep();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                this.connection = None;
                Poll::Ready(Some(Err(error.into())))
            }
            None => {
                this.keep();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// Request on its way to a server.
struct Outgoing<'a> {
    allowed: &'a AllowedRequest,
    upstream: &'a Upstream,
    server: &'a Server,
    handshake: Option<WebSocketHandshake>,
}

/// Wait of a request: what is due is looked up in the background.
const WAITING: Waiting = Waiting::Request { left: None };

impl Proxy {
    /// Sends an allowed request to its upstream, and returns the answer. An answer with status 101
    /// is one to a client that asked for a WebSocket: both connections can then be upgraded.
    ///
    /// # Errors
    /// [`ForwardError`] when there is no answer.
    pub async fn forward(
        &self,
        allowed: &AllowedRequest,
        body: &UpstreamBody,
    ) -> Result<Response<AnswerBody>, ForwardError> {
        check_request_framing(&allowed.parts.headers)?;
        let upstream = self.upstream(allowed).ok_or(ForwardError::NoRoute)?;
        let Upstream::Server(server) = upstream else {
            return Err(ForwardError::Invoke(
                "only Lambda functions call functions".to_owned(),
            ));
        };
        let outgoing = Outgoing {
            allowed,
            upstream,
            server,
            handshake: WebSocketHandshake::read(&allowed.parts).filter(|_| !server.is_http2()),
        };
        let head = self.outgoing_head(&outgoing).await?;
        let pool = self.upstream_client.pool(&self.secrets, WAITING).await?;
        let (answer, connection) = self.send(&outgoing, head, body, &pool).await?;
        let handshake = outgoing.handshake;
        let (mut parts, incoming) = answer.into_parts();
        let switches = parts.status == StatusCode::SWITCHING_PROTOCOLS;
        let is_asked_for = handshake.is_some_and(|handshake| handshake.is_completed_by(&parts.headers));
        if parts.status.is_informational() && !(switches && is_asked_for) {
            return Err(ForwardError::Protocol(format!(
                "{} without the WebSocket that was asked for",
                parts.status
            )));
        }
        check_framing(&parts)?;
        // Each hop states its own version (RFC 9112 §2.3); with HTTP/1.0 the answer would end the
        // client's connection.
        parts.version = Version::HTTP_11;
        if parts.status == StatusCode::NO_CONTENT {
            // RFC 9110 §8.6 forbids it, and hyper keeps it in an answer to HEAD.
            parts.headers.remove(CONTENT_LENGTH);
        }
        let trailer = parts.headers.remove(TRAILER);
        alb_mtls_http::headers::remove_hop_by_hop(&mut parts.headers);
        if let Some(trailer) = trailer {
            parts.headers.insert(TRAILER, trailer);
        }
        if switches {
            parts
                .headers
                .insert(CONNECTION, HeaderValue::from_static("upgrade"));
            parts.headers.insert(UPGRADE, websocket::PROTOCOL);
        }
        let mut body = AnswerBody {
            incoming,
            connection: (!switches).then_some((connection, pool)),
            limit: self.upstream_client.timeout(),
            waits: None,
        };
        if body.incoming.is_end_stream() {
            body.keep();
        }
        Ok(Response::from_parts(parts, body))
    }

    /// Returns the head of the request, with what belongs to this hop.
    async fn outgoing_head(&self, outgoing: &Outgoing<'_>) -> Result<Request<()>, ForwardError> {
        let Outgoing {
            allowed,
            upstream,
            server,
            handshake,
        } = outgoing;
        let mut head = self.head(allowed, upstream, server, WAITING).await?;
        let headers = head.headers_mut();
        // This hop has answered it: the client's body is asked for when it is read.
        headers.remove(EXPECT);
        if server.is_http2() && takes_trailers(&allowed.parts.headers) {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
        if handshake.is_some() {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, websocket::PROTOCOL);
        }
        Ok(head)
    }

    /// Sends a request until a connection takes it. It is sent again only if nothing of it was
    /// written.
    async fn send(
        &self,
        outgoing: &Outgoing<'_>,
        mut head: Request<()>,
        body: &UpstreamBody,
        pool: &Pool,
    ) -> Result<(Response<Incoming>, Connection), ForwardError> {
        loop {
            let mut connection = pool
                .connection(outgoing.server.endpoint())
                .await
                .map_err(|error| classify(&*error, Phase::Connecting))?;
            let request = head.map(|()| body.attempt());
            let sent = self.in_time(connection.send(request), body).await?;
            match sent {
                Ok(answer) => return Ok((answer, connection)),
                // Ends with the last connection that was kept: a new one carries the request, or
                // fails. The head is made once more: a copy for the rare case would cost each
                // request.
                Err(error) if error.is_unsent && connection.is_reused() && body.is_whole() => {
                    head = Box::pin(self.outgoing_head(outgoing)).await?;
                }
                Err(error) => {
                    return Err(
                        of_client(&error.error).unwrap_or_else(|| classify(&error.error, Phase::Exchange))
                    );
                }
            }
        }
    }

    /// Waits for an answer as long as the client goes on with its body, and for the time limit
    /// after that.
    async fn in_time<T>(
        &self,
        answer: impl Future<Output = T>,
        body: &UpstreamBody,
    ) -> Result<T, ForwardError> {
        let limit = self.upstream_client.timeout();
        let started = Instant::now();
        let mut answer = std::pin::pin!(answer);
        let mut end = started + limit;
        loop {
            if let Ok(answer) = tokio::time::timeout_at(end, answer.as_mut()).await {
                return Ok(answer);
            }
            let later = body.last_progress() + limit;
            if later <= end && body.waits_for_client() {
                return Err(ForwardError::RequestStalled(limit));
            }
            if later <= end {
                return Err(ForwardError::Timeout {
                    elapsed: started.elapsed(),
                    limit: TimeLimit::Setting,
                });
            }
            end = later;
        }
    }
}

/// Returns the failure that is the client's.
fn of_client(error: &hyper::Error) -> Option<ForwardError> {
    if !error.is_user() {
        return None;
    }
    let mut cause = error.source()?;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Some(match cause.downcast_ref::<TooLarge>() {
        Some(TooLarge(limit)) => ForwardError::RequestTooLarge { limit: *limit },
        None => ForwardError::RequestBody(cause.to_string()),
    })
}

/// Error of a body that is longer than this many bytes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the body is longer than {0} bytes")]
pub struct TooLarge(pub usize);

fn takes_trailers(headers: &HeaderMap) -> bool {
    has_word(headers, &TE, "trailers")
}
