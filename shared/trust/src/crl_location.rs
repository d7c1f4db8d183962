//! Locations of CRLs, and the objects that they are published as.
//!
//! `refresh-crls` publishes according to this rule, and `alb-mtls bundle crls` prints the value of `MTLS_CRLS` with it.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use alb_mtls_verifier::{CertificateDer, Fingerprint, RevocationLists};
use http::Uri;
use http::uri::Scheme;
use percent_encoding::{AsciiSet, percent_decode_str, utf8_percent_encode};

use crate::crl_state::CRL_STATE_SUFFIX;
use crate::source::{MAX_KEY_BYTES, S3Object, Source};

/// Characters that URLs do not have (RFC 3986 §2) and that CAs write all the same, such as the spaces of AD CS.
/// Characters beyond ASCII are always escaped.
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

/// The text is not a location of a CRL. Its words follow "it takes", as in the messages about settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`http://`, `https://` and `s3://` URLs of CRLs; this one {reason}")]
pub struct InvalidCrlLocation {
    reason: String,
}

impl InvalidCrlLocation {
    /// Words about the URL alone, such as "names no host".
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl HttpLocation {
    /// Returns true for a server that is asked over TLS.
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Host in lower case, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port that is written, or the scheme's own.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Value of the header `Host`.
    pub fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// Path and query as they are requested.
    pub fn request_target(&self) -> &str {
        &self.request_target
    }

    /// Returns the first part of the name: host, and the port if it is written. A colon is not used in keys.
    fn server(&self) -> String {
        let host = self.host.replace(':', "_");
        match self.uri.port_u16() {
            None => host,
            Some(port) => format!("{host}_{port}"),
        }
    }
}

impl CrlLocation {
    /// Returns the name after the URL: the URL without its scheme, with its escapes resolved, or `bucket/key`.
    ///
    /// `None` for a URL whose name would not be plain: one that does not stay in its place when a program takes dots for
    /// folders, that cannot be shown, or that is the name of a folder or of a record.
    fn plain_name(&self) -> Option<String> {
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

    /// Returns the name for every other URL: its server, and the digest of the URL without its scheme.
    fn digest_name(&self) -> String {
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
        let parsed = if text.starts_with("s3://") {
            parse_object(text)
        } else {
            parse_http(text)
        };
        parsed.map_err(|reason| InvalidCrlLocation { reason })
    }
}

fn parse_object(text: &str) -> Result<CrlLocation, String> {
    match text.parse() {
        Ok(Source::Object(object)) => Ok(CrlLocation::Object(object)),
        _ => Err("is not of the form `s3://bucket/key`".to_owned()),
    }
}

fn parse_http(text: &str) -> Result<CrlLocation, String> {
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
        return Err("has a user: CRLs are public, leave out what is before `@`".to_owned());
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
    if uri.query().is_none() && path.ends_with('/') {
        return Err("names no file".to_owned());
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
    Ok(CrlLocation::Http(HttpLocation {
        request_target,
        is_tls,
        host: host.to_ascii_lowercase(),
        port,
        uri,
    }))
}

/// Longest name of a host (RFC 1035 §2.3.4, as text). It leaves room for a digest in a key.
const MAX_HOST_BYTES: usize = 253;

/// Returns true for a text that can be a host. It becomes a folder in the key, so it must not be one that leads elsewhere.
fn is_host(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    host.len() <= MAX_HOST_BYTES
        && host.bytes().all(allowed)
        && host.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// Returns the scheme in lower case (RFC 3986 §3.1) and what follows its colon, if the text has a scheme.
fn split_scheme(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    // In `crl.example.com:8080/x` there is a dot, which the scheme of a CRL never has.
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-'));
    is_scheme.then(|| (scheme.to_ascii_lowercase(), rest))
}

impl fmt::Display for CrlLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(location) => fmt::Display::fmt(&location.uri, formatter),
            Self::Object(object) => fmt::Display::fmt(object, formatter),
        }
    }
}

/// Place that CRLs are published to: `s3://bucket/prefix/`, with `?region=` and `?owner=` as in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlDestination {
    bucket: String,
    /// Empty, or ends with a slash.
    prefix: String,
    region: Option<String>,
    owner: Option<String>,
}

