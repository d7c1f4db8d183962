//! Certificates that CRLs are verified with, read again at every invocation.

use alb_mtls_trust::{Deadline, Loader, Sources};
use alb_mtls_verifier::{CertificateDer, Intermediates, TrustAnchor, TrustAnchors};

use crate::error::RefreshError;

/// Trust anchors and intermediates that the operator named.
#[derive(Debug)]
pub(crate) struct Authorities {
    pub(crate) anchors: TrustAnchors,
    pub(crate) intermediates: Intermediates,
    certificates: Vec<CertificateDer<'static>>,
}

impl Authorities {
    pub(crate) async fn load(
        loader: &Loader,
        anchors: &Sources,
        intermediates: Option<&Sources>,
        deadline: Deadline,
    ) -> Result<Self, RefreshError> {
        let anchor_certificates = loader.certificates(anchors, deadline).await?;
        let intermediate_certificates = match intermediates {
            None => Vec::new(),
            Some(sources) => loader.certificates(sources, deadline).await?,
        };
        let certificates = anchor_certificates
            .iter()
            .chain(&intermediate_certificates)
            .cloned()
            .collect();
        let anchors = anchor_certificates
            .into_iter()
            .zip(1..)
            .map(|(certificate, number)| {
                TrustAnchor::new(certificate)
                    .map_err(|problem| RefreshError::Refused(format!("trust anchor {number} {problem}")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            anchors: TrustAnchors::new(anchors)
                .ok_or_else(|| RefreshError::Refused("there is no trust anchor".to_owned()))?,
            intermediates: Intermediates::new(intermediate_certificates).map_err(|(position, problem)| {
                RefreshError::Refused(format!("intermediate {} {problem}", position + 1))
            })?,
            certificates,
        })
    }

    /// Certificates as the operator configured them, for the URLs in them.
    pub(crate) fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }
}
