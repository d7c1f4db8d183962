//! Snapshots: data alone. `assemble` makes them.

use std::sync::Arc;

use alb_mtls_verifier::{Fingerprint, RevocationLists, Timestamp, Verifier};

use crate::provenance::SourceRecord;
use crate::warning::Warning;

/// Everything that decisions are based on, as it was at one moment. It never changes; new material
/// is a new snapshot.
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
    pub fn policies(&self) -> Option<&Policies> {
        self.authorization.policies.as_deref()
    }

    /// What is tried out beside the real decision; `None` when the settings name nothing, and when
    /// it could not be used yet.
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

    /// A short name for sources and content: the same material has the same version in every
    /// process.
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

/// What is tried out: it never decides, and what is wrong with it never keeps the real material
/// from being used.
#[derive(Debug)]
pub struct ShadowSet {
    verifier: Option<Verifier>,
    #[cfg_attr(
        not(feature = "policy"),
        expect(dead_code, reason = "without policies nobody asks for them")
    )]
    policies: Option<Arc<Policies>>,
}

impl ShadowSet {
    pub(crate) fn new(verifier: Option<Verifier>, policies: Option<Arc<Policies>>) -> Self {
        Self { verifier, policies }
    }

    /// Decides about clients by the anchors that are tried out; `None` when those in use stay.
    pub fn verifier(&self) -> Option<&Verifier> {
        self.verifier.as_ref()
    }

    /// The policies that are tried out; `None` when those in use stay.
    #[cfg(feature = "policy")]
    pub fn policies(&self) -> Option<&Policies> {
        self.policies.as_deref()
    }
}

/// The part of a snapshot that this module makes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Authorization {
    #[cfg_attr(
        not(feature = "policy"),
        expect(dead_code, reason = "without policies nobody asks for them")
    )]
    pub(crate) policies: Option<Arc<Policies>>,
    pub(crate) shadow: Option<Arc<ShadowSet>>,
}

#[cfg(feature = "policy")]
pub(crate) use alb_mtls_policy::Policies;

/// Without the feature there are no policies, and to name some is an error.
#[cfg(not(feature = "policy"))]
#[derive(Debug)]
pub(crate) enum Policies {}

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
