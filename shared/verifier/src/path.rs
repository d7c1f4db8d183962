//! Certification paths: our search chooses one, and webpki must accept the same one.

mod agreement;
mod candidates;
mod error;
mod gaps;
mod search;

pub use agreement::Validators;
pub use gaps::{WebpkiGap, WebpkiGaps};

pub(crate) use agreement::agree;
pub(crate) use error::{PathError, Progress};
pub(crate) use search::{FoundPath, search};
