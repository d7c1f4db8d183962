//! Locations to which bundles are published.

use std::path::PathBuf;
use std::str::FromStr;

use alb_mtls_trust::{
    InvalidSource, LocalFile, PUBLISHED_SOURCE_FORMS, Parameter, ParameterPath, S3Object, Source,
};

/// A place that publishing writes to.
#[derive(Clone, Debug)]
pub(crate) enum Location {
    /// Parameter with the whole bundle.
    Parameter(Parameter),
    /// Parameters directly below a path, each with as many certificates as fit.
    ParameterPath(ParameterPath),
    /// An object.
    Object(S3Object),
}

impl Location {
    /// Returns this location as a source to read from.
    pub(crate) fn source(&self) -> Source {
        match self.clone() {
            Self::Parameter(parameter) => parameter.into(),
            Self::ParameterPath(path) => path.into(),
            Self::Object(object) => object.into(),
        }
    }
}

impl FromStr for Location {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let source: Source = word.parse().map_err(|error: InvalidSource| error.to_string())?;
        check_writable(&source)?;
        if let Some(parameter) = source.downcast_ref() {
            Ok(Self::Parameter(Parameter::clone(parameter)))
        } else if let Some(path) = source.downcast_ref() {
            Ok(Self::ParameterPath(ParameterPath::clone(path)))
        } else if let Some(object) = source.downcast_ref() {
            Ok(Self::Object(S3Object::clone(object)))
        } else {
            Err(format!(
                "`{word}` is not a source that bundles are published to ({PUBLISHED_SOURCE_FORMS}): copy the bundle there"
            ))
        }
    }
}

/// A place that a pointer to an object is written to.
#[derive(Clone, Debug)]
pub(crate) enum PointerLocation {
    /// A parameter.
    Parameter(Parameter),
    /// A file.
    File(PathBuf),
}

impl PointerLocation {
    /// Returns this location as a source to read from.
    pub(crate) fn source(&self) -> Source {
        match self.clone() {
            Self::Parameter(parameter) => parameter.into(),
            Self::File(path) => LocalFile { path }.into(),
        }
    }
}

impl FromStr for PointerLocation {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let source = word
            .parse::<super::SourceOrPath>()
            .map_err(|error| error.to_string())?;
        let source = source.0;
        check_writable(&source)?;
        if let Some(file) = source.downcast_ref::<LocalFile>() {
            Ok(Self::File(file.path.clone()))
        } else if let Some(parameter) = source.downcast_ref() {
            Ok(Self::Parameter(Parameter::clone(parameter)))
        } else {
            Err(format!(
                "`{word}` cannot hold a pointer: name a parameter or a file"
            ))
        }
    }
}

fn check_writable(source: &Source) -> Result<(), String> {
    source
        .check_writable()
        .map_err(|reason| format!("`{source}` {reason}"))
}
