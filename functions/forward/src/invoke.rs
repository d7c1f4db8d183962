//! Another Lambda function as the upstream, called through Lambda's Invoke API.
//!
//! A call is one exchange through an [`UpstreamClient`], as with a server, signed by `aws-sigv4`.
//! The SDK's client for Lambda would be a second HTTP stack. Calls are not a cargo feature: they
//! add 0.1 MB to a compressed binary of 7.7 MB, and do not make the start slower (measured: 2.7 ms
//! to the first poll with them, 3.2 ms without).

mod answer;

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use alb_mtls_lambda::{EventForm, rewrite};
use alb_mtls_proxy::{ForwardError, Function, Secrets, Server, TlsSettings, UpstreamClient};
use alb_mtls_trust::TrustSettings;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri};
use lambda_runtime::Context;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::exchange::{Bounds, Retry, exchange};

/// Most bytes that Lambda answers with.
///
/// Source: AWS Lambda developer guide, "Lambda quotas", synchronous payload.
const MAXIMUM_PAYLOAD: usize = 6 * 1024 * 1024;

/// Says that the function failed, and how.
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");

/// Names the exception that Lambda answers with.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Carries the trace of the invocation, by which Lambda finds out that functions call each other in
/// circles.
const TRACE: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Characters that are escaped in a path segment and a query: all but those that RFC 3986 does not
/// reserve.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Longest part of a foreign message that goes into a record, in characters.
const MAXIMUM_MESSAGE: usize = 300;

/// Calls functions, as the function that this process is.
#[derive(Debug)]
pub(crate) struct Invoker {
    upstream_client: UpstreamClient,
    form: EventForm,
    endpoint: Option<Server>,
    region: Option<String>,
    credentials: Credentials,
}

