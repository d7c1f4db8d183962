//! The deny list of a process, which is looked up every few seconds.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alb_mtls_verifier::Timestamp;
use futures_util::future::join_all;
use tracing::{debug, error, info, warn};

use super::list::{DeniedDocument, DenyList, LoadedDenyList, MAX_DENY_LIST_BYTES};
use crate::document::{Content, Document, Revision};
use crate::error::{LoadError, SourceError, SourceErrorKind};
use crate::events::TARGET;
use crate::fetch_error::FetchError;
use crate::loader::Loader;
use crate::refreshing::{
    Deadline, Deadlines, FailedLookup, Found, Lookup, NoValue, Refreshing, Reload, Waiting, WatchedFiles,
};
use crate::source::{Source, Sources};

/// Sources of a deny list, and how fresh it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenyListSettings {
    /// Sources of lists, whose entries all count.
    pub sources: Sources,
    /// Longest time from a change of the list until it counts, while lookups succeed.
    pub refresh: Duration,
    /// Age up to which the last good list serves while lookups fail.
    pub max_stale: Duration,
}

/// Lack of a list that can be used. Verified clients are denied until a later lookup succeeds.
pub type DenyListError = NoValue<Arc<LoadError>>;

/// State of the lookups, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DenyListStatus {
    /// Time from which the list in use is known to be the current one.
    pub confirmed: Option<Timestamp>,
    /// Number of lookups since the start that failed or whose list was refused.
    pub failures: u64,
}

/// Time limits of a lookup. A list is small, so an answer that takes longer does not come, and a
/// request goes on with the list in use. Without one, it waits as long as for trust material.
const DEADLINES: Deadlines = Deadlines {
    start: Duration::from_secs(6),
    request: Duration::from_secs(1),
    background: Duration::from_millis(2_500),
};

/// Deny list of a process: always the last good one, looked up again before it is older than
/// [`DenyListSettings::refresh`]. Clones share it.
///
/// While requests come, a task of its own looks up ahead of time and no request waits. A request
/// that finds the list older than that, as in a Lambda environment that was frozen, waits for a
/// lookup.
#[derive(Clone, Debug)]
pub struct DenyLists(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    lists: Refreshing<LoadedDenyList, Arc<LoadError>>,
    source: DenyListSource,
}

/// Reads the sources.
#[derive(Debug)]
struct DenyListSource {
    sources: Sources,
    loader: Loader,
    failures: AtomicU64,
}

impl DenyLists {
    /// Creates the list of a process. Nothing is read before the first use.
    pub fn new(settings: DenyListSettings) -> Self {
        Self::with_loader(settings, Loader::new())
    }

    /// Creates the list of a process that is read with this loader.
    pub fn with_loader(settings: DenyListSettings, loader: Loader) -> Self {
        let lists = Refreshing::new(settings.refresh, settings.max_stale)
            .with_deadlines(DEADLINES)
            .punctual();
        Self(Arc::new(Shared {
            lists,
            source: DenyListSource {
                sources: settings.sources,
                loader,
                failures: AtomicU64::default(),
            },
        }))
    }

    /// Loads the list when the process starts, with more time than a request has. A failure is
    /// logged, and the next request tries again.
    pub async fn load(&self, now: Timestamp) {
        let Shared { lists, source } = &*self.0;
        _ = lists.get(source, now, Waiting::Start).await;
    }

    /// Returns the list to decide by at the time `now`, for a request with `left` until its
    /// invocation ends.
    ///
    /// # Errors
    /// [`DenyListError`] when no list is loaded, or the last good one is too old.
    pub async fn current(
        &self,
        now: Timestamp,
        left: Option<Duration>,
    ) -> Result<Arc<LoadedDenyList>, DenyListError> {
        let Shared { lists, source } = &*self.0;
        match lists.at_hand(now) {
            Some(list) => {
                self.look_up_ahead(now);
                Ok(list)
            }
            None => lists.get(source, now, Waiting::Request { left }).await,
        }
    }

    /// Looks up in a task of its own, if it is time.
    fn look_up_ahead(&self, now: Timestamp) {
        // Without a runtime, the request that finds the list due looks up.
        if let Ok(runtime) = tokio::runtime::Handle::try_current()
            && self.0.lists.begin_ahead(now)
        {
            let shared = Arc::clone(&self.0);
            drop(runtime.spawn(async move { shared.lists.look_up_ahead(&shared.source, now).await }));
        }
    }

    /// Returns the last good list, whatever its age.
    pub fn last_good(&self) -> Option<Arc<LoadedDenyList>> {
        self.0.lists.last_good()
    }

    /// Returns true if there is a list that is young enough to decide by.
    pub fn can_serve(&self, now: Timestamp) -> bool {
        self.0.lists.can_serve(now)
    }

