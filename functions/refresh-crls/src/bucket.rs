//! What is published: read and verified like anything else, and replaced only by whoever saw it.

use std::sync::Arc;
use std::time::Duration;

use alb_mtls_trust::{AwsClients, Content, Deadline, Loader, S3Object, Source, SourceProblem};
use alb_mtls_verifier::{ListStanding, RevocationList, RevocationLists, parse_revocation_lists};
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_s3::primitives::ByteStream;
use tokio::sync::OnceCell;

use crate::authorities::Authorities;
use crate::failure::Failure;

/// The bucket that the gate reads.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    aws: OnceCell<AwsClients>,
}

/// What lies at an object's place.
#[derive(Debug)]
pub(crate) enum Published {
    Nothing,
    /// Something that these authorities did not sign: as good as nothing, but to be replaced on purpose.
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

/// Whether a CRL was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Yes,
    /// Somebody else wrote in the meantime.
    Overtaken,
}

/// A write takes as long as the CRL is large; the SDK's usual limit is for look-ups.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

impl Bucket {
    pub(crate) async fn read(
        &self,
        loader: &Loader,
        object: &S3Object,
        authorities: &Authorities,
        max_bytes: usize,
        deadline: Deadline,
    ) -> Result<Published, Failure> {
        let source = Source::Object(object.clone());
        let documents = match loader.fetch(&source, &[], max_bytes, deadline).await {
            Ok(documents) => documents,
            Err(error) if matches!(error.problem, SourceProblem::NotFound(_)) => {
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

    /// Publishes the lists: one as it is, several as PEM.
    pub(crate) async fn write(
        &self,
        object: &S3Object,
        lists: &[Arc<RevocationList>],
        published: &Published,
    ) -> Result<Written, Failure> {
        let (content_type, content) = match lists {
            [list] => ("application/pkix-crl", list.der().to_vec()),
            lists => ("application/x-pem-file", pem_of(lists).into_bytes()),
        };
        let client = self
            .aws
            .get_or_init(AwsClients::from_environment)
            .await
            .objects(object.region.as_deref())
            .map_err(|problem| Failure::Refused(problem.to_string()))?;
        let request = client
            .put_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .set_expected_bucket_owner(object.owner.clone())
            .content_type(content_type)
            .body(ByteStream::from(content));
        let request = match published {
            Published::Nothing => request.if_none_match("*"),
            Published::Unusable { etag } | Published::Lists { etag, .. } => {
                request.set_if_match(etag.clone())
            }
        };
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(WRITE_TIMEOUT)
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
                    (Some(403), _) => Err(Failure::Refused(format!(
                        "`{object}` may not be written: allow this role s3:PutObject on it ({})",
                        DisplayErrorContext(&error)
                    ))),
                    _ => Err(Failure::Unreachable(format!(
                        "`{object}` cannot be written: {}",
                        DisplayErrorContext(&error)
                    ))),
                }
            }
        }
    }
}

fn pem_of(lists: &[Arc<RevocationList>]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    lists
        .iter()
        .map(|list| pem::encode_config(&pem::Pem::new("X509 CRL", list.der()), config))
        .collect()
}
