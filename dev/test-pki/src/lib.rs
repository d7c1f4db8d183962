//! Certificates and CRLs made at run time, for the demo, the tests and the vectors.
//!
//! ```
//! use test_pki::{CertificateBuilder, CrlBuilder, KeyKind, chain_pem};
//!
//! let root = CertificateBuilder::root("CN=Example Root,O=Example").self_signed()?;
//! let issuing = CertificateBuilder::intermediate("CN=Example Issuing CA,O=Example").path_length(0).issued_by(&root)?;
//! let client = CertificateBuilder::client("CN=client-1,OU=Payments,O=Example")
//!     .key_kind(KeyKind::P384)
//!     .uri("spiffe://example.org/client-1")
//!     .days(30)
//!     .issued_by(&issuing)?;
//!
//! let presented = chain_pem([&client, &issuing]);
//! assert_eq!(presented.matches("BEGIN CERTIFICATE").count(), 2);
//!
//! let crl = CrlBuilder::new().number(7).revoke(&client).issued_by(&issuing)?;
//! assert!(crl.pem().starts_with("-----BEGIN X509 CRL-----"));
//! # Ok::<_, test_pki::Error>(())
//! ```
//!
//! With [`CertificateBuilder::seed`] everything is derived from a text, so that the same
//! certificate comes out each time; every reader can derive its key too. For certificates that must
//! be wrong in some way, first look whether the builder lets it through (it checks nothing); what
//! it cannot say, [`Certificate::edited`] can, on the open structures of [`raw`].
//!
//! The structures are encoded by `x509-cert`; the usual certificate generators refuse much of what
//! a hostile test needs, and cannot write repeated attributes, directory names, policies or
//! RSASSA-PSS signatures.

mod builder;
mod certificate;
mod crl;
mod error;
mod files;
mod key;
mod name;
mod ocsp;
pub mod raw;

pub use der;
pub use x509_cert;
pub use x509_cert::ext::pkix::KeyUsages as KeyUsage;

pub use crate::builder::{Authority, CertificateBuilder, Criticality, Purpose};
pub use crate::certificate::{Certificate, Credential};
pub use crate::crl::{Crl, CrlBuilder, CrlReason, CrlScope};
pub use crate::error::Error;
pub use crate::files::{write_private, write_public};
pub use crate::key::{Key, KeyKind, SignatureAlgorithm};
pub use crate::name::GeneralName;
pub use crate::ocsp::{OcspHash, OcspResponseBuilder, ocsp_declined};

/// Returns the PEM of several certificates, one after the other, as given: leaf first is the order
/// to send.
pub fn chain_pem<T: AsRef<Certificate>>(certificates: impl IntoIterator<Item = T>) -> String {
    certificates
        .into_iter()
        .map(|certificate| certificate.as_ref().pem())
        .collect()
}

/// Lines end in a line feed on every system.
fn pem_text(label: &str, der: Vec<u8>) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(label, der), config)
}
