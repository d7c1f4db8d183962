//! Inspection of sources, for an operator to read.

use std::collections::HashSet;
use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateDer, Intermediates, IssuerForecast, IssuingPath, ListStanding, Reason, Rejection,
    RevocationList, RevocationLists, RevocationMode, RevocationOptions, SignatureAlgorithms, Timestamp,
    TrustAnchor, TrustAnchors, Verifier, VerifyOptions,
};

use crate::authorities::Authorities;
use crate::error::SourceError;
use crate::gather::{Gathered, gather};
use crate::lists::{CheckedLists, check_revocation_lists};
use crate::loader::Loader;
use crate::material::Material;
use crate::provenance::{Role, SourceRecord};
use crate::refreshing::Deadline;
use crate::settings::{CrlState, Missing};
use crate::source::Sources;
use crate::warning::Warning;

/// Sources that are inspected together: CRLs are checked against the anchors and intermediates
/// beside them.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectedSources<'a> {
    /// Trust anchors.
    pub anchors: Option<&'a Sources>,
    /// Untrusted intermediates.
    pub intermediates: Option<&'a Sources>,
    /// CRLs.
    pub crls: Option<&'a Sources>,
    /// Options that clients will be verified with.
    pub options: VerifyOptions,
}

/// Content of sources, with everything that is wrong or notable about it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// The sources that could be read, and their content.
    pub sources: Vec<SourceRecord>,
    /// The trust anchors, each once.
    pub anchors: Vec<TrustAnchor>,
    /// The CRLs, in the order of their sources.
    pub crls: Vec<InspectedList>,
    /// Each trust anchor and intermediate, and whether a client below it can be accepted; empty
    /// without trust anchors.
    pub authorities: Vec<InspectedAuthority>,
    /// Status of what each CA issued according to the CRLs; empty without CRLs.
    pub forecasts: Vec<IssuerForecast>,
    /// Errors that would keep the material from being used.
    pub errors: Vec<SourceError>,
    /// Warnings for the operator.
    pub warnings: Vec<Warning>,
}

/// A CRL and where it is.
#[derive(Debug)]
#[non_exhaustive]
pub struct InspectedList {
    /// The file, parameter or object.
    pub origin: String,
    /// Number of the CRL in it, from 1.
    pub entry: usize,
    /// The CRL.
    pub list: Arc<RevocationList>,
    /// Signer, as far as it is known; `None` without trust anchors.
    pub standing: Option<ListStanding>,
}

/// A trust anchor or intermediate, where it is, and the paths above it.
#[derive(Debug)]
#[non_exhaustive]
pub struct InspectedAuthority {
    /// The certificate.
    pub certificate: TrustAnchor,
    /// [`Role::Anchors`] or [`Role::Intermediates`].
    pub role: Role,
    /// The file, parameter or object.
    pub origin: String,
    /// Number of the certificate in it, from 1.
    pub entry: usize,
    /// Paths from an intermediate to the trust anchors, empty for a trust anchor. Otherwise the
    /// rejection of every client below the certificate.
    pub paths: Result<Vec<IssuingPath>, Rejection>,
}

/// Reads sources like [`Trust`](crate::Trust), but goes on after an error to find them all.
pub async fn inspect(
    loader: &Loader,
    inspected: InspectedSources<'_>,
    deadline: Deadline,
    now: Timestamp,
) -> Inspection {
    let sources: Vec<(Role, &Sources)> = [
        (Role::Anchors, inspected.anchors),
        (Role::Intermediates, inspected.intermediates),
        (Role::RevocationLists, inspected.crls),
    ]
    .into_iter()
    .filter_map(|(role, sources)| Some((role, sources?)))
    .collect();
    let Gathered {
        material, mut errors, ..
    } = gather(
        loader,
        &sources,
        Missing::Refused,
        CrlState::Ignore,
        &Material::default(),
        deadline,
    )
    .await;
    let Authorities {
        anchors,
        intermediates,
        errors: unusable,
        mut warnings,
    } = Authorities::from_material(&material, now);
    errors.extend(unusable);
    let authorities = KnownAuthorities {
        anchors: each_once(anchors),
        intermediates,
    };
    let lists = authorities.verify(all_lists(&material));
    let signatures = inspected.options.signatures;
    // Without authorities no signature can be checked; the times in CRLs can.
    let checked = check_revocation_lists(&material, lists.as_ref(), signatures, now);
    let CheckedLists {
        errors: refused,
        unusable,
        warnings: notable,
    } = checked;
    errors.extend(refused.into_iter().chain(unusable));
    warnings.extend(notable);
    let forecasts = match (inspected.crls, &lists) {
        (Some(_), Some(lists)) => authorities.forecast(lists, signatures, now),
        _ => Vec::new(),
    };
    let crls = inspected_lists(&material, lists.as_ref());
    let inspected_authorities = authorities
        .verifier(inspected.options, lists)
        .map(|verifier| inspect_authorities(&material, &verifier, now))
        .unwrap_or_default();
    warnings.retain(|warning| !is_said_by_path(warning, &inspected_authorities));
    Inspection {
        sources: material.records(),
        crls,
        authorities: inspected_authorities,
        forecasts,
        anchors: authorities.anchors,
        errors,
        warnings,
    }
}

/// Reads trust anchors alone, see [`inspect`].
pub async fn inspect_anchors(
    loader: &Loader,
    anchors: &Sources,
    deadline: Deadline,
    now: Timestamp,
) -> Inspection {
    let inspected = InspectedSources {
        anchors: Some(anchors),
        ..InspectedSources::default()
    };
    inspect(loader, inspected, deadline, now).await
}

