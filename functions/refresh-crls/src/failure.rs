//! Why a CRL was not refreshed.

/// Why a CRL was not refreshed, and whether it is worth another attempt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// Somebody did not answer: the next attempt may succeed.
    #[error("{0}")]
    Unreachable(String),
    /// What was found cannot be used, and another attempt will find the same.
    #[error("{0}")]
    Refused(String),
}

impl From<alb_mtls_trust::SourceError> for Failure {
    fn from(error: alb_mtls_trust::SourceError) -> Self {
        if error.is_refusal() {
            Self::Refused(error.to_string())
        } else {
            Self::Unreachable(error.to_string())
        }
    }
}
