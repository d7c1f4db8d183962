//! Sources of revocation status: CRLs at hand, and answers of OCSP responders that the caller
//! fetches.
//!
//! The verifier does no input or output. It states the questions that a path needs, in
//! [`Verification::needed`]; the caller puts them to responders and asks for the verdict again with
//! the answers.

use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::ocsp::{OcspIssuer, OcspQuestion, OcspState, OcspStatus};
use crate::rejection::{Reason, Rejection};
use crate::revocation::{
    CertificateStatus, RevocationDepth, RevocationEvidence, RevocationLists, RevocationMode,
    RevocationOptions,
};
use crate::rules::{Context, Path};
use crate::verifier::{VerifiedClient, Verifier};
use crate::x509::certificate::Certificate;
use crate::x509::time::Timestamp;

/// Sources that clear certificates, in the order of preference.
///
/// A certificate on a CRL at hand is revoked whatever a responder says, in every order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StatusSources {
    /// CRLs alone.
    #[default]
    Crl,
    /// OCSP responders alone.
    Ocsp,
    /// OCSP responders where no CRL clears a certificate.
    CrlThenOcsp,
    /// CRLs where no OCSP responder clears a certificate.
    OcspThenCrl,
}

impl StatusSources {
    /// Every choice, in the order in which they are documented.
    pub const ALL: &'static [Self] = &[Self::Crl, Self::Ocsp, Self::CrlThenOcsp, Self::OcspThenCrl];

    /// Returns the name in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crl => "crl",
            Self::Ocsp => "ocsp",
            Self::CrlThenOcsp => "crl,ocsp",
            Self::OcspThenCrl => "ocsp,crl",
        }
    }

    /// Returns true if OCSP responders are asked.
    pub const fn has_ocsp(self) -> bool {
        !matches!(self, Self::Crl)
    }

    /// Returns true if CRLs clear certificates.
    pub const fn has_crls(self) -> bool {
        !matches!(self, Self::Ocsp)
    }
}

impl fmt::Display for StatusSources {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Error for a text that names no sources of revocation status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not sources of revocation status")]
pub struct UnknownStatusSources;

impl FromStr for StatusSources {
    type Err = UnknownStatusSources;

    fn from_str(text: &str) -> Result<Self, UnknownStatusSources> {
        let mut all = Self::ALL.iter().copied();
        all.find(|sources| sources.as_str() == text)
            .ok_or(UnknownStatusSources)
    }
}

/// Answers to the questions of a verification, as far as the caller has them. Must not wait.
pub trait OcspAnswers {
    /// Returns the answer; `None` for a question that was not put to a responder yet.
    fn answer(&self, question: &OcspQuestion) -> Option<OcspAnswer>;
}

/// Answer to a question.
#[derive(Clone, Debug)]
pub enum OcspAnswer {
    /// A responder stated the status.
    Status(Arc<OcspStatus>),
    /// No responder stated the status.
    Failed(OcspFailure),
}

/// Lack of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspFailure {
    /// Entry of the table of reasons.
    pub reason: Reason,
    /// Clause for the operator, which names the responder.
    pub explanation: Box<str>,
    /// Last second before the responder is asked again.
    pub until: Timestamp,
}

/// Answers to no question.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unanswered;

impl OcspAnswers for Unanswered {
    fn answer(&self, _: &OcspQuestion) -> Option<OcspAnswer> {
        None
    }
}

/// Verdict, and the questions that it lacks an answer to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verification {
    /// Verdict with the answers at hand. It is final if nothing is needed.
    pub verdict: Result<VerifiedClient, Rejection>,
    /// Questions without an answer, each once. Every one is about a path that is good otherwise.
    pub needed: Vec<OcspQuestion>,
}

/// Answers to the questions of one verification, with the questions that remain.
pub(crate) struct Inquiry<'i> {
    answers: &'i dyn OcspAnswers,
    needed: RefCell<Vec<OcspQuestion>>,
}

impl<'i> Inquiry<'i> {
    pub(crate) fn new(answers: &'i dyn OcspAnswers) -> Self {
        Self {
            answers,
            needed: RefCell::default(),
        }
    }

