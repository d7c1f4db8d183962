//! Content of a source, before its meaning is known.

use std::sync::Arc;

use alb_mtls_verifier::{Fingerprint, RevocationList, RevocationListError, parse_revocation_lists};

/// File, parameter or object that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Identity of the content.
    pub revision: Revision,
    /// The content itself.
    pub content: Content,
}

/// Content of a document.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// The content of the revision that the caller knows.
    Unchanged,
    /// New content.
    New(Vec<u8>),
    /// New content that was read while it arrived: a large CRL.
    List(LargeList),
}

/// Large CRL, or the reason why it cannot be read.
#[derive(Clone, Debug)]
pub struct LargeList(pub(crate) Result<Arc<RevocationList>, RevocationListError>);

impl Content {
    /// Returns the CRLs in new content; `None` for content that the caller knows.
    ///
    /// # Errors
    /// [`RevocationListError`] when one of them cannot be read, or they are unpacked larger than
    /// `max_bytes`.
    pub fn into_lists(
        self,
        max_bytes: usize,
    ) -> Option<Result<Vec<Arc<RevocationList>>, RevocationListError>> {
        match self {
            Self::Unchanged => None,
            Self::New(content) => Some(parse_revocation_lists(content, max_bytes)),
            Self::List(LargeList(list)) => Some(list.map(|list| vec![list])),
        }
    }
}

/// Large CRLs are equal if they are the same object.
impl PartialEq for LargeList {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Ok(list), Ok(other)) => Arc::ptr_eq(list, other),
            (Err(error), Err(other)) => error == other,
            _ => false,
        }
    }
}

impl Eq for LargeList {}

impl std::fmt::Debug for Content {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unchanged => formatter.write_str("Unchanged"),
            // It can be a secret that should not be there.
            Self::New(bytes) => write!(formatter, "New({} bytes)", bytes.len()),
            Self::List(list) => write!(formatter, "List({list:?})"),
        }
    }
}

impl Document {
    /// Creates a document from its content alone.
    pub(crate) fn new(origin: String, content: Vec<u8>) -> Self {
        let (sha256, bytes) = (Fingerprint::of(&content), content.len());
        Self::with_content(origin, Content::New(content), sha256, bytes)
    }

    /// Creates a document from its content, of which digest and length are known.
    pub(crate) fn with_content(origin: String, content: Content, sha256: Fingerprint, bytes: usize) -> Self {
        Self {
            revision: Revision {
                origin,
                target: None,
                ssm_version: None,
                s3_version_id: None,
                etag: None,
                sha256,
                bytes,
            },
            content,
        }
    }

    /// Creates a document that is known to be unchanged.
    pub(crate) fn unchanged(revision: Revision) -> Self {
        Self {
            revision,
            content: Content::Unchanged,
        }
    }

    /// Drops the content when the caller knows it.
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
}

/// Identity of the content of a file, parameter or object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The file, parameter or object, written like a source.
    pub origin: String,
    /// The object that the content was read from, when the origin contained a pointer to it.
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
    /// Returns the place for messages: the origin, and the target of its pointer.
    pub(crate) fn place(&self) -> String {
        match &self.target {
            Some(target) => format!("{} → {target}", self.origin),
            None => self.origin.clone(),
        }
    }
}
