//! Where trust material came from, and what it is for.

use alb_mtls_verifier::Fingerprint;

use crate::source::Source;

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
