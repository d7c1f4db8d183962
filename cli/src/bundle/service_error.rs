//! Explanation of a call of AWS that failed.

use aws_sdk_ssm::config::http::HttpResponse;
use aws_sdk_ssm::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// Returns one line: what could not be done, what the service says of it, and the permission where
/// that is what is missing.
pub(crate) fn explain<E>(error: SdkError<E, HttpResponse>, action: &str, permission: &str) -> String
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let denied = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
        .is_some_and(|code| code.starts_with("AccessDenied"));
    let advice = if denied {
        format!("; it takes {permission}")
    } else {
        String::new()
    };
    let message = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::message)
        .map(ToOwned::to_owned);
    let message = message.unwrap_or_else(|| DisplayErrorContext(error).to_string());
    format!("cannot {action}: {message}{advice}")
}
