use std::sync::Arc;

use alb_mtls_verifier::{Fingerprint, RevocationLists, Timestamp, Verifier};

use crate::authorization::{Authorization, ShadowSet};
use crate::source::Source;
use crate::warning::Warning;

/// Everything that decisions are based on, as it was at one moment. It never changes; new material is a new snapshot.
///
/// A decision takes one snapshot and uses it from start to end.
#[derive(Debug)]
pub struct Snapshot {
    verifier: Verifier,
    revocation_lists: Option<Arc<RevocationLists>>,
    version: String,
    loaded_at: Timestamp,
    sources: Vec<SourceRecord>,
    warnings: Vec<Warning>,
    authorization: Authorization,
}

impl Snapshot {
    pub(crate) fn new(
        verifier: Verifier,
        revocation_lists: Option<Arc<RevocationLists>>,
        loaded_at: Timestamp,
        sources: Vec<SourceRecord>,
        warnings: Vec<Warning>,
    ) -> Self {
        Self {
            verifier,
            revocation_lists,
            version: version_of(&sources),
            loaded_at,
            sources,
            warnings,
            authorization: Authorization::default(),
        }
    }

    pub(crate) fn with_authorization(self, authorization: Authorization) -> Self {
        Self {
            authorization,
            ..self
        }
    }

    pub(crate) fn authorization(&self) -> &Authorization {
        &self.authorization
    }

    /// The policies that verified clients need a permission of; `None` when the settings name none.
    #[cfg(feature = "policy")]
    pub fn policies(&self) -> Option<&alb_mtls_policy::Policies> {
        self.authorization.policies.as_deref()
    }

    /// What is tried out beside the real decision; `None` when the settings name nothing, and when it could not be
    /// used yet.
    pub fn shadow(&self) -> Option<&ShadowSet> {
        self.authorization.shadow.as_deref()
    }

    /// Decides about clients by this snapshot's trust anchors.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The CRLs that clients are held against; `None` when the settings name none.
    pub fn revocation_lists(&self) -> Option<&Arc<RevocationLists>> {
        self.revocation_lists.as_ref()
    }

    /// A short name for sources and content: the same material has the same version in every process.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// When its content was read. It may have been found unchanged many times since.
    pub fn loaded_at(&self) -> Timestamp {
        self.loaded_at
    }

    /// What was read, source by source, in the order of the settings.
    pub fn sources(&self) -> &[SourceRecord] {
        &self.sources
    }

    /// What an operator should look after, as of the time when it was loaded.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

/// What the material of a source is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Certificates that are trusted.
    Anchors,
    /// Certificates that help to build paths.
    Intermediates,
    /// CRLs.
    RevocationLists,
    /// Policies.
    Policies,
    /// Certificates that are tried out as trust anchors.
    ShadowAnchors,
    /// Policies that are tried out.
    ShadowPolicies,
}

impl Role {
    /// The name in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anchors => "anchors",
            Self::Intermediates => "intermediates",
            Self::RevocationLists => "crls",
            Self::Policies => "policies",
            Self::ShadowAnchors => "shadow_anchors",
            Self::ShadowPolicies => "shadow_policies",
        }
    }
}

/// What one source held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRecord {
    /// The source as the settings name it.
    pub source: Source,
    /// What its material is for.
    pub role: Role,
    /// Each file, parameter or object that was read for it.
    pub documents: Vec<Revision>,
    /// Certificates in it, repeated ones counted each time.
    pub certificates: usize,
    /// CRLs in it, repeated ones counted each time.
    pub crls: usize,
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

/// The first 16 hexadecimal digits of a digest over what was read from where.
fn version_of(sources: &[SourceRecord]) -> String {
    let mut text = String::new();
    for record in sources {
        text.push_str(&format!("{} {}\n", record.role.as_str(), record.source));
        for document in &record.documents {
            text.push_str(&format!(" {} {}\n", document.origin, document.sha256));
        }
    }
    Fingerprint::of(text.as_bytes())
        .to_string()
        .chars()
        .take(16)
        .collect()
}
