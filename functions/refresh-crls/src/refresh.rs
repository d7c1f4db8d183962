//! One refresh: for each CRL fetch, verify, compare with what is published, publish.

use std::sync::Arc;
use std::time::Instant;

use alb_mtls_trust::{
    Content, Deadline, Loader, S3Object, Source, Sources, crl_state_object, write_crl_state,
};
use alb_mtls_verifier::{
    CrlHistory, CrlHistoryError, Departures, ListStanding, RevocationList, RevocationLists, Timestamp,
    parse_revocation_lists,
};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;

use crate::authorities::{self, Authorities};
use crate::bucket::{Bucket, Published, State, Written};
use crate::event::{self, InvalidEvent, Wanted};
use crate::failure::Failure;
use crate::fetch::Fetcher;
use crate::location::{HttpLocation, Location, Transport};
use crate::record::{ListRecord, Outcome, Record};
use crate::settings::{DistributionPoints, Settings};

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
}

/// Why an invocation failed, so that Lambda tries it again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("the event: {0}")]
    Event(#[from] InvalidEvent),
    #[error("the certificates that CRLs are verified with: {0}")]
    Authorities(Failure),
    #[error("trust anchors for `https` servers: {0}")]
    Tls(Failure),
    #[error("{failed} of {all} CRLs could not be fetched or written; the first: {first}")]
    Unreachable {
        failed: usize,
        all: usize,
        first: String,
    },
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
    pub(crate) async fn run(&self, event: &Value) -> Result<Summary, RunError> {
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
        let known = self.locations(&authorities);
        if let Some(unknown) = rebinds.iter().find(|location| !known.contains(location)) {
            return Err(InvalidEvent::UnknownSource(unknown.to_string()).into());
        }
        let locations: Vec<Location> = known
            .into_iter()
            .filter(|location| wanted.includes(location))
            .collect();
        let tls = self.tls_for(&locations).await.map_err(RunError::Tls)?;
        let context = Context {
            refresher: self,
            authorities: &authorities,
            tls: tls.as_ref(),
            rebinds: &rebinds,
        };

        let mut summary = Summary::default();
        let mut unreachable = Vec::new();
        for location in &locations {
            let record = context.refresh(location).await;
            record.print();
            match record.outcome {
                Outcome::Published => summary.published += 1,
                Outcome::Unchanged => summary.unchanged += 1,
                Outcome::Refused => summary.refused += 1,
                Outcome::Unreachable => unreachable.push(record),
            }
        }
        match unreachable.first() {
            None => Ok(summary),
            Some(first) => Err(RunError::Unreachable {
                failed: unreachable.len(),
                all: locations.len(),
                first: format!(
                    "`{}`: {}",
                    first.source,
                    first.problem.as_deref().unwrap_or_default()
                ),
            }),
        }
    }

    fn locations(&self, authorities: &Authorities) -> Vec<Location> {
        let mut locations = self.settings.locations.clone();
        if self.settings.distribution_points == DistributionPoints::Fetch {
            for location in authorities.distribution_points() {
                if locations.iter().all(|known| known.name() != location.name()) {
                    locations.push(location);
                }
            }
        }
        locations
    }

    async fn tls_for(&self, locations: &[Location]) -> Result<Option<Arc<ClientConfig>>, Failure> {
        let is_needed = locations.iter().any(|location| {
            matches!(
                location,
                Location::Http(HttpLocation {
                    transport: Transport::Tls,
                    ..
                })
            )
        });
        if !is_needed {
            return Ok(None);
        }
        let anchors = match &self.settings.tls_anchors {
            Some(sources) => self.named_tls_anchors(sources).await?,
            None => system_tls_anchors()?,
        };
        let configuration = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::Refused(error.to_string()))?
            .with_root_certificates(anchors)
            .with_no_client_auth();
        Ok(Some(Arc::new(configuration)))
    }

    async fn named_tls_anchors(&self, sources: &Sources) -> Result<RootCertStore, Failure> {
        let mut anchors = RootCertStore::empty();
        for certificate in authorities::read(&self.loader, sources, self.deadline()).await? {
            anchors
                .add(certificate)
                .map_err(|error| Failure::Refused(error.to_string()))?;
        }
        Ok(anchors)
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.settings.timeout)
    }
}

fn system_tls_anchors() -> Result<RootCertStore, Failure> {
    let mut anchors = RootCertStore::empty();
    let (usable, _) = anchors.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if usable == 0 {
        return Err(Failure::Refused(
            "the system has none, and CRL_TLS_ANCHORS is not set".to_owned(),
        ));
    }
    Ok(anchors)
}

/// What one invocation works with.
struct Context<'a> {
    refresher: &'a Refresher,
    authorities: &'a Authorities,
    tls: Option<&'a Arc<ClientConfig>>,
    /// Where an operator lifts the binding.
    rebinds: &'a [Location],
}

/// Place of a CRL, with everything that is known of what was published there.
struct Place {
    object: S3Object,
    published: Published,
    state_object: Option<S3Object>,
    state: Option<State>,
}

impl Place {
    /// The history that the next CRL is compared with. A record that is not there yet begins with what is published, so
    /// that to delete it is not to forget.
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
    async fn refresh(&self, location: &Location) -> Record {
        let start = Instant::now();
        let now = Timestamp::now();
        let object = self.refresher.settings.destination.object_for(location);
        let (mut lists, destination) = (Vec::new(), object.to_string());
        let outcome = match self.place(object).await {
            Err(failure) => Err(failure),
            Ok(place) => {
                lists = place.published.lists().map(records_of).unwrap_or_default();
                self.replace(location, &place, &mut lists, now).await
            }
        };
        let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Record::new(
            location.to_string(),
            destination,
            outcome,
            lists,
            now,
            milliseconds,
        )
    }

