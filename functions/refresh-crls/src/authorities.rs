//! The certificates that CRLs are verified with, read anew at every invocation.

use alb_mtls_trust::{Content, Deadline, Loader, Sources};
use alb_mtls_verifier::{
    CertificateDer, Intermediates, RevocationLists, TrustAnchor, TrustAnchors, read_bundle,
};

use crate::failure::Failure;
use crate::location::Location;

/// Trust anchors and intermediates that the operator named.
#[derive(Debug)]
pub(crate) struct Authorities {
    pub(crate) anchors: TrustAnchors,
    pub(crate) intermediates: Intermediates,
    certificates: Vec<CertificateDer<'static>>,
}

/// More than any bundle that the gate would read.
const MAX_BYTES: usize = 16 * 1024 * 1024;

impl Authorities {
    pub(crate) async fn load(
        loader: &Loader,
        anchors: &Sources,
        intermediates: Option<&Sources>,
        deadline: Deadline,
    ) -> Result<Self, Failure> {
        let anchor_certificates = read(loader, anchors, deadline).await?;
        let intermediate_certificates = match intermediates {
            None => Vec::new(),
            Some(sources) => read(loader, sources, deadline).await?,
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
                    .map_err(|problem| Failure::Refused(format!("trust anchor {number} {problem}")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            anchors: TrustAnchors::new(anchors)
                .ok_or_else(|| Failure::Refused("there is no trust anchor".to_owned()))?,
            intermediates: Intermediates::new(intermediate_certificates).map_err(|(position, problem)| {
                Failure::Refused(format!("intermediate {} {problem}", position + 1))
            })?,
            certificates,
        })
    }

    /// Where the certificates themselves say that CRLs are; what is not fetched by HTTP is left out.
    pub(crate) fn distribution_points(&self) -> Vec<Location> {
        let uris = self
            .certificates
            .iter()
            .flat_map(RevocationLists::distribution_points_of);
        let locations = uris.filter_map(|uri| uri.parse().ok());
        locations
            .filter(|location| matches!(location, Location::Http(_)))
            .collect()
    }
}

pub(crate) async fn read(
    loader: &Loader,
    sources: &Sources,
    deadline: Deadline,
) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let mut certificates = Vec::new();
    for source in sources {
        for document in loader.fetch(source, &[], MAX_BYTES, deadline).await? {
            if let Content::New(content) = document.content {
                let bundle = read_bundle(&content)
                    .map_err(|error| Failure::Refused(format!("`{}`: {error}", document.revision.origin)))?;
                certificates.extend(bundle);
            }
        }
    }
    Ok(certificates)
}
