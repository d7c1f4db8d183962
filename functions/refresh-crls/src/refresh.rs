//! Refresh: for each CRL fetch, verify, compare with what is published, publish.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_mtls_trust::{
    Content, CrlLocation, CrlPlan, Deadline, Loader, S3Object, SkippedCrl, Source, Sources, crl_state_object,
    write_crl_state,
};
use alb_mtls_verifier::{
    CrlHistory, CrlHistoryError, CryptoModule, Departures, ListStanding, RevocationList,
    RevocationListErrorKind, RevocationLists, Timestamp,
};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use serde_json::Value;
use tokio::time::{timeout, timeout_at};

use crate::authorities::Authorities;
use crate::bucket::{Bucket, Published, State, Written};
use crate::error::RefreshError;
use crate::event::{self, InvalidEvent, Wanted};
use crate::fetch::Fetcher;
use crate::record::{ListRecord, Outcome, Progress, Record, RunRecord};
use crate::settings::{DistributionPoints, Settings};

/// Places of delta CRLs that are read from one CRL. CAs name one, or one for each protocol.
const MAX_DELTA_LOCATIONS: usize = 8;

/// Refreshes CRLs.
#[derive(Debug)]
pub(crate) struct Refresher {
    settings: Settings,
    loader: Loader,
    bucket: Bucket,
}

/// The answer to an invocation.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    published: usize,
    unchanged: usize,
    refused: usize,
    skipped: usize,
}

/// Failure of an invocation, so that Lambda tries it again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("the event: {0}")]
    Event(#[from] InvalidEvent),
    #[error("the certificates that CRLs are verified with: {0}")]
    Authorities(RefreshError),
    #[error("trust anchors for `https` servers: {0}")]
    Tls(RefreshError),
    #[error("{failed} of {all} CRLs could not be fetched or written; the first: {first}")]
    Unreachable {
        failed: usize,
        all: usize,
        first: String,
    },
    #[error("no CRL was fetched: {0}")]
    NothingFetched(String),
}

impl RunError {
    /// Returns the name in Lambda's answer, by which an operator or a state machine tells failures
    /// apart.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Event(_) => "InvalidEvent",
            Self::Authorities(_) => "AuthoritiesUnavailable",
            Self::Tls(_) => "TlsAnchorsUnavailable",
            Self::Unreachable { .. } => "CrlsUnreachable",
            Self::NothingFetched(_) => "NothingFetched",
        }
    }
}

