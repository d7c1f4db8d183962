//! Lines on their way to a log that can be slow, stopped or closed.
//!
//! A line is written on the thread of its request while the log takes it: Lambda freezes the
//! process after the answer, so a record must be out before that. When the log takes nothing, lines
//! wait in a bounded queue for a thread of their own.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use alb_mtls_verifier::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde::Serialize;

use crate::line;

/// Longest time that a request waits for the log. Readers that are alive take a line within
/// milliseconds. Only the first line that is not taken waits, so a log that is not read costs this
/// time once and not for each request.
const PATIENCE: Duration = Duration::from_millis(100);

/// Bytes of lines that wait at most: about 500 records, and one part in 256 of the smallest
/// function's memory.
const CAPACITY: usize = 512 * 1_024;

/// Bytes that are written at a time. A pipe with any room at all takes so many at once.
///
/// Source: pipe(7), `PIPE_BUF`; poll(2) reports a pipe as writable when a page of it is free.
const CHUNK: usize = 4_096;

/// Stack of the thread that writes the queue: it calls nothing that needs more.
const STACK: usize = 64 * 1_024;

/// Interval at which the end of the process looks whether the queue is empty.
const LOOK: Duration = Duration::from_millis(2);

/// Importance of a line while the log takes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// Lost first: records of requests that passed.
    Routine,
    /// Lost only when nothing of less importance waits: records of denials, warnings, errors,
    /// metrics.
    Important,
}

/// Writes lines to a log and waits for it within bounds.
#[derive(Debug)]
pub(crate) struct LogWriter<L> {
    shared: Arc<Shared<L>>,
}

#[derive(Debug)]
struct Shared<L> {
    log: L,
    /// Held while a line is written on the thread of a request, so that lines stay whole and in
    /// order.
    backlog: Mutex<Backlog>,
}

impl<L: AsFd + Send + Sync + 'static> LogWriter<L> {
    pub(crate) fn new(log: L) -> Self {
        Self {
            shared: Arc::new(Shared {
                log,
                backlog: Mutex::default(),
            }),
        }
    }

    /// Writes a line, or leaves it to the queue after [`PATIENCE`]. A log that is closed or broken
    /// loses it: that is not a reason to deny a request.
    pub(crate) fn write(&self, mut line: Vec<u8>, importance: Importance) {
        let mut backlog = self.shared.backlog();
        if backlog.is_idle() {
            match write_within(&self.shared.log, &line, Some(PATIENCE)) {
                Ok(written) if written < line.len() => {
                    line.drain(..written);
                    backlog.lines.push_back(Line {
                        // The rest of a line must follow its beginning.
                        may_be_lost: written == 0 && importance == Importance::Routine,
                        text: line,
                    });
                }
                Ok(_) | Err(_) => return,
            }
        } else {
            backlog.push(line, importance);
        }
        if !backlog.has_writer {
            let shared = Arc::clone(&self.shared);
            let writer = thread::Builder::new().name("log".to_owned()).stack_size(STACK);
            // Without a thread the next line tries again.
            backlog.has_writer = writer.spawn(move || shared.write_backlog()).is_ok();
        }
    }

    /// Waits until no line waits, for [`PATIENCE`] at most: for the end of the process.
    pub(crate) fn finish(&self) {
        let end = Instant::now() + PATIENCE;
        while !self.shared.backlog().is_idle() && Instant::now() < end {
            thread::sleep(LOOK);
        }
    }
}

impl<L: AsFd> Shared<L> {
    fn write_backlog(&self) {
        loop {
            let line = {
                let mut backlog = self.backlog();
                let Some(line) = backlog.pop() else {
                    backlog.has_writer = false;
                    return;
                };
                line
            };
            // A log that is closed or broken loses the line.
            let _ = write_within(&self.log, &line, None);
        }
    }

    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        // The queue is whole between any two statements, so a panic elsewhere has not broken it.
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lines that wait.
#[derive(Debug, Default)]
struct Backlog {
    lines: VecDeque<Line>,
    lost: Lost,
    /// Set while a thread writes them.
    has_writer: bool,
}

#[derive(Debug)]
struct Line {
    text: Vec<u8>,
    may_be_lost: bool,
}

/// Lines that were lost since the last report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lost {
    routine: u64,
    important: u64,
}

impl Backlog {
    fn is_idle(&self) -> bool {
        self.lines.is_empty() && !self.has_writer
    }

    fn bytes(&self) -> usize {
        self.lines.iter().map(|line| line.text.len()).sum()
    }

