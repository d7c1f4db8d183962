//! Signatures of lists: verified once for each list and key, then remembered.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls_pki_types::{CertificateDer, InvalidSignature};

use super::list::{RevocationList, Signed};
use crate::anchors::TrustAnchor;
use crate::signature::{
    ACCEPTED_ALGORITHMS, ACCEPTED_KEYS, FittingAlgorithm, SignatureFault, key_fault, verify_digest,
};
use crate::x509::algorithm_name::describe_key;
use crate::x509::certificate::Certificate;
use crate::x509::public_key::IssuerKey;

/// The issuer of a certificate that is looked up, as its own certificate in a verified path shows
/// it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CrlIssuer<'a> {
    /// The whole encoding of its name.
    pub(crate) subject: &'a [u8],
    pub(crate) key: IssuerKey<'a>,
    /// The key usage allows signing CRLs or is absent (RFC 5280 §4.2.1.3).
    pub(crate) may_sign_lists: bool,
}

impl<'a> CrlIssuer<'a> {
    pub(crate) fn of_intermediate(certificate: &Certificate<'a>) -> Self {
        Self {
            subject: certificate.subject,
            key: IssuerKey {
                algorithm: certificate.public_key_info.algorithm,
                key: certificate.public_key_info.key,
            },
            may_sign_lists: certificate.may_sign_lists(),
        }
    }

    pub(crate) fn of_anchor(anchor: &'a TrustAnchor) -> Self {
        Self {
            subject: anchor.subject().der(),
            key: anchor.issuer_key(),
            may_sign_lists: anchor.may_sign_lists(),
        }
    }
}

/// State of the signature of a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListStanding {
    /// A trust anchor, a configured intermediate or an intermediate of a verified client signed it.
    Verified,
    /// The issuer is not known yet: it may be an intermediate that clients present, and then the
    /// list is verified when the first of them comes.
    IssuerUnknown,
    /// There is an issuer of this name, and the signature does not verify with its key: the list is
    /// forged or damaged, or the issuer has another key which no certificate has shown yet.
    SignatureInvalid,
    /// There is an issuer of this name, and the signature was not computed: the algorithm or the
    /// issuer's key is not supported, or the key is of another kind than the signature. Nothing
    /// says that the list was changed.
    SignatureUnsupported(ListSignatureError),
    /// The issuer signed the list, and the key usage of its certificate lacks cRLSign: the list
    /// clears no certificate.
    IssuerMayNotSign,
}

/// Reason for which a signature cannot be verified with a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ListSignatureError {
    /// The algorithm is not one that is verified.
    #[error("its signature algorithm is not supported: {algorithm}; sign CRLs with {ACCEPTED_ALGORITHMS}")]
    Algorithm {
        /// Name, object identifier and parameters.
        algorithm: String,
    },
    /// The issuer's key has a kind or size that is not accepted.
    #[error("its issuer has a key that is not supported: {key}; use {ACCEPTED_KEYS}")]
    Key {
        /// Kind, size and object identifier.
        key: String,
    },
    /// The issuer's key is of another kind than the signature.
    #[error(
        "its signature algorithm is {algorithm}, and its issuer has {key}: another CA of this name signed it, or another \
         key of the CA; if the CA has a second key, put the certificate of that key into MTLS_INTERMEDIATES"
    )]
    OtherKind {
        /// Name, object identifier and parameters of the algorithm.
        algorithm: String,
        /// Kind, size and object identifier of the key.
        key: String,
    },
}

/// The key of a possible issuer, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KnownKey {
    algorithm: Box<[u8]>,
    key: Box<[u8]>,
    identifier: Option<Box<[u8]>>,
    may_sign_lists: bool,
}

impl KnownKey {
    /// Reads the key of a CA certificate.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = Certificate::parse(certificate).ok()?;
        Some(Self {
            algorithm: parsed.public_key_info.algorithm.into(),
            key: parsed.public_key_info.key.into(),
            identifier: parsed.key_identifier().map(Box::from),
            may_sign_lists: parsed.may_sign_lists(),
        })
    }

    pub(super) fn of_anchor(anchor: &TrustAnchor) -> Self {
        Self {
            identifier: anchor.key_identifier().map(Box::from),
            ..Self::of_issuer(CrlIssuer::of_anchor(anchor))
        }
    }

    fn of_issuer(issuer: CrlIssuer<'_>) -> Self {
        Self {
            algorithm: issuer.key.algorithm.into(),
            key: issuer.key.key.into(),
            identifier: None,
            may_sign_lists: issuer.may_sign_lists,
        }
    }

    /// A key that is known from a record of lists that it signed.
    pub(super) fn from_parts(algorithm: &[u8], key: &[u8]) -> Self {
        Self {
            algorithm: algorithm.into(),
            key: key.into(),
            identifier: None,
            may_sign_lists: true,
        }
    }

    pub(super) fn is(&self, key: IssuerKey<'_>) -> bool {
        *self.key == *key.key && *self.algorithm == *key.algorithm
    }

    pub(super) fn as_issuer_key(&self) -> IssuerKey<'_> {
        IssuerKey {
            algorithm: &self.algorithm,
            key: &self.key,
        }
    }

    /// As the issuer of a list.
    pub(super) fn as_issuer<'a>(&'a self, list: &'a RevocationList) -> CrlIssuer<'a> {
        CrlIssuer {
            subject: list.issuer().der(),
            key: self.as_issuer_key(),
            may_sign_lists: self.may_sign_lists,
        }
    }

    pub(super) fn may_sign_lists(&self) -> bool {
        self.may_sign_lists
    }

    /// Returns true if the list names this key as its signer; some lists and some certificates do
    /// not name one.
    pub(super) fn is_named_by(&self, list: &RevocationList) -> bool {
        list.authority_key_identifier().is_some()
            && self.identifier.as_deref() == list.authority_key_identifier()
    }
}

