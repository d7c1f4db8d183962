//! Fetching: from sources to documents, side by side, within a deadline.

use std::ops::RangeInclusive;
use std::time::Duration;

use alb_mtls_verifier::{CertificateDer, read_bundle};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::document::{Content, Document};
use crate::error::{SourceError, SourceProblem};
use crate::file;
use crate::material::MAX_CERTIFICATE_BYTES;
use crate::pointer::read_pointer;
use crate::provenance::Revision;
use crate::source::{S3Object, Source, Sources};

/// Reads sources. It knows nothing of what their content means.
///
/// Nothing of the AWS SDK is touched before a source needs it; its clients are made once.
#[derive(Debug, Default)]
pub struct Loader {
    #[cfg(feature = "aws")]
    aws: crate::aws::LazyClients,
}

/// When to give up, and how long that was from the start.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    allowed: Duration,
    throttling: Throttling,
}

/// What becomes of a service that asks for fewer requests, after the SDK's own attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Throttling {
    /// It is asked again until the deadline: many processes that start together share one limit.
    WaitOut,
    /// It counts as failed.
    GiveUp,
}

/// Between two attempts at a service that limits the rate of requests, in milliseconds.
const THROTTLED_DELAY: RangeInclusive<u64> = 200..=800;

impl Deadline {
    /// So long from now.
    pub fn after(allowed: Duration) -> Self {
        Self {
            at: Instant::now() + allowed,
            allowed,
            throttling: Throttling::WaitOut,
        }
    }

    /// The same for a caller who has something to go on with: a service that limits the rate of requests has failed.
    #[must_use]
    pub(crate) fn without_waiting_for_throttling(self) -> Self {
        Self {
            throttling: Throttling::GiveUp,
            ..self
        }
    }
}

impl Loader {
    /// A loader whose clients are made by the process's environment when they are needed.
    pub fn new() -> Self {
        Self::default()
    }

    /// A loader with the application's own configuration of the AWS SDK.
    #[cfg(feature = "aws")]
    pub fn with_sdk_config(config: aws_config::SdkConfig) -> Self {
        Self {
            aws: crate::aws::LazyClients::with_config(config),
        }
    }

    /// The clients that it reads with, for programs that write what others read.
    #[cfg(feature = "aws")]
    pub async fn clients(&self) -> &crate::AwsClients {
        self.aws.get().await
    }

    /// Reads a source: a document for each file, parameter or object of it, pointers followed, in a stable order.
    ///
    /// Content that has not changed since one of the `known` revisions is not handed over again, nor transferred
    /// where the service can avoid it. No document is larger than `limit` bytes, and neither are all parameters of a
    /// path together.
    ///
    /// # Errors
    /// [`SourceError`] names the source and what is wrong with it.
    pub async fn fetch(
        &self,
        source: &Source,
        known: &[Revision],
        limit: usize,
        deadline: Deadline,
    ) -> Result<Vec<Document>, SourceError> {
        let error = |(origin, problem): Located| SourceError {
            source: source.to_string(),
            origin,
            problem,
        };
        let mut throttled = None;
        loop {
            let fetching = self.fetch_located(source, known, limit);
            match tokio::time::timeout_at(deadline.at, fetching).await {
                Ok(Err(problem @ (_, SourceProblem::Throttled(_))))
                    if deadline.throttling == Throttling::WaitOut =>
                {
                    throttled = Some(problem);
                }
                Ok(outcome) => return outcome.map_err(error),
                Err(_) => {
                    let timeout = (None, SourceProblem::Timeout(deadline.allowed));
                    return Err(error(throttled.unwrap_or(timeout)));
                }
            }
            let delay = Duration::from_millis(fastrand::u64(THROTTLED_DELAY));
            tokio::time::sleep_until(deadline.at.min(Instant::now() + delay)).await;
        }
    }

