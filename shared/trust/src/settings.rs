use std::time::Duration;

use alb_mtls_verifier::VerificationPolicy;

use crate::share::Share;
use crate::source::Sources;

/// What is trusted, where it comes from and how fresh it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustSettings {
    /// Where the trust anchors are.
    pub anchors: Sources,
    /// Where intermediates are, for clients that send only their own certificate. They are not trusted.
    pub intermediates: Option<Sources>,
    /// What is asked of a client's path.
    pub policy: VerificationPolicy,
    /// Age at which a snapshot is looked up again. The time varies a little, but never exceeds this, so that many
    /// processes do not ask at once.
    pub refresh: Duration,
    /// Age up to which the last good snapshot serves while look-ups fail.
    pub max_stale: Duration,
    /// The part of the trust anchors in use that new material may lack. With the whole, all may be replaced at once.
    pub max_anchor_loss: Share,
}