/// Keys that are remembered because they did not sign a list. A verified path leads to few keys
/// under one name; a CA that makes more costs one signature each time.
const MAX_OTHER_KEYS: usize = 8;

/// A key that did not sign a list, as far as can be told.
#[derive(Debug)]
struct OtherKey {
    key: KnownKey,
    /// Reason for which the signature was not computed; `None` if it was, and did not verify.
    obstacle: Option<ListSignatureError>,
}

/// A list with what is known about its signature.
#[derive(Debug)]
pub(super) struct SignedList {
    list: Arc<RevocationList>,
    /// Returns the key that signed the list, once it is known.
    signer: OnceLock<KnownKey>,
    /// Keys that did not, the latest last.
    others: Mutex<Vec<OtherKey>>,
}

impl SignedList {
    pub(super) fn new(list: Arc<RevocationList>) -> Self {
        Self {
            list,
            signer: OnceLock::new(),
            others: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn list(&self) -> &Arc<RevocationList> {
        &self.list
    }

    /// Returns the key that signed the list, once it is known.
    pub(super) fn signer(&self) -> Option<&KnownKey> {
        self.signer.get()
    }

    /// Takes over what was found out about the same list before.
    pub(super) fn remember(&self, signer: &KnownKey) {
        // A signer that is already known stays.
        let _ = self.signer.set(signer.clone());
    }

    /// Returns true if this issuer's key signed the list. Verifies the signature when the key is
    /// met for the first time.
    pub(super) fn is_signed_by(&self, issuer: CrlIssuer<'_>) -> bool {
        let key = issuer.key;
        if let Some(signer) = self.signer.get() {
            return signer.is(key);
        }
        if self.others().iter().any(|other| other.key.is(key)) {
            return false;
        }
        let obstacle = match verify(&self.list, key) {
            Verification::Verified => {
                self.remember(&KnownKey::of_issuer(issuer));
                return true;
            }
            Verification::Failed => None,
            Verification::NotComputed(obstacle) => Some(obstacle),
        };
        let mut others = self.others();
        if others.len() == MAX_OTHER_KEYS {
            others.remove(0);
        }
        let key = KnownKey::of_issuer(issuer);
        others.push(OtherKey { key, obstacle });
        false
    }

    /// Returns why the signature was not computed with this key, of which
    /// [`is_signed_by`](Self::is_signed_by) says that it did not sign.
    pub(super) fn obstacle(&self, key: IssuerKey<'_>) -> Option<ListSignatureError> {
        let others = self.others();
        let other = others.iter().find(|other| other.key.is(key));
        other.and_then(|other| other.obstacle.clone())
    }

    pub(super) fn standing(&self) -> ListStanding {
        match self.signer.get() {
            Some(signer) if signer.may_sign_lists => return ListStanding::Verified,
            Some(_) => return ListStanding::IssuerMayNotSign,
            None => {}
        }
        let others = self.others();
        // One signature that was computed says more than those that were not.
        match others
            .iter()
            .map(|other| &other.obstacle)
            .min_by_key(|obstacle| obstacle.is_some())
        {
            None => ListStanding::IssuerUnknown,
            Some(None) => ListStanding::SignatureInvalid,
            Some(Some(obstacle)) => ListStanding::SignatureUnsupported(obstacle.clone()),
        }
    }

    fn others(&self) -> std::sync::MutexGuard<'_, Vec<OtherKey>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Verification {
    Verified,
    Failed,
    NotComputed(ListSignatureError),
}

fn verify(list: &RevocationList, key: IssuerKey<'_>) -> Verification {
    let algorithm = || list.signature_algorithm_name();
    let key_name = || describe_key(key.algorithm, key.key);
    let (identifier, signature) = (list.signature_algorithm(), list.signature());
    let verified = match list.signed() {
        Signed::Octets(octets) => FittingAlgorithm::find(identifier, key)
            .map(|fitting| fitting.as_dyn().verify_signature(key.key, octets, signature)),
        Signed::Digest(digest) => verify_digest(identifier, key, digest, signature),
    };
    let fault = match verified {
        Ok(Ok(())) => return Verification::Verified,
        // AWS-LC computes nothing with a key that it does not take, and says no more than this.
        Ok(Err(InvalidSignature)) => key_fault(key).map_or(SignatureFault::Invalid, SignatureFault::Key),
        Err(fault) => fault,
    };
    Verification::NotComputed(match fault {
        SignatureFault::Invalid => return Verification::Failed,
        SignatureFault::Algorithm => ListSignatureError::Algorithm {
            algorithm: algorithm(),
        },
        SignatureFault::Key(_) => ListSignatureError::Key { key: key_name() },
        SignatureFault::OtherKind => ListSignatureError::OtherKind {
            algorithm: algorithm(),
            key: key_name(),
        },
    })
}
