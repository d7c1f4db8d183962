use std::fmt;

use alb_mtls_settings::Percent;
use alb_mtls_verifier::{
    AuthorityError, BundleError, CrlHistoryError, NotInFipsMode, RevocationListError, RevocationListErrorKind,
};

use crate::crl::InvalidCrlState;
use crate::deny_list::InvalidDenyList;
use crate::fetch_error::FetchError;
use crate::refreshing::Aborted;

/// Failure to load material. No part of the material is used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Sources could not be read, or their content cannot be used.
    #[error("{}", in_one_line(.0))]
    Sources(Vec<SourceError>),
    /// Too many of the trust anchors in use would be gone.
    #[error(
        "{lost} of the {before} trust anchors in use are missing in the new material, more than the {allowed} allowed"
    )]
    AnchorLoss {
        /// Number of trust anchors in use.
        before: usize,
        /// Number of these that the new material lacks.
        lost: usize,
        /// Part of them that can go at once.
        allowed: Percent,
    },
    /// A CRL is older than the one that was in use, or it is missing.
    #[error("{error}{}", remedy(.error))]
    CrlHistory {
        /// Contradiction to what was in use.
        error: CrlHistoryError,
    },
    /// The lookup ended without a result.
    #[error("{0}")]
    Aborted(Aborted),
    /// Another cryptographic module than the FIPS module computes.
    #[error("{0}")]
    NotInFipsMode(#[from] NotInFipsMode),
}

impl LoadError {
    /// Returns true if the material was there and was rejected, rather than out of reach.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Sources(errors) => errors.iter().any(SourceError::is_refusal),
            Self::AnchorLoss { .. } | Self::CrlHistory { .. } => true,
            Self::Aborted(_) | Self::NotInFipsMode(_) => false,
        }
    }
}

fn remedy(error: &CrlHistoryError) -> &'static str {
    match error {
        CrlHistoryError::Missing { .. } => {
            ": publish it again; to retire it, take its CA out of MTLS_ANCHORS and MTLS_INTERMEDIATES, or deploy again \
             without its source"
        }
        _ => ": publish the newest one again; if the CA really began again, give it a new key",
    }
}

fn in_one_line(errors: &[SourceError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

/// Failure of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// The source as the settings name it.
    pub source: String,
    /// The file, parameter or object, where a source leads to several or to another one.
    pub origin: Option<String>,
    /// The failure.
    pub kind: SourceErrorKind,
}

impl fmt::Display for SourceError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`", self.source)?;
        match &self.origin {
            Some(origin) if *origin != self.source => write!(formatter, ", `{origin}`")?,
            _ => {}
        }
        write!(formatter, ": {}", self.kind)
    }
}

impl std::error::Error for SourceError {}

impl SourceError {
    /// Returns true if the source does not exist, or a part of it.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind, SourceErrorKind::Fetch(FetchError::NotFound(_)))
    }

    /// Returns true if the content is wrong, and not the way to it.
    pub fn is_refusal(&self) -> bool {
        self.kind.is_refusal()
    }
}

/// Kind of the failure of a source. Entries are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceErrorKind {
    /// The content could not be fetched.
    #[error("{0}")]
    Fetch(#[from] FetchError),
    /// The content is not a bundle of certificates.
    #[error("{0}")]
    Bundle(#[from] BundleError),
    /// The content is not a file of CRLs that can be used.
    #[error("{0}")]
    RevocationList(#[from] RevocationListError),
    /// A CRL has a signature that was checked and does not count. The number is its position in the
    /// source, from 1.
    #[error("CRL {entry}, of {issuer}: {reason}")]
    RevocationListSignature {
        /// Number of the CRL, from 1.
        entry: usize,
        /// Issuer that it names.
        issuer: String,
        /// Fault and remedy.
        reason: String,
    },
    /// A CRL revokes the certificates on it and clears none. The number is its position in the
    /// source, from 1.
    #[error("CRL {entry}, of {issuer}: {error}")]
    RevocationListUnusable {
        /// Number of the CRL, from 1.
        entry: usize,
        /// Issuer that it names.
        issuer: String,
        /// Fault of the CRL.
        error: RevocationListErrorKind,
    },
    /// The content is not a record of CRLs that can be used.
    #[error("{0}")]
    CrlState(#[from] InvalidCrlState),
    /// The record of a CRL cannot be read.
    #[error(
        "the record of its CRLs, `{object}`, {error}; MTLS_CRL_STATE=ignore goes on without the records of all CRLs"
    )]
    CrlStateUnavailable {
        /// Object of the record.
        object: String,
        /// Failure to read the record.
        error: Box<Self>,
    },
    /// A certificate that cannot be a trust anchor or an intermediate.
    #[error("entry {entry}: {error}{}", of_subject(subject.as_deref()))]
    Authority {
        /// Number of the entry, from 1.
        entry: usize,
        /// Subject of the certificate, where it can be read.
        subject: Option<String>,
        /// Fault of the certificate.
        error: AuthorityError,
    },
    /// Policies that cannot be used.
    #[error("{}{message}", in_words(*place))]
    Policy {
        /// Line and column, both from 1.
        place: Option<(usize, usize)>,
        /// Fault in one line of bounded length.
        message: String,
    },
    /// The content is not a deny list.
    #[error("{0}")]
    DenyList(#[from] InvalidDenyList),
    /// Every certificate of the source is in an earlier source already.
    #[error("adds nothing: each certificate in it is in an earlier source too")]
    OnlyDuplicates,
}

fn of_subject(subject: Option<&str>) -> String {
    subject.map_or_else(String::new, |subject| format!(" (subject {subject})"))
}

fn in_words(place: Option<(usize, usize)>) -> String {
    match place {
        Some((line, column)) => format!("line {line}, column {column}: "),
        None => String::new(),
    }
}

impl SourceErrorKind {
    /// Returns true if the content is wrong, and not the way to it.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Fetch(error) => error.is_refusal(),
            Self::CrlStateUnavailable { error, .. } => error.is_refusal(),
            Self::Bundle(_)
            | Self::RevocationList(_)
            | Self::RevocationListSignature { .. }
            | Self::RevocationListUnusable { .. }
            | Self::CrlState(_)
            | Self::Authority { .. }
            | Self::Policy { .. }
            | Self::DenyList(_)
            | Self::OnlyDuplicates => true,
        }
    }
}
