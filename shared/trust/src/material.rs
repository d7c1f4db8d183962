//! From documents to certificates, and from certificates to what decisions are based on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateDer, Fingerprint, Intermediates, Timestamp, TrustAnchor, TrustAnchors, VerificationPolicy,
    Verifier, read_bundle,
};
use futures_util::future::join_all;

use crate::document::{Content, Document};
use crate::error::{SourceError, SourceProblem};
use crate::loader::{Deadline, Loader};
use crate::snapshot::{Revision, Role, Snapshot, SourceRecord};
use crate::source::{Source, Sources};
use crate::warning::{Located, Warning, find_warnings};

/// The most bytes of certificates that are read from one source.
pub const MAX_CERTIFICATE_BYTES: usize = 16 * 1_024 * 1_024;

/// The certificates of every source, with the exact revision that they came from.
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
    pub(crate) certificates: Arc<[CertificateDer<'static>]>,
}

/// Whether a look-up found something else than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Same,
    Different,
}

impl Material {
    /// Reads all sources side by side. What is unchanged since `known` is taken from there.
    pub(crate) async fn look_up(
        loader: &Loader,
        anchors: &Sources,
        intermediates: Option<&Sources>,
        known: &Self,
        deadline: Deadline,
    ) -> (Self, Change, Vec<SourceError>) {
        let wanted = anchors.iter().map(|source| (Role::Anchors, source)).chain(
            intermediates
                .into_iter()
                .flatten()
                .map(|source| (Role::Intermediates, source)),
        );
        let fetching = wanted.map(async |(role, source)| {
            let known = known.documents_of(role, source);
            let revisions: Vec<Revision> = known.iter().map(|document| document.revision.clone()).collect();
            let fetched = loader
                .fetch(source, &revisions, MAX_CERTIFICATE_BYTES, deadline)
                .await;
            (role, source, known, fetched)
        });
        let mut material = Self::default();
        let mut problems = Vec::new();
        let mut change = Change::Same;
        for (role, source, known, fetched) in join_all(fetching).await {
            let documents = match fetched {
                Ok(documents) => documents,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            if documents.len() != known.len() {
                change = Change::Different;
            }
            let mut read = Vec::with_capacity(documents.len());
            for document in documents {
                if matches!(document.content, Content::New(_)) {
                    change = Change::Different;
                }
                match read_document(document, known) {
                    Ok(document) => read.push(document),
                    Err((origin, problem)) => problems.push(SourceError {
                        source: source.to_string(),
                        origin: Some(origin),
                        problem,
                    }),
                }
            }
            material.sources.push(SourceMaterial {
                source: source.clone(),
                role,
                documents: read,
            });
        }
        (material, change, problems)
    }

    fn documents_of(&self, role: Role, source: &Source) -> &[DocumentMaterial] {
        self.sources
            .iter()
            .find(|known| known.role == role && known.source == *source)
            .map_or(&[], |known| known.documents.as_slice())
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
                certificates: source
                    .documents
                    .iter()
                    .map(|document| document.certificates.len())
                    .sum(),
            })
            .collect()
    }
}

fn read_document(
    document: Document,
    known: &[DocumentMaterial],
) -> Result<DocumentMaterial, (String, SourceProblem)> {
    let Document { revision, content } = document;
    let certificates = match content {
        Content::New(content) => match read_bundle(&content) {
            Ok(certificates) => certificates.into(),
            Err(error) => return Err((revision.place(), error.into())),
        },
        Content::Unchanged => {
            let same = known
                .iter()
                .find(|document| document.revision.origin == revision.origin);
            match same {
                Some(document) => Arc::clone(&document.certificates),
                None => {
                    let problem =
                        SourceProblem::Service("is said to be unchanged, but was not known before".into());
                    return Err((revision.place(), problem));
                }
            }
        }
    };
    Ok(DocumentMaterial {
        revision,
        certificates,
    })
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
            let sources = material.sources.iter().filter(|source| source.role == role);
            this.read_role(role, sources, now);
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
                for (certificate, entry) in document.certificates.iter().zip(1..) {
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
                            problem: SourceProblem::Authority { entry, problem },
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
        }
    }

    /// The snapshot of this material.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn into_snapshot(
        self,
        material: &Material,
        policy: VerificationPolicy,
        now: Timestamp,
    ) -> Result<Snapshot, Vec<SourceError>> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let unusable = |problem| {
            let source = material.sources.first();
            vec![SourceError {
                source: source.map(|source| source.source.to_string()).unwrap_or_default(),
                origin: None,
                problem,
            }]
        };
        let intermediates = Intermediates::new(self.intermediates).map_err(|(position, problem)| {
            unusable(SourceProblem::Authority {
                entry: position + 1,
                problem,
            })
        })?;
        let Some(anchors) = TrustAnchors::new(self.anchors) else {
            return Err(unusable(SourceProblem::NotFound(
                "there is no trust anchor".into(),
            )));
        };
        let verifier = Verifier::new(anchors, intermediates, policy);
        Ok(Snapshot::new(verifier, now, material.records(), self.warnings))
    }
}

/// Everything that sources hold and everything that is wrong or notable about it, for a person to read.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// The sources that could be read, and what they held.
    pub sources: Vec<SourceRecord>,
    /// The trust anchors, each once.
    pub anchors: Vec<TrustAnchor>,
    /// Everything that would keep the material from being used.
    pub problems: Vec<SourceError>,
    /// Everything else that an operator should look after.
    pub warnings: Vec<Warning>,
}

/// Reads trust anchors like [`Trust`](crate::Trust) does, but goes on after a problem to find them all.
pub async fn inspect_anchors(
    loader: &Loader,
    anchors: &Sources,
    deadline: Deadline,
    now: Timestamp,
) -> Inspection {
    let (material, _, mut problems) =
        Material::look_up(loader, anchors, None, &Material::default(), deadline).await;
    let mut authorities = Authorities::of(&material, now);
    problems.append(&mut authorities.problems);
    let mut once: HashMap<Fingerprint, TrustAnchor> = HashMap::new();
    let mut order = Vec::new();
    for anchor in authorities.anchors {
        let id = anchor.id();
        if once.insert(id, anchor).is_none() {
            order.push(id);
        }
    }
    Inspection {
        sources: material.records(),
        anchors: order.iter().filter_map(|id| once.remove(id)).collect(),
        problems,
        warnings: authorities.warnings,
    }
}
