//! Invocation, as the Runtime API describes it in the headers of an event.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use lambda_runtime::Context;
use serde::de::DeserializeOwned;

use crate::runtime_api::ErrorReport;

/// Header with the id of the invocation.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
/// Header with the time at which Lambda ends the invocation, in milliseconds since 1970.
const DEADLINE: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
/// Header that tells an attempt at an invocation from others with its request id; the answer
/// repeats it.
pub(crate) const INVOCATION_ID: HeaderName = HeaderName::from_static("lambda-runtime-invocation-id");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");
const CLIENT_CONTEXT: HeaderName = HeaderName::from_static("lambda-runtime-client-context");
const IDENTITY: HeaderName = HeaderName::from_static("lambda-runtime-cognito-identity");
const TENANT_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-tenant-id");

/// Error type of an invocation whose headers cannot be read.
const MALFORMED: &str = "AlbMtls.MalformedInvocation";

/// Ids by which an answer names its invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvocationId {
    request_id: String,
    invocation_id: Option<HeaderValue>,
}

impl InvocationId {
    /// Reads the ids from the headers of an event. Returns `None` without a request id that can
    /// stand in a path.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let request_id = headers.get(REQUEST_ID)?.to_str().ok()?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        (!request_id.is_empty() && request_id.bytes().all(is_plain)).then(|| Self {
            request_id: request_id.to_owned(),
            invocation_id: headers.get(INVOCATION_ID).cloned(),
        })
    }

    /// Returns Lambda's id of the invocation.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    pub(crate) fn headers(&self) -> HeaderMap {
        let invocation_id = self.invocation_id.iter().cloned();
        invocation_id.map(|value| (INVOCATION_ID, value)).collect()
    }
}

/// An event with its invocation's headers.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Ids for the answer.
    pub id: InvocationId,
    /// Headers that describe the invocation.
    pub headers: HeaderMap,
    /// Payload as it was sent.
    pub event: Bytes,
}

impl Invocation {
    /// Returns the context that a handler gets: `function`, which has what is the same for each
    /// invocation, with what this one's headers say.
    ///
    /// # Errors
    /// The answer to the invocation, when a header is missing or cannot be read.
    pub(crate) fn context(&self, function: &Context) -> Result<Context, ErrorReport> {
        let mut context = function.clone();
        context.request_id.clone_from(&self.id.request_id);
        context.deadline = self.text(&DEADLINE)?.parse().map_err(|_| malformed(&DEADLINE))?;
        if self.headers.contains_key(FUNCTION_ARN) {
            self.text(&FUNCTION_ARN)?
                .clone_into(&mut context.invoked_function_arn);
        }
        context.xray_trace_id = trace_id(&self.headers);
        context.tenant_id = lossy(&self.headers, &TENANT_ID);
        context.client_context = self.json(&CLIENT_CONTEXT)?;
        context.identity = self.json(&IDENTITY)?;
        Ok(context)
    }

    fn text(&self, name: &HeaderName) -> Result<&str, ErrorReport> {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.ok_or_else(|| malformed(name))
    }

    /// Returns the value of a header in JSON; an empty one is the same as none.
    fn json<T: DeserializeOwned>(&self, name: &HeaderName) -> Result<Option<T>, ErrorReport> {
        match self.headers.get(name) {
            Some(value) if !value.is_empty() => match serde_json::from_slice(value.as_bytes()) {
                Ok(value) => Ok(Some(value)),
                Err(_) => Err(malformed(name)),
            },
            _ => Ok(None),
        }
    }
}

fn malformed(name: &HeaderName) -> ErrorReport {
    ErrorReport {
        error_type: MALFORMED.to_owned(),
        message: format!("the invocation's header `{name}` is missing or cannot be read"),
    }
}

/// Returns the time at which Lambda ends the invocation with these headers.
pub fn deadline(headers: &HeaderMap) -> Option<SystemTime> {
    let milliseconds = headers.get(DEADLINE)?.to_str().ok()?.parse().ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds))
}

/// Returns the X-Ray trace id of the invocation with these headers.
pub fn trace_id(headers: &HeaderMap) -> Option<String> {
    lossy(headers, &TRACE_ID)
}

fn lossy(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation(headers: &[(&'static str, &str)]) -> Option<Invocation> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_bytes(value.as_bytes()).unwrap(),
                )
            })
            .collect();
        Some(Invocation {
            id: InvocationId::from_headers(&headers)?,
            headers,
            event: Bytes::new(),
        })
    }

    const ID: (&str, &str) = (
        "lambda-runtime-aws-request-id",
        "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
    );
    const DEADLINE: (&str, &str) = ("lambda-runtime-deadline-ms", "1542409706888");

    #[test]
    fn request_ids_unfit_for_a_path_are_ignored() {
        for id in ["", "a/../b", "a?b", "a b", "%2e", "ü"] {
            let name = "lambda-runtime-aws-request-id";
            assert!(invocation(&[(name, id), DEADLINE]).is_none(), "{id}");
        }
    }

    #[test]
    fn malformed_headers_name_themselves_in_the_answer() {
        let function = Context::default();
        for (headers, named) in [
            (&[ID][..], "lambda-runtime-deadline-ms"),
            (
                &[ID, ("lambda-runtime-deadline-ms", "soon")],
                "lambda-runtime-deadline-ms",
            ),
            (
                &[ID, DEADLINE, ("lambda-runtime-client-context", "{")],
                "lambda-runtime-client-context",
            ),
            (
                &[ID, DEADLINE, ("lambda-runtime-cognito-identity", "[]")],
                "lambda-runtime-cognito-identity",
            ),
        ] {
            let report = invocation(headers).unwrap().context(&function).unwrap_err();
            assert!(report.message.contains(named), "{}", report.message);
        }
    }

    #[test]
    fn context_has_what_the_headers_say() {
        let invocation = invocation(&[
            ID,
            DEADLINE,
            (
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:eu-west-1:123456789012:function:f",
            ),
            (
                "lambda-runtime-trace-id",
                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1",
            ),
            ("lambda-runtime-client-context", ""),
            ("lambda-runtime-invocation-id", "attempt-2"),
        ])
        .unwrap();
        let context = invocation.context(&Context::default()).unwrap();
        assert_eq!(context.request_id, ID.1);
        assert_eq!(context.deadline, 1_542_409_706_888);
        assert!(context.invoked_function_arn.ends_with(":function:f"));
        assert!(context.xray_trace_id.unwrap().starts_with("Root=1-5bef4de7"));
        assert_eq!(context.client_context, None);
        assert_eq!(invocation.id.headers()[INVOCATION_ID], "attempt-2");
        let deadline = deadline(&invocation.headers).unwrap();
        let since_epoch = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(since_epoch.as_millis(), 1_542_409_706_888);
    }
}
