//! Families of reasons: a refusal for a reason of another family than the suite's says nothing
//! about what the case is for.

mod table;

use std::fmt;

use alb_mtls::vectors::{Case, Verdict};
use alb_mtls_settings::matches_wildcard;

use table::{REASONS, ROWS};

/// Kind of fault that a case has, or for which a chain is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Algorithm of a key or of a signature.
    Algorithm,
    /// Certificate of the trust anchor itself.
    Anchor,
    /// An issuer that is not a CA, or may not sign certificates.
    Authority,
    /// CRL that does not say whether the certificate is revoked.
    Crl,
    Encoding,
    /// Critical extension that is not understood.
    Extension,
    /// Name of the client.
    Identity,
    /// Work, depth and size.
    Limits,
    NameConstraints,
    /// Path to an anchor that does not exist.
    Path,
    PathLength,
    Policies,
    Revoked,
    Signature,
    /// Key usage and extended key usage of the client, and what bounds it.
    Usage,
    Validity,
}

/// Row of the table of suites.
struct Row {
    /// The case's id; a `*` stands for anything.
    id: &'static str,
    /// Word of the suite in `why` or in `tags`; empty if the id says enough.
    word: &'static str,
    families: &'static [Family],
}

/// Reasons for which a case can rightly be refused.
#[derive(Debug)]
pub(crate) enum Expectation<'c> {
    /// The one reason that the case itself names.
    Detail(&'c str),
    Families(Vec<Family>),
    /// No row of the table is about the case.
    Unknown,
}

impl<'c> Expectation<'c> {
    /// Returns the reasons of a case: its own `detail`, or the families of all rows that match.
    pub(crate) fn of(case: &'c Case) -> Self {
        if !case.detail.is_empty() {
            return Self::Detail(&case.detail);
        }
        let is_said = |word: &str| case.why.contains(word) || case.tags.iter().any(|tag| tag.contains(word));
        let rows = ROWS
            .iter()
            .filter(|row| matches_wildcard(row.id, &case.id) && is_said(row.word));
        let families: Vec<Family> = rows.flat_map(|row| row.families).copied().collect();
        match families.is_empty() {
            true => Self::Unknown,
            false => Self::Families(families),
        }
    }

    /// Returns true if the case is about the certificate of an anchor, so that this certificate
    /// must not be reduced to a name and a key.
    pub(crate) fn is_about_anchor(&self) -> bool {
        matches!(self, Self::Families(families) if families.contains(&Family::Anchor))
    }

    /// Returns true if the refusal has one of the reasons. Every reason fits where none is known.
    pub(crate) fn fits(&self, refusal: &Verdict) -> bool {
        match self {
            Self::Detail(detail) => refusal.detail() == *detail,
            Self::Families(families) => {
                family_of(refusal.detail()).is_some_and(|family| families.contains(&family))
            }
            Self::Unknown => true,
        }
    }
}

impl fmt::Display for Expectation<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Detail(detail) => formatter.write_str(detail),
            Self::Families(families) => {
                let names: Vec<String> = families.iter().map(|family| format!("{family:?}")).collect();
                formatter.write_str(&names.join(" or "))
            }
            Self::Unknown => formatter.write_str("any"),
        }
    }
}

/// Returns the family of a finer reason.
pub(crate) fn family_of(detail: &str) -> Option<Family> {
    let mut reasons = REASONS.iter();
    reasons
        .find(|(_, details)| details.contains(&detail))
        .map(|(family, _)| *family)
}

#[cfg(test)]
mod tests {
    use alb_mtls_verifier::Reason;

    use super::*;

    #[test]
    fn every_reason_has_one_family() {
        for reason in Reason::ALL {
            let detail = reason.detail();
            let families = REASONS.iter().filter(|(_, details)| details.contains(&detail));
            // A disagreement of the validators is never right.
            let expected = usize::from(*reason != Reason::ValidatorsDisagree);
            assert_eq!(families.count(), expected, "{detail}");
        }
    }
}
