//! Which upstream takes a request, and whether it takes it without a certificate.

use std::borrow::Cow;
use std::str::FromStr;

use alb_mtls_http::path::PlainPath;
use http::header::{HOST, HeaderMap};
use percent_encoding::percent_decode_str;

use crate::upstream::{InvalidUpstream, Upstream};

/// What the upstream sees as Host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HostHeader {
    /// What the client sent.
    #[default]
    Keep,
    /// The authority of the upstream's URL.
    Upstream,
}

/// Whether requests need a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// The gate decides.
    Certificate,
    /// Everybody may pass, as nobody.
    Public,
}

/// Routes by host and path prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Routes {
    /// Those for a host first, then the longer prefixes: the first that matches is taken.
    routes: Vec<Route>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Route {
    host: Option<String>,
    prefix: String,
    access: Access,
    upstream: Upstream,
}

/// The text holds no routes. Displays as what would be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidRoutes {
    #[error("routes such as `/reports=http://reports.internal` or `public:/status`, and `{0}` is none")]
    Form(String),
    #[error("in `{0}` behind the `=` {1}")]
    Upstream(String, InvalidUpstream),
    #[error("each prefix once, and `{0}` is there twice")]
    Repeated(String),
    #[error("an upstream in each route as long as FORWARD_UPSTREAM is not set, and `{0}` has none")]
    NoUpstream(String),
    #[error("public prefixes that all servers read alike, and `{0}` has an unusual character")]
    PublicPrefix(String),
    #[error(
        "a public host apart from its upstream's other routes only with FORWARD_HOST=keep: in `{0}` the upstream could not tell the hosts apart"
    )]
    PublicHost(String),
}

impl FromStr for HostHeader {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "keep" => Ok(Self::Keep),
            "upstream" => Ok(Self::Upstream),
            _ => Err("`keep`, `upstream`"),
        }
    }
}

impl Routes {
    /// Reads the routes; `upstream` takes what none of them takes and those that name no upstream of their own.
    ///
    /// # Errors
    /// [`InvalidRoutes`] for the first route that is wrong.
    pub(crate) fn parse(
        text: &str,
        upstream: Option<Upstream>,
        host: HostHeader,
    ) -> Result<Self, InvalidRoutes> {
        let mut routes: Vec<Route> = Vec::new();
        for word in text.split_whitespace() {
            let route = Route::parse(word, upstream.as_ref())?;
            if routes
                .iter()
                .any(|other| other.host == route.host && other.prefix == route.prefix)
            {
                return Err(InvalidRoutes::Repeated(format!(
                    "{}{}",
                    route.host.unwrap_or_default(),
                    route.prefix
                )));
            }
            routes.push(route);
        }
        let catches_all = |route: &Route| route.host.is_none() && route.prefix == "/";
        if let Some(upstream) = upstream
            && !routes.iter().any(catches_all)
        {
            routes.push(Route {
                host: None,
                prefix: "/".to_owned(),
                access: Access::Certificate,
                upstream,
            });
        }
        let this = Self {
            routes: sorted(routes),
        };
        match this.indistinguishable_public_host() {
            Some(route) if host == HostHeader::Upstream => Err(InvalidRoutes::PublicHost(route.to_string())),
            _ => Ok(this),
        }
    }

    /// Every upstream.
    pub(crate) fn upstreams(&self) -> impl Iterator<Item = &Upstream> {
        self.routes.iter().map(|route| &route.upstream)
    }

    /// Whether some upstream is a function.
    pub(crate) fn any_function(&self) -> bool {
        self.upstreams()
            .any(|upstream| matches!(upstream, Upstream::Function(_)))
    }

    /// Whether some upstream is a server.
    pub(crate) fn any_server(&self) -> bool {
        self.upstreams()
            .any(|upstream| matches!(upstream, Upstream::Server(_)))
    }

    /// Whether some server is reached over TLS.
    pub(crate) fn any_tls(&self) -> bool {
        self.upstreams()
            .any(|upstream| matches!(upstream, Upstream::Server(server) if server.is_tls()))
    }

    /// The upstream for a request, by its raw path; none when no route takes it.
    pub(crate) fn upstream(&self, headers: &HeaderMap, path: &str) -> Option<&Upstream> {
        Some(&self.route(host_of(headers).as_deref(), path)?.upstream)
    }

