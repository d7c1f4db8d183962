//! Upstreams in settings, and the addresses that are forbidden for them.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;

use alb_mtls_http::address::AddressClass;
use alb_mtls_http::climbs;
use alb_mtls_settings::Arn;
use http::Uri;
use http::uri::{Authority, InvalidUri, Parts, PathAndQuery, Scheme};

use crate::endpoint::{Endpoint, Protocol};

/// Most bytes in the path of a Unix socket (unix(7), `sun_path`, without the zero at its end).
const MAXIMUM_SOCKET: usize = 107;

/// Destination of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// An HTTP server.
    Server(Server),
    /// Another Lambda function, which gets the load balancer's event.
    Function(Function),
}

/// An HTTP server, by the URL of what it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    endpoint: Endpoint,
    /// Prefix of every path, without a slash at its end.
    base: String,
}

/// A Lambda function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Name of the function, or its ARN without the qualifier.
    pub name: String,
    /// A version or an alias.
    pub qualifier: Option<String>,
}

/// The text is not an upstream. Displays as what would be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUpstream {
    /// Neither the URL of a server nor a function.
    #[error(
        "a URL such as `http://10.0.0.7:8080`, `https://app.internal/base`, `h2c://grpc.internal:50051` or `h2://…`, `unix:/run/app.sock`, or `lambda:function`"
    )]
    NotUrl,
    /// Credentials, which would be in every log.
    #[error("a URL without user name and password")]
    UserInformation,
    /// A part that no request has a place for.
    #[error("a URL without query and fragment")]
    QueryOrFragment,
    /// Address at which no upstream is.
    #[error("a host that is not {0}")]
    Address(AddressClass),
    /// A Unix socket that is not named by an absolute path.
    #[error(
        "a Unix socket by its absolute path of at most {MAXIMUM_SOCKET} bytes, such as `unix:/run/app.sock`"
    )]
    NotSocket,
    /// No name and no ARN of a function.
    #[error("a function such as `lambda:name`, `lambda:name:alias` or `lambda:` and its ARN")]
    NotFunction,
}

/// Reason why a target cannot be sent to an upstream.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTarget {
    /// Some server would find it elsewhere.
    #[error("some server would find it outside of the upstream's base path")]
    LeavesBase,
    /// Not reached by a target that came through a load balancer.
    #[error("{0}")]
    NotUrl(#[from] http::Error),
}

impl Upstream {
    /// Returns what distinguishes one upstream from another, whatever the path: the audience of
    /// assertions for it.
    pub fn origin(&self) -> String {
        match self {
            Self::Server(server) => server.origin(),
            Self::Function(function) => function.to_string(),
        }
    }
}

impl FromStr for Upstream {
    type Err = InvalidUpstream;

    fn from_str(text: &str) -> Result<Self, InvalidUpstream> {
        match text.strip_prefix("lambda:") {
            Some(function) => function.parse().map(Self::Function),
            None => text.parse().map(Self::Server),
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(server) => server.fmt(formatter),
            Self::Function(function) => function.fmt(formatter),
        }
    }
}

impl Server {
    /// Returns what distinguishes it from other servers.
    fn origin(&self) -> String {
        self.endpoint.to_string()
    }

    /// Returns the place that connections to it lead to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns the value of the Host header for this upstream: `localhost` for a Unix socket.
    pub fn authority(&self) -> &Authority {
        &self.endpoint.authority
    }

    /// Returns true if this upstream is reached over TLS.
    pub fn is_tls(&self) -> bool {
        self.endpoint.is_tls()
    }

    /// Returns true if HTTP/2 is spoken with this upstream.
    pub fn is_http2(&self) -> bool {
        self.endpoint.protocol == Protocol::Http2
    }

    /// Returns the URL of a request's target at this upstream: the client's bytes after the base,
    /// which they cannot leave.
    ///
    /// # Errors
    /// [`InvalidTarget`].
    pub fn url(&self, target: &PathAndQuery) -> Result<Uri, InvalidTarget> {
        let target = if self.base.is_empty() {
            target.clone()
        } else if target.path() == "*" || climbs(target.path()) {
            return Err(InvalidTarget::LeavesBase);
        } else {
            PathAndQuery::try_from(format!("{}{target}", self.base)).map_err(http::Error::from)?
        };
        let mut parts = Parts::default();
        parts.scheme = Some(self.endpoint.scheme.clone());
        parts.authority = Some(self.endpoint.authority.clone());
        parts.path_and_query = Some(target);
        Ok(Uri::from_parts(parts).map_err(http::Error::from)?)
    }
}

impl Server {
    fn of_socket(path: &str) -> Result<Self, InvalidUpstream> {
        if !path.starts_with('/') || path.ends_with('/') || path.len() > MAXIMUM_SOCKET {
            return Err(InvalidUpstream::NotSocket);
        }
        Ok(Self {
            endpoint: Endpoint {
                scheme: Scheme::HTTP,
                authority: Authority::from_static("localhost"),
                socket: Some(Path::new(path).into()),
                protocol: Protocol::Http1,
            },
            base: String::new(),
        })
    }
}

