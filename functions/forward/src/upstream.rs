//! Upstreams in settings, and the addresses that are forbidden for them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use alb_mtls_http::address::AddressClass;
use alb_mtls_http::climbs;
use alb_mtls_settings::Arn;
use http::Uri;
use http::uri::{Authority, InvalidUri, Parts, PathAndQuery, Scheme};

/// Destination of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// An HTTP server.
    Server(Server),
    /// Another Lambda function, which gets the load balancer's event.
    Function(Function),
}

/// An HTTP server, by the URL of what it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    scheme: Scheme,
    authority: Authority,
    /// Prefix of every path, without a slash at its end.
    base: String,
}

/// A Lambda function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Name of the function, or its ARN without the qualifier.
    pub(crate) name: String,
    /// A version or an alias.
    pub(crate) qualifier: Option<String>,
}

/// The text is not an upstream. Displays as what would be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidUpstream {
    #[error("a URL such as `http://10.0.0.7:8080` or `https://app.internal/base`, or `lambda:function`")]
    NotUrl,
    #[error("a URL without user name and password")]
    UserInformation,
    #[error("a URL without query and fragment")]
    QueryOrFragment,
    #[error("a host that is not {0}")]
    Address(AddressClass),
    #[error("a function such as `lambda:name`, `lambda:name:alias` or `lambda:` and its ARN")]
    NotFunction,
}

/// Reason why a target cannot be sent to an upstream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidTarget {
    #[error("some server would find it outside of the upstream's base path")]
    LeavesBase,
    /// Not reached by a target that came through a load balancer.
    #[error("{0}")]
    NotUrl(#[from] http::Error),
}

impl Upstream {
    /// Returns what distinguishes one upstream from another, whatever the path: the audience of
    /// assertions for it.
    pub(crate) fn origin(&self) -> String {
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
    /// Returns scheme and authority.
    fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// Returns the value of the Host header for this upstream.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Returns true if this upstream is reached over TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Returns the URL of a request's target at this upstream: the client's bytes after the base,
    /// which they cannot leave.
    ///
    /// # Errors
    /// [`InvalidTarget`].
    pub(crate) fn url(&self, target: &PathAndQuery) -> Result<Uri, InvalidTarget> {
        let target = if self.base.is_empty() {
            target.clone()
        } else if target.path() == "*" || climbs(target.path()) {
            return Err(InvalidTarget::LeavesBase);
        } else {
            PathAndQuery::try_from(format!("{}{target}", self.base)).map_err(http::Error::from)?
        };
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(target);
        Ok(Uri::from_parts(parts).map_err(http::Error::from)?)
    }
}

impl FromStr for Server {
    type Err = InvalidUpstream;

    fn from_str(text: &str) -> Result<Self, InvalidUpstream> {
        if text.contains(['?', '#']) {
            return Err(InvalidUpstream::QueryOrFragment);
        }
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
            scheme,
            authority,
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
    pub(crate) fn region(&self) -> Option<&str> {
        Arn::split(&self.name).map(|arn| arn.region)
    }

    /// Returns true if an invocation through this ARN, with or without a qualifier, is an
    /// invocation of this function.
    pub(crate) fn is_invoked_as(&self, arn: &str) -> bool {
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
