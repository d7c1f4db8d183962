//! The Online Certificate Status Protocol (RFC 6960, RFC 5019), without input or output: which
//! question a certificate needs, and what a response to it is worth.
//!
//! The verifier states an [`OcspQuestion`] for each certificate of an otherwise good path. The
//! caller sends [`OcspQuestion::request`] to a responder and has the response judged by
//! [`OcspQuestion::judge`], which is the only way to an [`OcspStatus`]. A response is verified
//! once, when it arrives, as a CRL is; its times count again at each use.

mod error;
mod judgement;
mod question;
mod response;
mod status;

pub use error::OcspError;
pub use judgement::MAX_OCSP_RESPONSE_BYTES;
pub(crate) use question::OcspIssuer;
pub use question::{CertIdHash, OcspQuestion};
pub use status::{OcspState, OcspStatus};

mod identifier {
    use der::asn1::ObjectIdentifier;

    pub(super) const AUTHORITY_INFO_ACCESS: ObjectIdentifier =
        ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.1");
    pub(super) const AD_OCSP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");
    pub(super) const BASIC_RESPONSE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
    pub(super) const NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.2");
    pub(super) const CRL_REFERENCES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.3");
    pub(super) const NO_CHECK: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.5");
    pub(super) const ARCHIVE_CUTOFF: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.6");
    pub(super) const EXTENDED_REVOKE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.9");
    pub(super) const OCSP_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.9");
    pub(super) const SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
    pub(super) const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
}
