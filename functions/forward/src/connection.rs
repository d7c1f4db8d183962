//! Connections that are looked at before they are used again.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::net::TcpStream;
use tower::Service;

/// Says whether something came over a connection while it was not in use.
///
/// The bytes of an answer that arrives unasked would be taken for the answer to the next request, which is another
/// client's. Nothing on the wire tells them apart later, so a connection is only used again if nothing at all waits on
/// its socket at the moment when the next request is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch(Arc<AtomicU8>);

const IN_USE: u8 = 0;
const ARMED: u8 = 1;
const STALE: u8 = 2;

impl Watch {
    /// Has the socket looked at before the next byte is written to it.
    pub(crate) fn arm(&self) {
        self.0.store(ARMED, Ordering::Relaxed);
    }

    /// Returns `true` if the look found something: then nothing of the request was written.
    pub(crate) fn is_stale(&self) -> bool {
        self.0.load(Ordering::Relaxed) == STALE
    }

    fn before_writing(&self, stream: &TcpStream) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) != ARMED {
            return Ok(());
        }
        let is_quiet = is_quiet(stream);
        self.0
            .store(if is_quiet { IN_USE } else { STALE }, Ordering::Relaxed);
        if is_quiet {
            Ok(())
        } else {
            Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "something came over the connection while it was not in use",
            ))
        }
    }
}

/// Asks the kernel itself: the executor knows only what it was told when it last waited. An end of the connection is
/// something that came, too.
fn is_quiet(stream: &TcpStream) -> bool {
    let mut byte = [MaybeUninit::uninit(); 1];
    let peeked = SockRef::from(stream).peek(&mut byte);
    peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// Makes TCP connections that have a [`Watch`].
///
/// It is below TLS, where a record that nobody has decrypted yet counts as well.
#[derive(Clone, Debug)]
pub(crate) struct Watching<C>(pub(crate) C);

impl<C> Service<Uri> for Watching<C>
where
    C: Service<Uri, Response = TokioIo<TcpStream>>,
    C::Future: Send + 'static,
    C::Error: 'static,
{
    type Response = WatchedStream;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, C::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let connecting = self.0.call(destination);
        Box::pin(async {
            Ok(WatchedStream {
                stream: connecting.await?,
                watch: Watch::default(),
            })
        })
    }
}

/// A TCP connection with its [`Watch`].
#[derive(Debug)]
pub(crate) struct WatchedStream {
    stream: TokioIo<TcpStream>,
    watch: Watch,
}

impl Connection for WatchedStream {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.watch.clone())
    }
}

impl Read for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for WatchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.watch.before_writing(self.stream.inner())?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
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
        self.watch.before_writing(self.stream.inner())?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }
}
