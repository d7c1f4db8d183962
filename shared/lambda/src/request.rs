//! From an event to an `http` request, as the client sent it.

use aws_lambda_events::alb::{AlbTargetGroupRequestContext, ElbContext};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use lambda_http::Body;
use lambda_http::request::RequestContext;

use crate::event::{Event, EventError};

impl Event {
    /// Returns the HTTP request in the event.
    ///
    /// Path and query are the client's bytes: nothing is decoded, normalised or sorted. The request
    /// carries `lambda_http`'s [`RequestContext`] as an extension, so that handlers written for
    /// `lambda_http` find it.
    ///
    /// # Errors
    /// The first [`EventError`] of an event that is not a request which can be served.
    pub fn into_request(self) -> Result<Request<Body>, EventError> {
        if let Some(defect) = self.defect {
            return Err(defect);
        }
        let method = self.method.as_deref().unwrap_or_default();
        let mut request = Request::new(read_body(self.body, self.body_is_base64)?);
        *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| EventError::Method)?;
        *request.uri_mut() = request_target(self.path.as_deref().unwrap_or_default(), &self.query)?;
        *request.headers_mut() = header_map(&self.headers)?;
        request
            .extensions_mut()
            .insert(load_balancer_context(self.target_group_arn));
        Ok(request)
    }
}

fn read_body(body: Option<String>, is_base64: bool) -> Result<Body, EventError> {
    match body {
        None => Ok(Body::Empty),
        Some(text) if text.is_empty() => Ok(Body::Empty),
        Some(text) if is_base64 => STANDARD
            .decode(text)
            .map(Body::Binary)
            .map_err(|_| EventError::Body),
        Some(text) => Ok(Body::Text(text)),
    }
}

/// Returns the target in origin form (RFC 9112 §3.2.1). The load balancer hands over names and
/// values as they were encoded. Joining them gives the client's query again, except for the order
/// of repeats of different names.
fn request_target(path: &str, query: &[(String, String)]) -> Result<Uri, EventError> {
    if !path.starts_with('/') && path != "*" {
        return Err(EventError::Target);
    }
    let mut target = String::with_capacity(path.len() + 16 * query.len());
    target.push_str(path);
    let mut separator = '?';
    for (name, value) in query {
        target.push(separator);
        target.push_str(name);
        target.push('=');
        target.push_str(value);
        separator = '&';
    }
    // A `?` in the path or a `#` anywhere would move the boundary between path, query and fragment.
    if path.contains(['?', '#'])
        || query
            .iter()
            .any(|(name, value)| name.contains('#') || value.contains('#'))
    {
        return Err(EventError::Target);
    }
    let uri: Uri = target.parse().map_err(|_| EventError::Target)?;
    if uri.authority().is_none() && uri.path() == path {
        Ok(uri)
    } else {
        Err(EventError::Target)
    }
}

fn header_map(pairs: &[(String, String)]) -> Result<HeaderMap, EventError> {
    let mut headers = HeaderMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| EventError::HeaderName)?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| EventError::HeaderValue)?;
        headers
            .try_append(name, value)
            .map_err(|_| EventError::HeaderName)?;
    }
    Ok(headers)
}

fn load_balancer_context(target_group_arn: Option<String>) -> RequestContext {
    let mut elb = ElbContext::default();
    elb.target_group_arn = target_group_arn;
    let mut context = AlbTargetGroupRequestContext::default();
    context.elb = elb;
    RequestContext::Alb(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(fields: &str) -> Result<Request<Body>, EventError> {
        let json = format!(
            r#"{{"requestContext":{{"elb":{{"targetGroupArn":"arn"}}}},"httpMethod":"GET",{fields}}}"#
        );
        serde_json::from_str::<Event>(&json).unwrap().into_request()
    }

    #[test]
    fn path_and_query_arrive_as_sent() {
        for path in [
            "/public/../admin",
            "/public/%2e%2e/admin",
            "/a%2Fb",
            "//x",
            "/a;b=1",
            "/%00",
            "/ü",
            "/a\\\\..\\\\b",
        ] {
            let request = request(&format!(r#""path":"{path}""#)).unwrap();
            assert_eq!(request.uri().path(), path.replace("\\\\", "\\"));
        }
        let request = request(
            r#""path":"/","multiValueQueryStringParameters":{"a":["1%26b","2"],"empty":[""],"p%3Dq":["%2F"]}"#,
        )
        .unwrap();
        assert_eq!(request.uri().query(), Some("a=1%26b&a=2&empty=&p%3Dq=%2F"));
    }

    #[test]
    fn targets_that_no_client_can_send_are_refused() {
        for path in ["", "admin", "/a b", "/a?b", "/a#b", "/a\\nb", "http://x/"] {
            assert_eq!(
                request(&format!(r#""path":"{path}""#)).unwrap_err(),
                EventError::Target,
                "{path}"
            );
        }
    }

    #[test]
    fn odd_hosts_are_only_header_values() {
        for host in ["[", "a b", "a:99999", "[::1", "a%00b"] {
            let request = request(&format!(r#""path":"/","headers":{{"host":"{host}"}}"#)).unwrap();
            assert_eq!(request.headers()["host"], host);
        }
    }

    #[test]
    fn invalid_headers_and_bodies_are_refused() {
        for (fields, defect) in [
            (r#""path":"/","headers":{"a b":"1"}"#, EventError::HeaderName),
            (r#""path":"/","headers":{"":"1"}"#, EventError::HeaderName),
            (r#""path":"/","headers":{"a":"1\n2"}"#, EventError::HeaderValue),
            (r#""path":"/","headers":{"a":"\u0000"}"#, EventError::HeaderValue),
            (
                r#""path":"/","body":"%%%","isBase64Encoded":true"#,
                EventError::Body,
            ),
        ] {
            assert_eq!(request(fields).unwrap_err(), defect, "{fields}");
        }
    }
}