    /// Whether a request needs a certificate. Only a path that all servers read alike can be public, and only if no
    /// route that needs a certificate takes it with other capitals or for another host: the upstream might.
    pub(crate) fn access(&self, headers: &HeaderMap, path: &str) -> Access {
        let host = host_of(headers);
        let Some(route) = self.route(host.as_deref(), path) else {
            return Access::Certificate;
        };
        if route.access == Access::Certificate || has_several_hosts(headers) {
            return Access::Certificate;
        }
        let Some(plain) = PlainPath::parse(path) else {
            return Access::Certificate;
        };
        let lower_case = plain.decoded().to_ascii_lowercase();
        let length = decoded(&route.prefix).len();
        let closed = self.routes.iter().any(|other| {
            let prefix = decoded(&other.prefix);
            other.access == Access::Certificate
                && (other.host.is_none() || other.host == route.host)
                && prefix.len() > length
                && is_below(&lower_case, &prefix.to_ascii_lowercase())
        });
        if closed {
            Access::Certificate
        } else {
            Access::Public
        }
    }

    fn route(&self, host: Option<&str>, path: &str) -> Option<&Route> {
        self.routes.iter().find(|route| {
            route.host.as_deref().is_none_or(|own| host == Some(own)) && is_below(path, &route.prefix)
        })
    }

    /// A public route for one host whose upstream also serves what is not public.
    fn indistinguishable_public_host(&self) -> Option<&Route> {
        self.routes.iter().find(|route| {
            let shares_upstream = |other: &&Route| {
                other.access == Access::Certificate && other.upstream.origin() == route.upstream.origin()
            };
            route.access == Access::Public
                && route.host.is_some()
                && self.routes.iter().any(|other| shares_upstream(&other))
        })
    }
}

impl Route {
    fn parse(word: &str, default: Option<&Upstream>) -> Result<Self, InvalidRoutes> {
        let (access, rest) = match word.strip_prefix("public:") {
            Some(rest) => (Access::Public, rest),
            None => (Access::Certificate, word),
        };
        let (place, upstream) = match rest.split_once('=') {
            Some((place, upstream)) => (place, Some(upstream)),
            None => (rest, None),
        };
        let form = || InvalidRoutes::Form(word.to_owned());
        let start = place.find('/').ok_or_else(form)?;
        let (host, prefix) = place.split_at_checked(start).ok_or_else(form)?;
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if !host.bytes().all(is_host) || prefix.contains(['?', '#']) || !prefix.is_ascii() {
            return Err(form());
        }
        if access == Access::Public && PlainPath::parse(prefix).is_none() {
            return Err(InvalidRoutes::PublicPrefix(word.to_owned()));
        }
        let upstream = match upstream {
            Some(text) => text
                .parse()
                .map_err(|error| InvalidRoutes::Upstream(word.to_owned(), error))?,
            None => default
                .cloned()
                .ok_or_else(|| InvalidRoutes::NoUpstream(word.to_owned()))?,
        };
        let host = (!host.is_empty()).then(|| host.to_ascii_lowercase());
        Ok(Self {
            host,
            prefix: prefix.to_owned(),
            access,
            upstream,
        })
    }
}

impl std::fmt::Display for Route {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{}{}",
            self.host.as_deref().unwrap_or_default(),
            self.prefix
        )
    }
}

fn sorted(mut routes: Vec<Route>) -> Vec<Route> {
    routes.sort_by_key(|route| (route.host.is_none(), std::cmp::Reverse(route.prefix.len())));
    routes
}

/// Whether the path is the prefix or continues it at the start of a segment.
fn is_below(path: &str, prefix: &str) -> bool {
    match path.strip_prefix(prefix) {
        None => prefix == "/" && path == "*",
        Some(rest) => rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'),
    }
}

/// What a server may take the prefix of a route for, plain or not.
fn decoded(prefix: &str) -> Cow<'_, str> {
    percent_decode_str(prefix).decode_utf8_lossy()
}

/// The host that the client asked for, without the port.
fn host_of(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    Some(name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase())
}

