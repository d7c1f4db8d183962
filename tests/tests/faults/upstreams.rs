//! Upstreams of the forwarder that fail or attack: each has a status and a detail, and the next
//! request is served.

use std::time::{Duration, Instant};

use alb_mtls_tests::upstream::{Recorder, Reply};
use alb_mtls_tests::{Clients, FaultProxy, Function, event};
use local_alb::HeaderMode;
use tokio::net::TcpListener;

use crate::run_all;

/// A fault of an upstream, as the page names it.
pub(crate) struct UpstreamFault {
    pub(crate) does: &'static str,
    kind: Kind,
    pub(crate) status: u16,
    /// The detail in the record; absent where the upstream's answer is passed on.
    pub(crate) detail: Option<&'static str>,
}

enum Kind {
    Reply(fn() -> Reply),
    /// A reply of Lambda's Invoke API: the upstream is another function.
    Invocation(fn() -> Reply),
    RefusesConnections,
    IgnoresConnections,
    HasNoAddress,
    /// Upstream with an `https:` URL that ignores handshakes.
    IgnoresHandshakes,
}

const fn reply(does: &'static str, reply: fn() -> Reply, status: u16, detail: &'static str) -> UpstreamFault {
    UpstreamFault {
        does,
        kind: Kind::Reply(reply),
        status,
        detail: Some(detail),
    }
}

const fn passed(does: &'static str, reply: fn() -> Reply, status: u16) -> UpstreamFault {
    UpstreamFault {
        does,
        kind: Kind::Reply(reply),
        status,
        detail: None,
    }
}

const fn other(does: &'static str, kind: Kind, status: u16, detail: &'static str) -> UpstreamFault {
    UpstreamFault {
        does,
        kind,
        status,
        detail: Some(detail),
    }
}

const fn invocation(
    does: &'static str,
    reply: fn() -> Reply,
    status: u16,
    detail: &'static str,
) -> UpstreamFault {
    UpstreamFault {
        does,
        kind: Kind::Invocation(reply),
        status,
        detail: Some(detail),
    }
}

/// Returns Lambda's reply when a function has answered this.
fn payload(json: &str) -> Reply {
    invoked("200 OK", "", json)
}

fn invoked(status: &str, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::text(&format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}"
    ))
}

fn cut(bytes: &str) -> Reply {
    Reply::BytesThenClose(bytes.as_bytes().to_vec())
}

const OK: &str = "HTTP/1.1 200 OK\r\n";

