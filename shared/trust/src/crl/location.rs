//! Locations that CRLs are fetched from.

use std::fmt;
use std::str::FromStr;

use alb_mtls_verifier::Fingerprint;
use http::Uri;
use http::uri::Scheme;
use percent_encoding::{AsciiSet, percent_decode_str, utf8_percent_encode};

use super::state::CRL_STATE_SUFFIX;
use crate::source::{S3Object, Source, s3};

/// Characters that URLs do not have (RFC 3986 §2) and that CAs write nevertheless, such as the
/// spaces of AD CS. Characters beyond ASCII are always escaped.
const NOT_IN_URLS: &AsciiSet = &AsciiSet::EMPTY
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Place that a CRL is fetched from.
///
/// ```
/// use alb_mtls_trust::{CrlDestination, CrlLocation};
///
/// let destination: CrlDestination = "s3://trust/crls/".parse()?;
/// let location: CrlLocation = "http://crl.example.com/CertEnroll/Example%20CA(1).crl".parse()?;
/// let object = destination.object_for(&location);
/// assert_eq!(object.key, "crls/crl.example.com/CertEnroll/Example CA(1).crl");
/// assert_eq!(
///     object.to_string(),
///     "s3://trust/crls/crl.example.com/CertEnroll/Example%20CA(1).crl"
/// );
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrlLocation {
    /// URL of a web server.
    Http(HttpLocation),
    /// Object in S3.
    Object(S3Object),
}

/// `http` or `https` URL without user and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpLocation {
    uri: Uri,
    is_tls: bool,
    host: String,
    port: u16,
    request_target: String,
}

/// The text is not a location of a CRL. The words of the error follow "it takes", as in the
/// messages about settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`http://`, `https://` and `s3://` URLs of CRLs; this one {reason}")]
pub struct InvalidCrlLocation {
    pub(super) reason: String,
}

impl InvalidCrlLocation {
    /// Returns words about the URL alone, such as "names no host".
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl HttpLocation {
    /// Returns true for a server that is asked over TLS.
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Returns the host in lower case, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port that is written, or the scheme's own.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the value of the header `Host`.
    pub fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// Returns path and query as they are requested.
    pub fn request_target(&self) -> &str {
        &self.request_target
    }

    /// Returns the first part of the name: host, and the port if it is written. A colon is not used
    /// in keys.
    fn server(&self) -> String {
        let host = self.host.replace(':', "_");
        match self.uri.port_u16() {
            None => host,
            Some(port) => format!("{host}_{port}"),
        }
    }
}

impl CrlLocation {
    /// Returns the name after the URL: the URL without its scheme, with its escapes resolved, or
    /// `bucket/key`.
    ///
    /// `None` for a URL whose name would not be plain: one that does not stay in its place when a
    /// program takes dots for folders, that cannot be shown, or that is the name of a folder or of
    /// a record.
    pub(super) fn plain_name(&self) -> Option<String> {
        let name = match self {
            Self::Http(location) => {
                let target = percent_decode_str(location.request_target()).decode_utf8().ok()?;
                format!("{}{target}", location.server())
            }
            Self::Object(object) => format!("{}/{}", object.bucket, object.key),
        };
        let has_dots = name.split('/').any(|part| matches!(part, "." | ".."));
        let is_plain = !has_dots
            && !name.ends_with('/')
            && !name.ends_with(CRL_STATE_SUFFIX)
            && !name.chars().any(char::is_control);
        is_plain.then_some(name)
    }

    /// Returns the name for every other URL: its server, and the digest of the URL without its
    /// scheme.
    pub(super) fn digest_name(&self) -> String {
        let (server, rest) = match self {
            Self::Http(location) => (location.server(), location.request_target().to_owned()),
            Self::Object(object) => (object.bucket.clone(), format!("/{}", object.key)),
        };
        let digest = Fingerprint::of(format!("{server}{rest}").as_bytes());
        format!("{server}/sha256-{digest}.crl")
    }
}

impl FromStr for CrlLocation {
    type Err = InvalidCrlLocation;

