//! Parts of a source that are written as in a URL: parameters after a question mark, and escapes.

use alb_mtls_settings::{is_account, is_region};
use percent_encoding::percent_decode_str;

use super::place::Reason;

/// Returns what stands before the question mark, and the parameters after it.
pub(super) fn split(text: &str) -> Result<(&str, Query), Reason> {
    let (before, query) = match text.split_once('?') {
        None => (text, None),
        Some((before, query)) => (before, Some(query)),
    };
    Ok((before, Query::parse(query)?))
}

/// Parameters after the question mark. Each is taken once.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    fn parse(query: Option<&str>) -> Result<Self, Reason> {
        let mut all: Vec<(String, String)> = Vec::new();
        for pair in query.into_iter().flat_map(|query| query.split('&')) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if value.is_empty() {
                return Err(format!("has no value for its parameter `{name}`"));
            }
            if all.iter().any(|(other, _)| other == name) {
                return Err(format!("has its parameter `{name}` twice"));
            }
            all.push((name.to_owned(), unescape(value)?));
        }
        Ok(Self(all))
    }

    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let position = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.swap_remove(position).1)
    }

    /// Takes `region=`.
    pub(super) fn take_region(&mut self) -> Result<Option<String>, Reason> {
        let region = self.take("region");
        region.iter().try_for_each(|region| check_region(region))?;
        Ok(region)
    }

    /// Rejects parameters that were not taken; `allowed` names those that there are.
    pub(super) fn finish(self, allowed: &str) -> Result<(), Reason> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(format!("has the unknown parameter `{name}`; there is {allowed}")),
        }
    }
}

pub(super) fn check_region(region: &str) -> Result<(), Reason> {
    if is_region(region) {
        Ok(())
    } else {
        Err(format!(
            "has the region `{region}`, which is not like `eu-central-1`"
        ))
    }
}

pub(super) fn check_account(account: &str) -> Result<(), Reason> {
    if is_account(account) {
        Ok(())
    } else {
        Err("has an account that is not 12 digits".into())
    }
}

pub(super) fn unescape(text: &str) -> Result<String, Reason> {
    let mut after_percent = text.split('%');
    after_percent.next();
    let is_escape =
        |rest: &str| matches!(rest.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    if !after_percent.all(is_escape) {
        return Err("has a `%` without two hexadecimal digits; write `%25` for the sign itself".into());
    }
    percent_decode_str(text)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| "has escapes that are not UTF-8".into())
}
