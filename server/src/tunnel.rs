//! WebSockets: two connections joined byte for byte.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

/// Joins two connections once both have switched protocols, until both directions have ended or no
/// byte came for the time `idle`.
pub(crate) async fn join(client: OnUpgrade, upstream: OnUpgrade, idle: Duration) {
    let (client, upstream) = match tokio::try_join!(client, upstream) {
        Ok(both) => both,
        Err(error) => {
            tracing::warn!(explanation = %error, "a WebSocket did not come about");
            return;
        }
    };
    let last = Arc::new(Mutex::new(Instant::now()));
    let mut client = Noted::new(TokioIo::new(client), &last);
    let mut upstream = Noted::new(TokioIo::new(upstream), &last);
    tokio::select! {
        // A peer that goes away is nothing that the operator could do something about.
        _ = tokio::io::copy_bidirectional(&mut client, &mut upstream) => {}
        () = quiet(&last, idle) => {}
    }
}

/// Waits until nothing came for the time `idle`.
async fn quiet(last: &Mutex<Instant>, idle: Duration) {
    loop {
        let end = *locked(last) + idle;
        if end <= Instant::now() {
            return;
        }
        sleep_until(end).await;
    }
}

fn locked(last: &Mutex<Instant>) -> MutexGuard<'_, Instant> {
    last.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stream that notes when something was read.
struct Noted<S> {
    stream: S,
    last: Arc<Mutex<Instant>>,
}

impl<S> Noted<S> {
    fn new(stream: S, last: &Arc<Mutex<Instant>>) -> Self {
        Self {
            stream,
            last: Arc::clone(last),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        *locked(&self.last) = Instant::now();
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