struct KnownAuthorities {
    anchors: Vec<TrustAnchor>,
    intermediates: Vec<CertificateDer<'static>>,
}

impl KnownAuthorities {
    /// Returns the lists with the result of checking their signatures; `None` without a trust
    /// anchor.
    fn verify(&self, lists: Vec<Arc<RevocationList>>) -> Option<RevocationLists> {
        let anchors = TrustAnchors::new(self.anchors.iter().filter_map(again))?;
        let intermediates = Intermediates::new(self.intermediates.iter().cloned()).ok()?;
        Some(RevocationLists::new(lists, &anchors, &intermediates, None))
    }

    /// Returns a verifier that decides like the functions', except that clients of unknown status
    /// pass; `None` without a trust anchor.
    fn verifier(&self, policy: VerifyOptions, lists: Option<RevocationLists>) -> Option<Verifier> {
        let anchors = TrustAnchors::new(self.anchors.iter().filter_map(again))?;
        let intermediates = Intermediates::new(self.intermediates.iter().cloned()).ok()?;
        let verifier = Verifier::new(anchors, intermediates, policy);
        Some(match lists {
            Some(lists) if !lists.is_empty() => {
                let policy = RevocationOptions {
                    mode: RevocationMode::Soft,
                    ..RevocationOptions::default()
                };
                verifier.with_revocation(Arc::new(lists), policy)
            }
            _ => verifier,
        })
    }

    fn forecast(
        &self,
        lists: &RevocationLists,
        signatures: SignatureAlgorithms,
        now: Timestamp,
    ) -> Vec<IssuerForecast> {
        let intermediates = self
            .intermediates
            .iter()
            .filter_map(|certificate| TrustAnchor::new(certificate.clone()).ok());
        let issuers = each_once(self.anchors.iter().filter_map(again).chain(intermediates));
        lists.forecast(&issuers, 0, signatures, now)
    }
}

/// Checks each certificate by the rules for clients below it, each certificate of a role once.
fn inspect_authorities(material: &Material, verifier: &Verifier, now: Timestamp) -> Vec<InspectedAuthority> {
    let mut authorities: Vec<InspectedAuthority> = Vec::new();
    for role in [Role::Anchors, Role::Intermediates] {
        let mut seen = HashSet::new();
        for document in material.of_role(role).flat_map(|source| &source.documents) {
            for (certificate, entry) in document.items.certificates().iter().zip(1..) {
                let Ok(certificate) = TrustAnchor::new(certificate.clone()) else {
                    continue;
                };
                if seen.insert(certificate.id()) {
                    authorities.push(InspectedAuthority {
                        paths: paths_above(&certificate, role, verifier, now),
                        role,
                        origin: document.revision.place(),
                        entry,
                        certificate,
                    });
                }
            }
        }
    }
    authorities
}

/// Returns the paths above a certificate. One that will be valid later is also checked by the rules
/// of that time: it was published in advance.
fn paths_above(
    certificate: &TrustAnchor,
    role: Role,
    verifier: &Verifier,
    now: Timestamp,
) -> Result<Vec<IssuingPath>, Rejection> {
    let paths = |time| match role {
        Role::Anchors => verifier.check_anchor(certificate, time).map(|()| Vec::new()),
        _ => verifier.issuing_paths(certificate.certificate(), time),
    };
    let not_before = certificate.validity().not_before;
    match paths(now) {
        Err(rejection) if is_early(&rejection) && now < not_before => paths(not_before),
        paths => paths,
    }
}

/// Returns true for a rejection that time alone will end.
fn is_early(rejection: &Rejection) -> bool {
    matches!(
        rejection.reason(),
        Reason::NotYetValid | Reason::AnchorNotYetValid
    )
}

/// Returns true for the warning that a certificate has expired where its paths also say so.
fn is_said_by_path(warning: &Warning, authorities: &[InspectedAuthority]) -> bool {
    let Warning::Expired { anchor, .. } = warning else {
        return false;
    };
    authorities.iter().any(|authority| {
        let expired =
            |rejection: &Rejection| matches!(rejection.reason(), Reason::Expired | Reason::AnchorExpired);
        authority.origin == anchor.origin
            && authority.entry == anchor.entry
            && authority.paths.as_ref().is_err_and(expired)
    })
}

impl InspectedAuthority {
    /// Returns true where time alone will let clients in, as for a certificate that was published
    /// in advance.
    pub fn is_early(&self) -> bool {
        self.paths.as_ref().is_err_and(is_early)
    }
}

/// Reads an authority again from its certificate: an owner of anchors keeps them.
fn again(authority: &TrustAnchor) -> Option<TrustAnchor> {
    TrustAnchor::new(authority.certificate().clone()).ok()
}

fn all_lists(material: &Material) -> Vec<Arc<RevocationList>> {
    material
        .revocation_lists()
        .map(|located| Arc::clone(located.list))
        .collect()
}

fn inspected_lists(material: &Material, lists: Option<&RevocationLists>) -> Vec<InspectedList> {
    let standing_of = |wanted: &Arc<RevocationList>| {
        let mut known = lists?.iter();
        known.find_map(|(list, standing)| Arc::ptr_eq(list, wanted).then_some(standing))
    };
    material
        .revocation_lists()
        .map(|located| InspectedList {
            origin: located.located.origin.place(),
            entry: located.located.entry,
            list: Arc::clone(located.list),
            standing: standing_of(located.list),
        })
        .collect()
}

fn each_once(authorities: impl IntoIterator<Item = TrustAnchor>) -> Vec<TrustAnchor> {
    let mut seen = HashSet::new();
    authorities
        .into_iter()
        .filter(|authority| seen.insert(authority.id()))
        .collect()
}
