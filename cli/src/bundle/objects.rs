//! Writing objects.

use alb_mtls_trust::{AwsClients, S3Object};
use alb_mtls_verifier::Fingerprint;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;

use super::service_error;

/// Returns a request that writes an object, for its bucket's owner and Region.
pub(crate) fn put(
    clients: &AwsClients,
    object: &S3Object,
    text: &str,
) -> Result<PutObjectFluentBuilder, String> {
    let client = clients
        .objects(object.region.as_deref())
        .map_err(|error| error.to_string())?;
    Ok(client
        .put_object()
        .bucket(&object.bucket)
        .key(&object.key)
        .set_expected_bucket_owner(object.owner.clone())
        .body(ByteStream::from(text.as_bytes().to_vec())))
}

/// Returns what an operator can do about an object that was not written.
pub(crate) fn explain(object: &S3Object, error: SdkError<PutObjectError>) -> String {
    let permission = "s3:PutObject, and kms:GenerateDataKey on the bucket's key if it has one";
    service_error::explain(error, &format!("write `{object}`"), permission)
}

/// Writes an object and returns the pointer to exactly this content.
pub(crate) async fn write(clients: &AwsClients, object: &S3Object, bundle: &str) -> Result<S3Object, String> {
    let request = put(clients, object, bundle)?
        .content_type("application/x-pem-file")
        .checksum_algorithm(ChecksumAlgorithm::Sha256);
    let output = request.send().await.map_err(|error| explain(object, error))?;
    // A bucket that never had versions answers without one; one whose versions are suspended
    // answers "null", which the next write replaces.
    let version_id = output.version_id.filter(|version| version != "null");
    Ok(S3Object {
        version_id,
        sha256: Some(Fingerprint::of(bundle.as_bytes()).to_string()),
        ..object.clone()
    })
}
