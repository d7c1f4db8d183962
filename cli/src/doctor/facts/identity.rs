//! Names of one resource: a function by its id, name, ARN, alias or version, and so on.
//!
//! Names that are not proven to mean the same stay different.

use std::collections::BTreeSet;

use super::{Deployment, Function};
use crate::doctor::text;

/// Longest chain of aliases that is followed: an alias names a version, which names a function.
const MAX_ALIASES: usize = 8;

impl Deployment {
    /// Replaces each reference by the id of what it refers to, once everything is read.
    pub(in crate::doctor) fn link(&mut self) {
        self.join();
        let known = self.clone();
        for group in &mut self.target_groups {
            for target in &mut group.targets {
                *target = known.function_id(target);
            }
            group.targets.sort();
            group.targets.dedup();
        }
        for permission in &mut self.permissions {
            permission.function = known.function_id(&permission.function);
        }
        for url in &mut self.function_urls {
            url.function = known.function_id(&url.function);
        }
        for authorizer in &mut self.authorizers {
            authorizer.function = known.function_id(&authorizer.function);
            authorizer.api = id(&authorizer.api);
        }
        for route in &mut self.routes {
            route.api = id(&route.api);
        }
        for listener in &mut self.listeners {
            for forward in &mut listener.forwards {
                forward.target_group = known.target_group_id(&forward.target_group);
            }
        }
    }

    /// Puts rules to their listeners and targets to their groups; one that is not there stands for
    /// itself.
    fn join(&mut self) {
        for rule in std::mem::take(&mut self.rules) {
            match self
                .listeners
                .iter_mut()
                .find(|listener| listener.name == rule.name)
            {
                Some(listener) => {
                    listener.forwards.extend(rule.forwards);
                    listener.remarks.extend(rule.remarks);
                }
                None => self.listeners.push(rule),
            }
        }
        for (group, target) in std::mem::take(&mut self.attachments) {
            let group = self.target_group_id(&group);
            if let Some(group) = self.target_groups.iter_mut().find(|known| known.name == group) {
                group.targets.push(target);
            }
        }
    }

    /// Returns the id of the function that a text refers to, or the text itself where it is
    /// unknown.
    pub(in crate::doctor) fn function_id(&self, reference: &str) -> String {
        let mut reference = reference.to_owned();
        for _ in 0..MAX_ALIASES {
            let base = without_qualifier(&reference);
            let resource = text::resource_in(&base).map(str::to_owned);
            if let Some(function) = self.named_function(resource.as_deref(), &base) {
                return function.name.clone();
            }
            let alias = resource.as_deref().unwrap_or(&base);
            match self.aliases.get(alias) {
                Some(target) => reference.clone_from(target),
                None => return self.function_of_sam(alias).unwrap_or(reference),
            }
        }
        reference
    }

    fn named_function(&self, resource: Option<&str>, base: &str) -> Option<&Function> {
        self.functions.iter().find(|function| {
            let is_physical = function.physical.as_deref() == Some(base);
            // The name of a function in AWS is the end of its ARN.
            let is_arn = function
                .name
                .rsplit_once(":function:")
                .is_some_and(|(_, name)| name == base);
            resource == Some(function.name.as_str()) || function.name == base || is_physical || is_arn
        })
    }

    /// Returns the function whose alias has an id of the kind that SAM makes: `FunctionAliaslive`,
    /// `FunctionVersion…`.
    fn function_of_sam(&self, alias: &str) -> Option<String> {
        let names = self.functions.iter().map(|function| function.name.as_str());
        names
            .filter(|name| {
                let rest = alias.strip_prefix(name);
                rest.is_some_and(|rest| rest.starts_with("Alias") || rest.starts_with("Version"))
            })
            .max_by_key(|name| name.len())
            .map(str::to_owned)
    }

    /// Returns the id of the target group that a text refers to, or the text itself where it is
    /// unknown.
    pub(in crate::doctor) fn target_group_id(&self, reference: &str) -> String {
        let name = id(reference);
        if self.target_group(&name).is_some() {
            return name;
        }
        let resource = text::resource_of_arn(&name);
        let physical = resource
            .as_deref()
            .and_then(|resource| resource.strip_prefix("targetgroup/"))
            .map(|resource| text::split(resource, "/").swap_remove(0));
        let mut groups = self.target_groups.iter();
        let group = groups.find(|group| physical.is_some() && group.physical == physical);
        group.map_or(name, |group| group.name.clone())
    }

    /// Returns the id of a bucket: that of the resource, or its name in AWS.
    pub(in crate::doctor) fn bucket_id(&self, reference: &str) -> String {
        let name = id(reference);
        let mut buckets = self.buckets.iter();
        let bucket = buckets.find(|bucket| bucket.name == name || bucket.physical.as_deref() == Some(&name));
        bucket.map_or(name, |bucket| bucket.name.clone())
    }

    /// Returns the ids of the buckets that functions have their trust material from.
    pub(in crate::doctor) fn trust_buckets(&self) -> BTreeSet<String> {
        let sources = self.functions.iter().flat_map(Function::trust_sources);
        sources
            .filter_map(|source| source.strip_prefix("s3://"))
            .map(|object| self.bucket_id(&text::split(object, "/").swap_remove(0)))
            .collect()
    }

    /// Returns the name of a log group with functions by the name that they have in AWS, where it
    /// is said.
    pub(in crate::doctor) fn log_group_name(&self, name: &str) -> String {
        let pieces = text::pieces(name).into_iter().map(|piece| {
            let function = text::resource_in(piece).and_then(|resource| self.function(resource));
            match function {
                Some(function) => function
                    .physical
                    .clone()
                    .unwrap_or_else(|| text::placeholder(&function.name)),
                None => piece.to_owned(),
            }
        });
        pieces.collect()
    }
}

/// Returns the id in `${Id}` or `${Id.Attribute}`, or the text itself.
pub(in crate::doctor) fn id(reference: &str) -> String {
    text::resource_in(reference).unwrap_or(reference).to_owned()
}

/// Returns the name of a function without its ARN, alias and version.
fn without_qualifier(reference: &str) -> String {
    let parts = text::split(reference, ":");
    let is_function = |part: &&String| *part == "function";
    let name = match parts.iter().find(is_function) {
        // `arn:…:function:NAME:ALIAS` and `ACCOUNT:function:NAME`.
        Some(_) => parts.iter().skip_while(|part| !is_function(part)).nth(1),
        None => parts.first(),
    };
    name.cloned().unwrap_or_default()
}
