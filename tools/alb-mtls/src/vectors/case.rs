//! One case of a file of cases; `vectors/README.md` describes the schema.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A chain, what is trusted, when, and what should come of it. Fields that only describe a case are not read.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Case {
    pub(super) id: String,
    #[serde(default)]
    pub(super) tier: Tier,
    pub(super) trusted: Vec<String>,
    #[serde(default)]
    pub(super) crls: Vec<String>,
    pub(super) header: String,
    pub(super) validation_time: String,
    pub(super) expected: Expected,
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
