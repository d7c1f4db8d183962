//! Traces of requests, sent to an OpenTelemetry collector by OTLP where that is asked for.
//!
//! A request is a span of its own, from its head to the last byte of the response, and what the
//! upstream did until the head of its response is a span below it. The trace is the one that
//! `traceparent` names, or else the load balancer's in `X-Amzn-Trace-Id`.

#[cfg(not(feature = "otlp"))]
mod none;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "otlp")]
mod parent;

#[cfg(not(feature = "otlp"))]
pub(crate) use none::{Span, Traces};
#[cfg(feature = "otlp")]
pub(crate) use otlp::{Span, Traces};

use std::str::FromStr;

use alb_mtls_settings::Percent;
use http::Uri;
use http::uri::Scheme;

/// Settings of the traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TraceSettings {
    /// Collector that takes them; without one there are none.
    pub(crate) collector: Option<Collector>,
    /// Share of the traces that are recorded.
    pub(crate) share: Percent,
}

/// Address of an OpenTelemetry collector: OTLP over HTTP, in Protocol Buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Collector(Uri);

impl FromStr for Collector {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Option<Uri> = text.parse().ok();
        uri.filter(|uri| uri.scheme() == Some(&Scheme::HTTP) && uri.path() != "/" && uri.query().is_none())
            .map(Self)
            .ok_or("`off`, or the whole address of a collector, such as `http://127.0.0.1:4318/v1/traces`")
    }
}

/// Kind of request that a span is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The reverse proxy passes the request on.
    Proxied,
    /// A proxy asks about the request.
    Asked,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collector_has_a_whole_address() {
        let collector = "http://otel.example:4318/v1/traces".parse();
        assert_eq!(
            collector,
            Ok(Collector(Uri::from_static("http://otel.example:4318/v1/traces")))
        );
        for wrong in [
            "",
            "on",
            "127.0.0.1:4318",
            "http://127.0.0.1:4318",
            "http://127.0.0.1:4318/",
            "http://127.0.0.1:4318/v1/traces?a",
            "https://127.0.0.1:4318/v1/traces",
            "grpc://127.0.0.1:4317/v1/traces",
        ] {
            assert!(wrong.parse::<Collector>().is_err(), "{wrong}");
        }
    }
}