/// With two Host headers, which one counts is a matter of opinion (RFC 9112 §3.2: such a request is invalid).
pub(crate) fn has_several_hosts(headers: &HeaderMap) -> bool {
    headers.get_all(HOST).iter().nth(1).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(text: &str, upstream: Option<&str>) -> Result<Routes, InvalidRoutes> {
        Routes::parse(
            text,
            upstream.map(|upstream| upstream.parse().unwrap()),
            HostHeader::Keep,
        )
    }

    fn headers(host: &str) -> HeaderMap {
        HeaderMap::from_iter([(HOST, host.parse().unwrap())])
    }

    #[test]
    fn the_longest_prefix_wins_and_the_host_comes_first() {
        let routes = routes(
            "/a=http://a /a/b=http://ab api.example/=http://api api.example/a=http://api-a /slash/=http://slash",
            Some("http://default"),
        )
        .unwrap();
        for (host, path, expected) in [
            ("x", "/", "http://default"),
            ("x", "*", "http://default"),
            ("x", "/a", "http://a"),
            ("x", "/a/", "http://a"),
            ("x", "/ab", "http://default"),
            ("x", "/a/b/c", "http://ab"),
            ("x", "/a/bc", "http://a"),
            ("x", "/A", "http://default"),
            ("x", "/%61", "http://default"),
            ("x", "//a", "http://default"),
            ("x", "/a/../z", "http://a"),
            ("x", "/slash", "http://default"),
            ("x", "/slash/x", "http://slash"),
            ("API.example:8443", "/z", "http://api"),
            ("api.example.", "/a/b", "http://api-a"),
            ("api.example.evil", "/z", "http://default"),
        ] {
            assert_eq!(
                routes.upstream(&headers(host), path).unwrap().to_string(),
                expected,
                "{host} {path}"
            );
        }
    }

    #[test]
    fn what_no_route_takes_has_no_upstream() {
        let routes = routes("/a=http://a", None).unwrap();
        assert!(routes.upstream(&headers("x"), "/b").is_none());
        assert_eq!(routes.access(&headers("x"), "/b"), Access::Certificate);
    }

    #[test]
    fn public_routes_are_open_and_nothing_beside_them_is() {
        let routes = routes("public:/public /public/admin public:/status", Some("http://app")).unwrap();
        for (path, expected) in [
            ("/public", Access::Public),
            ("/public/a.css", Access::Public),
            ("/status/", Access::Public),
            ("/", Access::Certificate),
            ("/publicity", Access::Certificate),
            ("/Public", Access::Certificate),
            ("/public/admin", Access::Certificate),
            ("/public/admin/x", Access::Certificate),
            ("/public/Admin", Access::Certificate),
            ("/public/../secret", Access::Certificate),
            ("/public/%2e%2e/secret", Access::Certificate),
            ("/public/..;/secret", Access::Certificate),
            ("/public/%61dmin", Access::Certificate),
            ("/public//admin", Access::Certificate),
        ] {
            assert_eq!(routes.access(&headers("x"), path), expected, "{path}");
        }
    }

    #[test]
    fn what_is_closed_is_closed_however_it_is_encoded() {
        let routes = routes("public:/ /a+b=http://app /c%2Bd=http://app", Some("http://app")).unwrap();
        for path in [
            "/a+b", "/a%2Bb", "/a%2bb/x", "/A%2BB", "/c+d", "/c%2Bd", "/c%2bd/x",
        ] {
            assert_eq!(routes.access(&headers("x"), path), Access::Certificate, "{path}");
        }
        assert_eq!(routes.access(&headers("x"), "/e%2Bf"), Access::Public);
    }

    #[test]
    fn a_host_opens_nothing_that_is_closed_for_all() {
        let routes = routes(
            "/admin=http://app public:docs.example/=http://docs",
            Some("http://app"),
        )
        .unwrap();
        assert_eq!(routes.access(&headers("docs.example"), "/intro"), Access::Public);
        assert_eq!(
            routes.access(&headers("docs.example"), "/admin"),
            Access::Certificate
        );
        let mut two = headers("docs.example");
        two.append(HOST, "app.example".parse().unwrap());
        assert_eq!(routes.access(&two, "/intro"), Access::Certificate);
    }

    #[test]
    fn a_public_host_needs_an_upstream_that_can_tell_it_apart() {
        let upstream: Upstream = "http://app".parse().unwrap();
        let parse = |host| Routes::parse("public:docs.example/", Some(upstream.clone()), host);
        parse(HostHeader::Keep).unwrap();
        assert!(matches!(
            parse(HostHeader::Upstream),
            Err(InvalidRoutes::PublicHost(_))
        ));
    }

    #[test]
    fn wrong_routes_are_named() {
        for (text, upstream) in [
            ("reports", Some("http://app")),
            ("/a?b=http://a", Some("http://app")),
            ("a b/c", Some("http://app")),
            ("x:80/=http://a", Some("http://app")),
            ("/a", None),
            ("/a=", Some("http://app")),
            ("public:/a/../b", Some("http://app")),
            ("a.example/x A.example/x", Some("http://app")),
        ] {
            let error = routes(text, upstream).unwrap_err().to_string();
            assert!(error.contains('`') && !error.contains('\n'), "{error}");
        }
    }
}
