//! The published CRLs: read and verified like any others, and replaced only by a writer that saw
//! them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use alb_mtls_trust::{
    AwsClients, Content, Deadline, Loader, MAX_CRL_STATE_BYTES, S3Object, Source, read_crl_state,
};
use alb_mtls_verifier::{CrlHistory, ListStanding, RevocationList, RevocationLists};
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
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

/// Longest time for one write, attempts together, to which a large CRL adds the time of its octets.
/// The SDK's usual limit is for lookups.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// Octets that are written in a second at least.
const SLOWEST: usize = 4 << 20;

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
        let documents = match loader.fetch_lists(&source, &[], max_bytes, deadline).await {
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
        let Some(Ok(lists)) = document.content.into_lists(max_bytes) else {
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
        let length = content.len();
        self.put(
            object,
            "application/json",
            content.into_bytes().into(),
            length,
            condition,
        )
        .await
    }

    /// Publishes the lists: one as it is, several as PEM.
    pub(crate) async fn write(
        &self,
        object: &S3Object,
        lists: &[Arc<RevocationList>],
        published: &Published,
    ) -> Result<Written, RefreshError> {
        let length = lists.iter().map(|list| list.encoded_length()).sum();
        let (content_type, content) = match lists {
            [list] => ("application/pkix-crl", Upload::of(Arc::clone(list))),
            several => ("application/x-pem-file", pem_of(several, object)?.into()),
        };
        let condition = match published {
            Published::Nothing => Condition::Absent,
            Published::Unusable { etag } | Published::Lists { etag, .. } => {
                Condition::Unchanged(etag.clone())
            }
        };
        self.put(object, content_type, content, length, condition).await
    }

    async fn put(
        &self,
        object: &S3Object,
        content_type: &str,
        content: ByteStream,
        length: usize,
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
            .body(content);
        let request = match condition {
            Condition::Absent => request.if_none_match("*"),
            Condition::Unchanged(etag) => request.set_if_match(etag),
        };
        let time = WRITE_TIMEOUT + Duration::from_secs(u64::try_from(length / SLOWEST).unwrap_or(u64::MAX));
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(time)
            .operation_timeout(time)
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

/// Returns several lists as PEM, all of which are in memory: a large one arrives alone.
fn pem_of(lists: &[Arc<RevocationList>], object: &S3Object) -> Result<Vec<u8>, RefreshError> {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    let mut file = Vec::new();
    for list in lists {
        let der = list
            .der()
            .ok_or_else(|| RefreshError::Refused(format!("the octets of `{object}` are not in memory")))?;
        file.extend(pem::encode_config(&pem::Pem::new("X509 CRL", der), config).into_bytes());
    }
    Ok(file)
}

/// Content of a list on its way to S3, read from where it is kept.
struct Upload {
    list: Arc<RevocationList>,
    position: usize,
}

impl Upload {
    /// Octets that are read at once.
    const PART: usize = 256 << 10;

    fn of(list: Arc<RevocationList>) -> ByteStream {
        // From its beginning for each attempt.
        let body = move || {
            SdkBody::from_body_1_x(Self {
                list: Arc::clone(&list),
                position: 0,
            })
        };
        ByteStream::new(SdkBody::retryable(body))
    }

    fn left(&self) -> usize {
        self.list.encoded_length().saturating_sub(self.position)
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let mut part = vec![0; self.left().min(Self::PART)];
        if part.is_empty() {
            return Poll::Ready(None);
        }
        let position = u64::try_from(self.position).unwrap_or(u64::MAX);
        let read = self.list.read_at(position, &mut part);
        self.position += part.len();
        Poll::Ready(Some(read.map(|()| Frame::data(part.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.left()).unwrap_or(u64::MAX))
    }
}
