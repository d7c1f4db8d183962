//! From certificates to trust anchors and intermediates.

use std::collections::HashSet;

use alb_mtls_verifier::{
    CertificateDer, CertificateSummary, Fingerprint, Timestamp, TrustAnchor, is_crl_issuer,
};

use crate::error::{SourceError, SourceErrorKind};
use crate::material::{Material, SourceMaterial};
use crate::provenance::Role;
use crate::warning::{Located, Warning, find_warnings};

/// Certificates that can be what their role asks for, with all that is wrong or notable about the
/// others.
#[derive(Debug, Default)]
pub(crate) struct Authorities {
    pub(crate) anchors: Vec<TrustAnchor>,
    pub(crate) intermediates: Vec<CertificateDer<'static>>,
    pub(crate) errors: Vec<SourceError>,
    pub(crate) warnings: Vec<Warning>,
}

impl Authorities {
    /// Reads the anchors and intermediates of the material.
    pub(crate) fn from_material(material: &Material, now: Timestamp) -> Self {
        let mut this = Self::default();
        for role in [Role::Anchors, Role::Intermediates] {
            this.read_role(role, material.of_role(role), now);
        }
        this
    }

    fn read_role<'a>(
        &mut self,
        role: Role,
        sources: impl Iterator<Item = &'a SourceMaterial>,
        now: Timestamp,
    ) {
        let mut seen: HashSet<Fingerprint> = HashSet::new();
        let mut located: Vec<(Located<'a>, TrustAnchor)> = Vec::new();
        for source in sources {
            let before = seen.len();
            let mut usable = 0_usize;
            for document in &source.documents {
                for (certificate, entry) in document.items.certificates().iter().zip(1..) {
                    match TrustAnchor::new(certificate.clone()) {
                        Ok(anchor) => {
                            usable += 1;
                            seen.insert(anchor.id());
                            let origin = &document.revision;
                            located.push((Located { origin, entry }, anchor));
                        }
                        // It signs CRLs and stands in no path.
                        Err(_) if role == Role::Intermediates && is_crl_issuer(certificate) => {
                            usable += 1;
                            seen.insert(Fingerprint::of(certificate));
                            self.intermediates.push(certificate.clone());
                        }
                        Err(error) => self.errors.push(SourceError {
                            source: source.source.to_string(),
                            origin: Some(document.revision.place()),
                            kind: SourceErrorKind::Authority {
                                entry,
                                subject: subject_of(certificate),
                                error,
                            },
                        }),
                    }
                }
            }
            if usable > 0 && seen.len() == before {
                self.errors.push(SourceError {
                    source: source.source.to_string(),
                    origin: None,
                    kind: SourceErrorKind::OnlyDuplicates,
                });
            }
        }
        self.warnings.extend(find_warnings(&located, now));
        let authorities = located.into_iter().map(|(_, anchor)| anchor);
        match role {
            Role::Anchors => self.anchors.extend(authorities),
            Role::Intermediates => {
                let certificates = authorities.map(|authority| authority.certificate().clone());
                self.intermediates.extend(certificates);
            }
            Role::RevocationLists | Role::Policies | Role::ShadowAnchors | Role::ShadowPolicies => {}
        }
    }
}

/// Returns the subject of a certificate, where it can be read.
fn subject_of(certificate: &CertificateDer<'_>) -> Option<String> {
    let subject = CertificateSummary::read(certificate)?.subject?;
    Some(subject.to_string())
}
