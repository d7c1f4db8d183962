//! Output of callgrind: <https://valgrind.org/docs/manual/cl-format.html>.

use std::collections::HashMap;

/// Instructions of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    total: u64,
    /// In calls of AWS-LC from elsewhere, with everything that they call.
    in_aws_lc: u64,
}

/// Owner of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Owner {
    AwsLc,
    Rust,
    /// Some C library, or a function inside of AWS-LC that only AWS-LC calls.
    #[default]
    Other,
}

impl Profile {
    pub(crate) fn parse(text: &str) -> Self {
        let mut profile = Self::default();
        let mut owners = HashMap::new();
        let (mut caller, mut callee, mut is_call) = (Owner::Other, Owner::Other, false);
        for line in text.lines() {
            if let Some(function) = line.strip_prefix("fn=") {
                caller = owner(function, &mut owners);
            } else if let Some(function) = line.strip_prefix("cfn=") {
                callee = owner(function, &mut owners);
            } else if line.starts_with("calls=") {
                is_call = true;
            } else if let Some(cost) = cost(line) {
                match std::mem::take(&mut is_call) {
                    true if (caller, callee) == (Owner::Rust, Owner::AwsLc) => profile.in_aws_lc += cost,
                    true => {}
                    false => profile.total += cost,
                }
            }
        }
        assert!(
            profile.in_aws_lc > 0,
            "no call of AWS-LC is in the profile: are the symbols there?"
        );
        profile
    }

    pub(crate) fn outside_of_aws_lc(self) -> u64 {
        assert!(self.in_aws_lc <= self.total, "calls of AWS-LC were counted twice");
        self.total - self.in_aws_lc
    }
}

/// Returns the owner of `(7) name`, or of `(7)` alone for an earlier name. What AWS-LC exports has
/// one prefix; the crate around it, `aws_lc_rs`, is Rust, whose names have paths.
fn owner(function: &str, owners: &mut HashMap<String, Owner>) -> Owner {
    let (id, name) = function.split_once(' ').unwrap_or((function, ""));
    if name.is_empty() {
        return owners.get(id).copied().unwrap_or_default();
    }
    let owner = if name.contains("::") {
        Owner::Rust
    } else if name.starts_with("aws_lc_") {
        Owner::AwsLc
    } else {
        Owner::Other
    };
    owners.insert(id.to_owned(), owner);
    owner
}

/// Returns the second number of a line with a position, such as `+3 17` or `* 17`, and a cost.
fn cost(line: &str) -> Option<u64> {
    let (position, cost) = line.split_once(' ')?;
    let is_position =
        position.starts_with(['+', '-', '*']) || position.bytes().all(|byte| byte.is_ascii_digit());
    if is_position { cost.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_aws_lc_are_left_out_with_all_that_they_call() {
        let text = "events: Ir\n\
            fn=(1) ours::decide\n\
            0 100\n\
            cfn=(2) aws_lc_0_47_0_EVP_DigestVerify\n\
            calls=1 0\n\
            0 4320\n\
            cfn=(3) aws_lc_rs::signature::verify\n\
            calls=1 0\n\
            0 700\n\
            \n\
            fn=(2)\n\
            0 1000\n\
            cfn=(4) aws_lc_0_47_0_bignum\n\
            calls=2 0\n\
            0 4000\n\
            fn=(5) point_add\n\
            0 0\n\
            cfn=(4)\n\
            calls=2 0\n\
            0 4000\n\
            fn=(4)\n\
            0 4000\n\
            fn=(3)\n\
            0 20\n\
            cfn=(2)\n\
            calls=1 0\n\
            0 680\n";
        let profile = Profile::parse(text);
        assert_eq!(
            profile,
            Profile {
                total: 5120,
                in_aws_lc: 5000
            }
        );
    }

    #[test]
    #[should_panic(expected = "are the symbols there?")]
    fn a_program_without_symbols_is_an_error() {
        Profile::parse("fn=(1) 0x0000000000012345\n0 100\n");
    }
}
