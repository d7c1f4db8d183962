//! Events about lookups for the operator's log.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, error, info, warn};

use crate::error::{LoadError, SourceError};
use crate::provenance::Role;
use crate::refreshing::FailedLookup;
use crate::snapshot::Snapshot;
use crate::warning::{Severity, Warning};

pub(crate) const TARGET: &str = "alb_mtls_trust";

/// Warnings that are written out; the rest are counted. A bundle with one mistake often has it in
/// every entry, and one lookup must not fill the log.
const SPELLED_OUT: usize = 20;

/// Logs that a new snapshot is in use.
pub(crate) fn loaded(snapshot: &Snapshot, before: Option<&Snapshot>, took: Duration) {
    info!(
        target: TARGET,
        version = snapshot.version(),
        previous_version = before.map(Snapshot::version),
        anchors = snapshot.verifier().anchors().len(),
        crls = snapshot.revocation_lists().map(|lists| lists.len()),
        sources = snapshot.sources().len(),
        warnings = snapshot.warnings().len(),
        took_ms = milliseconds(took),
        "trust material loaded"
    );
    for record in snapshot.sources() {
        for document in &record.documents {
            debug!(
                target: TARGET,
                source = %record.source,
                role = record.role.as_str(),
                origin = document.origin,
                pointer_to = document.target,
                ssm_version = document.ssm_version,
                s3_version_id = document.s3_version_id,
                etag = document.etag,
                sha256 = %document.sha256,
                bytes = document.bytes,
                "trust source read"
            );
        }
    }
    warn_about(snapshot.warnings());
}

/// Logs that the material is unchanged.
pub(crate) fn unchanged(snapshot: Option<&Snapshot>, took: Duration) {
    debug!(
        target: TARGET,
        version = snapshot.map(Snapshot::version),
        took_ms = milliseconds(took),
        "trust material unchanged"
    );
}

/// Logs material that cannot be read or used, and that decisions go on without.
pub(crate) fn tolerated(problems: &[(Role, SourceError)]) {
    for (role, reason) in problems {
        match role {
            Role::ShadowAnchors | Role::ShadowPolicies => {
                warn!(target: TARGET, %reason, "the shadow set is not available; what was tried out before stays");
            }
            _ => {
                error!(target: TARGET, %reason, "CRLs are not available; revoked clients of their issuers may pass");
            }
        }
    }
}

/// Logs a lookup that failed. The snapshot in use stays in use.
pub(crate) fn failed(failure: &FailedLookup<'_, Snapshot, Arc<LoadError>>) {
    let FailedLookup {
        error: reason,
        failures,
        ..
    } = failure;
    let version = failure.last_good.map(Snapshot::version);
    let age_seconds = failure.age.map(|age| age.as_secs());
    let retry_after_seconds = failure.retry_after.as_secs();
    let took_ms = failure.took.map(milliseconds);
    if reason.is_refusal() {
        error!(
            target: TARGET,
            %reason, version, age_seconds, failures, retry_after_seconds, took_ms,
            "trust material refused"
        );
    } else {
        error!(
            target: TARGET,
            %reason, version, age_seconds, failures, retry_after_seconds, took_ms,
            "trust material not available"
        );
    }
}

/// Logs warnings, the most severe first.
fn warn_about(warnings: &[Warning]) {
    let mut weighty_first: Vec<&Warning> = warnings.iter().collect();
    weighty_first.sort_by_key(|warning| std::cmp::Reverse(warning.severity()));
    for warning in weighty_first.iter().take(SPELLED_OUT) {
        let kind = warning.kind();
        match warning.severity() {
            Severity::Warning => warn!(target: TARGET, kind, %warning, "trust material needs attention"),
            Severity::Notice => info!(target: TARGET, kind, %warning, "trust material is notable"),
        }
    }
    let left_out = warnings.len().saturating_sub(SPELLED_OUT);
    if left_out > 0 {
        warn!(target: TARGET, left_out, "there are more such warnings; `alb-mtls bundle lint` shows all");
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
