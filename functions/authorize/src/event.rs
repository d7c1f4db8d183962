//! The event that API Gateway sends to an authorizer, read so that no input fails.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Uri};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::method_arn::MethodArn;

/// The kind of API that asks, as its events tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// A REST API, or something whose events are not known: both take a policy.
    Rest,
    /// An HTTP API with payload format 1.0, which takes a policy.
    Http1,
    /// An HTTP API with payload format 2.0, which takes a policy or a simple answer.
    Http2,
}

/// Question of API Gateway.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) arn: MethodArn,
    /// The client's request, without its body: authorizers never get that.
    pub(crate) request: Parts,
    /// The PEM text of the certificate that API Gateway saw in the TLS handshake.
    pub(crate) client_certificate: Option<String>,
}

/// Reason why an event is not a question that can be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EventError {
    #[error("the event cannot be read as JSON: {0}")]
    NotJson(String),
    #[error("the event is not that of an authorizer of the type REQUEST")]
    NotRequest,
    #[error(
        "the event is that of an authorizer of the type TOKEN, which gets no certificate: make it a REQUEST authorizer"
    )]
    Token,
    #[error("the payload format of the event is neither 1.0 nor 2.0")]
    Version,
    #[error("the field `{0}` of the event is missing or not of the documented type")]
    Field(&'static str),
    #[error("the field `{0}` of the event is not the ARN of a stage of an API")]
    Arn(&'static str),
    #[error(
        "the path of the request cannot be written in a policy: it is too long, or contains `*`, `?` or `${{`"
    )]
    Resource,
    #[error("the event contains two client certificates")]
    TwoCertificates,
    #[error("a header of the request is invalid")]
    Header,
    #[error("the method or path of the request is invalid")]
    Target,
}

/// Parses an event.
///
/// # Errors
/// [`EventError::NotJson`], also for JSON that no request can be, such as half of a surrogate pair.
pub(crate) fn parse(payload: &[u8]) -> Result<Value, EventError> {
    serde_json::from_slice(payload).map_err(|error| EventError::NotJson(error.to_string()))
}

/// Names of the fields that differ between the payload formats.
struct Fields {
    arn: &'static str,
    path: &'static str,
}

impl Api {
    /// Returns the kind of API that sent an event. HTTP APIs name their payload format, REST APIs
    /// do not.
    pub(crate) fn of(event: &Value) -> Self {
        match event.get("version").and_then(Value::as_str) {
            Some("1.0") => Self::Http1,
            Some("2.0") => Self::Http2,
            _ => Self::Rest,
        }
    }

    fn fields(self) -> Fields {
        match self {
            Self::Rest | Self::Http1 => Fields {
                arn: "methodArn",
                path: "path",
            },
            Self::Http2 => Fields {
                arn: "routeArn",
                path: "rawPath",
            },
        }
    }

    fn method(self, event: &Value) -> Option<&Value> {
        match self {
            Self::Rest | Self::Http1 => event.get("httpMethod"),
            Self::Http2 => event.pointer("/requestContext/http/method"),
        }
    }

    fn query(self, event: &Value) -> Result<String, EventError> {
        match (self, event.get("rawQueryString")) {
            (Self::Http2, None | Some(Value::Null)) => Ok(String::new()),
            (Self::Http2, Some(Value::String(query))) => Ok(encode(query, QUERY)),
            (Self::Http2, Some(_)) => Err(EventError::Field("rawQueryString")),
            (Self::Rest | Self::Http1, _) => {
                let pairs = pairs(event, "multiValueQueryStringParameters", "queryStringParameters")?;
                let pairs = pairs.into_iter().map(|(name, value)| {
                    format!(
                        "{}={}",
                        encode(name, NON_ALPHANUMERIC),
                        encode(value, NON_ALPHANUMERIC)
                    )
                });
                Ok(pairs.collect::<Vec<_>>().join("&"))
            }
        }
    }
}

