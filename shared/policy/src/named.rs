//! What policies name, of all that a request could be in.

use std::collections::{BTreeMap, BTreeSet};

use alb_mtls_http::path::PlainPath;

/// The hosts and paths that policies name: all that an endpoint has to be looked up in.
#[derive(Debug, Default)]
pub(crate) struct Named {
    pub(crate) hosts: BTreeSet<String>,
    pub(crate) paths: BTreeMap<String, PlainPath>,
}

impl Named {
    /// The paths among those that policies name in which this path lies, as policies spell them.
    pub(crate) fn paths_around<'a>(&'a self, of: &'a PlainPath) -> impl Iterator<Item = &'a str> {
        let around = self.paths.iter().filter(|(_, path)| of.is_within(path));
        around.map(|(id, _)| id.as_str())
    }
}
