//! From documents to certificates, and from certificates to what decisions are based on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateDer, CertificateSummary, CrlHistory, Departures, Fingerprint, Intermediates, ListStanding,
    RevocationList, RevocationListError, RevocationLists, RevocationMode, Timestamp, TrustAnchor,
    TrustAnchors, Verifier, parse_each_revocation_list, read_bundle, read_text,
};
use futures_util::future::join_all;

use crate::authorization::{Authorization, AuthorizationSettings, Common};
use crate::crl_state::{MAX_CRL_STATE_BYTES, crl_state_object, read_crl_state};
use crate::document::{Content, Document};
use crate::error::{LoadError, SourceError, SourceProblem};
use crate::loader::{Deadline, Loader};
use crate::provenance::{Revision, Role, SourceRecord};
use crate::settings::{CrlState, Missing, TrustSettings};
use crate::snapshot::Snapshot;
use crate::source::{Source, Sources};
use crate::warning::{Located, Warning, find_list_warnings, find_warnings};

/// The most bytes of certificates that are read from one source.
pub const MAX_CERTIFICATE_BYTES: usize = 16 * 1_024 * 1_024;

/// The most bytes of CRLs, unpacked, that are read from one source: two and a half times ALB's own limit.
pub const MAX_CRL_BYTES: usize = 128 * 1_024 * 1_024;

/// The most bytes of policies that are read from one source.
pub const MAX_POLICY_BYTES: usize = 1_024 * 1_024;

/// The certificates and CRLs of every source, with the exact revision that they came from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Material {
    pub(crate) sources: Vec<SourceMaterial>,
}

#[derive(Clone, Debug)]
pub(crate) struct SourceMaterial {
    pub(crate) source: Source,
    pub(crate) role: Role,
    pub(crate) documents: Vec<DocumentMaterial>,
}

#[derive(Clone, Debug)]
pub(crate) struct DocumentMaterial {
    pub(crate) revision: Revision,
    pub(crate) items: Items,
}

impl SourceMaterial {
    fn items(&self) -> impl Iterator<Item = &Items> {
        self.documents.iter().map(|document| &document.items)
    }
}

/// What a document holds, by the role of its source.
#[derive(Clone, Debug)]
pub(crate) enum Items {
    Certificates(Arc<[CertificateDer<'static>]>),
    /// Each CRL in order, or why it cannot be read. At least one can.
    RevocationLists(Arc<[Result<Arc<RevocationList>, RevocationListError>]>),
    /// Record of the CRLs of the same source.
    CrlState(Arc<CrlHistory>),
    Policies(
        #[cfg_attr(
            not(feature = "policy"),
            expect(dead_code, reason = "without policies nobody asks for them")
        )]
        Arc<str>,
    ),
}

impl Items {
    fn read(role: Role, content: Vec<u8>) -> Result<Self, SourceProblem> {
        match role {
            Role::Anchors | Role::Intermediates | Role::ShadowAnchors => {
                Ok(Self::Certificates(read_bundle(&content)?.into()))
            }
            Role::Policies | Role::ShadowPolicies => match read_text(content) {
                Ok(text) => Ok(Self::Policies(text.into())),
                Err(message) => Err(SourceProblem::Policy { place: None, message }),
            },
            Role::RevocationLists => {
                let lists = parse_each_revocation_list(content, MAX_CRL_BYTES)?;
                match lists.iter().find_map(|list| list.as_ref().err()) {
                    Some(error) if lists.iter().all(Result::is_err) => Err(error.clone().into()),
                    _ => Ok(Self::RevocationLists(lists.into())),
                }
            }
        }
    }

    fn read_crl_state(content: Vec<u8>) -> Result<Self, SourceProblem> {
        Ok(Self::CrlState(Arc::new(read_crl_state(&content)?)))
    }

    pub(crate) fn certificates(&self) -> &[CertificateDer<'static>] {
        match self {
            Self::Certificates(certificates) => certificates,
            Self::RevocationLists(_) | Self::CrlState(_) | Self::Policies(_) => &[],
        }
    }

    #[cfg(feature = "policy")]
    pub(crate) fn policies(&self) -> &str {
        match self {
            Self::Policies(text) => text,
            Self::Certificates(_) | Self::RevocationLists(_) | Self::CrlState(_) => "",
        }
    }

    fn revocation_lists(&self) -> &[Result<Arc<RevocationList>, RevocationListError>] {
        match self {
            Self::Certificates(_) | Self::CrlState(_) | Self::Policies(_) => &[],
            Self::RevocationLists(lists) => lists,
        }
    }
}

