//! Strictness of the gate: the only place where `MTLS_MODE` decides.

use std::fmt;

use alb_mtls_verifier::Reason;

use crate::decision::{Decision, DecisionContext, Principal};
use crate::denial::Denial;

/// Strictness of the gate, `MTLS_MODE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Verified clients pass.
    #[default]
    Enforce,
    /// Verified clients pass, and anonymous ones that present no certificate. A bad certificate
    /// never passes.
    Optional,
    /// Every client passes, unless the request itself is the fault. Every request is decided and
    /// recorded; only verified clients get an identity.
    Report,
}

impl Mode {
    pub(crate) const ALL: &'static [Self] = &[Self::Enforce, Self::Optional, Self::Report];

    /// Returns the word in settings and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Optional => "optional",
            Self::Report => "report",
        }
    }

    /// Maps the outcome of the certificate to the principal that goes on: in `optional`, a client
    /// that presents no certificate goes on as anonymous. Tokens and policies are still asked about
    /// it.
    ///
    /// # Errors
    /// The denial that came in, where the mode does not let the client go on.
    pub(crate) fn principal(
        self,
        authenticated: Result<Principal, Denial>,
        context: &mut DecisionContext,
    ) -> Result<Principal, Denial> {
        match authenticated {
            Err(Denial::Certificate(rejection))
                if self == Self::Optional && rejection.reason() == Reason::CertificateMissing =>
            {
                context.not_verified = Some(Denial::Certificate(rejection));
                Ok(Principal::Anonymous)
            }
            other => other,
        }
    }

    /// Maps the outcome of all checks to the decision: in `report`, a denial of the client is
    /// recorded and overruled. A client that policies deny keeps its identity, which is certain; a
    /// client whose certificate or token is rejected goes on as anonymous.
    pub(crate) fn decision(
        self,
        checked: Result<Principal, Denial>,
        context: &mut DecisionContext,
    ) -> Decision {
        match checked {
            Ok(principal) => Decision::Allow(principal),
            Err(denial) if self == Self::Report && denial.reason().passes_in_report => {
                let client = if denial.is_of_policies() {
                    context.denied_client.clone()
                } else {
                    None
                };
                context.overruled = Some(denial);
                Decision::Allow(client.map_or(Principal::Anonymous, Principal::Verified))
            }
            Err(denial) => Decision::Deny(denial),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_written_as_in_settings() {
        let words: Vec<String> = Mode::ALL.iter().map(Mode::to_string).collect();
        assert_eq!(words, ["enforce", "optional", "report"]);
    }
}
