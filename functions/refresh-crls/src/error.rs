use alb_mtls_trust::{SourceError, WebError};

/// Failure to refresh one CRL, or to read what all CRLs need.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefreshError {
    /// A server did not answer, or not usefully: the next attempt can succeed.
    #[error("{0}")]
    Unreachable(String),
    /// The content or a setting cannot be used, and another attempt will find the same.
    #[error("{0}")]
    Refused(String),
}

impl From<SourceError> for RefreshError {
    fn from(error: SourceError) -> Self {
        if error.is_refusal() {
            Self::Refused(error.to_string())
        } else {
            Self::Unreachable(error.to_string())
        }
    }
}

impl From<WebError> for RefreshError {
    fn from(error: WebError) -> Self {
        match error {
            WebError::Unreachable(explanation) => Self::Unreachable(explanation),
            WebError::Refused(explanation) => Self::Refused(explanation),
        }
    }
}
