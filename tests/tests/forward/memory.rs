//! Memory stays flat.

use alb_mtls_tests::{Clients, Function};

use crate::harness::{Event, forward};
use crate::upstream::{Recorder, Reply};

async fn peak_after(function: &Function, event: &Event, requests: usize, status: u16) -> u64 {
    let event = event.to_bytes();
    for _ in 0..requests {
        assert_eq!(function.answer(event.clone()).await.status, status);
        function.log();
    }
    function.facts().peak_memory.expect("the function runs")
}

#[tokio::test]
async fn memory_stays_flat_over_many_requests() {
    let clients = Clients::new();
    let upstream = Recorder::start([Reply::ok()]).await;
    let identity = [("FORWARD_IDENTITY", "verify-mode,rfc9440,xfcc,passthrough")];
    let function = forward(&clients, &upstream.url(), &identity).await;
    let event = Event::new("POST", "/", clients.good_headers()).text(&"x".repeat(10_000));
    let warm = peak_after(&function, &event, 300, 200).await;
    let later = peak_after(&function, &event, 2_000, 200).await;
    assert!(later < warm + 1_048_576, "{warm} bytes, then {later}");
}

#[tokio::test]
async fn answers_that_are_too_large_are_not_gathered() {
    let clients = Clients::new();
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"100000\r\n".as_slice(), &vec![b'x'; 0x10_0000], b"\r\n"].concat();
    let upstream = Recorder::start([Reply::Repeated(head, chunk, 100)]).await;
    let function = forward(&clients, &upstream.url(), &[]).await;
    let event = Event::get("/", clients.good_headers());
    let warm = peak_after(&function, &event, 3, 502).await;
    let later = peak_after(&function, &event, 30, 502).await;
    assert!(later < warm + 4 * 1_048_576, "{warm} bytes, then {later}");
}
