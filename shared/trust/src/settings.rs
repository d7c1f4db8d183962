use std::time::Duration;

use alb_mtls_settings::{Percent, words};
use alb_mtls_verifier::{RevocationMode, RevocationOptions, VerifyOptions};

use crate::provenance::Role;
use crate::source::Sources;

/// What is trusted, where it comes from and how fresh it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustSettings {
    /// Where the trust anchors are.
    pub anchors: Sources,
    /// Where intermediates are, for clients that send only their own certificate. They are not
    /// trusted.
    pub intermediates: Option<Sources>,
    /// What is asked of a client's path.
    pub options: VerifyOptions,
    /// Where CRLs are and what they decide; without it no certificate is held against one.
    pub revocation: Option<RevocationSettings>,
    /// Age at which a snapshot is looked up again. The time varies a little, but never exceeds
    /// this, so that many processes do not ask at once.
    pub refresh: Duration,
    /// Age up to which the last good snapshot serves while look-ups fail.
    pub max_stale: Duration,
    /// The part of the trust anchors in use that new material may lack. With the whole, all may be
    /// replaced at once.
    pub max_anchor_loss: Percent,
}

impl TrustSettings {
    /// Every source, with what its material is for.
    pub(crate) fn sources(&self) -> Vec<(Role, &Sources)> {
        let mut sources = vec![(Role::Anchors, &self.anchors)];
        sources.extend(
            self.intermediates
                .iter()
                .map(|sources| (Role::Intermediates, sources)),
        );
        let crls = self.revocation.iter().map(|revocation| &revocation.crls);
        sources.extend(crls.map(|sources| (Role::RevocationLists, sources)));
        sources
    }

    /// The use of records beside CRLs.
    pub(crate) fn crl_state(&self) -> CrlState {
        self.revocation
            .as_ref()
            .map_or(CrlState::Ignore, |revocation| revocation.state)
    }

    /// An unknown status passes in this mode, and so does the status of everybody while CRLs cannot
    /// be read.
    pub(crate) fn missing_lists(&self) -> Missing {
        match &self.revocation {
            Some(revocation) if revocation.options.mode == RevocationMode::Soft => Missing::Tolerated,
            _ => Missing::Refused,
        }
    }
}

/// Where policies come from, and what is decided beside the real decision without effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthorizationSettings {
    /// Where the policies are that a verified client needs a permission of. Without it every
    /// verified client may pass.
    pub policies: Option<Sources>,
    /// Where the trust anchors are that are tried out.
    pub shadow_anchors: Option<Sources>,
    /// Where the policies are that are tried out.
    pub shadow_policies: Option<Sources>,
}

impl AuthorizationSettings {
    /// Every source, with what its material is for.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (Role, &Sources)> {
        let all = [
            (Role::Policies, &self.policies),
            (Role::ShadowAnchors, &self.shadow_anchors),
            (Role::ShadowPolicies, &self.shadow_policies),
        ];
        all.into_iter()
            .filter_map(|(role, sources)| Some((role, sources.as_ref()?)))
    }
}

/// Where CRLs come from and what they decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationSettings {
    /// Where the CRLs are.
    pub crls: Sources,
    /// What becomes of clients by them.
    pub options: RevocationOptions,
    /// Use of the records beside CRLs in S3.
    pub state: CrlState,
}

words! {
    /// Use of the records that `refresh-crls` writes beside the CRLs that it publishes.
    #[derive(Default)]
    pub enum CrlState {
        /// A record that is there is read, and one that cannot be read is an error.
        #[default]
        Read = "read",
        /// No record is looked for. An old CRL is then noticed only by a process that had a newer
        /// one in use.
        Ignore = "ignore",
    }
}

/// What becomes of a look-up that lacks CRLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It fails.
    Refused,
    /// It goes on with the CRLs that were known before, if any.
    Tolerated,
}
