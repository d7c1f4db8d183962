//! Checks of functions, their URLs and their log groups.

use super::permissions::has_function;
use super::{Checks, remedy};
use crate::doctor::facts::{Deployment, Function, Kind};
use crate::doctor::rules;
use crate::doctor::text;

impl Checks<'_> {
    pub(super) fn functions(&mut self) {
        let deployment = self.deployment;
        for function in deployment.gates() {
            self.anchors(function);
            self.mode(function);
            if function.kind == Kind::Function {
                if is_behind_load_balancer(deployment, function) {
                    self.served_groups(function);
                }
                self.layer(function);
            }
        }
    }

    fn anchors(&mut self, function: &Function) {
        let anchors = function.variables.get("MTLS_ANCHORS");
        if anchors.is_some_and(|anchors| anchors.trim().is_empty()) {
            self.find(
                &rules::ANCHORS_EMPTY,
                &function.place,
                &function.name,
                "MTLS_ANCHORS is empty",
            );
        }
    }

    fn mode(&mut self, function: &Function) {
        let Some(mode) = function.variables.get("MTLS_MODE") else {
            return;
        };
        if mode == "report" {
            self.find(
                &rules::MODE_REPORT,
                &function.place,
                &function.name,
                "MTLS_MODE is report",
            );
        } else if text::is_unknown(mode) {
            self.miss(
                rules::UNKNOWN_VALUE,
                &function.place,
                &function.name,
                &format!("MTLS_MODE is `{mode}`, which is not known"),
                &remedy(mode),
            );
        }
    }

    fn served_groups(&mut self, function: &Function) {
        let served = function.variables.get("MTLS_TARGET_GROUPS").map(String::as_str);
        let patterns = served.map(words).unwrap_or_default();
        if patterns.is_empty() || patterns.iter().any(|pattern| serves_everything(pattern)) {
            let what = match served {
                None => "MTLS_TARGET_GROUPS is not set".to_owned(),
                Some(served) => format!("MTLS_TARGET_GROUPS is `{served}`"),
            };
            self.find(
                &rules::TARGET_GROUPS_UNSET,
                &function.place,
                &function.name,
                &what,
            );
        } else if let Some(pattern) = patterns.iter().find(|pattern| text::is_unknown(pattern)) {
            self.miss(
                rules::UNKNOWN_VALUE,
                &function.place,
                &function.name,
                &format!("MTLS_TARGET_GROUPS contains `{pattern}`, which is not known"),
                &remedy(pattern),
            );
        }
    }

    pub(super) fn function_urls(&mut self) {
        let deployment = self.deployment;
        for url in &deployment.function_urls {
            if let Some(function) = deployment.gate(&url.function) {
                self.find(
                    &rules::FUNCTION_URL,
                    &url.place,
                    &url.name,
                    &format!("{} has a URL of its own", function.name),
                );
            } else if text::is_unknown(&url.function) && has_function(deployment) {
                self.miss(
                    rules::UNKNOWN_TARGET,
                    &url.place,
                    &url.name,
                    &format!(
                        "is a URL of `{}`, which is not among the files and can have a gate",
                        url.function
                    ),
                    &remedy(&url.function),
                );
            }
        }
    }

    pub(super) fn log_groups(&mut self) {
        let deployment = self.deployment;
        let gates = deployment
            .gates()
            .filter(|function| function.kind == Kind::Function);
        for function in gates {
            let wanted = function.log_group_name();
            if text::is_unknown(&wanted) {
                continue;
            }
            let resource = text::resource_in(&wanted).unwrap_or(&wanted);
            let wanted = deployment.log_group_name(&wanted);
            let mut groups = deployment.log_groups.iter();
            let group = groups.find(|group| {
                let physical = group
                    .physical
                    .as_deref()
                    .map(|name| deployment.log_group_name(name));
                group.name == resource || physical.as_deref() == Some(&wanted)
            });
            let (place, resource, what) = match group {
                Some(group) if group.has_retention => continue,
                Some(group) => (&group.place, &group.name, "has no retention"),
                None => (
                    &function.place,
                    &function.name,
                    "writes to a log group whose retention is not said",
                ),
            };
            self.find(&rules::LOG_RETENTION, place, resource, what);
        }
    }
}

/// Returns whether a load balancer is known to invoke the function.
fn is_behind_load_balancer(deployment: &Deployment, function: &Function) -> bool {
    let mut permissions = deployment.permissions.iter();
    deployment.groups_of(function).next().is_some()
        || permissions.any(|permission| {
            permission.function == function.name && permission.principal.starts_with("elasticloadbalancing.")
        })
}

/// Splits a value at white space that is not in a placeholder.
fn words(value: &str) -> Vec<String> {
    let mut words = text::split(&value.replace(['\n', '\t'], " "), " ");
    words.retain(|word| !word.trim().is_empty());
    words
}

/// Returns whether a pattern includes target groups of every name.
fn serves_everything(pattern: &str) -> bool {
    let resource = match text::resource_of_arn(pattern) {
        Some(resource) => resource,
        // `arn:*` and such: the star stands for the rest of the ARN.
        None => match pattern.rsplit_once(":targetgroup/") {
            Some((_, name)) => name.to_owned(),
            None => text::split(pattern, ":").pop().unwrap_or_default(),
        },
    };
    let name = resource.strip_prefix("targetgroup").unwrap_or(&resource);
    let name = name.strip_prefix('/').unwrap_or(name);
    let name = text::split(name, "/").swap_remove(0);
    name.chars().all(|character| matches!(character, '*' | '?'))
}

#[cfg(test)]
mod tests {
    use super::serves_everything;

    #[test]
    fn every_group_is_a_pattern_without_a_name() {
        for pattern in [
            "*",
            "**",
            "",
            "arn:*",
            "arn:aws:elasticloadbalancing:*",
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:*",
            "arn:aws:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/*",
            "arn:${AWS::Partition}:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/*/*",
            "arn:aws:elasticloadbalancing:*:*:targetgroup/**/*",
            "arn:aws:elasticloadbalancing:*:targetgroup/*/*",
        ] {
            assert!(serves_everything(pattern), "{pattern}");
        }
        for pattern in [
            "arn:aws:elasticloadbalancing:*:targetgroup/gate/*",
            "arn:aws:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/${AWS::StackName}-respond/*",
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate-*/73e2d6bc24d8a067",
            "${Group}",
            "${Group.TargetGroupArn}",
        ] {
            assert!(!serves_everything(pattern), "{pattern}");
        }
    }
}
