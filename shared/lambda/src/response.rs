//! From an `http` response to the JSON that a load balancer takes.

use aws_lambda_events::encodings::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::HeaderMap;
use http::{Response, StatusCode};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::event::HeaderMode;

/// The answer to one event, with its headers in the form that the event's headers had.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    status_code: u16,
    status_description: String,
    #[serde(flatten)]
    headers: Headers,
    body: String,
    is_base64_encoded: bool,
}

#[derive(Debug)]
struct Headers {
    mode: Option<HeaderMode>,
    map: HeaderMap,
}

impl Answer {
    /// Returns the answer for a response; binary bodies become base64. When the event had no
    /// headers that could tell the mode, both forms are there. The load balancer takes the one that
    /// it is configured for.
    pub fn new(response: Response<Body>, mode: impl Into<Option<HeaderMode>>) -> Self {
        let (parts, body) = response.into_parts();
        let (body, is_base64_encoded) = match body {
            Body::Text(text) => (text, false),
            Body::Binary(bytes) => (STANDARD.encode(bytes), true),
            _ => (String::new(), false),
        };
        Self {
            status_code: parts.status.as_u16(),
            status_description: describe(parts.status),
            headers: Headers {
                mode: mode.into(),
                map: parts.headers,
            },
            body,
            is_base64_encoded,
        }
    }
}

/// `200 OK`, as the load balancer's documentation writes it.
fn describe(status: StatusCode) -> String {
    format!(
        "{} {}",
        status.as_u16(),
        status.canonical_reason().unwrap_or("Unknown")
    )
}

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        if self.mode != Some(HeaderMode::MultiValue) {
            object.serialize_entry("headers", &SingleValues(&self.map))?;
        }
        if self.mode != Some(HeaderMode::SingleValue) {
            object.serialize_entry("multiValueHeaders", &MultiValues(&self.map))?;
        }
        object.end()
    }
}

/// Headers with one value a name. Several become one line joined by commas (RFC 9110 §5.3). Of
/// Set-Cookie only the last one stays: a load balancer in this mode has no place for more.
struct SingleValues<'a>(&'a HeaderMap);

impl Serialize for SingleValues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.0.keys_len()))?;
        for name in self.0.keys() {
            let mut values = self
                .0
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()));
            let value = if name == http::header::SET_COOKIE {
                values.next_back().unwrap_or_default().into_owned()
            } else {
                values.collect::<Vec<_>>().join(", ")
            };
            object.serialize_entry(name.as_str(), &value)?;
        }
        object.end()
    }
}

struct MultiValues<'a>(&'a HeaderMap);

impl Serialize for MultiValues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.0.keys_len()))?;
        for name in self.0.keys() {
            let values = self
                .0
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()));
            object.serialize_entry(name.as_str(), &values.collect::<Vec<_>>())?;
        }
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response() -> Response<Body> {
        let builder = Response::builder().status(201).header("a", "1").header("a", "2");
        builder
            .header("set-cookie", "x=1")
            .header("set-cookie", "y=2")
            .body(Body::from("hello"))
            .unwrap()
    }

    #[test]
    fn headers_take_the_form_of_the_request() {
        let multi = serde_json::to_value(Answer::new(response(), HeaderMode::MultiValue)).unwrap();
        assert_eq!(multi["multiValueHeaders"]["a"], serde_json::json!(["1", "2"]));
        assert_eq!(
            multi["multiValueHeaders"]["set-cookie"],
            serde_json::json!(["x=1", "y=2"])
        );
        assert!(multi.get("headers").is_none());

        let single = serde_json::to_value(Answer::new(response(), HeaderMode::SingleValue)).unwrap();
        assert_eq!(single["headers"]["a"], "1, 2");
        assert_eq!(single["headers"]["set-cookie"], "y=2");
        assert!(single.get("multiValueHeaders").is_none());
        assert_eq!(single["statusCode"], 201);
        assert_eq!(single["statusDescription"], "201 Created");
        assert_eq!(single["isBase64Encoded"], false);
    }

    #[test]
    fn binary_bodies_become_base64() {
        let response = Response::new(Body::from(vec![0, 255]));
        let answer = serde_json::to_value(Answer::new(response, HeaderMode::MultiValue)).unwrap();
        assert_eq!(answer["body"], "AP8=");
        assert_eq!(answer["isBase64Encoded"], true);
    }
}