impl Question {
    /// Reads an event.
    ///
    /// # Errors
    /// The first [`EventError`] of an event that is not a question.
    pub(crate) fn read(event: &Value, api: Api) -> Result<Self, EventError> {
        check_kind(event)?;
        let fields = api.fields();
        let arn = text(event, fields.arn)?;
        let method = api
            .method(event)
            .and_then(Value::as_str)
            .ok_or(EventError::Target)?;
        let mut request = Request::new(());
        *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| EventError::Target)?;
        *request.uri_mut() = target(text(event, fields.path)?, &api.query(event)?)?;
        *request.headers_mut() = headers(event)?;
        Ok(Self {
            arn: MethodArn::read(arn).ok_or(EventError::Arn(fields.arn))?,
            request: request.into_parts().0,
            client_certificate: client_certificate(event)?,
        })
    }
}

fn check_kind(event: &Value) -> Result<(), EventError> {
    match event.get("version") {
        None | Some(Value::Null) => {}
        Some(Value::String(version)) if matches!(version.as_str(), "1.0" | "2.0") => {}
        Some(_) => return Err(EventError::Version),
    }
    match event.get("type").and_then(Value::as_str) {
        Some("REQUEST") => Ok(()),
        Some("TOKEN") => Err(EventError::Token),
        _ => Err(EventError::NotRequest),
    }
}

fn text<'a>(event: &'a Value, field: &'static str) -> Result<&'a str, EventError> {
    event
        .get(field)
        .and_then(Value::as_str)
        .ok_or(EventError::Field(field))
}

/// Returns the client certificate. It is documented as `identity` for REST APIs and payload format
/// 1.0, and as `authentication` for 2.0. API Gateway writes both members itself, so both are read
/// for each.
fn client_certificate(event: &Value) -> Result<Option<String>, EventError> {
    let places = [
        "/requestContext/identity/clientCert",
        "/requestContext/authentication/clientCert",
    ];
    let mut found = places
        .into_iter()
        .filter_map(|place| event.pointer(place))
        .filter(|certificate| !certificate.is_null());
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some(certificate), None) => match certificate.get("clientCertPem") {
            Some(Value::String(pem)) => Ok(Some(pem.clone())),
            _ => Err(EventError::Field("clientCertPem")),
        },
        (Some(_), Some(_)) => Err(EventError::TwoCertificates),
    }
}

/// Returns every value of every header. Payload format 2.0 joins repeated values with commas, so
/// that a reader of a header that must not be repeated has to reject a comma.
fn headers(event: &Value) -> Result<HeaderMap, EventError> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs(event, "multiValueHeaders", "headers")? {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| EventError::Header)?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| EventError::Header)?;
        headers.try_append(name, value).map_err(|_| EventError::Header)?;
    }
    Ok(headers)
}

/// Returns the pairs of a multi-value object, and those of the single-value object with it whose
/// names the former lacks.
fn pairs<'a>(
    event: &'a Value,
    multi: &'static str,
    single: &'static str,
) -> Result<Vec<(&'a str, &'a str)>, EventError> {
    let multi_values = object(event, multi)?;
    let single_values = object(event, single)?;
    let mut pairs = Vec::new();
    for (name, values) in multi_values.into_iter().flatten() {
        let values = values.as_array().ok_or(EventError::Field(multi))?;
        for value in values {
            pairs.push((name.as_str(), value.as_str().ok_or(EventError::Field(multi))?));
        }
    }
    let is_known = |name: &str| {
        let mut names = multi_values.into_iter().flatten().map(|(known, _)| known);
        names.any(|known| known.eq_ignore_ascii_case(name))
    };
    for (name, value) in single_values.into_iter().flatten() {
        let value = value.as_str().ok_or(EventError::Field(single))?;
        if !is_known(name) {
            pairs.push((name, value));
        }
    }
    Ok(pairs)
}

fn object<'a>(event: &'a Value, field: &'static str) -> Result<Option<&'a Map<String, Value>>, EventError> {
    match event.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(EventError::Field(field)),
    }
}

/// Characters that cannot be in a path. API Gateway passes on some paths decoded, and does not say
/// which.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Characters that cannot be in a query.
const QUERY: &AsciiSet = &PATH.remove(b'?');

fn encode(text: &str, set: &'static AsciiSet) -> String {
    utf8_percent_encode(text, set).to_string()
}

