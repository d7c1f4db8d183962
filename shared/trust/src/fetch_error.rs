use std::time::Duration;

/// Content that could not be fetched from its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The file, parameter, object or bucket does not exist.
    #[error("{0}")]
    NotFound(String),
    /// This process is not allowed to read it, whether it exists or not.
    #[error("{0}")]
    Forbidden(String),
    /// The service asks for fewer requests.
    #[error("the service limits the rate of requests ({0})")]
    Throttled(String),
    /// A complete answer did not arrive in time.
    #[error("there was no complete answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// A connection could not be made, or broke off.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// The answer was not the content.
    #[error("{0}")]
    Service(String),
    /// Something that reading it needs is not set up.
    #[error("{0}")]
    Setup(String),
    /// The content has more bytes than are read.
    #[error("is larger than {limit} bytes")]
    TooLarge {
        /// Most bytes that are read.
        limit: usize,
    },
    /// The content is not what the pin says.
    #[error("has the SHA-256 digest {actual}, and {expected} is required")]
    Digest {
        /// Digest in the pin, in hexadecimal.
        expected: String,
        /// Digest of what was read, in hexadecimal.
        actual: String,
    },
    /// The content is a pointer that cannot be followed.
    #[error("holds a pointer that cannot be followed: {0}")]
    Pointer(String),
}

impl FetchError {
    /// Returns true if the content was there and is rejected, rather than out of reach.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::NotFound(_)
            | Self::Forbidden(_)
            | Self::Throttled(_)
            | Self::Timeout(_)
            | Self::Unreachable(_)
            | Self::Service(_)
            | Self::Setup(_) => false,
            Self::TooLarge { .. } | Self::Digest { .. } | Self::Pointer(_) => true,
        }
    }
}
