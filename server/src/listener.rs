//! Sockets that the server listens on: TCP and Unix, each with the same limits.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use alb_mtls_gate::Connections;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::body::Body;
use crate::connection::{self, Watched};
use crate::lifecycle::Phase;
use crate::places::Places;
use crate::workers::Workers;

/// Pause after a connection could not be accepted: long enough not to fill the log, short enough
/// for a client.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Permissions of a socket's file: its owner and group may connect.
const SOCKET_MODE: u32 = 0o660;

/// Address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListenAddress {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl ListenAddress {
    /// Returns `true` if peers have addresses.
    pub(crate) const fn has_peers(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }
}

impl FromStr for ListenAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = Path::new(path);
            return match path.is_absolute() && path.file_name().is_some() {
                true => Ok(Self::Unix(path.to_owned())),
                false => Err("the whole path of a socket, such as `unix:/run/alb-mtls/authorize.sock`"),
            };
        }
        text.parse()
            .map(Self::Tcp)
            .map_err(|_| "`off`, or an IP address and a port, such as `127.0.0.1:9002` or `[::]:9002`")
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// Limits of the connections of one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Connections at a time.
    pub(crate) connections: usize,
    /// Longest time from the first byte of a request to the end of its headers.
    pub(crate) header_timeout: Duration,
    /// Longest time without a request.
    pub(crate) idle_timeout: Duration,
    /// Bytes of the headers of a request.
    pub(crate) header_bytes: usize,
}

/// Part of the server that answers requests.
pub(crate) trait Service: Send + Sync + 'static {
    /// Returns `true` if a connection from this address is served; a Unix socket has none.
    fn serves(&self, _peer: Option<IpAddr>) -> bool {
        true
    }

    /// Returns `true` if requests are expected from this address. Others are answered too, with few
    /// places for all of them.
    fn expects(&self, _peer: IpAddr) -> bool {
        true
    }

    /// Answers a request.
    fn answer(
        &self,
        request: Request<Incoming>,
        peer: Option<IpAddr>,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// Bound socket.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: Socket,
    limits: Limits,
    places: Places,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// Binds a socket, whose connections are counted among the open ones.
    ///
    /// # Errors
    /// Those of the operating system.
    pub(crate) async fn bind(address: &ListenAddress, limits: Limits, open: Connections) -> io::Result<Self> {
        let socket = match address {
            ListenAddress::Tcp(address) => Socket::Tcp(TcpListener::bind(address).await?),
            ListenAddress::Unix(path) => {
                remove_stale_socket(path).await?;
                let listener = UnixListener::bind(path)?;
                std::fs::set_permissions(path, PermissionsExt::from_mode(SOCKET_MODE))?;
                Socket::Unix(listener, path.clone())
            }
        };
        Ok(Self {
            socket,
            limits,
            places: Places::new(limits.connections, open),
        })
    }

    /// Returns the address with the port that the operating system chose for port 0.
    ///
    /// # Errors
    /// Those of the operating system.
    pub(crate) fn address(&self) -> io::Result<ListenAddress> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().map(ListenAddress::Tcp),
            Socket::Unix(_, path) => Ok(ListenAddress::Unix(path.clone())),
        }
    }

    /// Serves until the end of the process has begun and every connection has ended.
    pub(crate) async fn serve<S: Service>(
        self,
        service: Arc<S>,
        workers: Workers,
        phases: watch::Receiver<Phase>,
    ) {
        let Self {
            socket,
            limits,
            places,
        } = self;
        let mut ending = phases.clone();
        let accepting = async {
            loop {
                let accepted = socket.accept(&service, &workers, limits, &places, &phases);
                if let Err(error) = accepted.await {
                    tracing::warn!(explanation = %error, "a connection cannot be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        };
        tokio::select! {
            never = accepting => match never {},
            () = connection::ended(&mut ending) => {}
        }
        drop(socket);
        // Every connection has a place, and gives it back when its last byte is out.
        places.all_free().await;
        drop(phases);
    }
}

impl Socket {
    /// Accepts a connection and has it served. Waits for a free place first:
    /// connections above the limit stay in the backlog of the operating system.
    async fn accept<S: Service>(
        &self,
        service: &Arc<S>,
        workers: &Workers,
        limits: Limits,
        places: &Places,
        phases: &watch::Receiver<Phase>,
    ) -> io::Result<()> {
        let mut place = places.take().await;
        let (service, phases) = (Arc::clone(service), phases.clone());
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                let peer = address.ip().to_canonical();
                let has_place = service.expects(peer) || places.give_to_stranger(&mut place);
                if has_place && service.serves(Some(peer)) {
                    stream.set_nodelay(true)?;
                    let stream = stream.into_std()?;
                    workers.serve(move || async move {
                        match TcpStream::from_std(stream) {
                            Ok(stream) => {
                                let stream = Watched::new(stream, place);
                                connection::serve(stream, Some(peer), service, limits, phases).await;
                            }
                            Err(error) => cannot_serve(&error),
                        }
                    });
                }
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                let stream = stream.into_std()?;
                workers.serve(move || async move {
                    match UnixStream::from_std(stream) {
                        Ok(stream) => {
                            let stream = Watched::new(stream, place);
                            connection::serve(stream, None, service, limits, phases).await;
                        }
                        Err(error) => cannot_serve(&error),
                    }
                });
            }
        }
        Ok(())
    }
}

fn cannot_serve(error: &io::Error) {
    tracing::warn!(explanation = %error, "a connection cannot be served");
}

/// Removes the file of a socket that an earlier process left behind. A socket that is still
/// listened on, and any other file, stays: binding then fails.
async fn remove_stale_socket(path: &Path) -> io::Result<()> {
    let is_socket = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type().is_socket(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let connected = UnixStream::connect(path).await;
    let is_stale = connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if is_socket && is_stale {
        std::fs::remove_file(path)?;
    }
    Ok(())
}
