//! [`Refreshing`] whose refresh is a promise, under virtual time.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alb_mtls_trust::{Deadline, Deadlines, FailedLookup, Found, Lookup, Refreshing, Waiting};
use alb_mtls_verifier::Timestamp;

const START: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);
const REQUEST: Waiting = Waiting::Request { left: None };
const REFRESH: i64 = 10;

/// Answer to one lookup: time in milliseconds, and the outcome.
type Answer = (u64, Result<Found<u32>, String>);

/// Answers each lookup with the next of its answers.
#[derive(Debug, Default)]
struct Source {
    answers: Mutex<VecDeque<Answer>>,
    asked: AtomicUsize,
    /// Real time that the process is frozen for in each lookup.
    frozen: Duration,
}

impl Source {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self {
            answers: Mutex::new(answers.into_iter().collect()),
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
        let (milliseconds, answer) = self.answers.lock().unwrap().pop_front().unwrap();
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        std::thread::sleep(self.frozen);
        answer
    }

    fn report_failure(&self, _: &FailedLookup<'_, u32, String>) {}
}

fn punctual() -> Refreshing<u32, String> {
    let refresh = Duration::from_secs(REFRESH.unsigned_abs());
    Refreshing::new(refresh, Duration::from_secs(3_600)).punctual()
}

fn after(seconds: i64) -> Timestamp {
    START.plus_seconds(seconds)
}

fn good(value: u32) -> Result<Found<u32>, String> {
    Ok(Found::New(value))
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_finds_the_value_due_waits_although_another_looks_up() {
    let source = Source::new([(1, good(1)), (100, good(2))]);
    let value = punctual();
    value.get(&source, START, REQUEST).await.unwrap();
    let get = || value.get(&source, after(600), REQUEST);
    let (first, second) = tokio::join!(get(), get());
    assert_eq!((*first.unwrap(), *second.unwrap()), (2, 2));
    assert_eq!(source.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lookup_ahead_of_time_begins_once_and_before_the_value_is_due() {
    let source = Source::new([(1, good(1)), (100, good(2)), (1, good(3))]);
    let value = punctual();
    assert!(!value.begin_ahead(START), "there is nothing to serve meanwhile");
    value.get(&source, START, REQUEST).await.unwrap();
    assert!(!value.begin_ahead(after(3)), "it is fresh");
    assert!(value.at_hand(after(6)).is_some());
    assert!(value.begin_ahead(after(6)));
    assert!(!value.begin_ahead(after(6)), "one is under way");
    value.look_up_ahead(&source, after(6)).await;
    assert_eq!(*value.at_hand(after(7)).unwrap(), 2);
    assert!(!value.begin_ahead(after(9)), "it was confirmed at 6");
    assert!(
        value.at_hand(after(16)).is_none(),
        "its age counts from the start of the lookup"
    );
    assert!(value.begin_ahead(after(12)));
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_was_overtaken_does_not_count() {
    for late in [good(2), Ok(Found::Unchanged), Err("no".to_owned())] {
        let source = Source::new([(1, good(1)), (500, late), (100, good(3))]);
        let value = punctual();
        value.get(&source, START, REQUEST).await.unwrap();
        assert!(value.begin_ahead(after(6)));
        let ahead = value.look_up_ahead(&source, after(6));
        let waiting = async {
            tokio::task::yield_now().await;
            *value.get(&source, after(10), REQUEST).await.unwrap()
        };
        let ((), found) = tokio::join!(ahead, waiting);
        assert_eq!(found, 3, "a request does not wait for what began before it");
        assert_eq!(*value.at_hand(after(11)).unwrap(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn unchanged_means_the_value_that_the_lookup_compared_with() {
    let source = Source::new([(1, good(1)), (100, good(2)), (500, Ok(Found::Unchanged))]);
    let value = punctual();
    value.get(&source, START, REQUEST).await.unwrap();
    assert!(value.begin_ahead(after(6)));
    let ahead = value.look_up_ahead(&source, after(6));
    let waiting = async {
        tokio::task::yield_now().await;
        *value.get(&source, after(10), REQUEST).await.unwrap()
    };
    let ((), found) = tokio::join!(ahead, waiting);
    assert_eq!(found, 1, "1, then 2, and 1 again before the second lookup ended");
}

#[tokio::test(start_paused = true)]
async fn the_outcome_of_a_lookup_that_was_frozen_does_not_count() {
    for outcome in [good(2), Err("no".to_owned())] {
        let mut source = Source::new([(1, good(1)), (1, outcome), (1, good(3))]);
        let value = punctual().with_deadlines(Deadlines {
            background: Duration::from_millis(10),
            ..Deadlines::default()
        });
        value.get(&source, START, REQUEST).await.unwrap();
        assert!(value.begin_ahead(after(6)));
        source.frozen = Duration::from_millis(700);
        value.look_up_ahead(&source, after(6)).await;
        assert_eq!(*value.at_hand(after(6)).unwrap(), 1);
        source.frozen = Duration::ZERO;
        assert!(value.at_hand(after(600)).is_none());
        assert_eq!(*value.get(&source, after(600), REQUEST).await.unwrap(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_failed_is_repeated_soon() {
    let bad = || (1, Err("no".to_owned()));
    let source = Source::new([(1, good(1)), bad(), bad(), (1, good(2))]);
    let value = punctual();
    value.get(&source, START, REQUEST).await.unwrap();
    assert!(value.begin_ahead(after(6)));
    value.look_up_ahead(&source, after(6)).await;
    assert!(!value.begin_ahead(after(6)), "it failed just now");
    assert!(value.begin_ahead(after(7)));
    value.look_up_ahead(&source, after(7)).await;
    assert!(value.begin_ahead(after(9)));
    value.look_up_ahead(&source, after(9)).await;
    assert_eq!(*value.last_good().unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_never_frozen_needs_no_lookup_ahead_of_time() {
    let source = Source::new([(1, good(1))]);
    let value = punctual();
    value.get(&source, START, REQUEST).await.unwrap();
    let files = alb_mtls_trust::WatchedFiles::new([]);
    let reload = alb_mtls_trust::Reload::new();
    let background = value.refresh_in_background(&source, files, reload.subscribe());
    let check = async {
        tokio::task::yield_now().await;
        assert!(!value.begin_ahead(after(9)));
    };
    tokio::select! {
        never = background => match never {},
        () = check => {}
    }
}
