//! Places that connections lead to.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

/// Place that a connection leads to, and what is spoken over it. Equal endpoints share connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// `http` or `https`.
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    /// Unix socket in place of a TCP connection to the authority.
    pub(crate) socket: Option<Arc<Path>>,
    pub(crate) protocol: Protocol,
}

/// Version of HTTP over a connection. It is the operator's choice, never a negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Protocol {
    /// HTTP/1.1: one exchange at a time.
    Http1,
    /// HTTP/2: exchanges side by side.
    Http2,
}

impl Endpoint {
    /// Returns true if connections use TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Returns the URL that the connector takes.
    pub(crate) fn url(&self) -> Result<Uri, http::Error> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(PathAndQuery::from_static("/"))
            .build()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(socket) = &self.socket {
            return write!(formatter, "unix:{}", socket.display());
        }
        let scheme = match (self.protocol, self.is_tls()) {
            (Protocol::Http1, _) => self.scheme.as_str(),
            (Protocol::Http2, false) => "h2c",
            (Protocol::Http2, true) => "h2",
        };
        write!(formatter, "{scheme}://{}", self.authority)
    }
}