fn target(path: &str, query: &str) -> Result<Uri, EventError> {
    if !path.starts_with('/') {
        return Err(EventError::Target);
    }
    let mut target = encode(path, PATH);
    if !query.is_empty() {
        target.push('?');
        target.push_str(query);
    }
    let uri: Uri = target.parse().map_err(|_| EventError::Target)?;
    if uri.authority().is_none() {
        Ok(uri)
    } else {
        Err(EventError::Target)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rest() -> Value {
        json!({
            "type": "REQUEST",
            "methodArn": "arn:aws:execute-api:eu-west-1:123456789012:abc/prod/GET/orders",
            "path": "/orders",
            "httpMethod": "GET",
            "headers": {"Host": "api.example", "x-a": "2"},
            "multiValueHeaders": {"Host": ["api.example"], "X-A": ["1", "2"]},
            "multiValueQueryStringParameters": {"a b": ["1&2"]},
            "requestContext": {"identity": {"clientCert": {"clientCertPem": "PEM"}}},
        })
    }

    fn with(field: &str, value: Value) -> Value {
        let mut event = rest();
        event[field] = value;
        event
    }

    fn defect(event: &Value) -> EventError {
        Question::read(event, Api::of(event)).unwrap_err()
    }

    #[test]
    fn every_value_of_a_header_counts_once() {
        let question = Question::read(&rest(), Api::Rest).unwrap();
        let values: Vec<_> = question.request.headers.get_all("x-a").iter().collect();
        assert_eq!(values, ["1", "2"]);
        assert_eq!(question.request.headers.get_all("host").iter().count(), 1);
        assert_eq!(question.request.uri, "/orders?a%20b=1%262");
        assert_eq!(question.client_certificate.as_deref(), Some("PEM"));
    }

    #[test]
    fn names_differing_in_case_are_one_repeated_header() {
        let event = with("multiValueHeaders", json!({"X-A": ["1"], "x-a": ["2"]}));
        let question = Question::read(&event, Api::Rest).unwrap();
        assert_eq!(question.request.headers.get_all("x-a").iter().count(), 2);
    }

    #[test]
    fn decoded_paths_stay_one_path() {
        for (path, uri) in [
            ("/a b", "/a%20b"),
            ("/a?b#c", "/a%3Fb%23c"),
            ("/a%2Fb", "/a%2Fb"),
            ("/ü", "/%C3%BC"),
            ("//host/x", "//host/x"),
            ("/\u{0}", "/%00"),
            ("/../admin", "/../admin"),
        ] {
            let question = Question::read(&with("path", json!(path)), Api::Rest).unwrap();
            assert_eq!(question.request.uri.path(), uri);
        }
    }

    #[test]
    fn what_is_no_question_has_a_defect() {
        for (field, value, expected) in [
            ("type", json!("TOKEN"), EventError::Token),
            ("type", json!("OTHER"), EventError::NotRequest),
            ("type", Value::Null, EventError::NotRequest),
            ("version", json!("3.0"), EventError::Version),
            ("version", json!(2), EventError::Version),
            ("methodArn", Value::Null, EventError::Field("methodArn")),
            ("methodArn", json!("*"), EventError::Arn("methodArn")),
            ("path", json!("orders"), EventError::Target),
            ("path", json!(7), EventError::Field("path")),
            ("httpMethod", json!("G T"), EventError::Target),
            ("httpMethod", Value::Null, EventError::Target),
            ("headers", json!([]), EventError::Field("headers")),
            ("headers", json!({"x": 1}), EventError::Field("headers")),
            (
                "multiValueHeaders",
                json!({"x": "1"}),
                EventError::Field("multiValueHeaders"),
            ),
            ("multiValueHeaders", json!({"a b": ["1"]}), EventError::Header),
            ("multiValueHeaders", json!({"x": ["1\n2"]}), EventError::Header),
            (
                "requestContext",
                json!({"identity": {"clientCert": "PEM"}}),
                EventError::Field("clientCertPem"),
            ),
            (
                "requestContext",
                json!({"identity": {"clientCert": {"clientCertPem": "a"}},
                    "authentication": {"clientCert": {"clientCertPem": "b"}}}),
                EventError::TwoCertificates,
            ),
        ] {
            assert_eq!(defect(&with(field, value.clone())), expected, "{field} = {value}");
        }
        for event in [json!(null), json!([]), json!("x"), json!(7), json!({})] {
            assert_eq!(defect(&event), EventError::NotRequest, "{event}");
        }
    }
}
