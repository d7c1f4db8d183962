//! What the operator asks of a path beyond RFC 5280.

use std::fmt;
use std::str::FromStr;

/// The rules that a deployment can set. The default is what an Application Load Balancer in verify mode asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Certificates below the trust anchor, the end-entity certificate included; ALB's own limit is 4.
    ///
    /// The path builder itself stops at 7 (six intermediates).
    pub max_depth: usize,
    /// What is asked of the end-entity certificate's extended key usage.
    pub extended_key_usage: ExtendedKeyUsageOption,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            max_depth: 4,
            extended_key_usage: ExtendedKeyUsageOption::IfPresent,
        }
    }
}

/// Whether the end-entity certificate must state that it is for TLS clients (RFC 5280 §4.2.1.12).
///
/// An extension that is there must name `clientAuth` or `anyExtendedKeyUsage` in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ExtendedKeyUsageOption {
    /// A certificate without the extension is for every purpose.
    #[default]
    IfPresent,
    /// A certificate without the extension is refused.
    Required,
}

impl ExtendedKeyUsageOption {
    /// Every choice, in the order in which they are documented.
    pub const ALL: &'static [Self] = &[Self::IfPresent, Self::Required];

    /// The name in settings.
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

/// The text names no policy for extended key usage.
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
