//! A proxy in front of an HTTP server that makes things go wrong on request, and counts what passes.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What a client asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Names and values, as sent.
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Whether it asks for this operation of SSM.
    pub(crate) fn is_ssm(&self, operation: &str) -> bool {
        self.header("x-amz-target") == Some(&format!("AmazonSSM.{operation}"))
    }
}

/// What happens to a request.
#[derive(Clone)]
pub(crate) enum Fault {
    /// It passes.
    None,
    /// An answer of this status with these headers and body.
    Answer(u16, &'static str, String),
    /// The connection is closed without an answer.
    Drop,
    /// The first half of the true answer, then the connection is closed.
    Truncate,
    /// The first half of the true answer, then nothing, for ever.
    Stall,
    /// Nothing, until the value becomes true; then it passes.
    Hold(watch::Receiver<bool>),
}

type Decide = Box<dyn FnMut(&Request) -> Fault + Send>;

#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: u16,
    decide: Mutex<Decide>,
    requests: Mutex<Vec<Request>>,
    arrived: watch::Sender<usize>,
    listening: Mutex<Option<JoinHandle<()>>>,
}

impl Proxy {
    /// A proxy in front of a port of this machine. Everything passes at first.
    pub(crate) async fn before(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            upstream,
            decide: Mutex::new(Box::new(|_| Fault::None)),
            requests: Mutex::default(),
            arrived: watch::Sender::new(0),
            listening: Mutex::default(),
        });
        let this = Self { port, shared };
        this.listen(listener);
        this
    }

    /// Decides from now on what happens to each request.
    pub(crate) fn decide(&self, decide: impl FnMut(&Request) -> Fault + Send + 'static) {
        *self.shared.decide.lock().unwrap() = Box::new(decide);
    }

    /// From now on the same happens to every request.
    pub(crate) fn always(&self, fault: Fault) {
        self.decide(move |_| fault.clone());
    }

    /// From now on everything passes.
    pub(crate) fn recover(&self) {
        self.always(Fault::None);
    }

    /// From now on connections are refused.
    pub(crate) async fn refuse_connections(&self) {
        let listening = self.shared.listening.lock().unwrap().take().unwrap();
        listening.abort();
        listening.await.unwrap_err();
    }

    /// From now on connections are accepted again.
    pub(crate) async fn accept_connections(&self) {
        self.listen(TcpListener::bind(("127.0.0.1", self.port)).await.unwrap());
    }

    /// What has been asked since the last call.
    pub(crate) fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.shared.requests.lock().unwrap())
    }

    /// Waits until so many requests have come in all.
    pub(crate) async fn arrived(&self, count: usize) {
        let mut arrived = self.shared.arrived.subscribe();
        arrived.wait_for(|arrived| *arrived >= count).await.unwrap();
    }

    fn listen(&self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&shared);
                // A client that goes away in the middle is part of what is tested.
                tokio::spawn(async move { shared.serve(client).await.ok() });
            }
        });
        *self.shared.listening.lock().unwrap() = Some(task);
    }
}

impl Shared {
    /// One request, one answer, then the connection is closed: whatever happens concerns one request only.
    async fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let Some((raw, request)) = read_request(&mut client).await? else {
            return Ok(());
        };
        let fault = (self.decide.lock().unwrap())(&request);
        self.requests.lock().unwrap().push(request);
        self.arrived.send_modify(|arrived| *arrived += 1);
        match fault {
            Fault::None => client.write_all(&self.ask_upstream(&raw).await?).await?,
            Fault::Answer(status, headers, body) => {
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} Fault\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                client.write_all(answer.as_bytes()).await?;
            }
            Fault::Drop => {}
            Fault::Truncate => {
                let answer = self.ask_upstream(&raw).await?;
                client.write_all(&answer[..answer.len() / 2]).await?;
            }
            Fault::Stall => {
                let answer = self.ask_upstream(&raw).await?;
                client.write_all(&answer[..answer.len() / 2]).await?;
                client.read_u8().await?;
            }
            Fault::Hold(mut released) => {
                released.wait_for(|released| *released).await.ok();
                client.write_all(&self.ask_upstream(&raw).await?).await?;
            }
        }
        client.shutdown().await
    }

    async fn ask_upstream(&self, request: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut upstream = TcpStream::connect(("127.0.0.1", self.upstream)).await?;
        upstream.write_all(request).await?;
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

/// Reads a request with a body of known length; what it returns asks the server to close the connection afterwards.
async fn read_request(client: &mut TcpStream) -> std::io::Result<Option<(Vec<u8>, Request)>> {
    let mut bytes = Vec::new();
    let head_length = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_length]).into_owned();
    let (line, headers) = head.split_once("\r\n").unwrap();
    let mut request = Request {
        headers: headers.to_owned(),
        body: String::new(),
    };
    let length: usize = request
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    while bytes.len() < head_length + 4 + length {
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
    let body = &bytes[head_length + 4..];
    request.body = String::from_utf8_lossy(body).into_owned();
    let mut raw = format!("{line}\r\nconnection: close\r\n{headers}\r\n\r\n").into_bytes();
    raw.extend_from_slice(body);
    Ok(Some((raw, request)))
}
