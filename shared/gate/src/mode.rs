//! How strict the gate is.

use std::fmt;

/// Who passes the gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Verified clients.
    #[default]
    Enforce,
    /// Verified clients, and anonymous ones that present no certificate. A bad certificate never passes.
    Optional,
    /// Everybody. Every request is decided and recorded; only verified clients get an identity.
    Report,
}

impl Mode {
    pub(crate) const ALL: &'static [Self] = &[Self::Enforce, Self::Optional, Self::Report];

    /// The name in settings and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Optional => "optional",
            Self::Report => "report",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
