//! Upstreams, as settings name them, and the addresses that none may have.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use http::Uri;
use http::uri::{Authority, InvalidUri, Parts, PathAndQuery, Scheme};

/// A server that requests are sent on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upstream {
    scheme: Scheme,
    authority: Authority,
    /// What every path gets in front; without a slash at its end.
    base: String,
}

/// The text is no upstream. Displays as what would be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidUpstream {
    #[error("a URL such as `http://10.0.0.7:8080` or `https://app.internal/base`")]
    NotUrl,
    #[error("a URL without user name and password")]
    UserInformation,
    #[error("a URL without query and fragment")]
    QueryOrFragment,
    #[error("a host that is not {0}")]
    Address(ForbiddenAddress),
}

/// Why no upstream may be at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ForbiddenAddress {
    #[error("a link-local address, where cloud metadata and credentials are served")]
    LinkLocal,
    #[error("an address of the EC2 metadata service")]
    Metadata,
    #[error("an address that no single host has")]
    NoHost,
}

impl Upstream {
    /// Scheme and authority: what distinguishes one server from another.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// The value of the Host header for it.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Whether it is reached over TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The URL of a request's target there: the client's bytes behind the base.
    ///
    /// # Errors
    /// When the two together are no URL, which no target that came through a load balancer makes.
    pub(crate) fn url(&self, target: &PathAndQuery) -> Result<Uri, http::Error> {
        let target = if self.base.is_empty() || target.path() == "*" {
            target.clone()
        } else {
            PathAndQuery::try_from(format!("{}{target}", self.base))?
        };
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(target);
        Ok(Uri::from_parts(parts)?)
    }
}

impl FromStr for Upstream {
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

impl fmt::Display for Upstream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.origin(), self.base)
    }
}

/// The address that a URL's host is written as.
fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Refuses the addresses at which no upstream is: private ones are the normal case, but a name that leads to the
/// metadata services would hand their credentials to any client.
pub(crate) fn check(address: IpAddr) -> Result<(), ForbiddenAddress> {
    let is_no_host = match address {
        IpAddr::V4(address) => address.is_unspecified() || address.is_multicast() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unspecified() || address.is_multicast(),
    };
    match (address, address.to_canonical()) {
        _ if is_no_host => Err(ForbiddenAddress::NoHost),
        (_, IpAddr::V4(address)) if address.is_link_local() => Err(ForbiddenAddress::LinkLocal),
        (IpAddr::V6(address), _) if address.is_unicast_link_local() => Err(ForbiddenAddress::LinkLocal),
        (IpAddr::V6(address), _) if is_metadata(address) => Err(ForbiddenAddress::Metadata),
        (IpAddr::V6(address), _) => match embedded_ipv4(address) {
            Some(embedded) => check(embedded),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// `fd00:ec2::/32`: instance metadata, time, DNS and container credentials over IPv6.
fn is_metadata(address: Ipv6Addr) -> bool {
    matches!(address.segments(), [0xfd00, 0x0ec2, ..])
}

/// The IPv4 address behind a translator's prefix (RFC 6052 §2.1).
fn embedded_ipv4(address: Ipv6Addr) -> Option<IpAddr> {
    match address.octets() {
        [0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => Some(IpAddr::from([a, b, c, d])),
        _ => None,
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
            let upstream: Upstream = upstream.parse().unwrap();
            assert_eq!(
                upstream.url(&target.parse().unwrap()).unwrap().to_string(),
                expected
            );
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
            "0.0.0.0",
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
}