    fn from_str(text: &str) -> Result<Self, InvalidCrlLocation> {
        let parsed = if text.starts_with(s3::SCHEME) {
            parse_object(text)
        } else {
            parse_http(text)
        };
        parsed.map_err(|reason| InvalidCrlLocation { reason })
    }
}

fn parse_object(text: &str) -> Result<CrlLocation, String> {
    let source: Option<Source> = text.parse().ok();
    let object = source
        .as_ref()
        .and_then(|source| source.downcast_ref::<S3Object>());
    let object = object.ok_or("is not of the form `s3://bucket/key`")?;
    Ok(CrlLocation::Object(object.clone()))
}

fn parse_http(text: &str) -> Result<CrlLocation, String> {
    let location = HttpLocation::parse(text)?;
    let target = location.request_target();
    // `?ca=1` alone names a file by its query.
    if target.ends_with('/') && location.uri.query().is_none() {
        return Err("names no file".to_owned());
    }
    Ok(CrlLocation::Http(location))
}

impl HttpLocation {
    /// Reads a URL, which may name a folder.
    ///
    /// # Errors
    /// Words about the URL alone, such as "names no host".
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        const NO_SCHEME: &str = "does not begin with `http://`, `https://` or `s3://`";
        let (scheme, rest) = split_scheme(text).ok_or(NO_SCHEME)?;
        if !matches!(scheme.as_str(), "http" | "https") {
            return Err(format!(
                "has the scheme `{scheme}:`, which is not fetched: name the CA's HTTP URL, or upload the CRL to S3"
            ));
        }
        if !rest.starts_with("//") {
            return Err(NO_SCHEME.to_owned());
        }
        if text.contains('#') {
            return Err("has a fragment: leave out `#` and what follows".to_owned());
        }
        if text.chars().any(char::is_control) {
            return Err("has a control character".to_owned());
        }
        let escaped = utf8_percent_encode(text, NOT_IN_URLS).to_string();
        let uri: Uri = escaped
            .parse()
            .map_err(|error| format!("is not a URL: {error}"))?;
        let is_tls = uri.scheme() == Some(&Scheme::HTTPS);
        let authority = uri.authority().ok_or("names no host")?;
        if authority.as_str().contains('@') {
            return Err("has a user: leave out what is before `@`".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if !is_host(host) {
            return Err("names no host that there can be".to_owned());
        }
        // The parser takes a port that is not a number of 16 bits for none.
        let has_port = authority.as_str().len() > authority.host().len();
        if has_port && authority.port_u16().is_none() {
            return Err("has a port that does not exist".to_owned());
        }
        let path = uri.path();
        if path.split('/').any(|part| matches!(part, "." | "..")) {
            return Err("has `.` or `..` for a folder in its path: write the path that is meant".to_owned());
        }
        let port = match (uri.port_u16(), is_tls) {
            (Some(port), _) => port,
            (None, false) => 80,
            (None, true) => 443,
        };
        // `path()` is a slash for a URL without a path: a request has one (RFC 9112 §3.2.1).
        let request_target = match uri.query() {
            None => path.to_owned(),
            Some(query) => format!("{path}?{query}"),
        };
        Ok(Self {
            request_target,
            is_tls,
            host: host.to_ascii_lowercase(),
            port,
            uri,
        })
    }
}

/// Longest name of a host (RFC 1035 §2.3.4, as text). It leaves room for a digest in a key.
const MAX_HOST_BYTES: usize = 253;

/// Returns true for a text that can be a host. It becomes a folder in the key, so it must not be
/// one that leads elsewhere.
fn is_host(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    host.len() <= MAX_HOST_BYTES
        && host.bytes().all(allowed)
        && host.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// Returns the scheme in lower case (RFC 3986 §3.1) and what follows its colon, if the text has a
/// scheme.
fn split_scheme(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    // In `crl.example.com:8080/x` there is a dot, which the scheme of a CRL never has.
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-'));
    is_scheme.then(|| (scheme.to_ascii_lowercase(), rest))
}

impl fmt::Display for HttpLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uri, formatter)
    }
}

