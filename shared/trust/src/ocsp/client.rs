//! The client of OCSP responders.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alb_mtls_verifier::{
    CertIdHash, Explanation, Fingerprint, MAX_OCSP_RESPONSE_BYTES, OcspAnswer, OcspAnswers, OcspError,
    OcspFailure, OcspQuestion, OcspState, OcspStatus, PresentedChain, Reason, Rejection, Timestamp,
    VerifiedClient, Verifier,
};
use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::breaker::Breakers;
use super::cache::{AnswerCache, FAILURE_SECONDS};
use super::settings::OcspSettings;
use crate::crl::HttpLocation;
use crate::web::{WebError, WebRequest, WebRules};

/// Time of an invocation that is left for the answer to the client.
const RESERVE: Duration = Duration::from_millis(200);

/// Questions that are asked at once, before those that nothing waits for are forgotten.
const MAX_FLIGHTS: usize = 1_024;

/// Client of OCSP responders, with the answers of a process.
#[derive(Debug)]
pub struct OcspClient {
    settings: OcspSettings,
    cache: Mutex<AnswerCache>,
    breakers: Mutex<Breakers>,
    /// Questions that are being asked: others with the same question wait for that answer.
    flights: Mutex<HashMap<Fingerprint, Arc<tokio::sync::Mutex<()>>>>,
    requests: AtomicU64,
    failures: AtomicU64,
}

/// Numbers since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OcspCounts {
    /// Requests that were sent.
    pub requests: u64,
    /// Questions that no responder answered.
    pub failures: u64,
}

/// Answers of one verification: those that it asked for, and those in the cache.
struct Answers<'c> {
    client: &'c OcspClient,
    now: Timestamp,
    asked: HashMap<Fingerprint, OcspAnswer>,
}

impl OcspAnswers for Answers<'_> {
    fn answer(&self, question: &OcspQuestion) -> Option<OcspAnswer> {
        let asked = self.asked.get(&question.id()).cloned();
        asked.or_else(|| self.client.cache().get(question.id(), self.now))
    }
}

