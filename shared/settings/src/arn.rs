//! Amazon Resource Names: the only parser of their six parts.

/// Amazon Resource Name in its parts, `arn:partition:service:region:account:resource`.
///
/// A pattern or an attacker's text also has parts: [`Arn::split`] finds them and checks nothing. A
/// text that is used for a decision must also pass [`Arn::is_in_one_account`], and the check of its
/// service's own resources.
///
/// ```
/// use alb_mtls_settings::Arn;
///
/// let arn = Arn::split("arn:aws:lambda:eu-west-1:123456789012:function:app:live").unwrap();
/// assert_eq!((arn.service, arn.resource), ("lambda", "function:app:live"));
/// assert!(arn.is_in_one_account());
/// assert_eq!(arn.to_string(), "arn:aws:lambda:eu-west-1:123456789012:function:app:live");
///
/// let pattern = Arn::split("arn:aws:lambda:*:123456789012:function:app").unwrap();
/// assert!(!pattern.is_in_one_account());
/// ```
///
/// Source: IAM user guide, "Identify AWS resources with Amazon Resource Names (ARNs)".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// Group of regions, such as `aws` or `aws-cn`.
    pub partition: &'a str,
    /// Namespace of the service, such as `s3`.
    pub service: &'a str,
    /// Region; empty for a global resource.
    pub region: &'a str,
    /// Account number; empty where the resource's name is unique without it.
    pub account: &'a str,
    /// Everything after the account. It can contain colons.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Returns the parts of a text, without a check of any; `None` when it does not begin with
    /// `arn:` or lacks a part.
    pub fn split(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next();
        (next()? == "arn").then_some(())?;
        Some(Self {
            partition: next()?,
            service: next()?,
            region: next()?,
            account: next()?,
            resource: next()?,
        })
    }

    /// Returns true if partition, region and account are written as AWS writes them. Such an ARN
    /// does not contain a wildcard, a policy variable, or a character with a meaning in a URL
    /// before its resource.
    pub fn is_in_one_account(&self) -> bool {
        is_partition(self.partition) && is_region(self.region) && is_account(self.account)
    }
}

impl std::fmt::Display for Arn<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            partition,
            service,
            region,
            account,
            resource,
        } = self;
        write!(
            formatter,
            "arn:{partition}:{service}:{region}:{account}:{resource}"
        )
    }
}

/// Returns true for a text that can be a partition: `aws`, `aws-cn`, `aws-us-gov` and others like
/// them.
pub fn is_partition(text: &str) -> bool {
    text.starts_with("aws") && is_label(text)
}

/// Longest name of a region that is taken. The longest that there is, `us-isob-east-1` or so, has
/// half of it; a region becomes part of a host name, whose labels have 63 characters at most (RFC
/// 1035 §2.3.4).
const MAX_REGION_BYTES: usize = 32;

/// Returns true for a text that can be a region, such as `eu-central-1`.
pub fn is_region(text: &str) -> bool {
    text.contains('-') && text.len() <= MAX_REGION_BYTES && is_label(text)
}

/// Returns true for an account number: 12 digits.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_label(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arn_has_six_parts_and_its_resource_any_text() {
        for text in [
            "arn:aws:s3:::bucket/a:b",
            "arn:aws-us-gov:ssm:us-gov-west-1:111122223333:parameter/a:7",
            "arn:::::",
        ] {
            assert_eq!(Arn::split(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "arn",
            "arn:aws:s3::",
            "ARN:aws:s3:::bucket",
            " arn:aws:s3:::bucket",
            "iam:aws:lambda:eu-west-1:123456789012:function:app",
        ] {
            assert_eq!(Arn::split(text), None, "{text}");
        }
    }

    #[test]
    fn place_of_an_arn_is_exact_or_it_is_not_in_one_account() {
        let is_in_one_account = |place: &str| {
            let text = format!("arn:{place}:resource");
            Arn::split(&text).unwrap().is_in_one_account()
        };
        for place in [
            "aws:lambda:eu-west-1:123456789012",
            "aws-cn:lambda:cn-north-1:123456789012",
            "aws-iso-b:lambda:us-isob-east-1:000000000000",
        ] {
            assert!(is_in_one_account(place), "{place}");
        }
        for place in [
            "*:lambda:eu-west-1:123456789012",
            "amazon:lambda:eu-west-1:123456789012",
            "aws/x:lambda:eu-west-1:123456789012",
            "aws:lambda:*:123456789012",
            "aws:lambda::123456789012",
            "aws:lambda:Frankfurt:123456789012",
            "aws:lambda:evil.example/x-y:123456789012",
            "aws:lambda:eu-west-1:*",
            "aws:lambda:eu-west-1:",
            "aws:lambda:eu-west-1:12345678901",
            "aws:lambda:eu-west-1:12345678901x",
            "aws:lambda:${AWS-Region}:123456789012",
        ] {
            assert!(!is_in_one_account(place), "{place}");
        }
    }
}
