//! Checks of who may invoke the gate past the load balancer.

use super::{Checks, remedy};
use crate::doctor::facts::{Deployment, Function, Grant, Kind, Permission};
use crate::doctor::rules;
use crate::doctor::text;

/// Sources from which a permission allows invoking a function.
enum Reach<'a> {
    Nothing,
    /// Callers of the function's URL.
    Url,
    /// More than one source, because something is missing.
    Wide {
        missing: &'static str,
    },
    Source(&'a str),
}

impl<'a> Reach<'a> {
    fn of(permission: &'a Permission) -> Self {
        let allows = |action: &str| text::overlap(&permission.action.to_lowercase(), action);
        let is_for_url = permission.url_type.is_some();
        if is_for_url || (allows("lambda:invokefunctionurl") && !permission.action.contains('*')) {
            return Self::Url;
        }
        if !allows("lambda:invokefunction") {
            return Self::Nothing;
        }
        let missing = if !is_service(&permission.principal) {
            "a service as principal"
        } else {
            match permission.source_arn.as_deref() {
                None => "SourceArn",
                Some(arn) if names_no_resource(arn) => "a resource in SourceArn",
                Some(arn) if permission.source_account.is_none() && names_no_account(arn) => {
                    "an account in SourceArn"
                }
                Some(arn) => return Self::Source(arn),
            }
        };
        Self::Wide { missing }
    }
}

impl Checks<'_> {
    pub(super) fn permissions(&mut self) {
        let deployment = self.deployment;
        for permission in &deployment.permissions {
            match deployment.gate(&permission.function) {
                Some(function) => self.permission(permission, &function.name),
                None if text::is_unknown(&permission.function) => self.unknown_permission(permission),
                None => {}
            }
        }
    }

    fn permission(&mut self, permission: &Permission, function: &str) {
        let principal = &permission.principal;
        match Reach::of(permission) {
            Reach::Url => self.find(
                &rules::FUNCTION_URL,
                &permission.place,
                &permission.name,
                &format!("lets {principal} call the URL of {function}"),
            ),
            Reach::Wide { missing } => self.find(
                &rules::PERMISSION_TOO_WIDE,
                &permission.place,
                &permission.name,
                &format!("lets {principal} invoke {function} without {missing}"),
            ),
            Reach::Source(arn) => self.unproven_source(permission, function, arn),
            Reach::Nothing => {}
        }
    }

    /// A permission for a function that is not known can be one for a gate.
    fn unknown_permission(&mut self, permission: &Permission) {
        let is_open = matches!(Reach::of(permission), Reach::Url | Reach::Wide { .. });
        if is_open && has_function(self.deployment) {
            let what = format!(
                "lets {} invoke `{}`, which is not among the files and can have a gate",
                permission.principal, permission.function
            );
            self.miss(
                rules::UNKNOWN_TARGET,
                &permission.place,
                &permission.name,
                &what,
                &remedy(&permission.function),
            );
        }
    }

    fn unproven_source(&mut self, permission: &Permission, function: &str, arn: &str) {
        let principal = &permission.principal;
        // A value that is not known can be a pattern for everything; of other services the gate
        // takes no events.
        let is_served = ["elasticloadbalancing.", "apigateway."]
            .iter()
            .any(|service| principal.starts_with(service));
        if is_served && text::inner(arn).is_some_and(text::is_open_inner) {
            self.miss(
                rules::UNKNOWN_VALUE,
                &permission.place,
                &permission.name,
                &format!("lets {principal} invoke {function} for `{arn}`, which is not known"),
                &remedy(arn),
            );
        }
        // The ARNs of other services name their account alone.
        if principal.starts_with("elasticloadbalancing.") && permission.source_account.is_none() {
            let what = format!("lets {principal} invoke {function} for `{arn}`, without SourceAccount");
            self.find(&rules::SOURCE_ACCOUNT, &permission.place, &permission.name, &what);
        }
    }

    /// Policies of roles and users that allow invoking the gate.
    pub(super) fn invokers(&mut self) {
        let deployment = self.deployment;
        for grant in &deployment.grants {
            if !allows(grant, &["lambda:invokefunction"]) {
                continue;
            }
            for function in deployment.gates() {
                let mut resources = grant.resources.iter();
                let reached = resources.find(|resource| reaches(deployment, resource, function));
                if let Some(resource) = reached {
                    let what = format!("may invoke {} (`{resource}`)", function.name);
                    self.find(&rules::MAY_INVOKE, &grant.place, &grant.to, &what);
                }
            }
        }
    }
}

