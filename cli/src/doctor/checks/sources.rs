//! Checks of sources: may they be read, does a CA lack, and do two stacks share them.

use super::Checks;
use super::listeners::has_certificates_from_api;
use super::permissions::allows;
use super::trust::{bucket_and_key, parameter_name};
use crate::doctor::facts::{Deployment, Function, Grant};
use crate::doctor::rules;
use crate::doctor::text;

impl Checks<'_> {
    /// Checks that the role of each function may read what the function is told to read.
    pub(super) fn readable_sources(&mut self) {
        let deployment = self.deployment;
        for function in &deployment.functions {
            let Some(grants) = deployment.grants_of(function) else {
                continue;
            };
            for (variable, source) in function.read_sources() {
                let Some(needed) = Needed::of(deployment, source) else {
                    continue;
                };
                let mut others = deployment.grants.iter();
                let is_allowed = grants.iter().any(|grant| needed.is_allowed_by(deployment, grant))
                    // The policy of a bucket can allow it too.
                    || others.any(|grant| {
                        deployment.holders_of(grant).is_none() && needed.is_allowed_by(deployment, grant)
                    });
                if !is_allowed {
                    let what = format!(
                        "{variable} names `{source}`, and its role may not call {}",
                        needed.action
                    );
                    self.find(
                        &rules::SOURCE_WITHOUT_PERMISSION,
                        &function.place,
                        &function.name,
                        &what,
                    );
                }
            }
        }
    }

    /// Checks that issuing CAs are known where certificates and CRLs come without them.
    pub(super) fn intermediates(&mut self) {
        let deployment = self.deployment;
        for function in &deployment.functions {
            let has = |name: &str| function.variables.contains_key(name);
            let sources = function.variables.get("CRL_SOURCES");
            // One that is not known can be any number of them.
            let sources = sources.filter(|sources| !text::is_unknown(sources));
            let sources = sources.map_or(0, |sources| sources.split_whitespace().count());
            let what = if sources > 1 && !has("CRL_INTERMEDIATES") {
                format!("fetches {sources} CRLs without CRL_INTERMEDIATES")
            } else if function.is_gate()
                && has_certificates_from_api(deployment, function)
                && !has("MTLS_INTERMEDIATES")
            {
                "is an authorizer without MTLS_INTERMEDIATES".to_owned()
            } else {
                continue;
            };
            self.find(
                &rules::INTERMEDIATES_MISSING,
                &function.place,
                &function.name,
                &what,
            );
        }
    }

    /// Checks that stacks of one template do not put their trust anchors into one path.
    pub(super) fn shared_anchors(&mut self) {
        let deployment = self.deployment;
        let parameters = deployment.parameters.iter();
        for parameter in parameters.filter(|parameter| parameter.is_of_template) {
            let name = parameter.physical.as_deref();
            let Some(name) = name.filter(|name| !name.contains("${")) else {
                continue;
            };
            let mut gates = deployment.gates();
            let reader = gates.find(|function| reads_anchor(function, name));
            if let Some(reader) = reader {
                let what = format!(
                    "is `{name}` in every stack of this template, and a trust anchor of {}",
                    reader.name
                );
                self.find(&rules::SHARED_ANCHORS, &parameter.place, &parameter.name, &what);
            }
        }
    }
}

fn reads_anchor(function: &Function, name: &str) -> bool {
    let anchors = function.variables.get("MTLS_ANCHORS");
    let mut sources = anchors.into_iter().flat_map(|anchors| anchors.split_whitespace());
    sources.any(|source| {
        source
            .strip_prefix("ssm:")
            .is_some_and(|pattern| text::matches(pattern, name))
    })
}

/// Action that a source needs, on a resource.
struct Needed {
    /// In lower case, as in statements that are compared.
    action: &'static str,
    resource: Resource,
}

enum Resource {
    /// Name of a parameter, or a path without its star.
    Parameter(String),
    /// Bucket and key.
    Object(String, String),
}

impl Needed {
    /// Returns what a source needs; none for one that needs nothing or is not known here.
    fn of(deployment: &Deployment, source: &str) -> Option<Self> {
        if text::is_unknown(source) {
            return None;
        }
        if let Some(object) = source.strip_prefix("s3://") {
            let object = object.split_once('?').map_or(object, |(object, _)| object);
            let object = object.split_once('#').map_or(object, |(object, _)| object);
            let (bucket, key) = bucket_and_key(object);
            return Some(Self {
                action: "s3:getobject",
                resource: Resource::Object(deployment.bucket_id(&bucket), key),
            });
        }
        let name = source.strip_prefix("ssm:")?;
        // A parameter of another account is shared by that one.
        if name.starts_with("arn:") {
            return None;
        }
        let name = parameter_name(deployment, name);
        let (action, name) = match name.strip_suffix("/*") {
            Some(path) => ("ssm:getparametersbypath", path),
            None => ("ssm:getparameter", name.split(':').next().unwrap_or(&name)),
        };
        Some(Self {
            action,
            resource: Resource::Parameter(name.to_owned()),
        })
    }

    fn is_allowed_by(&self, deployment: &Deployment, grant: &Grant) -> bool {
        allows(grant, &[self.action])
            && grant.resources.iter().any(|resource| {
                resource == "*" || text::is_unknown(resource) || self.resource.is_in(deployment, resource)
            })
    }
}

impl Resource {
    fn is_in(&self, deployment: &Deployment, resource: &str) -> bool {
        match self {
            Self::Parameter(name) => {
                let pattern = resource
                    .split_once(":parameter")
                    .map_or(resource, |(_, pattern)| pattern);
                let pattern = parameter_name(deployment, pattern);
                text::overlap(&pattern, name) || text::overlap(&pattern, &format!("{name}/*"))
            }
            Self::Object(bucket, key) => {
                let (name, pattern) = bucket_and_key(resource);
                let is_same = deployment.bucket_id(&name) == *bucket
                    || (name.contains('*') && text::overlap(&name, bucket));
                // In a policy a key is written as it is, in a source with escapes.
                is_same && (key.contains('%') || text::overlap(&pattern, key))
            }
        }
    }
}
