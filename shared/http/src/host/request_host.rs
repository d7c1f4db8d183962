//! Host of a request.

use std::fmt;

use http::header::{HOST, HeaderValue};
use http::request::Parts;

use super::name::{Host, InvalidHost};

/// Length of the longest value that an error quotes: a name and a port fit in.
const MAX_QUOTED: usize = 260;

/// Reason for which the host of a request cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableHost {
    /// Several Host headers. Servers differ in which one counts, although RFC 9112 §3.2 requires
    /// them to reject the request.
    #[error("the request has several Host headers")]
    Repeated,
    /// Host header that does not name a host.
    #[error("the Host header `{value}` cannot be read: {reason}")]
    Invalid {
        /// Value in visible ASCII characters, at most 260 of them.
        value: String,
        /// Reason for which the value is not a host.
        reason: InvalidHost,
    },
    /// Request target with an authority that does not name a host.
    #[error("the authority `{value}` in the request target cannot be read: {reason}")]
    InvalidAuthority {
        /// Authority in visible ASCII characters, at most 260 of them.
        value: String,
        /// Reason for which the authority is not a host.
        reason: InvalidHost,
    },
    /// Request target for one host and Host header for another.
    #[error("the request target is for the host `{target}` and the Host header for `{header}`")]
    Contradiction {
        /// Host in the target.
        target: Host,
        /// Host in the header.
        header: Host,
    },
}

/// Host of a request, as far as the request tells it. Absent and unreadable hosts are different
/// cases, and no other host stands in for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestHost {
    /// Request that does not name a host.
    Absent,
    /// Request that names a host that servers can read differently.
    Unreadable(UnreadableHost),
    /// Request for this host.
    Named(Host),
}

impl RequestHost {
    /// Reads the host of a request from its Host header, and from its target if that has an
    /// authority (absolute form in HTTP/1.1, `:authority` in HTTP/2). The two must agree.
    ///
    /// A load balancer passes several Host headers on as they came (Elastic Load Balancing user
    /// guide, "Host header preservation").
    pub fn from_parts(request: &Parts) -> Self {
        match read(request) {
            Ok(Some(host)) => Self::Named(host),
            Ok(None) => Self::Absent,
            Err(unreadable) => Self::Unreadable(unreadable),
        }
    }

    /// Reads the value of the only Host header; `None` when there is none.
    pub fn from_header(value: Option<&str>) -> Self {
        match value.map(|value| header_host(value.as_bytes())) {
            Some(Ok(host)) => Self::Named(host),
            None => Self::Absent,
            Some(Err(unreadable)) => Self::Unreadable(unreadable),
        }
    }

    /// Returns the host if the request names a readable one.
    pub fn named(&self) -> Option<&Host> {
        match self {
            Self::Named(host) => Some(host),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }
}

/// Writes one sentence for the audit record of a request that is rejected for its host.
impl fmt::Display for RequestHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => formatter.write_str("the request has no Host header"),
            Self::Unreadable(unreadable) => unreadable.fmt(formatter),
            Self::Named(host) => write!(formatter, "the request is for the host `{host}`"),
        }
    }
}

fn read(request: &Parts) -> Result<Option<Host>, UnreadableHost> {
    let mut headers = request.headers.get_all(HOST).iter();
    let header = match (headers.next(), headers.next()) {
        (Some(_), Some(_)) => return Err(UnreadableHost::Repeated),
        (only, _) => only.map(HeaderValue::as_bytes).map(header_host).transpose()?,
    };
    let target = request.uri.authority().map(|authority| {
        Host::parse_with_port(authority.as_str()).map_err(|reason| UnreadableHost::InvalidAuthority {
            value: quoted(authority.as_str().as_bytes()),
            reason,
        })
    });
    match (header, target.transpose()?) {
        (Some(header), Some(target)) if header != target => {
            Err(UnreadableHost::Contradiction { target, header })
        }
        (header, target) => Ok(header.or(target)),
    }
}

fn header_host(value: &[u8]) -> Result<Host, UnreadableHost> {
    let host = std::str::from_utf8(value).map_err(|_| InvalidHost::Character);
    host.and_then(Host::parse_with_port)
        .map_err(|reason| UnreadableHost::Invalid {
            value: quoted(value),
            reason,
        })
}

fn quoted(value: &[u8]) -> String {
    value.escape_ascii().map(char::from).take(MAX_QUOTED).collect()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn request_host(target: &str, hosts: &[&[u8]]) -> RequestHost {
        let mut request = Request::builder().uri(target);
        for host in hosts {
            request = request.header("host", *host);
        }
        RequestHost::from_parts(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn header_and_target_must_agree() {
        let named = |host: &str| RequestHost::Named(Host::parse(host).unwrap());
        assert_eq!(request_host("/", &[]), RequestHost::Absent);
        assert_eq!(request_host("/", &[b"a.example"]), named("a.example"));
        assert_eq!(request_host("http://A.example/", &[]), named("a.example"));
        assert_eq!(
            request_host("http://a.example:80/", &[b"A.example"]),
            named("a.example")
        );
        for (target, hosts) in [
            ("/", &[&b"a.example"[..], b"a.example"][..]),
            ("/", &[b"a.example", b"b.example"]),
            ("http://a.example/", &[b"b.example"]),
            ("http://u@a.example/", &[b"a.example"]),
            ("http://a.example/", &[b""]),
            ("/", &[b""]),
            ("/", &[b"\xff.example"]),
            ("/", &[b" a.example"]),
        ] {
            let host = request_host(target, hosts);
            assert!(
                matches!(host, RequestHost::Unreadable(_)),
                "{target} {hosts:?}: {host:?}"
            );
        }
    }

    #[test]
    fn an_explanation_is_one_short_line_of_ascii() {
        let long = "\u{202e}\r\n\0".repeat(1_000);
        let text = RequestHost::from_header(Some(&long)).to_string();
        assert!(
            text.is_ascii() && !text.contains(|character: char| character.is_control()),
            "{text}"
        );
        assert!(text.len() < 400, "{}", text.len());
    }
}
