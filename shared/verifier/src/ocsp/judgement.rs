//! Rules for a response (RFC 6960 §3.2 and §4.2.2).

use super::error::OcspError;
use super::identifier;
use super::question::{CertIdHash, OcspQuestion};
use super::response::{self, BasicResponse, CertStatus, ResponderId, SingleResponse};
use super::status::{OcspState, OcspStatus};
use crate::excerpt::abbreviated;
use crate::signature::{FittingAlgorithm, SignatureAlgorithm, key_fault};
use crate::x509::algorithm_name::describe_signature_algorithm;
use crate::x509::certificate::Certificate;
use crate::x509::critical_extensions::check_critical_extensions;
use crate::x509::der::{Elements, Tag, shortest};
use crate::x509::name::{DistinguishedName, names_are_equal};
use crate::x509::public_key::IssuerKey;
use crate::x509::time::Timestamp;

/// Most bytes of a response. One with an RSA-4096 responder certificate takes about 3,000, one of
/// ML-DSA-87 with a certificate about 13,000.
pub const MAX_OCSP_RESPONSE_BYTES: usize = 65_536;

/// Seconds by which the clock of a responder can be ahead of ours: the tolerance of `openssl ocsp`
/// and of nginx.
const CLOCK_TOLERANCE: i64 = 300;

/// Seconds after thisUpdate during which a response without nextUpdate counts. Such a responder
/// always has newer information (RFC 6960 §4.2.2.1); the time is for its clock, which can be as
/// much behind as it can be ahead, and for as long again.
const USE_WITHOUT_END: i64 = 2 * CLOCK_TOLERANCE;

/// Most certificates of a response that are tried as the delegated responder's. Each costs one
/// signature with the issuer's key, and only those that the responderID names are tried.
const MAX_CANDIDATES: usize = 4;

/// The signer of a response.
struct Signer {
    name: Box<str>,
    /// Last second at which it may sign.
    until: Option<Timestamp>,
    to_check: Option<Box<[u8]>>,
    algorithms: Vec<SignatureAlgorithm>,
}

impl OcspQuestion {
    /// Judges a response to this question at the time `now`.
    ///
    /// # Errors
    /// [`OcspError`] for a response that says nothing about the certificate. A status of revoked or
    /// unknown is not an error here.
    pub fn judge(&self, response: &[u8], now: Timestamp) -> Result<OcspStatus, OcspError> {
        if response.len() > MAX_OCSP_RESPONSE_BYTES {
            return Err(OcspError::TooLarge(MAX_OCSP_RESPONSE_BYTES));
        }
        let response = response::parse(response)?;
        let signer = self.signer_of(&response, now)?;
        let single = self.find_status(&response)?;
        if single.this_update > now.plus_seconds(CLOCK_TOLERANCE) {
            return Err(OcspError::NotYetValid {
                this_update: single.this_update,
                now,
            });
        }
        let end = match single.next_update {
            Some(end) if end < single.this_update => {
                return Err(OcspError::Malformed("nextUpdate, which is before thisUpdate"));
            }
            Some(end) => end,
            None => single.this_update.plus_seconds(USE_WITHOUT_END),
        };
        let until = signer.until.map_or(end, |until| until.min(end));
        if until < now {
            return Err(OcspError::Expired { until, now });
        }
        Ok(OcspStatus {
            question: self.id(),
            state: match single.status {
                CertStatus::Good => OcspState::Good,
                CertStatus::Revoked { since, reason } => OcspState::Revoked { since, reason },
                CertStatus::Unknown => OcspState::Unknown,
            },
            this_update: single.this_update,
            until,
            responder: signer.name,
            responder_to_check: signer.to_check,
            algorithms: signer.algorithms,
        })
    }

    /// Finds the one status of the certificate in a response that may have others too.
    fn find_status<'r, 'a>(
        &self,
        response: &'r BasicResponse<'a>,
    ) -> Result<&'r SingleResponse<'a>, OcspError> {
        let mut about = response.responses.iter().filter(|single| self.is_about(single));
        match (about.next(), about.next()) {
            (Some(single), None) => Ok(single),
            // Two could contradict each other.
            (Some(_), Some(_)) => Err(OcspError::Malformed(
                "responses, which have two statuses for the certificate",
            )),
            (None, _) => {
                let serials = response.responses.iter().map(|single| single.serial_number);
                Err(OcspError::OtherCertificate(match serials.clone().next() {
                    None => "no certificate".to_owned(),
                    Some(_) if serials.clone().any(|serial| *serial == *self.serial_number) => {
                        format!("the serial number {} of another issuer", self.serial_number())
                    }
                    Some(serial) => {
                        let shown = abbreviated(&base16ct::lower::encode_string(serial));
                        format!(
                            "the serial number {shown}, asked for was {}",
                            self.serial_number()
                        )
                    }
                }))
            }
        }
    }

    /// Returns true if the certID is that of the certificate, by either hash function.
    fn is_about(&self, single: &SingleResponse<'_>) -> bool {
        let mut hashes = CertIdHash::ALL.iter();
        let Some(hash) = hashes.find(|hash| hash.oid() == single.hash) else {
            return false;
        };
        // Equal names can be written differently, and RFC 6960 §4.1.1 does not say which of both
        // spellings a responder has.
        let mut names = [&self.issuer, &self.issuer_subject].into_iter();
        shortest(single.serial_number) == &*self.serial_number
            && hash.of(self.issuer_key().key) == single.issuer_key_hash
            && names.any(|name| hash.of(name) == single.issuer_name_hash)
    }

