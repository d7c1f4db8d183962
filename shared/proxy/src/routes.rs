//! Routes: the upstream of a request, and whether the request needs a certificate.

use std::str::FromStr;

use alb_mtls_http::host::{Host, InvalidHost, RequestHost};
use alb_mtls_http::path::PlainPath;
use http::uri::PathAndQuery;

use crate::upstream::{InvalidUpstream, Upstream};

/// Value of the Host header for the upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HostHeader {
    /// The client's.
    #[default]
    Keep,
    /// The authority of the upstream's URL.
    Upstream,
}

/// Need of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// The gate decides.
    Certificate,
    /// Every client may pass, as anonymous.
    Public,
}

/// Routes by host and path prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Routes {
    /// Routes in order of precedence: those for a host first, then the longer prefixes.
    routes: Vec<Route>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Route {
    host: Option<Host>,
    prefix: String,
    /// The prefix for comparison; there when some route is public.
    plain: Option<PlainPath>,
    access: Access,
    upstream: Upstream,
}

/// The text is not a list of routes. Displays as what would be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidRoutes {
    #[error("routes such as `/reports=http://reports.internal` or `public:/status`, and `{0}` is not one")]
    Form(String),
    #[error("in `{0}` behind the `=` {1}")]
    Upstream(String, InvalidUpstream),
    #[error("each prefix once, and `{0}` is there twice")]
    Repeated(String),
    #[error("an upstream in each route as long as FORWARD_UPSTREAM is not set, and `{0}` has none")]
    NoUpstream(String),
    #[error("hosts such as `api.example.org` without a port, and in `{0}` {1}")]
    Host(String, InvalidHost),
    #[error("prefixes without `*`, and `{0}` has one: a prefix covers everything below it")]
    Wildcard(String),
    #[error(
        "prefixes that all servers read alike where any route is public, and `{0}` has an unusual character"
    )]
    PublicPrefix(String),
    #[error(
        "public routes that can be reached, and `{public}` is closed by `{closing}`: some servers take one for the other"
    )]
    NeverPublic {
        /// The public route.
        public: String,
        /// The route that closes it.
        closing: String,
    },
    #[error(
        "a host apart from others of its upstream, of which some are public, only with FORWARD_HOST=keep: in `{0}` the upstream could not tell the hosts apart"
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
    /// Reads the routes; `upstream` takes what none of them takes and those that name no upstream
    /// of their own.
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
                return Err(InvalidRoutes::Repeated(route.to_string()));
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
                plain: PlainPath::parse("/"),
                access: Access::Certificate,
                upstream,
            });
        }
        let this = Self {
            routes: sorted(routes),
        };
        this.check_public_prefixes()?;
        match this.indistinguishable_public_host() {
            Some(route) if host == HostHeader::Upstream => Err(InvalidRoutes::PublicHost(route.to_string())),
            _ => Ok(this),
        }
    }

    /// Returns every upstream.
    pub(crate) fn upstreams(&self) -> impl Iterator<Item = &Upstream> {
        self.routes.iter().map(|route| &route.upstream)
    }

    /// Returns true if at least one upstream is a function.
    pub(crate) fn any_function(&self) -> bool {
        self.upstreams()
            .any(|upstream| matches!(upstream, Upstream::Function(_)))
    }

    /// Returns true if at least one upstream is a server.
    pub(crate) fn any_server(&self) -> bool {
        self.upstreams()
            .any(|upstream| matches!(upstream, Upstream::Server(_)))
    }

    /// Returns true if at least one server is reached over TLS.
    pub(crate) fn any_tls(&self) -> bool {
        self.upstreams()
            .any(|upstream| matches!(upstream, Upstream::Server(server) if server.is_tls()))
    }

    /// Returns true if the host of a request decides which upstream gets it or who may reach it. A
    /// public route counts without a host too: its upstream can serve several hosts, and a request
    /// whose host cannot be read can be for any of them.
    pub(crate) fn go_by_host(&self) -> bool {
        self.routes
            .iter()
            .any(|route| route.host.is_some() || route.access == Access::Public)
    }

    /// Returns the upstream for a request, according to its host and its raw path; `None` when no
    /// route matches.
    pub(crate) fn upstream(&self, host: &RequestHost, path: &str) -> Option<&Upstream> {
        Some(&self.route(host, path)?.upstream)
    }

    /// Returns the need of a certificate for a request. A path can be public only if all servers
    /// read it alike, and only if no server could take it for the path of a route that needs a
    /// certificate.
    pub(crate) fn access(&self, host: &RequestHost, path: &str) -> Access {
        let Some(route) = self.route(host, path) else {
            return Access::Certificate;
        };
        let (Access::Public, Some(plain)) = (route.access, PlainPath::parse(path)) else {
            return Access::Certificate;
        };
        let may_be_within = |other: &Route| {
            let prefix = other.plain.as_ref();
            prefix.is_none_or(|prefix| plain.may_be_within(prefix))
        };
        if self
            .routes
            .iter()
            .any(|other| other.closes(route) && may_be_within(other))
        {
            Access::Certificate
        } else {
            Access::Public
        }
    }

    /// Returns the route of a request. Where hosts decide, a request whose host cannot be read has
    /// no route: the gate has denied it before.
    fn route(&self, host: &RequestHost, path: &str) -> Option<&Route> {
        if host.named().is_none() && self.go_by_host() {
            return None;
        }
        self.routes.iter().find(|route| {
            route.host.as_ref().is_none_or(|own| host.named() == Some(own)) && is_below(path, &route.prefix)
        })
    }

    fn check_public_prefixes(&self) -> Result<(), InvalidRoutes> {
        let mut public = self
            .routes
            .iter()
            .filter(|route| route.access == Access::Public)
            .peekable();
        if public.peek().is_none() {
            return Ok(());
        }
        if let Some(route) = self.routes.iter().find(|route| route.plain.is_none()) {
            return Err(InvalidRoutes::PublicPrefix(route.to_string()));
        }
        for route in public {
            let closes_all = |other: &&Route| match (&route.plain, &other.plain) {
                (Some(own), Some(closed)) => other.closes(route) && own.may_be_within(closed),
                _ => false,
            };
            if let Some(closing) = self.routes.iter().find(closes_all) {
                return Err(InvalidRoutes::NeverPublic {
                    public: route.to_string(),
                    closing: closing.to_string(),
                });
            }
        }
        Ok(())
    }

    /// A public route and one that needs a certificate, at least one of them for one host only,
    /// with one upstream.
    fn indistinguishable_public_host(&self) -> Option<&Route> {
        self.routes.iter().find(|route| {
            let is_apart = |other: &Route| {
                other.access == Access::Certificate
                    && other.upstream.origin() == route.upstream.origin()
                    && (route.host.is_some() || other.host.is_some())
            };
            route.access == Access::Public && self.routes.iter().any(is_apart)
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
        let host = match host {
            "" => None,
            host => {
                let invalid = |reason| InvalidRoutes::Host(word.to_owned(), reason);
                Some(Host::parse(host).map_err(invalid)?)
            }
        };
        if prefix.contains('*') {
            return Err(InvalidRoutes::Wildcard(word.to_owned()));
        }
        // A prefix that cannot begin a request's target would never match.
        let is_target = prefix
            .parse::<PathAndQuery>()
            .is_ok_and(|target| target.as_str() == prefix && target.query().is_none());
        if !is_target || !prefix.is_ascii() {
            return Err(form());
        }
        let upstream = match upstream {
            Some(text) => text
                .parse()
                .map_err(|error| InvalidRoutes::Upstream(word.to_owned(), error))?,
            None => default
                .cloned()
                .ok_or_else(|| InvalidRoutes::NoUpstream(word.to_owned()))?,
        };
        Ok(Self {
            host,
            plain: PlainPath::parse(prefix),
            prefix: prefix.to_owned(),
            access,
            upstream,
        })
    }

    /// Returns true if this route needs a certificate for a part of a public one, or for all of it
    /// in another spelling. A public route for one host that has the prefix of a route for all
    /// hosts is open on purpose.
    fn closes(&self, public: &Self) -> bool {
        let is_part = match (&self.plain, &public.plain) {
            (Some(own), Some(public)) => own.may_be_within(public),
            _ => true,
        };
        self.access == Access::Certificate
            && (self.host.is_none() || self.host == public.host)
            && self.prefix != public.prefix
            && is_part
    }
}

impl std::fmt::Display for Route {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = self.host.as_ref().map(Host::as_str).unwrap_or_default();
        write!(formatter, "{host}{}", self.prefix)
    }
}

