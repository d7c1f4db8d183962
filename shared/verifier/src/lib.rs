//! From the certificates that a client presented to a verified client, or to a reason.
//!
//! A load balancer in mTLS *passthrough* mode proves that the client holds the private key of the first certificate,
//! and nothing else. This crate does the rest: it builds a path to the operator's trust anchors (RFC 5280), applies the
//! rules that a path builder leaves to its caller, and says who the client is. `alb-mtls-http` decodes the header.
//! It does no input or output, reads no environment and has no clock: the time is an argument.
//!
//! ```
//! use alb_mtls_verifier::{CertificateDer, PresentedChain};
//!
//! let certificates = [&b"client"[..], b"issuing CA"].map(CertificateDer::from);
//! let chain = PresentedChain::new(certificates).unwrap();
//! assert_eq!(chain.end_entity().as_ref(), b"client");
//! assert_eq!(PresentedChain::new([]), None);
//! ```

#![warn(missing_docs)]

mod algorithm_name;
mod alternative_name;
mod anchors;
mod bundle;
mod certificate;
mod der_reader;
mod explanation;
mod file_kind;
mod fingerprint;
mod heap;
mod hypothetical;
mod identity;
mod issuing_path;
mod name;
mod oid;
mod options;
mod path;
mod payment_roles;
mod pem_file;
mod presented_chain;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod properties;
mod reason_table;
mod rejection;
mod revocation;
mod rules;
mod signature;
mod signature_budget;
mod timestamp;
mod verifier;

pub use der::asn1::ObjectIdentifier;
pub use rustls_pki_types::CertificateDer;

pub use alternative_name::AlternativeName;
pub use anchors::{Intermediates, TrustAnchor, TrustAnchors, read_anchors, read_intermediates};
pub use bundle::{AuthorityError, BundleError, BundleErrorKind, read_bundle};
pub use certificate::{PublicKey, Validity};
pub use explanation::{CertificateSummary, Explanation, Outcome, PathCertificate};
pub use file_kind::{FileKind, read_text, without_byte_order_mark};
pub use fingerprint::Fingerprint;
pub use identity::ClientIdentity;
pub use issuing_path::IssuingPath;
pub use name::{ATTRIBUTE_NAMES, AttributeValue, DistinguishedName, NameAttribute};
pub use oid::Oid;
pub use options::{ExtendedKeyUsageOption, UnknownExtendedKeyUsageOption, VerifyOptions};
pub use path::{Validators, WebpkiGap, WebpkiGaps};
pub use payment_roles::PAYMENT_ROLES;
pub use pem_file::{PemBlock, PemError, read_pem_blocks};
pub use presented_chain::PresentedChain;
pub use rejection::{Reason, ReasonCode, Rejection, RejectionContext};
pub use revocation::{
    CertificateStatus, CrlHistory, CrlHistoryError, CrlNumber, CrlSeries, CrlVersion, Departures,
    EachRevocationList, InvalidCrlNumber, IssuerForecast, ListSignatureError, ListStanding, RevocationDepth,
    RevocationEvidence, RevocationList, RevocationListError, RevocationListErrorKind, RevocationLists,
    RevocationMode, RevocationOptions, RevocationReason, RevokedCertificate, SeenCrl, UnknownRevocationDepth,
    UnknownRevocationMode, UnsupportedList, parse_each_revocation_list, parse_revocation_lists,
    read_revocation_lists,
};
pub use rules::Check;
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use verifier::{VerifiedClient, Verifier};

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