impl FromStr for Server {
    type Err = InvalidUpstream;

    fn from_str(text: &str) -> Result<Self, InvalidUpstream> {
        if text.contains(['?', '#']) {
            return Err(InvalidUpstream::QueryOrFragment);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return Self::of_socket(path);
        }
        let (protocol, text) = match text.split_once("://") {
            Some(("h2c", rest)) => (Protocol::Http2, Cow::from(format!("http://{rest}"))),
            Some(("h2", rest)) => (Protocol::Http2, Cow::from(format!("https://{rest}"))),
            _ => (Protocol::Http1, Cow::from(text)),
        };
        let uri: Uri = text.parse().map_err(|_: InvalidUri| InvalidUpstream::NotUrl)?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(InvalidUpstream::NotUrl);
        };
        if authority.as_str().contains('@') {
            return Err(InvalidUpstream::UserInformation);
        }
        let has_valid_port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => true,
            _ => authority.port_u16().is_some_and(|port| port > 0),
        };
        let is_http = scheme == Scheme::HTTP || scheme == Scheme::HTTPS;
        if !is_http || authority.host().is_empty() || !has_valid_port {
            return Err(InvalidUpstream::NotUrl);
        }
        if let Some(address) = literal(authority.host()) {
            check(address).map_err(InvalidUpstream::Address)?;
        }
        let base = parts
            .path_and_query
            .map(|path| path.path().to_owned())
            .unwrap_or_default();
        let base = base.strip_suffix('/').map(str::to_owned).unwrap_or(base);
        Ok(Self {
            endpoint: Endpoint {
                scheme,
                authority,
                socket: None,
                protocol,
            },
            base,
        })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.origin(), self.base)
    }
}

impl Function {
    /// Returns the region in the function's ARN.
    pub fn region(&self) -> Option<&str> {
        Arn::split(&self.name).map(|arn| arn.region)
    }

    /// Returns true if an invocation through this ARN, with or without a qualifier, is an
    /// invocation of this function.
    pub fn is_invoked_as(&self, arn: &str) -> bool {
        arn.strip_prefix(&self.name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    }
}

impl FromStr for Function {
    type Err = InvalidUpstream;

    /// A name, `name:qualifier`, or an ARN with or without a qualifier.
    ///
    /// Source: Lambda API reference, "Invoke", FunctionName and Qualifier.
    fn from_str(text: &str) -> Result<Self, InvalidUpstream> {
        let (place, name) = match Arn::split(text) {
            Some(arn) => {
                let function = arn.resource.strip_prefix("function:");
                let function = function.filter(|_| arn.service == "lambda" && arn.is_in_one_account());
                let name = function.ok_or(InvalidUpstream::NotFunction)?;
                (text.strip_suffix(name).unwrap_or_default(), name)
            }
            None => ("", text),
        };
        let (name, qualifier) = match name.split_once(':') {
            Some((name, qualifier)) => (name, Some(qualifier)),
            None => (name, None),
        };
        let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let of_qualifier = |byte| of_name(byte) || b"$.".contains(&byte);
        if !is_word(name, of_name) || qualifier.is_some_and(|qualifier| !is_word(qualifier, of_qualifier)) {
            return Err(InvalidUpstream::NotFunction);
        }
        Ok(Self {
            name: format!("{place}{name}"),
            qualifier: qualifier.map(str::to_owned),
        })
    }
}

fn is_word(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(allowed)
}

impl fmt::Display for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "lambda:{}", self.name)?;
        match &self.qualifier {
            Some(qualifier) => write!(formatter, ":{qualifier}"),
            None => Ok(()),
        }
    }
}