/// What a look-up found, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct LookUp {
    pub(crate) material: Material,
    pub(crate) change: Change,
    pub(crate) problems: Vec<SourceError>,
    /// What is wrong with material that may be missing.
    pub(crate) tolerated: Vec<(Role, SourceError)>,
}

/// Whether a look-up found something else than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Same,
    Different,
}

/// A CRL and where it is.
pub(crate) struct LocatedList<'a> {
    source: &'a Source,
    pub(crate) located: Located<'a>,
    pub(crate) list: &'a Arc<RevocationList>,
}

impl Material {
    /// Reads all sources side by side. What is unchanged since `known` is taken from there.
    ///
    /// A source of CRLs that cannot be read or used counts as unchanged where its CRLs may be missing, and so does one
    /// of the shadow set.
    pub(crate) async fn look_up(
        loader: &Loader,
        sources: &[(Role, &Sources)],
        missing_lists: Missing,
        crl_state: CrlState,
        known: &Self,
        deadline: Deadline,
    ) -> LookUp {
        let wanted = sources
            .iter()
            .flat_map(|(role, sources)| sources.iter().map(|source| (*role, source)));
        let fetching = wanted.map(async |(role, source)| {
            let known = known.documents_of(role, source);
            let revisions: Vec<Revision> = known.iter().map(|document| document.revision.clone()).collect();
            let limit = match role {
                Role::Anchors | Role::Intermediates | Role::ShadowAnchors => MAX_CERTIFICATE_BYTES,
                Role::RevocationLists => MAX_CRL_BYTES,
                Role::Policies | Role::ShadowPolicies => MAX_POLICY_BYTES,
            };
            // One after the other: a CRL is published before its record, so that a CRL that is read after the record
            // is never older than it.
            let state = match crl_state_source(role, source, crl_state) {
                None => Ok(Vec::new()),
                Some(state) => fetch_crl_state(loader, source, &state, &revisions, deadline).await,
            };
            let fetched = match state {
                Ok(state) => {
                    let lists = loader.fetch(source, &revisions, limit, deadline).await;
                    lists.map(|lists| (state, lists))
                }
                Err(problem) => Err(problem),
            };
            (role, source, known, fetched)
        });
        let mut found = LookUp {
            material: Self::default(),
            change: Change::Same,
            problems: Vec::new(),
            tolerated: Vec::new(),
        };
        for (role, source, known, fetched) in join_all(fetching).await {
            let may_be_missing = match role {
                Role::Anchors | Role::Intermediates | Role::Policies => false,
                Role::RevocationLists => missing_lists == Missing::Tolerated,
                Role::ShadowAnchors | Role::ShadowPolicies => true,
            };
            let (documents, problems) = match fetched {
                Ok((state, documents)) => {
                    let (mut read, mut problems) =
                        read_documents(Items::read_crl_state, source, state, known);
                    let (documents, others) =
                        read_documents(|content| Items::read(role, content), source, documents, known);
                    read.extend(documents);
                    problems.extend(others);
                    (read, problems)
                }
                Err(problem) => (Vec::new(), vec![problem]),
            };
            let documents = if problems.is_empty() {
                if differ(&documents, known) {
                    found.change = Change::Different;
                }
                documents
            } else if may_be_missing {
                found
                    .tolerated
                    .extend(problems.into_iter().map(|problem| (role, problem)));
                known.to_vec()
            } else {
                found.problems.extend(problems);
                documents
            };
            found.material.sources.push(SourceMaterial {
                source: source.clone(),
                role,
                documents,
            });
        }
        found
    }

    fn documents_of(&self, role: Role, source: &Source) -> &[DocumentMaterial] {
        self.sources
            .iter()
            .find(|known| known.role == role && known.source == *source)
            .map_or(&[], |known| known.documents.as_slice())
    }

    pub(crate) fn of_role(&self, role: Role) -> impl Iterator<Item = &SourceMaterial> {
        self.sources.iter().filter(move |source| source.role == role)
    }

