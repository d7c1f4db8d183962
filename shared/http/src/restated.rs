//! Fields by which a request restates its method, path or host after a gate has decided by them.
//!
//! Frameworks and servers read them in place of the request line and the Host header: method-override, Rails, Symfony,
//! IIS, Spring and every "trust proxy" option.

use std::sync::LazyLock;

use http::HeaderName;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use percent_encoding::percent_decode;

use crate::names::{NameTable, is_same};

/// Headers that restate the method.
const METHOD: &[&str] = &[
    "x-http-method",
    "x-http-method-override",
    "x-http-verb",
    "x-http-verb-override",
    "x-method",
    "x-method-override",
    "x-original-method",
    "x-forwarded-method",
];

/// Headers that restate path or host.
const PATH_OR_HOST: &[&str] = &[
    "forwarded",
    "unencoded-url",
    "x-forwarded-authority",
    "x-forwarded-base-path",
    "x-forwarded-context",
    "x-forwarded-host",
    "x-forwarded-path",
    "x-forwarded-pathbase",
    "x-forwarded-prefix",
    "x-forwarded-request-uri",
    "x-forwarded-script-name",
    "x-forwarded-server",
    "x-forwarded-uri",
    "x-forwarded-url",
    "x-host",
    "x-host-override",
    "x-http-host-override",
    "x-override-url",
    "x-request-uri",
    "x-script-name",
    "x-waws-unencoded-url",
];

/// Families of such headers: IIS and ARR, nginx by custom, Envoy.
const PREFIXES: &[&str] = &["x-original-", "x-envoy-original-", "x-rewrite-"];

/// Query parameter that Rails, Symfony, Laravel and method-override read as the method.
const METHOD_PARAMETER: &str = "_method";

/// Headers by which requests are framed, routed, traced or decided. Another spelling of one of them would be the same
/// variable to a server that makes variables of headers, and take its place there.
static GENUINE: [HeaderName; 23] = [
    AUTHORIZATION,
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    COOKIE,
    HeaderName::from_static("dpop"),
    EXPECT,
    HOST,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("x-amzn-tls-cipher-suite"),
    HeaderName::from_static("x-amzn-tls-version"),
    HeaderName::from_static("x-amzn-trace-id"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-proto"),
];

/// Fate of the fields that restate method, path or host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restated {
    /// Headers are removed, and the query parameter is refused where a decision was made.
    #[default]
    Strip,
    /// They stay: the service behind does not read them, or wants to.
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

/// Returns `true` if the header restates method, path or host, in any spelling.
pub(crate) fn is_listed(name: &str) -> bool {
    static TABLE: LazyLock<NameTable> = LazyLock::new(|| {
        NameTable::new(
            METHOD.iter().chain(PATH_OR_HOST).copied(),
            PREFIXES.iter().copied(),
        )
    });
    TABLE.covers(name)
}

/// Returns every entry of the table; families end in `*`.
pub fn table() -> impl Iterator<Item = String> {
    let names = METHOD.iter().chain(PATH_OR_HOST).map(|name| (*name).to_owned());
    names.chain(PREFIXES.iter().map(|prefix| format!("{prefix}*")))
}

/// Returns `true` if the name is another spelling of a header that decisions and framing rest on, such as
/// `content_length`.
pub(crate) fn is_look_alike(name: &HeaderName) -> bool {
    // The genuine names have no other marks than `-`, and a `HeaderName` is in lower case.
    let has_other_mark = name
        .as_str()
        .bytes()
        .any(|byte| !byte.is_ascii_alphanumeric() && byte != b'-');
    has_other_mark && genuine().any(|genuine| is_same(name.as_str(), genuine.as_str()))
}

/// Returns the headers that no list may name.
pub(crate) fn genuine() -> impl Iterator<Item = &'static HeaderName> {
    GENUINE.iter()
}

/// Returns `true` if the query has a parameter that restates the method, in any spelling that some server reads as one:
/// percent-encoded, also twice; `_method[]`; `.method`, which PHP reads as `_method`; behind a `;`.
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
    // PHP and Rack take what stands before a bracket; a zero byte ends a name in PHP.
    let bracket = name
        .iter()
        .skip(1)
        .position(|byte| matches!(byte, b'[' | 0))
        .map(|position| position + 1);
    let name = name.get(..bracket.unwrap_or(name.len())).unwrap_or_default();
    let Ok(name) = std::str::from_utf8(name.trim_ascii_end()) else {
        return false;
    };
    is_same(name, METHOD_PARAMETER) || METHOD.iter().any(|known| is_same(name, known))
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