pub(crate) static FAULTS: [UpstreamFault; 31] = [
    other(
        "refuses connections",
        Kind::RefusesConnections,
        502,
        "upstream_refused",
    ),
    other(
        "neither accepts nor refuses connections",
        Kind::IgnoresConnections,
        504,
        "upstream_connect_timeout",
    ),
    other(
        "has a name without an address",
        Kind::HasNoAddress,
        502,
        "upstream_name",
    ),
    other(
        "never answers the TLS handshake",
        Kind::IgnoresHandshakes,
        504,
        "upstream_timeout",
    ),
    reply("never answers", || Reply::Silence, 504, "upstream_timeout"),
    reply(
        "closes the connection without an answer",
        || cut(""),
        502,
        "upstream_closed",
    ),
    reply("resets the connection", || Reply::Reset, 502, "upstream_closed"),
    reply(
        "closes the connection in the middle of the headers",
        || cut("HTTP/1.1 200 OK\r\nx-a: 1"),
        502,
        "upstream_closed",
    ),
    reply(
        "closes the connection in the middle of the body",
        || cut("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"),
        502,
        "upstream_closed",
    ),
    reply(
        "closes the connection in the middle of a chunk",
        || cut("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"),
        502,
        "upstream_closed",
    ),
    reply(
        "closes its half of the connection in the middle of the body",
        || Reply::BytesThenHalfClose(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec()),
        502,
        "upstream_closed",
    ),
    reply(
        "stops in the middle of the body",
        || Reply::text("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc"),
        504,
        "upstream_timeout",
    ),
    reply(
        "sends a byte every 100 ms",
        || {
            let answer = format!("{OK}content-length: 1000\r\n\r\n{}", "x".repeat(1_000));
            Reply::Drip(answer.into_bytes(), Duration::from_millis(100))
        },
        504,
        "upstream_timeout",
    ),
    reply(
        "sends a body that does not end",
        || {
            let head = format!("{OK}transfer-encoding: chunked\r\n\r\n");
            let chunk = format!("1000\r\n{}\r\n", "x".repeat(4_096));
            Reply::Repeated(head.into_bytes(), chunk.into_bytes(), usize::MAX)
        },
        502,
        "answer_too_large",
    ),
    reply(
        "announces a body of a terabyte",
        || Reply::text("HTTP/1.1 200 OK\r\ncontent-length: 1099511627776\r\n\r\nx"),
        502,
        "answer_too_large",
    ),
    reply(
        "sends headers that do not end",
        || {
            Reply::Repeated(
                OK.as_bytes().to_vec(),
                b"x-a: 0123456789\r\n".to_vec(),
                usize::MAX,
            )
        },
        502,
        "upstream_protocol",
    ),
    reply(
        "sends one header that does not end",
        || {
            Reply::Repeated(
                b"HTTP/1.1 200 OK\r\nx-a: ".to_vec(),
                vec![b'x'; 4_096],
                usize::MAX,
            )
        },
        502,
        "upstream_protocol",
    ),
    reply(
        "sends `100 Continue` without end",
        || {
            Reply::Repeated(
                Vec::new(),
                b"HTTP/1.1 100 Continue\r\n\r\n".repeat(4_000),
                usize::MAX,
            )
        },
        504,
        "upstream_timeout",
    ),
    reply(
        "sends chunk extensions that do not end",
        || {
            let head = format!("{OK}transfer-encoding: chunked\r\n\r\n1;");
            Reply::Repeated(head.into_bytes(), vec![b'x'; 4_096], usize::MAX)
        },
        502,
        "upstream_protocol",
    ),
    reply(
        "sends trailers that do not end",
        || {
            let head = format!("{OK}transfer-encoding: chunked\r\n\r\n0\r\n");
            Reply::Repeated(head.into_bytes(), b"x-a: 0123456789\r\n".to_vec(), usize::MAX)
        },
        502,
        "upstream_protocol",
    ),
    reply(
        "sends bytes that are not HTTP",
        || cut("SSH-2.0-OpenSSH_9.9\r\n\r\n\r\n"),
        502,
        "upstream_protocol",
    ),
    reply(
        "sends two different lengths",
        || cut("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        502,
        "upstream_protocol",
    ),
    reply(
        "sends `Transfer-Encoding: gzip`",
        || cut("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nx"),
        502,
        "upstream_protocol",
    ),
    reply(
        "sends more than 100 headers",
        || {
            let lines: String = (0..101).map(|number| format!("x-{number}: 1\r\n")).collect();
            Reply::text(&format!("{OK}{lines}content-length: 0\r\n\r\n"))
        },
        502,
        "upstream_protocol",
    ),
    reply(
        "switches the protocol (101)",
        || cut("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"),
        502,
        "upstream_protocol",
    ),
    reply(
        "answers with a status above 599",
        || cut("HTTP/1.1 600 Beyond\r\ncontent-length: 0\r\n\r\n"),
        502,
        "upstream_protocol",
    ),
    passed(
        "answers 500",
        || Reply::text("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"),
        500,
    ),
    passed(
        "redirects",
        || {
            Reply::text(
                "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
            )
        },
        302,
    ),
    passed(
        "answers 204 with a body",
        || Reply::text("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nstray"),
        204,
    ),
    passed(
        "answers once more than it was asked",
        || {
            let second = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstray";
            Reply::text(&format!("{OK}content-length: 2\r\n\r\nok{second}"))
        },
        200,
    ),
    passed(
        "answers in HTTP/1.0 without a length",
        || Reply::BytesThenHalfClose(b"HTTP/1.0 200 OK\r\n\r\nold".to_vec()),
        200,
    ),
];

/// Another function as the upstream.
pub(crate) static FUNCTION_FAULTS: [UpstreamFault; 15] = [
    invocation(
        "fails",
        || {
            let error = r#"{"errorType": "Runtime.ExitError", "errorMessage": "exit status 1"}"#;
            invoked("200 OK", "x-amz-function-error: Unhandled\r\n", error)
        },
        502,
        "upstream_function_error",
    ),
    invocation(
        "answers `null`",
        || payload("null"),
        502,
        "upstream_function_answer",
    ),
    invocation("answers nothing", || payload(""), 502, "upstream_function_answer"),
    invocation(
        "answers text that is not JSON",
        || payload("<html>"),
        502,
        "upstream_function_answer",
    ),
    invocation(
        "answers without a status",
        || payload(r#"{"body": "ok"}"#),
        502,
        "upstream_function_answer",
    ),
    invocation(
        "answers with a status above 599",
        || payload(r#"{"statusCode": 600}"#),
        502,
        "upstream_function_answer",
    ),
    invocation(
        "answers with a line break in a header",
        || payload(r#"{"statusCode": 200, "headers": {"x-a": "1\r\nx-b: 2"}}"#),
        502,
        "upstream_function_answer",
    ),
    invocation(
        "answers with a body that is not the base64 which it says",
        || payload(r#"{"statusCode": 200, "body": "%%%", "isBase64Encoded": true}"#),
        502,
        "upstream_function_answer",
    ),
    invocation(
        "answers with JSON that is nested 100,000 deep",
        || payload(&"[".repeat(100_000)),
        502,
        "upstream_function_answer",
    ),
    invocation(
        "answers with more than 1 MB",
        || {
            payload(&format!(
                r#"{{"statusCode": 200, "body": "{}"}}"#,
                "x".repeat(1_100_000)
            ))
        },
        502,
        "answer_too_large",
    ),
    invocation("never answers", || Reply::Silence, 504, "upstream_timeout"),
    invocation(
        "is called over a connection that is reset",
        || Reply::Reset,
        502,
        "upstream_closed",
    ),
    invocation(
        "is throttled by Lambda",
        || {
            let error = r#"{"Type": "User", "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded"}"#;
            invoked(
                "429 Too Many Requests",
                "x-amzn-errortype: TooManyRequestsException\r\n",
                error,
            )
        },
        503,
        "upstream_throttled",
    ),
    invocation(
        "may not be invoked",
        || {
            invoked(
                "403 Forbidden",
                "x-amzn-errortype: AccessDeniedException\r\n",
                "{}",
            )
        },
        502,
        "upstream_invoke",
    ),
    invocation(
        "is not run because of an error of Lambda's own",
        || {
            invoked(
                "500 Internal Server Error",
                "x-amzn-errortype: ServiceException\r\n",
                "{}",
            )
        },
        502,
        "upstream_invoke",
    ),
];

/// Time that an exchange has here, in seconds: more than the 5 s for making a connection where none
/// is made.
const TIME: u64 = 1;
const TIME_TO_CONNECT: u64 = 6;

/// Time that an answer may take beyond that on a busy machine. Together they are less than the
/// function's timeout of 30 s. Endless interim answers take 8 to 12 s there: hyper reads them on
/// before timers have their turn.
const BEYOND: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_an_upstream_is_answered_as_documented() {
    run_all(FAULTS.iter().chain(&FUNCTION_FAULTS).map(run)).await;
}

async fn run(fault: &'static UpstreamFault) {
    let what = fault.does;
    let clients = Clients::new();
    let proxy = FaultProxy::before(0).await;
    let mut recorder = None;
    let mut variables = vec![("MTLS_ANCHORS".to_owned(), clients.anchors_source())];
    let upstream = match fault.kind {
        Kind::Invocation(reply) => {
            let well = payload(r#"{"statusCode": 200, "body": "ok"}"#);
            let started = recorder.insert(Recorder::start([reply(), well]).await);
            for (name, value) in [
                ("AWS_ENDPOINT_URL_LAMBDA", started.url().as_str()),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
            ] {
                variables.push((name.to_owned(), value.to_owned()));
            }
            "lambda:app".to_owned()
        }
        Kind::Reply(reply) => {
            let started = recorder.insert(Recorder::start([reply(), Reply::ok()]).await);
            started.url()
        }
        Kind::IgnoresHandshakes => {
            proxy.always(alb_mtls_tests::Fault::Silence);
            format!("https://localhost:{}", proxy.port())
        }
        Kind::RefusesConnections => {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            format!("http://{}", listener.local_addr().unwrap())
        }
        Kind::IgnoresConnections => {
            proxy.ignore_connections().await;
            format!("http://127.0.0.1:{}", proxy.port())
        }
        Kind::HasNoAddress => "http://nowhere.invalid".to_owned(),
    };
    let time = match fault.kind {
        Kind::IgnoresConnections => TIME_TO_CONNECT,
        _ => TIME,
    };
    variables.push(("FORWARD_UPSTREAM".to_owned(), upstream));
    variables.push(("FORWARD_TIMEOUT".to_owned(), format!("{time}s")));
    let function = Function::start("forward", variables).await;
    let good = event("GET", "/", &clients.good_headers(), HeaderMode::MultiValue);
    let started = Instant::now();
    let answer = function.answer(good.clone()).await;
    let took = started.elapsed();
    println!("{what}: answered after {took:?}");
    assert!(
        took < Duration::from_secs(time) + BEYOND,
        "{what}: answered after {took:?}"
    );
    assert_eq!(answer.status, fault.status, "{what}: {}", answer.body());
    if let Some(detail) = fault.detail {
        let record = function
            .line_where(|line| line["message"] == "not forwarded")
            .await;
        assert_eq!(record["detail"], detail, "{what}: {record}");
    }
    // Nothing of the answer before is taken for the answer to these.
    if recorder.is_some() {
        for _ in 0..2 {
            let answer = function.answer(good.clone()).await;
            assert_eq!((answer.status, answer.body()), (200, "ok"), "{what}");
        }
    }
    assert_eq!(function.facts().restarts, 0, "{what}");
}
