//! Explanation of an SDK error: what the operator can do about it.

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::fetch_error::FetchError;

/// Returns the HTTP status of the response, when there was one.
pub(crate) fn status_of<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Returns the error code of the response, as the service's reference lists it.
pub(crate) fn code_of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// Explains what does not depend on the operation: the network, and the health and limits of the
/// service.
pub(crate) fn explain<E>(error: SdkError<E, HttpResponse>) -> FetchError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let status = status_of(&error);
    let code = code_of(&error).map(ToOwned::to_owned);
    let message = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::message)
        .map(ToOwned::to_owned);
    match error {
        SdkError::TimeoutError(_) => FetchError::Unreachable("the attempts took too long".into()),
        SdkError::ConstructionFailure(_) => {
            FetchError::Setup(format!("the request could not be made: {}", causes(&error)))
        }
        SdkError::DispatchFailure(ref failure) if failure.is_user() => {
            FetchError::Setup(format!("the request could not be sent: {}", causes(&error)))
        }
        SdkError::DispatchFailure(_) => FetchError::Unreachable(causes(&error)),
        // The page of a proxy or captive portal, or half a response.
        _ if status.is_some_and(|status| status < 300) => {
            FetchError::Unreachable(format!("the answer could not be read: {}", causes(&error)))
        }
        _ => {
            let text = describe(status, code.as_deref(), message.as_deref());
            if is_throttling(status, code.as_deref()) {
                FetchError::Throttled(text)
            } else {
                FetchError::Service(format!("the service answered {text}"))
            }
        }
    }
}

/// Returns status, code and message, such as `403 AccessDenied: …`, as far as they are known.
pub(crate) fn describe(status: Option<u16>, code: Option<&str>, message: Option<&str>) -> String {
    let status = status.map(|status| status.to_string());
    let words: Vec<&str> = [status.as_deref(), code].into_iter().flatten().collect();
    match message {
        Some(message) if !message.is_empty() => format!("{}: {}", words.join(" "), shortened(message)),
        _ => words.join(" "),
    }
}

fn is_throttling(status: Option<u16>, code: Option<&str>) -> bool {
    status == Some(429)
        || code.is_some_and(|code| {
            code.contains("Throttl")
                || matches!(
                    code,
                    "SlowDown" | "RequestLimitExceeded" | "TooManyRequestsException"
                )
        })
}

/// Returns the texts of an error's causes, each once, in one line.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !texts.iter().any(|earlier| earlier.contains(&text)) {
            texts.push(text);
        }
        next = cause.source();
    }
    if texts.is_empty() {
        texts.push(error.to_string());
    }
    shortened(&texts.join(": "))
}

/// Returns text from a service that fits in one line of a log. 400 characters have room for status,
/// code and a sentence.
fn shortened(text: &str) -> String {
    const MOST: usize = 400;
    let printable = |character: char| if character.is_control() { ' ' } else { character };
    text.chars().map(printable).take(MOST).collect()
}
