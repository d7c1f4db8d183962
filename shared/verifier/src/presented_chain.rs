//! Certificates that a client presented.

use rustls_pki_types::CertificateDer;

/// Certificates that a client presented, the end-entity certificate first. Nothing is known about
/// them yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentedChain {
    end_entity: CertificateDer<'static>,
    intermediates: Vec<CertificateDer<'static>>,
}

impl PresentedChain {
    /// Creates a chain from DER certificates in the order presented; `None` when there is none.
    pub fn new(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Option<Self> {
        let mut certificates = certificates.into_iter();
        let end_entity = certificates.next()?;
        Some(Self {
            end_entity,
            intermediates: certificates.collect(),
        })
    }

    /// Returns the first certificate: the only one for which the client has proved that it has the
    /// private key.
    pub fn end_entity(&self) -> &CertificateDer<'static> {
        &self.end_entity
    }

    /// Returns the other certificates, in the order presented.
    pub fn intermediates(&self) -> &[CertificateDer<'static>] {
        &self.intermediates
    }
}
