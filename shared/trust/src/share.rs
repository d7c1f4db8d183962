use std::fmt;
use std::str::FromStr;

/// A part of a whole in per cent. The default is the whole.
///
/// ```
/// use alb_mtls_trust::Share;
///
/// let quarter: Share = "25%".parse()?;
/// assert!(quarter.covers(1, 4));
/// assert!(!quarter.covers(2, 7));
/// # Ok::<_, alb_mtls_trust::InvalidShare>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u8);

impl Share {
    /// So many per cent; `None` above 100.
    pub const fn from_percent(percent: u8) -> Option<Self> {
        if percent <= 100 { Some(Self(percent)) } else { None }
    }

    /// Per cent.
    pub const fn percent(self) -> u8 {
        self.0
    }

    /// Whether `part` of `whole` is no more than this share.
    pub const fn covers(self, part: usize, whole: usize) -> bool {
        part as u128 * 100 <= whole as u128 * self.0 as u128
    }
}

impl Default for Share {
    fn default() -> Self {
        Self(100)
    }
}

/// The text is not a whole number from 0 to 100 with a `%` behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a percentage from `0%` to `100%`")]
pub struct InvalidShare;

impl FromStr for Share {
    type Err = InvalidShare;

    fn from_str(text: &str) -> Result<Self, InvalidShare> {
        let digits = text.strip_suffix('%').ok_or(InvalidShare)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidShare);
        }
        digits
            .parse()
            .ok()
            .and_then(Self::from_percent)
            .ok_or(InvalidShare)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}%", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_whole_percentages_and_nothing_else() {
        for text in ["0%", "7%", "100%"] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
        }
        for text in ["", "%", "50", "0.5", "101%", "-1%", "+1%", "50 %", "256%"] {
            assert_eq!(text.parse::<Share>(), Err(InvalidShare), "{text}");
        }
    }

    #[test]
    fn the_whole_covers_everything_and_nothing_covers_only_nothing() {
        assert!(Share::default().covers(usize::MAX, usize::MAX));
        let nothing = Share::from_percent(0).unwrap();
        assert!(nothing.covers(0, 5));
        assert!(!nothing.covers(1, usize::MAX));
    }
}
