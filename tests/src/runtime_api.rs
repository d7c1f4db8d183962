//! A Runtime API that follows a plan: events, and everything that can go wrong instead of one.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet};

/// Answer to a poll.
#[derive(Clone, Debug)]
pub enum Next {
    /// An event with this request id and these further headers, each with its line end.
    Event {
        id: String,
        headers: String,
        event: Bytes,
    },
    /// A status with a short body.
    Status(u16),
    /// Bytes that are not HTTP, or not all of it; the connection ends.
    Bytes(&'static str),
    /// The connection is reset.
    Reset,
}

impl Next {
    /// Returns an event with the headers that every invocation has.
    pub fn event(id: impl Into<String>, event: Bytes) -> Self {
        let id = id.into();
        Self::Event {
            headers: format!(
                "Lambda-Runtime-Deadline-Ms: 4102444800000\r\nLambda-Runtime-Trace-Id: Root=1-{id};Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a87bd80c:{id}\r\n"
            ),
            id,
            event,
        }
    }
}

/// Answer to an answer, where it is not 202.
#[derive(Clone, Copy, Debug)]
pub enum Taken {
    /// This status.
    Status(u16),
    /// The connection is reset when the request has been read.
    Reset,
    /// The connection is closed when the request has been read.
    Close,
}

/// Request that sends an answer.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Path of the request.
    pub path: String,
    /// Head of the request as it was sent.
    pub head: String,
    /// Body of the request.
    pub body: Vec<u8>,
}

#[derive(Debug, Default)]
struct Plan {
    next: Mutex<VecDeque<Next>>,
    taken: Mutex<VecDeque<Taken>>,
    planned: Notify,
    polls: AtomicUsize,
    waiting: AtomicUsize,
}

/// A Runtime API that ends with the value.
#[derive(Debug)]
pub struct PlannedApi {
    /// Address for `AWS_LAMBDA_RUNTIME_API`.
    pub address: SocketAddr,
    plan: Arc<Plan>,
    sent: UnboundedReceiver<Sent>,
    task: JoinHandle<()>,
}

impl PlannedApi {
    /// Listens on any port.
    pub async fn start() -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into()).await
    }

    /// Listens on this address.
    pub async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let plan = Arc::new(Plan::default());
        let (sender, sent) = unbounded_channel();
        let task = tokio::spawn({
            let plan = Arc::clone(&plan);
            async move {
                // Ends with this task.
                let mut connections = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let (plan, sender) = (Arc::clone(&plan), sender.clone());
                    connections.spawn(async move { serve(stream, &plan, &sender).await });
                    while connections.try_join_next().is_some() {}
                }
            }
        });
        Self {
            address,
            plan,
            sent,
            task,
        }
    }

    /// Plans the answer to the next poll that has none.
    pub fn plan(&self, next: Next) {
        locked(&self.plan.next).push_back(next);
        self.plan.planned.notify_one();
    }

    /// Plans the handling of the next answer.
    pub fn take_next(&self, taken: Taken) {
        locked(&self.plan.taken).push_back(taken);
    }

    /// Waits for the next answer or error that a function sends.
    pub async fn sent(&mut self) -> Sent {
        let waiting = tokio::time::timeout(std::time::Duration::from_secs(60), self.sent.recv());
        waiting
            .await
            .expect("a function answers")
            .expect("the server runs")
    }

    /// Returns the number of polls so far.
    pub fn polls(&self) -> usize {
        self.plan.polls.load(Ordering::SeqCst)
    }

    /// Returns the number of polls that wait for an event now.
    pub fn waiting(&self) -> usize {
        self.plan.waiting.load(Ordering::SeqCst)
    }
}

impl Drop for PlannedApi {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts a poll while it waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn serve(mut stream: TcpStream, plan: &Plan, sent: &UnboundedSender<Sent>) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(request) = read(&mut stream, &mut buffer).await? {
        if request.head.starts_with("GET ") {
            plan.polls.fetch_add(1, Ordering::SeqCst);
            match planned(plan, &stream).await? {
                Next::Event { id, headers, event } => {
                    let length = event.len();
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: {id}\r\n{headers}Content-Length: {length}\r\n\r\n"
                    );
                    stream.write_all(&[head.as_bytes(), &event].concat()).await?;
                }
                Next::Status(status) => status_line(&mut stream, status).await?,
                Next::Bytes(bytes) => {
                    stream.write_all(bytes.as_bytes()).await?;
                    return Ok(());
                }
                Next::Reset => return stream.set_zero_linger(),
            }
            continue;
        }
        let taken = locked(&plan.taken).pop_front();
        let _ = sent.send(request);
        match taken {
            None => status_line(&mut stream, 202).await?,
            Some(Taken::Status(status)) => status_line(&mut stream, status).await?,
            Some(Taken::Reset) => return stream.set_zero_linger(),
            Some(Taken::Close) => return Ok(()),
        }
    }
    Ok(())
}

/// Waits for the answer to a poll, while its client does.
async fn planned(plan: &Plan, stream: &TcpStream) -> io::Result<Next> {
    let _waiting = Waiting::new(&plan.waiting);
    let mut byte = [0];
    loop {
        let (next, is_last) = {
            let mut plan = locked(&plan.next);
            (plan.pop_front(), plan.is_empty())
        };
        if !is_last {
            plan.planned.notify_one();
        }
        if let Some(next) = next {
            return Ok(next);
        }
        tokio::select! {
            () = plan.planned.notified() => {}
            // It sends nothing while it waits, so this is its end.
            ended = stream.peek(&mut byte) => {
                ended?;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
    }
}

async fn status_line(stream: &mut TcpStream, status: u16) -> io::Result<()> {
    let body = if status == 204 { "" } else { "{\"status\":\"x\"}" };
    let length = body.len();
    let answer = format!("HTTP/1.1 {status} Status\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).await
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Sent>> {
    let end = loop {
        if let Some(position) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break position + 4;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer.drain(..end).collect::<Vec<_>>()).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.unwrap_or(0);
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let body = buffer.drain(..length).collect();
    Ok(Some(Sent { path, head, body }))
}
