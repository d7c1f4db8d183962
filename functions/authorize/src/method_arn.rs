//! The ARN of what was asked for.

use alb_mtls_settings::Arn;

use crate::settings::ResourceScope;

/// The most characters of a resource in a policy.
///
/// Source: API Gateway developer guide, "Output from an API Gateway Lambda authorizer".
const MAX_RESOURCE: usize = 512;

/// `methodArn` or `routeArn` of an event:
/// `arn:aws:execute-api:region:account:api/stage/METHOD/path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MethodArn {
    whole: String,
    /// Everything before the slash after the stage.
    stage: String,
}

impl MethodArn {
    /// Reads an ARN; `None` when it is not of this kind. Up to the stage it does not contain
    /// anything that a policy takes for a wildcard or a variable.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let arn = Arn::split(text)?;
        let mut parts = arn.resource.splitn(3, '/');
        let (api, stage) = (parts.next()?, parts.next()?);
        let are = |text: &str, others: &str| {
            let allowed = |character: char| character.is_ascii_alphanumeric() || others.contains(character);
            !text.is_empty() && text.chars().all(allowed)
        };
        let valid = arn.service == "execute-api"
            && arn.is_in_one_account()
            && are(api, "-")
            && (stage == "$default" || are(stage, "_-"));
        let stage_end = text.len() - arn.resource.len() + api.len() + 1 + stage.len();
        let stage = text.get(..stage_end)?;
        (valid && stage.len() + "/*".len() <= MAX_RESOURCE).then(|| Self {
            whole: text.to_owned(),
            stage: stage.to_owned(),
        })
    }

    /// Returns the resource of a policy; `None` when the path cannot be written into one. The path
    /// is the client's text, and `*`, `?` and `${` in it would match other paths too.
    pub(crate) fn resource(&self, scope: ResourceScope) -> Option<String> {
        match scope {
            ResourceScope::Stage => Some(format!("{}/*", self.stage)),
            ResourceScope::Request => {
                let plain = !self.whole.contains(['*', '?']) && !self.whole.contains("${");
                (plain && self.whole.len() <= MAX_RESOURCE).then(|| self.whole.clone())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGE: &str = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod";

    #[test]
    fn the_stage_is_everything_in_it() {
        for (arn, resource) in [
            (format!("{STAGE}/GET/orders/7"), format!("{STAGE}/*")),
            (format!("{STAGE}/GET/"), format!("{STAGE}/*")),
            (format!("{STAGE}/$connect"), format!("{STAGE}/*")),
            (format!("{STAGE}/GET/a:b/*/c?d"), format!("{STAGE}/*")),
            (
                "arn:aws-cn:execute-api:cn-north-1:123456789012:abc/$default/GET/x".to_owned(),
                "arn:aws-cn:execute-api:cn-north-1:123456789012:abc/$default/*".to_owned(),
            ),
        ] {
            let arn = MethodArn::read(&arn).unwrap();
            assert_eq!(arn.resource(ResourceScope::Stage), Some(resource));
        }
    }

    #[test]
    fn what_could_widen_the_policy_is_no_arn() {
        for arn in [
            "",
            "*",
            "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5",
            "arn:aws:execute-api:eu-west-1:123456789012:*/prod/GET/",
            "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/*/GET/",
            "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/pr?d/GET/",
            "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/${stage}/GET/",
            "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5//GET/",
            "arn:aws:execute-api:eu-west-1:123456789012:/prod/GET/",
            "arn:aws:execute-api:*:123456789012:a1b2c3d4e5/prod/GET/",
            "arn:aws:execute-api:eu-west-1:*:a1b2c3d4e5/prod/GET/",
            "arn:*:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/GET/",
            "arn:aws:lambda:eu-west-1:123456789012:function/prod",
            "iam:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/GET/",
        ] {
            assert_eq!(MethodArn::read(arn), None, "{arn}");
        }
        let long = format!("{STAGE}{}/GET/", "x".repeat(MAX_RESOURCE));
        assert_eq!(MethodArn::read(&long), None);
    }

    #[test]
    fn path_with_wildcards_cannot_be_the_resource() {
        let resource = |path: &str| {
            let arn = MethodArn::read(&format!("{STAGE}/GET/{path}")).unwrap();
            arn.resource(ResourceScope::Request)
        };
        assert_eq!(resource("orders/7"), Some(format!("{STAGE}/GET/orders/7")));
        for path in [
            "*",
            "orders/*",
            "a?b",
            "${aws:username}",
            &"x".repeat(MAX_RESOURCE),
        ] {
            assert_eq!(resource(path), None, "{path}");
        }
    }
}