/// Returns true if a function of Lambda has a gate.
pub(super) fn has_function(deployment: &Deployment) -> bool {
    let mut gates = deployment.gates();
    gates.any(|gate| gate.kind == Kind::Function)
}

/// Returns whether the resource of a statement includes a function.
fn reaches(deployment: &Deployment, resource: &str, function: &Function) -> bool {
    let mut pieces = text::pieces(resource).into_iter();
    let names_it = pieces.any(|piece| text::resource_in(piece) == Some(function.name.as_str()));
    let pattern = match resource.rsplit_once(":function:") {
        Some((_, name)) => name,
        None => resource,
    };
    let is_wide = pattern.chars().all(|character| character == '*');
    let fits = |name: &str| text::overlap(pattern, name) || text::overlap(pattern, &format!("{name}:*"));
    names_it
        || is_wide
        || deployment.function_id(resource) == function.name
        || function.physical.as_deref().is_some_and(fits)
}

/// Returns whether a grant allows one of some actions, which are in lower case.
pub(super) fn allows(grant: &Grant, actions: &[&str]) -> bool {
    let mut allowed = grant.actions.iter().map(|action| action.to_ascii_lowercase());
    allowed.any(|pattern| actions.iter().any(|action| text::matches(&pattern, action)))
}

/// Returns whether a principal is a service of AWS alone.
fn is_service(principal: &str) -> bool {
    let domains = [".amazonaws.com", ".amazonaws.com.cn", ".${AWS::URLSuffix}"];
    !principal.contains('*') && domains.iter().any(|domain| principal.ends_with(domain))
}

/// Resources that nothing has by intention: a pattern that fits one of them fits those of every
/// name, whatever it says of the id, the path or the method.
const ARBITRARY: [(&str, &str); 2] = [
    (":elasticloadbalancing:", "targetgroup/zq7x/????????????????"),
    (":execute-api:", "zq7x5k2p1w/*"),
];

/// Returns whether an ARN is `*`, has nothing but `*` for a resource, or fits resources of every
/// name.
fn names_no_resource(arn: &str) -> bool {
    if text::pieces(arn).iter().any(|piece| piece.starts_with("${")) && !arn.contains('*') {
        return false;
    }
    let resource =
        text::resource_of_arn(arn).unwrap_or_else(|| arn.rsplit(':').next().unwrap_or(arn).to_owned());
    let name = resource.strip_prefix("targetgroup").unwrap_or(&resource);
    let name = name.strip_prefix("loadbalancer").unwrap_or(name);
    let mut arbitrary = ARBITRARY.iter();
    let fits_any = arbitrary.any(|(service, any)| arn.contains(service) && text::overlap(&resource, any));
    fits_any || name.chars().all(|character| matches!(character, '*' | '/' | '?'))
}

/// Returns whether an ARN leaves the account open.
fn names_no_account(arn: &str) -> bool {
    let account = text::account_of_arn(arn).unwrap_or_default();
    account.contains('*')
        || (account.is_empty() && arn.starts_with("arn:") && !arn.starts_with("arn:aws:s3:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arn_without_a_resource_is_wide_and_others_are_not() {
        for arn in [
            "*",
            "arn:*",
            "arn:aws:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:*",
            "arn:aws:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/*",
            "arn:aws:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/*/*",
            "arn:aws:elasticloadbalancing:*:*:*",
            "arn:aws:execute-api:eu-west-1:123456789012:*",
            "arn:aws:execute-api:eu-west-1:123456789012:*/*",
            "arn:aws:execute-api:eu-west-1:123456789012:*/prod/GET/orders",
            "arn:aws:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:t*",
            "arn:aws:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/*/73*",
        ] {
            assert!(names_no_resource(arn), "{arn}");
        }
        for arn in [
            "${Group}",
            "arn:aws:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/gate/*",
            "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/authorizers/*",
            "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${?parameter Api}/*/*",
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate-*/*",
        ] {
            assert!(!names_no_resource(arn), "{arn}");
        }
        assert!(names_no_account(
            "arn:aws:elasticloadbalancing:*:*:targetgroup/gate/*"
        ));
        assert!(!names_no_account("${Group}"));
    }
}
