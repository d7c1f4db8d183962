//! `s3:`: objects in S3.

use std::fmt;

use alb_mtls_settings::Arn;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

#[cfg(feature = "aws")]
use super::place::{Fetching, Reading};
use super::place::{Place, Reason, Source, SourceForm, SourceUse};
use super::query;

pub(super) const FORM: SourceForm = SourceForm {
    scheme: SCHEME,
    form: "s3://bucket/key",
    meaning: "one object, also with `?versionId=`, `?region=`, `?owner=` and `#sha256=`",
    permissions: "`s3:GetObject` on the object, or `s3:GetObjectVersion` with `?versionId=`; `s3:ListBucket` on the \
                  bucket, so that a missing object is told from a forbidden one; for SSE-KMS also `kms:Decrypt` on the \
                  key; for a CRL also `s3:GetObject` on the record beside it",
    uses: &[SourceUse::Publishing],
    parse,
    suggest: |word| {
        let arn = Arn::split(word).filter(|arn| arn.service == "s3")?;
        Some(format!("{SCHEME}{}", arn.resource))
    },
};

pub(crate) const SCHEME: &str = "s3://";

/// Most bytes of a key, encoded in UTF-8.
///
/// Source: S3 user guide, "Naming Amazon S3 objects".
pub(crate) const MAX_KEY_BYTES: usize = 1_024;

/// Characters that are escaped in the displayed form of a key or version id: those with a meaning
/// in a source.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'#').add(b'%').add(b'&').add(b'?');

/// Object in S3.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct S3Object {
    /// Name of a bucket, or alias of an access point.
    pub bucket: String,
    /// Key, not escaped.
    pub key: String,
    /// `?versionId=`: this version and no newer one.
    pub version_id: Option<String>,
    /// `?region=`: region of the bucket, when it is not that of the process.
    pub region: Option<String>,
    /// `?owner=`: the account that must own the bucket, so that another account's bucket of this
    /// name is not read.
    pub owner: Option<String>,
    /// `#sha256=`: the content must have this digest, in lower-case hexadecimal.
    pub sha256: Option<String>,
}

impl S3Object {
    /// Creates an object from bucket and key alone.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            key: key.into(),
            version_id: None,
            region: None,
            owner: None,
            sha256: None,
        }
    }
}

impl Place for S3Object {
    fn form(&self) -> &'static SourceForm {
        &FORM
    }

    #[cfg(feature = "aws")]
    fn read<'a>(&'a self, reading: Reading<'a>) -> Fetching<'a> {
        Box::pin(async move {
            let document = reader::read(self, reading).await?;
            reader::check_digest(&document, self.sha256.as_deref())?;
            Ok(vec![document])
        })
    }

    fn check_writable(&self) -> Result<(), &'static str> {
        if self.version_id.is_some() || self.sha256.is_some() {
            Err("names a version or a digest: those of the new object are made when it is written")
        } else {
            Ok(())
        }
    }
}

impl From<S3Object> for Source {
    fn from(object: S3Object) -> Self {
        Self::new(object)
    }
}

impl fmt::Display for S3Object {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "s3://{}/{}",
            self.bucket,
            utf8_percent_encode(&self.key, ESCAPED)
        )?;
        let parameters = [
            ("versionId", &self.version_id),
            ("region", &self.region),
            ("owner", &self.owner),
        ];
        let given = parameters
            .iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)));
        for ((name, value), separator) in given.zip(std::iter::once('?').chain(std::iter::repeat('&'))) {
            write!(
                formatter,
                "{separator}{name}={}",
                utf8_percent_encode(value, ESCAPED)
            )?;
        }
        match &self.sha256 {
            Some(digest) => write!(formatter, "#sha256={digest}"),
            None => Ok(()),
        }
    }
}

fn parse(text: &str) -> Result<Source, Reason> {
    let object = parse_location(text)?;
    if object.key.is_empty() {
        Err("names no key".into())
    } else if object.key.ends_with('/') {
        Err("names a folder, not an object".into())
    } else {
        Ok(Source::new(object))
    }
}

/// Parses what follows `s3://`, for an object or, where the key is empty or ends with a slash, for
/// objects below a prefix.
pub(crate) fn parse_location(text: &str) -> Result<S3Object, Reason> {
    let (text, fragment) = match text.split_once('#') {
        None => (text, None),
        Some((text, fragment)) => (text, Some(fragment)),
    };
    let (path, mut query) = query::split(text)?;
    if path.starts_with("arn:") {
        return Err("is an ARN: use the name of the bucket, or the alias of the access point".into());
    }
    let Some((bucket, key)) = path.split_once('/') else {
        return Err("names no key".into());
    };
    check_bucket(bucket)?;
    let key = query::unescape(key)?;
    if key.len() > MAX_KEY_BYTES {
        return Err("is longer than keys can be".into());
    }
    let version_id = query.take("versionId");
    let region = query.take_region()?;
    let owner = query.take("owner");
    query.finish("versionId, region, owner")?;
    if let Some(owner) = &owner {
        query::check_account(owner)?;
    }
    Ok(S3Object {
        bucket: bucket.into(),
        key,
        version_id,
        region,
        owner,
        sha256: fragment.map(parse_digest).transpose()?,
    })
}

