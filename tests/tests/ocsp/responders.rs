//! Responders: `openssl ocsp`, and one that answers what it is told to.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alb_mtls_tests::Clients;
use test_pki::{CertificateBuilder, Credential, OcspResponseBuilder, Purpose, write_private};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// `openssl ocsp` that answers from an index. Ends with the value.
pub(crate) struct Openssl {
    _process: Child,
    pub(crate) url: String,
}

impl Openssl {
    /// Starts a responder for a CA. `index` has the lines of `openssl ca`, and `signer` signs.
    pub(crate) async fn start(folder: &Path, ca: &Credential, signer: &Credential, index: &str) -> Self {
        let file = |name: &str, content: &str| {
            let path = folder.join(format!("ocsp-{name}"));
            write_private(&path, content).unwrap();
            path
        };
        let mut process = Command::new("openssl")
            .args(["ocsp", "-port", "0", "-nmin", "60", "-index"])
            .arg(file("index", index))
            .arg("-CA")
            .arg(file("ca.pem", &ca.pem()))
            .arg("-rsigner")
            .arg(file("signer.pem", &signer.pem()))
            .arg("-rkey")
            .arg(file("signer.key", &signer.key().to_pem().unwrap()))
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("`openssl` is installed");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = loop {
            let line = timeout(Duration::from_secs(30), lines.next_line())
                .await
                .expect("it listens");
            let line = line.unwrap().expect("it listens");
            // `ACCEPT [::]:46347 PID=6064`
            if let Some(address) = line.strip_prefix("ACCEPT ") {
                let address = address.split(' ').next().unwrap();
                break address.rsplit_once(':').unwrap().1.to_owned();
            }
        };
        // Its output goes on, and a closed pipe would end it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self {
            _process: process,
            url: format!("http://127.0.0.1:{port}/"),
        }
    }
}

/// Returns a line of an index: good.
pub(crate) fn valid(certificate: &Credential) -> String {
    format!("V\t301231000000Z\t\t{}\tunknown\t/CN=x\n", serial(certificate))
}

/// Returns a line of an index: revoked.
pub(crate) fn revoked(certificate: &Credential) -> String {
    format!(
        "R\t301231000000Z\t260101000000Z,keyCompromise\t{}\tunknown\t/CN=x\n",
        serial(certificate)
    )
}

fn serial(certificate: &Credential) -> String {
    let octets = certificate.certificate().serial().unwrap();
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

/// Returns a responder that the issuing CA of these clients authorizes.
pub(crate) fn delegate(clients: &Clients) -> Credential {
    let builder = CertificateBuilder::client("CN=OCSP responder,O=Tests").purposes(&[Purpose::OcspSigning]);
    builder.issued_by(&clients.issuing).unwrap()
}

/// Returns a response about the good client, to be changed.
pub(crate) fn about_good(clients: &Clients) -> OcspResponseBuilder {
    OcspResponseBuilder::new(&clients.good, &clients.issuing)
}

/// Reaction of a responder to each request.
#[derive(Clone, Debug)]
pub(crate) enum Behaviour {
    /// Answers with this body.
    Body(Vec<u8>),
    /// Answers with this status line and these headers, and no body.
    Head(String),
    /// Answers with this many bytes.
    Bytes(usize),
    /// Accepts and says nothing.
    Silence,
    /// Answers with this body after a time.
    Late(Duration, Vec<u8>),
}

/// A responder that counts its requests.
pub(crate) struct Scripted {
    pub(crate) url: String,
    requests: Arc<AtomicUsize>,
}

impl Scripted {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                // A client that goes away early is part of some tests.
                tokio::spawn(answer(stream, behaviour.clone()));
            }
        });
        Self { url, requests }
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn answer(mut stream: TcpStream, behaviour: Behaviour) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    // The body too: to close a connection with unread octets resets it.
    let head = String::from_utf8(request)
        .expect("headers are UTF-8")
        .to_ascii_lowercase();
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    stream.read_exact(&mut vec![0; length]).await?;
    let (head, body) = match behaviour {
        Behaviour::Body(body) => ("HTTP/1.1 200 OK".to_owned(), body),
        Behaviour::Head(head) => (head, Vec::new()),
        Behaviour::Bytes(length) => ("HTTP/1.1 200 OK".to_owned(), vec![0x30; length]),
        Behaviour::Silence => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            return Ok(());
        }
        Behaviour::Late(time, body) => {
            tokio::time::sleep(time).await;
            ("HTTP/1.1 200 OK".to_owned(), body)
        }
    };
    let head = format!("{head}\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await
}
