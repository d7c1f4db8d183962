//! Bound tokens as the rest of the gate sees them, with or without the cargo feature `token`.

#[cfg(feature = "token")]
pub use alb_mtls_token::TokenIdentity;

#[cfg(feature = "token")]
pub use crate::bound_token::BoundTokenSettings;
#[cfg(feature = "token")]
pub(crate) use crate::bound_token::BoundTokens;
#[cfg(not(feature = "token"))]
pub(crate) use none::BoundTokens;
#[cfg(not(feature = "token"))]
pub use none::{BoundTokenSettings, TokenIdentity};

/// Stand-ins in a program without the cargo feature `token`. None of them has a value: settings
/// that ask for a check of tokens are an error there.
#[cfg(not(feature = "token"))]
mod none {
    use std::convert::Infallible;
    use std::time::Duration;

    use alb_mtls_trust::Reload;
    use alb_mtls_verifier::{Timestamp, VerifiedClient};
    use http::header::HeaderMap;

    use crate::denial::Denial;

    /// Requirements on bearer tokens, of which a program without the cargo feature `token` has
    /// none.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum BoundTokenSettings {}

    /// Contents of a verified token, of which a program without the cargo feature `token` has none.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct TokenIdentity {
        /// `sub`: the subject of the token.
        pub subject: Option<String>,
        /// `client_id` (RFC 9068 §2.2): the client that asked for the token.
        pub client_id: Option<String>,
        /// `scope` (RFC 9068 §2.2.3): purposes of the token, separated by spaces.
        pub scope: Option<String>,
        /// `exp`: time at which the token expires.
        pub expires: Timestamp,
        never: Infallible,
    }

    #[derive(Debug)]
    pub(crate) struct BoundTokens(BoundTokenSettings);

    impl BoundTokens {
        pub(crate) fn new(settings: BoundTokenSettings) -> Self {
            Self(settings)
        }

        pub(crate) async fn load(&self, _: Timestamp) {
            match self.0 {}
        }

        pub(crate) fn can_serve(&self, _: Timestamp) -> bool {
            match self.0 {}
        }

        pub(crate) async fn refresh_in_background(&self, _: &Reload) -> Infallible {
            match self.0 {}
        }

        pub(crate) async fn check(
            &self,
            _: &HeaderMap,
            _: Option<&VerifiedClient>,
            _: Option<Duration>,
            _: Timestamp,
        ) -> Result<Option<TokenIdentity>, Denial> {
            match self.0 {}
        }
    }
}
