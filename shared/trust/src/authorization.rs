//! Policies and the shadow set, read from material.

use std::collections::HashSet;
use std::sync::Arc;

use alb_mtls_verifier::{Fingerprint, Intermediates, RevocationLists, TrustAnchor, TrustAnchors, Verifier};

use crate::error::SourceError;
use crate::material::Material;
use crate::provenance::Role;
use crate::settings::{AuthorizationSettings, TrustSettings};
use crate::snapshot::{Authorization, ShadowSet};
use crate::warning::Warning;

/// Parts that the verifier of the shadow set shares with the one in use.
pub(crate) struct Shared<'a> {
    pub(crate) settings: &'a TrustSettings,
    pub(crate) intermediates: &'a Intermediates,
    pub(crate) revocation_lists: Option<&'a RevocationLists>,
}

/// Reads the policies in use and the shadow set.
///
/// # Errors
/// Everything that is wrong with the policies in use. A shadow set that cannot be used leaves the
/// last one in place, with a warning.
pub(crate) fn read_authorization(
    material: &Material,
    settings: &AuthorizationSettings,
    shared: &Shared<'_>,
    last_good: Option<&Authorization>,
    warnings: &mut Vec<Warning>,
) -> Result<Authorization, Vec<SourceError>> {
    let policies = match settings.policies {
        None => None,
        Some(_) => Some(policies::read(
            material,
            Role::Policies,
            shared.settings,
            warnings,
        )?),
    };
    let shadow = match read_shadow(material, settings, shared, warnings) {
        Ok(shadow) => shadow,
        Err(reason) => {
            warnings.push(Warning::ShadowUnusable { reason });
            last_good.and_then(|last_good| last_good.shadow.clone())
        }
    };
    Ok(Authorization { policies, shadow })
}

/// `None` when no shadow set is configured.
fn read_shadow(
    material: &Material,
    settings: &AuthorizationSettings,
    shared: &Shared<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Arc<ShadowSet>>, String> {
    if settings.shadow_anchors.is_none() && settings.shadow_policies.is_none() {
        return Ok(None);
    }
    // Sources that could not be read and were never good: the lookup has reported what is wrong.
    let missing = [Role::ShadowAnchors, Role::ShadowPolicies]
        .into_iter()
        .flat_map(|role| material.of_role(role))
        .find(|source| source.documents.is_empty());
    if let Some(source) = missing {
        return Err(format!("`{}` could not be read", source.source));
    }
    let verifier = match settings.shadow_anchors {
        None => None,
        Some(_) => Some(shadow_verifier(material, shared)?),
    };
    let policies = match settings.shadow_policies {
        None => None,
        Some(_) => Some(
            policies::read(material, Role::ShadowPolicies, shared.settings, warnings)
                .map_err(|errors| first_of(&errors))?,
        ),
    };
    Ok(Some(Arc::new(ShadowSet::new(verifier, policies))))
}

fn shadow_verifier(material: &Material, shared: &Shared<'_>) -> Result<Verifier, String> {
    let mut known: HashSet<Fingerprint> = HashSet::new();
    let mut anchors = Vec::new();
    for source in material.of_role(Role::ShadowAnchors) {
        for document in &source.documents {
            for (certificate, entry) in document.items.certificates().iter().zip(1..) {
                let anchor = TrustAnchor::new(certificate.clone()).map_err(|problem| {
                    format!("`{}`: entry {entry}: {problem}", document.revision.place())
                })?;
                if known.insert(anchor.id()) {
                    anchors.push(anchor);
                }
            }
        }
    }
    let anchors = TrustAnchors::new(anchors).ok_or("there is no trust anchor to try out")?;
    let intermediates = shared.intermediates.clone();
    let lists = shared.revocation_lists.map(|in_use| {
        let lists = in_use.iter().map(|(list, _)| Arc::clone(list));
        Arc::new(RevocationLists::new(
            lists,
            &anchors,
            &intermediates,
            Some(in_use),
        ))
    });
    let verifier = shared.settings.verifier(anchors, intermediates);
    Ok(shared.settings.with_revocation(verifier, lists))
}

fn first_of(problems: &[SourceError]) -> String {
    match problems {
        [] => String::new(),
        [only] => only.to_string(),
        [first, others @ ..] => format!("{first} (and {} more)", others.len()),
    }
}

#[cfg(feature = "policy")]
mod policies {
    use std::sync::Arc;

    use alb_mtls_policy::{Policies, PolicyError};

    use crate::error::{SourceError, SourceErrorKind};
    use crate::material::Material;
    use crate::provenance::Role;
    use crate::settings::TrustSettings;
    use crate::warning::Warning;

    /// Reads all policies of a role as one set.
    pub(super) fn read(
        material: &Material,
        role: Role,
        settings: &TrustSettings,
        warnings: &mut Vec<Warning>,
    ) -> Result<Arc<Policies>, Vec<SourceError>> {
        let mut documents = Vec::new();
        for source in material.of_role(role) {
            for document in &source.documents {
                documents.push((
                    source.source.to_string(),
                    document.revision.place(),
                    document.items.policies(),
                ));
            }
        }
        let texts = documents.iter().map(|(_, place, text)| (place.as_str(), *text));
        let policies = Policies::parse_all(texts).and_then(|policies| {
            policies.check_extensions(&settings.identity_extensions)?;
            Ok(policies)
        });
        match policies {
            Ok(policies) => {
                let notable = policies.warnings().iter();
                warnings.extend(notable.map(|warning| Warning::Policy(warning.to_string())));
                Ok(Arc::new(policies))
            }
            Err(errors) => {
                let source_of = |error: &PolicyError| {
                    let document = documents.iter().find(|(_, place, _)| *place == error.source_name);
                    document.map_or_else(|| error.source_name.clone(), |(source, ..)| source.clone())
                };
                Err(errors
                    .iter()
                    .map(|error| SourceError {
                        source: source_of(error),
                        origin: Some(error.source_name.clone()),
                        kind: SourceErrorKind::Policy {
                            place: error.place.map(|place| (place.line, place.column)),
                            message: error.problem.to_string(),
                        },
                    })
                    .collect())
            }
        }
    }
}

#[cfg(not(feature = "policy"))]
mod policies {
    use std::sync::Arc;

    use crate::error::SourceError;
    use crate::fetch_error::FetchError;
    use crate::material::Material;
    use crate::provenance::Role;
    use crate::settings::TrustSettings;
    use crate::snapshot::Policies;
    use crate::warning::Warning;

    pub(super) fn read(
        material: &Material,
        role: Role,
        _settings: &TrustSettings,
        _warnings: &mut Vec<Warning>,
    ) -> Result<Arc<Policies>, Vec<SourceError>> {
        let source = material.of_role(role).next();
        Err(vec![SourceError {
            source: source.map(|source| source.source.to_string()).unwrap_or_default(),
            origin: None,
            kind: FetchError::Setup(
                "this program was built without policies (cargo feature `policy`)".into(),
            )
            .into(),
        }])
    }
}