/// Returns the address that is written as a URL's host.
fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Checks an address for an upstream: private ones are the normal case, but a name that leads to
/// the metadata services would hand their credentials to any client.
///
/// # Errors
/// The class of an address at which no upstream is.
pub(crate) fn check(address: IpAddr) -> Result<(), AddressClass> {
    match AddressClass::classify(address) {
        AddressClass::Public | AddressClass::Private => Ok(()),
        class @ (AddressClass::NoHost | AddressClass::LinkLocal | AddressClass::Metadata) => Err(class),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_go_behind_the_base_as_they_are() {
        for (upstream, target, expected) in [
            ("http://app", "/", "http://app/"),
            ("http://app/", "//x/../%2F;a?b=&c", "http://app//x/../%2F;a?b=&c"),
            ("https://app:8443/base", "/a", "https://app:8443/base/a"),
            ("https://app/base/", "//a", "https://app/base//a"),
        ] {
            let upstream: Server = upstream.parse().unwrap();
            assert_eq!(
                upstream.url(&target.parse().unwrap()).unwrap().to_string(),
                expected
            );
        }
    }

    #[test]
    fn a_target_does_not_leave_the_base() {
        let based: Server = "http://app/api/v1".parse().unwrap();
        let bare: Server = "http://app/".parse().unwrap();
        for target in [
            "/../admin",
            "/%2e%2e/admin",
            "/..;/admin",
            "/a/..%2f..",
            "/..?x",
            "*",
        ] {
            let target = target.parse().unwrap();
            assert!(
                matches!(based.url(&target), Err(InvalidTarget::LeavesBase)),
                "{target}"
            );
            assert!(bare.url(&target).is_ok(), "{target}");
        }
        for target in ["/a?b=../..", "/a..b", "//a"] {
            assert!(based.url(&target.parse().unwrap()).is_ok(), "{target}");
        }
    }

    #[test]
    fn addresses_of_metadata_services_are_refused_in_every_form() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.0.1",
            "fe80::1",
            "febf::1",
            "::ffff:169.254.169.254",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1:a9fe:a9:fe00:808:808",
            "64:ff9b:1::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "2001:0:101:101::5601:5601",
            "::169.254.169.254",
            "0.0.0.0",
            "0.0.0.1",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
        ] {
            assert!(check(address.parse().unwrap()).is_err(), "{address}");
        }
        for address in [
            "10.0.0.1",
            "127.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "::1",
            "fd00::1",
            "2001:db8::1",
            "64:ff9b::a00:1",
        ] {
            assert_eq!(check(address.parse().unwrap()), Ok(()), "{address}");
        }
    }

    #[test]
    fn the_protocol_and_the_socket_are_part_of_an_upstream() {
        for (text, url, is_tls, is_http2) in [
            ("http://app:1", "http://app:1/a", false, false),
            ("h2c://app:1", "http://app:1/a", false, true),
            ("h2://app/base", "https://app/base/a", true, true),
            ("unix:/run/app.sock", "http://localhost/a", false, false),
        ] {
            let server: Server = text.parse().unwrap();
            assert_eq!(server.to_string(), text);
            let target = "/a".parse().unwrap();
            assert_eq!(server.url(&target).unwrap().to_string(), url);
            assert_eq!((server.is_tls(), server.is_http2()), (is_tls, is_http2), "{text}");
        }
        for text in [
            "unix:app.sock",
            "unix:",
            "unix:/",
            "h2c:/app",
            "h2://",
            "h2c://169.254.169.254",
        ] {
            assert!(text.parse::<Upstream>().is_err(), "{text}");
        }
        assert!(format!("unix:/{}", "a".repeat(107)).parse::<Upstream>().is_err());
    }

    #[test]
    fn what_is_no_upstream_is_refused() {
        for text in [
            "",
            "app",
            "app:80",
            "/base",
            "http://",
            "http:///base",
            "http://app:",
            "http://app:0",
            "http://app:99999",
            "ws://app",
        ] {
            assert!(text.parse::<Upstream>().is_err(), "{text}");
        }
    }

    #[test]
    fn functions_are_names_or_arns_with_optional_qualifier() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:app";
        for (text, name, qualifier, region) in [
            ("lambda:app", "app", None, None),
            ("lambda:app:live", "app", Some("live"), None),
            ("lambda:app:$LATEST", "app", Some("$LATEST"), None),
            (&*format!("lambda:{arn}"), arn, None, Some("eu-west-1")),
            (&*format!("lambda:{arn}:7"), arn, Some("7"), Some("eu-west-1")),
        ] {
            let Upstream::Function(function) = text.parse().unwrap() else {
                panic!("{text}")
            };
            assert_eq!(
                (function.name.as_str(), function.qualifier.as_deref()),
                (name, qualifier)
            );
            assert_eq!(function.region(), region);
            assert_eq!(function.to_string(), text);
        }
        for text in [
            "lambda:",
            "lambda:a/b",
            "lambda:a:",
            "lambda:a:b:c",
            "lambda:arn:aws:s3:::x",
            "lambda:arn:aws:lambda:eu-west-1:123456789012:function:",
            "lambda:arn:aws:lambda:eu-west-1:12345:function:app",
            "lambda:arn:aws:lambda:evil.example/x:123456789012:function:app",
            "lambda:arn:aws:lambda:eu-west-1:123456789012:function:app:1:2",
            "lambda:a b",
            "lambda:app?x",
            "lambda:app:li/ve",
        ] {
            assert_eq!(
                text.parse::<Upstream>(),
                Err(InvalidUpstream::NotFunction),
                "{text}"
            );
        }
    }

    #[test]
    fn a_function_knows_its_own_invocations() {
        let function = |text: &str| text.parse::<Function>().unwrap();
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:app";
        for invoked in [arn.to_owned(), format!("{arn}:live"), format!("{arn}:$LATEST")] {
            assert!(function(arn).is_invoked_as(&invoked), "{invoked}");
            assert!(function(&format!("{arn}:7")).is_invoked_as(&invoked), "{invoked}");
        }
        for invoked in [
            "",
            "arn:aws:lambda:eu-west-1:999999999999:function:app",
            &format!("{arn}2"),
        ] {
            assert!(!function(arn).is_invoked_as(invoked), "{invoked}");
        }
    }
}
