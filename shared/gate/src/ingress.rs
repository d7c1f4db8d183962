//! The way that a request took to the gate.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Way that a request took, as far as the edge knows: a request extension that the edge sets.
///
/// Without it the request came over HTTP, to a container that is an IP target of the load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingress {
    /// ARN of the target group in the Lambda event.
    pub target_group: Option<String>,
    /// Lambda's id of the invocation.
    pub function_request_id: Option<String>,
    /// Lambda's trace id of the invocation, for X-Ray.
    pub xray_trace_id: Option<String>,
    /// The Lambda function.
    pub function: Option<Arc<FunctionFacts>>,
    /// Time at which Lambda ends the invocation.
    pub deadline: Option<SystemTime>,
}

impl Ingress {
    /// Returns the time until Lambda ends the invocation; `None` where there is no end.
    pub fn time_left(&self) -> Option<Duration> {
        let left = self.deadline?.duration_since(SystemTime::now());
        Some(left.unwrap_or_default())
    }
}

/// A Lambda function, by the names that Powertools for AWS Lambda uses in records.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FunctionFacts {
    /// Name of the function.
    #[serde(rename = "function_name")]
    pub name: String,
    /// Version of the function, such as `$LATEST`.
    #[serde(rename = "function_version")]
    pub version: String,
}
