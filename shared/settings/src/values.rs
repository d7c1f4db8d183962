//! Values of settings.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::duration;
use crate::error::SettingsError;
use crate::table::{DefaultValue, Table};

/// Values of the variables of one table. Names in these methods are those of the table.
#[derive(Debug)]
pub struct Values {
    table: &'static Table,
    set: BTreeMap<String, String>,
}

/// Returns the variables of this process whose names begin with one of these prefixes, in any
/// letter case.
///
/// # Errors
/// [`SettingsError::NotUnicode`].
pub fn process_environment(prefixes: &[&str]) -> Result<Vec<(String, String)>, SettingsError> {
    let mut variables = Vec::new();
    for (name, value) in std::env::vars_os() {
        let readable = name.to_string_lossy();
        if !prefixes.iter().any(|prefix| begins_with(&readable, prefix)) {
            continue;
        }
        match (name.to_str(), value.into_string()) {
            (Some(name), Ok(value)) => variables.push((name.to_owned(), value)),
            _ => {
                return Err(SettingsError::NotUnicode {
                    name: readable.into_owned(),
                });
            }
        }
    }
    Ok(variables)
}

/// Returns whether `name` begins with `prefix` in any letter case. Names are compared in full
/// later: a setting in another letter case is an error, not the setting of another program.
fn begins_with(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

impl Values {
    /// Returns the values among these variables; names without the table's prefix are ignored.
    ///
    /// # Errors
    /// [`SettingsError::LetterCase`] or [`SettingsError::Unknown`] for a name with the prefix that
    /// is not in the table.
    pub fn new(
        table: &'static Table,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let set: BTreeMap<String, String> = variables
            .into_iter()
            .filter(|(name, _)| begins_with(name, table.prefix))
            .collect();
        let Some(name) = set.keys().find(|name| table.find(name).is_none()) else {
            return Ok(Self { table, set });
        };
        let name = name.clone();
        match table.find_in_any_case(&name) {
            Some(setting) => Err(SettingsError::LetterCase { name, setting }),
            None => Err(SettingsError::Unknown {
                nearest: table.nearest(&name),
                name,
            }),
        }
    }

    /// Returns the value that is set, or the default where that is a value.
    pub fn get(&self, name: &str) -> Option<&str> {
        if let Some(value) = self.set.get(name) {
            return Some(value);
        }
        match self.table.find(name)?.default {
            DefaultValue::Value(value) => Some(value),
            DefaultValue::Required | DefaultValue::Absent(_) => None,
        }
    }

    /// Returns true if the variable is set in the environment.
    pub fn is_set(&self, name: &str) -> bool {
        self.set.contains_key(name)
    }

    /// Returns the value, or an error that gives the variable's meaning.
    ///
    /// # Errors
    /// [`SettingsError::Missing`].
    pub fn required(&self, name: &'static str) -> Result<&str, SettingsError> {
        self.get(name).ok_or_else(|| self.missing(name))
    }

    /// Parses the value with the type's own parser, whose errors say what is wrong or what is
    /// allowed.
    ///
    /// # Errors
    /// [`SettingsError::Wrong`].
    pub fn parsed<T>(&self, name: &'static str) -> Result<Option<T>, SettingsError>
    where
        T: FromStr,
        T::Err: Display,
    {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        value
            .parse()
            .map(Some)
            .map_err(|error: T::Err| wrong(name, value, error.to_string()))
    }

    /// Parses the value of a required variable like [`Values::parsed`].
    ///
    /// # Errors
    /// [`SettingsError::Missing`] and [`SettingsError::Wrong`].
    pub fn parsed_required<T>(&self, name: &'static str) -> Result<T, SettingsError>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.parsed(name)?.ok_or_else(|| self.missing(name))
    }

    /// Returns the choice whose word is the value.
    ///
    /// # Errors
    /// [`SettingsError::Wrong`] with all of them.
    pub fn word<T: Copy>(
        &self,
        name: &'static str,
        all: &[T],
        as_str: fn(T) -> &'static str,
    ) -> Result<T, SettingsError> {
        let value = self.required(name)?;
        let found = all.iter().copied().find(|choice| as_str(*choice) == value);
        found.ok_or_else(|| {
            let words: Vec<String> = all
                .iter()
                .map(|choice| format!("`{}`", as_str(*choice)))
                .collect();
            wrong(name, value, words.join(", "))
        })
    }

    /// Parses a whole number.
    ///
    /// # Errors
    /// [`SettingsError::Wrong`] when the value is not a number or not in the range.
    pub fn number(&self, name: &'static str, range: RangeInclusive<usize>) -> Result<usize, SettingsError> {
        let value = self.required(name)?;
        let is_digits = value.bytes().all(|byte| byte.is_ascii_digit());
        let number = value
            .parse()
            .ok()
            .filter(|number| is_digits && range.contains(number));
        number.ok_or_else(|| {
            let takes = format!("a number from {} to {}", range.start(), range.end());
            wrong(name, value, takes)
        })
    }

    /// Parses a whole number of seconds, minutes, hours or days; the range is in seconds.
    ///
    /// # Errors
    /// [`SettingsError::Wrong`] when the value is not a duration or not in the range.
    pub fn duration(
        &self,
        name: &'static str,
        seconds: RangeInclusive<u64>,
    ) -> Result<Duration, SettingsError> {
        let value = self.required(name)?;
        duration::parse(value)
            .filter(|duration| seconds.contains(&duration.as_secs()))
            .ok_or_else(|| {
                let (from, to) = (duration::write(*seconds.start()), duration::write(*seconds.end()));
                let takes = format!("a duration from `{from}` to `{to}`, such as `30s`, `5m`, `24h` or `7d`");
                wrong(name, value, takes)
            })
    }

    /// Parses words separated by white space; an empty list when the variable is not set.
    ///
    /// # Errors
    /// [`SettingsError::Wrong`] for the first word that cannot be parsed, and when the variable is
    /// set without a word: the operator meant something.
    pub fn words<T>(&self, name: &'static str) -> Result<Vec<T>, SettingsError>
    where
        T: FromStr,
        T::Err: Display,
    {
        let Some(value) = self.get(name) else {
            return Ok(Vec::new());
        };
        let words = value
            .split_whitespace()
            .map(|word| {
                word.parse()
                    .map_err(|error: T::Err| wrong(name, word, error.to_string()))
            })
            .collect::<Result<Vec<T>, _>>()?;
        if words.is_empty() {
            return Err(wrong(name, value, "at least one word"));
        }
        Ok(words)
    }

    /// Parses the words of a required variable like [`Values::words`].
    ///
    /// # Errors
    /// [`SettingsError::Missing`] and [`SettingsError::Wrong`].
    pub fn words_required<T>(&self, name: &'static str) -> Result<Vec<T>, SettingsError>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.required(name)?;
        self.words(name)
    }

    /// Returns text that is printed into tokens and headers: visible ASCII.
    ///
    /// # Errors
    /// [`SettingsError::Wrong`].
    pub fn visible_text(&self, name: &'static str) -> Result<Option<&str>, SettingsError> {
        let is_visible = |value: &str| !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic());
        match self.get(name) {
            Some(value) if !is_visible(value) => {
                Err(wrong(name, value, "visible ASCII characters without spaces"))
            }
            value => Ok(value),
        }
    }

    /// Rejects variables that are set and have no effect as things are; `without` says why, and
    /// begins with that word.
    ///
    /// # Errors
    /// [`SettingsError::Useless`] for the first of them.
    pub fn refuse_set(&self, names: &[&'static str], without: &'static str) -> Result<(), SettingsError> {
        match names.iter().find(|name| self.is_set(name)) {
            None => Ok(()),
            Some(name) => Err(SettingsError::Useless { name, without }),
        }
    }

    /// Returns the error for a required variable that is not set.
    pub fn missing(&self, name: &'static str) -> SettingsError {
        SettingsError::Missing {
            name,
            meaning: self.table.find(name).map_or("", |variable| variable.meaning),
        }
    }

    /// Returns the error for the value of a variable; `takes` lists what is allowed.
    pub fn wrong(&self, name: &'static str, takes: impl Into<String>) -> SettingsError {
        wrong(name, self.get(name).unwrap_or_default(), takes)
    }
}

fn wrong(name: &'static str, value: &str, takes: impl Into<String>) -> SettingsError {
    SettingsError::Wrong {
        name,
        value: value.to_owned(),
        takes: takes.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::table! {
        TABLE, "TEST_";
        NEEDED, "TEST_NEEDED", Required, "something that is needed";
        TIME, "TEST_TIME", Value("90s"), "a time";
        COUNT, "TEST_COUNT", Value("4"), "a count";
        MODE, "TEST_MODE", Value("slow"), "`slow` or `fast`";
        LIST, "TEST_LIST", Absent("none"), "numbers";
        TEXT, "TEST_TEXT", Absent("the host"), "text";
    }

    fn values(set: &[(&str, &str)]) -> Result<Values, SettingsError> {
        let pairs = set
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Values::new(&TABLE, pairs)
    }

    #[test]
    fn unknown_names_with_the_prefix_are_refused_and_others_are_not_ours() {
        let error = |name: &str| values(&[(name, "1")]).unwrap_err().to_string();
        assert_eq!(
            error("TEST_COUT"),
            "TEST_COUT is not a setting: did you mean TEST_COUNT?"
        );
        assert_eq!(error("TEST_X"), "TEST_X is not a setting");
        assert_eq!(error("TEST_"), "TEST_ is not a setting");
        assert_eq!(
            error("test_cout"),
            "test_cout is not a setting: did you mean TEST_COUNT?"
        );
        values(&[("OTHER_COUT", "1"), ("TEST", "1"), ("TES\u{212a}_COUNT", "1")]).unwrap();
    }

    #[test]
    fn a_setting_in_another_letter_case_is_an_error() {
        for name in ["test_count", "Test_Count", "TEST_COUNt", "tEST_COUNT"] {
            for others in [&[][..], &[("TEST_COUNT", "4")]] {
                let error = values(&[others, &[(name, "4")]].concat())
                    .unwrap_err()
                    .to_string();
                assert_eq!(
                    error,
                    format!("{name} is not a setting: its letter case is wrong, write TEST_COUNT")
                );
            }
        }
    }

    #[test]
    fn what_is_not_set_is_the_tables_default_or_missing() {
        let values = values(&[]).unwrap();
        assert_eq!(values.duration(TIME, 0..=100).unwrap(), Duration::from_secs(90));
        assert_eq!(values.number(COUNT, 1..=9).unwrap(), 4);
        assert_eq!(values.parsed::<u8>(LIST).unwrap(), None);
        assert_eq!(values.words::<u8>(LIST).unwrap(), []);
        assert_eq!(
            values.required(NEEDED).unwrap_err().to_string(),
            "TEST_NEEDED is not set: something that is needed"
        );
        assert_eq!(
            values.words_required::<u8>(LIST).unwrap_err(),
            values.missing(LIST)
        );
    }

    #[test]
    fn what_is_set_and_wrong_is_one_line_with_what_is_taken() {
        let fast_or_slow = |values: &Values| {
            values
                .word(MODE, &[true, false], |fast| if fast { "fast" } else { "slow" })
                .map(|_| ())
        };
        let error = |set: (&str, &str), read: &dyn Fn(&Values) -> Result<(), SettingsError>| {
            let values = values(&[set]).unwrap();
            let error = read(&values).unwrap_err().to_string();
            assert!(!error.contains(char::is_control), "{error}");
            error
        };
        for (value, takes) in [("+5", "a number from 1 to 9"), ("10", "a number from 1 to 9")] {
            let line = error((COUNT, value), &|values| values.number(COUNT, 1..=9).map(|_| ()));
            assert_eq!(line, format!("TEST_COUNT holds `{value}`: it takes {takes}"));
        }
        assert_eq!(
            error((MODE, "Fast"), &fast_or_slow),
            "TEST_MODE holds `Fast`: it takes `fast`, `slow`"
        );
        assert_eq!(
            error((TIME, "2h"), &|values| values
                .duration(TIME, 1..=3_600)
                .map(|_| ())),
            "TEST_TIME holds `2h`: it takes a duration from `1s` to `1h`, such as `30s`, `5m`, `24h` or `7d`"
        );
        let words = |values: &Values| values.words::<u8>(LIST).map(|_| ());
        assert!(error((LIST, "1 x"), &words).starts_with("TEST_LIST holds `x`: it takes "));
        assert!(error((LIST, " \n"), &words).ends_with("at least one word"));
        let text = |values: &Values| values.visible_text(TEXT).map(|_| ());
        assert!(error((TEXT, "a\u{1b}[2J\nb"), &text).starts_with("TEST_TEXT holds `a\\u{1b}[2J\\nb`"));
    }

    #[test]
    fn what_would_do_nothing_is_refused_when_set() {
        let refuse = |set: &[(&str, &str)]| values(set).unwrap().refuse_set(&[TIME, COUNT], "without a door");
        assert_eq!(refuse(&[]), Ok(()));
        assert_eq!(
            refuse(&[("TEST_COUNT", "4")]).unwrap_err().to_string(),
            "TEST_COUNT has no effect without a door"
        );
    }
}
