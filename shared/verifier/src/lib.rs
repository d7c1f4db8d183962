//! From the certificates that a client presented to a verified client, or to a reason.
//!
//! A load balancer in mTLS *passthrough* mode proves that the client holds the private key of the
//! first certificate, and nothing else. This crate does the rest: it builds a path to the
//! operator's trust anchors (RFC 5280), applies the rules that a path builder leaves to its caller,
//! and says who the client is. `alb-mtls-http` decodes the header. It does no input or output,
//! reads no environment and has no clock: the time is an argument.
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

mod anchors;
mod authority;
mod bundle;
mod certificate_names;
mod crypto_module;
mod ecdsa_twin;
mod excerpt;
mod explanation;
mod file_kind;
mod fingerprint;
mod heap;
mod hypothetical;
mod identity;
mod issuing_path;
mod ocsp;
mod options;
mod path;
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
mod signature_cache;
mod status_source;
mod verifier;
mod x509;

pub use der::asn1::ObjectIdentifier;
pub use rustls_pki_types::CertificateDer;

pub use anchors::{
    Intermediates, TrustAnchor, TrustAnchors, is_crl_issuer, read_anchors, read_intermediates,
};
pub use authority::AuthorityError;
pub use bundle::{BundleError, BundleErrorKind, read_bundle};
pub use certificate_names::{CertificateNames, without_leading_zeros};
pub use crypto_module::{CryptoModule, NotInFipsMode};
pub use explanation::{Explanation, Outcome, PathCertificate};
pub use file_kind::{FileKind, read_text, without_byte_order_mark};
pub use fingerprint::{Fingerprint, FingerprintBuilder, InvalidFingerprint};
pub use identity::{
    ClientIdentity, ExtensionMap, ExtensionValue, IdentityExtensions, InvalidIdentityExtensions, is_spiffe_id,
};
pub use issuing_path::IssuingPath;
pub use ocsp::{CertIdHash, MAX_OCSP_RESPONSE_BYTES, OcspError, OcspQuestion, OcspState, OcspStatus};
pub use options::{ExtendedKeyUsageOption, UnknownExtendedKeyUsageOption, VerifyOptions};
pub use path::{Validators, WebpkiGap, WebpkiGaps};
pub use pem_file::{PemBlock, PemError, read_pem_blocks};
pub use presented_chain::PresentedChain;
pub use rejection::{Reason, ReasonCode, Rejection, RejectionContext};
pub use revocation::{
    CertificateStatus, CrlHistory, CrlHistoryError, CrlNumber, CrlSeries, CrlVersion, Departures,
    EachRevocationList, InvalidCrlNumber, IssuerForecast, ListSignatureError, ListStanding, ListStorage,
    RevocationDepth, RevocationEvidence, RevocationList, RevocationListError, RevocationListErrorKind,
    RevocationListStream, RevocationLists, RevocationMode, RevocationOptions, RevocationReason,
    RevokedCertificate, SeenCrl, UnknownRevocationDepth, UnknownRevocationMode, UnsupportedList,
    parse_each_revocation_list, parse_revocation_lists, read_revocation_lists,
};
pub use rules::Check;
pub use signature::{SignatureAlgorithm, SignatureAlgorithms, UnknownSignatureAlgorithm};
pub use status_source::{
    OcspAnswer, OcspAnswers, OcspFailure, StatusSources, UnknownStatusSources, Verification,
};
pub use verifier::{VerifiedClient, Verifier};
pub use x509::alternative_name::AlternativeName;
pub use x509::certificate::Validity;
pub use x509::name::{
    ATTRIBUTE_NAMES, AttributeValue, DistinguishedName, InvalidDistinguishedName, NameAttribute,
};
pub use x509::oid::Oid;
pub use x509::payment_roles::PAYMENT_ROLES;
pub use x509::public_key::PublicKey;
pub use x509::summary::CertificateSummary;
pub use x509::time::{InvalidTimestamp, Timestamp};

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
