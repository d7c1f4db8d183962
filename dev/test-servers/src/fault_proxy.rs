use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Request of a client.
#[derive(Clone, Debug)]
pub struct ProxiedRequest {
    /// Names and values, as sent.
    pub headers: String,
    /// As text.
    pub body: String,
}

impl ProxiedRequest {
    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Returns true for a request of this operation of SSM.
    pub fn is_ssm(&self, operation: &str) -> bool {
        self.header("x-amz-target") == Some(&format!("AmazonSSM.{operation}"))
    }
}

/// Fault that happens to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Pass the request on.
    None,
    /// An answer of this status with these headers and body.
    Answer(u16, &'static str, String),
    /// The connection is closed without an answer.
    Drop,
    /// The first half of the true answer, then the connection is closed.
    Truncate,
    /// The first half of the true answer, then the connection is reset.
    Reset,
    /// The first half of the true answer, then nothing, for as long as the client waits.
    Stall,
    /// The true answer, byte by byte, with this pause after each.
    Drip(Duration),
    /// An answer of this status whose body does not end.
    Endless(u16),
    /// Bytes that are not HTTP, then the connection is closed.
    Garbage,
    /// Nothing, for as long as the client waits. A TLS handshake is not answered either.
    Silence,
    /// Nothing, until the value becomes true; then it passes.
    Hold(watch::Receiver<bool>),
}

impl Fault {
    /// Returns an error of SSM as it words them.
    pub fn ssm_error(code: &str) -> Self {
        let body = format!(r#"{{"__type":"{code}","message":"as the test wants it"}}"#);
        Self::Answer(400, "content-type: application/x-amz-json-1.1\r\n", body)
    }

    /// Returns an error of S3 as it words them.
    pub fn s3_error(status: u16, code: &str) -> Self {
        let body = format!("<Error><Code>{code}</Code><Message>as the test wants it</Message></Error>");
        Self::Answer(status, "content-type: application/xml\r\n", body)
    }
}

/// Time after which a connection that has not been made is taken for one that waits.
const FULL: Duration = Duration::from_millis(200);

type Decide = Box<dyn FnMut(&ProxiedRequest) -> Fault + Send>;

/// A proxy in front of an HTTP server that makes things go wrong on request, and counts what
/// passes. It lives as long as the asynchronous runtime that it was started in.
#[derive(Clone)]
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for FaultProxy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "FaultProxy({})", self.port)
    }
}

struct Shared {
    upstream: u16,
    decide: Mutex<Decide>,
    requests: Mutex<Vec<ProxiedRequest>>,
    statuses: Mutex<Vec<u16>>,
    arrived: watch::Sender<usize>,
    listening: Mutex<Option<JoinHandle<()>>>,
}

impl FaultProxy {
    /// A proxy in front of a port of this machine. Everything passes at first.
    pub async fn before(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            upstream,
            decide: Mutex::new(Box::new(|_| Fault::None)),
            requests: Mutex::default(),
            statuses: Mutex::default(),
            arrived: watch::Sender::new(0),
            listening: Mutex::default(),
        });
        let this = Self { port, shared };
        this.listen(listener);
        this
    }

    /// Returns the address on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the value of `AWS_ENDPOINT_URL` for AWS SDKs.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns the variables with which a function finds the services behind it.
    pub fn variables(&self) -> Vec<(String, String)> {
        crate::variables(self.endpoint())
    }

    /// Decides from now on what happens to each request.
    pub fn decide(&self, decide: impl FnMut(&ProxiedRequest) -> Fault + Send + 'static) {
        *self.shared.decide.lock().unwrap() = Box::new(decide);
    }

    /// Applies the fault to every request from now on.
    pub fn always(&self, fault: Fault) {
        self.decide(move |_| fault.clone());
    }

    /// Passes every request on from now on.
    pub fn recover(&self) {
        self.always(Fault::None);
    }

    /// Refuses connections from now on.
    pub async fn refuse_connections(&self) {
        let listening = self.shared.listening.lock().unwrap().take().unwrap();
        listening.abort();
        listening.await.unwrap_err();
    }

    /// Leaves connections unanswered from now on: the queue of waiting ones is full.
    pub async fn ignore_connections(&self) {
        self.refuse_connections().await;
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        let address = ([127, 0, 0, 1], self.port).into();
        socket.bind(address).unwrap();
        let listener = socket.listen(1).unwrap();
        let mut waiting = Vec::new();
        while let Ok(connected) = timeout(FULL, TcpStream::connect(address)).await {
            waiting.push(connected.unwrap());
        }
        let task = tokio::spawn(async move {
            let _held = (listener, waiting);
            std::future::pending().await
        });
        *self.shared.listening.lock().unwrap() = Some(task);
    }

    /// Accepts connections again.
    pub async fn accept_connections(&self) {
        let before = self.shared.listening.lock().unwrap().take();
        if let Some(before) = before {
            before.abort();
            before.await.unwrap_err();
        }
        self.listen(TcpListener::bind(("127.0.0.1", self.port)).await.unwrap());
    }

    /// Returns the requests since the last call.
    pub fn take_requests(&self) -> Vec<ProxiedRequest> {
        std::mem::take(&mut *self.shared.requests.lock().unwrap())
    }

    /// Returns the statuses that the server has answered with since the last call.
    pub fn take_statuses(&self) -> Vec<u16> {
        std::mem::take(&mut *self.shared.statuses.lock().unwrap())
    }

    /// Waits until so many requests have come in all.
    pub async fn arrived(&self, count: usize) {
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
    /// Serves one request, then closes the connection, so that a fault concerns one
    /// request only.
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
            Fault::Reset => {
                let answer = self.ask_upstream(&raw).await?;
                client.write_all(&answer[..answer.len() / 2]).await?;
                // What was sent is to arrive before the reset.
                sleep(FULL).await;
                client.set_zero_linger()?;
                return Ok(());
            }
            Fault::Drip(pause) => {
                for byte in self.ask_upstream(&raw).await? {
                    client.write_all(&[byte]).await?;
                    sleep(pause).await;
                }
            }
            Fault::Endless(status) => {
                let head = format!("HTTP/1.1 {status} Fault\r\nconnection: close\r\n\r\n");
                client.write_all(head.as_bytes()).await?;
                loop {
                    client.write_all(&[b'x'; 4_096]).await?;
                    sleep(Duration::from_millis(1)).await;
                }
            }
            Fault::Garbage => client.write_all(b"\x16\x03garbage\r\n\r\nSSH-2.0-x\r\n").await?,
            Fault::Silence => {
                client.read_u8().await?;
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
        let status_line =
            String::from_utf8_lossy(answer.split(|octet| *octet == b'\r').next().unwrap_or_default());
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse::<u16>().ok());
        self.statuses.lock().unwrap().extend(status);
        Ok(answer)
    }
}

/// Reads a request with a body of known length; what it returns asks the server to close the
/// connection afterwards.
async fn read_request(client: &mut TcpStream) -> std::io::Result<Option<(Vec<u8>, ProxiedRequest)>> {
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
    let mut request = ProxiedRequest {
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
