//! Verdict of the verifier on a case.

use std::fmt;
use std::sync::Arc;

use alb_mtls_http::{HeaderLimits, HeaderValues};
use alb_mtls_verifier::{
    Intermediates, Reason, Rejection, RevocationLists, RevocationOptions, Timestamp, TrustAnchor,
    TrustAnchors, Validators, Verifier, VerifyOptions, read_bundle, read_revocation_lists,
};
use clap::Args;
use serde_json::{Value, json};

use super::case::{Case, Expected};

/// Options with which cases are judged.
#[derive(Args, Clone, Copy, Debug)]
pub struct Judge {
    /// Number of certificates below the trust anchor; chains of test suites are longer than a load
    /// balancer's
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    max_depth: usize,
}

/// The cap of `MTLS_MAX_HEADER`.
const MAX_BYTES: usize = 65_536;
const MAX_CERTIFICATES: usize = 128;
const MAX_LIST_BYTES: usize = 16 * 1024 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept {
        subject: String,
        validators: Validators,
    },
    Reject(Rejection),
    /// Case that the verifier cannot be asked about; counts as a rejection.
    Unjudged {
        detail: &'static str,
        explanation: String,
    },
}

impl Verdict {
    /// Returns true if the verdict is the expected one. A disagreement of the validators is never
    /// expected.
    pub fn is(&self, expected: Expected) -> bool {
        let is_disagreement =
            matches!(self, Self::Reject(rejection) if rejection.reason() == Reason::ValidatorsDisagree);
        !is_disagreement && (expected == Expected::Accept) == matches!(self, Self::Accept { .. })
    }

    /// Returns the finer reason of a refusal.
    pub fn detail(&self) -> &str {
        match self {
            Self::Accept { .. } => "",
            Self::Reject(rejection) => rejection.detail(),
            Self::Unjudged { detail, .. } => detail,
        }
    }

    pub fn to_json(&self, id: &str) -> Value {
        match self {
            Self::Accept { subject, validators } => json!({
                "id": id,
                "verdict": "accept",
                "code": "",
                "detail": "",
                "subject": subject,
                "validators": validators.as_str(),
            }),
            Self::Reject(rejection) => json!({
                "id": id,
                "verdict": "reject",
                "code": rejection.code(),
                "detail": rejection.detail(),
                "explanation": rejection.to_string(),
            }),
            Self::Unjudged { detail, explanation } => json!({
                "id": id,
                "verdict": "reject",
                "code": "",
                "detail": detail,
                "explanation": explanation,
            }),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept { subject, .. } => write!(formatter, "accept {subject}"),
            Self::Reject(rejection) => {
                write!(
                    formatter,
                    "reject {} {}: {rejection}",
                    rejection.code(),
                    rejection.detail()
                )
            }
            Self::Unjudged { detail, explanation } => write!(formatter, "reject {detail}: {explanation}"),
        }
    }
}

impl Judge {
    pub fn judge(self, case: &Case) -> Verdict {
        // A bundle is used whole or not at all; a suite's trusted certificates are each for itself.
        let (anchors, problems): (Vec<_>, Vec<_>) = case
            .trusted
            .iter()
            .map(|pem| read_anchor(pem))
            .partition(Result::is_ok);
        let Some(anchors) = TrustAnchors::new(anchors.into_iter().flatten()) else {
            let problems: Vec<String> = problems.into_iter().filter_map(Result::err).collect();
            return Verdict::Unjudged {
                detail: "no_usable_anchor",
                explanation: problems.join("; "),
            };
        };
        let now = match Timestamp::parse_rfc3339(&case.validation_time) {
            Ok(now) => now,
            Err(error) => {
                return Verdict::Unjudged {
                    detail: "no_usable_time",
                    explanation: error.to_string(),
                };
            }
        };
        let configured = case
            .configured
            .iter()
            .filter_map(|pem| read_bundle(pem.as_bytes()).ok());
        let intermediates = match Intermediates::new(configured.flatten()) {
            Ok(intermediates) => intermediates,
            Err((_, problem)) => {
                return Verdict::Unjudged {
                    detail: "no_usable_intermediate",
                    explanation: problem.to_string(),
                };
            }
        };
        let limits = HeaderLimits {
            max_bytes: MAX_BYTES,
            // Some suites present a pool of certificates rather than a chain.
            max_certificates: case.max_depth.map_or(MAX_CERTIFICATES, |depth| 2 * depth),
        };
        let certificate = std::iter::once(&case.header).chain(&case.more_headers);
        let certificate: Vec<&[u8]> = certificate.map(String::as_bytes).collect();
        let chain: Vec<&[u8]> = case.chain_headers.iter().map(String::as_bytes).collect();
        let values = HeaderValues {
            certificate: &certificate,
            chain: &chain,
        };
        let policy = VerifyOptions {
            max_depth: case.max_depth.unwrap_or(self.max_depth),
            extended_key_usage: case.extended_key_usage,
            ..VerifyOptions::default()
        };
        let lists = (!case.crls.is_empty()).then(|| read_lists(&case.crls, &anchors));
        let mut verifier = Verifier::new(anchors, intermediates, policy);
        if let Some(lists) = lists {
            verifier = verifier.with_revocation(Arc::new(lists), RevocationOptions::default());
        }
        let verified = case
            .header_format
            .decode(values, limits)
            .and_then(|chain| verifier.verify(&chain, now));
        match verified {
            Ok(client) => Verdict::Accept {
                subject: client.identity().subject.to_string(),
                validators: client.validators(),
            },
            Err(rejection) => Verdict::Reject(rejection),
        }
    }
}

fn read_anchor(pem: &str) -> Result<TrustAnchor, String> {
    let certificates = read_bundle(pem.as_bytes()).map_err(|error| error.to_string())?;
    let certificate = certificates.into_iter().next().ok_or("it is empty")?;
    TrustAnchor::new(certificate).map_err(|problem| problem.to_string())
}

/// A list that cannot be used counts as absent.
fn read_lists(crls: &[String], anchors: &TrustAnchors) -> RevocationLists {
    let usable = crls
        .iter()
        .filter_map(|pem| read_revocation_lists(pem.as_bytes(), MAX_LIST_BYTES).ok());
    RevocationLists::new(usable.flatten(), anchors, &Intermediates::default(), None)
}
