//! Options of the verifier beyond RFC 5280.

use std::fmt;
use std::str::FromStr;

use crate::signature::SignatureAlgorithms;

/// Options of the verifier. The default is the behaviour of an Application Load Balancer in verify
/// mode, with ML-DSA beside the algorithms that it documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Certificates below the trust anchor, including the end-entity certificate; ALB's own limit
    /// is 4.
    ///
    /// webpki stops at 7: deeper paths are decided by our rules alone
    /// ([`WebpkiGap::DeepPath`](crate::WebpkiGap::DeepPath)).
    pub max_depth: usize,
    /// Requirement on the end-entity certificate's extended key usage.
    pub extended_key_usage: ExtendedKeyUsageOption,
    /// Algorithms that may sign the certificates below a trust anchor, and CRLs. The anchor's own
    /// signature is not looked at.
    pub signatures: SignatureAlgorithms,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            max_depth: 4,
            extended_key_usage: ExtendedKeyUsageOption::IfPresent,
            signatures: SignatureAlgorithms::ALL,
        }
    }
}

/// Requirement on the end-entity certificate's extended key usage (RFC 5280 §4.2.1.12).
///
/// An extension that is present must contain `clientAuth` or `anyExtendedKeyUsage` in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ExtendedKeyUsageOption {
    /// A certificate without the extension is for every purpose.
    #[default]
    IfPresent,
    /// A certificate without the extension is rejected.
    Required,
}

impl ExtendedKeyUsageOption {
    /// Every choice, in the order in which they are documented.
    pub const ALL: &'static [Self] = &[Self::IfPresent, Self::Required];

    /// Returns the name in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IfPresent => "if-present",
            Self::Required => "required",
        }
    }
}

impl fmt::Display for ExtendedKeyUsageOption {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Error for a text that is not an option for extended key usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a policy for extended key usage")]
pub struct UnknownExtendedKeyUsageOption;

impl FromStr for ExtendedKeyUsageOption {
    type Err = UnknownExtendedKeyUsageOption;

    fn from_str(text: &str) -> Result<Self, UnknownExtendedKeyUsageOption> {
        Self::ALL
            .iter()
            .copied()
            .find(|policy| policy.as_str() == text)
            .ok_or(UnknownExtendedKeyUsageOption)
    }
}