    /// Reads the certificates of every source, in order.
    ///
    /// # Errors
    /// [`SourceError`] for the first source that cannot be read or has something else in it.
    pub async fn certificates(
        &self,
        sources: &Sources,
        deadline: Deadline,
    ) -> Result<Vec<CertificateDer<'static>>, SourceError> {
        let mut certificates = Vec::new();
        for source in sources {
            for document in self.fetch(source, &[], MAX_CERTIFICATE_BYTES, deadline).await? {
                if let Content::New(content) = document.content {
                    let bundle = read_bundle(&content).map_err(|error| SourceError {
                        source: source.to_string(),
                        origin: Some(document.revision.origin),
                        problem: error.into(),
                    })?;
                    certificates.extend(bundle);
                }
            }
        }
        Ok(certificates)
    }

    async fn fetch_located(
        &self,
        source: &Source,
        known: &[Revision],
        limit: usize,
    ) -> Result<Vec<Document>, Located> {
        let unlocated = |problem| (None, problem);
        let holders = match source {
            Source::File(path) => {
                let content = file::read(path, limit).await.map_err(unlocated)?;
                vec![Document::new(source.to_string(), content)]
            }
            Source::Parameter(parameter) => {
                vec![
                    self.parameter(parameter, source, limit)
                        .await
                        .map_err(unlocated)?,
                ]
            }
            Source::ParameterPath(path) => self.parameters(path, limit).await.map_err(unlocated)?,
            Source::Object(object) => {
                let document = self.object(object, known, limit).await.map_err(unlocated)?;
                return Ok(vec![
                    refuse_pointer(document).map_err(unlocated)?.compared_with(known),
                ]);
            }
        };
        let following = holders
            .into_iter()
            .map(|holder| self.follow(holder, known, limit));
        let documents: Result<Vec<_>, _> = join_all(following).await.into_iter().collect();
        Ok(documents?
            .into_iter()
            .map(|document| document.compared_with(known))
            .collect())
    }

    /// Reads an object, which must have the digest that it is pinned to.
    async fn object(
        &self,
        object: &S3Object,
        known: &[Revision],
        limit: usize,
    ) -> Result<Document, SourceProblem> {
        let document = self.any_object(object, known, limit).await?;
        document.check_digest(object.sha256.as_deref())
    }

    /// Replaces a pointer by what it points to.
    async fn follow(&self, holder: Document, known: &[Revision], limit: usize) -> Result<Document, Located> {
        let at_holder = |problem| (Some(holder.revision.origin.clone()), problem);
        let Content::New(content) = &holder.content else {
            return Ok(holder);
        };
        let Some(object) = read_pointer(content).map_err(at_holder)? else {
            return Ok(holder);
        };
        let target = object.to_string();
        let located = |problem| {
            let origin = format!("{} → {target}", holder.revision.origin);
            (Some(origin), problem)
        };
        let same_target = |revision: &&Revision| {
            revision.origin == holder.revision.origin && revision.target.as_deref() == Some(&target)
        };
        // The digest in the pointer says that the content is the same; nothing has to be asked.
        let known: Vec<Revision> = known.iter().filter(same_target).cloned().collect();
        let document = match known.into_iter().next() {
            Some(revision) => Document {
                revision,
                content: Content::Unchanged,
            },
            None => {
                let document = self.object(&object, &[], limit).await.map_err(located)?;
                refuse_pointer(document).map_err(located)?
            }
        };
        Ok(Document {
            revision: Revision {
                origin: holder.revision.origin.clone(),
                target: Some(target.clone()),
                ssm_version: holder.revision.ssm_version,
                ..document.revision
            },
            content: document.content,
        })
    }
}

/// A problem, and at which document of the source it is when the source does not say it already.
type Located = (Option<String>, SourceProblem);

fn refuse_pointer(document: Document) -> Result<Document, SourceProblem> {
    match &document.content {
        Content::New(content) if content.trim_ascii().starts_with(b"s3://") => Err(SourceProblem::Pointer(
            "pointers lead from a parameter or a file to an object, and no further".into(),
        )),
        _ => Ok(document),
    }
}

#[cfg(feature = "aws")]
impl Loader {
    async fn parameter(
        &self,
        parameter: &crate::source::Parameter,
        source: &Source,
        limit: usize,
    ) -> Result<Document, SourceProblem> {
        let clients = self.aws.get().await;
        crate::aws::parameters::read_one(clients, parameter, source.to_string(), limit).await
    }

    async fn parameters(
        &self,
        path: &crate::source::ParameterPath,
        limit: usize,
    ) -> Result<Vec<Document>, SourceProblem> {
        let clients = self.aws.get().await;
        crate::aws::parameters::read_path(clients, path, limit).await
    }

    async fn any_object(
        &self,
        object: &S3Object,
        known: &[Revision],
        limit: usize,
    ) -> Result<Document, SourceProblem> {
        let clients = self.aws.get().await;
        crate::aws::objects::read(clients, object, known, limit).await
    }
}

#[cfg(not(feature = "aws"))]
impl Loader {
    async fn parameter(
        &self,
        _parameter: &crate::source::Parameter,
        _source: &Source,
        _limit: usize,
    ) -> Result<Document, SourceProblem> {
        Err(without_aws())
    }

    async fn parameters(
        &self,
        _path: &crate::source::ParameterPath,
        _limit: usize,
    ) -> Result<Vec<Document>, SourceProblem> {
        Err(without_aws())
    }

    async fn any_object(
        &self,
        _object: &S3Object,
        _known: &[Revision],
        _limit: usize,
    ) -> Result<Document, SourceProblem> {
        Err(without_aws())
    }
}

#[cfg(not(feature = "aws"))]
fn without_aws() -> SourceProblem {
    SourceProblem::Setup(
        "this program was built without AWS support: only `file:` sources can be read (cargo feature `aws`)"
            .into(),
    )
}

#[cfg(all(test, feature = "aws"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_alone_never_make_the_clients_of_the_sdk() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("anchors.pem");
        std::fs::write(&path, "content").unwrap();
        let loader = Loader::new();
        let deadline = Deadline::after(Duration::from_secs(5));
        let documents = loader
            .fetch(&Source::File(path), &[], 100, deadline)
            .await
            .unwrap();
        assert_eq!(documents[0].content, Content::New(b"content".to_vec()));
        assert!(!loader.aws.are_made());
    }
}
