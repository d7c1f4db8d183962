//! Trust anchors from files, SSM Parameter Store and S3, as immutable snapshots that refresh and never get lost.
#![warn(missing_docs)]

mod error;
mod settings;
mod share;
mod snapshot;
mod source;
mod trust;
mod warning;

pub use error::{LoadError, SourceError, SourceProblem};
pub use settings::TrustSettings;
pub use share::{InvalidShare, Share};
pub use snapshot::{Revision, Role, Snapshot, SourceRecord};
pub use source::{InvalidSource, InvalidSources, Parameter, ParameterPath, S3Object, Source, Sources};
pub use trust::{Trust, TrustStatus, Unavailable};
pub use warning::{Named, Severity, Warning};
