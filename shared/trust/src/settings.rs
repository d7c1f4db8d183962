use std::sync::Arc;
use std::time::Duration;

use alb_mtls_settings::{Percent, words};
use alb_mtls_verifier::{
    IdentityExtensions, Intermediates, RevocationLists, RevocationMode, RevocationOptions, TrustAnchors,
    Verifier, VerifyOptions,
};

use crate::ocsp::OcspSettings;
use crate::provenance::Role;
use crate::source::Sources;

/// Sources of trust material, and how fresh it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustSettings {
    /// Sources of the trust anchors.
    pub anchors: Sources,
    /// Sources of intermediates, for clients that send only their own certificate. They are not
    /// trusted.
    pub intermediates: Option<Sources>,
    /// Options of verifying a client's path.
    pub options: VerifyOptions,
    /// Extensions whose values become part of a client's identity.
    pub identity_extensions: IdentityExtensions,
    /// Revocation; without it, certificates are not checked against CRLs.
    pub revocation: Option<RevocationSettings>,
    /// OCSP; without it, no responder is asked.
    pub ocsp: Option<OcspSettings>,
    /// Age at which a snapshot is looked up again. The time varies a little, but never exceeds
    /// this, so that many processes do not ask at once.
    pub refresh: Duration,
    /// Age up to which the last good snapshot serves while lookups fail.
    pub max_stale: Duration,
    /// Part of the trust anchors in use that new material can lack. With 100 %, all can be replaced
    /// at once.
    pub max_anchor_loss: Percent,
}

impl TrustSettings {
    /// Returns a verifier without revocation for these anchors.
    pub(crate) fn verifier(&self, anchors: TrustAnchors, intermediates: Intermediates) -> Verifier {
        Verifier::new(anchors, intermediates, self.options)
            .with_identity_extensions(self.identity_extensions.clone())
    }

    /// Returns the verifier with the sources of revocation status that are set; `lists` are the
    /// CRLs.
    pub(crate) fn with_revocation(
        &self,
        verifier: Verifier,
        lists: Option<Arc<RevocationLists>>,
    ) -> Verifier {
        match (lists, &self.revocation, &self.ocsp) {
            (lists, _, Some(ocsp)) => verifier.with_status_sources(lists, ocsp.options, ocsp.sources),
            (Some(lists), Some(revocation), None) => verifier.with_revocation(lists, revocation.options),
            _ => verifier,
        }
    }

    /// Returns every source with the purpose of its material.
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

    /// Returns the use of records beside CRLs.
    pub(crate) fn crl_state(&self) -> CrlState {
        self.revocation
            .as_ref()
            .map_or(CrlState::Ignore, |revocation| revocation.state)
    }

    /// Returns the treatment of missing CRLs. In soft mode an unknown status passes, also while
    /// CRLs cannot be read.
    pub(crate) fn missing_lists(&self) -> Missing {
        match &self.revocation {
            Some(revocation) if revocation.options.mode == RevocationMode::Soft => Missing::Tolerated,
            _ => Missing::Refused,
        }
    }
}

/// Sources of policies, and of a shadow set that is decided beside the real decision without
/// effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthorizationSettings {
    /// Sources of the policies that must permit a verified client. Without them every verified
    /// client passes.
    pub policies: Option<Sources>,
    /// Sources of the trust anchors of the shadow set.
    pub shadow_anchors: Option<Sources>,
    /// Sources of the policies of the shadow set.
    pub shadow_policies: Option<Sources>,
}

impl AuthorizationSettings {
    /// Returns every source with the purpose of its material.
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

/// Sources of CRLs, and what the CRLs decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationSettings {
    /// Sources of the CRLs.
    pub crls: Sources,
    /// Effect of the CRLs on clients.
    pub options: RevocationOptions,
    /// Use of the records beside CRLs in S3.
    pub state: CrlState,
}

words! {
    /// Use of the records that `refresh-crls` writes beside the CRLs that it publishes.
    #[derive(Default)]
    pub enum CrlState {
        /// A record that exists is read, and one that cannot be read is an error.
        #[default]
        Read = "read",
        /// Records are not read. An old CRL is then noticed only by a process that had a newer one
        /// in use.
        Ignore = "ignore",
    }
}

/// Treatment of a lookup that lacks CRLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The lookup fails.
    Refused,
    /// The lookup goes on with the CRLs that were known before, if any.
    Tolerated,
}
