//! What the verifier says to a case.

use std::fmt;
use std::sync::Arc;

use alb_mtls_verifier::{
    HeaderFormat, HeaderLimits, HeaderValues, Intermediates, PathBuilder, Rejection, RevocationLists,
    RevocationPolicy, Timestamp, TrustAnchor, TrustAnchors, VerificationPolicy, Verifier, read_bundle,
    read_revocation_lists,
};
use serde_json::{Value, json};

use super::case::{Case, Expected};

/// How cases are judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judge {
    pub(super) max_depth: usize,
    pub(super) path_builder: PathBuilder,
}

/// The cap of `MTLS_MAX_HEADER`.
const MAX_BYTES: usize = 65_536;
const MAX_CERTIFICATES: usize = 128;
const MAX_LIST_BYTES: usize = 16 * 1024 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accept,
    Reject(Rejection),
    /// The case cannot be put to the verifier as it stands, which refuses the client all the same.
    Unjudged {
        detail: &'static str,
        explanation: String,
    },
}

impl Verdict {
    pub(super) fn is(&self, expected: Expected) -> bool {
        (expected == Expected::Accept) == (*self == Self::Accept)
    }

    /// The finer reason of a refusal.
    pub(super) fn detail(&self) -> &str {
        match self {
            Self::Accept => "",
            Self::Reject(rejection) => rejection.detail(),
            Self::Unjudged { detail, .. } => detail,
        }
    }

    pub(super) fn to_json(&self, id: &str) -> Value {
        match self {
            Self::Accept => json!({"id": id, "verdict": "accept", "code": "", "detail": ""}),
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
            Self::Accept => formatter.write_str("accept"),
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
    pub(super) fn judge(self, case: &Case) -> Verdict {
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
        let limits = HeaderLimits {
            max_bytes: MAX_BYTES,
            // Some suites present a pool of certificates rather than a chain.
            max_certificates: MAX_CERTIFICATES,
        };
        let values = HeaderValues {
            certificate: &[case.header.as_bytes()],
            chain: &[],
        };
        let policy = VerificationPolicy {
            max_depth: self.max_depth,
            ..VerificationPolicy::default()
        };
        let lists = (!case.crls.is_empty()).then(|| read_lists(&case.crls, &anchors));
        let mut verifier =
            Verifier::new(anchors, Intermediates::default(), policy).with_path_builder(self.path_builder);
        if let Some(lists) = lists {
            verifier = verifier.with_revocation(Arc::new(lists), RevocationPolicy::default());
        }
        let verified = HeaderFormat::UrlEncoded
            .decode(values, limits)
            .and_then(|chain| verifier.verify(&chain, now));
        match verified {
            Ok(_) => Verdict::Accept,
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
