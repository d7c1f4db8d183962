//! The published CRLs: read and verified like any others, and replaced only by a writer that saw
//! them.

use std::sync::Arc;
use std::time::Duration;

use alb_mtls_trust::{
    AwsClients, Content, Deadline, Loader, MAX_CRL_STATE_BYTES, S3Object, Source, read_crl_state,
};
use alb_mtls_verifier::{CrlHistory, ListStanding, RevocationList, RevocationLists, parse_revocation_lists};
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_s3::primitives::ByteStream;
use tokio::sync::OnceCell;

use crate::authorities::Authorities;
use crate::error::RefreshError;

/// The bucket that the gate reads.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    aws: OnceCell<AwsClients>,
}

/// Content of an object's place.
#[derive(Debug)]
pub(crate) enum Published {
    Nothing,
    /// Something that these authorities did not sign: as good as nothing, but to be replaced on
    /// purpose.
    Unusable {
        etag: Option<String>,
    },
    Lists {
        lists: RevocationLists,
        etag: Option<String>,
    },
}

impl Published {
    pub(crate) fn lists(&self) -> Option<&RevocationLists> {
        match self {
            Self::Lists { lists, .. } => Some(lists),
            Self::Nothing | Self::Unusable { .. } => None,
        }
    }
}

/// Record of the CRLs that were published at a place.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) history: CrlHistory,
    pub(crate) content: String,
    etag: Option<String>,
}

/// Result of writing a CRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Yes,
    /// Another writer wrote in the meantime.
    Overtaken,
}

/// Condition of a write on the object, so that nothing is overwritten unseen.
enum Condition {
    Absent,
    /// The object still has this entity tag.
    Unchanged(Option<String>),
}

/// Longest time for one write, attempts together. It takes as long as the CRL is large, and the
/// SDK's usual limit is for lookups.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

impl Bucket {
    pub(crate) async fn read(
        &self,
        loader: &Loader,
        object: &S3Object,
        authorities: &Authorities,
        max_bytes: usize,
        deadline: Deadline,
    ) -> Result<Published, RefreshError> {
        let source = Source::from(object.clone());
        let documents = match loader.fetch(&source, &[], max_bytes, deadline).await {
            Ok(documents) => documents,
            Err(error) if error.is_not_found() => {
                return Ok(Published::Nothing);
            }
            Err(error) => return Err(error.into()),
        };
        let Some(document) = documents.into_iter().next() else {
            return Ok(Published::Nothing);
        };
        let etag = document.revision.etag;
        let Content::New(content) = document.content else {
            return Ok(Published::Unusable { etag });
        };
        let Ok(lists) = parse_revocation_lists(content, max_bytes) else {
            return Ok(Published::Unusable { etag });
        };
        let lists = RevocationLists::new(lists, &authorities.anchors, &authorities.intermediates, None);
        if lists
            .iter()
            .all(|(_, standing)| standing == ListStanding::Verified)
        {
            Ok(Published::Lists { lists, etag })
        } else {
            Ok(Published::Unusable { etag })
        }
    }

    /// Reads the record of a place; `None` where there is none yet.
    ///
    /// # Errors
    /// A record that is there and cannot be read or understood: without it, an old CRL would pass
    /// for a new one.
    pub(crate) async fn read_state(
        &self,
        loader: &Loader,
        object: &S3Object,
        deadline: Deadline,
    ) -> Result<Option<State>, RefreshError> {
        let source = Source::from(object.clone());
        let documents = match loader.fetch(&source, &[], MAX_CRL_STATE_BYTES, deadline).await {
            Ok(documents) => documents,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let damaged = |problem: String| {
            RefreshError::Refused(format!(
                "`{object}` {problem}: put its former version back; if there is none, delete it, and what is published \
                 counts"
            ))
        };
        let document = documents.into_iter().next();
        let Some((Content::New(content), revision)) =
            document.map(|document| (document.content, document.revision))
        else {
            return Err(damaged("has no content".to_owned()));
        };
        let history = read_crl_state(&content).map_err(|error| damaged(error.to_string()))?;
        let content = String::from_utf8(content).map_err(|_| damaged("is not text".to_owned()))?;
        Ok(Some(State {
            history,
            content,
            etag: revision.etag,
        }))
    }

    /// Writes the record of a place, unless it says the same already.
    pub(crate) async fn write_state(
        &self,
        object: &S3Object,
        content: String,
        before: Option<&State>,
    ) -> Result<Written, RefreshError> {
        let condition = match before {
            Some(before) if before.content == content => return Ok(Written::Yes),
            Some(before) => Condition::Unchanged(before.etag.clone()),
            None => Condition::Absent,
        };
        self.put(object, "application/json", content.into_bytes(), condition)
            .await
    }

    /// Publishes the lists: one as it is, several as PEM.
    pub(crate) async fn write(
        &self,
        object: &S3Object,
        lists: &[Arc<RevocationList>],
        published: &Published,
    ) -> Result<Written, RefreshError> {
        // What is fetched is read into memory as a whole.
        let encodings: Option<Vec<&[u8]>> = lists.iter().map(|list| list.der()).collect();
        let encodings = encodings
            .ok_or_else(|| RefreshError::Refused(format!("the octets of `{object}` are not in memory")))?;
        let (content_type, content) = match encodings.as_slice() {
            [der] => ("application/pkix-crl", der.to_vec()),
            several => ("application/x-pem-file", pem_of(several).into_bytes()),
        };
        let condition = match published {
            Published::Nothing => Condition::Absent,
            Published::Unusable { etag } | Published::Lists { etag, .. } => {
                Condition::Unchanged(etag.clone())
            }
        };
        self.put(object, content_type, content, condition).await
    }

    async fn put(
        &self,
        object: &S3Object,
        content_type: &str,
        content: Vec<u8>,
        condition: Condition,
    ) -> Result<Written, RefreshError> {
        let client = self
            .aws
            .get_or_init(AwsClients::from_environment)
            .await
            .objects(object.region.as_deref())
            .map_err(|problem| RefreshError::Refused(problem.to_string()))?;
        let request = client
            .put_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .set_expected_bucket_owner(object.owner.clone())
            .content_type(content_type)
            .body(ByteStream::from(content));
        let request = match condition {
            Condition::Absent => request.if_none_match("*"),
            Condition::Unchanged(etag) => request.set_if_match(etag),
        };
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(WRITE_TIMEOUT)
            .operation_timeout(WRITE_TIMEOUT)
            .build();
        let sent = request
            .customize()
            .config_override(Builder::new().timeout_config(timeouts))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Written::Yes),
            Err(error) => {
                let status = error.raw_response().map(|response| response.status().as_u16());
                match (status, error.code()) {
                    // 409: another conditional write to the object is under way.
                    (Some(409 | 412), _) => Ok(Written::Overtaken),
                    (Some(403), _) => Err(RefreshError::Refused(format!(
                        "`{object}` may not be written: allow this role s3:PutObject on it ({})",
                        DisplayErrorContext(&error)
                    ))),
                    _ => Err(RefreshError::Unreachable(format!(
                        "`{object}` cannot be written: {}",
                        DisplayErrorContext(&error)
                    ))),
                }
            }
        }
    }
}

fn pem_of(encodings: &[&[u8]]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    encodings
        .iter()
        .map(|der| pem::encode_config(&pem::Pem::new("X509 CRL", *der), config))
        .collect()
}
