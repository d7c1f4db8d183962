//! Files that an operator names on the command line; `-` is the standard input.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use alb_mtls_verifier::{
    BundleErrorKind, PresentedChain, TrustAnchor, TrustAnchors, read_anchors, read_bundle,
};

/// A file that cannot be read or used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("`{}`: {problem}", path.display())]
    Unusable { path: PathBuf, problem: String },
}

impl FileError {
    /// Returns a function that adds the path to an error of reading.
    pub fn unreadable(path: &Path) -> impl Fn(io::Error) -> Self {
        |source| Self::Unreadable {
            path: path.to_owned(),
            source,
        }
    }

    /// Adds the path to a problem of the content.
    pub(crate) fn unusable(path: &Path, problem: &impl Display) -> Self {
        Self::Unusable {
            path: path.to_owned(),
            problem: problem.to_string(),
        }
    }
}

/// Opens a file for reading line by line.
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead>, FileError> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).map_err(FileError::unreadable(path))?;
    Ok(Box::new(BufReader::new(file)))
}

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    let read = open(path)?.read_to_end(&mut bytes);
    read.map_err(FileError::unreadable(path))?;
    Ok(bytes)
}

/// Reads a whole file of UTF-8.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    let mut text = String::new();
    let read = open(path)?.read_to_string(&mut text);
    read.map_err(FileError::unreadable(path))?;
    Ok(text)
}

/// Reads a PEM file of trust anchors, which may be empty.
pub(crate) fn anchors(path: &Path) -> Result<Vec<TrustAnchor>, FileError> {
    read_anchors(&read(path)?).map_err(|error| FileError::unusable(path, &error))
}

/// Reads a PEM file of at least one trust anchor.
pub(crate) fn trust_anchors(path: &Path) -> Result<TrustAnchors, FileError> {
    TrustAnchors::new(anchors(path)?).ok_or_else(|| FileError::unusable(path, &BundleErrorKind::Empty))
}

/// Reads a client's chain from a file, leaf first.
pub(crate) fn presented_chain(path: &Path) -> Result<PresentedChain, FileError> {
    chain_from_pem(&read(path)?, path)
}

/// Parses a client's chain that was read from `path`, leaf first.
pub(crate) fn chain_from_pem(pem: &[u8], path: &Path) -> Result<PresentedChain, FileError> {
    let certificates = read_bundle(pem).map_err(|error| FileError::unusable(path, &error))?;
    PresentedChain::new(certificates).ok_or_else(|| FileError::unusable(path, &BundleErrorKind::Empty))
}
