//! What sources hold, for a person to read.

use std::collections::HashSet;
use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateDer, Intermediates, ListStanding, RevocationList, RevocationListProblem, RevocationLists,
    Timestamp, TrustAnchor, TrustAnchors,
};

use crate::error::SourceError;
use crate::loader::{Deadline, Loader};
use crate::material::{Authorities, CheckedLists, LookUp, Material, check_revocation_lists};
use crate::provenance::{Role, SourceRecord};
use crate::settings::{CrlState, Missing};
use crate::source::Sources;
use crate::warning::Warning;

/// What is inspected together: CRLs are held against the anchors and intermediates beside them.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectedSources<'a> {
    /// Trust anchors.
    pub anchors: Option<&'a Sources>,
    /// Untrusted intermediates.
    pub intermediates: Option<&'a Sources>,
    /// CRLs.
    pub crls: Option<&'a Sources>,
}

/// Everything that sources hold and everything that is wrong or notable about it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// The sources that could be read, and what they held.
    pub sources: Vec<SourceRecord>,
    /// The trust anchors, each once.
    pub anchors: Vec<TrustAnchor>,
    /// The CRLs, in the order of their sources.
    pub crls: Vec<InspectedList>,
    /// For each trust anchor and intermediate whether the CRLs clear what it issued; empty without CRLs.
    pub issuers: Vec<IssuerCoverage>,
    /// Everything that would keep the material from being used.
    pub problems: Vec<SourceError>,
    /// Everything else that an operator should look after.
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
    /// Who signed it, as far as it can be told; `None` without trust anchors.
    pub standing: Option<ListStanding>,
}

/// What is known of the certificates that an authority issued.
#[derive(Debug)]
#[non_exhaustive]
pub struct IssuerCoverage {
    /// The authority.
    pub issuer: TrustAnchor,
    /// Its newest CRL of each scope.
    pub crls: Vec<Arc<RevocationList>>,
}

/// Reads sources like [`Trust`](crate::Trust) does, but goes on after a problem to find them all.
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
    let LookUp {
        material,
        mut problems,
        ..
    } = Material::look_up(
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
        problems: unusable,
        mut warnings,
        ..
    } = Authorities::of(&material, now);
    problems.extend(unusable);
    let authorities = KnownAuthorities {
        anchors: each_once(anchors),
        intermediates,
    };
    let lists = authorities.verify(all_lists(&material));
    // Without authorities nothing can be said about signatures, and what times say is said all the same.
    let checked = check_revocation_lists(&material, lists.as_ref(), now);
    let CheckedLists {
        problems: refused,
        unusable,
        warnings: notable,
    } = checked;
    problems.extend(refused.into_iter().chain(unusable));
    warnings.extend(notable);
    let issuers = match (inspected.crls, &lists) {
        (Some(_), Some(_)) => authorities.coverage(&material),
        _ => Vec::new(),
    };
    Inspection {
        sources: material.records(),
        crls: inspected_lists(&material, lists.as_ref()),
        issuers,
        anchors: authorities.anchors,
        problems,
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
    /// The lists with what is known about their signatures; `None` without a trust anchor.
    fn verify(&self, lists: Vec<Arc<RevocationList>>) -> Option<RevocationLists> {
        let anchors = TrustAnchors::new(self.anchors.iter().filter_map(again))?;
        let intermediates = Intermediates::new(self.intermediates.iter().cloned()).ok()?;
        Some(RevocationLists::new(lists, &anchors, &intermediates, None))
    }

    fn coverage(&self, material: &Material) -> Vec<IssuerCoverage> {
        let intermediates = self
            .intermediates
            .iter()
            .filter_map(|certificate| TrustAnchor::new(certificate.clone()).ok());
        let issuers = each_once(self.anchors.iter().filter_map(again).chain(intermediates));
        issuers
            .into_iter()
            .map(|issuer| IssuerCoverage {
                crls: newest_of_each_scope(&issuer, all_lists(material)),
                issuer,
            })
            .collect()
    }
}

/// Those that this very authority signed, although others may bear its name.
fn newest_of_each_scope(issuer: &TrustAnchor, lists: Vec<Arc<RevocationList>>) -> Vec<Arc<RevocationList>> {
    let Some(alone) = TrustAnchors::new(again(issuer)) else {
        return Vec::new();
    };
    let lists = RevocationLists::new(lists, &alone, &Intermediates::default(), None);
    let mut newest: Vec<Arc<RevocationList>> = Vec::new();
    for (list, standing) in lists.iter() {
        let is_beside_others = matches!(list.defect(), Some(RevocationListProblem::Unsupported(_)));
        if standing != ListStanding::Verified || is_beside_others {
            continue;
        }
        match newest
            .iter_mut()
            .find(|known| known.coverage() == list.coverage())
        {
            None => newest.push(Arc::clone(list)),
            Some(known) if known.version().is_older_than(list.version()) => *known = Arc::clone(list),
            Some(_) => {}
        }
    }
    newest
}

/// The same authority from its certificate, since who owns anchors keeps them.
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
