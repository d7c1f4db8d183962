//! What policies are asked and what they answer, whether or not the program was built with any.

use std::sync::Arc;

use alb_mtls_verifier::{Timestamp, VerifiedClient};
use http::request::Parts;

use crate::refusal::Refusal;

/// A request that was authenticated, or that may go without.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "policy"), expect(dead_code, reason = "nobody is asked"))]
pub(crate) struct Asked<'a> {
    pub(crate) request: &'a Parts,
    /// `None` for an anonymous one.
    pub(crate) client: Option<&'a VerifiedClient>,
    pub(crate) now: Timestamp,
}

/// What policies decided: nothing where there are none.
#[derive(Debug, Default)]
pub(crate) struct Opinion {
    pub(crate) refusal: Option<Refusal>,
    /// Ids of the policies that decided.
    pub(crate) policies: Vec<Arc<str>>,
}

/// How a request stands with what is in use.
#[cfg_attr(not(feature = "policy"), expect(dead_code, reason = "nothing is compared"))]
pub(crate) struct Active<'a> {
    /// The verified client, also of a request that policies refuse; `None` when there is none.
    pub(crate) client: Option<&'a VerifiedClient>,
    pub(crate) refusal: Option<&'a Refusal>,
    pub(crate) policies: &'a [Arc<str>],
}