impl OcspClient {
    /// Creates a client without answers.
    pub fn new(settings: OcspSettings) -> Self {
        Self {
            settings,
            cache: Mutex::new(AnswerCache::new()),
            breakers: Mutex::default(),
            flights: Mutex::default(),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    /// Returns the settings.
    pub fn settings(&self) -> &OcspSettings {
        &self.settings
    }

    /// Returns what was asked since the start of the process.
    pub fn counts(&self) -> OcspCounts {
        OcspCounts {
            requests: self.requests.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }

    /// Decides as [`Verifier::verify`] does, and asks responders what the path needs, with `left`
    /// until the end of the invocation.
    ///
    /// # Errors
    /// The [`Rejection`] of the verifier.
    pub async fn verify(
        &self,
        verifier: &Verifier,
        chain: &PresentedChain,
        now: Timestamp,
        left: Option<Duration>,
    ) -> Result<VerifiedClient, Rejection> {
        let mut answers = self.answers(now);
        let deadline = self.deadline(left);
        loop {
            let verification = verifier.verify_with(chain, now, &answers);
            // Every round answers each of its questions, and a chain has a limited number.
            if verification.needed.is_empty() {
                return verification.verdict;
            }
            answers.ask(&verification.needed, deadline).await;
        }
    }

    /// Decides with the answers at hand, without asking a responder.
    ///
    /// # Errors
    /// The [`Rejection`] of the verifier.
    pub fn recall(
        &self,
        verifier: &Verifier,
        chain: &PresentedChain,
        now: Timestamp,
    ) -> Result<VerifiedClient, Rejection> {
        verifier.verify_with(chain, now, &self.answers(now)).verdict
    }

    /// Explains as [`Verifier::explain`] does, with the answers of responders.
    pub async fn explain(&self, verifier: &Verifier, chain: &PresentedChain, now: Timestamp) -> Explanation {
        let mut answers = self.answers(now);
        let deadline = self.deadline(None);
        loop {
            let needed = verifier.verify_with(chain, now, &answers).needed;
            if needed.is_empty() {
                return verifier.explain_with(chain, now, &answers);
            }
            answers.ask(&needed, deadline).await;
        }
    }

    fn answers(&self, now: Timestamp) -> Answers<'_> {
        Answers {
            client: self,
            now,
            asked: HashMap::new(),
        }
    }

    fn deadline(&self, left: Option<Duration>) -> Instant {
        let timeout = self.settings.timeout;
        let allowed = left.map_or(timeout, |left| timeout.min(left.saturating_sub(RESERVE)));
        Instant::now() + allowed
    }

    /// Answers one question, after the one who asks it already.
    async fn ask(&self, question: &OcspQuestion, now: Timestamp, deadline: Instant) -> OcspAnswer {
        let flight = {
            let mut flights = self.flights();
            if flights.len() >= MAX_FLIGHTS {
                // Requests that ended early left these.
                flights.retain(|_, flight| Arc::strong_count(flight) > 1);
            }
            Arc::clone(flights.entry(question.id()).or_default())
        };
        let answer = match timeout_at(deadline, flight.lock()).await {
            Err(_) => OcspAnswer::Failed(OcspFailure {
                reason: Reason::OcspUnavailable,
                explanation: "another request asks already, and has no answer yet".into(),
                until: now,
            }),
            Ok(_guard) => {
                let cached = self.cache().get(question.id(), now);
                match cached {
                    Some(answer) => answer,
                    None => self.ask_responders(question, now, deadline).await,
                }
            }
        };
        let mut flights = self.flights();
        // Those who wait have a reference of their own.
        if flights
            .get(&question.id())
            .is_some_and(|known| Arc::ptr_eq(known, &flight) && Arc::strong_count(known) <= 2)
        {
            flights.remove(&question.id());
        }
        answer
    }

    async fn ask_responders(&self, question: &OcspQuestion, now: Timestamp, deadline: Instant) -> OcspAnswer {
        let responders = self.settings.responders.for_question(question);
        let mut failure = (
            Reason::OcspResponderMissing,
            format!("the issuer is {}", question.issuer_name()),
        );
        let mut unknown: Option<Arc<OcspStatus>> = None;
        for (position, responder) in responders.iter().enumerate() {
            // A slow responder leaves time for those after it.
            let others = u32::try_from(responders.len() - position).unwrap_or(u32::MAX);
            let share = deadline.saturating_duration_since(Instant::now()) / others;
            let end = deadline.min(Instant::now() + share);
            match self.ask_one(responder, question, now, end).await {
                Ok(status) if status.state() == OcspState::Unknown => {
                    _ = unknown.get_or_insert(status);
                }
                Ok(status) => return self.keep(status, now),
                Err((reason, explanation)) => {
                    failure = (reason, format!("{responder}: {explanation}"));
                }
            }
        }
        if let Some(status) = unknown {
            return self.keep(status, now);
        }
        self.failures.fetch_add(1, Ordering::Relaxed);
        let (reason, explanation) = failure;
        let failure = OcspFailure {
            reason,
            explanation: explanation.into(),
            until: now.plus_seconds(FAILURE_SECONDS - 1),
        };
        self.cache().keep_failure(question.id(), failure, now)
    }

    fn keep(&self, status: Arc<OcspStatus>, now: Timestamp) -> OcspAnswer {
        let refresh = i64::try_from(self.settings.refresh.as_secs()).unwrap_or(i64::MAX);
        self.cache().keep_status(&status, refresh, now);
        OcspAnswer::Status(status)
    }

    /// Asks one responder, by the other hash again if it does not know the certificate by the
    /// first.
    async fn ask_one(
        &self,
        responder: &HttpLocation,
        question: &OcspQuestion,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Arc<OcspStatus>, (Reason, String)> {
        let mut judged = Err((Reason::OcspUnavailable, String::new()));
        for hash in CertIdHash::ALL {
            let response = self
                .fetch(responder, question.request(*hash), now, deadline)
                .await;
            let result = match response {
                Err(explanation) => return judged.map_err(|_| (Reason::OcspUnavailable, explanation)),
                Ok(response) => question.judge(&response, now),
            };
            let asks_again = match &result {
                Ok(status) => status.state() == OcspState::Unknown,
                Err(error) => error.suggests_other_hash(),
            };
            if let Err(OcspError::Declined("tryLater" | "internalError")) = result {
                self.note(responder, false, now);
            }
            // What is known by one hash and not by the other is known.
            judged = match (judged, result) {
                (Ok(known), Err(_)) => Ok(known),
                (_, Ok(status)) => Ok(Arc::new(status)),
                (Err(_), Err(error)) => Err((error.reason(), error.to_string())),
            };
            if !asks_again {
                break;
            }
        }
        judged
    }

    /// Returns the body of a response, or why there is none.
    async fn fetch(
        &self,
        responder: &HttpLocation,
        request: Vec<u8>,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Vec<u8>, String> {
        let name = responder.to_string();
        if let Some(until) = self.breakers().open_until(&name, now) {
            return Err(format!(
                "it failed again and again, and is asked again at {until}"
            ));
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let rules = WebRules {
            private_networks: &self.settings.private_networks,
            networks_setting: "MTLS_OCSP_NETWORKS",
            user_agent: concat!("alb-mtls-ocsp/", env!("CARGO_PKG_VERSION")),
            max_bytes: MAX_OCSP_RESPONSE_BYTES,
        };
        let request = WebRequest::Post {
            content_type: "application/ocsp-request",
            accept: "application/ocsp-response",
            body: request,
        };
        let exchanged = timeout_at(deadline, async {
            let stream = rules.connect(responder).await?;
            rules.exchange(responder, request, stream).await
        });
        let outcome = match exchanged.await {
            Err(_) => Err("there was no complete answer in time".to_owned()),
            Ok(Err(WebError::Unreachable(reason) | WebError::Refused(reason))) => Err(reason),
            Ok(Ok(response)) => Ok(response),
        };
        self.note(responder, outcome.is_ok(), now);
        outcome
    }

    fn note(&self, responder: &HttpLocation, is_answered: bool, now: Timestamp) {
        if self.breakers().note(&responder.to_string(), is_answered, now) {
            tracing::warn!(
                kind = "ocsp_responder_down",
                responder = %responder,
                "an OCSP responder failed three times, and is left alone for 30 s"
            );
        }
    }

    fn cache(&self) -> MutexGuard<'_, AnswerCache> {
        // A panic leaves nothing half done: the maps are whole between any two calls.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn breakers(&self) -> MutexGuard<'_, Breakers> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Fingerprint, Arc<tokio::sync::Mutex<()>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers<'_> {
    /// Asks all questions at once.
    async fn ask(&mut self, questions: &[OcspQuestion], deadline: Instant) {
        let client = self.client;
        let now = self.now;
        let asking = questions.iter().map(async |question| {
            let answer = client.ask(question, now, deadline).await;
            (question.id(), answer)
        });
        self.asked.extend(join_all(asking).await);
    }
}