impl Refresher {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            loader: Loader::new(),
            bucket: Bucket::default(),
        }
    }

    /// Refreshes the wanted CRLs, one after the other: each may be large.
    ///
    /// After `available` the remaining ones are recorded as unreachable, so that each has a record
    /// and a metric.
    ///
    /// # Errors
    /// [`RunError`], which is recorded too: also when no CRL was fetched, since then the gate
    /// relies on what it has.
    pub(crate) async fn run(&self, event: &Value, available: Duration) -> Result<Summary, RunError> {
        let outcome = self.refresh(event, available).await;
        if let Err(error) = &outcome {
            RunRecord::new(error.kind(), error.to_string(), Timestamp::now()).print();
        }
        outcome
    }

    async fn refresh(&self, event: &Value, available: Duration) -> Result<Summary, RunError> {
        let end = Instant::now() + available;
        let wanted = Wanted::by(event);
        let rebinds = event::rebinds(event)?;
        let authorities = Authorities::load(
            &self.loader,
            &self.settings.anchors,
            self.settings.intermediates.as_ref(),
            self.deadline(),
        )
        .await
        .map_err(RunError::Authorities)?;
        let mut plan = self.plan(&authorities);
        let CrlPlan {
            locations: known,
            skipped,
        } = plan.clone();
        if let Some(unknown) = rebinds.iter().find(|location| !known.contains(location)) {
            return Err(InvalidEvent::UnknownSource(unknown.to_string()).into());
        }
        let skipped = match wanted {
            Wanted::All => skipped,
            Wanted::Objects(_) => Vec::new(),
        };
        let locations: Vec<CrlLocation> = known
            .into_iter()
            .filter(|location| wanted.includes(location))
            .collect();
        let mut tls = self.tls_for(&locations).await.map_err(RunError::Tls)?;

        let mut summary = Summary::default();
        let mut unreachable = Vec::new();
        let mut refused = Vec::new();
        let mut is_fetched = false;
        for skipped in &skipped {
            Record::skipped(skipped, Timestamp::now()).print();
            summary.skipped += 1;
        }
        let longest = self
            .settings
            .timeout
            .saturating_mul(u32::try_from(locations.len()).unwrap_or(u32::MAX));
        let first = if longest > available {
            place_to_begin(locations.len(), Timestamp::now())
        } else {
            0
        };
        let mut all = locations.len();
        let mut queue = VecDeque::from(locations);
        queue.rotate_left(first);
        while let Some(location) = queue.pop_front() {
            let context = Context {
                refresher: self,
                authorities: &authorities,
                tls: tls.as_ref(),
                rebinds: &rebinds,
            };
            let record = context.refresh_until(end, &location).await;
            record.print();
            if wanted == Wanted::All {
                let found = self.deltas_of(&record, &mut plan);
                all += found.locations.len();
                for skipped in &found.skipped {
                    Record::skipped(skipped, Timestamp::now()).print();
                    summary.skipped += 1;
                }
                if tls.is_none() {
                    tls = self.tls_for(&found.locations).await.map_err(RunError::Tls)?;
                }
                queue.extend(found.locations);
            }
            is_fetched |= record.is_fetched;
            match record.outcome {
                Outcome::Published => summary.published += 1,
                Outcome::Unchanged => summary.unchanged += 1,
                Outcome::Refused => {
                    summary.refused += 1;
                    refused.push(record);
                }
                Outcome::Unreachable => unreachable.push(record),
                Outcome::Skipped => summary.skipped += 1,
            }
        }
        if let Some(first) = unreachable.first() {
            return Err(RunError::Unreachable {
                failed: unreachable.len(),
                all,
                first: problem_of(first),
            });
        }
        // An event about other objects asks for nothing.
        if is_fetched || (all == 0 && wanted != Wanted::All) {
            return Ok(summary);
        }
        Err(RunError::NothingFetched(nothing_fetched(&refused, &skipped)))
    }

    fn plan(&self, authorities: &Authorities) -> CrlPlan {
        let Settings {
            locations,
            destination,
            ..
        } = &self.settings;
        let certificates = match self.settings.distribution_points {
            DistributionPoints::Ignore => &[],
            DistributionPoints::Fetch => authorities.certificates(),
        };
        CrlPlan::new(locations, certificates, destination)
    }

    /// Returns the places of delta CRLs that a published CRL names and the plan has not. A CRL is
    /// published once a configured CA has signed it, so its URLs are as good as those in the CA's
    /// certificate.
    fn deltas_of(&self, record: &Record, plan: &mut CrlPlan) -> CrlPlan {
        let (locations, skipped) = (plan.locations.len(), plan.skipped.len());
        if self.settings.distribution_points == DistributionPoints::Fetch {
            for list in &record.lists {
                let urls = list.delta_locations.iter().take(MAX_DELTA_LOCATIONS).cloned();
                plan.extend(urls, &self.settings.destination);
            }
        }
        CrlPlan {
            locations: plan.locations.get(locations..).unwrap_or_default().to_vec(),
            skipped: plan.skipped.get(skipped..).unwrap_or_default().to_vec(),
        }
    }

    async fn tls_for(&self, locations: &[CrlLocation]) -> Result<Option<Arc<ClientConfig>>, RefreshError> {
        let is_needed = locations
            .iter()
            .any(|location| matches!(location, CrlLocation::Http(http) if http.is_tls()));
        if !is_needed {
            return Ok(None);
        }
        let anchors = match &self.settings.tls_anchors {
            Some(sources) => self.named_tls_anchors(sources).await?,
            None => system_tls_anchors()?,
        };
        let configuration = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| RefreshError::Refused(error.to_string()))?
            .with_root_certificates(anchors)
            .with_no_client_auth();
        CryptoModule::check_tls(configuration.fips())
            .map_err(|error| RefreshError::Refused(error.to_string()))?;
        Ok(Some(Arc::new(configuration)))
    }

    async fn named_tls_anchors(&self, sources: &Sources) -> Result<RootCertStore, RefreshError> {
        let mut anchors = RootCertStore::empty();
        for certificate in self.loader.certificates(sources, self.deadline()).await? {
            anchors
                .add(certificate)
                .map_err(|error| RefreshError::Refused(error.to_string()))?;
        }
        Ok(anchors)
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.settings.timeout)
    }
}