    async fn place(&self, object: S3Object) -> Result<Place, Failure> {
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

    /// Publishes what the location delivers now, unless it must not be used. `current` becomes what is published.
    async fn replace(
        &self,
        location: &Location,
        place: &Place,
        current: &mut Vec<ListRecord>,
        now: Timestamp,
    ) -> Result<Outcome, Failure> {
        let mut history = place.history();
        if self.rebinds.contains(location) {
            history.expect_none();
        }
        let content = self.fetch(location).await?;
        let lists = self.read(content, now)?;
        let lists = self.succeed(&lists, location, place, history)?;
        let Place {
            object, published, ..
        } = place;
        let outcome = match published.lists() {
            Some(before) if are_the_same(&lists, before) => Outcome::Unchanged,
            _ => {
                let all: Vec<Arc<RevocationList>> = lists.iter().map(|(list, _)| Arc::clone(list)).collect();
                overtaken_is_failure(
                    object,
                    self.refresher.bucket.write(object, &all, published).await?,
                )?;
                *current = records_of(&lists);
                Outcome::Published
            }
        };
        // The record comes after the CRL: a gate that reads it must find the CRL there. If this function ends in
        // between, the next one takes the CRL's version from what is published.
        if let Some(state_object) = &place.state_object {
            let content =
                write_crl_state(&lists.history()).map_err(|error| Failure::Refused(error.to_string()))?;
            let written = self
                .refresher
                .bucket
                .write_state(state_object, content, place.state.as_ref())
                .await?;
            overtaken_is_failure(state_object, written)?;
        }
        Ok(outcome)
    }

    /// Compares new lists with all that were published before, and with what the location is bound to.
    fn succeed(
        &self,
        lists: &RevocationLists,
        location: &Location,
        place: &Place,
        history: CrlHistory,
    ) -> Result<RevocationLists, Failure> {
        let Authorities {
            anchors,
            intermediates,
            ..
        } = self.authorities;
        let expected: Vec<String> = history
            .iter()
            .filter(|seen| seen.is_expected)
            .map(|seen| seen.series.to_string())
            .collect();
        let all = lists.iter().map(|(list, _)| Arc::clone(list));
        let lists = RevocationLists::with_history(all, anchors, intermediates, Some(lists), history);
        let remedy = format!("if that is meant, invoke this function with {{\"rebind\": [\"{location}\"]}}");
        if let Some(list) = lists.first_unexpected() {
            return Err(Failure::Refused(format!(
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
                CrlHistoryError::Missing { .. } => Failure::Refused(format!("{error}; {remedy}")),
                error => Failure::Refused(error.to_string()),
            })
    }

    async fn published(&self, object: &S3Object) -> Result<Published, Failure> {
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

    async fn fetch(&self, location: &Location) -> Result<Vec<u8>, Failure> {
        let settings = &self.refresher.settings;
        match location {
            Location::Http(location) => {
                let fetcher = Fetcher {
                    private_networks: &settings.private_networks,
                    tls: self.tls,
                    max_bytes: settings.max_bytes,
                };
                match timeout(settings.timeout, fetcher.fetch(location)).await {
                    Ok(fetched) => fetched,
                    Err(_) => Err(Failure::Unreachable(format!(
                        "there was no complete answer within {} s",
                        settings.timeout.as_secs()
                    ))),
                }
            }
            Location::Object(object) => {
                let source = Source::Object(object.clone());
                let documents = self
                    .refresher
                    .loader
                    .fetch(&source, &[], settings.max_bytes, self.refresher.deadline())
                    .await?;
                match documents.into_iter().next().map(|document| document.content) {
                    Some(Content::New(content)) => Ok(content),
                    _ => Err(Failure::Unreachable("the object has no content".to_owned())),
                }
            }
        }
    }

    /// Reads what was fetched, and refuses it unless every list in it is signed by an authority and speaks already.
    fn read(&self, content: Vec<u8>, now: Timestamp) -> Result<RevocationLists, Failure> {
        let lists = parse_revocation_lists(content, self.refresher.settings.max_bytes)
            .map_err(|error| Failure::Refused(error.to_string()))?;
        let Authorities {
            anchors,
            intermediates,
            ..
        } = self.authorities;
        let lists = RevocationLists::new(lists, anchors, intermediates, None);
        for (list, standing) in lists.iter() {
            if standing != ListStanding::Verified {
                return Err(Failure::Refused(format!("{list}: {standing}")));
            }
            if now < list.this_update() {
                return Err(Failure::Refused(format!(
                    "{list}: it is not yet to be used, it is {now}"
                )));
            }
        }
        Ok(lists)
    }
}

fn overtaken_is_failure(object: &S3Object, written: Written) -> Result<(), Failure> {
    match written {
        Written::Yes => Ok(()),
        Written::Overtaken => {
            let message = format!("`{object}` was written by somebody else meanwhile");
            Err(Failure::Unreachable(message))
        }
    }
}

fn are_the_same(left: &RevocationLists, right: &RevocationLists) -> bool {
    let der = |lists: &RevocationLists| -> Vec<Arc<RevocationList>> {
        lists.iter().map(|(list, _)| Arc::clone(list)).collect()
    };
    let (left, right) = (der(left), der(right));
    left.len() == right.len()
        && left
            .iter()
            .zip(&right)
            .all(|(left, right)| left.der() == right.der())
}

fn records_of(lists: &RevocationLists) -> Vec<ListRecord> {
    lists
        .iter()
        .map(|(list, _)| ListRecord::from(list.as_ref()))
        .collect()
}
