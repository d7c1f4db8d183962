//! Another Lambda function as the upstream: it gets the event that the load balancer would send it.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use alb_mtls_alb::HeaderMode;
use alb_mtls_gate::Ingress;
use alb_mtls_trust::TrustSettings;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri};
use lambda_http::Body;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::hop::Hop;
use crate::secrets::Secrets;
use crate::settings::TlsSettings;
use crate::upstream::Function;

/// Most bytes that Lambda answers with.
const MAXIMUM_PAYLOAD: usize = 6 * 1024 * 1024;

/// Says that the function failed, and how.
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");

/// Longest part of a foreign message that goes into a record.
const MAXIMUM_MESSAGE: usize = 300;

/// Calls functions through Lambda's Invoke API, as the function that this process is.
#[derive(Debug)]
pub(crate) struct Invoker {
    hop: Hop,
    /// `AWS_ENDPOINT_URL_LAMBDA` or `AWS_ENDPOINT_URL`.
    endpoint: Option<String>,
    /// `AWS_REGION`.
    region: Option<String>,
}

impl Invoker {
    /// An invoker as the process's environment says.
    ///
    /// # Errors
    /// When the system has no trust anchors to check Lambda's API with.
    pub(crate) fn from_environment(timeout: Duration, trust: &TrustSettings) -> Result<Self, String> {
        let endpoint = variable("AWS_ENDPOINT_URL_LAMBDA").or_else(|| variable("AWS_ENDPOINT_URL"));
        let any_tls = endpoint
            .as_ref()
            .is_none_or(|endpoint| endpoint.starts_with("https:"));
        Ok(Self {
            hop: Hop::new(timeout, &TlsSettings::default(), any_tls, trust)?,
            endpoint,
            region: variable("AWS_REGION"),
        })
    }

    /// Whether it is known where this function is.
    ///
    /// # Errors
    /// One line for the operator.
    pub(crate) fn check(&self, function: &Function) -> Result<(), String> {
        match self.region_of(function) {
            Some(_) => Ok(()),
            None => Err(format!(
                "`{function}` is in no known region: set AWS_REGION, or name the function by its ARN"
            )),
        }
    }

    /// Makes the client now, so that the first request does not wait for it.
    ///
    /// # Errors
    /// [`Failure::Material`] when it cannot be made.
    pub(crate) async fn load(&self, secrets: &Secrets) -> Result<(), Failure> {
        self.hop.load(secrets).await
    }

    /// The function's answer to the request. Its headers are taken from `headers`, which state who the client is.
    ///
    /// # Errors
    /// [`Failure`] when there is none.
    pub(crate) async fn invoke(
        &self,
        function: &Function,
        parts: &Parts,
        headers: &HeaderMap,
        body: &Body,
        deadline: Option<SystemTime>,
        secrets: &Secrets,
    ) -> Result<Response<Bytes>, Failure> {
        let mode = parts
            .extensions
            .get::<HeaderMode>()
            .copied()
            .unwrap_or(HeaderMode::MultiValue);
        let event = Bytes::from(event(parts, headers, body, mode).to_string());
        let request = self.request(function, event)?;
        let answer = self
            .hop
            .exchange(request, MAXIMUM_PAYLOAD, deadline, secrets)
            .await?;
        if answer.status() != StatusCode::OK {
            let kind = answer
                .headers()
                .get("x-amzn-errortype")
                .and_then(|kind| kind.to_str().ok());
            let message = format!(
                "{} {}: {}",
                answer.status(),
                kind.unwrap_or_default(),
                shortened(answer.body())
            );
            return Err(Failure::Invoke(message));
        }
        if let Some(kind) = answer.headers().get(FUNCTION_ERROR) {
            let kind = String::from_utf8_lossy(kind.as_bytes()).into_owned();
            return Err(Failure::Function(format!("{kind}: {}", shortened(answer.body()))));
        }
        to_response(answer.body(), mode)
    }

    fn region_of<'a>(&'a self, function: &'a Function) -> Option<&'a str> {
        function.region.as_deref().or(self.region.as_deref())
    }