fn sorted(mut routes: Vec<Route>) -> Vec<Route> {
    routes.sort_by_key(|route| (route.host.is_none(), std::cmp::Reverse(route.prefix.len())));
    routes
}

/// Returns true if the path is the prefix or continues it at the start of a segment.
fn is_below(path: &str, prefix: &str) -> bool {
    match path.strip_prefix(prefix) {
        None => prefix == "/" && path == "*",
        Some(rest) => rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'),
    }
}

#[cfg(test)]
#[path = "../../../shared/http/tests/models/mod.rs"]
mod models;

#[cfg(test)]
mod tests {
    use alb_mtls_http::host::UnreadableHost;
    use proptest::prelude::*;

    use super::models::{SERVERS, respelt};

    use super::*;

    fn routes(text: &str, upstream: Option<&str>) -> Result<Routes, InvalidRoutes> {
        Routes::parse(
            text,
            upstream.map(|upstream| upstream.parse().unwrap()),
            HostHeader::Keep,
        )
    }

    fn host(header: &str) -> RequestHost {
        RequestHost::from_header(Some(header))
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
                routes.upstream(&self::host(host), path).unwrap().to_string(),
                expected,
                "{host} {path}"
            );
        }
    }

    #[test]
    fn what_no_route_takes_has_no_upstream() {
        let routes = routes("/a=http://a", None).unwrap();
        assert!(routes.upstream(&host("x"), "/b").is_none());
        assert_eq!(routes.access(&host("x"), "/b"), Access::Certificate);
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
            assert_eq!(routes.access(&host("x"), path), expected, "{path}");
        }
    }

    #[test]
    fn what_is_closed_is_closed_however_it_is_encoded() {
        let routes = routes("public:/ /a+b=http://app /c%2Bd=http://app", Some("http://app")).unwrap();
        for path in [
            "/a+b", "/a%2Bb", "/a%2bb/x", "/A%2BB", "/c+d", "/c%2Bd", "/c%2bd/x", "/a%20b",
        ] {
            assert_eq!(routes.access(&host("x"), path), Access::Certificate, "{path}");
        }
        assert_eq!(routes.access(&host("x"), "/e%2Bf"), Access::Public);
    }

    #[test]
    fn a_host_opens_nothing_that_is_closed_for_all() {
        let routes = routes(
            "/admin=http://app public:docs.example/=http://docs",
            Some("http://app"),
        )
        .unwrap();
        assert_eq!(routes.access(&host("docs.example"), "/intro"), Access::Public);
        assert_eq!(
            routes.access(&host("docs.example"), "/admin"),
            Access::Certificate
        );
        let unreadable = RequestHost::Unreadable(UnreadableHost::Repeated);
        assert_eq!(routes.access(&unreadable, "/intro"), Access::Certificate);
    }

    #[test]
    fn a_closed_route_is_closed_for_every_look_alike() {
        let routes = routes("public:/docs /docs/keys /docs/secrets", Some("http://app")).unwrap();
        for path in [
            "/docs/keys",
            "/docs/KEYS",
            "/docs/(S(x))/keys",
            "/docs/keys::$DATA",
            "/docs/keys:$i30:$INDEX_ALLOCATION/x",
            "/docs/%E2%84%AAeys",
            "/docs/%C5%BFecrets",
            "/docs/%EF%BC%8E%EF%BC%8E/keys",
            "/docs/keys%C2%A0",
            "/docs/keys%E2%80%8B",
            "/docs/ke%CC%81ys",
            "/docs/SECRET~1",
            "/docs/keys+",
        ] {
            assert_eq!(routes.access(&host("x"), path), Access::Certificate, "{path}");
        }
        for path in ["/docs", "/docs/K%C3%A4se", "/docs/keys-of-cars", "/docs/v1/a:b"] {
            assert_eq!(routes.access(&host("x"), path), Access::Public, "{path}");
        }
    }

    #[test]
    fn unreadable_host_has_no_route() {
        let unclear = [
            RequestHost::Absent,
            RequestHost::Unreadable(UnreadableHost::Repeated),
            host("admin.example.org:abc"),
            host("x@admin.example.org"),
        ];
        for text in [
            "public:/status admin.example.org/",
            "public:/status",
            "a.example/",
        ] {
            let routes = routes(text, Some("http://app")).unwrap();
            assert!(routes.go_by_host(), "{text}");
            for unclear in &unclear {
                assert!(routes.upstream(unclear, "/status").is_none(), "{text} {unclear}");
                assert_eq!(routes.access(unclear, "/status"), Access::Certificate, "{text}");
            }
        }
        let routes = routes("/a=http://a", Some("http://app")).unwrap();
        assert!(!routes.go_by_host() && routes.upstream(&unclear[0], "/a").is_some());
    }

    #[test]
    fn host_with_a_final_dot_is_the_same() {
        for text in [
            "public:/status admin.example.org./",
            "public:/status ADMIN.example.org/",
        ] {
            let routes = routes(text, Some("http://app")).unwrap();
            for header in [
                "admin.example.org",
                "admin.example.org.",
                "admin.example.org.:443",
            ] {
                assert_eq!(
                    routes.access(&host(header), "/status"),
                    Access::Certificate,
                    "{text} {header}"
                );
            }
            assert_eq!(routes.access(&host("www.example.org"), "/status"), Access::Public);
        }
    }

    #[test]
    fn public_host_needs_an_upstream_that_knows_it() {
        let upstream: Upstream = "http://app".parse().unwrap();
        for text in ["public:docs.example/", "public:/status admin.example/"] {
            let parse = |host| Routes::parse(text, Some(upstream.clone()), host);
            parse(HostHeader::Keep).unwrap();
            assert!(matches!(
                parse(HostHeader::Upstream),
                Err(InvalidRoutes::PublicHost(_))
            ));
        }
    }

    #[test]
    fn a_public_route_that_another_closes_altogether_is_refused() {
        for text in [
            "public:/Docs /docs",
            "public:/docs/ /docs",
            "public:/docs /docs/",
            "public:/a+b /a%2Bb",
            "public:x.example/Admin /admin",
            "public:/k%C3%A4se /k%C3%84se",
        ] {
            let error = routes(text, Some("http://app")).unwrap_err();
            assert!(
                matches!(error, InvalidRoutes::NeverPublic { .. }),
                "{text}: {error}"
            );
        }
        for text in [
            "public:x.example/admin /admin",
            "public:/docs /docs/keys public:/docs/keys/x",
        ] {
            routes(text, Some("http://app")).unwrap();
        }
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
            ("a.example./x a.example/x", Some("http://app")),
            ("*.example/x", Some("http://app")),
            ("a..example/x", Some("http://app")),
            ("user@a.example/x", Some("http://app")),
            ("127.1/x", Some("http://app")),
            ("/api/*", Some("http://app")),
            ("/a<b", Some("http://app")),
            ("public:/a(b)", Some("http://app")),
            ("public:/ /%61dmin", Some("http://app")),
        ] {
            let error = routes(text, upstream).unwrap_err().to_string();
            assert!(error.contains('`') && !error.contains('\n'), "{error}");
        }
    }

    const CLOSED: &[&str] = &["/docs/keys", "/docs/keys/x", "/docs/administration", "/docs/a+b"];

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(10_000) })]

        #[test]
        fn nothing_that_a_server_reads_as_closed_is_public((path, spelling) in respelt(CLOSED)) {
            let routes = routes(
                "public:/docs /docs/keys /docs/administration /docs/a+b",
                Some("http://app"),
            )
            .unwrap();
            prop_assert_eq!(routes.access(&host("x"), path), Access::Certificate);
            for (server, read) in SERVERS {
                if read(path) == read(&spelling) {
                    let access = routes.access(&host("x"), &spelling);
                    prop_assert_eq!(access, Access::Certificate, "{} reads {} as {}", server, &spelling, path);
                }
            }
        }
    }
}
