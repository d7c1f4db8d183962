//! Origin and purpose of trust material.

use crate::document::Revision;
use crate::source::Source;

/// Purpose of the material of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Trust anchors.
    Anchors,
    /// Intermediates, which help to build paths.
    Intermediates,
    /// CRLs.
    RevocationLists,
    /// Policies.
    Policies,
    /// Trust anchors of the shadow set.
    ShadowAnchors,
    /// Policies of the shadow set.
    ShadowPolicies,
}

impl Role {
    /// Returns the name in logs.
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

/// Content of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRecord {
    /// The source as the settings name it.
    pub source: Source,
    /// Purpose of its material.
    pub role: Role,
    /// Every file, parameter or object that was read for it.
    pub documents: Vec<Revision>,
    /// Number of certificates in it, repeated ones counted each time.
    pub certificates: usize,
    /// Number of CRLs in it, repeated ones counted each time.
    pub crls: usize,
}