    pub(crate) fn revocation_lists(&self) -> impl Iterator<Item = LocatedList<'_>> {
        self.sources.iter().flat_map(|source| {
            source.documents.iter().flat_map(move |document| {
                let lists = document.items.revocation_lists().iter().zip(1..);
                lists.filter_map(move |(list, entry)| {
                    Some(LocatedList {
                        source: &source.source,
                        located: Located {
                            origin: &document.revision,
                            entry,
                        },
                        list: list.as_ref().ok()?,
                    })
                })
            })
        })
    }

    /// CRLs that cannot be read, in files with others that can.
    fn unreadable_lists(&self) -> impl Iterator<Item = SourceError> {
        self.sources.iter().flat_map(|source| {
            source.documents.iter().flat_map(move |document| {
                let errors = document.items.revocation_lists().iter();
                errors
                    .filter_map(|list| list.as_ref().err())
                    .map(|error| SourceError {
                        source: source.source.to_string(),
                        origin: Some(document.revision.place()),
                        problem: error.clone().into(),
                    })
            })
        })
    }

    /// Everything that the records beside CRLs know.
    fn crl_history(&self) -> CrlHistory {
        let mut all = CrlHistory::default();
        for items in self
            .of_role(Role::RevocationLists)
            .flat_map(SourceMaterial::items)
        {
            if let Items::CrlState(history) = items {
                all.merge(history);
            }
        }
        all
    }

    pub(crate) fn records(&self) -> Vec<SourceRecord> {
        self.sources
            .iter()
            .map(|source| SourceRecord {
                source: source.source.clone(),
                role: source.role,
                documents: source
                    .documents
                    .iter()
                    .map(|document| document.revision.clone())
                    .collect(),
                certificates: source.items().map(|items| items.certificates().len()).sum(),
                crls: source
                    .items()
                    .map(|items| {
                        items
                            .revocation_lists()
                            .iter()
                            .filter(|list| list.is_ok())
                            .count()
                    })
                    .sum(),
            })
            .collect()
    }
}

/// The record of the CRLs of a source, if it can have one.
fn crl_state_source(role: Role, source: &Source, crl_state: CrlState) -> Option<Source> {
    match (role, source, crl_state) {
        (Role::RevocationLists, Source::Object(object), CrlState::Read) => {
            crl_state_object(object).map(Source::Object)
        }
        _ => None,
    }
}

/// Reads a record, which need not be there: CRLs may come from other programs than `refresh-crls`.
async fn fetch_crl_state(
    loader: &Loader,
    source: &Source,
    state: &Source,
    known: &[Revision],
    deadline: Deadline,
) -> Result<Vec<Document>, SourceError> {
    match loader.fetch(state, known, MAX_CRL_STATE_BYTES, deadline).await {
        Ok(documents) => Ok(documents),
        Err(error) if matches!(error.problem, SourceProblem::NotFound(_)) => Ok(Vec::new()),
        Err(error) => Err(SourceError {
            source: source.to_string(),
            origin: None,
            problem: SourceProblem::CrlStateUnavailable {
                object: state.to_string(),
                problem: Box::new(error.problem),
            },
        }),
    }
}

/// Returns the subject of a certificate, where it can be read.
fn subject_of(certificate: &CertificateDer<'_>) -> Option<String> {
    let subject = CertificateSummary::read(certificate)?.subject?;
    Some(subject.to_string())
}

fn differ(documents: &[DocumentMaterial], known: &[DocumentMaterial]) -> bool {
    let same = |(new, old): (&DocumentMaterial, &DocumentMaterial)| {
        new.revision.origin == old.revision.origin
            && new.revision.target == old.revision.target
            && new.revision.sha256 == old.revision.sha256
    };
    documents.len() != known.len() || !documents.iter().zip(known).all(same)
}

fn read_documents(
    read_items: impl Fn(Vec<u8>) -> Result<Items, SourceProblem>,
    source: &Source,
    documents: Vec<Document>,
    known: &[DocumentMaterial],
) -> (Vec<DocumentMaterial>, Vec<SourceError>) {
    let (mut read, mut problems) = (Vec::with_capacity(documents.len()), Vec::new());
    for document in documents {
        match read_document(&read_items, document, known) {
            Ok(document) => read.push(document),
            Err((origin, problem)) => problems.push(SourceError {
                source: source.to_string(),
                origin: Some(origin),
                problem,
            }),
        }
    }
    (read, problems)
}

