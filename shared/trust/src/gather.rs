//! Gathering: reads all sources in parallel, and compares what they contain with what is known.

use futures_util::future::join_all;

use crate::crl::{MAX_CRL_STATE_BYTES, crl_state_object};
use crate::document::{Content, Document, LargeList, Revision};
use crate::error::{SourceError, SourceErrorKind};
use crate::fetch_error::FetchError;
use crate::loader::{Loader, MAX_CERTIFICATE_BYTES};
use crate::material::{DocumentMaterial, Items, MAX_CRL_BYTES, MAX_POLICY_BYTES, Material, SourceMaterial};
use crate::provenance::Role;
use crate::refreshing::Deadline;
use crate::settings::{CrlState, Missing};
use crate::source::{S3Object, Source, Sources};

/// Result of reading all sources, with every error.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) material: Material,
    pub(crate) change: Change,
    pub(crate) errors: Vec<SourceError>,
    /// Errors of material that can be missing.
    pub(crate) tolerated: Vec<(Role, SourceError)>,
}

/// Comparison of the material with what was known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Same,
    Different,
}

/// Reads all sources in parallel. What is unchanged since `known` is taken from there.
///
/// A source of CRLs that cannot be read or used counts as unchanged where its CRLs may be missing,
/// and so does one of the shadow set.
pub(crate) async fn gather(
    loader: &Loader,
    sources: &[(Role, &Sources)],
    missing_lists: Missing,
    crl_state: CrlState,
    known: &Material,
    deadline: Deadline,
) -> Gathered {
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
        // In this order: a CRL is published before its record, so that a CRL that is read after the
        // record is never older than it.
        let state = match crl_state_source(role, source, crl_state) {
            None => Ok(Vec::new()),
            Some(state) => fetch_crl_state(loader, source, &state, &revisions, deadline).await,
        };
        let fetched = match state {
            Ok(state) => {
                let lists = match role {
                    Role::RevocationLists => loader.fetch_lists(source, &revisions, limit, deadline).await,
                    _ => loader.fetch(source, &revisions, limit, deadline).await,
                };
                lists.map(|lists| (state, lists))
            }
            Err(error) => Err(error),
        };
        (role, source, known, fetched)
    });
    let mut found = Gathered {
        material: Material::default(),
        change: Change::Same,
        errors: Vec::new(),
        tolerated: Vec::new(),
    };
    for (role, source, known, fetched) in join_all(fetching).await {
        let may_be_missing = match role {
            Role::Anchors | Role::Intermediates | Role::Policies => false,
            Role::RevocationLists => missing_lists == Missing::Tolerated,
            Role::ShadowAnchors | Role::ShadowPolicies => true,
        };
        let (documents, errors) = match fetched {
            Ok((state, documents)) => {
                let (mut read, mut errors) = read_documents(Items::read_crl_state, source, state, known);
                let (documents, others) =
                    read_documents(|content| Items::read(role, content), source, documents, known);
                read.extend(documents);
                errors.extend(others);
                (read, errors)
            }
            Err(error) => (Vec::new(), vec![error]),
        };
        let documents = if errors.is_empty() {
            if differ(&documents, known) {
                found.change = Change::Different;
            }
            documents
        } else if may_be_missing {
            found
                .tolerated
                .extend(errors.into_iter().map(|error| (role, error)));
            known.to_vec()
        } else {
            found.errors.extend(errors);
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

/// Returns the source of the record of a source's CRLs, if it can have one.
fn crl_state_source(role: Role, source: &Source, crl_state: CrlState) -> Option<Source> {
    match (role, crl_state) {
        (Role::RevocationLists, CrlState::Read) => {
            let object: Option<&S3Object> = source.downcast_ref();
            object.and_then(crl_state_object).map(Source::from)
        }
        _ => None,
    }
}

/// Reads a record, which can be absent: other programs than `refresh-crls` publish CRLs too.
async fn fetch_crl_state(
    loader: &Loader,
    source: &Source,
    state: &Source,
    known: &[Revision],
    deadline: Deadline,
) -> Result<Vec<Document>, SourceError> {
    match loader.fetch(state, known, MAX_CRL_STATE_BYTES, deadline).await {
        Ok(documents) => Ok(documents),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(SourceError {
            source: source.to_string(),
            origin: None,
            kind: SourceErrorKind::CrlStateUnavailable {
                object: state.to_string(),
                error: Box::new(error.kind),
            },
        }),
    }
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
    read_items: impl Fn(Vec<u8>) -> Result<Items, SourceErrorKind>,
    source: &Source,
    documents: Vec<Document>,
    known: &[DocumentMaterial],
) -> (Vec<DocumentMaterial>, Vec<SourceError>) {
    let (mut read, mut errors) = (Vec::with_capacity(documents.len()), Vec::new());
    for document in documents {
        match read_document(&read_items, document, known) {
            Ok(document) => read.push(document),
            Err((origin, kind)) => errors.push(SourceError {
                source: source.to_string(),
                origin: Some(origin),
                kind,
            }),
        }
    }
    (read, errors)
}

fn read_document(
    read_items: impl Fn(Vec<u8>) -> Result<Items, SourceErrorKind>,
    document: Document,
    known: &[DocumentMaterial],
) -> Result<DocumentMaterial, (String, SourceErrorKind)> {
    let Document { revision, content } = document;
    let items = match content {
        Content::New(content) => match read_items(content) {
            Ok(items) => items,
            Err(kind) => return Err((revision.place(), kind)),
        },
        Content::List(LargeList(Ok(list))) => Items::RevocationLists([Ok(list)].into()),
        Content::List(LargeList(Err(error))) => return Err((revision.place(), error.into())),
        Content::Unchanged => {
            let same = known
                .iter()
                .find(|document| document.revision.origin == revision.origin);
            match same {
                Some(document) => document.items.clone(),
                None => {
                    let error =
                        FetchError::Service("is said to be unchanged, but was not known before".into());
                    return Err((revision.place(), error.into()));
                }
            }
        }
    };
    Ok(DocumentMaterial { revision, items })
}
