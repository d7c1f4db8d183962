//! Loading: reads documents from sources in parallel, within a deadline.

use std::ops::RangeInclusive;
use std::time::Duration;

use alb_mtls_verifier::{CertificateDer, read_bundle};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::document::{Content, Document, Revision};
use crate::error::SourceError;
use crate::fetch_error::FetchError;
use crate::pointer::{is_pointer, read_pointer};
use crate::refreshing::{Deadline, Throttling};
use crate::source::{Reading, Source, SourceUse, Sources};

/// Reads sources. The meaning of their content is not its concern.
///
/// The AWS SDK is not touched before a source needs it; its clients are made once.
#[derive(Debug, Default)]
pub struct Loader {
    #[cfg(feature = "aws")]
    aws: crate::aws::LazyClients,
}

/// Milliseconds between two attempts at a service that limits the rate of requests. Parameter Store
/// allows 40 requests a second by default: the attempts of one process take few of them, and the
/// jitter spreads those of many.
const THROTTLED_DELAY: RangeInclusive<u64> = 200..=800;

/// Most bytes of certificates that are read from one source: 8,000 certificates of 2 KB.
pub const MAX_CERTIFICATE_BYTES: usize = 16 * 1_024 * 1_024;

impl Loader {
    /// Creates a loader whose clients are configured by the process's environment when they are
    /// needed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a loader with the application's own configuration of the AWS SDK.
    #[cfg(feature = "aws")]
    pub fn with_sdk_config(config: aws_config::SdkConfig) -> Self {
        Self {
            aws: crate::aws::LazyClients::with_config(config),
        }
    }

    /// Returns the clients that it reads with, for programs that write what others read.
    #[cfg(feature = "aws")]
    pub async fn clients(&self) -> &crate::AwsClients {
        self.aws.get().await
    }

    /// Reads a source: a document for each file, parameter or object in it, in a stable order.
    /// Pointers are followed.
    ///
    /// Content of one of the `known` revisions is not returned again, nor transferred where the
    /// service can avoid it. Documents have at most `limit` bytes each, and the parameters of a
    /// path together.
    ///
    /// # Errors
    /// [`SourceError`] gives the source and the failure.
    pub async fn fetch(
        &self,
        source: &Source,
        known: &[Revision],
        limit: usize,
        deadline: Deadline,
    ) -> Result<Vec<Document>, SourceError> {
        let amount = Amount {
            limit,
            reads_lists: false,
        };
        self.fetch_amount(source, known, amount, deadline).await
    }

    /// Reads a source of CRLs like [`fetch`](Self::fetch). A large CRL in DER is read while it
    /// arrives, and may be larger than `limit`.
    ///
    /// # Errors
    /// Those of [`fetch`](Self::fetch).
    pub async fn fetch_lists(
        &self,
        source: &Source,
        known: &[Revision],
        limit: usize,
        deadline: Deadline,
    ) -> Result<Vec<Document>, SourceError> {
        let amount = Amount {
            limit,
            reads_lists: true,
        };
        self.fetch_amount(source, known, amount, deadline).await
    }

    async fn fetch_amount(
        &self,
        source: &Source,
        known: &[Revision],
        amount: Amount,
        deadline: Deadline,
    ) -> Result<Vec<Document>, SourceError> {
        let error = |(origin, error): Located| SourceError {
            source: source.to_string(),
            origin,
            kind: error.into(),
        };
        let mut throttled = None;
        loop {
            let fetching = self.fetch_located(source, known, amount);
            match tokio::time::timeout_at(deadline.at, fetching).await {
                Ok(Err(error @ (_, FetchError::Throttled(_))))
                    if deadline.throttling == Throttling::WaitOut =>
                {
                    throttled = Some(error);
                }
                Ok(outcome) => return outcome.map_err(error),
                Err(_) => {
                    let timeout = (None, FetchError::Timeout(deadline.allowed));
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
    /// [`SourceError`] for the first source that cannot be read or has other content.
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
                        kind: error.into(),
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
        amount: Amount,
    ) -> Result<Vec<Document>, Located> {
        let documents = source.read(self.reading(known, amount)).await;
        let documents = documents.map_err(|error| (None, error))?;
        let can_point = source.is_for(SourceUse::Pointer);
        let following = documents.into_iter().map(async |document| {
            if can_point {
                self.follow(document, known, amount).await
            } else {
                refuse_pointer(document).map_err(|error| (None, error))
            }
        });
        let documents: Result<Vec<_>, _> = join_all(following).await.into_iter().collect();
        Ok(documents?
            .into_iter()
            .map(|document| document.compared_with(known))
            .collect())
    }

    /// Replaces a pointer by what it points to.
    async fn follow(
        &self,
        holder: Document,
        known: &[Revision],
        amount: Amount,
    ) -> Result<Document, Located> {
        let at_holder = |error| (Some(holder.revision.origin.clone()), error);
        let Content::New(content) = &holder.content else {
            return Ok(holder);
        };
        let Some(pointer) = read_pointer(content).map_err(at_holder)? else {
            return Ok(holder);
        };
        let target = pointer.to_string();
        let located = |error| {
            let origin = format!("{} → {target}", holder.revision.origin);
            (Some(origin), error)
        };
        let same_target = |revision: &&Revision| {
            revision.origin == holder.revision.origin && revision.target.as_deref() == Some(&target)
        };
        // The digest in the pointer says that the content is the same; nothing has to be asked.
        let document = match known.iter().find(same_target) {
            Some(revision) => Document::unchanged(revision.clone()),
            None => {
                let read = pointer.read(self.reading(&[], amount)).await.map_err(located)?;
                let only = read.into_iter().next();
                let document = only.ok_or_else(|| located(FetchError::Service("has no content".into())))?;
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

    fn reading<'a>(&'a self, known: &'a [Revision], amount: Amount) -> Reading<'a> {
        Reading {
            #[cfg(feature = "aws")]
            aws: &self.aws,
            known,
            limit: amount.limit,
            reads_lists: amount.reads_lists,
        }
    }
}

/// Amount of content that is read.
#[derive(Clone, Copy)]
struct Amount {
    limit: usize,
    reads_lists: bool,
}

/// Failure, and the document of the source that it is at when the source does not say so itself.
type Located = (Option<String>, FetchError);

fn refuse_pointer(document: Document) -> Result<Document, FetchError> {
    match &document.content {
        Content::New(content) if is_pointer(content) => Err(FetchError::Pointer(
            "pointers lead from a parameter or a file to an object, and no further".into(),
        )),
        _ => Ok(document),
    }
}

#[cfg(all(test, feature = "aws"))]
mod tests {
    use super::*;
    use crate::source::LocalFile;

    #[tokio::test]
    async fn files_alone_never_make_the_clients_of_the_sdk() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("anchors.pem");
        std::fs::write(&path, "content").unwrap();
        let loader = Loader::new();
        let deadline = Deadline::after(Duration::from_secs(5));
        let documents = loader
            .fetch(&LocalFile { path }.into(), &[], 100, deadline)
            .await
            .unwrap();
        assert_eq!(documents[0].content, Content::New(b"content".to_vec()));
        assert!(!loader.aws.are_made());
    }
}
