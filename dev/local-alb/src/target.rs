use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

use crate::event::HeaderMode;
use crate::function_command::FunctionCommand;

/// A target group and the paths that the listener's rules send to it.
#[derive(Clone, Debug)]
pub struct TargetGroup {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) header_mode: HeaderMode,
    pub(crate) health_checks: Option<HealthChecks>,
    pub(crate) path_prefixes: Vec<String>,
    pub(crate) target: Target,
}

impl TargetGroup {
    /// A target group for every path, in single-value mode and without health checks, as ALB has it
    /// by default.
    pub fn new(name: impl Into<String>, target: Target) -> Self {
        let name = name.into();
        Self {
            arn: format!(
                "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/{name}/50dc6c495c0c9188"
            ),
            name,
            header_mode: HeaderMode::SingleValue,
            health_checks: None,
            path_prefixes: vec!["/".to_owned()],
            target,
        }
    }

    /// Returns the ARN in `requestContext`.
    #[must_use]
    pub fn arn(mut self, arn: impl Into<String>) -> Self {
        self.arn = arn.into();
        self
    }

    /// Sets the attribute `lambda.multi_value_headers.enabled`.
    #[must_use]
    pub fn header_mode(mut self, header_mode: HeaderMode) -> Self {
        self.header_mode = header_mode;
        self
    }

    /// Switches health checks on.
    #[must_use]
    pub fn health_checks(mut self, health_checks: HealthChecks) -> Self {
        self.health_checks = Some(health_checks);
        self
    }

    /// Sets the prefixes of the paths that belong to this group; the longest prefix of all
    /// groups first. A prefix `/api` is ALB's path pattern `/api*`.
    #[must_use]
    pub fn path_prefixes(mut self, prefixes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.path_prefixes = prefixes.into_iter().map(Into::into).collect();
        self
    }
}

/// Target that answers the requests of a target group.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Target {
    /// A built function, run by the load balancer itself.
    Function {
        /// The program.
        command: FunctionCommand,
        /// Number of concurrent requests, each in a separate environment. The first one
        /// is started with the load balancer, the others when they are needed. More requests wait,
        /// where Lambda would throttle.
        concurrency: NonZeroUsize,
    },
    /// An HTTP/1.1 server (ALB's `ip` target type): it gets the request itself, with ALB's headers
    /// added.
    Http(SocketAddr),
    /// A function behind a Lambda Invoke endpoint.
    InvokeUrl {
        /// The endpoint.
        url: InvokeUrl,
        /// Timeout of an invocation.
        timeout: Duration,
    },
}

/// The health checks of a target group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HealthChecks {
    /// From one check to the next; ALB allows 5 to 300 seconds.
    pub interval: Duration,
    /// The path that is asked for, `/` by default.
    pub path: String,
}

impl HealthChecks {
    /// Checks of `/`.
    pub fn every(interval: Duration) -> Self {
        Self {
            interval,
            path: "/".to_owned(),
        }
    }
}

/// A Lambda Invoke endpoint over plain HTTP, such as
/// `http://127.0.0.1:9000/2015-03-31/functions/respond/invocations`.
///
/// ```
/// let url: local_alb::InvokeUrl = "http://localhost/2015-03-31/functions/respond/invocations".parse().unwrap();
/// assert_eq!(url.function_name(), Some("respond"));
/// assert!("https://localhost/".parse::<local_alb::InvokeUrl>().is_err());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvokeUrl {
    pub(crate) authority: Authority,
    pub(crate) path: PathAndQuery,
}

impl InvokeUrl {
    /// Returns the function that the path names in the way of Lambda's Invoke operation.
    pub fn function_name(&self) -> Option<&str> {
        let (_, rest) = self.path.path().split_once("/functions/")?;
        let (name, operation) = rest.split_once('/')?;
        (operation == "invocations" && !name.is_empty()).then_some(name)
    }
}

impl FromStr for InvokeUrl {
    type Err = InvokeUrlError;

    fn from_str(text: &str) -> Result<Self, InvokeUrlError> {
        let uri: Uri = text.parse().map_err(|_| InvokeUrlError)?;
        let parts = uri.into_parts();
        match (parts.scheme, parts.authority, parts.path_and_query) {
            (Some(scheme), Some(authority), Some(path)) if scheme == Scheme::HTTP => {
                Ok(Self { authority, path })
            }
            _ => Err(InvokeUrlError),
        }
    }
}

/// A URL that no function can be invoked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an invoke URL is `http://HOST:PORT/2015-03-31/functions/NAME/invocations`")]
pub struct InvokeUrlError;
