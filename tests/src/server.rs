//! The built server with its logs, and HTTP/1.1 written by hand.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::clients::Clients;

/// Name of the certificate header in tests of the server, as the samples in `deploy` have it.
pub const SECRET_HEADER: &str = "x-replace-with-your-secret-name";

/// Longest time for anything here.
const PATIENCE: Duration = Duration::from_secs(30);

/// A built server that was started by a test. Ends with the value.
#[derive(Debug)]
pub struct Server {
    process: Child,
    addresses: BTreeMap<String, String>,
    lines: UnboundedReceiver<Value>,
}

impl Server {
    /// Starts the server with these variables alone, and waits until it listens.
    pub async fn start<N: AsRef<str>, V: AsRef<str>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut command = Command::new(crate::binary("alb-mtls-server"));
        command.env_clear();
        for (name, value) in variables {
            command.env(name.as_ref(), value.as_ref());
        }
        Self::run(command).await
    }

    /// Runs a command that starts the server, and waits until it listens.
    pub async fn run(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("the server starts");
        let mut output = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let mut addresses = BTreeMap::new();
        loop {
            let line = timeout(PATIENCE, output.next_line())
                .await
                .expect("the server listens");
            let line = line.unwrap().expect("the server listens before it ends");
            let line: Value = serde_json::from_str(&line).expect("lines are JSON");
            if line["message"] == "listening" {
                let text = |name: &str| line[name].as_str().unwrap().to_owned();
                addresses.insert(text("setting"), text("address"));
            }
            if line["message"] == "serving" {
                break;
            }
        }
        let (sender, lines) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = output.next_line().await {
                let _ = sender.send(serde_json::from_str(&line).expect("lines are JSON"));
            }
        });
        Self {
            process,
            addresses,
            lines,
        }
    }

    /// Starts an authorization service with the anchors of these clients on a free port.
    pub async fn authorizing(clients: &Clients, variables: &[(&str, &str)]) -> Self {
        let anchors = clients.anchors_source();
        let usual = [
            ("MTLS_ANCHORS", anchors.as_str()),
            ("MTLS_HEADER", SECRET_HEADER),
            ("SERVER_LISTEN", "off"),
            ("SERVER_ADMIN_LISTEN", "off"),
            ("SERVER_AUTHORIZE_LISTEN", "127.0.0.1:0"),
            ("SERVER_DRAIN", "0s"),
        ];
        let is_usual = |name: &str| variables.iter().all(|(other, _)| *other != name);
        let usual = usual.into_iter().filter(|(name, _)| is_usual(name));
        Self::start(usual.chain(variables.iter().copied())).await
    }

    /// Returns the address of a setting, with the port in place of 0.
    pub fn address(&self, setting: &str) -> SocketAddr {
        self.addresses[setting].parse().expect("a TCP address")
    }

    /// Returns the next decision record; waits for it.
    pub async fn record(&mut self) -> Value {
        self.line_where(|line| line["message"] == "decision").await
    }

    /// Returns the next line for which this holds; waits for it.
    pub async fn line_where(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = timeout(PATIENCE, self.lines.recv())
                .await
                .expect("such a line in time");
            let line = line.expect("such a line before the end");
            if wanted(&line) {
                return line;
            }
        }
    }

    /// Returns the id of the process.
    pub fn id(&self) -> u32 {
        self.process.id().expect("the server runs")
    }

    /// Sends a signal, such as `TERM`.
    pub async fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().await;
        assert!(sent.unwrap().success());
    }

    /// Waits for the end.
    pub async fn ended(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.process.wait())
            .await
            .expect("an end in time")
            .unwrap()
    }
}

/// Response as it came.
#[derive(Debug)]
pub struct RawAnswer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl RawAnswer {
    /// Returns the only value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut values = lines.filter_map(|line| {
            let (known, value) = line.split_once(": ")?;
            known.eq_ignore_ascii_case(name).then_some(value)
        });
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is there twice");
        value
    }
}

/// Sends a request with these header lines on a connection of its own, and reads until its end.
pub async fn exchange(address: SocketAddr, request_line: &str, headers: &[String]) -> RawAnswer {
    // `GET /` in the usual version, or a whole line.
    let version = if request_line.contains(" HTTP/") {
        ""
    } else {
        " HTTP/1.1"
    };
    let mut request = format!("{request_line}{version}\r\nconnection: close\r\n");
    for line in headers {
        request += line;
        request += "\r\n";
    }
    request += "\r\n";
    let answer = timeout(PATIENCE, async {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A server that refuses early resets the connection.
        let _ = stream.read_to_end(&mut answer).await;
        answer
    });
    let answer = String::from_utf8(answer.await.expect("an answer in time")).expect("answers are UTF-8");
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer to {request_line} but `{answer}`"));
    RawAnswer {
        status: head
            .get(9..12)
            .and_then(|status| status.parse().ok())
            .expect("a status"),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}
