use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// The largest request body that ALB hands to a function, in bytes.
pub const MAXIMUM_BODY: usize = 1024 * 1024;

/// A request as ALB would hand it to a function: its own headers are among
/// [`headers`](Self::headers) already.
///
/// ```
/// use local_alb::{AlbRequest, HeaderMode};
///
/// let request = AlbRequest {
///     method: "GET".to_owned(),
///     path: "/a%2Fb".to_owned(),
///     query: Some("x=1&x=%26".to_owned()),
///     headers: vec![("host".to_owned(), "localhost".to_owned())],
///     body: Default::default(),
/// };
/// let event = request.to_event("arn:aws:…", HeaderMode::MultiValue).unwrap();
/// let event: serde_json::Value = serde_json::from_slice(&event).unwrap();
/// assert_eq!(event["path"], "/a%2Fb");
/// assert_eq!(event["multiValueQueryStringParameters"]["x"], serde_json::json!(["1", "%26"]));
/// assert!(event.get("headers").is_none());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AlbRequest {
    /// The method as sent.
    pub method: String,
    /// The path as sent, without the query.
    pub path: String,
    /// The query as sent, without `?`.
    pub query: Option<String>,
    /// Lower-case names with their values, in order, repeated where the request repeats them.
    pub headers: Vec<(String, String)>,
    /// The body as sent.
    pub body: Bytes,
}

impl AlbRequest {
    /// Returns the event that a function registered in this target group gets.
    ///
    /// A body is passed on as text when it has no content-encoding and its type is `text/*`,
    /// `application/json`, `application/javascript` or `application/xml`; every other body is
    /// base64. That an empty body is always text is `unconfirmed`.
    /// Source:
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html>.
    ///
    /// # Errors
    ///
    /// When the body is too large, or of a type that is passed on as text and not UTF-8.
    pub fn to_event(&self, target_group_arn: &str, header_mode: HeaderMode) -> Result<Bytes, EventError> {
        if self.body.len() > MAXIMUM_BODY {
            return Err(EventError::BodyTooLarge);
        }
        let (body, is_base64_encoded) = if self.body.is_empty() {
            (String::new(), false)
        } else if self.has_text_body() {
            let text = std::str::from_utf8(&self.body).map_err(|_| EventError::BodyNotText)?;
            (text.to_owned(), false)
        } else {
            (BASE64_STANDARD.encode(&self.body), true)
        };
        Ok(encode(&Event {
            target_group_arn,
            method: &self.method,
            path: &self.path,
            parameters: parameters(self.query.as_deref().unwrap_or_default()),
            headers: self
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
            body: &body,
            is_base64_encoded,
            header_mode,
        }))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().rfind(|(candidate, _)| candidate == name);
        found.map(|(_, value)| value.as_str())
    }

    fn has_text_body(&self) -> bool {
        if self.header("content-encoding").is_some() {
            return false;
        }
        let content_type = self.header("content-type").unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default();
        let media_type = media_type.trim().to_ascii_lowercase();
        let textual = ["application/json", "application/javascript", "application/xml"];
        media_type.starts_with("text/") || textual.contains(&media_type.as_str())
    }
}

/// Form of header and query fields in an event and its answer: the target group attribute
/// `lambda.multi_value_headers.enabled`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HeaderMode {
    /// `multiValueHeaders` and `multiValueQueryStringParameters`: every value.
    MultiValue,
    /// `headers` and `queryStringParameters`: only the last of repeated ones.
    SingleValue,
}

/// Returns the event of ALB's own health check. Its form in multi-value mode is `unconfirmed`.
pub fn health_check_event(target_group_arn: &str, header_mode: HeaderMode, path: &str) -> Bytes {
    encode(&Event {
        target_group_arn,
        method: "GET",
        path,
        parameters: Vec::new(),
        headers: vec![("user-agent", "ELB-HealthChecker/2.0")],
        body: "",
        is_base64_encoded: false,
        header_mode,
    })
}

/// Error of making an event from a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EventError {
    /// ALB answers 502 and logs `LambdaBadRequest`.
    #[error("the body is of a type that is passed on as text, but it is not UTF-8")]
    BodyNotText,
    /// ALB answers 413.
    #[error("the body is larger than 1 MB")]
    BodyTooLarge,
}

struct Event<'a> {
    target_group_arn: &'a str,
    method: &'a str,
    path: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    headers: Vec<(&'a str, &'a str)>,
    body: &'a str,
    is_base64_encoded: bool,
    header_mode: HeaderMode,
}

impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_map(None)?;
        let context = serde_json::json!({ "elb": { "targetGroupArn": self.target_group_arn } });
        event.serialize_entry("requestContext", &context)?;
        event.serialize_entry("httpMethod", self.method)?;
        event.serialize_entry("path", self.path)?;
        match self.header_mode {
            HeaderMode::MultiValue => {
                event.serialize_entry("multiValueQueryStringParameters", &All(&self.parameters))?;
                event.serialize_entry("multiValueHeaders", &All(&self.headers))?;
            }
            HeaderMode::SingleValue => {
                event.serialize_entry("queryStringParameters", &Last(&self.parameters))?;
                event.serialize_entry("headers", &Last(&self.headers))?;
            }
        }
        event.serialize_entry("body", self.body)?;
        event.serialize_entry("isBase64Encoded", &self.is_base64_encoded)?;
        event.end()
    }
}

/// Each name once, where it first occurs, with all its values.
struct All<'a>(&'a [(&'a str, &'a str)]);

impl Serialize for All<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(grouped(self.0))
    }
}

/// Each name once, where it first occurs, with its last value.
struct Last<'a>(&'a [(&'a str, &'a str)]);

impl Serialize for Last<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let last = grouped(self.0)
            .into_iter()
            .map(|(name, values)| (name, values.last().copied().unwrap_or_default()));
        serializer.collect_map(last)
    }
}

fn grouped<'a>(pairs: &[(&'a str, &'a str)]) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for &(name, value) in pairs {
        let place = *places.entry(name).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, values)) => values.push(value),
            None => groups.push((name, vec![value])),
        }
    }
    groups
}

/// Splits at `&` and at the first `=`, and decodes nothing.
fn parameters(query: &str) -> Vec<(&str, &str)> {
    let pieces = query.split('&').filter(|piece| !piece.is_empty());
    pieces
        .map(|piece| piece.split_once('=').unwrap_or((piece, "")))
        .collect()
}

#[expect(
    clippy::expect_used,
    reason = "strings, lists and maps of strings always serialize"
)]
fn encode(event: &Event<'_>) -> Bytes {
    serde_json::to_vec(event)
        .expect("an event contains only text")
        .into()
}
