//! Cache of answers, in this process.

use std::sync::Arc;

use alb_mtls_verifier::{Fingerprint, OcspAnswer, OcspFailure, OcspState, OcspStatus, Timestamp};
use quick_cache::unsync::Cache;

/// Most answers. One takes about 500 bytes.
const MAX_ANSWERS: usize = 8_192;

/// Seconds for which a failure is kept, so that a client that tries again does not wait again.
pub(super) const FAILURE_SECONDS: i64 = 10;

/// Seconds after which a responder is asked again about a certificate that it did not know: a new
/// one is known soon.
const UNKNOWN_SECONDS: i64 = 30;

/// Answers by question.
#[derive(Debug)]
pub(super) struct AnswerCache(Cache<Fingerprint, Entry>);

#[derive(Clone, Debug)]
struct Entry {
    answer: OcspAnswer,
    since: Timestamp,
    ask_again: Timestamp,
}

impl AnswerCache {
    pub(super) fn new() -> Self {
        Self(Cache::new(MAX_ANSWERS))
    }

    /// Returns the answer, unless it is time to ask again.
    pub(super) fn get(&self, question: Fingerprint, now: Timestamp) -> Option<OcspAnswer> {
        let entry = self.0.get(&question)?;
        // A clock that was set back makes it an answer of the future.
        (entry.since <= now && now < entry.ask_again).then(|| entry.answer.clone())
    }

    /// Keeps a status until it ends or is due again after `refresh` seconds.
    pub(super) fn keep_status(&mut self, status: &Arc<OcspStatus>, refresh: i64, now: Timestamp) {
        let due = match status.state() {
            OcspState::Unknown => refresh.min(UNKNOWN_SECONDS),
            OcspState::Good | OcspState::Revoked { .. } => refresh,
        };
        let entry = Entry {
            answer: OcspAnswer::Status(Arc::clone(status)),
            since: now,
            ask_again: now.plus_seconds(due).min(status.until().plus_seconds(1)),
        };
        self.0.insert(status.question(), entry);
    }

    /// Keeps a failure for a short time. A status that is still valid is kept in its place.
    /// Returns what is the answer now.
    pub(super) fn keep_failure(
        &mut self,
        question: Fingerprint,
        failure: OcspFailure,
        now: Timestamp,
    ) -> OcspAnswer {
        let known = self.0.get(&question).map(|entry| entry.answer.clone());
        let answer = match known {
            Some(OcspAnswer::Status(status)) if now <= status.until() => OcspAnswer::Status(status),
            _ => OcspAnswer::Failed(failure),
        };
        let entry = Entry {
            answer: answer.clone(),
            since: now,
            ask_again: now.plus_seconds(FAILURE_SECONDS),
        };
        self.0.insert(question, entry);
        answer
    }
}