    /// Adds a line, in place of routine ones when it is important and there is no room.
    fn push(&mut self, text: Vec<u8>, importance: Importance) {
        let mut bytes = self.bytes();
        let is_routine = importance == Importance::Routine;
        while !is_routine && bytes + text.len() > CAPACITY {
            let Some(oldest) = self.lines.iter().position(|line| line.may_be_lost) else {
                break;
            };
            bytes -= self.lines.remove(oldest).map_or(0, |line| line.text.len());
            self.lost.routine += 1;
        }
        // After a loss only half is filled with routine lines, so that losses come in few runs and
        // not one by one.
        let is_losing = self.lost != Lost::default();
        let limit = if is_losing && is_routine {
            CAPACITY / 2
        } else {
            CAPACITY
        };
        if bytes + text.len() > limit {
            match importance {
                Importance::Routine => self.lost.routine += 1,
                Importance::Important => self.lost.important += 1,
            }
            return;
        }
        if is_losing && bytes + text.len() <= CAPACITY / 2 {
            self.lines.push_back(Line {
                text: self.lost.report(),
                may_be_lost: false,
            });
        }
        self.lines.push_back(Line {
            text,
            may_be_lost: is_routine,
        });
    }

    /// Returns the next line: also the report of a loss, when nothing else waits.
    fn pop(&mut self) -> Option<Vec<u8>> {
        match self.lines.pop_front() {
            Some(line) => Some(line.text),
            None if self.lost != Lost::default() => Some(self.lost.report()),
            None => None,
        }
    }
}

/// Report of lines that were lost.
#[derive(Serialize)]
struct LossRecord {
    timestamp: Timestamp,
    level: &'static str,
    message: &'static str,
    /// Lines about requests that passed.
    lost_routine: u64,
    /// Lines about denials, warnings, errors and metrics.
    lost_important: u64,
    explanation: &'static str,
}

impl Lost {
    /// Returns a line that reports the loss, and begins a new count.
    fn report(&mut self) -> Vec<u8> {
        let Self { routine, important } = std::mem::take(self);
        let mut report = line::to_line(&LossRecord {
            timestamp: Timestamp::now(),
            level: "ERROR",
            message: "log lines lost",
            lost_routine: routine,
            lost_important: important,
            explanation: "standard output took nothing until the queue of lines was full",
        });
        report.push('\n');
        report.into_bytes()
    }
}

