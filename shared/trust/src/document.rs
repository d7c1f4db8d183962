//! What a source holds, before anything is known about its meaning.

use alb_mtls_verifier::Fingerprint;

use crate::fetch_error::FetchError;

/// One file, parameter or object that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Which content it is.
    pub revision: Revision,
    /// The content itself.
    pub content: Content,
}

/// The content of a document.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// The same as in the revision that was known before.
    Unchanged,
    /// These bytes.
    New(Vec<u8>),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unchanged => formatter.write_str("Unchanged"),
            // It may be a secret that should not be there.
            Self::New(bytes) => write!(formatter, "New({} bytes)", bytes.len()),
        }
    }
}

impl Document {
    /// A document of which nothing but the content is known yet.
    pub(crate) fn new(origin: String, content: Vec<u8>) -> Self {
        Self {
            revision: Revision {
                origin,
                target: None,
                ssm_version: None,
                s3_version_id: None,
                etag: None,
                sha256: Fingerprint::of(&content),
                bytes: content.len(),
            },
            content: Content::New(content),
        }
    }

    /// A document that a service says has not changed.
    pub(crate) fn unchanged(revision: Revision) -> Self {
        Self {
            revision,
            content: Content::Unchanged,
        }
    }

    /// Forgets the content when it is the known one.
    pub(crate) fn compared_with(mut self, known: &[Revision]) -> Self {
        let same = |other: &&Revision| {
            other.origin == self.revision.origin
                && other.target == self.revision.target
                && other.sha256 == self.revision.sha256
        };
        if known.iter().find(same).is_some() {
            self.content = Content::Unchanged;
        }
        self
    }

    /// Refuses other content than that with this digest, in lower-case hexadecimal.
    #[cfg(feature = "aws")]
    pub(crate) fn check_digest(self, expected: Option<&str>) -> Result<Self, FetchError> {
        let actual = self.revision.sha256.to_string();
        match expected {
            Some(expected) if expected != actual => Err(FetchError::Digest {
                expected: expected.to_owned(),
                actual,
            }),
            _ => Ok(self),
        }
    }
}

/// Exactly which content of a file, parameter or object was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The file, parameter or object, written like a source.
    pub origin: String,
    /// The object that the content was read from, when the origin held a pointer to it.
    pub target: Option<String>,
    /// Version of the SSM parameter.
    pub ssm_version: Option<i64>,
    /// Version id of the S3 object, in a bucket with versions.
    pub s3_version_id: Option<String>,
    /// Entity tag of the S3 object.
    pub etag: Option<String>,
    /// SHA-256 of the content.
    pub sha256: Fingerprint,
    /// Length of the content in bytes.
    pub bytes: usize,
}

impl Revision {
    /// The place for messages: the origin, and what it points to.
    pub(crate) fn place(&self) -> String {
        match &self.target {
            Some(target) => format!("{} → {target}", self.origin),
            None => self.origin.clone(),
        }
    }
}
