use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};

use super::AwsClients;
use super::explain::{causes, code_of, describe, explain, status_of};
use crate::document::Document;
use crate::error::SourceProblem;
use crate::provenance::Revision;
use crate::source::S3Object;

type GetObjectFailure = SdkError<GetObjectError, aws_sdk_s3::config::http::HttpResponse>;

/// A transfer that breaks off is begun again this often; the SDK itself retries only up to the first byte.
const TRANSFERS: usize = 2;

/// Reads an object, unless it is one of the `known` revisions still.
pub(crate) async fn read(
    clients: &AwsClients,
    object: &S3Object,
    known: &[Revision],
    limit: usize,
) -> Result<Document, SourceProblem> {
    let client = clients.objects(object.region.as_deref())?;
    let origin = object.to_string();
    let known = known
        .iter()
        .find(|revision| revision.origin == origin && revision.etag.is_some());
    let mut broken = SourceProblem::Unreachable("no transfer was begun".into());
    for _ in 0..TRANSFERS {
        let request = client
            .get_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .set_version_id(object.version_id.clone())
            .set_expected_bucket_owner(object.owner.clone())
            .set_if_none_match(known.and_then(|revision| revision.etag.clone()));
        let output = match request.send().await {
            Ok(output) => output,
            Err(error) => {
                return match known {
                    // Not an error at all, but the SDK takes every status above 299 for one.
                    Some(revision) if status_of(&error) == Some(304) => {
                        Ok(Document::unchanged(revision.clone()))
                    }
                    _ => Err(explain_s3(error, object)),
                };
            }
        };
        let (version_id, etag) = (output.version_id.clone(), output.e_tag.clone());
        match read_body(output, limit).await {
            Ok(content) => {
                let mut document = Document::new(origin, content);
                document.revision.s3_version_id = version_id;
                document.revision.etag = etag;
                return Ok(document);
            }
            Err(problem @ SourceProblem::TooLarge { .. }) => return Err(problem),
            Err(problem) => broken = problem,
        }
    }
    Err(broken)
}

async fn read_body(output: GetObjectOutput, limit: usize) -> Result<Vec<u8>, SourceProblem> {
    let too_large = SourceProblem::TooLarge { limit };
    let announced = output
        .content_length
        .and_then(|length| usize::try_from(length).ok())
        .unwrap_or(0);
    if announced > limit {
        return Err(too_large);
    }
    let mut body = output.body;
    let mut content = Vec::with_capacity(announced);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| {
            SourceProblem::Unreachable(format!("the transfer broke off: {}", causes(&error)))
        })?;
        if content.len() + chunk.len() > limit {
            return Err(too_large);
        }
        content.extend_from_slice(&chunk);
    }
    Ok(content)
}

fn explain_s3(error: GetObjectFailure, object: &S3Object) -> SourceProblem {
    let permission = if object.version_id.is_some() {
        "s3:GetObjectVersion"
    } else {
        "s3:GetObject"
    };
    let status = status_of(&error);
    let code = code_of(&error);
    let message = error.as_service_error().and_then(ProvideErrorMetadata::message);
    let answer = describe(status, code, message);
    match (status, code) {
        (_, Some("NoSuchBucket")) => SourceProblem::NotFound("there is no such bucket".into()),
        (_, Some("NoSuchVersion")) => SourceProblem::NotFound("the object has no such version".into()),
        (_, Some("NoSuchKey")) | (Some(404), None) => {
            SourceProblem::NotFound("there is no such object in the bucket".into())
        }
        (Some(301 | 307), _)
        | (
            _,
            Some("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException"),
        ) => {
            let region = error
                .raw_response()
                .and_then(|response| response.headers().get("x-amz-bucket-region"));
            let region = region.map_or_else(
                || "add `?region=` with its region".to_owned(),
                |region| format!("add `?region={region}`"),
            );
            SourceProblem::Setup(format!("the bucket is in another region: {region} ({answer})"))
        }
        (Some(403), _) => SourceProblem::Forbidden(format!(
            "is missing or may not be read: allow this role {permission} on it, and kms:Decrypt on its key if it is \
             encrypted with KMS; without s3:ListBucket on the bucket a missing object looks the same; a bucket of \
             another account must allow it too{} ({answer})",
            if object.owner.is_some() {
                ", and must belong to the `owner`"
            } else {
                ""
            }
        )),
        (Some(304), _) => {
            SourceProblem::Service("the service answers that nothing changed, but nothing was known".into())
        }
        _ => explain(error),
    }
}