    /// Keeps the list fresh until the future is dropped, for processes that are never frozen.
    pub async fn refresh_in_background(&self, reload: &Reload) -> Infallible {
        let Shared { lists, source } = &*self.0;
        let files = WatchedFiles::new(&source.sources);
        lists
            .refresh_in_background(source, files, reload.subscribe())
            .await
    }

    /// Returns how the lookups went.
    pub fn status(&self) -> DenyListStatus {
        DenyListStatus {
            confirmed: self.0.lists.counts().last_success,
            failures: self.0.source.failures.load(Ordering::Relaxed),
        }
    }
}

impl DenyListSource {
    async fn read(
        &self,
        source: &Source,
        known: &[Revision],
        deadline: Deadline,
    ) -> Result<Vec<Document>, SourceError> {
        self.loader
            .fetch(source, known, MAX_DENY_LIST_BYTES, deadline)
            .await
    }
}

impl Lookup for DenyListSource {
    type Value = LoadedDenyList;
    type Error = Arc<LoadError>;

    async fn look_up(
        &self,
        last_good: Option<Arc<LoadedDenyList>>,
        _: Timestamp,
        deadline: Deadline,
    ) -> Result<Found<LoadedDenyList>, Arc<LoadError>> {
        let last_good = last_good.as_deref();
        let known: Vec<Revision> = last_good
            .into_iter()
            .flat_map(|list| list.documents())
            .map(|document| document.revision.clone())
            .collect();
        let reading = self.sources.iter().map(async |source| {
            let documents = self.read(source, &known, deadline).await;
            documents
                .map_err(|error| vec![error])
                .and_then(|documents| documents_of(source, documents, last_good))
        });
        let (mut documents, mut errors) = (Vec::new(), Vec::new());
        for outcome in join_all(reading).await {
            match outcome {
                Ok(read) => documents.extend(read),
                Err(found) => errors.extend(found),
            }
        }
        if !errors.is_empty() {
            return Err(Arc::new(LoadError::Sources(errors)));
        }
        // An object that was written again with the same content has another entity tag, which the
        // next request has to name.
        let is_same = documents.iter().map(|document| &document.revision).eq(&known);
        if last_good.is_some() && is_same {
            debug!(target: TARGET, "deny list unchanged");
            return Ok(Found::Unchanged);
        }
        let list = LoadedDenyList::new(documents);
        report_change(last_good, &list);
        Ok(Found::New(list))
    }

    fn report_failure(&self, failure: &FailedLookup<'_, LoadedDenyList, Arc<LoadError>>) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let FailedLookup {
            error: reason,
            failures,
            ..
        } = failure;
        let entries = failure.last_good.map(|list| list.entries().len());
        let age_seconds = failure.age.map(|age| age.as_secs());
        let retry_after_seconds = failure.retry_after.as_secs();
        if reason.is_refusal() {
            error!(
                target: TARGET,
                %reason, entries, age_seconds, failures, retry_after_seconds,
                "deny list refused: new entries do not count, those in use do"
            );
        } else {
            error!(
                target: TARGET,
                %reason, entries, age_seconds, failures, retry_after_seconds,
                "deny list not available: new entries do not count, those in use do"
            );
        }
    }
}

/// Reads what the documents of a source contain. What is unchanged is taken from the list in use.
fn documents_of(
    source: &Source,
    documents: Vec<Document>,
    last_good: Option<&LoadedDenyList>,
) -> Result<Vec<DeniedDocument>, Vec<SourceError>> {
    let (mut read, mut errors) = (Vec::new(), Vec::new());
    for Document { revision, content } in documents {
        let list = match content {
            Content::New(content) => DenyList::parse(content)
                .map(Arc::new)
                .map_err(SourceErrorKind::from),
            Content::Unchanged | Content::List(_) => {
                last_good.and_then(|list| list.list_of(&revision)).ok_or_else(|| {
                    FetchError::Service("is said to be unchanged, but was not known before".into()).into()
                })
            }
        };
        match list {
            Ok(list) => read.push(DeniedDocument { revision, list }),
            Err(kind) => errors.push(SourceError {
                source: source.to_string(),
                origin: Some(revision.place()),
                kind,
            }),
        }
    }
    if errors.is_empty() { Ok(read) } else { Err(errors) }
}

/// Logs which entries came and went.
fn report_change(before: Option<&LoadedDenyList>, now: &LoadedDenyList) {
    let names = |list: &LoadedDenyList| -> HashSet<String> {
        list.entries()
            .iter()
            .map(|entry| entry.name.to_string())
            .collect()
    };
    let (old, new) = (before.map(names).unwrap_or_default(), names(now));
    let (added, removed) = (new.difference(&old).count(), old.difference(&new).count());
    let entries = now.entries().len();
    if removed > 0 {
        warn!(target: TARGET, entries, added, removed, "deny list loaded: clients of the removed entries may pass");
    } else if added > 0 || before.is_none() {
        info!(target: TARGET, entries, added, removed, "deny list loaded");
    }
}