impl fmt::Display for CrlLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(location) => fmt::Display::fmt(location, formatter),
            Self::Object(object) => fmt::Display::fmt(object, formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_that_is_not_one_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "does not begin with"),
            ("crl.example.com/root.crl", "does not begin with"),
            ("crl.example.com:80/root.crl", "does not begin with"),
            (
                "ftp://crl.example.com/root.crl",
                "has the scheme `ftp:`, which is not fetched",
            ),
            (
                "ldap:///CN=Example%20CA,CN=CDP?certificateRevocationList",
                "`ldap:`",
            ),
            ("LDAPS://directory/cn=ca", "`ldaps:`"),
            ("file:/tmp/root.crl", "`file:`"),
            ("file://\\\\server\\CertEnroll\\Example CA.crl", "`file:`"),
            ("http:root.crl", "does not begin with"),
            ("http://user@crl.example.com/root.crl", "has a user"),
            ("http://crl.example.com/root.crl#x", "has a fragment"),
            ("http://crl.example.com", "names no file"),
            ("http://crl.example.com/", "names no file"),
            ("http://crl.example.com/crls/", "names no file"),
            ("http://crl.example.com/a/../b.crl", "`.` or `..`"),
            ("http://crl.example.com/a\nb.crl", "control character"),
            ("http:///b.crl", "is not a URL"),
            ("http://é.example/b.crl", "is not a URL"),
            ("http://../b.crl", "names no host"),
            ("http://./b.crl", "names no host"),
            ("http://[::]/b.crl", "names no host"),
            ("http://a%2Fb.example/b.crl", "is not a URL"),
            ("http://a$b.example/b.crl", "names no host"),
            (&format!("http://{}/b.crl", "a.".repeat(500)), "names no host"),
            ("http://crl.example.com\\@evil.example/b.crl", "has a user"),
            (
                "http://crl.example.com/a HTTP/1.1\r\nHost: evil.example",
                "control character",
            ),
            ("http://crl.example.com:99999/x", "port"),
            ("s3://bucket", "s3://bucket/key"),
            ("s3://", "s3://bucket/key"),
        ] {
            let error = text.parse::<CrlLocation>().unwrap_err();
            assert!(error.reason().contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn request_is_for_the_url_as_it_is_written() {
        for (url, target) in [
            ("http://a.example/Example%20CA(1).crl", "/Example%20CA(1).crl"),
            ("http://a.example/Example CA.crl", "/Example%20CA.crl"),
            (
                "http://a.example/c?issuer=CN%3DA%2FB&x=a+b",
                "/c?issuer=CN%3DA%2FB&x=a+b",
            ),
            ("http://a.example?ca=1", "/?ca=1"),
            // To escape the escapes again was apereo/cas#524.
            (
                "http://a.example/getcrl?DoD%20Root%20CA%202",
                "/getcrl?DoD%20Root%20CA%202",
            ),
            (
                "http://a.example/getcrl?DoD Root CA 2",
                "/getcrl?DoD%20Root%20CA%202",
            ),
            (
                "http://a.example/certdist?cmd=crl&format=PEM&issuer=CN%3dPlayground+CA+v1.0%2cC%3dDE",
                "/certdist?cmd=crl&format=PEM&issuer=CN%3dPlayground+CA+v1.0%2cC%3dDE",
            ),
        ] {
            let CrlLocation::Http(location) = url.parse().unwrap() else {
                panic!("{url}")
            };
            assert_eq!(location.request_target(), target);
            assert_eq!(location.authority(), "a.example");
        }
    }
}
