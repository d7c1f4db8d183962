//! Ways in which proxies tell about a request over HTTP.

use std::str::FromStr;

use http::header::{HOST, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::{PathAndQuery, Scheme, Uri};
use http::{HeaderMap, Method};

/// Way in which a proxy tells about a request. Everything that is not listed here are the request's
/// own headers.
#[derive(Debug)]
pub(super) struct Convention {
    path: QuestionPath,
    method: Place,
    target: Place,
    host: Place,
    /// Further headers that the proxy sets, in the question and in the request that it passes on.
    set: &'static [&'static str],
    /// True if the proxy writes the address of its connection, the load balancer's, over
    /// `X-Forwarded-For`.
    hides_source_address: bool,
    absent: Absent,
}

/// Form of headers that an answer does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// The answer leaves them out.
    LeftOut,
    /// The answer has them without a value.
    Empty,
}

/// Path of questions.
#[derive(Debug)]
enum QuestionPath {
    /// This path alone.
    Whole(&'static str),
    /// This path with the target of the request behind it.
    Before(&'static str),
}

/// Place of a part of the request.
#[derive(Debug)]
enum Place {
    /// Header that the proxy sets, whatever the client sent in it.
    Header(HeaderName),
    /// Place in the question itself: its method, the rest of its target, or its host.
    Question,
}

/// Every convention. The path chooses one, and a client cannot: its own headers are only read where
/// the chosen row says that the proxy overwrites them.
static CONVENTIONS: [Convention; 5] = [
    // `proxy_set_header` in the sample configuration; the names are those of ingress-nginx.
    Convention {
        path: QuestionPath::Whole("/authorize/nginx"),
        method: Place::Header(HeaderName::from_static("x-original-method")),
        target: Place::Header(HeaderName::from_static("x-original-uri")),
        host: Place::Question,
        set: &[],
        hides_source_address: false,
        absent: Absent::LeftOut,
    },
    // Source: Traefik, "ForwardAuth". The question is for the host of the service's address, and
    // has an `X-Forwarded-For` of Traefik's own.
    Convention {
        path: QuestionPath::Whole("/authorize/traefik"),
        method: Place::Header(HeaderName::from_static("x-forwarded-method")),
        target: Place::Header(HeaderName::from_static("x-forwarded-uri")),
        host: Place::Header(HeaderName::from_static("x-forwarded-host")),
        set: &["x-forwarded-server"],
        hides_source_address: true,
        absent: Absent::LeftOut,
    },
    // Source: Caddy, "forward_auth". `X-Forwarded-Host` can be the client's own with
    // `trusted_proxies`; the Host header is the request's. Of a header that the answer does not
    // have, version 2.6 passes on the name of its own placeholder.
    Convention {
        path: QuestionPath::Whole("/authorize/caddy"),
        method: Place::Header(HeaderName::from_static("x-forwarded-method")),
        target: Place::Header(HeaderName::from_static("x-forwarded-uri")),
        host: Place::Question,
        set: &["x-forwarded-host"],
        hides_source_address: true,
        absent: Absent::Empty,
    },
    // The script in `deploy/haproxy`.
    Convention {
        path: QuestionPath::Whole("/authorize/haproxy"),
        method: Place::Header(HeaderName::from_static("x-original-method")),
        target: Place::Header(HeaderName::from_static("x-original-uri")),
        host: Place::Question,
        set: &[],
        hides_source_address: false,
        absent: Absent::LeftOut,
    },
    // Source: Envoy, "envoy.extensions.filters.http.ext_authz.v3.HttpService", path_prefix.
    Convention {
        path: QuestionPath::Before("/authorize/envoy"),
        method: Place::Question,
        target: Place::Question,
        host: Place::Question,
        set: &[],
        hides_source_address: false,
        absent: Absent::LeftOut,
    },
];

/// Returns the convention of questions with this path.
pub(super) fn find(path: &str) -> Option<&'static Convention> {
    CONVENTIONS.iter().find(|convention| match convention.path {
        QuestionPath::Whole(own) => path == own,
        QuestionPath::Before(own) => path.strip_prefix(own).is_some_and(|rest| rest.starts_with('/')),
    })
}

impl Convention {
    /// Returns true if the question does not tell the client's address, as the load balancer told
    /// it.
    pub(super) const fn hides_source_address(&self) -> bool {
        self.hides_source_address
    }

    /// Returns the form of headers that an answer does not have.
    pub(super) const fn absent(&self) -> Absent {
        self.absent
    }

