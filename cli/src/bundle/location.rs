//! Where a bundle is published.

use std::path::PathBuf;
use std::str::FromStr;

use alb_mtls_trust::{Parameter, ParameterPath, S3Object, Source};

/// A place that publishing writes to.
#[derive(Clone, Debug)]
pub(crate) enum Location {
    /// One parameter that holds the whole bundle.
    Parameter(Parameter),
    /// Parameters directly below a path, each with as many certificates as fit.
    ParameterPath(ParameterPath),
    /// An object.
    Object(S3Object),
}

impl Location {
    /// The same place to read from.
    pub(crate) fn source(&self) -> Source {
        match self.clone() {
            Self::Parameter(parameter) => Source::Parameter(parameter),
            Self::ParameterPath(path) => Source::ParameterPath(path),
            Self::Object(object) => Source::Object(object),
        }
    }
}

impl FromStr for Location {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word.parse::<Source>().map_err(|error| error.to_string())? {
            Source::File(_) => Err(format!(
                "`{word}` is a file: copy it there, nothing has to be published"
            )),
            Source::Parameter(parameter) => writable(&parameter).map(|()| Self::Parameter(parameter)),
            Source::ParameterPath(path) => Ok(Self::ParameterPath(path)),
            Source::Object(object) if object.version_id.is_some() || object.sha256.is_some() => Err(format!(
                "`{word}` names a version or a digest: those of the new object are made when it is written"
            )),
            Source::Object(object) => Ok(Self::Object(object)),
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
    /// The same place to read from.
    pub(crate) fn source(&self) -> Source {
        match self.clone() {
            Self::Parameter(parameter) => Source::Parameter(parameter),
            Self::File(path) => Source::File(path),
        }
    }
}

impl FromStr for PointerLocation {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let source = word
            .parse::<super::SourceOrPath>()
            .map_err(|error| error.to_string())?;
        match source.0 {
            Source::File(path) => Ok(Self::File(path)),
            Source::Parameter(parameter) => writable(&parameter).map(|()| Self::Parameter(parameter)),
            Source::ParameterPath(_) | Source::Object(_) => Err(format!(
                "`{word}` cannot hold a pointer: name a parameter or a file"
            )),
        }
    }
}

/// Versions and labels are for reading, and another account's parameter is for its owner to write.
fn writable(parameter: &Parameter) -> Result<(), String> {
    if parameter.name.contains(':') {
        Err(format!(
            "`{parameter}` cannot be written: name the parameter alone, without ARN, version or label"
        ))
    } else {
        Ok(())
    }
}
