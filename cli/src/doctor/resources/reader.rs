//! Deployment under construction.

use crate::doctor::facts::{Deployment, Place};
use crate::doctor::node::Node;

/// Reader that adds the resources of one file to a deployment.
pub(crate) struct ResourceReader<'a> {
    pub(crate) file: &'a str,
    pub(crate) deployment: &'a mut Deployment,
}

impl<'a> ResourceReader<'a> {
    pub(crate) fn new(file: &'a str, deployment: &'a mut Deployment) -> Self {
        Self { file, deployment }
    }

    pub(crate) fn place(&self, node: &Node) -> Place {
        Place {
            file: self.file.to_owned(),
            line: node.line,
        }
    }

    /// Names something that cannot be looked at.
    pub(crate) fn note(&mut self, node: &Node, kind: &'static str, subject: &str, what: &str, remedy: &str) {
        let place = self.place(node);
        self.deployment.note(place, kind, subject, what, remedy);
    }
}
