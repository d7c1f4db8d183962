//! Hosts, paths and attributes that policies name.

use std::collections::{BTreeMap, BTreeSet};

use alb_mtls_http::path::PlainPath;

use crate::mentions::Mentions;

/// The hosts and paths that policies name, all that an endpoint has to be looked up in, and the
/// facts that they cannot do without.
#[derive(Debug, Default)]
pub(crate) struct Named {
    pub(crate) hosts: BTreeSet<String>,
    pub(crate) paths: BTreeMap<String, PlainPath>,
    /// True if a policy asks for `context.host`.
    asks_for_host: bool,
    /// True if a policy asks for `context.source_address`.
    asks_for_source_address: bool,
    /// True if a policy asks for `context.raw_path` without asking whether the path is plain.
    asks_for_path: bool,
}

impl Named {
    pub(crate) fn take_mentions(&mut self, mentions: &Mentions) {
        self.asks_for_host |= mentions.may_ask("host");
        self.asks_for_source_address |= mentions.may_ask("source_address");
        self.asks_for_path |= mentions.may_ask("raw_path") && !mentions.names("path_is_plain");
    }

    /// Returns whether a request without a host that can be read could get around a policy.
    pub(crate) fn go_by_hosts(&self) -> bool {
        self.asks_for_host || !self.hosts.is_empty()
    }

    /// Returns whether a request with an address that cannot be read could get around a policy.
    pub(crate) fn go_by_source_addresses(&self) -> bool {
        self.asks_for_source_address
    }

    /// Returns whether a request whose path can be read in two ways could get around a policy.
    pub(crate) fn go_by_paths(&self) -> bool {
        self.asks_for_path || !self.paths.is_empty()
    }

    /// Returns the paths among those that policies name in which this path lies, as policies spell
    /// them.
    pub(crate) fn paths_around<'a>(&'a self, of: &'a PlainPath) -> impl Iterator<Item = &'a str> {
        let around = self.paths.iter().filter(|(_, path)| of.is_within(path));
        around.map(|(id, _)| id.as_str())
    }

    /// A path that policies name and in which some servers see this path, although it is not spelt
    /// so. Where policies name that spelling too, they have decided about it.
    pub(crate) fn look_alike(&self, of: &PlainPath) -> Option<&str> {
        let is_spelt = |named: &PlainPath| {
            of.is_within(named)
                || self
                    .paths
                    .values()
                    .any(|other| of.is_within(other) && other.may_be_within(named))
        };
        let mut seen = self.paths.iter().filter(|(_, named)| of.may_be_within(named));
        seen.find(|(_, named)| !is_spelt(named))
            .map(|(id, _)| id.as_str())
    }

    /// Pairs of paths of which some servers see the first in the second.
    pub(crate) fn confusable_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let seen_in =
            |path: &PlainPath, other: &PlainPath| path.may_be_within(other) && !path.is_within(other);
        self.paths.iter().flat_map(move |(id, path)| {
            let others = self.paths.iter().filter(move |(_, other)| seen_in(path, other));
            others.map(move |(other, _)| (id.as_str(), other.as_str()))
        })
    }
}
