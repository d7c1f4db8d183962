//! Snapshots: data alone. The module `assemble` makes them.

use std::sync::Arc;

use alb_mtls_verifier::{Fingerprint, RevocationLists, Timestamp, Verifier};

use crate::provenance::SourceRecord;
use crate::warning::Warning;

/// Everything that decisions are based on, as it was at one moment. A snapshot never changes; new
/// material is a new snapshot.
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

    /// Returns the policies that must permit verified clients; `None` when the settings name none.
    #[cfg(feature = "policy")]
    pub fn policies(&self) -> Option<&Policies> {
        self.authorization.policies.as_deref()
    }

    /// Returns the shadow set; `None` when the settings name none, and when it could not be used
    /// yet.
    pub fn shadow(&self) -> Option<&ShadowSet> {
        self.authorization.shadow.as_deref()
    }

    /// Returns the verifier with this snapshot's trust anchors.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Returns the CRLs that clients are checked against; `None` when the settings name none.
    pub fn revocation_lists(&self) -> Option<&Arc<RevocationLists>> {
        self.revocation_lists.as_ref()
    }

    /// Returns a short name for sources and content: the same material has the same version in
    /// every process.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns the time when the content was read. It can have been found unchanged many times
    /// since.
    pub fn loaded_at(&self) -> Timestamp {
        self.loaded_at
    }

    /// Returns the sources and what was read from them, in the order of the settings.
    pub fn sources(&self) -> &[SourceRecord] {
        &self.sources
    }

    /// Returns the warnings for the operator, as of the time of loading.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

/// Shadow set. It never decides, and a fault in it never keeps the real material from being used.
#[derive(Debug)]
pub struct ShadowSet {
    verifier: Option<Verifier>,
    #[cfg_attr(
        not(feature = "policy"),
        expect(dead_code, reason = "without the feature there is no accessor")
    )]
    policies: Option<Arc<Policies>>,
}

impl ShadowSet {
    pub(crate) fn new(verifier: Option<Verifier>, policies: Option<Arc<Policies>>) -> Self {
        Self { verifier, policies }
    }

    /// Returns the verifier with the shadow set's anchors; `None` when it uses those in use.
    pub fn verifier(&self) -> Option<&Verifier> {
        self.verifier.as_ref()
    }

    /// Returns the shadow set's policies; `None` when it uses those in use.
    #[cfg(feature = "policy")]
    pub fn policies(&self) -> Option<&Policies> {
        self.policies.as_deref()
    }
}

/// Policies and shadow set of a snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Authorization {
    #[cfg_attr(
        not(feature = "policy"),
        expect(dead_code, reason = "without the feature there is no accessor")
    )]
    pub(crate) policies: Option<Arc<Policies>>,
    pub(crate) shadow: Option<Arc<ShadowSet>>,
}

#[cfg(feature = "policy")]
pub(crate) use alb_mtls_policy::Policies;

/// Policies without the feature: there are none, and to name some is an error.
#[cfg(not(feature = "policy"))]
#[derive(Debug)]
pub(crate) enum Policies {}

/// Returns the first 16 hexadecimal digits of a digest over sources and content.
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