fn system_tls_anchors() -> Result<RootCertStore, RefreshError> {
    let mut anchors = RootCertStore::empty();
    let (usable, _) = anchors.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if usable == 0 {
        return Err(RefreshError::Refused(
            "the system has none, and CRL_TLS_ANCHORS is not set".to_owned(),
        ));
    }
    Ok(anchors)
}

/// Material and settings of one invocation.
struct Context<'a> {
    refresher: &'a Refresher,
    authorities: &'a Authorities,
    tls: Option<&'a Arc<ClientConfig>>,
    /// Locations whose binding an operator lifts.
    rebinds: &'a [CrlLocation],
}

/// Place of a CRL, with everything that is known of what was published there.
struct Place {
    object: S3Object,
    published: Published,
    state_object: Option<S3Object>,
    state: Option<State>,
}

impl Place {
    /// Returns the history that the next CRL is compared with. A record that does not exist yet
    /// begins with what is published, so that deleting it does not forget.
    fn history(&self) -> CrlHistory {
        let mut history = self
            .published
            .lists()
            .map(RevocationLists::history)
            .unwrap_or_default();
        if let Some(state) = &self.state {
            history.expect_none();
            history.merge(&state.history);
        }
        history
    }
}

impl Context<'_> {
    async fn refresh_until(&self, end: Instant, location: &CrlLocation) -> Record {
        let started = Instant::now();
        if started < end
            && let Ok(record) = timeout_at(end.into(), self.refresh(location)).await
        {
            return record;
        }
        let problem = "the time of the invocation ran out: give the function a longer timeout or fewer CRLs";
        let object = self.refresher.settings.destination.object_for(location);
        Record::new(
            location.to_string(),
            object.to_string(),
            Err(RefreshError::Unreachable(problem.to_owned())),
            Progress::default(),
            Timestamp::now(),
            u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        )
    }

    async fn refresh(&self, location: &CrlLocation) -> Record {
        let start = Instant::now();
        let now = Timestamp::now();
        let object = self.refresher.settings.destination.object_for(location);
        let (mut progress, destination) = (Progress::default(), object.to_string());
        let outcome = match self.place(object).await {
            Err(failure) => Err(failure),
            Ok(place) => {
                progress.lists = place.published.lists().map(records_of).unwrap_or_default();
                self.replace(location, &place, &mut progress, now).await
            }
        };
        let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Record::new(
            location.to_string(),
            destination,
            outcome,
            progress,
            now,
            milliseconds,
        )
    }

    async fn place(&self, object: S3Object) -> Result<Place, RefreshError> {
        let Refresher { loader, bucket, .. } = self.refresher;
        let state_object = crl_state_object(&object);
        let state = match &state_object {
            None => None,
            Some(state) => {
                bucket
                    .read_state(loader, state, self.refresher.deadline())
                    .await?
            }
        };
        Ok(Place {
            published: self.published(&object).await?,
            object,
            state_object,
            state,
        })
    }

    /// Publishes what the location delivers now, unless it must not be used, and notes how far it
    /// came.
    async fn replace(
        &self,
        location: &CrlLocation,
        place: &Place,
        progress: &mut Progress,
        now: Timestamp,
    ) -> Result<Outcome, RefreshError> {
        let mut history = place.history();
        if self.rebinds.contains(location) {
            history.expect_none();
        }
        let content = self.fetch(location).await?;
        progress.is_fetched = true;
        let lists = self.read(content, now)?;
        refuse_worse(&lists, place.published.lists(), now)?;
        let lists = self.succeed(&lists, location, place, history)?;
        let Place {
            object, published, ..
        } = place;
        let outcome = match published.lists() {
            Some(before) if are_the_same(&lists, before) => Outcome::Unchanged,
            _ => {
                let all: Vec<Arc<RevocationList>> = lists.iter().map(|(list, _)| Arc::clone(list)).collect();
                let written = self.refresher.bucket.write(object, &all, published).await?;
                let outcome = if written == Written::Yes {
                    Outcome::Published
                } else {
                    // Two runs at once may have found the same.
                    let theirs = self.published(object).await?;
                    let is_ours = theirs.lists().is_some_and(|theirs| are_the_same(&lists, theirs));
                    is_ours
                        .then_some(Outcome::Unchanged)
                        .ok_or_else(|| overtaken(object))?
                };
                progress.lists = records_of(&lists);
                outcome
            }
        };
        // The record comes after the CRL: a gate that reads it must find the CRL there. If this
        // function ends in between, the next one takes the CRL's version from what is published.
        if let Some(state_object) = &place.state_object {
            let content = write_crl_state(&lists.history())
                .map_err(|error| RefreshError::Refused(error.to_string()))?;
            let bucket = &self.refresher.bucket;
            let written = bucket
                .write_state(state_object, content.clone(), place.state.as_ref())
                .await?;
            if written == Written::Overtaken {
                let theirs = bucket
                    .read_state(&self.refresher.loader, state_object, self.refresher.deadline())
                    .await?;
                if theirs.is_none_or(|theirs| theirs.content != content) {
                    return Err(overtaken(state_object));
                }
            }
        }
        Ok(outcome)
    }

    /// Compares new lists with all that were published before, and with what the location is bound
    /// to.
    fn succeed(
        &self,
        lists: &RevocationLists,
        location: &CrlLocation,
        place: &Place,
        history: CrlHistory,
    ) -> Result<RevocationLists, RefreshError> {
        let Authorities {
            anchors,
            intermediates,
            ..
        } = self.authorities;
        let mut expected: Vec<String> = history
            .iter()
            .filter(|seen| seen.is_expected)
            .map(|seen| seen.series.to_string())
            .collect();
        // A series has two versions if some of its lists had a number and others had not.
        expected.dedup();
        let all = lists.iter().map(|(list, _)| Arc::clone(list));
        let lists = RevocationLists::with_history(all, anchors, intermediates, Some(lists), history);
        let remedy = format!("if that is meant, invoke this function with {{\"rebind\": [\"{location}\"]}}");
        if let Some(list) = lists.first_unexpected() {
            return Err(RefreshError::Refused(format!(
                "{list}: this source is bound to {}; {remedy}",
                expected.join(" and ")
            )));
        }
        let departures = Departures {
            anchors,
            intermediates,
            ended_before: None,
        };
        lists
            .succeed(place.published.lists(), &departures)
            .map_err(|error| match error {
                CrlHistoryError::Missing { .. } => RefreshError::Refused(format!("{error}; {remedy}")),
                error => RefreshError::Refused(error.to_string()),
            })
    }

    async fn published(&self, object: &S3Object) -> Result<Published, RefreshError> {
        let Refresher {
            settings,
            loader,
            bucket,
        } = self.refresher;
        let deadline = self.refresher.deadline();
        bucket
            .read(
                loader,
                object,
                self.authorities,
                settings.max_bytes.saturating_mul(2),
                deadline,
            )
            .await
    }

    async fn fetch(&self, location: &CrlLocation) -> Result<Content, RefreshError> {
        let settings = &self.refresher.settings;
        match location {
            CrlLocation::Http(location) => {
                let fetcher = Fetcher {
                    rules: settings.web_rules(),
                    tls: self.tls,
                };
                match timeout(settings.timeout, fetcher.fetch(location)).await {
                    Ok(fetched) => fetched,
                    Err(_) => Err(RefreshError::Unreachable(format!(
                        "there was no complete answer within {} s",
                        settings.timeout.as_secs()
                    ))),
                }
            }
            CrlLocation::Object(object) => {
                let source = Source::from(object.clone());
                let documents = self
                    .refresher
                    .loader
                    .fetch_lists(&source, &[], settings.max_bytes, self.refresher.deadline())
                    .await?;
                let document = documents.into_iter().next().ok_or_else(no_content)?;
                if document.revision.bytes > settings.max_bytes {
                    let limit = settings.max_bytes;
                    return Err(RefreshError::Refused(format!("is larger than {limit} bytes")));
                }
                Ok(document.content)
            }
        }
    }

    /// Reads what was fetched, and refuses it unless every list in it is signed by an authority and
    /// speaks already.
    fn read(&self, content: Content, now: Timestamp) -> Result<RevocationLists, RefreshError> {
        let lists = content
            .into_lists(self.refresher.settings.max_bytes)
            .ok_or_else(no_content)?
            .map_err(|error| RefreshError::Refused(error.to_string()))?;
        let Authorities {
            anchors,
            intermediates,
            ..
        } = self.authorities;
        let lists = RevocationLists::new(lists, anchors, intermediates, None);
        for (list, standing) in lists.iter() {
            if standing != ListStanding::Verified {
                return Err(RefreshError::Refused(format!("{list}: {standing}")));
            }
            // Neither is what a source of complete CRLs is for.
            if let Some(defect @ RevocationListErrorKind::Unsupported(_)) = list.defect() {
                return Err(RefreshError::Refused(format!("{list}: it {defect}")));
            }
            if now < list.this_update() {
                return Err(RefreshError::Refused(format!(
                    "{list}: it is not yet to be used, it is {now}"
                )));
            }
        }
        // The gate would not let it clear a certificate, and it would take the place of one that
        // does.
        if let Some((list, algorithm)) = lists.not_allowed(self.refresher.settings.signatures).next() {
            return Err(RefreshError::Refused(format!(
                "{list}: it is signed with {algorithm}, which CRL_SIGNATURES does not list"
            )));
        }
        // Without a scope that can be read, nothing could be compared with it later.
        if lists.history().is_empty()
            && let Some((list, _)) = lists.iter().next()
        {
            let defect = list.defect().map(ToString::to_string).unwrap_or_default();
            return Err(RefreshError::Refused(format!("{list}: it {defect}")));
        }
        Ok(lists)
    }
}

