use std::fmt;
use std::str::FromStr;

/// Part of a whole in whole percent. The default is the whole.
///
/// ```
/// use alb_mtls_settings::Percent;
///
/// let quarter: Percent = "25%".parse()?;
/// assert!(quarter.covers(1, 4));
/// assert!(!quarter.covers(2, 7));
/// # Ok::<_, alb_mtls_settings::InvalidPercent>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u8);

impl Percent {
    /// Creates it from a number; `None` above 100.
    pub const fn new(percent: u8) -> Option<Self> {
        if percent <= 100 { Some(Self(percent)) } else { None }
    }

    /// Returns the number, from 0 to 100.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Returns true if `part` of `whole` is at most this percentage.
    pub const fn covers(self, part: usize, whole: usize) -> bool {
        part as u128 * 100 <= whole as u128 * self.0 as u128
    }
}

impl Default for Percent {
    fn default() -> Self {
        Self(100)
    }
}

/// The text is not a whole number from 0 to 100 with `%` after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a percentage from `0%` to `100%`")]
pub struct InvalidPercent;

impl FromStr for Percent {
    type Err = InvalidPercent;

    fn from_str(text: &str) -> Result<Self, InvalidPercent> {
        let digits = text.strip_suffix('%').ok_or(InvalidPercent)?;
        // `u8`'s own parser also takes a `+`.
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidPercent);
        }
        digits.parse().ok().and_then(Self::new).ok_or(InvalidPercent)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}%", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentage_is_whole_and_has_its_sign() {
        for text in ["0%", "7%", "100%"] {
            assert_eq!(text.parse::<Percent>().unwrap().to_string(), text);
        }
        for text in ["", "%", "50", "0.5", "101%", "-1%", "+1%", "50 %", "256%"] {
            assert_eq!(text.parse::<Percent>(), Err(InvalidPercent), "{text}");
        }
    }

    #[test]
    fn whole_covers_everything_and_zero_covers_zero() {
        assert!(Percent::default().covers(usize::MAX, usize::MAX));
        let zero = Percent::new(0).unwrap();
        assert!(zero.covers(0, 5));
        assert!(!zero.covers(1, usize::MAX));
    }
}
