//! Explanation of a verdict: every check of one presented chain, for people.

use std::sync::Arc;

use crate::anchors::TrustAnchor;
use crate::path::{self, PathError, Progress};
use crate::presented_chain::PresentedChain;
use crate::rejection::Rejection;
use crate::rules::{self, Check, Path};
use crate::status_source::{Inquiry, OcspAnswers, Unanswered};
use crate::verifier::{VerifiedClient, Verifier, parse};
use crate::x509::certificate::Certificate;
use crate::x509::summary::CertificateSummary;
use crate::x509::time::Timestamp;

/// Verdict of [`Verifier::verify`] on a chain, and the outcome of each check.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// The verdict.
    pub verdict: Result<VerifiedClient, Rejection>,
    /// Every check in order. More than one may have failed; the verdict names the first that was
    /// met.
    pub checks: Vec<(Check, Outcome)>,
    /// The path that the checks were applied to, the end-entity certificate first, as far as it
    /// goes.
    pub path: Vec<PathCertificate>,
    /// The trust anchor at the end of that path.
    pub anchor: Option<Arc<TrustAnchor>>,
}

/// Outcome of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The check passed.
    Passed,
    /// The check failed.
    Failed(Rejection),
    /// There was nothing to apply it to, because an earlier check failed.
    NotReached,
    /// The check is turned off.
    Off,
}

/// A certificate of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathCertificate {
    /// Position among the presented certificates; absent for one from the settings.
    pub presented_at: Option<usize>,
    /// Contents of the certificate.
    pub summary: CertificateSummary,
}

impl Verifier {
    /// Decides as [`Verifier::verify`] does, and says how every check went. Slower: for people, not
    /// for requests.
    pub fn explain(&self, chain: &PresentedChain, now: Timestamp) -> Explanation {
        self.explain_with(chain, now, &Unanswered)
    }

    /// Explains as [`Verifier::explain`] does, with the answers of OCSP responders.
    pub fn explain_with(
        &self,
        chain: &PresentedChain,
        now: Timestamp,
        answers: &dyn OcspAnswers,
    ) -> Explanation {
        let mut explanation = Explanation {
            verdict: self.verify_with(chain, now, answers).verdict,
            checks: Vec::with_capacity(Check::ALL.len()),
            path: Vec::new(),
            anchor: None,
        };
        let inquiry = Inquiry::new(answers);
        let checked = self.check_everything(chain, now, &inquiry, &mut explanation);
        if let Err((check, rejection)) = checked {
            explanation.checks.push((check, Outcome::Failed(rejection)));
        }
        let reached: Vec<Check> = explanation.checks.iter().map(|(check, _)| *check).collect();
        let missing = Check::ALL.iter().filter(|check| !reached.contains(check));
        explanation
            .checks
            .extend(missing.map(|check| (*check, Outcome::NotReached)));
        explanation.checks.sort_by_key(|(check, _)| *check);
        explanation
    }

    /// Stops at a check without which the following ones have nothing to look at.
    fn check_everything(
        &self,
        chain: &PresentedChain,
        now: Timestamp,
        inquiry: &Inquiry<'_>,
        explanation: &mut Explanation,
    ) -> Result<(), (Check, Rejection)> {
        let unreadable = |rejection| (Check::Parsing, rejection);
        let context = self.context(now);
        let end_entity = parse(0, chain.end_entity()).map_err(unreadable)?;
        let intermediates = self.candidates(chain, &end_entity).map_err(unreadable)?;
        let checks = &mut explanation.checks;
        checks.push((Check::Parsing, Outcome::Passed));
        // Unlike a verdict, an explanation goes on after a failed check: all that is wrong shows at
        // once.
        for (check, rule) in rules::END_ENTITY_RULES {
            checks.push((*check, rule(&end_entity, &context).into()));
        }

        let judge = |path: &Path<'_, '_>| self.judge(path, &context, inquiry).map(|_| ());
        let searched = path::search(self.anchors(), &end_entity, &intermediates, &context, &judge);
        let (path, anchor, stopped) = match searched {
            Ok(found) => (found.intermediates, Some(found.anchor), None),
            Err(PathError {
                rejection,
                progress,
                intermediates,
                anchor,
            }) => (intermediates, anchor, Some((progress, rejection))),
        };
        let certificates = std::iter::once(&end_entity).chain(path.iter().copied());
        explanation.path = certificates.map(PathCertificate::of).collect();
        explanation.anchor = anchor.cloned();
        let checks = &mut explanation.checks;
        match stopped {
            Some((Progress::Incomplete | Progress::TooComplex, rejection)) => {
                return Err((Check::PathBuilding, rejection));
            }
            Some((Progress::Mismatched | Progress::Unverified, rejection)) => {
                checks.push((Check::PathBuilding, Outcome::Passed));
                return Err((Check::Signatures, rejection));
            }
            Some((Progress::Unusable | Progress::Refused | Progress::Revoked, _)) | None => {
                checks.push((Check::PathBuilding, Outcome::Passed));
                checks.push((Check::Signatures, Outcome::Passed));
            }
        }
        let Some(anchor) = anchor else {
            return Ok(());
        };
        let path = Path {
            end_entity: &end_entity,
            intermediates: &path,
            anchor,
        };
        // Comparisons that the search has spent do not count again.
        let searched = context;
        let context = self.context(now);
        for (check, rule) in rules::PATH_RULES {
            checks.push((*check, rule(&path, &context).into()));
        }
        let revocation = match self.checks_revocation() {
            true => self.check_revocation(&path, &context, inquiry).map(|_| ()).into(),
            false => Outcome::Off,
        };
        checks.push((Check::Revocation, revocation));
        let identity = self.identify(&end_entity, anchor).map(|_| ());
        checks.push((Check::Identity, identity.into()));
        // A path that our own rules reject is not put to webpki. The search has verified the
        // signatures for both.
        let is_accepted = checks
            .iter()
            .all(|(_, outcome)| !matches!(outcome, Outcome::Failed(_)));
        let agreement = match is_accepted {
            true => path::agree(&path, &searched).map(|_| ()).into(),
            false => Outcome::NotReached,
        };
        checks.push((Check::Agreement, agreement));
        Ok(())
    }
}

impl From<Result<(), Rejection>> for Outcome {
    fn from(result: Result<(), Rejection>) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(rejection) => Self::Failed(rejection),
        }
    }
}

impl PathCertificate {
    fn of(certificate: &Certificate<'_>) -> Self {
        Self {
            presented_at: certificate.presented_at,
            summary: CertificateSummary::of(certificate),
        }
    }
}
