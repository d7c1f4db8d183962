//! Connections: HTTP/1.1 or HTTP/2, with the times after which a client is too slow.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Version;
use http::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::body::Keeping;
use crate::lifecycle::Phase;
use crate::listener::{Limits, Service};
use crate::places::Place;

/// Time that a peer has to close an idle HTTP/2 connection after it was told to.
const FAREWELL: Duration = Duration::from_secs(5);

/// First bytes of a connection in HTTP/2 with prior knowledge (RFC 9113 §3.4). No method of
/// HTTP/1.1 begins with them.
const PREFACE: &[u8] = b"PRI ";

/// Waits until the end of the process has begun.
pub(crate) async fn ended(phases: &mut watch::Receiver<Phase>) {
    // Without a sender the process is at its end.
    let _ = phases.wait_for(|phase| *phase == Phase::Ending).await;
}

/// Serves a connection until it ends, is too slow, or has no request at the end of the process.
pub(crate) async fn serve<S: Service, T>(
    stream: Watched<T>,
    peer: Option<IpAddr>,
    service: Arc<S>,
    limits: Limits,
    mut phases: watch::Receiver<Phase>,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Arc::clone(&stream.activity);
    let answer = {
        let (activity, phases) = (Arc::clone(&activity), phases.clone());
        service_fn(move |request| {
            let phases = phases.clone();
            let service = Arc::clone(&service);
            let under_way = UnderWay::begin(&activity);
            async move {
                let version = request.version();
                let mut response = service.answer(request, peer).await;
                let is_ending = *phases.borrow() != Phase::Serving;
                if is_ending && version < Version::HTTP_2 && !response.status().is_informational() {
                    // The peer's next request then goes elsewhere, and none is on its way when
                    // connections without a request are closed.
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
                Ok::<_, Infallible>(response.map(|body| Keeping::new(body, under_way)))
            }
        })
    };
    let builder = builder(limits);
    let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), answer));
    let mut ended = pin!(ended(&mut phases));
    let mut timer = pin!(sleep_until(Instant::now() + limits.idle_timeout));
    let mut is_ending = false;
    let mut farewell: Option<Instant> = None;
    poll_fn(|context| {
        loop {
            // A connection that breaks is nothing that the operator could do something about.
            if connection.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            if !is_ending && ended.as_mut().poll(context).is_ready() {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
                continue;
            }
            let due = activity.due(limits, farewell);
            // A time that moved back is noticed when the timer fires: a request then costs no
            // change of the timer.
            if let Some(due) = due.filter(|due| due.at() < timer.deadline()) {
                timer.as_mut().reset(due.at());
            }
            ready!(timer.as_mut().poll(context));
            let now = Instant::now();
            match due {
                Some(Due::Close(at)) if at <= now => return Poll::Ready(()),
                Some(Due::Idle(at)) if at <= now => {
                    farewell = Some(now + FAREWELL);
                    connection.as_mut().graceful_shutdown();
                    timer.as_mut().reset(now + FAREWELL);
                }
                Some(due) => timer.as_mut().reset(due.at()),
                None => timer.as_mut().reset(now + limits.idle_timeout),
            }
        }
    })
    .await;
}

fn builder(limits: Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // hyper's own timeout also ends connections that wait for their next request.
        .header_read_timeout(None)
        .max_buf_size(limits.header_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX));
    builder
}

/// Time at which something happens to a connection if nothing else happens before.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// The connection has been without a request for too long, and ends in an orderly way.
    Idle(Instant),
    /// The connection is closed.
    Close(Instant),
}

impl Due {
    const fn at(self) -> Instant {
        match self {
            Self::Idle(at) | Self::Close(at) => at,
        }
    }
}

/// State of a connection, as far as it matters for its timeouts.
#[derive(Debug)]
struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Requests whose responses are not yet written.
    requests: usize,
    /// Time since which the connection has been without a request.
    idle_since: Instant,
    /// Time of the first byte of a request in HTTP/1.1 whose headers are not complete.
    head_since: Option<Instant>,
    /// `None` until something was read.
    is_http2: Option<bool>,
    /// Time since which the peer has not taken what it is sent.
    blocked_since: Option<Instant>,
}

impl Activity {
    fn new() -> Self {
        Self(Mutex::new(State {
            requests: 0,
            idle_since: Instant::now(),
            head_since: None,
            is_http2: None,
            blocked_since: None,
        }))
    }

    fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes bytes that were read.
    fn read(&self, bytes: &[u8]) {
        self.with(|state| {
            let is_http2 = *state.is_http2.get_or_insert_with(|| bytes.starts_with(PREFACE));
            if !is_http2 && state.requests == 0 {
                state.head_since.get_or_insert_with(Instant::now);
            }
        });
    }

    /// Notes whether the peer took what it is sent.
    fn written(&self, is_blocked: bool) {
        self.with(|state| match is_blocked {
            true => _ = state.blocked_since.get_or_insert_with(Instant::now),
            false => state.blocked_since = None,
        });
    }

    /// Returns what is due next; nothing while there is a request whose response the peer takes. A
    /// connection that was told to end does so at the time `farewell`, or after its last request.
    fn due(&self, limits: Limits, farewell: Option<Instant>) -> Option<Due> {
        self.with(|state| {
            if let Some(since) = state.blocked_since {
                return Some(Due::Close(since + limits.idle_timeout));
            }
            match (state.requests, farewell, state.head_since) {
                (0, Some(at), _) => Some(Due::Close(at)),
                (0, None, Some(since)) => Some(Due::Close(since + limits.header_timeout)),
                (0, None, None) => Some(Due::Idle(state.idle_since + limits.idle_timeout)),
                _ => None,
            }
        })
    }
}

/// Request whose response is not yet written.
struct UnderWay(Arc<Activity>);

impl UnderWay {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.with(|state| {
            state.requests += 1;
            state.head_since = None;
        });
        Self(Arc::clone(activity))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.with(|state| {
            state.requests = state.requests.saturating_sub(1);
            state.idle_since = Instant::now();
        });
    }
}

/// Stream that notes when something is read, and gives its place back at its end. An upgraded
/// connection keeps it.
#[derive(Debug)]
pub(crate) struct Watched<T> {
    stream: T,
    activity: Arc<Activity>,
    _place: Place,
}

impl<T> Watched<T> {
    pub(crate) fn new(stream: T, place: Place) -> Self {
        Self {
            stream,
            activity: Arc::new(Activity::new()),
            _place: place,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        match buffer.filled().get(before..) {
            None | Some([]) => {}
            Some(bytes) => self.activity.read(bytes),
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.activity.written(written.is_pending());
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.activity.written(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
