//! A Runtime API that writes down every byte that it gets, and hands out events on request.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Request to the API, in order of arrival.
#[derive(Debug)]
pub(crate) enum Arrived {
    /// Poll for an event.
    Next,
    /// An extension has registered itself.
    Extension,
    /// The head of any other request.
    Head(String),
    /// Bytes of its body as they are on the wire.
    Body(Vec<u8>),
    /// End of a request, with the whole request.
    End { head: String, body: Vec<u8> },
}

/// Event with the headers of its invocation.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    pub(crate) id: String,
    pub(crate) headers: String,
    pub(crate) event: Vec<u8>,
}

impl Invocation {
    pub(crate) fn new(id: &str, event: impl Into<Vec<u8>>) -> Self {
        Self {
            id: id.to_owned(),
            headers: "Lambda-Runtime-Deadline-Ms: 4102444800000\r\n".to_owned(),
            event: event.into(),
        }
    }
}

/// Ends with the value.
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    events: UnboundedSender<Invocation>,
    arrived: UnboundedReceiver<Arrived>,
    /// Statuses for the next answers and errors, instead of 202.
    refusals: Arc<Mutex<Vec<u16>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Api {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, arrived) = unbounded_channel();
        let (events, receiver) = unbounded_channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let refusals = Arc::new(Mutex::new(Vec::new()));
        let to_refuse = Arc::clone(&refusals);
        let task = tokio::spawn(async move {
            // Ends with this task.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(
                    stream,
                    sender.clone(),
                    Arc::clone(&receiver),
                    Arc::clone(&to_refuse),
                ));
            }
        });
        Self {
            address,
            events,
            arrived,
            refusals,
            task,
        }
    }

    /// Hands the invocation to the first waiting poll or the next one.
    pub(crate) fn hand_out(&self, invocation: Invocation) {
        self.events.send(invocation).unwrap();
    }

    /// Rejects the next answer or error with this status.
    pub(crate) async fn refuse_next(&self, status: u16) {
        self.refusals.lock().await.push(status);
    }

    pub(crate) async fn arrived(&mut self) -> Arrived {
        self.arrived.recv().await.expect("the server runs")
    }

    /// Returns the next request that does not ask for an event: its head and its body.
    pub(crate) async fn request(&mut self) -> (String, Vec<u8>) {
        loop {
            if let Arrived::End { head, body } = self.arrived().await {
                return (head, body);
            }
        }
    }

    /// Returns true if no request is waiting to be taken.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.arrived.try_recv().is_err()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    arrived: UnboundedSender<Arrived>,
    events: Arc<Mutex<UnboundedReceiver<Invocation>>>,
    refusals: Arc<Mutex<Vec<u16>>>,
) {
    let mut buffer = Vec::new();
    while let Some(end) = read_until(&mut stream, &mut buffer, b"\r\n\r\n").await {
        let head = String::from_utf8(buffer.drain(..end).collect()).unwrap();
        if head.starts_with("GET /2020-01-01/extension/event/next ") {
            // It has asked for no events, and gets none.
            let _ = stream.read_buf(&mut buffer).await;
            return;
        }
        if head.starts_with("GET ") {
            arrived.send(Arrived::Next).unwrap();
            let Some(invocation) = events.lock().await.recv().await else {
                return;
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: {}\r\n{}Content-Length: {}\r\n\r\n",
                invocation.id,
                invocation.headers,
                invocation.event.len()
            );
            stream
                .write_all(&[head.as_bytes(), &invocation.event].concat())
                .await
                .unwrap();
            if invocation.headers.contains("Connection: close") {
                return;
            }
            continue;
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then_some(value)?
                .parse::<usize>()
                .ok()
        });
        arrived.send(Arrived::Head(head.clone())).unwrap();
        let mut body = Vec::new();
        match length {
            Some(mut left) => {
                while left > 0 {
                    if buffer.is_empty() && stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                        return;
                    }
                    let part: Vec<u8> = buffer.drain(..left.min(buffer.len())).collect();
                    left -= part.len();
                    body.extend(&part);
                    arrived.send(Arrived::Body(part)).unwrap();
                }
            }
            // Chunks, up to the end of the trailers.
            None => loop {
                let part: Vec<u8> = std::mem::take(&mut buffer);
                body.extend(&part);
                if !part.is_empty() {
                    arrived.send(Arrived::Body(part)).unwrap();
                }
                let text = String::from_utf8_lossy(&body);
                if text
                    .split_once("\r\n0\r\n")
                    .is_some_and(|(_, end)| end.ends_with("\r\n"))
                {
                    break;
                }
                if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                    return;
                }
            },
        }
        let (status, more) = if head.starts_with("POST /2020-01-01/extension/register ") {
            arrived.send(Arrived::Extension).unwrap();
            (200, "Lambda-Extension-Identifier: 1\r\n")
        } else {
            arrived.send(Arrived::End { head, body }).unwrap();
            (refusals.lock().await.pop().unwrap_or(202), "")
        };
        let answer =
            format!("HTTP/1.1 {status} Status\r\n{more}Content-Length: 15\r\n\r\n{{\"status\":\"OK\"}}");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads until the buffer contains this; returns its position, or `None` at the end of the
/// connection.
async fn read_until(stream: &mut TcpStream, buffer: &mut Vec<u8>, wanted: &[u8]) -> Option<usize> {
    loop {
        if let Some(start) = buffer.windows(wanted.len()).position(|bytes| bytes == wanted) {
            return Some(start + wanted.len());
        }
        if stream.read_buf(buffer).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}
