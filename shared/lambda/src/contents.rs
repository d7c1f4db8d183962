//! Headers of HTTP clients in the events of other services.

use serde_json::value::RawValue;

use crate::event::reads_as;
use crate::rewrite::{RewriteError, members};

/// Names of the members of a request that contain its headers.
const HEADERS: [&str; 2] = ["headers", "multiValueHeaders"];

/// End of the name of a member that contains a request: AppSync's `request`, S3 Object Lambda's
/// `userRequest`.
const REQUEST: &str = "request";

/// Levels in which a request is looked for. The deepest that a service is known to send is
/// CloudFront's `Records[].cf.request.headers`; each level is read once more.
const MAXIMUM_DEPTH: usize = 8;

/// Returns true if an event contains the headers of an HTTP request, in which a client can claim an
/// identity: those of AppSync (`request.headers`, also in a list), S3 Object Lambda
/// (`userRequest.headers`) and CloudFront (`Records[].cf.request.headers`). It is true of what
/// cannot be read, and looks eight levels deep.
///
/// Source: AppSync developer guide, "Resolver mapping template context reference"; S3 user guide,
/// "Event context format and usage"; CloudFront developer guide, "Lambda@Edge event structure".
pub fn holds_request_headers(event: &str) -> bool {
    search(event, false, MAXIMUM_DEPTH).unwrap_or(true)
}

fn search(value: &str, is_request: bool, depth: usize) -> Result<bool, RewriteError> {
    if depth == 0 {
        return Ok(false);
    }
    match value.trim_start().bytes().next() {
        Some(b'{') => {
            for member in members(value)?.0 {
                let is_headers = HEADERS.iter().any(|headers| reads_as(&member.name, headers));
                if (is_request && is_headers)
                    || search(member.value.get(), is_a_request(&member.name), depth - 1)?
                {
                    return Ok(true);
                }
            }
        }
        Some(b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(value).map_err(RewriteError::unreadable)?;
            for element in elements {
                if search(element.get(), is_request, depth - 1)? {
                    return Ok(true);
                }
            }
        }
        _ => {}
    }
    Ok(false)
}

/// Returns whether a name ends in `request`, in any spelling.
fn is_a_request(name: &str) -> bool {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    letters.to_ascii_lowercase().ends_with(REQUEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_requests_are_found_wherever_services_put_them() {
        for event in [
            r#"{"arguments":{},"request":{"headers":{"x-a":"1"},"domainName":null}}"#,
            r#"[{"arguments":{},"request":{"headers":{}}}]"#,
            r#"{"userRequest":{"url":"https://a.example/","headers":{}}}"#,
            r#"{"Records":[{"cf":{"config":{},"request":{"headers":{}}}}]}"#,
            r#"{"detail":{"httpRequest":{"headers":[]}}}"#,
            r#" { "re\u0071uest" : { "HEADERS" : null } }"#,
            r#"{"request":[{"multi_value_headers":{}}]}"#,
            // What cannot be read.
            r#"{"a":{"\ud800":1}}"#,
            "{",
        ] {
            assert!(holds_request_headers(event), "{event}");
        }
    }

    #[test]
    fn events_without_a_request_hold_none() {
        for event in [
            "null",
            "[1e999]",
            r#""request""#,
            r#"{"request":{"userAttributes":{"sub":"1"}},"response":{}}"#,
            r#"{"Records":[{"headers":{},"body":"{\"request\":{\"headers\":{}}}"}]}"#,
            r#"{"records":{"topic-0":[{"headers":[{"a":[1]}]}]}}"#,
            r#"{"z":"\ud800"}"#,
        ] {
            assert!(!holds_request_headers(event), "{event}");
        }
        let deep = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
        assert!(!holds_request_headers(&deep));
    }
}
