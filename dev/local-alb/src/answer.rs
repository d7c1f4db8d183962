use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use crate::event::HeaderMode;

/// The largest answer of a function, as JSON, in bytes.
const MAXIMUM_ANSWER: usize = 1024 * 1024;

/// ALB's limit for the headers of an answer, in bytes.
const MAXIMUM_HEADERS: usize = 32 * 1024;

/// Headers that belong to a connection and those that ALB sets itself.
const IGNORED: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Returns the HTTP response that a function's answer stands for.
///
/// ALB documents that flag, status and headers are required. Here only the status is: a missing
/// flag is `false`, and an answer with no headers at all has none. The other mode's headers alone
/// are invalid, as at ALB.
pub(crate) fn http_response(answer: &[u8], header_mode: HeaderMode) -> Result<Response<Bytes>, AnswerError> {
    if answer.len() > MAXIMUM_ANSWER {
        return Err(AnswerError::TooLarge);
    }
    let Ok(Value::Object(answer)) = serde_json::from_slice(answer) else {
        return Err(AnswerError::NotAnObject);
    };
    let mut response = Response::new(body(&answer)?);
    *response.status_mut() = status(&answer)?;
    *response.headers_mut() = headers(&answer, header_mode)?;
    Ok(response)
}

/// Reason why a function's answer is not an HTTP response.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum AnswerError {
    #[error("`body` is not valid base64 although `isBase64Encoded` is true")]
    Base64,
    #[error("`{0}` is not of the type it must have")]
    FieldType(&'static str),
    #[error("the header `{0}` is not a valid one")]
    Header(String),
    #[error("the headers are larger than 32 K")]
    HeadersTooLarge,
    #[error("the answer is not a JSON object")]
    NotAnObject,
    #[error("`statusCode` is missing or not a number from 200 to 599")]
    StatusCode,
    #[error("the answer is larger than 1 MB")]
    TooLarge,
    #[error("the answer has `{found}`, the target group's setting asks for `{wanted}`")]
    WrongHeaders {
        found: &'static str,
        wanted: &'static str,
    },
}

fn status(answer: &Map<String, Value>) -> Result<StatusCode, AnswerError> {
    let number = answer.get("statusCode").and_then(Value::as_u64);
    number
        .filter(|number| (200..=599).contains(number))
        .and_then(|number| u16::try_from(number).ok())
        .and_then(|number| StatusCode::from_u16(number).ok())
        .ok_or(AnswerError::StatusCode)
}

fn body(answer: &Map<String, Value>) -> Result<Bytes, AnswerError> {
    let is_base64_encoded = match present(answer, "isBase64Encoded") {
        None => false,
        Some(Value::Bool(flag)) => *flag,
        Some(_) => return Err(AnswerError::FieldType("isBase64Encoded")),
    };
    match present(answer, "body") {
        None => Ok(Bytes::new()),
        Some(Value::String(text)) if is_base64_encoded => {
            let decoded = BASE64_STANDARD.decode(text).map_err(|_| AnswerError::Base64)?;
            Ok(decoded.into())
        }
        Some(Value::String(text)) => Ok(Bytes::from(text.clone())),
        Some(_) => Err(AnswerError::FieldType("body")),
    }
}

fn headers(answer: &Map<String, Value>, header_mode: HeaderMode) -> Result<HeaderMap, AnswerError> {
    let (wanted, other) = match header_mode {
        HeaderMode::MultiValue => ("multiValueHeaders", "headers"),
        HeaderMode::SingleValue => ("headers", "multiValueHeaders"),
    };
    let fields = match (present(answer, wanted), present(answer, other)) {
        (Some(Value::Object(fields)), _) => fields,
        (Some(_), _) => return Err(AnswerError::FieldType(wanted)),
        (None, Some(_)) => return Err(AnswerError::WrongHeaders { found: other, wanted }),
        (None, None) => return Ok(HeaderMap::new()),
    };
    let mut headers = HeaderMap::new();
    let mut size = 0_usize;
    for (name, value) in fields {
        let values = match (header_mode, value) {
            (HeaderMode::MultiValue, Value::Array(values)) => values.as_slice(),
            (HeaderMode::SingleValue, Value::String(_)) => std::slice::from_ref(value),
            _ => return Err(AnswerError::FieldType(wanted)),
        };
        let header = HeaderName::try_from(name).map_err(|_| AnswerError::Header(name.clone()))?;
        for value in values {
            let text = value.as_str().ok_or(AnswerError::FieldType(wanted))?;
            size = size.saturating_add(name.len()).saturating_add(text.len());
            if IGNORED.contains(&header.as_str()) {
                continue;
            }
            let value =
                HeaderValue::from_bytes(text.as_bytes()).map_err(|_| AnswerError::Header(name.clone()))?;
            headers.append(&header, value);
        }
    }
    if size > MAXIMUM_HEADERS {
        Err(AnswerError::HeadersTooLarge)
    } else {
        Ok(headers)
    }
}

/// Returns the field, unless it is missing or null.
fn present<'a>(answer: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    answer.get(name).filter(|value| !value.is_null())
}
