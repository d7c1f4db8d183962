//! Cases of a file of cases; `vectors/README.md` describes the schema.

use std::path::{Path, PathBuf};

use alb_mtls_http::HeaderFormat;
use alb_mtls_verifier::ExtendedKeyUsageOption;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::files::{FileError, read_text};

/// A chain, what is trusted, when, and what should come of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    pub id: String,
    #[serde(default)]
    pub tier: Tier,
    /// PEM of trust anchors.
    pub trusted: Vec<String>,
    /// PEM of intermediates from the settings.
    #[serde(default)]
    pub configured: Vec<String>,
    /// PEM of CRLs; with none, revocation is off.
    #[serde(default)]
    pub crls: Vec<String>,
    #[serde(default, deserialize_with = "header_format")]
    pub header_format: HeaderFormat,
    pub header: String,
    /// Further values of the same header.
    #[serde(default)]
    pub more_headers: Vec<String>,
    /// Values of `Client-Cert-Chain`.
    #[serde(default)]
    pub chain_headers: Vec<String>,
    pub validation_time: String,
    /// With it, at most twice as many certificates are read.
    #[serde(default)]
    pub max_depth: Option<usize>,
    #[serde(default, deserialize_with = "extended_key_usage")]
    pub extended_key_usage: ExtendedKeyUsageOption,
    pub expected: Expected,
    /// Finer reason of the expected refusal; empty if the case does not say it.
    #[serde(default)]
    pub detail: String,
    /// Features of the case in the words of its suite; a description, like `why`.
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub why: String,
}

fn header_format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderFormat, D::Error> {
    String::deserialize(deserializer)?
        .parse()
        .map_err(D::Error::custom)
}

fn extended_key_usage<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<ExtendedKeyUsageOption, D::Error> {
    String::deserialize(deserializer)?
        .parse()
        .map_err(D::Error::custom)
}

/// Degree to which the expected verdict is binding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    #[default]
    Must,
    /// Accepting needs a feature that may be left out.
    Optional,
    /// Implementations differ.
    Advisory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    Accept,
    Reject,
}

#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("`{}` line {line} is not a case: {source}", path.display())]
    NotACase {
        path: PathBuf,
        line: usize,
        source: serde_json::Error,
    },
}

/// Returns every case of a file.
pub fn read_cases(path: &Path) -> Result<Vec<Case>, CaseError> {
    let text = read_text(path)?;
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    lines
        .map(|(text, line)| {
            serde_json::from_str(text).map_err(|source| CaseError::NotACase {
                path: path.to_owned(),
                line,
                source,
            })
        })
        .collect()
}