/// A list that has ended or has a defect does not take the place of one that clears certificates:
/// under `strict` it would shut every client out. With nothing else, it is better than none: it
/// still revokes.
fn refuse_worse(
    lists: &RevocationLists,
    published: Option<&RevocationLists>,
    now: Timestamp,
) -> Result<(), RefreshError> {
    let fault = |list: &RevocationList| match (list.defect(), list.next_update()) {
        (Some(defect), _) => Some(format!("it {defect}, and what is published is without a defect")),
        (None, Some(end)) if end < now => Some(format!(
            "it has ended, and what is published has not, it is {now}"
        )),
        _ => None,
    };
    let first_fault = |lists: &RevocationLists| {
        let mut all = lists.iter();
        all.find_map(|(list, _)| Some(format!("{list}: {}", fault(list)?)))
    };
    match (first_fault(lists), published) {
        (Some(fault), Some(published)) if first_fault(published).is_none() => {
            Err(RefreshError::Refused(fault))
        }
        _ => Ok(()),
    }
}

fn no_content() -> RefreshError {
    RefreshError::Unreachable("the object has no content".to_owned())
}

fn overtaken(object: &S3Object) -> RefreshError {
    RefreshError::Unreachable(format!("`{object}` was written by another party meanwhile"))
}

/// Returns the source of a record and what is wrong with it.
fn problem_of(record: &Record) -> String {
    format!(
        "`{}`: {}",
        record.source,
        record.problem.as_deref().unwrap_or_default()
    )
}