fn read_document(
    read_items: impl Fn(Vec<u8>) -> Result<Items, SourceProblem>,
    document: Document,
    known: &[DocumentMaterial],
) -> Result<DocumentMaterial, (String, SourceProblem)> {
    let Document { revision, content } = document;
    let items = match content {
        Content::New(content) => match read_items(content) {
            Ok(items) => items,
            Err(problem) => return Err((revision.place(), problem)),
        },
        Content::Unchanged => {
            let same = known
                .iter()
                .find(|document| document.revision.origin == revision.origin);
            match same {
                Some(document) => document.items.clone(),
                None => {
                    let problem =
                        SourceProblem::Service("is said to be unchanged, but was not known before".into());
                    return Err((revision.place(), problem));
                }
            }
        }
    };
    Ok(DocumentMaterial { revision, items })
}

/// Certificates that can be what their role asks for, with all that is wrong or notable about the others.
#[derive(Debug, Default)]
pub(crate) struct Authorities {
    pub(crate) anchors: Vec<TrustAnchor>,
    pub(crate) intermediates: Vec<CertificateDer<'static>>,
    pub(crate) problems: Vec<SourceError>,
    pub(crate) warnings: Vec<Warning>,
}

impl Authorities {
    pub(crate) fn of(material: &Material, now: Timestamp) -> Self {
        let mut this = Self::default();
        for role in [Role::Anchors, Role::Intermediates] {
            this.read_role(role, material.of_role(role), now);
        }
        this
    }

    fn read_role<'a>(
        &mut self,
        role: Role,
        sources: impl Iterator<Item = &'a SourceMaterial>,
        now: Timestamp,
    ) {
        let mut seen: HashSet<Fingerprint> = HashSet::new();
        let mut located: Vec<(Located<'a>, TrustAnchor)> = Vec::new();
        for source in sources {
            let before = seen.len();
            let mut usable = 0_usize;
            for document in &source.documents {
                for (certificate, entry) in document.items.certificates().iter().zip(1..) {
                    match TrustAnchor::new(certificate.clone()) {
                        Ok(anchor) => {
                            usable += 1;
                            seen.insert(anchor.id());
                            let origin = &document.revision;
                            located.push((Located { origin, entry }, anchor));
                        }
                        Err(problem) => self.problems.push(SourceError {
                            source: source.source.to_string(),
                            origin: Some(document.revision.place()),
                            problem: SourceProblem::Authority {
                                entry,
                                subject: subject_of(certificate),
                                problem,
                            },
                        }),
                    }
                }
            }
            if usable > 0 && seen.len() == before {
                self.problems.push(SourceError {
                    source: source.source.to_string(),
                    origin: None,
                    problem: SourceProblem::OnlyDuplicates,
                });
            }
        }
        self.warnings.extend(find_warnings(&located, now));
        let authorities = located.into_iter().map(|(_, anchor)| anchor);
        match role {
            Role::Anchors => self.anchors.extend(authorities),
            Role::Intermediates => {
                let certificates = authorities.map(|authority| authority.certificate().clone());
                self.intermediates.extend(certificates);
            }
            Role::RevocationLists | Role::Policies | Role::ShadowAnchors | Role::ShadowPolicies => {}
        }
    }

    /// The snapshot of this material.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn into_snapshot(
        self,
        material: &Material,
        settings: &TrustSettings,
        authorization: &AuthorizationSettings,
        last_good: Option<&Snapshot>,
        now: Timestamp,
    ) -> Result<Snapshot, LoadError> {
        if !self.problems.is_empty() {
            return Err(LoadError::Sources(self.problems));
        }
        let unusable = |problem| {
            let source = material.sources.first();
            LoadError::Sources(vec![SourceError {
                source: source.map(|source| source.source.to_string()).unwrap_or_default(),
                origin: None,
                problem,
            }])
        };
        let intermediates = Intermediates::new(self.intermediates).map_err(|(position, problem)| {
            unusable(SourceProblem::Authority {
                entry: position + 1,
                subject: None,
                problem,
            })
        })?;
        let Some(anchors) = TrustAnchors::new(self.anchors) else {
            return Err(unusable(SourceProblem::NotFound(
                "there is no trust anchor".into(),
            )));
        };
        let mut warnings = self.warnings;
        let lists = match &settings.revocation {
            None => None,
            Some(revocation) => {
                // In strict mode a certificate of unknown status is refused, whether its CRL has ended or is gone.
                let mode = revocation.policy.mode;
                let is_strict = mode == RevocationMode::Strict;
                let grace = i64::from(revocation.policy.grace_seconds);
                let departures = Departures {
                    anchors: &anchors,
                    intermediates: &intermediates,
                    ended_before: is_strict.then(|| now.plus_seconds(-grace)),
                };
                let lists = verified_lists(material, &departures, mode, last_good, now, &mut warnings)?;
                Some(lists)
            }
        };
        let common = Common {
            settings,
            intermediates: &intermediates,
            revocation_lists: lists.as_deref(),
        };
        let before = last_good.map(Snapshot::authorization);
        let authorization = Authorization::read(material, authorization, &common, before, &mut warnings)
            .map_err(LoadError::Sources)?;
        let verifier = Verifier::new(anchors, intermediates, settings.policy);
        let verifier = match (&lists, &settings.revocation) {
            (Some(lists), Some(revocation)) => verifier.with_revocation(Arc::clone(lists), revocation.policy),
            _ => verifier,
        };
        let snapshot = Snapshot::new(verifier, lists, now, material.records(), warnings);
        Ok(snapshot.with_authorization(authorization))
    }
}

