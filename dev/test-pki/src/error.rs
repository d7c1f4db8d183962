use std::path::{Path, PathBuf};

/// Error while making, reading or writing a key, a certificate or a CRL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("cannot encode {what}: {source}")]
    Encode { what: &'static str, source: der::Error },

    #[error("{kind} keys cannot be made from a seed")]
    KeyNotSeedable { kind: &'static str },

    #[error("cannot read {what}: {reason}")]
    Malformed { what: &'static str, reason: String },

    #[error("`{text}` is not {what}")]
    Value { what: &'static str, text: String },

    #[error(
        "`{name}` is not a distinguished name such as `CN=client,O=Example` (RFC 4514: no space after the comma)"
    )]
    Name { name: String },

    #[error("cannot {action} with a {kind} key")]
    Key {
        action: &'static str,
        kind: &'static str,
    },

    #[error("a {kind} key cannot sign with {algorithm}")]
    SignatureAlgorithm {
        kind: &'static str,
        algorithm: &'static str,
    },

    #[error("the time `{time}` has no X.509 form")]
    Time { time: String },

    #[error("cannot {action} `{}`: {reason}", path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        reason: String,
    },
}

impl Error {
    pub(crate) fn encode(what: &'static str) -> impl FnOnce(der::Error) -> Self {
        move |source| Self::Encode { what, source }
    }

    /// Names the file that the text came from.
    pub(crate) fn in_file(self, path: &Path) -> Self {
        match self {
            Self::Malformed { what, reason } => Self::Malformed {
                what,
                reason: format!("{reason} in `{}`", path.display()),
            },
            other => other,
        }
    }

    pub(crate) fn malformed(what: &'static str, reason: impl ToString) -> Self {
        Self::Malformed {
            what,
            reason: reason.to_string(),
        }
    }
}