/// Words on a run that fetched nothing, although every location was looked at.
fn nothing_fetched(refused: &[Record], skipped: &[SkippedCrl]) -> String {
    let first = match (refused.first(), skipped.first()) {
        (Some(record), _) => problem_of(record),
        (None, Some(skipped)) => format!("`{}`: {}", skipped.url, skipped.reason),
        (None, None) => {
            return "CRL_SOURCES is empty, and no certificate in CRL_ANCHORS and CRL_INTERMEDIATES names a CRL"
                .to_owned();
        }
    };
    format!(
        "{} refused, {} skipped; the first: {first}",
        refused.len(),
        skipped.len()
    )
}

/// A different place at each time, for a function that does not get to the end of its CRLs.
fn place_to_begin(count: usize, now: Timestamp) -> usize {
    // Multiplied by the golden ratio: a schedule's period may well be a multiple of the count.
    let mixed = now
        .unix_seconds()
        .unsigned_abs()
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        >> 32;
    let count = u64::try_from(count).unwrap_or(u64::MAX).max(1);
    usize::try_from(mixed % count).unwrap_or(0)
}

fn are_the_same(left: &RevocationLists, right: &RevocationLists) -> bool {
    let is_same =
        |(left, _): (&Arc<RevocationList>, _), (right, _): (&Arc<RevocationList>, _)| left.is_same_as(right);
    left.iter().count() == right.iter().count()
        && left
            .iter()
            .zip(right.iter())
            .all(|(left, right)| is_same(left, right))
}

fn records_of(lists: &RevocationLists) -> Vec<ListRecord> {
    lists
        .iter()
        .map(|(list, _)| ListRecord::from(list.as_ref()))
        .collect()
}
