//! Options of revocation checks.

use std::fmt;
use std::str::FromStr;

/// Options of revocation checks. The default is the strictest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RevocationOptions {
    /// Treatment of a client whose status is not known.
    pub mode: RevocationMode,
    /// Certificates of a path that are looked up.
    pub depth: RevocationDepth,
    /// Seconds after its nextUpdate during which a list still counts.
    pub grace_seconds: u32,
}

/// Treatment of a client whose revocation status is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RevocationMode {
    /// No list is read.
    Off,
    /// A revoked certificate is rejected, one of unknown status passes.
    Soft,
    /// Every certificate must be cleared by a list.
    #[default]
    Strict,
}

/// Certificates of a path that are looked up; the trust anchor never is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RevocationDepth {
    /// The client's own certificate.
    EndEntity,
    /// Every certificate below the trust anchor.
    #[default]
    Chain,
}

impl RevocationMode {
    /// Every choice, in the order in which they are documented.
    pub const ALL: &'static [Self] = &[Self::Off, Self::Soft, Self::Strict];

    /// Returns the name in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Soft => "soft",
            Self::Strict => "strict",
        }
    }
}

impl RevocationDepth {
    /// Every choice, in the order in which they are documented.
    pub const ALL: &'static [Self] = &[Self::EndEntity, Self::Chain];

    /// Returns the name in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EndEntity => "leaf",
            Self::Chain => "chain",
        }
    }
}

impl fmt::Display for RevocationMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Display for RevocationDepth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The text names no mode of revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a mode of revocation")]
pub struct UnknownRevocationMode;

/// The text names no depth of revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a depth of revocation")]
pub struct UnknownRevocationDepth;

impl FromStr for RevocationMode {
    type Err = UnknownRevocationMode;

    fn from_str(text: &str) -> Result<Self, UnknownRevocationMode> {
        let mut all = Self::ALL.iter().copied();
        all.find(|mode| mode.as_str() == text)
            .ok_or(UnknownRevocationMode)
    }
}

impl FromStr for RevocationDepth {
    type Err = UnknownRevocationDepth;

    fn from_str(text: &str) -> Result<Self, UnknownRevocationDepth> {
        let mut all = Self::ALL.iter().copied();
        all.find(|depth| depth.as_str() == text)
            .ok_or(UnknownRevocationDepth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_settings_are_read_and_written() {
        for (mode, word) in [
            (RevocationMode::Off, "off"),
            (RevocationMode::Soft, "soft"),
            (RevocationMode::Strict, "strict"),
        ] {
            assert_eq!((word.parse(), mode.to_string().as_str()), (Ok(mode), word));
        }
        for (depth, word) in [
            (RevocationDepth::EndEntity, "leaf"),
            (RevocationDepth::Chain, "chain"),
        ] {
            assert_eq!((word.parse(), depth.to_string().as_str()), (Ok(depth), word));
        }
        assert_eq!("Strict".parse::<RevocationMode>(), Err(UnknownRevocationMode));
        assert_eq!("end".parse::<RevocationDepth>(), Err(UnknownRevocationDepth));
    }
}
