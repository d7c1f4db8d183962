//! Answers that an upstream sends without having been asked never reach another client.

use std::net::SocketAddr;
use std::process::Command;

use alb_mtls_tests::{Clients, Function};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::harness::{Event, forward};

/// Times that each kind of late answer is sent.
const ROUNDS: usize = 100;

/// An upstream that answers each request by its path, and writes an answer for nobody when it is told to.
struct Late {
    address: SocketAddr,
    say: UnboundedSender<Vec<u8>>,
    said: UnboundedReceiver<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Late {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (say, mut orders) = unbounded_channel::<Vec<u8>>();
        let (done, said) = unbounded_channel();
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = Vec::new();
                // The newest connection is the one that is kept.
                loop {
                    tokio::select! {
                        read = stream.read_buf(&mut buffer) => {
                            if read.unwrap_or(0) == 0 {
                                break;
                            }
                            let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
                                continue;
                            };
                            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
                            buffer.drain(..end + 4);
                            let path = head.split(' ').nth(1).unwrap_or_default();
                            let _ = stream.write_all(&answer(path)).await;
                        }
                        order = orders.recv() => {
                            let Some(order) = order else { return };
                            let _ = stream.write_all(&order).await;
                            let _ = done.send(());
                        }
                    }
                }
            }
        });
        Self {
            address,
            say,
            said,
            task,
        }
    }

    /// Writes bytes to the connection that was made last, and returns when they are on their way.
    async fn write(&mut self, bytes: &[u8]) {
        self.say.send(bytes.to_vec()).unwrap();
        self.said.recv().await.unwrap();
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(body: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n", body.len());
    format!("{head}content-type: text/plain\r\n\r\n{body}").into_bytes()
}

/// Asks for a path of this round, and returns how many answers were another client's.
async fn ask(clients: &Clients, function: &Function, round: usize, method: &str) -> usize {
    let path = format!("/round/{round}");
    let event = Event::new(method, &path, clients.good_headers());
    let answer = function.answer(event.to_bytes()).await;
    assert_eq!(answer.status, 200, "round {round}: {}", answer.body());
    if answer.body() != path {
        eprintln!("{path}: {}", answer.body());
    }
    usize::from(answer.body() != path)
}

#[tokio::test]
async fn a_late_answer_reaches_no_client() {
    let clients = Clients::new();
    let mut upstream = Late::start().await;
    let function = forward(&clients, &format!("http://{}", upstream.address), &[]).await;
    let mut swapped = 0;
    for round in 0..ROUNDS {
        // A request that may have an effect is not lost by it either: nothing of it was sent.
        swapped += ask(&clients, &function, round, ["GET", "POST"][round % 2]).await;
        // Whole, broken off, or no answer at all.
        let whole = answer("another client's");
        let late: [&[u8]; 4] = [&whole, b"HTTP/1.1 2", b"\r\n", b"x"];
        upstream.write(late[round % 4]).await;
    }
    assert_eq!(swapped, 0, "of {ROUNDS}");
}

#[tokio::test]
async fn a_late_answer_to_a_frozen_function_reaches_no_client() {
    let clients = Clients::new();
    let mut upstream = Late::start().await;
    let function = forward(&clients, &format!("http://{}", upstream.address), &[]).await;
    let pid = function.facts().pid.to_string();
    let mut swapped = 0;
    for round in 0..ROUNDS {
        swapped += ask(&clients, &function, round, "POST").await;
        signal("-STOP", &pid);
        upstream.write(&answer("another client's")).await;
        // The next event and the late answer are there when the function wakes up.
        let (next, ()) = tokio::join!(ask(&clients, &function, round, "POST"), async {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            signal("-CONT", &pid);
        });
        swapped += next;
    }
    assert_eq!(swapped, 0, "of {ROUNDS}");
}

fn signal(signal: &str, pid: &str) {
    let status = Command::new("kill").args([signal, pid]).status();
    assert!(status.unwrap().success());
}