    pub(crate) fn into_needed(self) -> Vec<OcspQuestion> {
        self.needed.into_inner()
    }

    fn answer(&self, question: OcspQuestion) -> Result<(OcspQuestion, OcspAnswer), OcspQuestion> {
        match self.answers.answer(&question) {
            // An answer to another question would be a fault of the caller.
            Some(OcspAnswer::Status(status)) if status.question() != question.id() => {
                let failure = OcspFailure {
                    reason: Reason::OcspUnusable,
                    explanation: "the answer is for another question".into(),
                    until: Timestamp::from_unix_seconds(0),
                };
                Ok((question, OcspAnswer::Failed(failure)))
            }
            Some(answer) => Ok((question, answer)),
            None => {
                let mut needed = self.needed.borrow_mut();
                if !needed.iter().any(|known| known.id() == question.id()) {
                    needed.push(question.clone());
                }
                Err(question)
            }
        }
    }
}

/// Sources in which every path is looked up.
#[derive(Clone, Debug)]
pub(crate) struct Revocation {
    pub(crate) lists: Option<Arc<RevocationLists>>,
    pub(crate) options: RevocationOptions,
    pub(crate) sources: StatusSources,
}

impl Revocation {
    /// Decides about every certificate of a path that is good otherwise, as far down as the options
    /// ask.
    ///
    /// # Errors
    /// A certificate that is revoked; one that no source clears, in mode `strict`.
    pub(crate) fn check(
        &self,
        verifier: &Verifier,
        path: &Path<'_, '_>,
        context: &Context,
        inquiry: &Inquiry<'_>,
    ) -> Result<RevocationEvidence, Rejection> {
        let signatures = context.options.signatures;
        if !self.sources.has_ocsp() {
            let lists = self.lists.as_ref();
            return lists.map_or_else(
                || Ok(RevocationEvidence::default()),
                |lists| lists.check(path, self.options, signatures, context.now),
            );
        }
        // CRLs are at hand, so a revoked certificate costs no request.
        let listed = match &self.lists {
            None => None,
            Some(lists) => {
                let options = RevocationOptions {
                    mode: RevocationMode::Soft,
                    ..self.options
                };
                Some(lists.check(path, options, signatures, context.now)?)
            }
        };
        let mut evidence = RevocationEvidence {
            certificates: Vec::new(),
            valid_until: listed.as_ref().and_then(RevocationEvidence::valid_until),
        };
        let depth = match self.options.depth {
            RevocationDepth::EndEntity => 1,
            RevocationDepth::Chain => usize::MAX,
        };
        for (position, certificate) in path.certificates().enumerate().take(depth) {
            let by_list = listed
                .as_ref()
                .and_then(|listed| listed.certificates().get(position).cloned());
            if self.sources == StatusSources::CrlThenOcsp
                && let Some(good @ CertificateStatus::Good(_)) = by_list
            {
                evidence.certificates.push(good);
                continue;
            }
            let (answered, until) = self.ask(verifier, path, position, certificate, context, inquiry)?;
            evidence.end_at(until);
            evidence.certificates.push(match (by_list, answered) {
                (_, good @ CertificateStatus::Answered(_)) => good,
                (Some(good @ CertificateStatus::Good(_)), _) => good,
                (Some(CertificateStatus::Unknown(listed)), CertificateStatus::Unknown(answered)) => {
                    let (first, second) = match self.sources {
                        StatusSources::OcspThenCrl => (answered, listed),
                        _ => (listed, answered),
                    };
                    CertificateStatus::Unknown(joined(first, &second))
                }
                (_, answered) => answered,
            });
        }
        match (self.options.mode, evidence.unknown()) {
            (RevocationMode::Strict, Some(rejection)) => Err(rejection.clone()),
            _ => Ok(evidence),
        }
    }

