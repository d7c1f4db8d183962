//! The function's answer, checked against what a load balancer accepts from a function.

use std::collections::HashMap;
use std::fmt::Display;

use alb_mtls_lambda::HeaderMode;
use alb_mtls_proxy::ForwardError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde::Deserialize;

use crate::response::DeclaredText;

/// Answer of a function to a load balancer.
///
/// Source: Elastic Load Balancing user guide, "Lambda functions as targets", response events.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionAnswer {
    status_code: u16,
    #[serde(default)]
    headers: Option<HashMap<String, String>>,
    #[serde(default)]
    multi_value_headers: Option<HashMap<String, Vec<String>>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

/// Returns the HTTP response in the answer to an event that had its headers in this form.
///
/// # Errors
/// [`ForwardError::FunctionAnswer`] when there is no response for a client.
pub(super) fn read(payload: &[u8], mode: HeaderMode) -> Result<Response<Bytes>, ForwardError> {
    let answer: FunctionAnswer = serde_json::from_slice(payload).map_err(invalid)?;
    let text = answer.body.unwrap_or_default();
    let is_base64 = answer.is_base64_encoded.unwrap_or_default();
    let body = if is_base64 {
        let binary = STANDARD.decode(text);
        Bytes::from(binary.map_err(|error| invalid(format!("the body is not base64: {error}")))?)
    } else {
        Bytes::from(text)
    };
    let mut response = Response::new(body);
    if !is_base64 {
        response.extensions_mut().insert(DeclaredText);
    }
    *response.status_mut() = final_status(answer.status_code)?;
    let single = answer
        .headers
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| (name, vec![value]));
    let multi = answer.multi_value_headers.unwrap_or_default();
    // The load balancer reads the form that it is configured for. Who answers in the other one
    // alone is understood too.
    let headers: Vec<(String, Vec<String>)> = match mode {
        HeaderMode::MultiValue if !multi.is_empty() => multi.into_iter().collect(),
        HeaderMode::SingleValue if single.len() == 0 => multi.into_iter().collect(),
        _ => single.collect(),
    };
    for (name, values) in headers {
        let header = HeaderName::try_from(&name)
            .map_err(|_| invalid(format!("`{}` is not a header name", name.escape_debug())))?;
        for value in values {
            let value = HeaderValue::try_from(value)
                .map_err(|_| invalid(format!("the value of `{header}` is not a header value")))?;
            let appended = response.headers_mut().try_append(header.clone(), value);
            appended.map_err(|_| invalid("there are too many headers"))?;
        }
    }
    Ok(response)
}

/// A status that ends an exchange (RFC 9110 §15).
fn final_status(code: u16) -> Result<StatusCode, ForwardError> {
    StatusCode::from_u16(code)
        .ok()
        .filter(|_| (200..600).contains(&code))
        .ok_or_else(|| invalid(format!("{code} is not a status of an answer")))
}

fn invalid(error: impl Display) -> ForwardError {
    ForwardError::FunctionAnswer(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_in_the_form_of_the_event() {
        let payload = br#"{"statusCode": 201, "headers": {"A": "0"}, "multiValueHeaders": {"A": ["1", "2"]},
            "body": "AP8=", "isBase64Encoded": true, "statusDescription": "201 Created", "cookies": ["x"]}"#;
        let multi = read(payload, HeaderMode::MultiValue).unwrap();
        assert_eq!(
            multi.headers().get_all("a").iter().collect::<Vec<_>>(),
            ["1", "2"]
        );
        assert_eq!(
            (multi.status().as_u16(), multi.body().as_ref()),
            (201, [0, 255].as_slice())
        );
        let single = read(payload, HeaderMode::SingleValue).unwrap();
        assert_eq!(single.headers().get_all("a").iter().collect::<Vec<_>>(), ["0"]);
    }

    #[test]
    fn answers_in_the_other_form_alone_are_understood() {
        for (payload, mode) in [
            (
                r#"{"statusCode": 200, "headers": {"a": "1"}}"#,
                HeaderMode::MultiValue,
            ),
            (
                r#"{"statusCode": 200, "multiValueHeaders": {"a": ["1"]}, "headers": null, "isBase64Encoded": null}"#,
                HeaderMode::SingleValue,
            ),
        ] {
            let answer = read(payload.as_bytes(), mode).unwrap();
            assert_eq!(
                (&answer.headers()["a"], answer.body().len()),
                (&"1".parse().unwrap(), 0)
            );
        }
    }

    #[test]
    fn what_no_load_balancer_would_take_is_a_failure() {
        for payload in [
            r"",
            r"{}",
            r"null",
            r#""hello""#,
            r#"{"statusCode": "200"}"#,
            r#"{"statusCode": 200.5}"#,
            r#"{"statusCode": -1}"#,
            r#"{"statusCode": 99}"#,
            r#"{"statusCode": 101}"#,
            r#"{"statusCode": 600}"#,
            r#"{"statusCode": 200, "statusCode": 403}"#,
            r#"{"statusCode": 200, "headers": {"a": 1}}"#,
            r#"{"statusCode": 200, "headers": {"a b": "1"}}"#,
            r#"{"statusCode": 200, "headers": {"a": "1\r\nset-cookie: b"}}"#,
            r#"{"statusCode": 200, "multiValueHeaders": {"a": "1"}}"#,
            r#"{"statusCode": 200, "body": {"a": 1}}"#,
            r#"{"statusCode": 200, "body": "%", "isBase64Encoded": true}"#,
            r#"{"statusCode": 200, "body": "", "isBase64Encoded": "true"}"#,
        ] {
            let answer = read(payload.as_bytes(), HeaderMode::MultiValue);
            assert!(
                matches!(answer, Err(ForwardError::FunctionAnswer(_))),
                "{payload}"
            );
        }
    }
}