    /// Reads the request from a question.
    ///
    /// # Errors
    /// One sentence for the operator, when a part of the request is missing, there twice or not
    /// valid: the proxy is not configured as the convention says.
    pub(super) fn read(&self, mut question: Parts) -> Result<Parts, String> {
        let method = match &self.method {
            Place::Header(name) => Method::from_str(&take(&mut question.headers, name)?)
                .map_err(|_| format!("the header `{name}` of the proxy is not a method"))?,
            Place::Question => question.method.clone(),
        };
        let target = match (&self.target, &self.path) {
            (Place::Header(name), _) => take(&mut question.headers, name)?,
            (Place::Question, QuestionPath::Before(own)) => {
                let whole = question.uri.path_and_query().map_or("", PathAndQuery::as_str);
                whole.strip_prefix(own).unwrap_or_default().to_owned()
            }
            (Place::Question, QuestionPath::Whole(_)) => {
                return Err("the question does not tell the target of the request".to_owned());
            }
        };
        let target = target_from(&target)?;
        let mut uri = Uri::from(target.clone());
        match &self.host {
            Place::Header(name) => {
                let host = take(&mut question.headers, name)?;
                let host = HeaderValue::from_str(&host)
                    .map_err(|_| format!("the header `{name}` of the proxy is not a host"))?;
                question.headers.insert(HOST, host);
            }
            // HTTP/2 has it beside the headers.
            Place::Question => {
                if let Some(authority) = question.uri.authority() {
                    let whole = Uri::builder()
                        .scheme(Scheme::HTTP)
                        .authority(authority.clone())
                        .path_and_query(target);
                    uri = whole.build().map_err(|error| error.to_string())?;
                }
            }
        }
        for name in self.set {
            question.headers.remove(*name);
        }
        question.method = method;
        question.uri = uri;
        Ok(question)
    }
}

/// Takes the only value of a header that the proxy sets.
fn take(headers: &mut HeaderMap, name: &HeaderName) -> Result<String, String> {
    let mut values = headers.get_all(name).iter();
    let value = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map(str::to_owned),
        (None, _) => return Err(format!("the proxy does not set the header `{name}`")),
        (Some(_), Some(_)) => {
            return Err(format!(
                "the header `{name}` is there twice: the proxy does not overwrite the client's"
            ));
        }
    };
    headers.remove(name);
    value.map_err(|_| format!("the header `{name}` of the proxy has characters that are not visible ASCII"))
}

/// Reads a request target in origin form, whole: a parser that left something out would have the
/// gate decide about another path than the service sees.
pub(super) fn target_from(text: &str) -> Result<PathAndQuery, String> {
    let target = PathAndQuery::from_str(text).ok();
    target
        .filter(|target| text.starts_with('/') && target.as_str() == text)
        .ok_or_else(|| {
            let quoted: String = text.escape_default().take(MAX_QUOTED).collect();
            format!("the target `{quoted}` that the proxy tells is not a path with a query")
        })
}

/// Length of the longest target that an explanation quotes.
const MAX_QUOTED: usize = 256;

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn read(path: &str, headers: &[(&str, &str)]) -> Result<Parts, String> {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let question = request.body(()).unwrap().into_parts().0;
        find(question.uri.path()).expect("a convention").read(question)
    }

    #[test]
    fn path_alone_chooses_the_convention() {
        for path in [
            "/",
            "/authorize",
            "/authorize/",
            "/authorize/nginx/",
            "/authorize/Nginx",
            "/authorize/nginx/authorize/envoy/",
            "/authorize/envoy",
            "/authorize/envoyx/",
            "//authorize/nginx",
            "/authorize/%6eginx",
        ] {
            assert!(find(path).is_none(), "{path}");
        }
        let headers = [
            ("x-forwarded-method", "DELETE"),
            ("x-forwarded-uri", "/forged"),
            ("x-forwarded-host", "forged.example"),
            ("x-original-method", "POST"),
            ("x-original-uri", "/a?b=c"),
            ("host", "gate.example"),
        ];
        let request = read("/authorize/nginx", &headers).unwrap();
        assert_eq!(
            (request.method, request.uri),
            (Method::POST, Uri::from_static("/a?b=c"))
        );
        assert_eq!(request.headers.get(HOST).unwrap(), "gate.example");
        assert!(!request.headers.contains_key("x-original-uri"));
        assert!(request.headers.contains_key("x-forwarded-uri"));
        let request = read("/authorize/traefik", &headers).unwrap();
        assert_eq!(
            (request.method, request.uri),
            (Method::DELETE, Uri::from_static("/forged"))
        );
        assert_eq!(request.headers.get(HOST).unwrap(), "forged.example");
        let request = read("/authorize/envoy/authorize/nginx?x", &headers).unwrap();
        assert_eq!(request.uri, "/authorize/nginx?x");
        assert_eq!(request.method, Method::GET);
    }

    #[test]
    fn parts_that_are_missing_repeated_or_not_valid_are_refused() {
        const METHOD: (&str, &str) = ("x-original-method", "GET");
        const TARGET: (&str, &str) = ("x-original-uri", "/");
        for (headers, words) in [
            (&[TARGET][..], "does not set the header `x-original-method`"),
            (&[METHOD], "does not set the header `x-original-uri`"),
            (&[METHOD, METHOD, TARGET], "`x-original-method` is there twice"),
            (&[METHOD, TARGET, TARGET], "`x-original-uri` is there twice"),
            (&[METHOD, ("x_original_uri", "/")], "does not set"),
            (&[("x-original-method", "G T"), TARGET], "is not a method"),
            (&[("x-original-method", ""), TARGET], "is not a method"),
            (&[METHOD, ("x-original-uri", "")], "is not a path"),
            (&[METHOD, ("x-original-uri", "*")], "is not a path"),
            (&[METHOD, ("x-original-uri", "a")], "is not a path"),
            (&[METHOD, ("x-original-uri", "?a")], "is not a path"),
            (&[METHOD, ("x-original-uri", "http://a/")], "is not a path"),
            (&[METHOD, ("x-original-uri", "/a#b")], "is not a path"),
            (&[METHOD, ("x-original-uri", "/a b")], "is not a path"),
            (&[METHOD, ("x-original-uri", "/\u{e9}")], "visible ASCII"),
        ] {
            let error = read("/authorize/nginx", headers).unwrap_err();
            assert!(error.contains(words), "{headers:?}: {error}");
        }
    }
}