    /// Returns the status of one certificate by OCSP, with the last second at which the answer is
    /// the same.
    fn ask(
        &self,
        verifier: &Verifier,
        path: &Path<'_, '_>,
        position: usize,
        certificate: &Certificate<'_>,
        context: &Context,
        inquiry: &Inquiry<'_>,
    ) -> Result<(CertificateStatus, Timestamp), Rejection> {
        let issuer = match path.intermediates.get(position) {
            Some(issuer) => OcspIssuer::Intermediate(issuer),
            None => OcspIssuer::Anchor(path.anchor),
        };
        let now = context.now;
        let question = OcspQuestion::new(certificate, issuer, verifier.is_configured(certificate));
        let unknown = |question: &OcspQuestion, reason, explanation: &str, until| {
            let rejection = certificate
                .reject(reason)
                .in_field("serialNumber")
                .found(&question.serial_number())
                .because(explanation);
            (CertificateStatus::Unknown(rejection), until)
        };
        let (question, answer) = match inquiry.answer(question) {
            Ok(answered) => answered,
            Err(question) => {
                let explanation = "its status was not asked for";
                return Ok(unknown(&question, Reason::OcspUnavailable, explanation, now));
            }
        };
        let status = match answer {
            OcspAnswer::Status(status) => status,
            OcspAnswer::Failed(failure) => {
                let OcspFailure {
                    reason,
                    explanation,
                    until,
                } = failure;
                return Ok(unknown(&question, reason, &explanation, until));
            }
        };
        let until = status.until();
        if until < now {
            let explanation = format!("{status}, it is {now}");
            return Ok(unknown(&question, Reason::OcspStale, &explanation, now));
        }
        if self.is_responder_revoked(path, position, &status, context) {
            let explanation = format!("the certificate of its responder is revoked: {status}");
            return Ok(unknown(&question, Reason::OcspSignature, &explanation, until));
        }
        match status.state() {
            OcspState::Revoked { since, reason } => {
                let because = reason.map_or_else(String::new, |reason| format!(", {reason}"));
                Err(certificate
                    .reject(Reason::Revoked)
                    .in_field("serialNumber")
                    .found(&question.serial_number())
                    .because(format!("revoked since {since}{because}, by {status}")))
            }
            OcspState::Unknown => {
                let explanation = format!("by {status}");
                Ok(unknown(&question, Reason::OcspUnknown, &explanation, until))
            }
            OcspState::Good => match status.not_allowed(context.options.signatures) {
                Some(algorithm) => {
                    let allowed = context.options.signatures;
                    let explanation =
                        format!("{status} is signed with {algorithm}, and MTLS_SIGNATURES lists {allowed}");
                    Ok(unknown(&question, Reason::OcspSignature, &explanation, until))
                }
                None => Ok((CertificateStatus::Answered(status), until)),
            },
        }
    }

    /// Looks a delegated responder's certificate up in the CRLs at hand, unless its issuer exempts
    /// it. Without a CRL it counts: RFC 6960 §4.2.2.2.1 leaves that to the client, and to ask a
    /// responder about itself proves nothing.
    fn is_responder_revoked(
        &self,
        path: &Path<'_, '_>,
        position: usize,
        status: &OcspStatus,
        context: &Context,
    ) -> bool {
        let (Some(lists), Some(responder)) = (&self.lists, status.responder_to_check()) else {
            return false;
        };
        // The octets of both live for different times, and a path is of one.
        let above = path.intermediates.iter().skip(position);
        let above: Result<Vec<Certificate<'_>>, _> = above
            .map(|certificate| Certificate::parse(certificate.der))
            .collect();
        let (Ok(responder), Ok(above)) = (Certificate::parse(responder), above) else {
            return true;
        };
        let path = Path {
            end_entity: &responder,
            intermediates: &above.iter().collect::<Vec<_>>(),
            anchor: path.anchor,
        };
        let options = RevocationOptions {
            mode: RevocationMode::Soft,
            depth: RevocationDepth::EndEntity,
            ..self.options
        };
        let checked = lists.check(&path, options, context.options.signatures, context.now);
        checked.is_err()
    }
}

/// Returns the first of two rejections of one certificate, with the second in its explanation.
fn joined(first: Rejection, second: &Rejection) -> Rejection {
    let clause = |rejection: &Rejection| {
        let explanation = rejection.explanation().unwrap_or_default();
        format!("{}: {explanation}", rejection.reason().meaning())
    };
    let explanation = match first.explanation() {
        Some(explanation) => format!("{explanation}; and {}", clause(second)),
        None => clause(second),
    };
    first.because(explanation)
}
