//! Templates of CloudFormation and SAM, under each combination of the values of their parameters.

pub(super) mod combinations;
mod evaluation;
pub(super) mod program;
mod sam;
mod template;