fn check_bucket(bucket: &str) -> Result<(), Reason> {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let ends = |edge: char| edge.is_ascii_lowercase() || edge.is_ascii_digit();
    if (3..=63).contains(&bucket.len())
        && bucket.bytes().all(allowed)
        && bucket.starts_with(ends)
        && bucket.ends_with(ends)
    {
        Ok(())
    } else {
        Err("has no valid bucket name: 3 to 63 of `a-z`, `0-9`, `.` and `-`".into())
    }
}

fn parse_digest(fragment: &str) -> Result<String, Reason> {
    match fragment.strip_prefix("sha256=") {
        Some(digest) if digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(digest.to_ascii_lowercase())
        }
        _ => Err("has something after `#` that is not `sha256=` and 64 hexadecimal digits".into()),
    }
}

#[cfg(feature = "aws")]
mod reader {
    use aws_sdk_s3::config::http::HttpResponse;
    use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
    use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};

    use super::S3Object;
    use crate::aws::AwsClients;
    use crate::aws::explain::{causes, code_of, describe, explain, status_of};
    use crate::document::Document;
    use crate::fetch_error::FetchError;
    use crate::source::intake::Intake;
    use crate::source::place::Reading;

    /// Number of transfers that are begun when they break off. The SDK itself retries only up to
    /// the first byte; each transfer starts from there again, and all share the deadline of the
    /// lookup.
    const TRANSFERS: usize = 2;

    impl AwsClients {
        /// Returns the client of S3 in this region, or in the region of the process.
        ///
        /// # Errors
        /// [`FetchError::Setup`] when neither is known.
        pub fn objects(&self, region: Option<&str>) -> Result<aws_sdk_s3::Client, FetchError> {
            self.client(region, |config| {
                let mut builder = aws_sdk_s3::config::Builder::from(config);
                // An endpoint other than Amazon's seldom has a name for every bucket.
                if config.endpoint_url().is_some() || has_own_endpoint() {
                    builder.set_force_path_style(Some(true));
                }
                aws_sdk_s3::Client::from_conf(builder.build())
            })
        }
    }

    fn has_own_endpoint() -> bool {
        ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"]
            .iter()
            .any(|name| std::env::var_os(name).is_some())
    }

    /// Reads an object, unless it is still one of the `known` revisions.
    pub(super) async fn read(object: &S3Object, reading: Reading<'_>) -> Result<Document, FetchError> {
        let client = reading.aws.get().await.objects(object.region.as_deref())?;
        let origin = object.to_string();
        let known = reading
            .known
            .iter()
            .find(|revision| revision.origin == origin && revision.etag.is_some());
        let mut broken = FetchError::Unreachable("no transfer was begun".into());
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
                        // Not an error, but the SDK takes every status above 299 for one.
                        Some(revision) if status_of(&error) == Some(304) => {
                            Ok(Document::unchanged(revision.clone()))
                        }
                        _ => Err(explain_s3(error, object)),
                    };
                }
            };
            let (version_id, etag) = (output.version_id.clone(), output.e_tag.clone());
            match read_body(output, reading).await {
                Ok(content) => {
                    let mut document = content.finish(origin);
                    document.revision.s3_version_id = version_id;
                    document.revision.etag = etag;
                    return Ok(document);
                }
                Err(problem @ (FetchError::TooLarge { .. } | FetchError::Setup(_))) => return Err(problem),
                Err(problem) => broken = problem,
            }
        }
        Err(broken)
    }

    /// Checks that the content has the digest of the pin, in lower-case hexadecimal.
    pub(super) fn check_digest(document: &Document, pin: Option<&str>) -> Result<(), FetchError> {
        let actual = document.revision.sha256.to_string();
        match pin {
            Some(pin) if pin != actual => Err(FetchError::Digest {
                expected: pin.to_owned(),
                actual,
            }),
            _ => Ok(()),
        }
    }

    async fn read_body(output: GetObjectOutput, reading: Reading<'_>) -> Result<Intake, FetchError> {
        let announced = output
            .content_length
            .and_then(|length| usize::try_from(length).ok())
            .unwrap_or(0);
        let mut content = Intake::new(reading.limit, reading.reads_lists, announced)?;
        let mut body = output.body;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| {
                FetchError::Unreachable(format!("the transfer broke off: {}", causes(&error)))
            })?;
            content.push(&chunk)?;
        }
        Ok(content)
    }

    fn explain_s3(error: SdkError<GetObjectError, HttpResponse>, object: &S3Object) -> FetchError {
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
            (_, Some("NoSuchBucket")) => FetchError::NotFound("there is no such bucket".into()),
            (_, Some("NoSuchVersion")) => FetchError::NotFound("the object has no such version".into()),
            (_, Some("NoSuchKey")) | (Some(404), None) => {
                FetchError::NotFound("there is no such object in the bucket".into())
            }
            (Some(301 | 307), _)
            | (
                _,
                Some(
                    "PermanentRedirect"
                    | "AuthorizationHeaderMalformed"
                    | "IllegalLocationConstraintException",
                ),
            ) => {
                let region = error
                    .raw_response()
                    .and_then(|response| response.headers().get("x-amz-bucket-region"));
                let region = region.map_or_else(
                    || "add `?region=` with its region".to_owned(),
                    |region| format!("add `?region={region}`"),
                );
                FetchError::Setup(format!("the bucket is in another region: {region} ({answer})"))
            }
            (Some(403), _) => FetchError::Forbidden(format!(
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
                FetchError::Service("the service answers that nothing changed, but nothing was known".into())
            }
            _ => explain(error),
        }
    }
}
