//! Comparison of header names as in servers that turn headers into variables.
//!
//! CGI (RFC 3875 §4.1.18), WSGI, Rack and PHP write a header's name in capitals, with `_` for all
//! characters except letters and digits. `X-Real_Name`, `x.real.name` and `X-REAL-NAME` are one
//! variable there.

use std::fmt;
use std::str::FromStr;

use http::HeaderName;

/// Returns `true` if both names are one variable in a server that turns headers into variables.
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

/// Set of names and beginnings of names in any spelling. Every header of every request is looked up
/// in tables of more than a hundred entries, so the entries are sorted once.
#[derive(Debug)]
pub(crate) struct NameTable {
    names: Vec<Box<[u8]>>,
    /// Sorted, and without entries that begin with another: of the entries up to a name, only the
    /// last can be its beginning.
    prefixes: Vec<Box<[u8]>>,
}

/// Length of the longest entry in a table, in bytes; the longest has 30.
const MAX_ENTRY: usize = 64;

impl NameTable {
    /// Creates a table of entries, of which those that end in `*` stand for all names that begin
    /// like them.
    pub(crate) fn new<'t>(entries: impl IntoIterator<Item = &'t str>) -> Self {
        let folded = |text: &str| -> Box<[u8]> { text.bytes().map(fold).collect() };
        let (mut names, mut prefixes) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry.strip_suffix('*') {
                Some(prefix) => prefixes.push(folded(prefix)),
                None => names.push(folded(entry)),
            }
        }
        names.sort_unstable();
        prefixes.sort_unstable();
        prefixes.dedup_by(|longer, shorter| longer.starts_with(shorter));
        Self { names, prefixes }
    }

    /// Returns `true` if an entry covers the name in any spelling.
    pub(crate) fn covers(&self, name: &str) -> bool {
        let mut buffer = [0; MAX_ENTRY];
        let length = name.len().min(MAX_ENTRY);
        for (folded, byte) in buffer.iter_mut().zip(name.bytes()) {
            *folded = fold(byte);
        }
        let folded = buffer.get(..length).unwrap_or_default();
        let before = self.prefixes.partition_point(|prefix| **prefix <= *folded);
        let nearest = before.checked_sub(1).and_then(|last| self.prefixes.get(last));
        nearest.is_some_and(|prefix| folded.starts_with(prefix))
            || (name.len() <= MAX_ENTRY && self.names.binary_search_by(|known| (**known).cmp(folded)).is_ok())
    }
}

/// Header name, or the beginning of several: `x-user` or `x-user-*`.
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
    /// Returns `true` for a name in this spelling; letter case is ignored. After a prefix, `-` is
    /// the only mark, so that no two of these names are one variable.
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

    /// Returns `true` for a name in any spelling: every character except letters and digits counts
    /// as `-`.
    pub fn covers(&self, name: &str) -> bool {
        if self.is_prefix {
            begins_with(name, &self.text)
        } else {
            is_same(name, &self.text)
        }
    }

    /// Returns `true` if the pattern covers some name that begins with `prefix`.
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
    fn a_table_covers_what_a_scan_of_its_entries_covers() {
        let (names, prefixes) = (
            ["x-user", "client-dn", "x"],
            ["x-ssl", "x-ssl-client", "$ws", "x-u-"],
        );
        let entries = prefixes.map(|prefix| format!("{prefix}*"));
        let table = NameTable::new(names.into_iter().chain(entries.iter().map(String::as_str)));
        let long = "x-ssl".repeat(40);
        for name in [
            "x-user",
            "X_USER",
            "x-use",
            "x-users",
            "client.dn",
            "client-d",
            "x",
            "y",
            "",
            "x-ssl",
            "x-ss",
            "x~ssl-a",
            "x-ssm",
            "x-ssl-client-verify",
            "-ws",
            "$wscc",
            "ws",
            "x-u-",
            "x-u_a",
            "x-u",
            &long,
            "zz",
        ] {
            let scanned = names.iter().any(|known| is_same(name, known))
                || prefixes.iter().any(|prefix| begins_with(name, prefix));
            assert_eq!(table.covers(name), scanned, "{name}");
        }
    }

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
