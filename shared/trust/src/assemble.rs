//! Assembly of a snapshot from material. No other module knows all parts of a snapshot.

use std::collections::HashSet;
use std::sync::Arc;

use alb_mtls_verifier::{
    CryptoModule, Departures, Fingerprint, Intermediates, RevocationMode, Timestamp, TrustAnchors,
};

use crate::authorities::Authorities;
use crate::authorization::{Shared, read_authorization};
use crate::error::{LoadError, SourceError, SourceErrorKind};
use crate::fetch_error::FetchError;
use crate::lists::verified_lists;
use crate::material::Material;
use crate::settings::{AuthorizationSettings, TrustSettings};
use crate::snapshot::Snapshot;

/// Makes the snapshot of this material, to take the place of `last_good`.
///
/// # Errors
/// Everything that is wrong with the material. A part of it is never used alone. In a build with
/// the cargo feature `fips`, no material is used without FIPS mode.
pub(crate) fn assemble(
    material: &Material,
    settings: &TrustSettings,
    authorization: &AuthorizationSettings,
    last_good: Option<&Snapshot>,
    now: Timestamp,
) -> Result<Snapshot, LoadError> {
    CryptoModule::check()?;
    let Authorities {
        anchors,
        intermediates,
        errors,
        mut warnings,
    } = Authorities::from_material(material, now);
    if !errors.is_empty() {
        return Err(LoadError::Sources(errors));
    }
    let unusable = |kind| {
        let source = material.sources.first();
        LoadError::Sources(vec![SourceError {
            source: source.map(|source| source.source.to_string()).unwrap_or_default(),
            origin: None,
            kind,
        }])
    };
    let intermediates = Intermediates::new(intermediates).map_err(|(position, error)| {
        unusable(SourceErrorKind::Authority {
            entry: position + 1,
            subject: None,
            error,
        })
    })?;
    let Some(anchors) = TrustAnchors::new(anchors) else {
        return Err(unusable(
            FetchError::NotFound("there is no trust anchor".into()).into(),
        ));
    };
    let lists = match &settings.revocation {
        None => None,
        Some(revocation) => {
            // In strict mode a certificate of unknown status is rejected, whether its CRL has ended
            // or is gone.
            let mode = revocation.options.mode;
            let is_strict = mode == RevocationMode::Strict;
            let grace = i64::from(revocation.options.grace_seconds);
            let departures = Departures {
                anchors: &anchors,
                intermediates: &intermediates,
                ended_before: is_strict.then(|| now.plus_seconds(-grace)),
            };
            let previous = last_good.and_then(Snapshot::revocation_lists).map(Arc::as_ref);
            let signatures = settings.options.signatures;
            let lists = verified_lists(
                material,
                &departures,
                mode,
                signatures,
                previous,
                now,
                &mut warnings,
            )?;
            Some(lists)
        }
    };
    let shared = Shared {
        settings,
        intermediates: &intermediates,
        revocation_lists: lists.as_deref(),
    };
    let before = last_good.map(Snapshot::authorization);
    let authorization = read_authorization(material, authorization, &shared, before, &mut warnings)
        .map_err(LoadError::Sources)?;
    let verifier = settings.verifier(anchors, intermediates);
    let verifier = settings.with_revocation(verifier, lists.clone());
    let snapshot = Snapshot::new(verifier, lists, now, material.records(), warnings);
    let snapshot = snapshot.with_authorization(authorization);
    check_anchor_loss(settings, &snapshot, last_good)?;
    Ok(snapshot)
}

/// Checks that at most the allowed part of the trust anchors in use is missing.
fn check_anchor_loss(
    settings: &TrustSettings,
    snapshot: &Snapshot,
    last_good: Option<&Snapshot>,
) -> Result<(), LoadError> {
    let Some(last_good) = last_good else {
        return Ok(());
    };
    let anchors_of = |snapshot: &Snapshot| -> HashSet<Fingerprint> {
        let anchors = snapshot.verifier().anchors();
        anchors.iter().map(|anchor| anchor.id()).collect()
    };
    let (kept, before) = (anchors_of(snapshot), anchors_of(last_good));
    let lost = before.difference(&kept).count();
    let allowed = settings.max_anchor_loss;
    if allowed.covers(lost, before.len()) {
        Ok(())
    } else {
        Err(LoadError::AnchorLoss {
            before: before.len(),
            lost,
            allowed,
        })
    }
}