    fn request(&self, function: &Function, event: Bytes) -> Result<Request<Bytes>, Failure> {
        let unsigned =
            |error: &dyn std::fmt::Display| Failure::Invoke(format!("the request cannot be signed: {error}"));
        let region = self
            .region_of(function)
            .ok_or_else(|| unsigned(&"no region is known"))?;
        let url = self.url(function, region);
        let uri: Uri = url.parse().map_err(|error| unsigned(&error))?;
        let credentials = Credentials::new(
            variable("AWS_ACCESS_KEY_ID").ok_or_else(|| unsigned(&"AWS_ACCESS_KEY_ID is not set"))?,
            variable("AWS_SECRET_ACCESS_KEY").ok_or_else(|| unsigned(&"AWS_SECRET_ACCESS_KEY is not set"))?,
            variable("AWS_SESSION_TOKEN"),
            None,
            "environment",
        );
        let identity = credentials.into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name("lambda")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(&error))?
            .into();
        let mut request = Request::new(event);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let signable = SignableRequest::new(
            "POST",
            url.as_str(),
            std::iter::once(("content-type", "application/json")),
            SignableBody::Bytes(request.body()),
        );
        let signed = sign(signable.map_err(|error| unsigned(&error))?, &parameters)
            .map_err(|error| unsigned(&error))?;
        let (instructions, _) = signed.into_parts();
        for (name, value) in instructions.headers() {
            let name = HeaderName::try_from(name).map_err(|error| unsigned(&error))?;
            let mut value = HeaderValue::try_from(value).map_err(|error| unsigned(&error))?;
            value.set_sensitive(true);
            request.headers_mut().insert(name, value);
        }
        Ok(request)
    }

    /// Source: Lambda API reference, "Invoke". Names and ARNs hold nothing else that a path would have to escape.
    fn url(&self, function: &Function, region: &str) -> String {
        let endpoint = self.endpoint.clone().unwrap_or_else(|| {
            let suffix = if region.starts_with("cn-") {
                "amazonaws.com.cn"
            } else {
                "amazonaws.com"
            };
            format!("https://lambda.{region}.{suffix}")
        });
        let endpoint = endpoint.trim_end_matches('/');
        let name = function.name.replace(':', "%3A");
        let qualifier = match &function.qualifier {
            Some(qualifier) => format!("?Qualifier={}", utf8_percent_encode(qualifier, NON_ALPHANUMERIC)),
            None => String::new(),
        };
        format!("{endpoint}/2015-03-31/functions/{name}/invocations{qualifier}")
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The start of a message in one line.
fn shortened(message: &[u8]) -> String {
    let message = String::from_utf8_lossy(message);
    message
        .chars()
        .take(MAXIMUM_MESSAGE)
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect()
}

/// The load balancer's event for this request (Elastic Load Balancing user guide, "Lambda functions as targets").
fn event(parts: &Parts, headers: &HeaderMap, body: &Body, mode: HeaderMode) -> Value {
    let target_group = parts
        .extensions
        .get::<Ingress>()
        .and_then(|ingress| ingress.target_group.as_deref());
    let query = parts.uri.query().into_iter().flat_map(|query| query.split('&'));
    let query = query.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let texts: Vec<(&str, String)> = headers
        .iter()
        .map(|(name, value)| {
            (
                name.as_str(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let headers = texts.iter().map(|(name, value)| (*name, value.as_str()));
    let (body, is_base64) = match body {
        Body::Text(text) => (text.clone(), false),
        Body::Binary(bytes) => (STANDARD.encode(bytes), true),
        _ => (String::new(), false),
    };
    let (header_field, query_field) = match mode {
        HeaderMode::SingleValue => ("headers", "queryStringParameters"),
        HeaderMode::MultiValue => ("multiValueHeaders", "multiValueQueryStringParameters"),
    };
    json!({
        "requestContext": {"elb": {"targetGroupArn": target_group}},
        "httpMethod": parts.method.as_str(),
        "path": parts.uri.path(),
        query_field: collected(query, mode),
        header_field: collected(headers, mode),
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

/// An object of the last value of each name, or of all of them.
fn collected<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>, mode: HeaderMode) -> Value {
    let mut object = Map::new();
    for (name, value) in pairs {
        match (mode, object.get_mut(name)) {
            (HeaderMode::MultiValue, Some(Value::Array(values))) => values.push(value.into()),
            (HeaderMode::MultiValue, _) => {
                object.insert(name.to_owned(), json!([value]));
            }
            (HeaderMode::SingleValue, _) => {
                object.insert(name.to_owned(), value.into());
            }
        }
    }
    Value::Object(object)
}

/// What a function answers a load balancer.
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
    is_base64_encoded: bool,
}

fn to_response(payload: &[u8], mode: HeaderMode) -> Result<Response<Bytes>, Failure> {
    let invalid =
        |error: &dyn std::fmt::Display| Failure::Protocol(format!("the function's answer: {error}"));
    let answer: FunctionAnswer = serde_json::from_slice(payload).map_err(|error| invalid(&error))?;
    let text = answer.body.unwrap_or_default();
    let body = if answer.is_base64_encoded {
        Bytes::from(STANDARD.decode(text).map_err(|error| invalid(&error))?)
    } else {
        Bytes::from(text)
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status_code).map_err(|error| invalid(&error))?;
    let single = answer
        .headers
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| (name, vec![value]));
    let multi = answer.multi_value_headers.unwrap_or_default();
    // The load balancer reads the form that it is configured for; a function that only knows the other one still has
    // something to say.
    let headers: Vec<(String, Vec<String>)> = match mode {
        HeaderMode::MultiValue if !multi.is_empty() => multi.into_iter().collect(),
        HeaderMode::SingleValue if single.len() == 0 => multi.into_iter().collect(),
        _ => single.collect(),
    };
    for (name, values) in headers {
        let name = HeaderName::try_from(name).map_err(|error| invalid(&error))?;
        for value in values {
            let value = HeaderValue::try_from(value).map_err(|error| invalid(&error))?;
            response.headers_mut().append(name.clone(), value);
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_back_as_the_same_request() {
        for mode in [HeaderMode::MultiValue, HeaderMode::SingleValue] {
            let mut request = Request::builder()
                .method("PUT")
                .uri("/a%2F/../b?x=1&y=a%26=b")
                .header("a", "\"1\"");
            if mode == HeaderMode::MultiValue {
                request = request.header("a", "2").uri("/a%2F/../b?x=1&x=&y=a%26=b");
            }
            let ingress = Ingress {
                target_group: Some("arn".to_owned()),
                function_request_id: None,
            };
            let (parts, ()) = request.extension(ingress).body(()).unwrap().into_parts();
            let event = event(&parts, &parts.headers, &Body::Binary(vec![0, 255]), mode);
            let read: alb_mtls_alb::Event = serde_json::from_value(event).unwrap();
            let read = read.into_request().unwrap();
            assert_eq!((read.method(), read.uri()), (&parts.method, &parts.uri));
            assert_eq!(read.headers(), &parts.headers);
            assert_eq!(*read.body(), Body::Binary(vec![0, 255]));
        }
    }

    #[test]
    fn answers_are_read_in_the_form_of_the_request() {
        let payload = br#"{"statusCode": 201, "headers": {"A": "0"}, "multiValueHeaders": {"A": ["1", "2"]},
            "body": "AP8=", "isBase64Encoded": true, "statusDescription": "201 Created"}"#;
        let multi = to_response(payload, HeaderMode::MultiValue).unwrap();
        assert_eq!(
            multi.headers().get_all("a").iter().collect::<Vec<_>>(),
            ["1", "2"]
        );
        assert_eq!(
            (multi.status().as_u16(), multi.body().as_ref()),
            (201, [0, 255].as_slice())
        );
        let single = to_response(payload, HeaderMode::SingleValue).unwrap();
        assert_eq!(single.headers()["a"], "0");
    }

    #[test]
    fn what_no_load_balancer_would_take_is_a_failure() {
        for payload in [
            r"{}",
            r"null",
            r#""hello""#,
            r#"{"statusCode": "200"}"#,
            r#"{"statusCode": 99}"#,
            r#"{"statusCode": 200, "headers": {"a": 1}}"#,
            r#"{"statusCode": 200, "headers": {"a b": "1"}}"#,
            r#"{"statusCode": 200, "headers": {"a": "1\n"}}"#,
            r#"{"statusCode": 200, "body": "%", "isBase64Encoded": true}"#,
        ] {
            let answer = to_response(payload.as_bytes(), HeaderMode::MultiValue);
            assert!(matches!(answer, Err(Failure::Protocol(_))), "{payload}");
        }
    }
}