/// The CRLs of the material, none of which contradicts those in use before.
///
/// A CRL that cannot be read, that is forged or that its CA may not sign refuses the material under `strict`: what was in
/// use before stays. Under `soft`, refusing would let every revoked client in at the next start, so that such a CRL is left
/// out with a warning; one that was in use before is missed then, and refuses the material all the same. In both modes a
/// CRL with a defect, or with a signature that is not supported, does not take the others down: it clears nothing, so that
/// `strict` refuses the certificates of its issuer and of no other.
fn verified_lists(
    material: &Material,
    departures: &Departures<'_>,
    mode: RevocationMode,
    last_good: Option<&Snapshot>,
    now: Timestamp,
    warnings: &mut Vec<Warning>,
) -> Result<Arc<RevocationLists>, LoadError> {
    let previous = last_good.and_then(|snapshot| snapshot.revocation_lists());
    let previous = previous.map(Arc::as_ref);
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
        problems,
        unusable,
        warnings: notable,
    } = check_revocation_lists(material, Some(&lists), now);
    if mode == RevocationMode::Strict && !problems.is_empty() {
        return Err(LoadError::Sources(problems));
    }
    let left_out = problems.into_iter().chain(unusable);
    warnings.extend(left_out.map(|problem| Warning::CrlUnusable { problem }));
    warnings.extend(notable);
    lists
        .succeed(previous, departures)
        .map(Arc::new)
        .map_err(|problem| LoadError::CrlHistory { problem })
}

/// CRLs of the material with something wrong.
#[derive(Debug, Default)]
pub(crate) struct CheckedLists {
    /// CRLs that cannot be read, are forged or damaged, or that their CA may not sign.
    pub(crate) problems: Vec<SourceError>,
    /// CRLs that clear no certificate for another reason.
    pub(crate) unusable: Vec<SourceError>,
    pub(crate) warnings: Vec<Warning>,
}

/// Finds the CRLs that do not count, or do not clear certificates, and what is notable about the others. Of lists whose
/// signatures were not looked at, only what they say themselves.
pub(crate) fn check_revocation_lists(
    material: &Material,
    lists: Option<&RevocationLists>,
    now: Timestamp,
) -> CheckedLists {
    let standings: HashMap<*const RevocationList, ListStanding> = lists
        .into_iter()
        .flat_map(RevocationLists::iter)
        .map(|(list, standing)| (Arc::as_ptr(list), standing))
        .collect();
    let mut checked = CheckedLists::default();
    checked.problems.extend(material.unreadable_lists());
    for LocatedList {
        source,
        located,
        list,
    } in material.revocation_lists()
    {
        let standing = standings.get(&Arc::as_ptr(list));
        let (entry, issuer) = (located.entry, list.issuer().to_string());
        let error = |problem| SourceError {
            source: source.to_string(),
            origin: Some(located.origin.place()),
            problem,
        };
        checked
            .warnings
            .extend(find_list_warnings(list, located, standing, now));
        if let Some(problem) = list.defect() {
            checked.unusable.push(error(SourceProblem::RevocationListDefect {
                entry,
                issuer: issuer.clone(),
                problem: problem.clone(),
            }));
        }
        let refused = match standing {
            None | Some(ListStanding::Verified | ListStanding::IssuerUnknown) => continue,
            Some(ListStanding::SignatureUnsupported(_)) => &mut checked.unusable,
            Some(ListStanding::IssuerMayNotSign | ListStanding::SignatureInvalid) => &mut checked.problems,
        };
        refused.push(error(SourceProblem::RevocationListSignature {
            entry,
            issuer,
            reason: standing.map(ListStanding::to_string).unwrap_or_default(),
        }));
    }
    checked
}
