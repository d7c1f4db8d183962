//! Checks of who may write what the gate trusts.

use std::collections::BTreeSet;

use super::Checks;
use super::permissions::allows;
use crate::doctor::facts::{Deployment, Function, Grant, Knowledge};
use crate::doctor::rules;
use crate::doctor::text;

const S3_WRITES: [&str; 16] = [
    "s3:deletebucketpolicy",
    "s3:deleteobject",
    "s3:deleteobjectversion",
    "s3:putaccesspointpolicy",
    "s3:putbucketacl",
    "s3:putbucketownershipcontrols",
    "s3:putbucketpolicy",
    "s3:putbucketpublicaccessblock",
    "s3:putbucketversioning",
    "s3:putlifecycleconfiguration",
    "s3:putobject",
    "s3:putobjectacl",
    "s3:putobjectversionacl",
    "s3:putreplicationconfiguration",
    "s3:replicatedelete",
    "s3:replicateobject",
];

const SSM_WRITES: [&str; 5] = [
    "ssm:deleteparameter",
    "ssm:deleteparameters",
    "ssm:labelparameterversion",
    "ssm:putparameter",
    "ssm:putresourcepolicy",
];

impl Checks<'_> {
    pub(super) fn trust_sources(&mut self) {
        let sources = TrustSources::of(self.deployment);
        self.trust_buckets(&sources);
        let deployment = self.deployment;
        for grant in &deployment.grants {
            if let Some(resource) = sources.written_by(grant) {
                let what = format!("{} may write `{resource}`", grant.to);
                self.find(&rules::TRUST_WRITER, &grant.place, &grant.to, &what);
            }
        }
    }

    fn trust_buckets(&mut self, sources: &TrustSources<'_>) {
        let deployment = self.deployment;
        let buckets = deployment.buckets.iter();
        for bucket in buckets.filter(|bucket| sources.buckets.contains(&bucket.name)) {
            for (knowledge, rule, what, question) in [
                (
                    &bucket.blocks_public_access,
                    &rules::TRUST_BUCKET_PUBLIC,
                    "does not block public access",
                    "whether it blocks public access is not said",
                ),
                (
                    &bucket.is_versioned,
                    &rules::TRUST_BUCKET_UNVERSIONED,
                    "is not versioned",
                    "whether it is versioned is not said",
                ),
            ] {
                match knowledge {
                    Knowledge::Known(true) => {}
                    Knowledge::Known(false) => self.find(rule, &bucket.place, &bucket.name, what),
                    Knowledge::Unknown(command) => self.miss(
                        rules::UNKNOWN_VALUE,
                        &bucket.place,
                        &bucket.name,
                        question,
                        command,
                    ),
                }
            }
        }
    }
}

/// Sources of the functions' trust material.
struct TrustSources<'a> {
    deployment: &'a Deployment,
    /// Ids of buckets.
    buckets: BTreeSet<String>,
    /// Names and paths in Parameter Store; a path ends with `/*`.
    parameters: BTreeSet<String>,
}

impl<'a> TrustSources<'a> {
    fn of(deployment: &'a Deployment) -> Self {
        let sources = deployment.functions.iter().flat_map(Function::trust_sources);
        let parameters = sources.filter_map(|source| source.strip_prefix("ssm:"));
        Self {
            deployment,
            buckets: deployment.trust_buckets(),
            parameters: parameters.map(|name| parameter_name(deployment, name)).collect(),
        }
    }

    /// Returns what a grant allows writing that belongs to what is trusted.
    fn written_by<'g>(&self, grant: &'g Grant) -> Option<&'g str> {
        let mut resources = grant.resources.iter().map(String::as_str);
        let bucket = resources
            .clone()
            .filter(|_| allows(grant, &S3_WRITES))
            .find(|resource| {
                self.is_in_trust_bucket(resource) && !self.is_below_destination(resource, grant)
            });
        bucket.or_else(|| {
            resources.find(|resource| allows(grant, &SSM_WRITES) && self.is_trust_parameter(resource))
        })
    }

    fn is_in_trust_bucket(&self, resource: &str) -> bool {
        let (name, _) = bucket_and_key(resource);
        let id = self.deployment.bucket_id(&name);
        self.buckets.contains(&id)
            || (name.contains('*') || name.contains('?') && !text::is_unknown(&name))
                && self.buckets.iter().any(|bucket| {
                    let known = self.deployment.buckets.iter().find(|known| known.name == *bucket);
                    let physical = known.and_then(|known| known.physical.clone());
                    let placeholder = text::placeholder(bucket);
                    [physical.as_deref(), Some(bucket.as_str()), Some(&placeholder)]
                        .into_iter()
                        .flatten()
                        .any(|candidate| text::overlap(&name, candidate))
                })
    }

    /// Returns true if all that fits the resource lies where the functions with the grant publish
    /// CRLs, and no other principal has it.
    fn is_below_destination(&self, resource: &str, grant: &Grant) -> bool {
        let holders = self.deployment.holders_of(grant).unwrap_or_default();
        let mut destinations = holders
            .iter()
            .map(|function| function.variables.get("CRL_DESTINATION"));
        !holders.is_empty()
            && destinations.all(|destination| {
                destination.is_some_and(|destination| self.is_below(resource, destination))
            })
    }

    fn is_below(&self, resource: &str, destination: &str) -> bool {
        let Some(object) = destination.strip_prefix("s3://") else {
            return false;
        };
        let (bucket, prefix) = bucket_and_key(object);
        let (name, key) = bucket_and_key(resource);
        let is_same = self.deployment.bucket_id(&name) == self.deployment.bucket_id(&bucket);
        is_same && !prefix.is_empty() && key.starts_with(&prefix)
    }

    fn is_trust_parameter(&self, resource: &str) -> bool {
        let pattern = match resource.split_once(":parameter") {
            Some((_, name)) => name,
            None => resource,
        };
        let pattern = parameter_name(
            self.deployment,
            pattern
                .strip_prefix("/$")
                .map_or(pattern, |_| pattern.strip_prefix('/').unwrap_or(pattern)),
        );
        self.parameters
            .iter()
            .any(|name| text::overlap(&pattern, name) || pattern.starts_with(name.trim_end_matches('*')))
    }
}

/// Returns the name of a parameter, with a slash before it; a resource that is one is meant by its
/// own name.
pub(super) fn parameter_name(deployment: &Deployment, name: &str) -> String {
    let resource = text::resource_in(name);
    let mut parameters = deployment.parameters.iter();
    let parameter = parameters.find(|parameter| resource == Some(parameter.name.as_str()));
    let name = parameter
        .and_then(|parameter| parameter.physical.as_deref())
        .unwrap_or(name);
    match name.starts_with(['/', '*', '$']) {
        true => name.to_owned(),
        false => format!("/{name}"),
    }
}

/// Splits the ARN of an object, or `bucket/key`.
pub(super) fn bucket_and_key(resource: &str) -> (String, String) {
    let parts = text::split(resource, ":");
    let object = match parts.first().map(String::as_str) {
        Some("arn") if parts.len() >= 6 => parts.get(5..).map(|rest| rest.join(":")).unwrap_or_default(),
        _ => resource.to_owned(),
    };
    let mut parts = text::split(&object, "/").into_iter();
    let bucket = parts.next().unwrap_or_default();
    (bucket, parts.collect::<Vec<_>>().join("/"))
}