impl Invoker {
    /// Creates an invoker of these functions with the process's own region and credentials, from
    /// the variables `AWS_…` of its environment.
    ///
    /// # Errors
    /// Returns one line for the operator that says what is missing, or which function is this one
    /// itself.
    pub(crate) fn from_environment<'a>(
        functions: impl IntoIterator<Item = &'a Function>,
        form: EventForm,
        timeout: Duration,
        trust: &TrustSettings,
    ) -> Result<Self, String> {
        let endpoint = match ["AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL"]
            .iter()
            .find_map(|name| Some((name, variable(name)?)))
        {
            None => None,
            Some((name, value)) => {
                let endpoint = value.parse::<Server>();
                Some(endpoint.map_err(|error| format!("{name} holds `{value}`: it takes {error}"))?)
            }
        };
        let secret = |name| {
            variable(name).ok_or_else(|| {
                format!(
                    "{name} is not set: a `lambda:` upstream is invoked with the function's own credentials"
                )
            })
        };
        let tls = TlsSettings::default();
        let any_tls = endpoint.as_ref().is_none_or(Server::is_tls);
        let invoker = Self {
            upstream_client: UpstreamClient::new(timeout, &tls, any_tls, trust)?,
            form,
            endpoint,
            region: variable("AWS_REGION"),
            credentials: Credentials::new(
                secret("AWS_ACCESS_KEY_ID")?,
                secret("AWS_SECRET_ACCESS_KEY")?,
                variable("AWS_SESSION_TOKEN"),
                None,
                "environment",
            ),
        };
        for function in functions {
            invoker.check(function)?;
        }
        Ok(invoker)
    }

    /// Makes the client now, so that the first request does not wait for it.
    ///
    /// # Errors
    /// [`ForwardError::Material`] when it cannot be made.
    pub(crate) async fn load(&self, secrets: &Secrets) -> Result<(), ForwardError> {
        self.upstream_client.load(secrets).await
    }

    /// Returns the function's answer to the event `sent`, whose request the gate allowed, with
    /// `identity` among its headers.
    ///
    /// # Errors
    /// [`ForwardError`] when there is none.
    pub(crate) async fn invoke(
        &self,
        function: &Function,
        parts: &Parts,
        sent: &[u8],
        identity: HeaderMap,
        secrets: &Secrets,
    ) -> Result<Response<Bytes>, ForwardError> {
        let context = parts.extensions.get::<Context>();
        if context.is_some_and(|context| function.is_invoked_as(&context.invoked_function_arn)) {
            return Err(ForwardError::Invoke("it is this function itself".to_owned()));
        }
        let sent = std::str::from_utf8(sent).map_err(|error| ForwardError::Event(error.to_string()))?;
        let (event, mode) = rewrite(sent, &parts.headers, &identity.into(), self.form)
            .map_err(|error| ForwardError::Event(error.to_string()))?;
        let trace = context.and_then(|context| context.xray_trace_id.as_deref());
        let unmade = |error| ForwardError::Invoke(format!("the call cannot be made: {error}"));
        let region = self.region_of(function);
        let region = region.ok_or_else(|| unmade("no region is known".to_owned()))?;
        let request = self
            .request(function, region, Bytes::from(event), trace)
            .map_err(unmade)?;
        let lambda = self.lambda(region).map_err(unmade)?;
        let bounds = Bounds {
            retry: Retry::for_method(&parts.method),
            maximum_body: MAXIMUM_PAYLOAD,
            deadline: context.map(Context::deadline),
        };
        let answer = exchange(&self.upstream_client, lambda.endpoint(), request, bounds, secrets).await?;
        if answer.status() != StatusCode::OK {
            return Err(refusal(function, &answer));
        }
        if let Some(kind) = answer.headers().get(FUNCTION_ERROR) {
            let kind = shortened(kind.as_bytes());
            return Err(ForwardError::Function(format!(
                "{kind}: {}",
                shortened(answer.body())
            )));
        }
        answer::read(answer.body(), mode)
    }

    fn check(&self, function: &Function) -> Result<(), String> {
        let Some(region) = self.region_of(function) else {
            return Err(format!(
                "`{function}` is in no known region: set AWS_REGION, or name the function by its ARN"
            ));
        };
        if variable("AWS_LAMBDA_FUNCTION_NAME").is_some_and(|name| name == function.name) {
            return Err(format!(
                "`{function}` is this function itself, which would call itself without end"
            ));
        }
        let url = self.url(function, region);
        match url.parse::<Uri>() {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("`{function}` cannot be reached at `{url}`: {error}")),
        }
    }

    /// Returns Lambda as a server.
    fn lambda(&self, region: &str) -> Result<Server, String> {
        match &self.endpoint {
            Some(endpoint) => Ok(endpoint.clone()),
            None => endpoint_in(region).parse::<Server>().map_err(to_text),
        }
    }

    fn region_of<'a>(&'a self, function: &'a Function) -> Option<&'a str> {
        function.region().or(self.region.as_deref())
    }

    fn request(
        &self,
        function: &Function,
        region: &str,
        event: Bytes,
        trace: Option<&str>,
    ) -> Result<Request<Bytes>, String> {
        let url = self.url(function, region);
        let mut request = Request::new(event);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.parse().map_err(to_text)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(trace) = trace {
            headers.insert(TRACE, HeaderValue::try_from(trace).map_err(to_text)?);
        }
        let signature = self.sign(&url, region, request.body())?;
        request.headers_mut().extend(signature);
        Ok(request)
    }

    /// Returns the headers that sign a call (AWS Signature Version 4).
    fn sign(&self, url: &str, region: &str, event: &[u8]) -> Result<HeaderMap, String> {
        let identity = self.credentials.clone().into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name("lambda")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(to_text)?
            .into();
        let content_type = std::iter::once(("content-type", "application/json"));
        let call = SignableRequest::new("POST", url, content_type, SignableBody::Bytes(event));
        let (instructions, _) = sign(call.map_err(to_text)?, &parameters)
            .map_err(to_text)?
            .into_parts();
        let mut headers = HeaderMap::new();
        for (name, value) in instructions.headers() {
            let mut value = HeaderValue::try_from(value).map_err(to_text)?;
            value.set_sensitive(true);
            headers.insert(HeaderName::try_from(name).map_err(to_text)?, value);
        }
        Ok(headers)
    }

    /// Returns the URL of a call.
    ///
    /// Source: Lambda API reference, "Invoke".
    fn url(&self, function: &Function, region: &str) -> String {
        let endpoint = match &self.endpoint {
            Some(endpoint) => endpoint.to_string(),
            None => endpoint_in(region),
        };
        let name = utf8_percent_encode(&function.name, ESCAPED);
        let qualifier = match &function.qualifier {
            Some(qualifier) => format!("?Qualifier={}", utf8_percent_encode(qualifier, ESCAPED)),
            None => String::new(),
        };
        format!("{endpoint}/2015-03-31/functions/{name}/invocations{qualifier}")
    }
}

/// Returns the URL of Lambda in a Region.
fn endpoint_in(region: &str) -> String {
    let domain = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("https://lambda.{region}.{domain}")
}

/// Returns the reason why Lambda did not run the function.
///
/// Source: Lambda API reference, "Invoke", errors.
fn refusal(function: &Function, answer: &Response<Bytes>) -> ForwardError {
    let error_type = answer.headers().get(ERROR_TYPE);
    let explanation = format!(
        "{} {}: {}",
        answer.status().as_u16(),
        error_type.map_or_else(|| "without a type".to_owned(), |kind| shortened(kind.as_bytes())),
        message(answer.body())
    );
    match answer.status() {
        StatusCode::TOO_MANY_REQUESTS => ForwardError::Throttled(explanation),
        StatusCode::FORBIDDEN => ForwardError::Invoke(format!(
            "allow this function's role lambda:InvokeFunction on `{function}` ({explanation})"
        )),
        _ => ForwardError::Invoke(explanation),
    }
}

#[derive(Deserialize)]
struct ServiceError {
    #[serde(alias = "Message", alias = "errorMessage")]
    message: String,
}

/// Returns the message in an error from Lambda, or else the start of the body.
fn message(body: &[u8]) -> String {
    match serde_json::from_slice::<ServiceError>(body) {
        Ok(error) => shortened(error.message.as_bytes()),
        Err(_) => shortened(body),
    }
}

/// Returns the start of a message as one line.
fn shortened(message: &[u8]) -> String {
    let message = String::from_utf8_lossy(message);
    message
        .chars()
        .take(MAXIMUM_MESSAGE)
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect()
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn to_text(error: impl Display) -> String {
    error.to_string()
}
