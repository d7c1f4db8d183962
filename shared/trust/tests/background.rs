//! Lookups in the background, in real time: files are replaced while requests come.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use alb_mtls_trust::{
    Deadline, FailedLookup, Found, Lookup, NoValue, Refreshing, Reload, Source, Waiting, WatchedFiles,
};
use alb_mtls_verifier::Timestamp;

const REQUEST: Waiting = Waiting::Request { left: None };

/// Reads a number from a file, slowly.
#[derive(Debug)]
struct Number {
    file: PathBuf,
    asked: AtomicUsize,
    hangs: AtomicBool,
}

impl Lookup for Number {
    type Value = u32;
    type Error = String;

    async fn look_up(&self, _: Option<Arc<u32>>, _: Timestamp, _: Deadline) -> Result<Found<u32>, String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(200)).await;
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let text = std::fs::read_to_string(&self.file).map_err(|error| error.to_string())?;
        text.parse()
            .map(Found::New)
            .map_err(|error| format!("{text}: {error}"))
    }

    fn report_failure(&self, _: &FailedLookup<'_, u32, String>) {}
}

/// A number in a file and the task that keeps it fresh. The task ends with the value.
struct Site {
    folder: tempfile::TempDir,
    value: Arc<Refreshing<u32, String>>,
    lookup: Arc<Number>,
    reload: Reload,
    task: tokio::task::JoinHandle<()>,
}

impl Site {
    async fn new(content: &str, refresh: u64, max_stale: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("number");
        std::fs::write(&file, content).unwrap();
        let value = Arc::new(Refreshing::new(
            Duration::from_secs(refresh),
            Duration::from_secs(max_stale),
        ));
        let lookup = Arc::new(Number {
            file: file.clone(),
            asked: AtomicUsize::new(0),
            hangs: AtomicBool::new(false),
        });
        let reload = Reload::new();
        let task = {
            let (value, lookup, reloads) = (Arc::clone(&value), Arc::clone(&lookup), reload.subscribe());
            let source: Source = format!("file:{}", file.display()).parse().unwrap();
            tokio::spawn(async move {
                let files = WatchedFiles::new([&source]);
                match value.refresh_in_background(&*lookup, files, reloads).await {}
            })
        };
        // Until the task has begun, requests look up by themselves.
        tokio::task::yield_now().await;
        Self {
            folder,
            value,
            lookup,
            reload,
            task,
        }
    }

    fn replace(&self, content: &str) {
        let new = self.folder.path().join("new");
        std::fs::write(&new, content).unwrap();
        std::fs::rename(new, &self.lookup.file).unwrap();
    }

    /// Asks as a request does, which must not take time.
    async fn get(&self) -> Result<u32, NoValue<String>> {
        let started = Instant::now();
        let answer = self.value.get(&*self.lookup, Timestamp::now(), REQUEST).await;
        assert!(started.elapsed() < Duration::from_millis(100), "a request waited");
        answer.map(|value| *value)
    }

    /// Asks until the answer is the number, and returns the time that it took.
    async fn wait_for(&self, number: u32) -> Duration {
        let started = Instant::now();
        while self.get().await != Ok(number) {
            assert!(started.elapsed() < Duration::from_secs(10), "{number} never came");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        started.elapsed()
    }

    fn asked(&self) -> usize {
        self.lookup.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn a_replaced_file_is_in_use_within_three_seconds_and_no_request_waits() {
    let site = Site::new("1", 300, 3_600).await;
    assert!(matches!(site.get().await, Err(NoValue::NotLoaded(_)) | Ok(1)));
    site.wait_for(1).await;
    assert!(site.value.can_serve(Timestamp::now()));
    for number in 2..4 {
        // The first states of the files cause a lookup too: that one must not hide the change.
        site.replace(&number.to_string());
        let took = site.wait_for(number).await;
        assert!(took < Duration::from_secs(4), "{took:?}");
    }
}

#[tokio::test]
async fn a_damaged_file_leaves_the_last_good_value() {
    let site = Site::new("1", 300, 3_600).await;
    site.wait_for(1).await;
    site.replace("damaged");
    while site.value.last_error().is_none() {
        assert_eq!(site.get().await, Ok(1));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(site.get().await, Ok(1));
    site.replace("2");
    site.wait_for(2).await;
}

#[tokio::test]
async fn a_timer_looks_up_before_the_interval_ends() {
    let site = Site::new("1", 3, 3_600).await;
    site.wait_for(1).await;
    // The first states of the file cause one lookup within two seconds, the timer the others.
    let before = site.asked();
    for _ in 0..700 {
        assert_eq!(site.get().await, Ok(1));
        assert!(
            site.value.at_hand(Timestamp::now()).is_some(),
            "a request would wait"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let lookups = site.asked() - before;
    assert!((2..=7).contains(&lookups), "{lookups} lookups");
}

#[tokio::test]
async fn a_reload_during_a_lookup_causes_one_more() {
    let site = Site::new("1", 300, 3_600).await;
    site.wait_for(1).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let before = site.asked();
    site.reload.ask();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(site.asked(), before + 1);
    site.reload.ask();
    site.reload.ask();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(site.asked(), before + 2);
}

#[tokio::test]
async fn a_value_that_is_too_old_is_not_served_and_no_request_waits() {
    let site = Site::new("1", 1, 2).await;
    site.wait_for(1).await;
    site.lookup.hangs.store(true, Ordering::SeqCst);
    let started = Instant::now();
    while site.get().await.is_ok() {
        assert!(started.elapsed() < Duration::from_secs(8));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!site.value.can_serve(Timestamp::now()));
}

#[tokio::test]
async fn requests_look_up_again_when_the_task_has_ended() {
    let site = Site::new("1", 300, 3_600).await;
    site.wait_for(1).await;
    site.task.abort();
    while !site.task.is_finished() {
        tokio::task::yield_now().await;
    }
    site.replace("2");
    let later = Timestamp::now().plus_seconds(400);
    let answer = site.value.get(&*site.lookup, later, REQUEST).await;
    assert_eq!(answer.map(|value| *value), Ok(2));
}
