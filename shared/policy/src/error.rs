//! Errors of policies.

use std::fmt;

/// Place in a source, line and column counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

impl Place {
    /// Returns the place of a byte of the text; the end of the text for an offset beyond it.
    pub(crate) fn of(text: &str, offset: usize) -> Self {
        let before: Vec<&str> = text.get(..offset).unwrap_or(text).split('\n').collect();
        let column = before.last().map_or(0, |line| line.chars().count());
        Self {
            line: before.len(),
            column: column + 1,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

/// Everything that is wrong with a set of policies; never empty.
///
/// Displays as one line: the first error and how many more there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{first}{}", more(rest.len()))]
pub struct PolicyErrors {
    first: Box<PolicyError>,
    rest: Vec<PolicyError>,
}

impl PolicyErrors {
    pub(crate) fn check(errors: Vec<PolicyError>) -> Result<(), Self> {
        let mut errors = errors.into_iter();
        match errors.next() {
            None => Ok(()),
            Some(first) => Err(Self {
                first: Box::new(first),
                rest: errors.collect(),
            }),
        }
    }

    /// Returns each error, in the order of the sources and of the places in them.
    pub fn iter(&self) -> impl Iterator<Item = &PolicyError> {
        std::iter::once(&*self.first).chain(&self.rest)
    }
}

impl From<PolicyError> for PolicyErrors {
    fn from(first: PolicyError) -> Self {
        Self {
            first: Box::new(first),
            rest: Vec::new(),
        }
    }
}

fn more(count: usize) -> String {
    match count {
        0 => String::new(),
        count => format!(" (and {count} more)"),
    }
}

/// Error of a policy. Displays as `source:line:column: what`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}{}: {problem}", place.map(|place| format!(":{place}")).unwrap_or_default())]
pub struct PolicyError {
    /// The source as it was named to the parser.
    pub source_name: String,
    /// Place in the source.
    pub place: Option<Place>,
    /// Problem at that place.
    pub problem: PolicyProblem,
}

/// Problem with policies. Texts from Cedar are one line each, of bounded length.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyProblem {
    /// Text or names that look like something else to a reader.
    #[error("{0}: a reader of this policy sees something else than it says")]
    Deceptive(String),
    /// Two policies of one id.
    #[error("the id `{id}` is that of the policy at {first} already")]
    DuplicateId {
        /// The id.
        id: String,
        /// `source:line:column` of the first.
        first: String,
    },
    /// A policy without an id that begins where another does.
    #[error("without an @id this policy is `{id}`, as is the one at {first}: give each policy an @id")]
    DuplicateLine {
        /// `source:line`.
        id: String,
        /// `source:line:column` of the first.
        first: String,
    },
    /// No policy at all.
    #[error("there is no policy in it, and without a policy every request is denied")]
    Empty,
    /// The key of an extension that is not spelt.
    #[error("write the key of an extension as a text, such as `principal.hasTag(\"device_id\")`")]
    ComputedExtension,
    /// An extension that is not part of any identity.
    #[error("`{key}` is not an extension of MTLS_EXTENSIONS, {}", selected(known))]
    UnknownExtension {
        /// Key as the policy spells it.
        key: String,
        /// Keys of the setting.
        known: Vec<String>,
    },
    /// An id that cannot stand in a record.
    #[error("an @id has 1 to 128 bytes and no control characters")]
    Id,
    /// A policy that can never apply.
    #[error("this policy can never apply: {0}")]
    NeverApplies(String),
    /// The policy does not fit the schema.
    #[error("does not fit the schema: {0}")]
    Schema(String),
    /// An entity in a spelling that no request could match.
    #[error("`{literal}` matches nothing: {wanted}")]
    Spelling {
        /// As the policy spells it.
        literal: String,
        /// Spelling that matches.
        wanted: &'static str,
    },
    /// Not Cedar.
    #[error("{0}")]
    Syntax(String),
    /// A template.
    #[error("this is a template, and templates are not supported: name the entity in place of the slot")]
    Template,
    /// Brackets or conditions nested so deep that reading them is a hazard.
    #[error("nested deeper than {max} levels: write several policies, or fewer brackets")]
    TooDeep {
        /// Levels that are read.
        max: usize,
    },
    /// More text than is read.
    #[error("{bytes} bytes of policies, read are {max}")]
    TooLarge {
        /// Bytes there are.
        bytes: usize,
        /// Bytes that are read.
        max: usize,
    },
    /// A policy so long that reading it is a hazard.
    #[error("more than {max} operators in one policy: write several policies, or a set with `contains`")]
    TooLong {
        /// Operators that are read.
        max: usize,
    },
}

/// Lists the keys of the setting.
fn selected(keys: &[String]) -> String {
    match keys {
        [] => "which is not set".to_owned(),
        keys => format!("which has `{}`", keys.join("`, `")),
    }
}

/// Messages from Cedar quote policies and facts: one line of theirs, of at most 400 characters,
/// nothing invisible.
pub(crate) fn one_line(message: &str) -> String {
    const MAX_CHARACTERS: usize = 400;
    let words: Vec<&str> = message.split_whitespace().collect();
    let mut line = String::new();
    for character in words.join(" ").chars().take(MAX_CHARACTERS) {
        if character == ' ' || character.is_ascii_graphic() || character.is_alphanumeric() {
            line.push(character);
        } else {
            line.extend(character.escape_unicode());
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let text = "a\nüb\n";
        assert_eq!(Place::of(text, 0), Place { line: 1, column: 1 });
        assert_eq!(Place::of(text, 4), Place { line: 2, column: 2 });
        assert_eq!(Place::of(text, text.len()), Place { line: 3, column: 1 });
        assert_eq!(Place::of(text, 99), Place { line: 3, column: 1 });
    }

    #[test]
    fn a_message_is_one_visible_line() {
        assert_eq!(
            one_line("a\n  b\u{202e}c\u{1b}[0m ü"),
            "a b\\u{202e}c\\u{1b}[0m ü"
        );
        assert_eq!(one_line(&"x".repeat(10_000)).len(), 400);
    }
}