    /// Verifies that the issuer, or a responder that it authorized, signed the response (RFC 6960
    /// §4.2.2.2).
    fn signer_of(&self, response: &BasicResponse<'_>, now: Timestamp) -> Result<Signer, OcspError> {
        let key = self.issuer_key();
        let mut why_not =
            String::from("it names a responder that is not the issuer, without the responder's certificate");
        if is_named(response.responder, &self.issuer_subject, key.key) {
            match verify(response, key) {
                Ok(algorithm) => {
                    return Ok(Signer {
                        name: self.issuer_name().into(),
                        until: None,
                        to_check: None,
                        algorithms: vec![algorithm],
                    });
                }
                Err(reason) => {
                    why_not = format!("it names the issuer as its signer, and {reason}");
                }
            }
        }
        let certificates = response.certificates.iter();
        let candidates = certificates
            .filter_map(|certificate| Certificate::parse(certificate).ok())
            .filter(|candidate| {
                is_named(
                    response.responder,
                    candidate.subject,
                    candidate.public_key_info.key,
                )
            });
        for candidate in candidates.take(MAX_CANDIDATES) {
            match self.delegate(&candidate, response, now) {
                Ok(signer) => return Ok(signer),
                Err(reason) => {
                    let name = name_of(candidate.subject);
                    why_not = format!("the certificate of its responder `{name}` {reason}");
                }
            }
        }
        Err(OcspError::Signature(why_not))
    }

    /// Checks the certificate of a delegated responder, and that its key signed the response. The
    /// error ends a sentence that begins with the certificate.
    fn delegate(
        &self,
        candidate: &Certificate<'_>,
        response: &BasicResponse<'_>,
        now: Timestamp,
    ) -> Result<Signer, String> {
        // Issued directly by the CA that issued the certificate in question (§4.2.2.2).
        if !names_are_equal(candidate.issuer, &self.issuer_subject) {
            return Err(format!("is issued by {}", name_of(candidate.issuer)));
        }
        let key = self.issuer_key();
        let issued = FittingAlgorithm::find(candidate.signature_algorithm, key).map_err(|_| {
            let algorithm = describe_signature_algorithm(candidate.signature_algorithm);
            format!("is signed with {algorithm}, which is not supported, or does not fit the issuer's key")
        })?;
        issued
            .as_dyn()
            .verify_signature(key.key, candidate.to_be_signed, candidate.signature)
            .map_err(|_| "is not signed with the key of the issuer")?;
        // Not anyExtendedKeyUsage: a CA has to delegate on purpose.
        if !has_ocsp_signing(candidate) {
            return Err("has no extended key usage OCSPSigning (1.3.6.1.5.5.7.3.9)".to_owned());
        }
        let usage = candidate.extensions.key_usage;
        if usage.is_some_and(|usage| !usage.allows_digital_signature()) {
            return Err("has a key usage without digitalSignature".to_owned());
        }
        if check_critical_extensions(candidate).is_err() {
            return Err("has a critical extension that is not understood".to_owned());
        }
        if !candidate.validity.covers(now) {
            let validity = candidate.validity;
            return Err(format!(
                "is valid from {} to {}, and it is {now}",
                validity.not_before, validity.not_after
            ));
        }
        let key = candidate.issuer_key();
        if key_fault(key).is_some() {
            return Err("has a key that is not supported".to_owned());
        }
        let algorithm = verify(response, key).map_err(|reason| format!("is in order, but {reason}"))?;
        let is_exempt = candidate.extensions.find(identifier::NO_CHECK).is_some();
        Ok(Signer {
            name: name_of(candidate.subject),
            until: Some(candidate.validity.not_after),
            to_check: (!is_exempt).then(|| candidate.der.into()),
            algorithms: vec![algorithm, issued.name()],
        })
    }
}

/// Returns true if a responderID names the owner of a name and key.
fn is_named(responder: ResponderId<'_>, name: &[u8], key: &[u8]) -> bool {
    match responder {
        ResponderId::Name(responder) => names_are_equal(responder, name),
        ResponderId::Key(hash) => CertIdHash::Sha1.of(key) == hash,
    }
}

/// Verifies the signature of a response with one key. The error ends a sentence.
fn verify(response: &BasicResponse<'_>, key: IssuerKey<'_>) -> Result<SignatureAlgorithm, String> {
    let fitting = FittingAlgorithm::find(response.signature_algorithm, key).map_err(|_| {
        let algorithm = describe_signature_algorithm(response.signature_algorithm);
        format!("its signature algorithm {algorithm} is not supported, or does not fit the key")
    })?;
    let verified = fitting
        .as_dyn()
        .verify_signature(key.key, response.to_be_signed, response.signature);
    match verified {
        Ok(()) => Ok(fitting.name()),
        Err(_) => Err("its signature does not verify with that key".to_owned()),
    }
}

fn has_ocsp_signing(certificate: &Certificate<'_>) -> bool {
    let Some(extension) = certificate.extensions.find(crate::x509::oid::EXTENDED_KEY_USAGE) else {
        return false;
    };
    let Ok(mut purposes) = Elements::inside(extension.value, Tag::SEQUENCE) else {
        return false;
    };
    let mut found = false;
    while !purposes.at_end() {
        match purposes.content(Tag::OBJECT_IDENTIFIER) {
            Ok(purpose) => found |= purpose == identifier::OCSP_SIGNING.as_bytes(),
            Err(_) => return false,
        }
    }
    found
}

fn name_of(name: &[u8]) -> Box<str> {
    DistinguishedName::parse(name).map_or_else(
        |_| "a name that cannot be shown".into(),
        |name| abbreviated(name.as_str()),
    )
}