/// The text is not a place to publish to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bucket and a prefix that ends with a slash: `s3://bucket/prefix/`")]
pub struct InvalidCrlDestination;

/// Two locations have one object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{first}` and `{second}` would both be published as `{object}`: name one of them")]
pub struct PublishedAsOne {
    first: String,
    second: String,
    object: String,
}

impl CrlDestination {
    /// Returns the object for the CRL of a location: the prefix, then the URL without its scheme and with its escapes resolved.
    ///
    /// Where that is not a plain name or is longer than keys can be, the digest of the URL takes its place.
    pub fn object_for(&self, location: &CrlLocation) -> S3Object {
        let fits = |name: &String| self.prefix.len() + name.len() + CRL_STATE_SUFFIX.len() <= MAX_KEY_BYTES;
        let name = location.plain_name().filter(fits);
        self.object(&name.unwrap_or_else(|| location.digest_name()))
    }

    /// Checks that every location has an object of its own.
    ///
    /// # Errors
    /// [`PublishedAsOne`] for the first two that do not: they differ in their scheme or in escapes alone.
    pub fn check_distinct(&self, locations: &[CrlLocation]) -> Result<(), PublishedAsOne> {
        let mut known = HashMap::new();
        for location in locations {
            let object = self.object_for(location);
            if let Some(first) = known.insert(object.key.clone(), location) {
                return Err(PublishedAsOne {
                    first: first.to_string(),
                    second: location.to_string(),
                    object: object.to_string(),
                });
            }
        }
        Ok(())
    }

    fn object(&self, name: &str) -> S3Object {
        S3Object {
            region: self.region.clone(),
            owner: self.owner.clone(),
            ..S3Object::new(&*self.bucket, format!("{}{name}", self.prefix))
        }
    }
}

impl FromStr for CrlDestination {
    type Err = InvalidCrlDestination;

    fn from_str(text: &str) -> Result<Self, InvalidCrlDestination> {
        // A source names an object; here its key is a prefix, which may be empty.
        let (path, query) = text
            .split_once('?')
            .map_or((text, ""), |(path, query)| (path, query));
        if !path.ends_with('/') || query.contains("versionId") || text.contains('#') {
            return Err(InvalidCrlDestination);
        }
        let mark = "any";
        let query = if query.is_empty() {
            String::new()
        } else {
            format!("?{query}")
        };
        match format!("{path}{mark}{query}").parse() {
            Ok(Source::Object(object)) => Ok(Self {
                prefix: object
                    .key
                    .strip_suffix(mark)
                    .ok_or(InvalidCrlDestination)?
                    .to_owned(),
                bucket: object.bucket,
                region: object.region,
                owner: object.owner,
            }),
            _ => Err(InvalidCrlDestination),
        }
    }
}

/// CRLs to fetch, in order, and those that certificates name and that are not fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlPlan {
    /// Locations, no two of which are published as the same object.
    pub locations: Vec<CrlLocation>,
    /// URLs that are left out, each of them once.
    pub skipped: Vec<SkippedCrl>,
}

/// URL of a CRL in a certificate that is not fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedCrl {
    /// URL as the certificate has it.
    pub url: String,
    /// Reason, in words that follow the URL.
    pub reason: String,
    /// True if every certificate that names the URL also names a location that is fetched.
    pub is_replaced: bool,
}

