//! Target groups that are served.

use std::str::FromStr;

use alb_mtls_settings::{Arn, matches_wildcard};

/// The target groups whose requests are served. A second target group with the same function,
/// behind a listener without mTLS, would otherwise let clients write the certificate header
/// themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetGroups {
    /// All of them.
    Any,
    /// Target groups whose ARN matches one of these patterns.
    Matching(Vec<TargetGroupPattern>),
}

/// ARN of target groups of one account and Region; `*` stands for any part of the name or of the
/// id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroupPattern {
    /// Everything up to the name: `arn:PARTITION:elasticloadbalancing:REGION:ACCOUNT:targetgroup/`.
    place: String,
    name: String,
    id: String,
}

/// Reason that a text does not name target groups.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTargetGroups {
    /// The text or a word of it is not the ARN of a target group.
    #[error("ARNs of target groups separated by white space, such as `{EXAMPLE}`")]
    NotAnArn,
    /// A `*` in this part would match target groups of others.
    #[error("`*` in the name and in the id of a target group only, not in its {0}, such as `{EXAMPLE}`")]
    Wildcard(&'static str),
    /// The pattern matches target groups of every name, and so those behind listeners without
    /// mutual TLS.
    #[error(
        "the name of a target group: one that is only `*` matches every target group, so write `{EXAMPLE}`"
    )]
    EveryName,
}

