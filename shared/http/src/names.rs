//! Names of headers, compared as servers compare them that turn headers into variables.
//!
//! CGI (RFC 3875 §4.1.18), WSGI, Rack and PHP write a header's name in capitals with `_` for what is neither letter nor
//! digit. `X-Real_Name`, `x.real.name` and `X-REAL-NAME` are one variable there.

use std::fmt;
use std::str::FromStr;

use http::HeaderName;

/// Returns `true` if both names are one variable to a server that makes variables of headers.
pub(crate) fn is_same(name: &str, other: &str) -> bool {
    name.len() == other.len() && begins_with(name, other)
}

/// Returns `true` if `name` begins with `prefix`, compared as in [`is_same`].
pub(crate) fn begins_with(name: &str, prefix: &str) -> bool {
    let mut bytes = name.bytes().map(fold);
    prefix.bytes().map(fold).all(|byte| bytes.next() == Some(byte))
}

fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() {
        byte.to_ascii_lowercase()
    } else {
        b'-'
    }
}

/// A header name, or the beginning of several: `x-user` or `x-user-*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    text: Box<str>,
    is_prefix: bool,
}

/// Text that is not a [`NamePattern`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a header name such as `x-user`, or the beginning of several such as `x-user-*`")]
pub struct InvalidNamePattern;

impl NamePattern {
    /// Returns `true` for a name in this spelling; letter case does not count. Behind a prefix, `-` is the only mark: no
    /// two names that are covered are one variable.
    pub fn is_exactly(&self, name: &HeaderName) -> bool {
        if self.is_prefix {
            let rest = name.as_str().strip_prefix(&*self.text);
            rest.is_some_and(|rest| {
                rest.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            })
        } else {
            name.as_str() == &*self.text
        }
    }

    /// Returns `true` for a name in any spelling: whatever is neither letter nor digit counts as `-`.
    pub fn covers(&self, name: &str) -> bool {
        if self.is_prefix {
            begins_with(name, &self.text)
        } else {
            is_same(name, &self.text)
        }
    }

    /// Returns `true` if some name that begins with `prefix` is covered.
    pub(crate) fn overlaps(&self, prefix: &str) -> bool {
        begins_with(&self.text, prefix) || (self.is_prefix && begins_with(prefix, &self.text))
    }
}

impl FromStr for NamePattern {
    type Err = InvalidNamePattern;

    fn from_str(text: &str) -> Result<Self, InvalidNamePattern> {
        let (name, is_prefix) = match text.strip_suffix('*') {
            Some(name) => (name, true),
            None => (text, false),
        };
        // `*` is a character that header names can have.
        if name.contains('*') {
            return Err(InvalidNamePattern);
        }
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| InvalidNamePattern)?;
        Ok(Self {
            text: name.as_str().into(),
            is_prefix,
        })
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)?;
        if self.is_prefix {
            formatter.write_str("*")
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_name_or_a_beginning() {
        let name = HeaderName::from_static("x-user-id");
        for (text, exactly, covers) in [
            ("X-User-Id", true, true),
            ("x-user-*", true, true),
            ("x_user_id", false, true),
            ("x_user_*", false, true),
            ("x-user", false, false),
            ("x-user-id-", false, false),
        ] {
            let pattern: NamePattern = text.parse().unwrap();
            assert_eq!(pattern.is_exactly(&name), exactly, "{text}");
            assert_eq!(pattern.covers("x-user-id"), covers, "{text}");
            assert_eq!(pattern.to_string(), text.to_ascii_lowercase());
        }
        for text in ["", "*", "a b", "x-*-y", "x-**", "a:b"] {
            assert_eq!(text.parse::<NamePattern>(), Err(InvalidNamePattern), "{text}");
        }
    }
}
