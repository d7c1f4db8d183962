//! Tables of settings.

use std::fmt;

/// Settings with one prefix, in the order of the documentation.
#[derive(Debug)]
pub struct Table {
    /// Prefix of every name. A variable with this prefix, in any letter case, that is not in the
    /// table is an error.
    pub prefix: &'static str,
    /// Variables of the table.
    pub variables: &'static [Variable],
}

/// Environment variable of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Name of the variable.
    pub name: &'static str,
    /// Default of the variable.
    pub default: DefaultValue,
    /// Meaning and allowed values, as one clause.
    pub meaning: &'static str,
}

/// Default of a variable. Displays as in the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// The variable must be set.
    Required,
    /// The value counts as if the variable were set to it.
    Value(&'static str),
    /// The words describe the default; no value stands for it.
    Absent(&'static str),
}

/// Makes a [`Table`] and a constant for each name in it.
#[macro_export]
macro_rules! table {
    (
        $(#[$attribute:meta])* $visibility:vis $table:ident, $prefix:literal;
        $($constant:ident, $name:literal, $default:ident $(($value:expr))?, $meaning:expr;)+
    ) => {
        $(const $constant: &str = $name;)+

        $(#[$attribute])*
        $visibility const $table: $crate::Table = $crate::Table {
            prefix: $prefix,
            variables: &[$($crate::Variable {
                name: $name,
                default: $crate::DefaultValue::$default $(($value))?,
                meaning: $meaning,
            },)+],
        };
    };
}

impl Table {
    /// Returns the variable of this name.
    pub fn find(&self, name: &str) -> Option<&'static Variable> {
        self.variables.iter().find(|variable| variable.name == name)
    }

    /// Returns the known name that this name is in another letter case.
    pub(crate) fn find_in_any_case(&self, name: &str) -> Option<&'static str> {
        let mut names = self.variables.iter().map(|variable| variable.name);
        names.find(|known| known.eq_ignore_ascii_case(name))
    }

    /// Returns the known name that shares the longest start with this one, if that is more than the
    /// prefix and a letter.
    pub(crate) fn nearest(&self, name: &str) -> Option<&'static str> {
        let shared = |known: &str| {
            known
                .bytes()
                .zip(name.bytes())
                .take_while(|(left, right)| left.eq_ignore_ascii_case(right))
                .count()
        };
        let names = self.variables.iter().map(|variable| variable.name);
        names
            .max_by_key(|known| shared(known))
            .filter(|known| shared(known) > self.prefix.len() + 1)
    }
}

impl fmt::Display for DefaultValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Required => formatter.write_str("required"),
            Self::Value(value) => write!(formatter, "`{value}`"),
            Self::Absent(words) => formatter.write_str(words),
        }
    }
}