impl CrlPlan {
    /// Adds to the named locations those in the `cRLDistributionPoints` of certificates: HTTP alone, because the
    /// issuer of a certificate does not decide which buckets are read.
    ///
    /// For certificates that the operator configured. The URLs in a client's certificate are never fetched.
    pub fn new<'a, 'b: 'a>(
        named: &[CrlLocation],
        certificates: impl IntoIterator<Item = &'a CertificateDer<'b>>,
        destination: &CrlDestination,
    ) -> Self {
        let mut plan = Self {
            locations: named.to_vec(),
            skipped: Vec::new(),
        };
        for certificate in certificates {
            let (mut locations, mut skipped) = (Vec::new(), Vec::new());
            for url in RevocationLists::distribution_points_of(certificate) {
                match url.parse() {
                    Ok(location @ CrlLocation::Http(_)) => locations.push(location),
                    Ok(CrlLocation::Object(_)) => skipped.push((
                        url,
                        "is an object in S3: name it in CRL_SOURCES if it is to be read".to_owned(),
                    )),
                    Err(InvalidCrlLocation { reason }) => skipped.push((url, reason)),
                }
            }
            let is_replaced = !locations.is_empty();
            for (url, reason) in skipped {
                plan.skip(url, reason, is_replaced);
            }
            for location in locations {
                plan.add(location, destination);
            }
        }
        plan
    }

    fn add(&mut self, location: CrlLocation, destination: &CrlDestination) {
        let object = destination.object_for(&location);
        let same = |known: &&CrlLocation| destination.object_for(known) == object;
        match self.locations.iter().find(same) {
            None => self.locations.push(location),
            Some(known) if *known == location => {}
            Some(known) => {
                let reason = format!("is published as the same object as `{known}`, which is fetched");
                self.skip(location.to_string(), reason, true);
            }
        }
    }

    fn skip(&mut self, url: String, reason: String, is_replaced: bool) {
        match self.skipped.iter_mut().find(|known| known.url == url) {
            Some(known) => known.is_replaced &= is_replaced,
            None => self.skipped.push(SkippedCrl {
                url,
                reason,
                is_replaced,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination() -> CrlDestination {
        "s3://trust/crls/".parse().unwrap()
    }

    fn object(url: &str) -> S3Object {
        destination().object_for(&url.parse().unwrap())
    }

    fn is_digest(key: &str, server: &str) -> bool {
        let digest = key
            .strip_prefix(&format!("crls/{server}/sha256-"))
            .and_then(|rest| rest.strip_suffix(".crl"));
        digest.is_some_and(|digest| digest.len() == 64)
    }

    #[test]
    fn name_is_the_url_without_scheme_and_escapes() {
        for (url, key) in [
            ("http://crl.example.com/root.crl", "crl.example.com/root.crl"),
            (
                "https://CRL.example.com:8443/a/b.crl",
                "crl.example.com_8443/a/b.crl",
            ),
            ("HTTP://crl.example.com/root.crl", "crl.example.com/root.crl"),
            ("http://[2600::1]:80/x.crl", "2600__1_80/x.crl"),
            ("s3://pki/crls/issuing.crl", "pki/crls/issuing.crl"),
            ("s3://pki/my%20ca.crl", "pki/my ca.crl"),
            (
                "http://pki.example.com/CertEnroll/Example%20CA(1)+.crl",
                "pki.example.com/CertEnroll/Example CA(1)+.crl",
            ),
            (
                "http://pki.example.com/CertEnroll/Example CA(1).crl",
                "pki.example.com/CertEnroll/Example CA(1).crl",
            ),
            ("http://a.example/x%2By.crl", "a.example/x+y.crl"),
            ("http://a.example/x%2Fy.crl", "a.example/x/y.crl"),
            ("http://a.example/100%.crl", "a.example/100%.crl"),
            ("http://a.example/%C3%A9.crl", "a.example/é.crl"),
            ("http://a.example/é.crl", "a.example/é.crl"),
            ("http://a.example//b.crl", "a.example//b.crl"),
            ("http://a.example/?ca=1", "a.example/?ca=1"),
            ("http://a.example?ca=1", "a.example/?ca=1"),
            (
                "http://ejbca.example.com:8080/certdist?cmd=crl&issuer=CN%3DManagement+CA%2CO%3DExample&format=PEM",
                "ejbca.example.com_8080/certdist?cmd=crl&issuer=CN=Management+CA,O=Example&format=PEM",
            ),
        ] {
            let object = object(url);
            assert_eq!(object.key, format!("crls/{key}"), "{url}");
            // The value for MTLS_CRLS leads back to the object.
            assert_eq!(object.to_string().parse(), Ok(Source::Object(object)), "{url}");
        }
    }

    #[test]
    fn source_is_the_url_with_another_scheme() {
        for rest in [
            "crl.example.com/root.crl",
            "pki.example.com/CertEnroll/Example%20CA(1)+.crl",
            "a.example/x%2By.crl",
            "a.example/x%2Fy.crl",
            "a.example/%C3%A9.crl",
        ] {
            let named: Source = format!("s3://trust/crls/{rest}").parse().unwrap();
            assert_eq!(named, Source::Object(object(&format!("http://{rest}"))), "{rest}");
        }
        // With a query, its question mark is escaped.
        let named: Source = "s3://trust/crls/a.example/c%3Fcmd=crl&issuer=CN%3DA"
            .parse()
            .unwrap();
        assert_eq!(
            named,
            Source::Object(object("http://a.example/c?cmd=crl&issuer=CN%3DA"))
        );
    }

    #[test]
    fn name_that_is_not_plain_is_a_digest() {
        let long = format!("http://a.example/{}.crl", "x".repeat(1_100));
        for url in [
            "http://a.example/..%2F..%2Fanchors.pem",
            "http://a.example/%2e%2e/%2e%2e/anchors.pem",
            "http://a.example/x/%2E/y.crl",
            "http://a.example/c?file=/../../anchors",
            "http://a.example/x%00y.crl",
            "http://a.example/x%0Ay.crl",
            "http://a.example/x%C2%85y.crl",
            "http://a.example/%FF.crl",
            "http://a.example/x%2F",
            "http://a.example/c?cmd=crl/",
            "http://a.example/root.crl.state.json",
            "http://a.example/root.crl%2Estate%2Ejson",
            "http://a.example/c?x=.state.json",
            &long,
        ] {
            let object = object(url);
            assert!(is_digest(&object.key, "a.example"), "{url}: {}", object.key);
            assert_eq!(object.to_string().parse(), Ok(Source::Object(object)), "{url}");
        }
        assert!(is_digest(&object("s3://pki/a/../b.crl").key, "pki"));
    }

    #[test]
    fn urls_that_differ_in_their_query_alone_have_names_of_their_own() {
        let long = |end: &str| format!("http://a.example/c?issuer={}{end}", "x".repeat(2_000));
        for (one, other) in [
            (
                "http://a.example/c?ca=1".to_owned(),
                "http://a.example/c?ca=2".to_owned(),
            ),
            ("http://a.example/c".to_owned(), "http://a.example/c?".to_owned()),
            (long("1"), long("2")),
        ] {
            assert_ne!(object(&one), object(&other), "{one}");
        }
        assert_eq!(object(&long("1")), object(&long("1")));
        // Only the scheme differs: another way to the same CRL.
        assert_eq!(object(&long("1")), object(&long("1").replace("http:", "https:")));
    }

    #[test]
    fn key_and_its_record_are_never_longer_than_keys_can_be() {
        let room = MAX_KEY_BYTES - "crls/a.example/".len() - CRL_STATE_SUFFIX.len();
        let named = object(&format!("http://a.example/{}", "x".repeat(room)));
        assert_eq!(named.key.len() + CRL_STATE_SUFFIX.len(), MAX_KEY_BYTES);
        let longer = object(&format!("http://a.example/{}", "x".repeat(room + 1)));
        assert!(is_digest(&longer.key, "a.example"));
        // One character is three escapes in the URL and two octets in the key.
        let escaped = object(&format!("http://a.example/{}", "%C3%A9".repeat(400)));
        assert!(escaped.key.ends_with(&"é".repeat(400)));
    }

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

    #[test]
    fn destination_is_a_bucket_and_a_prefix() {
        let location: CrlLocation = "http://crl.example.com/root.crl".parse().unwrap();
        for (text, key) in [
            ("s3://bucket/", "crl.example.com/root.crl"),
            ("s3://bucket/a/b/", "a/b/crl.example.com/root.crl"),
        ] {
            let destination: CrlDestination = text.parse().unwrap();
            assert_eq!(destination.object_for(&location), S3Object::new("bucket", key));
        }
        let elsewhere: CrlDestination = "s3://bucket/?region=eu-west-1&owner=123456789012"
            .parse()
            .unwrap();
        assert_eq!(
            elsewhere.object_for(&location).region.as_deref(),
            Some("eu-west-1")
        );
        for text in [
            "s3://bucket",
            "s3://bucket/a",
            "bucket/",
            "s3:///a/",
            "file:/a/",
            "s3://bucket/?versionId=1",
            "s3://bucket/#sha256=00",
        ] {
            assert_eq!(
                text.parse::<CrlDestination>(),
                Err(InvalidCrlDestination),
                "{text}"
            );
        }
    }
}
