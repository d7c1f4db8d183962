//! Which target groups are served.

use std::str::FromStr;

/// The target groups whose requests are served. A second target group with the same function, behind a listener
/// without mTLS, would otherwise let clients write the certificate header themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetGroups {
    /// All of them.
    Any,
    /// Those whose ARN matches one of these patterns; `*` stands for any part.
    Matching(Vec<String>),
}

/// The text holds no ARN of a target group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "ARNs of target groups separated by white space, such as `arn:aws:elasticloadbalancing:*:targetgroup/gate/*`"
)]
pub struct InvalidTargetGroups;

impl FromStr for TargetGroups {
    type Err = InvalidTargetGroups;

    fn from_str(text: &str) -> Result<Self, InvalidTargetGroups> {
        let patterns: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        if patterns.is_empty() || !patterns.iter().all(|pattern| pattern.starts_with("arn:")) {
            return Err(InvalidTargetGroups);
        }
        Ok(Self::Matching(patterns))
    }
}

impl TargetGroups {
    /// Whether requests of this target group are served.
    pub fn serve(&self, arn: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Matching(patterns) => patterns.iter().any(|pattern| matches(pattern, arn)),
        }
    }
}

/// Whether `text` is `pattern` with something, perhaps nothing, in place of each `*`.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_part_and_nothing_else_does() {
        let arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate/73e2d6bc24d8a067";
        for (pattern, expected) in [
            (arn, true),
            ("arn:aws:elasticloadbalancing:*:targetgroup/gate/*", true),
            ("arn:*", true),
            (
                "arn:aws:elasticloadbalancing:eu-west-1:*:targetgroup/gate/73e2d6bc24d8a067",
                true,
            ),
            ("arn:aws:elasticloadbalancing:*:targetgroup/other/*", false),
            (
                "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate/73e2d6bc24d8a06",
                false,
            ),
            (
                "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate/73e2d6bc24d8a0677",
                false,
            ),
            ("arn:*a067*a067", false),
        ] {
            let groups: TargetGroups = pattern.parse().unwrap();
            assert_eq!(groups.serve(arn), expected, "{pattern}");
        }
    }

    #[test]
    fn several_patterns_may_match() {
        let groups: TargetGroups = "arn:a arn:b*".parse().unwrap();
        assert!(groups.serve("arn:a") && groups.serve("arn:bc") && !groups.serve("arn:c"));
    }
}
