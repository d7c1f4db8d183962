//! Stored counts: a line a path, its name and how many instructions it takes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<String, u64>);

impl Counts {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| {
            panic!(
                "{}: {error}: `make instructions UPDATE=1` makes it",
                path.display()
            )
        });
        let line = |line: &str| {
            let (name, count) = line.split_once(' ')?;
            Some((name.to_owned(), count.trim().parse().ok()?))
        };
        let lines = text
            .lines()
            .map(|text| line(text).unwrap_or_else(|| panic!("`{text}` is not a count")));
        Self(lines.collect())
    }

    pub(crate) fn write(&self, path: &Path) {
        std::fs::write(path, self.to_string()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    pub(crate) fn set(&mut self, name: &str, count: u64) {
        self.0.insert(name.to_owned(), count);
    }

    pub(crate) fn get(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, count)| (name.as_str(), *count))
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|(name, count)| writeln!(formatter, "{name} {count}"))
    }
}

/// Comparison of a count with the stored one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Standing {
    /// Within the tolerance, or below.
    Good { stored: u64, counted: u64 },
    /// Over it.
    Over { stored: u64, counted: u64 },
    /// Nothing is stored.
    New { counted: u64 },
}

impl Standing {
    pub(crate) fn of(counted: u64, stored: Option<u64>, tolerance: f64) -> Self {
        match stored {
            None => Self::New { counted },
            Some(stored) if counted as f64 > stored as f64 * (1.0 + tolerance) => {
                Self::Over { stored, counted }
            }
            Some(stored) => Self::Good { stored, counted },
        }
    }

    pub(crate) fn is_good(self) -> bool {
        matches!(self, Self::Good { .. })
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::New { counted } => write!(formatter, "{:>12} {counted:>12}", "none"),
            Self::Good { stored, counted } | Self::Over { stored, counted } => {
                let change = (counted as f64 / stored as f64 - 1.0) * 100.0;
                write!(formatter, "{stored:>12} {counted:>12} {change:>+7.1}%")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_take_five_per_cent_more_and_any_less() {
        for (counted, is_good) in [(1, true), (1_000, true), (1_050, true), (1_051, false)] {
            assert_eq!(
                Standing::of(counted, Some(1_000), 0.05).is_good(),
                is_good,
                "{counted}"
            );
        }
        assert!(!Standing::of(1, None, 0.05).is_good());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("counts");
        let mut counts = Counts::default();
        counts.set("seen-before", 12_345);
        counts.set("first-sight", 678);
        counts.write(&file);
        assert_eq!(Counts::read(&file), counts);
    }
}
