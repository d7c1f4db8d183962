//! Blocks of resources: values that are known, what they refer to, and what is known only later.

use super::{Document, Instance};
use crate::doctor::facts::Place;
use crate::doctor::node::{Node, Value};
use crate::doctor::text::{placeholder, unknown};

/// A resource, or a block in one, with what its configuration says of its values.
pub(super) struct Block<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) instance: &'a Instance<'a>,
    pub(super) values: &'a Node,
    pub(super) expressions: Option<&'a Node>,
    pub(super) unknown: Option<&'a Node>,
}

impl<'a> Block<'a> {
    /// Returns the value of an attribute: what is known, the resource that it refers to, or
    /// something unknown.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        if let Some(text) = self.values.text_at(&[name]) {
            return Some(match self.document.by_id.get(text) {
                Some(address) => placeholder(address),
                None => text.to_owned(),
            });
        }
        let referred = self.referred(name);
        // Of two of one kind, a condition decides which is meant.
        let referred = referred.split_first().filter(|(first, rest)| {
            let mut others = rest.iter();
            others.all(|other| other.kind != first.kind)
        });
        let referred = referred.map(|(first, _)| placeholder(&first.address));
        let is_unknown = self.is_unknown(name);
        referred
            .filter(|_| is_unknown || self.document.plan.get("planned_values").is_some())
            .or_else(|| is_unknown.then(|| self.after_apply(name)))
    }

    pub(super) fn referred(&self, name: &str) -> Vec<&Instance<'a>> {
        let expression = self.expressions.and_then(|expressions| expressions.get(name));
        let index = self.instance.index.as_deref();
        let referred = expression.map(|expression| {
            self.document
                .referred(expression, &self.instance.module, index, 0)
        });
        referred.unwrap_or_default()
    }

    /// Returns the values of an attribute that is a list, of which each can be known or not.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let known = self.values.get(name).map(Node::texts).unwrap_or_default();
        let mut texts: Vec<String> = known.into_iter().map(str::to_owned).collect();
        let open = self.unknown.and_then(|unknown| unknown.get(name));
        if open.is_some_and(|open| open.texts().contains(&"true")) {
            let referred = self.referred(name).into_iter();
            let before = texts.len();
            texts.extend(referred.map(|instance| placeholder(&instance.address)));
            if texts.len() == before {
                texts.push(self.after_apply(name));
            }
        } else if texts.is_empty() {
            texts.extend(self.text(name));
        }
        texts
    }

    pub(super) fn after_apply(&self, name: &str) -> String {
        unknown(&format!("after apply: {}.{name}", self.instance.address))
    }

    /// Returns true if an attribute or a block is not known, all of it.
    pub(super) fn is_unknown(&self, name: &str) -> bool {
        self.unknown.is_some_and(|unknown| unknown.is_true(&[name]))
    }

    /// Returns the values of an attribute, with the resources that AWS's ids mean.
    pub(super) fn references(&self, name: &str) -> Vec<String> {
        let texts = self.texts(name).into_iter();
        texts
            .map(|text| match self.document.by_id.get(text.as_str()) {
                Some(address) => placeholder(address),
                None => text,
            })
            .collect()
    }

    pub(super) fn blocks(&self, name: &str) -> Vec<Self> {
        let part = |of: Option<&'a Node>, index: usize| {
            let part = of.and_then(|of| of.get(name))?;
            match &part.value {
                Value::List(elements) => elements.get(index),
                _ => Some(part),
            }
        };
        let blocks = self.values.list_at(&[name]).iter().enumerate();
        let blocks = blocks.map(|(index, values)| Self {
            document: self.document,
            instance: self.instance,
            values,
            expressions: part(self.expressions, index),
            unknown: part(self.unknown, index),
        });
        blocks.collect()
    }

    /// Returns the other resources of a kind in the same module.
    pub(super) fn others(&self, kind: &str) -> Vec<Self> {
        let instances = self.document.instances.iter();
        let instances =
            instances.filter(|instance| instance.kind == kind && instance.module == self.instance.module);
        let blocks = instances.map(|instance| Self {
            document: self.document,
            instance,
            values: instance.values,
            expressions: instance.expressions,
            unknown: instance.unknown,
        });
        blocks.collect()
    }

    pub(super) fn place(&self, file: &str) -> Place {
        Place {
            file: file.to_owned(),
            line: self.values.line,
        }
    }
}
