//! Connections that are looked at before they are used again.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tower::Service;

/// State of a connection that is not in use: whether anything arrived on it.
///
/// The bytes of an unexpected answer would be taken for the answer to the next request, which
/// belongs to another client. Nothing on the wire distinguishes them later. So a connection carries
/// another request only if no byte was read since the last answer, and none waits on its socket
/// when the first byte of the request is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch(Arc<AtomicU8>);

const IN_USE: u8 = 0;
const RESTS: u8 = 1;
/// Final state: every write to such a connection fails.
const STALE: u8 = 2;

impl Watch {
    /// Has an eye on the connection until a request is written to it. Its last answer was received
    /// to the end.
    pub(crate) fn rest(&self) {
        self.change(IN_USE, RESTS);
    }

    /// Returns `true` if something came: then nothing was written since the connection rested.
    pub(crate) fn is_stale(&self) -> bool {
        self.0.load(Ordering::Acquire) == STALE
    }

    fn before_writing(&self, stream: &impl Socket) -> io::Result<()> {
        match self.0.load(Ordering::Acquire) {
            IN_USE => Ok(()),
            RESTS if is_quiet(stream) => {
                self.change(RESTS, IN_USE);
                Ok(())
            }
            _ => self.end(),
        }
    }

    /// TLS keeps what it cannot decrypt yet: the beginning of a record, of which nothing waits on
    /// the socket any more.
    fn after_reading(&self) -> io::Result<()> {
        match self.0.load(Ordering::Acquire) {
            IN_USE => Ok(()),
            _ => self.end(),
        }
    }

    fn change(&self, from: u8, to: u8) {
        // Otherwise it is stale, which does not change.
        let _ = self
            .0
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
    }

    fn end(&self) -> io::Result<()> {
        self.0.store(STALE, Ordering::Release);
        Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "something came over the connection while it was not in use",
        ))
    }
}

/// Asks the kernel itself: the executor knows only what it was told when it last waited. An end of
/// the connection is something that came, too.
fn is_quiet(stream: &impl Socket) -> bool {
    let mut byte = [MaybeUninit::uninit(); 1];
    let peeked = SockRef::from(stream).peek(&mut byte);
    peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// Socket below HTTP and TLS.
pub(crate) trait Socket: AsFd + AsyncRead + AsyncWrite + Unpin {
    /// Acknowledges at once what was read, where the peer waits for that.
    fn acknowledge(&self);
}

impl Socket for TcpStream {
    /// Sends the acknowledgement. Until then Nagle's algorithm (RFC 9293 §3.7.4) keeps the next
    /// small segment back, on the upstream's side: a late answer would come when the next request
    /// brings the acknowledgement, right after the look that should have found it.
    fn acknowledge(&self) {
        // Where it cannot be asked for, it comes within 0.5 seconds (RFC 9293 §3.8.6.3).
        #[cfg(target_os = "linux")]
        let _ = self.set_quickack(true);
    }
}

impl Socket for UnixStream {
    /// Does nothing: what was written is there to be read at once.
    fn acknowledge(&self) {}
}

/// Makes TCP connections that have a [`Watch`].
///
/// It is below TLS, so that a record that has not been decrypted yet counts too.
#[derive(Clone, Debug)]
pub(crate) struct Watching<C>(pub(crate) C);

impl<C> Service<Uri> for Watching<C>
where
    C: Service<Uri, Response = TokioIo<TcpStream>>,
    C::Future: Send + 'static,
    C::Error: 'static,
{
    type Response = TokioIo<WatchedStream<TcpStream>>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, C::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let connecting = self.0.call(destination);
        Box::pin(async { Ok(TokioIo::new(WatchedStream::new(connecting.await?.into_inner()))) })
    }
}

/// A connection with its [`Watch`].
#[derive(Debug)]
pub(crate) struct WatchedStream<S> {
    stream: S,
    watch: Watch,
    is_acknowledged: bool,
}

impl<S> WatchedStream<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            watch: Watch::default(),
            is_acknowledged: true,
        }
    }

    pub(crate) fn watch(&self) -> Watch {
        self.watch.clone()
    }
}

impl Connection for WatchedStream<TcpStream> {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.watch.clone())
    }
}

impl<S: Socket> AsyncRead for WatchedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let already = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer)?;
        if buffer.filled().len() > already {
            self.watch.after_reading()?;
            self.is_acknowledged = false;
        } else if polled.is_pending() && !self.is_acknowledged {
            self.stream.acknowledge();
            self.is_acknowledged = true;
        }
        polled.map(Ok)
    }
}

impl<S: Socket> AsyncWrite for WatchedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.watch.before_writing(&self.stream)?;
        unread(Pin::new(&mut self.stream).poll_write(context, bytes), bytes.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.watch.before_writing(&self.stream)?;
        unread(
            Pin::new(&mut self.stream).poll_write_vectored(context, slices),
            slices.iter().map(|slice| slice.len()).sum(),
        )
    }
}

/// Takes bytes for written that a server refuses to read. A server that answers early, such as with
/// 413, and closes the connection in the middle of a request would otherwise lose its answer: an
/// error of writing ends the exchange before what came is read. Reading ends the exchange in any
/// case, because such a connection is at its end.
fn unread(written: Poll<io::Result<usize>>, all: usize) -> Poll<io::Result<usize>> {
    match written {
        Poll::Ready(Err(error))
            if [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset].contains(&error.kind()) =>
        {
            Poll::Ready(Ok(all))
        }
        _ => written,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream as Peer};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A connection that has rested since its first answer, and its other end.
    async fn rested() -> (WatchedStream<TcpStream>, Peer) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut stream = WatchedStream::new(TcpStream::connect(address).await.unwrap());
        let (mut peer, _) = listener.accept().unwrap();
        stream.write_all(b"first").await.unwrap();
        peer.write_all(b"answer").unwrap();
        assert_eq!(stream.read_exact(&mut [0; 6]).await.unwrap(), 6);
        stream.watch.rest();
        (stream, peer)
    }

    /// Asserts that nothing except the first request arrives.
    fn assert_unwritten(stream: WatchedStream<TcpStream>, mut peer: Peer) {
        assert!(stream.watch.is_stale());
        drop(stream);
        let mut arrived = Vec::new();
        if let Err(error) = peer.read_to_end(&mut arrived) {
            // What was not read there resets the connection.
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        assert_eq!(arrived, b"first");
    }

    #[tokio::test]
    async fn connection_with_unread_bytes_is_not_written_to() {
        for late in [&b"x"[..], b""] {
            let (mut stream, mut peer) = rested().await;
            // No task of this executor waits in between.
            peer.write_all(late).unwrap();
            if late.is_empty() {
                peer.shutdown(std::net::Shutdown::Write).unwrap();
            }
            for _ in 0..2 {
                let error = stream.write(b"second").await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
                stream.watch.rest();
            }
            assert_unwritten(stream, peer);
        }
    }

    #[tokio::test]
    async fn nothing_is_written_after_something_was_read() {
        let (mut stream, mut peer) = rested().await;
        peer.write_all(b"x").unwrap();
        let error = stream.read(&mut [0; 9]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
        let error = stream.write(b"second").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
        assert_unwritten(stream, peer);
    }

    #[tokio::test]
    async fn a_quiet_connection_is_written_to_and_read_again() {
        let (mut stream, mut peer) = rested().await;
        stream.write_all(b"second").await.unwrap();
        peer.write_all(b"answer").unwrap();
        assert_eq!(stream.read_exact(&mut [0; 6]).await.unwrap(), 6);
        assert!(!stream.watch.is_stale());
    }
}
