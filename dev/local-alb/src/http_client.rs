use std::io;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, ToSocketAddrs};

use crate::tasks::Spawner;

/// Sends one request over a connection of its own.
pub(crate) async fn send<B>(
    address: impl ToSocketAddrs,
    request: Request<B>,
    spawner: &Spawner,
) -> Result<Response<Incoming>, SendError>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let stream = TcpStream::connect(address).await.map_err(SendError::Connect)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    spawner.spawn(connection);
    Ok(sender.send_request(request).await?)
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
}
