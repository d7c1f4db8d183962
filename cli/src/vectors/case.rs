//! One case of a file of cases; `vectors/README.md` describes the schema.

use std::path::{Path, PathBuf};

use alb_mtls_http::HeaderFormat;
use alb_mtls_verifier::ExtendedKeyUsageOption;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A chain, what is trusted, when, and what should come of it. Fields that only describe a case are not read.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Case {
    pub(super) id: String,
    #[serde(default)]
    pub(super) tier: Tier,
    /// PEM of trust anchors.
    pub(super) trusted: Vec<String>,
    /// PEM of intermediates from the settings.
    #[serde(default)]
    pub(super) configured: Vec<String>,
    /// PEM of CRLs; with none, revocation is off.
    #[serde(default)]
    pub(super) crls: Vec<String>,
    #[serde(default, deserialize_with = "header_format")]
    pub(super) header_format: HeaderFormat,
    pub(super) header: String,
    /// Further values of the same header.
    #[serde(default)]
    pub(super) more_headers: Vec<String>,
    /// Values of `Client-Cert-Chain`.
    #[serde(default)]
    pub(super) chain_headers: Vec<String>,
    pub(super) validation_time: String,
    /// With it, at most twice as many certificates are read.
    #[serde(default)]
    pub(super) max_depth: Option<usize>,
    #[serde(default, deserialize_with = "extended_key_usage")]
    pub(super) extended_key_usage: ExtendedKeyUsageOption,
    pub(super) expected: Expected,
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

/// How binding the expected verdict is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tier {
    #[default]
    Must,
    /// Accepting needs a feature that may be left out.
    Optional,
    /// Implementations differ.
    Advisory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Expected {
    Accept,
    Reject,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum CaseError {
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("`{}` line {line} is not a case: {source}", path.display())]
    NotACase {
        path: PathBuf,
        line: usize,
        source: serde_json::Error,
    },
    #[error("`{}` holds no file of cases", folder.display())]
    NoCases { folder: PathBuf },
    #[error("`{}` is not a list of exceptions: {source}", path.display())]
    NotExceptions {
        path: PathBuf,
        source: serde_json::Error,
    },
}

/// Every case of a file.
pub(super) fn read_file(path: &Path) -> Result<Vec<Case>, CaseError> {
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

pub(super) fn read_text(path: &Path) -> Result<String, CaseError> {
    std::fs::read_to_string(path).map_err(|source| CaseError::Unreadable {
        path: path.to_owned(),
        source,
    })
}
