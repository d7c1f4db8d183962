//! Where a CRL comes from, and where it goes.

use std::fmt;
use std::str::FromStr;

use alb_mtls_trust::{CRL_STATE_SUFFIX, S3Object, Source};
use http::Uri;
use http::uri::Scheme;

/// Where a CRL is fetched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    Http(HttpLocation),
    Object(S3Object),
}

/// An `http` or `https` URL without user, query and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpLocation {
    pub(crate) transport: Transport,
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As it is written.
    pub(crate) path: String,
    uri: Uri,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Plain,
    Tls,
}

/// The text is no location of a CRL. Says what one is, as the messages about settings go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`http://`, `https://` and `s3://` URLs of CRLs; this one {reason}")]
pub(crate) struct InvalidLocation {
    reason: &'static str,
}

impl Location {
    /// What is published for it is named after it, so that everybody knows where to look and no two share a name:
    /// `host/path`, with the port behind the host when it is written, or `bucket/key`.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Http(location) => {
                let host = location.host.replace(':', "_");
                match location.uri.port_u16() {
                    None => format!("{host}{}", location.path),
                    Some(port) => format!("{host}_{port}{}", location.path),
                }
            }
            Self::Object(object) => format!("{}/{}", object.bucket, object.key),
        }
    }
}

impl HttpLocation {
    /// The value of the header `Host`.
    pub(crate) fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }
}

impl FromStr for Location {
    type Err = InvalidLocation;

    fn from_str(text: &str) -> Result<Self, InvalidLocation> {
        let parsed = if text.starts_with("s3://") {
            parse_object(text)
        } else {
            parse_http(text)
        };
        match parsed {
            Ok(location) if location.name().ends_with(CRL_STATE_SUFFIX) => Err(InvalidLocation {
                reason: "ends like the record of a CRL, `.state.json`",
            }),
            parsed => parsed.map_err(|reason| InvalidLocation { reason }),
        }
    }
}

fn parse_object(text: &str) -> Result<Location, &'static str> {
    match text.parse() {
        Ok(Source::Object(object)) => Ok(Location::Object(object)),
        _ => Err("is not of the form `s3://bucket/key`"),
    }
}

fn parse_http(text: &str) -> Result<Location, &'static str> {
    const FORMS: &str = "is none of these";
    let uri: Uri = text.parse().map_err(|_| FORMS)?;
    let transport = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => Transport::Plain,
        Some(scheme) if *scheme == Scheme::HTTPS => Transport::Tls,
        _ => return Err(FORMS),
    };
    let authority = uri.authority().ok_or(FORMS)?;
    if authority.as_str().contains('@') {
        return Err("holds a user: CRLs are public");
    }
    if text.contains(['?', '#']) {
        return Err("holds a query or a fragment");
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err("names no host");
    }
    // A port that is no number of 16 bits is not there for the parser.
    let has_port = authority.as_str().len() > authority.host().len();
    if has_port && authority.port_u16().is_none() {
        return Err("has a port that does not exist");
    }
    let path = uri.path();
    if path.ends_with('/') || path.contains("//") || path.split('/').any(|part| part == "." || part == "..") {
        return Err("does not name a file plainly");
    }
    let port = match (uri.port_u16(), transport) {
        (Some(port), _) => port,
        (None, Transport::Plain) => 80,
        (None, Transport::Tls) => 443,
    };
    Ok(Location::Http(HttpLocation {
        transport,
        host: host.to_ascii_lowercase(),
        port,
        path: path.to_owned(),
        uri,
    }))
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(location) => fmt::Display::fmt(&location.uri, formatter),
            Self::Object(object) => fmt::Display::fmt(object, formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_is_named_after_where_it_comes_from() {
        for (text, name) in [
            ("http://crl.example.com/root.crl", "crl.example.com/root.crl"),
            (
                "https://CRL.example.com:8443/a/b.crl",
                "crl.example.com_8443/a/b.crl",
            ),
            ("http://[2600::1]:80/x.crl", "2600__1_80/x.crl"),
            ("s3://pki/crls/issuing.crl", "pki/crls/issuing.crl"),
        ] {
            assert_eq!(text.parse::<Location>().unwrap().name(), name);
        }
    }

    #[test]
    fn refuses_what_it_would_have_to_guess_about() {
        for text in [
            "",
            "crl.example.com/root.crl",
            "ftp://crl.example.com/root.crl",
            "ldap://directory/cn=ca",
            "http://user@crl.example.com/root.crl",
            "http://crl.example.com/root.crl?x=1",
            "http://crl.example.com/root.crl#x",
            "http://crl.example.com",
            "http://crl.example.com/",
            "http://crl.example.com/a/../b.crl",
            "http://crl.example.com//b.crl",
            "http:///b.crl",
            "s3://bucket",
            "s3://",
            "file:/tmp/root.crl",
            "http://crl.example.com:99999/x",
            "http://crl.example.com/root.crl.state.json",
            "s3://pki/root.crl.state.json",
        ] {
            assert!(text.parse::<Location>().is_err(), "{text}");
        }
    }
}
