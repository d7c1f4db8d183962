//! A web server that answers as a test wants, however bad that is.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// Response for a path.
#[derive(Clone, Debug)]
pub(crate) enum Page {
    Content(Vec<u8>),
    /// Status line and headers.
    Head(String),
    /// So many octets without end and without a length in front.
    Endless,
    /// Half of the content that the head promises.
    Broken(Vec<u8>),
    /// A single byte, then nothing more while the connection stays open.
    Stalled,
    /// This content, once the test allows it.
    Held(Vec<u8>, Arc<Notify>),
}

#[derive(Debug)]
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    requested: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    pages: HashMap<String, Page>,
    requests: Vec<String>,
    connections: usize,
}

impl Web {
    pub(crate) async fn start() -> Self {
        Self::start_with(None).await
    }

    pub(crate) async fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let requested = Arc::new(Notify::new());
        let (shared, told) = (Arc::clone(&state), Arc::clone(&requested));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                let (shared, told, tls) = (Arc::clone(&shared), Arc::clone(&told), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, shared, told).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, shared, told).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            state,
            requested,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn put(&self, path: &str, page: Page) {
        self.state.lock().unwrap().pages.insert(path.to_owned(), page);
    }

    pub(crate) fn put_content(&self, path: &str, content: &[u8]) {
        self.put(path, Page::Content(content.to_vec()));
    }

    /// Returns the request lines so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    /// Waits for the first request.
    pub(crate) async fn first_request(&self) {
        self.requested.notified().await;
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    state: Arc<Mutex<State>>,
    requested: Arc<Notify>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(octet) => head.push(octet),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let line = head.lines().next().unwrap().to_owned();
    let path = line.split(' ').nth(1).unwrap().to_owned();
    let page = {
        let mut state = state.lock().unwrap();
        state.requests.push(line);
        state.pages.get(&path).cloned()
    };
    requested.notify_one();
    // A client that goes away while it is answered is what some tests are about.
    let _ = answer(stream, page).await;
}

async fn answer(mut stream: impl AsyncWrite + Unpin, page: Option<Page>) -> std::io::Result<()> {
    match page {
        None => {
            stream
                .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                .await?
        }
        Some(Page::Head(head)) => {
            stream
                .write_all(format!("HTTP/1.1 {head}\r\n\r\n").as_bytes())
                .await?
        }
        Some(Page::Content(content)) => {
            stream.write_all(content_head(content.len()).as_bytes()).await?;
            stream.write_all(&content).await?;
        }
        Some(Page::Held(content, allowed)) => {
            allowed.notified().await;
            stream.write_all(content_head(content.len()).as_bytes()).await?;
            stream.write_all(&content).await?;
        }
        Some(Page::Broken(content)) => {
            stream.write_all(content_head(content.len()).as_bytes()).await?;
            stream.write_all(&content[..content.len() / 2]).await?;
        }
        Some(Page::Endless) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            let octets = vec![0x30; 64 * 1024];
            loop {
                stream.write_all(&octets).await?;
            }
        }
        Some(Page::Stalled) => {
            stream
                .write_all(format!("{}0", content_head(1000)).as_bytes())
                .await?;
            stream.flush().await?;
            std::future::pending::<()>().await;
        }
    }
    stream.shutdown().await
}

fn content_head(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/pkix-crl\r\ncontent-length: {length}\r\n\r\n")
}
