//! [`Refreshing`] under virtual time.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alb_mtls_trust::{Deadline, Deadlines, FailedLookup, Found, Lookup, NoValue, Refreshing, Waiting};
use alb_mtls_verifier::Timestamp;

/// Twice the time after its deadline in which a lookup can still say what did not answer.
const TOLERANCE: Duration = Duration::from_millis(100);

const START: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);
const REQUEST: Waiting = Waiting::Request { left: None };

/// Answers each lookup with the next of its answers; hangs after the last one.
#[derive(Debug, Default)]
struct Source {
    answers: Mutex<Vec<Result<Found<u32>, String>>>,
    asked: AtomicUsize,
    reported: AtomicUsize,
}

impl Source {
    fn new(answers: impl IntoIterator<Item = Result<Found<u32>, String>>) -> Self {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        Self {
            answers: Mutex::new(answers),
            ..Self::default()
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Lookup for Source {
    type Value = u32;
    type Error = String;

    async fn look_up(&self, _: Option<Arc<u32>>, _: Timestamp, _: Deadline) -> Result<Found<u32>, String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let next = self.answers.lock().unwrap().pop();
        match next {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    fn report_failure(&self, _: &FailedLookup<'_, u32, String>) {
        self.reported.fetch_add(1, Ordering::SeqCst);
    }
}

fn refreshing() -> Refreshing<u32, String> {
    Refreshing::new(Duration::from_secs(300), Duration::from_secs(3_600))
}

fn after(seconds: i64) -> Timestamp {
    START.plus_seconds(seconds)
}

fn good(value: u32) -> Result<Found<u32>, String> {
    Ok(Found::New(value))
}

fn bad() -> Result<Found<u32>, String> {
    Err("no".to_owned())
}

#[tokio::test(start_paused = true)]
async fn the_last_good_value_serves_until_it_is_too_old() {
    let source = Source::new([good(1), bad(), bad(), Ok(Found::Unchanged), good(2)]);
    let value = refreshing();
    let get = |seconds| value.get(&source, after(seconds), REQUEST);
    assert_eq!(*get(0).await.unwrap(), 1);
    assert_eq!(*get(100).await.unwrap(), 1);
    assert_eq!(source.asked(), 1);
    assert_eq!(*get(300).await.unwrap(), 1);
    assert_eq!(*get(301).await.unwrap(), 1);
    assert_eq!(source.asked(), 2, "the backoff was skipped");
    assert!(matches!(get(3_700).await, Err(NoValue::Stale { .. })));
    assert_eq!(*get(3_800).await.unwrap(), 1, "it was confirmed");
    assert_eq!(*get(4_200).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn callers_without_a_value_share_one_lookup_and_its_failure() {
    let source = Source::new([bad(), good(1)]);
    let value = refreshing();
    let all = futures_util::future::join_all((0..16).map(|_| value.get(&source, START, REQUEST)));
    assert!(
        all.await
            .iter()
            .all(|answer| answer == &Err(NoValue::NotLoaded("no".to_owned())))
    );
    assert_eq!(source.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn callers_with_a_value_do_not_wait_for_the_one_that_looks_up() {
    let source = Source::new([good(1)]);
    let value = refreshing();
    value.get(&source, START, REQUEST).await.unwrap();
    let started = tokio::time::Instant::now();
    let slow = value.get(&source, after(300), REQUEST);
    let quick = async {
        tokio::task::yield_now().await;
        let answer = value.get(&source, after(300), REQUEST).await;
        (answer, started.elapsed())
    };
    let (slow, (quick, took)) = tokio::join!(slow, quick);
    assert_eq!((*slow.unwrap(), *quick.unwrap()), (1, 1));
    assert!(took < Duration::from_millis(10), "{took:?}");
    assert!(started.elapsed() >= Deadlines::default().request);
}

#[tokio::test(start_paused = true)]
async fn a_lookup_leaves_the_invocation_time_to_answer() {
    let source = Source::new([good(1)]);
    let value = refreshing();
    let left = |left| Waiting::Request {
        left: Some(Duration::from_millis(left)),
    };
    value.get(&source, START, left(3_000)).await.unwrap();
    for (now, left_ms, most) in [(300, 3_000, 750), (400, 3_000, 1_500), (500, 60_000, 5_000)] {
        let started = tokio::time::Instant::now();
        value.get(&source, after(now), left(left_ms)).await.unwrap();
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(most), "{took:?}");
        assert!(took <= Duration::from_millis(most) + TOLERANCE, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_backoff_begins_at_the_end_of_a_lookup() {
    let source = Source::new([]);
    let value = refreshing();
    let mut seconds = 0;
    let mut busy = 0;
    while seconds < 120 {
        let started = tokio::time::Instant::now();
        let answer = value.get(&source, after(seconds), REQUEST).await;
        assert!(answer.is_err());
        // Virtual time does not move `Instant`, which the end of a lookup is counted with.
        let took = i64::try_from(started.elapsed().as_secs()).unwrap();
        busy += took;
        seconds += took.max(1);
    }
    assert!(
        source.asked() < 24,
        "{} lookups, {busy} s of them",
        source.asked()
    );
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_counts_as_a_failure() {
    let source = Source::new([good(1)]);
    let value = refreshing();
    value.get(&source, START, REQUEST).await.unwrap();
    let gone = tokio::time::timeout(Duration::from_millis(50), value.get(&source, after(300), REQUEST));
    assert!(gone.await.is_err());
    assert_eq!(source.asked(), 2);
    assert_eq!(source.reported.load(Ordering::SeqCst), 1);
    assert_eq!(*value.get(&source, after(301), REQUEST).await.unwrap(), 1);
    assert_eq!(source.asked(), 2, "the next caller looked up at once");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_is_not_repeated_within_its_pause() {
    let source = Source::new([good(1), good(2), good(3)]);
    let value = refreshing();
    let pause = Duration::from_secs(10);
    value.get(&source, START, REQUEST).await.unwrap();
    value.renew(&source, after(9), REQUEST, pause).await;
    assert_eq!(*value.last_good().unwrap(), 1);
    value.renew(&source, after(10), REQUEST, pause).await;
    assert_eq!(*value.last_good().unwrap(), 2);
    assert_eq!(value.counts().ended, 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_at_hand_needs_no_lookup() {
    let source = Source::new([good(1), bad()]);
    let value = refreshing();
    assert!(value.at_hand(START).is_none());
    value.get(&source, START, REQUEST).await.unwrap();
    assert!(value.at_hand(after(100)).is_some());
    assert!(value.at_hand(after(300)).is_none(), "it is due");
    value.get(&source, after(300), REQUEST).await.unwrap();
    assert!(value.at_hand(after(301)).is_some(), "it may not be looked up yet");
    assert!(value.at_hand(after(3_700)).is_none(), "it is too old");
}
