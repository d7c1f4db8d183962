//! Time of a client that was asked about before, and of one that was not.

use std::time::{Duration, Instant};

use alb_mtls_tests::{Clients, respond};

use crate::responders::{Behaviour, Scripted, about_good};
use crate::{LEAF, NETWORKS};

#[tokio::test]
async fn client_that_was_asked_about_does_not_wait_again() {
    const DELAY: Duration = Duration::from_millis(200);
    let clients = Clients::new();
    let good = about_good(&clients).signed_by(&clients.issuing).unwrap();
    let responder = Scripted::start(Behaviour::Late(DELAY, good)).await;
    // Without the verdict cache, so that the answer itself is what is kept.
    let settings = [
        ("MTLS_OCSP", responder.url.as_str()),
        ("MTLS_VERDICT_CACHE", "0"),
        NETWORKS,
        LEAF,
    ];
    let function = respond(&clients, &settings).await;
    let mut times = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        assert_eq!(function.get("/", &clients.good_headers()).await.status, 200);
        times.push(started.elapsed());
    }
    let first = times.remove(0);
    times.sort_unstable();
    let median = times[times.len() / 2];
    eprintln!("not asked before: {first:?}; asked before: {median:?}");
    assert!(first >= DELAY && median * 4 < first, "{first:?} {median:?}");
    assert_eq!(responder.requests(), 1);
}

#[tokio::test]
async fn verdict_does_not_outlive_the_response() {
    let clients = Clients::new();
    let now = time::OffsetDateTime::now_utc();
    let soon = about_good(&clients).valid(now - time::Duration::HOUR, now + time::Duration::seconds(3));
    let responder = Scripted::start(Behaviour::Body(soon.signed_by(&clients.issuing).unwrap())).await;
    let function = respond(&clients, &[("MTLS_OCSP", responder.url.as_str()), NETWORKS, LEAF]).await;
    assert_eq!(function.get("/", &clients.good_headers()).await.status, 200);
    assert_eq!(function.get("/", &clients.good_headers()).await.status, 200);
    assert_eq!(responder.requests(), 1);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(function.get("/", &clients.good_headers()).await.status, 401);
    for _ in 0..2 {
        function.record().await;
    }
    assert_eq!(function.record().await["detail"], "ocsp_stale");
}
