//! An upstream that is not an HTTP server: it writes down what arrives, byte for byte, and answers
//! what it was told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use local_alb::{Environment, InvocationOutcome};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Reply to a request, and handling of the connection.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Sends bytes and keeps the connection.
    Bytes(Vec<u8>),
    /// Sends bytes and closes the connection.
    BytesThenClose(Vec<u8>),
    /// Sends bytes, then others many times, and keeps the connection.
    Repeated(Vec<u8>, Vec<u8>, usize),
    /// Sends bytes and closes the sending side; still reads.
    BytesThenHalfClose(Vec<u8>),
    /// The connection ends abruptly.
    Reset,
    /// Sends bytes one by one, with a pause after each.
    Drip(Vec<u8>, Duration),
    /// Nothing, for as long as the other side waits.
    Silence,
    /// Answers as Lambda's Invoke API once this function has had the request's body as its event.
    Invocation(Arc<Environment>),
}

impl Reply {
    pub fn text(head_and_body: &str) -> Self {
        Self::Bytes(head_and_body.as_bytes().to_vec())
    }

    pub fn ok() -> Self {
        Self::text("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok")
    }
}

/// Request as it arrived.
#[derive(Debug)]
pub struct Recorded {
    /// Number of the connection, from 0.
    pub connection: usize,
    /// Request line and headers, with their ends.
    pub head: Vec<u8>,
    pub body: Vec<u8>,
}

impl Recorded {
    pub fn head(&self) -> String {
        String::from_utf8(self.head.clone()).expect("heads here are UTF-8")
    }

    /// Returns the first line without its end.
    pub fn request_line(&self) -> String {
        self.head().lines().next().unwrap_or_default().to_owned()
    }

    /// Returns every header line in order, without its end.
    pub fn headers(&self) -> Vec<String> {
        let head = self.head();
        head.split("\r\n")
            .skip(1)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Returns the values of a header, by its name in lower case.
    pub fn values(&self, name: &str) -> Vec<String> {
        let start = format!("{name}: ");
        self.headers()
            .iter()
            .filter_map(|line| line.strip_prefix(&start))
            .map(str::to_owned)
            .collect()
    }
}

/// Ends with the value.
#[derive(Debug)]
pub struct Recorder {
    address: SocketAddr,
    requests: UnboundedReceiver<Recorded>,
    task: tokio::task::JoinHandle<()>,
}

impl Recorder {
    /// Answers each request by the next of these replies, and all further ones by the last.
    pub async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), replies).await
    }

    /// Starts a recorder at this address.
    pub async fn start_at(address: SocketAddr, replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = unbounded_channel();
        let mut replies: Vec<Reply> = replies.into_iter().collect();
        replies.reverse();
        let replies = Arc::new(std::sync::Mutex::new(replies));
        let task = tokio::spawn(async move {
            // Ends with this task.
            let mut connections = tokio::task::JoinSet::new();
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(connection, stream, Arc::clone(&replies), sender.clone()));
            }
        });
        Self {
            address,
            requests,
            task,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends every connection and waits until that is done.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// Returns the next request; waits for it.
    pub async fn next(&mut self) -> Recorded {
        self.requests.recv().await.expect("the recorder runs")
    }

    /// A request that has arrived already.
    pub fn arrived(&mut self) -> Option<Recorded> {
        self.requests.try_recv().ok()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    connection: usize,
    mut stream: TcpStream,
    replies: Arc<std::sync::Mutex<Vec<Reply>>>,
    sender: UnboundedSender<Recorded>,
) {
    let mut buffer = Vec::new();
    while let Some(head_end) = read_until_head(&mut stream, &mut buffer).await {
        let head = buffer[..head_end].to_vec();
        let length = content_length(&head);
        while buffer.len() < head_end + length {
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let body = buffer[head_end..head_end + length].to_vec();
        buffer.drain(..head_end + length);
        let event = body.clone();
        let _ = sender.send(Recorded {
            connection,
            head,
            body,
        });
        let reply = {
            let mut replies = replies.lock().unwrap();
            let last = replies.len() == 1;
            if last {
                replies.last().cloned()
            } else {
                replies.pop()
            }
        };
        match reply.expect("there is a reply") {
            Reply::Bytes(bytes) => {
                let _ = stream.write_all(&bytes).await;
            }
            Reply::Repeated(head, bytes, times) => {
                let _ = stream.write_all(&head).await;
                for _ in 0..times {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
            }
            Reply::BytesThenClose(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
            Reply::BytesThenHalfClose(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                while stream.read_buf(&mut buffer).await.unwrap_or(0) > 0 {}
                return;
            }
            Reply::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
            Reply::Drip(bytes, pause) => {
                for byte in bytes {
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                }
            }
            Reply::Invocation(function) => {
                let _ = stream.write_all(&invoke(&function, event).await).await;
            }
            Reply::Silence => {
                let _ = stream.read_buf(&mut buffer).await;
                return;
            }
        }
    }
}

/// Reads until the end of the next head; returns `None` at the end of the connection.
async fn read_until_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<usize> {
    loop {
        if let Some(position) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            return Some(position + 4);
        }
        if stream.read_buf(buffer).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}

/// Invokes the function. Source: Lambda API reference, "Invoke", response syntax.
async fn invoke(function: &Environment, event: Vec<u8>) -> Vec<u8> {
    let outcome = function.invoke(event).await;
    let (header, payload) = match outcome {
        InvocationOutcome::Response(payload) => ("", payload.to_vec()),
        failed => {
            let error = json!({"errorMessage": format!("{failed:?}")});
            (
                "X-Amz-Function-Error: Unhandled\r\n",
                error.to_string().into_bytes(),
            )
        }
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Amz-Executed-Version: $LATEST\r\n{header}Content-Length: {}\r\n\r\n",
        payload.len()
    );
    [head.as_bytes(), &payload].concat()
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head);
    let lines: Vec<&str> = head
        .lines()
        .filter_map(|line| line.strip_prefix("content-length: "))
        .collect();
    assert!(lines.len() <= 1, "two lengths: {head}");
    lines.first().map_or(0, |length| length.parse().unwrap())
}
