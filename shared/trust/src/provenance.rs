//! Where trust material came from, and what it is for.

use crate::document::Revision;
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
