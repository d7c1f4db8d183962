//! Material: the content of every source, parsed according to the role of the source.

use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateDer, CrlHistory, RevocationList, RevocationListError, parse_each_revocation_list, read_bundle,
    read_text,
};

use crate::crl::read_crl_state;
use crate::document::Revision;
use crate::error::{SourceError, SourceErrorKind};
use crate::provenance::{Role, SourceRecord};
use crate::source::Source;
use crate::warning::Located;

/// Most bytes of CRLs, unpacked, that are read from one source into memory: two and a half times
/// the limit of an ALB's own revocation lists. A larger CRL in DER is kept in a temporary file.
pub const MAX_CRL_BYTES: usize = 128 * 1_024 * 1_024;

/// Most bytes of policies that are read from one source: some 5,000 policies, which are written by
/// hand.
pub const MAX_POLICY_BYTES: usize = 1_024 * 1_024;

/// Certificates, CRLs and policies of every source, with the exact revisions that they came from.
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

/// Parsed content of a document, according to the role of its source.
#[derive(Clone, Debug)]
pub(crate) enum Items {
    Certificates(Arc<[CertificateDer<'static>]>),
    /// Each CRL in order, or the error of reading it. At least one can be read.
    RevocationLists(Arc<[Result<Arc<RevocationList>, RevocationListError>]>),
    /// Record of the CRLs of the same source.
    CrlState(Arc<CrlHistory>),
    Policies(
        #[cfg_attr(
            not(feature = "policy"),
            expect(dead_code, reason = "only policies are made from it")
        )]
        Arc<str>,
    ),
}

impl Items {
    pub(crate) fn read(role: Role, content: Vec<u8>) -> Result<Self, SourceErrorKind> {
        match role {
            Role::Anchors | Role::Intermediates | Role::ShadowAnchors => {
                Ok(Self::Certificates(read_bundle(&content)?.into()))
            }
            Role::Policies | Role::ShadowPolicies => match read_text(content) {
                Ok(text) => Ok(Self::Policies(text.into())),
                Err(message) => Err(SourceErrorKind::Policy { place: None, message }),
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

    pub(crate) fn read_crl_state(content: Vec<u8>) -> Result<Self, SourceErrorKind> {
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

/// CRL and its place.
pub(crate) struct LocatedList<'a> {
    pub(crate) source: &'a Source,
    pub(crate) located: Located<'a>,
    pub(crate) list: &'a Arc<RevocationList>,
}

impl Material {
    pub(crate) fn documents_of(&self, role: Role, source: &Source) -> &[DocumentMaterial] {
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

    /// Returns the errors of CRLs that cannot be read, in files with others that can.
    pub(crate) fn unreadable_lists(&self) -> impl Iterator<Item = SourceError> {
        self.sources.iter().flat_map(|source| {
            source.documents.iter().flat_map(move |document| {
                let errors = document.items.revocation_lists().iter();
                errors
                    .filter_map(|list| list.as_ref().err())
                    .map(|error| SourceError {
                        source: source.source.to_string(),
                        origin: Some(document.revision.place()),
                        kind: error.clone().into(),
                    })
            })
        })
    }

    /// Returns everything that the records beside CRLs know.
    pub(crate) fn crl_history(&self) -> CrlHistory {
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