/// Writes until everything is written or `patience` is over, and returns how much was written.
///
/// Another process that writes to the same pipe can take the room between `poll` and `write`; then
/// this waits until the log is read once more.
fn write_within(log: &impl AsFd, line: &[u8], patience: Option<Duration>) -> Result<usize, Errno> {
    let end = patience.map(|patience| Instant::now() + patience);
    let mut written = 0;
    while let Some(rest) = line.get(written..).filter(|rest| !rest.is_empty()) {
        if !is_ready(log, end)? {
            break;
        }
        match rustix::io::write(log, rest.get(..CHUNK).unwrap_or(rest)) {
            Ok(0) => break,
            Ok(count) => written += count,
            // A signal, or a descriptor that another process made non-blocking.
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

/// Waits until the log takes bytes or reports an error; `false` when it does neither before `end`.
fn is_ready(log: &impl AsFd, end: Option<Instant>) -> Result<bool, Errno> {
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let left = left.map(|left| Timespec::try_from(left).unwrap_or_default());
        match poll(&mut [PollFd::new(log, PollFlags::OUT)], left.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, pipe};

    use super::*;

    fn log() -> (PipeReader, LogWriter<PipeWriter>) {
        let (reader, writer) = pipe().unwrap();
        (reader, LogWriter::new(writer))
    }

    fn line(text: &str) -> Vec<u8> {
        format!("{text}\n").into_bytes()
    }

    /// A line of a kilobyte.
    fn long(name: &str, number: usize) -> Vec<u8> {
        line(&format!("{name}-{number}-{}", "x".repeat(1_000)))
    }

    /// Ends the log and returns its lines, read by a reader that has begun to read.
    fn lines(reader: PipeReader, writer: LogWriter<PipeWriter>) -> Vec<String> {
        let reader = thread::spawn(|| BufReader::new(reader).lines().map(Result::unwrap).collect());
        while !writer.shared.backlog().is_idle() {
            thread::sleep(LOOK);
        }
        drop(writer);
        reader.join().unwrap()
    }

    #[test]
    fn a_line_is_out_when_write_returns_while_the_log_is_read() {
        let (mut reader, writer) = log();
        for number in 0..3 {
            let sent = line(&format!("line {number}"));
            writer.write(sent.clone(), Importance::Routine);
            let mut received = vec![0; sent.len()];
            reader.read_exact(&mut received).unwrap();
            assert_eq!(received, sent);
            assert!(writer.shared.backlog().is_idle(), "no thread was needed");
        }
    }

    #[test]
    fn a_log_that_is_not_read_stops_one_line_for_the_bound_and_no_other() {
        let (reader, writer) = log();
        let started = Instant::now();
        for number in 0..300 {
            writer.write(long("r", number), Importance::Routine);
        }
        let took = started.elapsed();
        assert!(took >= PATIENCE, "the log was never full: {took:?}");
        assert!(took < PATIENCE * 3, "{took:?}");
        let lines = lines(reader, writer);
        let numbers: Vec<&str> = lines.iter().map(|line| line.split('-').nth(1).unwrap()).collect();
        let expected: Vec<String> = (0..300).map(|number| number.to_string()).collect();
        assert_eq!(numbers, expected, "in order, none lost, none twice");
    }

    #[test]
    fn a_full_queue_loses_routine_lines_before_denials_and_reports_how_many() {
        let (reader, writer) = log();
        for number in 0..1_000 {
            writer.write(long("routine", number), Importance::Routine);
        }
        for number in 0..100 {
            writer.write(long("denial", number), Importance::Important);
        }
        assert!(writer.shared.backlog().bytes() <= CAPACITY);
        let lines = lines(reader, writer);
        let count = |name: &str| lines.iter().filter(|line| line.starts_with(name)).count() as u64;
        assert_eq!(count("denial"), 100);
        let report: serde_json::Value = serde_json::from_str(lines.last().unwrap()).unwrap();
        assert_eq!(report["message"], "log lines lost");
        assert_eq!(report["lost_important"], 0);
        assert_eq!(report["lost_routine"].as_u64().unwrap(), 1_000 - count("routine"));
        assert!(count("routine") > 300, "{}", count("routine"));
    }

    #[test]
    fn denials_alone_are_kept_from_the_first_and_counted_when_lost() {
        let (reader, writer) = log();
        for number in 0..1_000 {
            writer.write(long("denial", number), Importance::Important);
        }
        let lines = lines(reader, writer);
        let denials: Vec<&String> = lines.iter().filter(|line| line.starts_with("denial")).collect();
        let numbers: Vec<usize> = denials
            .iter()
            .map(|denial| denial.split('-').nth(1).unwrap().parse().unwrap())
            .collect();
        // The pipe may take some more while others are lost, but never in another order.
        assert!(numbers.is_sorted(), "{numbers:?}");
        assert_eq!(numbers[..256], (0..256).collect::<Vec<_>>());
        let report: serde_json::Value = serde_json::from_str(lines.last().unwrap()).unwrap();
        let lost = report["lost_important"].as_u64().unwrap();
        assert_eq!(lost + denials.len() as u64, 1_000);
    }

    #[test]
    fn the_queue_takes_lines_until_it_is_full_and_no_octet_more() {
        // Returns the first octet of each line that is kept.
        let kept = |octets: usize, first: Importance, then: Importance| {
            let mut backlog = Backlog::default();
            backlog.push(vec![b'1'; octets - 7], first);
            backlog.push(b"2222222".to_vec(), then);
            let texts = backlog.lines.iter().map(|line| line.text[0]);
            let lines: Vec<u8> = texts.filter(|octet| *octet != b'{').collect();
            String::from_utf8(lines).unwrap()
        };
        let (routine, important) = (Importance::Routine, Importance::Important);
        for (first, then, left) in [
            (important, important, "1"),
            (important, routine, "1"),
            (routine, routine, "1"),
            // The denial takes the place of the other line.
            (routine, important, "2"),
        ] {
            assert_eq!(kept(CAPACITY, first, then), "12");
            assert_eq!(kept(CAPACITY + 1, first, then), left);
        }
    }

    #[test]
    fn a_loss_is_reported_where_it_happened_when_the_log_goes_on() {
        let mut backlog = Backlog::default();
        for number in 0..600 {
            backlog.push(long("before", number), Importance::Routine);
        }
        let lost = backlog.lost.routine;
        assert!(lost > 0);
        backlog.push(long("lost", 0), Importance::Routine);
        while backlog.bytes() > CAPACITY / 4 {
            backlog.pop();
        }
        backlog.push(long("after", 0), Importance::Routine);
        let mut lines = backlog.lines.iter().rev();
        assert!(lines.next().unwrap().text.starts_with(b"after"));
        let report: serde_json::Value = serde_json::from_slice(&lines.next().unwrap().text).unwrap();
        assert_eq!(report["lost_routine"].as_u64(), Some(lost + 1));
        assert_eq!(backlog.lost, Lost::default());
    }

    #[test]
    fn lines_longer_than_a_pipe_arrive_whole() {
        let (reader, writer) = log();
        let long = "y".repeat(300_000);
        writer.write(line(&long), Importance::Routine);
        writer.write(line("next"), Importance::Routine);
        assert_eq!(lines(reader, writer), [long.as_str(), "next"]);
    }

    #[test]
    fn a_closed_log_loses_lines_at_once() {
        let (reader, writer) = log();
        drop(reader);
        let started = Instant::now();
        for number in 0..1_000 {
            writer.write(long("r", number), Importance::Important);
        }
        writer.finish();
        assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
        assert!(writer.shared.backlog().is_idle());
    }

    #[test]
    fn a_log_that_is_closed_while_lines_wait_ends_the_wait() {
        let (reader, writer) = log();
        for number in 0..200 {
            writer.write(long("r", number), Importance::Routine);
        }
        assert!(!writer.shared.backlog().is_idle());
        let started = Instant::now();
        writer.finish();
        assert!(started.elapsed() >= PATIENCE, "it waits for the bound");
        drop(reader);
        writer.finish();
        assert!(writer.shared.backlog().is_idle());
    }
}
