//! Fields in which a request restates its method, path or host, by which a gate has already
//! decided.
//!
//! Frameworks and servers read these fields in place of the request line and the Host header:
//! method-override, Rails, Symfony, IIS, Spring and every "trust proxy" option.

use percent_encoding::percent_decode;

use super::names::is_same;
use super::table::{Role, names};

/// Name of the query parameter that Rails, Symfony, Laravel and method-override read as the method.
const METHOD_PARAMETER: &str = "_method";

/// Treatment of fields that restate method, path or host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restated {
    /// Removes the headers, and rejects the query parameter on requests about which a decision was
    /// made.
    #[default]
    Strip,
    /// Keeps the fields: the service does not read them, or reads them on purpose.
    Keep,
}

impl Restated {
    /// Every choice.
    pub const ALL: &'static [Self] = &[Self::Strip, Self::Keep];

    /// Returns the name in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strip => "strip",
            Self::Keep => "keep",
        }
    }
}

/// Returns `true` if the query has a parameter that restates the method, in any spelling that some
/// server reads as one: percent-encoded, also twice; `_method[]`; `.method`, which PHP reads as
/// `_method`; behind a `;`.
pub fn query_restates_method(query: &str) -> bool {
    query.split(['&', ';']).any(|pair| {
        let name = pair.split('=').next().unwrap_or_default().replace('+', " ");
        let once: Vec<u8> = percent_decode(name.as_bytes()).collect();
        let twice: Vec<u8> = percent_decode(&once).collect();
        restates_method(&once) || restates_method(&twice)
    })
}

fn restates_method(name: &[u8]) -> bool {
    let name = name.trim_ascii();
    // PHP and Rack take the text before a bracket; a zero byte ends a name in PHP.
    let bracket = name
        .iter()
        .skip(1)
        .position(|byte| matches!(byte, b'[' | 0))
        .map(|position| position + 1);
    let name = name.get(..bracket.unwrap_or(name.len())).unwrap_or_default();
    let Ok(name) = std::str::from_utf8(name.trim_ascii_end()) else {
        return false;
    };
    is_same(name, METHOD_PARAMETER) || names(Role::Method).any(|known| is_same(name, known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_method_parameter_is_found() {
        for query in [
            "_method=DELETE",
            "a=1&_method=PUT",
            "_method",
            "_METHOD=x",
            "%5Fmethod=DELETE",
            "%5f%6d%65thod=DELETE",
            "%255Fmethod=DELETE",
            "_method[]=DELETE",
            "_method%5B0%5D=DELETE",
            ".method=DELETE",
            "%20_method=DELETE",
            "+_method=DELETE",
            "_method%00x=DELETE",
            "a=1;_method=DELETE",
            "X-HTTP-Method-Override=DELETE",
        ] {
            assert!(query_restates_method(query), "{query}");
        }
    }

    #[test]
    fn other_parameters_do_not_restate_the_method() {
        for query in [
            "",
            "method=DELETE",
            "a=_method",
            "a=1&payment_method=card",
            "_methods=1",
            "__method=1",
            "%ff=1",
            "[_method]=1",
        ] {
            assert!(!query_restates_method(query), "{query}");
        }
    }
}
