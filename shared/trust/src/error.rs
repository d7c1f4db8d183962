use std::fmt;

use alb_mtls_settings::Percent;
use alb_mtls_verifier::{
    AuthorityError, BundleError, CrlHistoryError, RevocationListError, RevocationListErrorKind,
};

use crate::crl::InvalidCrlState;
use crate::fetch_error::FetchError;
use crate::refreshing::Aborted;

/// Why material could not be loaded. Nothing of it is used then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// These sources could not be read, or hold what cannot be used.
    #[error("{}", in_one_line(.0))]
    Sources(Vec<SourceError>),
    /// Too many of the trust anchors in use would be gone.
    #[error(
        "{lost} of the {before} trust anchors in use are missing in the new material, more than the {allowed} allowed"
    )]
    AnchorLoss {
        /// Trust anchors in use.
        before: usize,
        /// How many of them the new material lacks.
        lost: usize,
        /// The part of them that may go at once.
        allowed: Percent,
    },
    /// A CRL is older than the one that was in use, or it is missing.
    #[error("{error}{}", remedy(.error))]
    CrlHistory {
        /// The contradiction.
        error: CrlHistoryError,
    },
    /// The lookup ended without a result.
    #[error("{0}")]
    Aborted(Aborted),
}

impl LoadError {
    /// Whether the material was there and was refused, rather than out of reach.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Sources(errors) => errors.iter().any(SourceError::is_refusal),
            Self::AnchorLoss { .. } | Self::CrlHistory { .. } => true,
            Self::Aborted(_) => false,
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

/// What is wrong with one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// The source as the settings name it.
    pub source: String,
    /// Which file, parameter or object it was, where a source leads to several or to another one.
    pub origin: Option<String>,
    /// What is wrong.
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

    /// Returns true if it is the content that is wrong, and not the way to it.
    pub fn is_refusal(&self) -> bool {
        self.kind.is_refusal()
    }
}

/// What can be wrong with a source. Entries are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceErrorKind {
    /// The content could not be fetched.
    #[error("{0}")]
    Fetch(#[from] FetchError),
    /// Not a bundle of certificates.
    #[error("{0}")]
    Bundle(#[from] BundleError),
    /// Not a file of CRLs that can be used.
    #[error("{0}")]
    RevocationList(#[from] RevocationListError),
    /// A CRL whose signature was looked at and does not count. The position is that in its source, from 1.
    #[error("CRL {entry}, of {issuer}: {reason}")]
    RevocationListSignature {
        /// Number of the CRL, from 1.
        entry: usize,
        /// Issuer that it names.
        issuer: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A CRL that revokes what is on it and clears nothing. The position is that in its source, from 1.
    #[error("CRL {entry}, of {issuer}: {error}")]
    RevocationListUnusable {
        /// Number of the CRL, from 1.
        entry: usize,
        /// Issuer that it names.
        issuer: String,
        /// What is wrong with it.
        error: RevocationListErrorKind,
    },
    /// Not a record of CRLs that can be used.
    #[error("{0}")]
    CrlState(#[from] InvalidCrlState),
    /// The record of a CRL cannot be read.
    #[error(
        "the record of its CRLs, `{object}`, {error}; MTLS_CRL_STATE=ignore goes on without the records of all CRLs"
    )]
    CrlStateUnavailable {
        /// Object of the record.
        object: String,
        /// What went wrong.
        error: Box<Self>,
    },
    /// A certificate that cannot be a trust anchor or an intermediate.
    #[error("entry {entry}: {error}{}", of_subject(subject.as_deref()))]
    Authority {
        /// Number of the entry, from 1.
        entry: usize,
        /// Subject of the certificate, where it can be read.
        subject: Option<String>,
        /// What is wrong with it.
        error: AuthorityError,
    },
    /// Policies that cannot be used.
    #[error("{}{message}", in_words(*place))]
    Policy {
        /// Line and column, both from 1.
        place: Option<(usize, usize)>,
        /// What is wrong, in one line of bounded length.
        message: String,
    },
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
    /// Whether it is the content that is wrong, and not the way to it.
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
            | Self::OnlyDuplicates => true,
        }
    }
}
