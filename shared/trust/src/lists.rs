//! Checks of CRLs: which of them count.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use alb_mtls_verifier::{
    Departures, ListStanding, RevocationList, RevocationLists, RevocationMode, SignatureAlgorithms, Timestamp,
};

use crate::error::{LoadError, SourceError, SourceErrorKind};
use crate::material::{LocatedList, Material};
use crate::warning::{Warning, find_list_warnings, named};

/// Returns the CRLs of the material. None of them contradicts those in use before.
///
/// Under `strict`, a CRL that cannot be read, that is forged or that its CA is not allowed to sign
/// rejects the material: the lists in use before stay. Under `soft`, rejecting would let every
/// revoked client in at the next start; such a CRL is left out with a warning. One that was in use
/// before is then missing, which rejects the material in both modes. A CRL with a defect, or with a
/// signature that is not supported or not allowed, stays beside the others in both modes. It clears
/// no certificate, so that `strict` rejects the certificates of its issuer alone.
pub(crate) fn verified_lists(
    material: &Material,
    departures: &Departures<'_>,
    mode: RevocationMode,
    signatures: SignatureAlgorithms,
    previous: Option<&RevocationLists>,
    now: Timestamp,
    warnings: &mut Vec<Warning>,
) -> Result<Arc<RevocationLists>, LoadError> {
    let all = material
        .revocation_lists()
        .map(|located| Arc::clone(located.list));
    let mut history = previous.map(RevocationLists::history).unwrap_or_default();
    history.merge(&material.crl_history());
    let Departures {
        anchors,
        intermediates,
        ..
    } = departures;
    let lists = RevocationLists::with_history(all, anchors, intermediates, previous, history);
    let CheckedLists {
        errors,
        unusable,
        warnings: notable,
    } = check_revocation_lists(material, Some(&lists), signatures, now);
    if mode == RevocationMode::Strict && !errors.is_empty() {
        return Err(LoadError::Sources(errors));
    }
    let left_out = errors.into_iter().chain(unusable);
    warnings.extend(left_out.map(|error| Warning::CrlUnusable { error }));
    warnings.extend(notable);
    lists
        .succeed(previous, departures)
        .map(Arc::new)
        .map_err(|error| LoadError::CrlHistory { error })
}

/// CRLs of the material with something wrong.
#[derive(Debug, Default)]
pub(crate) struct CheckedLists {
    /// CRLs that cannot be read, are forged or damaged, or that their CA is not allowed to sign.
    pub(crate) errors: Vec<SourceError>,
    /// CRLs that clear no certificate for another reason.
    pub(crate) unusable: Vec<SourceError>,
    pub(crate) warnings: Vec<Warning>,
}

/// Finds the CRLs that do not count or do not clear certificates, and what is notable about the
/// others. Without `lists`, signatures are not checked.
pub(crate) fn check_revocation_lists(
    material: &Material,
    lists: Option<&RevocationLists>,
    signatures: SignatureAlgorithms,
    now: Timestamp,
) -> CheckedLists {
    let standings: HashMap<*const RevocationList, ListStanding> = lists
        .into_iter()
        .flat_map(RevocationLists::iter)
        .map(|(list, standing)| (Arc::as_ptr(list), standing))
        .collect();
    let not_allowed: HashMap<*const RevocationList, &str> = lists
        .into_iter()
        .flat_map(|lists| lists.not_allowed(signatures))
        .map(|(list, algorithm)| (Arc::as_ptr(list), algorithm))
        .collect();
    let without_base: HashSet<*const RevocationList> = lists
        .into_iter()
        .flat_map(RevocationLists::deltas_without_base)
        .map(Arc::as_ptr)
        .collect();
    let mut checked = CheckedLists::default();
    checked.errors.extend(material.unreadable_lists());
    for LocatedList {
        source,
        located,
        list,
    } in material.revocation_lists()
    {
        let standing = standings.get(&Arc::as_ptr(list));
        let (entry, issuer) = (located.entry, list.issuer().to_string());
        let error = |kind| SourceError {
            source: source.to_string(),
            origin: Some(located.origin.place()),
            kind,
        };
        checked
            .warnings
            .extend(find_list_warnings(list, located, standing, now));
        if without_base.contains(&Arc::as_ptr(list)) {
            let crl = named(list, located);
            checked.warnings.push(Warning::CrlBaseMissing { crl });
        }
        if let Some(defect) = list.defect() {
            checked
                .unusable
                .push(error(SourceErrorKind::RevocationListUnusable {
                    entry,
                    issuer: issuer.clone(),
                    error: defect.clone(),
                }));
        }
        if let Some(algorithm) = not_allowed.get(&Arc::as_ptr(list)) {
            checked
                .unusable
                .push(error(SourceErrorKind::RevocationListSignature {
                    entry,
                    issuer: issuer.clone(),
                    reason: format!("it is signed with {algorithm}, and MTLS_SIGNATURES lists {signatures}"),
                }));
        }
        let refused = match standing {
            None | Some(ListStanding::Verified | ListStanding::IssuerUnknown) => continue,
            Some(ListStanding::SignatureUnsupported(_)) => &mut checked.unusable,
            Some(ListStanding::IssuerMayNotSign | ListStanding::SignatureInvalid) => &mut checked.errors,
        };
        refused.push(error(SourceErrorKind::RevocationListSignature {
            entry,
            issuer,
            reason: standing.map(ListStanding::to_string).unwrap_or_default(),
        }));
    }
    checked
}