const EXAMPLE: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate/*";

impl FromStr for TargetGroups {
    type Err = InvalidTargetGroups;

    fn from_str(text: &str) -> Result<Self, InvalidTargetGroups> {
        let patterns: Vec<TargetGroupPattern> = text
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        match patterns.is_empty() {
            true => Err(InvalidTargetGroups::NotAnArn),
            false => Ok(Self::Matching(patterns)),
        }
    }
}

impl FromStr for TargetGroupPattern {
    type Err = InvalidTargetGroups;

    fn from_str(text: &str) -> Result<Self, InvalidTargetGroups> {
        let Some(arn) = Arn::split(text) else {
            // A `*` in place of several parts would match every account and Region.
            return Err(match text.strip_prefix("arn:") {
                Some(rest) if rest.contains('*') => InvalidTargetGroups::Wildcard("account or Region"),
                _ => InvalidTargetGroups::NotAnArn,
            });
        };
        for (part, word) in [
            (arn.partition, "partition"),
            (arn.service, "service"),
            (arn.region, "Region"),
            (arn.account, "account"),
        ] {
            if part.contains('*') {
                return Err(InvalidTargetGroups::Wildcard(word));
            }
        }
        let Some(resource) = arn.resource.strip_prefix("targetgroup/") else {
            return Err(InvalidTargetGroups::NotAnArn);
        };
        let (name, id) = resource.split_once('/').unwrap_or((resource, ""));
        if !name.is_empty() && name.bytes().all(|byte| byte == b'*') {
            return Err(InvalidTargetGroups::EveryName);
        }
        let is_pattern = |part: &str| {
            let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'*';
            !part.is_empty() && part.bytes().all(is_part)
        };
        let is_arn = arn.service == "elasticloadbalancing"
            && arn.is_in_one_account()
            && is_pattern(name)
            && is_pattern(id);
        if !is_arn {
            return Err(InvalidTargetGroups::NotAnArn);
        }
        Ok(Self {
            place: Arn {
                resource: "targetgroup/",
                ..arn
            }
            .to_string(),
            name: name.to_owned(),
            id: id.to_owned(),
        })
    }
}

impl TargetGroups {
    /// Returns whether requests of this target group are served.
    pub fn serve(&self, arn: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Matching(patterns) => patterns.iter().any(|pattern| pattern.matches(arn)),
        }
    }
}

impl TargetGroupPattern {
    fn matches(&self, arn: &str) -> bool {
        let resource = arn.strip_prefix(self.place.as_str());
        resource
            .and_then(|resource| resource.split_once('/'))
            .is_some_and(|(name, id)| {
                !id.contains('/') && matches_wildcard(&self.name, name) && matches_wildcard(&self.id, id)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/";

    #[test]
    fn stars_stand_for_any_part_and_nothing_else_does() {
        let arn = format!("{PLACE}gate-1/73e2d6bc24d8a067");
        for (pattern, expected) in [
            ("gate-1/73e2d6bc24d8a067", true),
            ("gate-1/*", true),
            ("gate-*/*", true),
            ("*-1/73e2*67", true),
            ("g*e*1/*a067*", true),
            ("other/*", false),
            ("gate/*", false),
            ("gate-1/73e2d6bc24d8a06", false),
            ("gate-1/73e2d6bc24d8a0677", false),
            ("gate-1/*a067*a067", false),
        ] {
            let groups: TargetGroups = format!("{PLACE}{pattern}").parse().unwrap();
            assert_eq!(groups.serve(&arn), expected, "{pattern}");
        }
    }

    #[test]
    fn stars_do_not_reach_other_accounts_regions_and_names() {
        let groups: TargetGroups = format!("{PLACE}gate*/*").parse().unwrap();
        assert!(groups.serve(&format!("{PLACE}gate/73e2d6bc24d8a067")));
        for arn in [
            "arn:aws:elasticloadbalancing:eu-west-1:210987654321:targetgroup/gate/73e2d6bc24d8a067",
            "arn:aws:elasticloadbalancing:eu-west-2:123456789012:targetgroup/gate/73e2d6bc24d8a067",
            "arn:aws-cn:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate/73e2d6bc24d8a067",
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate/x/73e2d6bc24d8a067",
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate",
            "",
        ] {
            assert!(!groups.serve(arn), "{arn}");
        }
    }

    #[test]
    fn several_patterns_may_match() {
        let groups: TargetGroups = format!("{PLACE}a/1\n {PLACE}b*/*").parse().unwrap();
        assert!(groups.serve(&format!("{PLACE}a/1")) && groups.serve(&format!("{PLACE}bc/2")));
        assert!(!groups.serve(&format!("{PLACE}a/2")) && !groups.serve(&format!("{PLACE}c/1")));
    }

    #[test]
    fn patterns_of_any_account_region_or_name_are_refused() {
        use InvalidTargetGroups::{EveryName, NotAnArn, Wildcard};
        for (text, error) in [
            ("", NotAnArn),
            ("*", NotAnArn),
            ("arn:a", NotAnArn),
            ("arn:*", Wildcard("account or Region")),
            (
                "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate",
                NotAnArn,
            ),
            (
                "arn:aws:elasticloadbalancing:*:targetgroup/gate/*",
                Wildcard("account or Region"),
            ),
            ("arn:*:*:*:*:*", Wildcard("partition")),
            (
                "arn:aws:elasticloadbalancing:*:123456789012:targetgroup/gate/*",
                Wildcard("Region"),
            ),
            (
                "arn:aws:elasticloadbalancing:eu-*:123456789012:targetgroup/gate/*",
                Wildcard("Region"),
            ),
            (
                "arn:aws:elasticloadbalancing:eu-west-1:*:targetgroup/gate/*",
                Wildcard("account"),
            ),
            (
                "arn:aws:elastic*:eu-west-1:123456789012:targetgroup/gate/*",
                Wildcard("service"),
            ),
            (
                "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/*",
                EveryName,
            ),
            (
                "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/**/73e2d6bc24d8a067",
                EveryName,
            ),
            ("arn:aws:elasticloadbalancing:eu-west-1:123456789012:*", NotAnArn),
            (
                "arn:aws:elasticloadbalancing:eu-west-1:1234:targetgroup/gate/*",
                NotAnArn,
            ),
            (
                "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate/x/*",
                NotAnArn,
            ),
            (
                "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/gate/1",
                NotAnArn,
            ),
            ("arn:aws:lambda:eu-west-1:123456789012:function:gate", NotAnArn),
            (
                "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate/1 arn:*",
                Wildcard("account or Region"),
            ),
        ] {
            assert_eq!(text.parse::<TargetGroups>(), Err(error.clone()), "{text}");
            assert!(error.to_string().contains(EXAMPLE));
        }
    }
}
