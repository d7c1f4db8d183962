//! Table of header names by role: one list for everything that removes, rejects or forwards headers
//! by name.
//!
//! No list is complete: a service can believe any name. [`StrippedHeaders`](super::StrippedHeaders)
//! takes further names from the operator. A service that must not depend on the list verifies a
//! signed assertion instead.

use std::sync::LazyLock;

use super::identity_headers::IDENTITY_HEADERS;
use super::names::NameTable;
use crate::forms::FORMS;

/// Role of a header name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// States who the client is, for some service.
    Identity,
    /// Restates the method of the request.
    Method,
    /// Restates the path or the host of the request.
    Target,
    /// Frames, routes, traces or authenticates the request, so that another spelling of the name
    /// takes its place in a server that turns headers into variables.
    Genuine,
    /// Concerns one connection, whether or not `Connection` names it (RFC 9110 §7.6.1).
    HopByHop,
    /// Stays although `Connection` names it: the gate decided by it, it says what the request
    /// means, or a load balancer or proxy added it. RFC 9110 §7.6.1 forbids senders to name such
    /// headers.
    EndToEnd,
    /// Has another meaning in HTTP, proxies or frameworks: RFC 9110 to RFC 9113, the Fetch
    /// standard, credentials.
    Standard,
}

/// Header of signed assertions, which the forwarder writes. It is not a [form](crate::forms),
/// because it needs a key.
pub const ASSERTION: &str = "x-client-cert-assertion";

/// Names by their roles. A name that ends in `*` stands for all names that begin like it.
static TABLE: &[(&[Role], &[&str])] = &[
    // Framing, routing and tracing.
    (
        &[Role::Genuine, Role::HopByHop],
        &[
            "connection",
            "http2-settings",
            "keep-alive",
            "proxy-authorization",
            "proxy-connection",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
        ],
    ),
    // A response header: requests do not need it.
    (&[Role::HopByHop], &["proxy-authenticate"]),
    (
        &[Role::Genuine, Role::EndToEnd],
        &[
            "authorization",
            "content-encoding",
            "content-length",
            "content-type",
            "cookie",
            "dpop",
            "host",
        ],
    ),
    // The load balancer's own among them.
    (
        &[Role::Genuine],
        &[
            "expect",
            "x-amzn-tls-cipher-suite",
            "x-amzn-tls-version",
            "x-amzn-trace-id",
            "x-forwarded-for",
            "x-forwarded-port",
            "x-forwarded-proto",
        ],
    ),
    (
        &[Role::EndToEnd],
        &[
            "cf-*",
            "cloudfront-*",
            "forwarded",
            "via",
            "x-amz-cf-*",
            "x-amzn-*",
            "x-forwarded-*",
        ],
    ),
    // Method-override, Rails, Symfony and others read these in place of the request line and the
    // Host header.
    (
        &[Role::Method],
        &[
            "x-http-method",
            "x-http-method-override",
            "x-http-verb",
            "x-http-verb-override",
            "x-method",
            "x-method-override",
            "x-original-method",
            "x-forwarded-method",
        ],
    ),
    (
        &[Role::Target],
        &[
            "forwarded",
            "unencoded-url",
            "x-forwarded-authority",
            "x-forwarded-base-path",
            "x-forwarded-context",
            "x-forwarded-host",
            "x-forwarded-path",
            "x-forwarded-pathbase",
            "x-forwarded-prefix",
            "x-forwarded-request-uri",
            "x-forwarded-script-name",
            "x-forwarded-server",
            "x-forwarded-uri",
            "x-forwarded-url",
            "x-host",
            "x-host-override",
            "x-http-host-override",
            "x-override-url",
            "x-request-uri",
            "x-script-name",
            "x-waws-unencoded-url",
            // IIS and ARR, nginx by custom, Envoy.
            "x-original-*",
            "x-envoy-original-*",
            "x-rewrite-*",
        ],
    ),
    (&[Role::Identity], IDENTITY_HEADERS),
    (
        &[Role::Standard],
        &[
            "age",
            "allow",
            "alt-svc",
            "alt-used",
            "authentication-info",
            "cache-control",
            "cdn-loop",
            "clear-site-data",
            "cookie2",
            "date",
            "dnt",
            "early-data",
            "etag",
            "expires",
            "from",
            "front-end-https",
            "idempotency-key",
            "last-event-id",
            "last-modified",
            "link",
            "location",
            "max-forwards",
            "origin",
            "pragma",
            "prefer",
            "priority",
            "public-key-pins",
            "range",
            "referer",
            "referrer-policy",
            "refresh",
            "retry-after",
            "save-data",
            "server",
            "service-worker",
            "set-cookie",
            "signature",
            "signature-input",
            "strict-transport-security",
            "traceparent",
            "tracestate",
            "true-client-ip",
            "upgrade-insecure-requests",
            "user-agent",
            "vary",
            "warning",
            "www-authenticate",
            "x-api-key",
            "x-auth-token",
            "x-authorization",
            "x-client-ip",
            "x-cluster-client-ip",
            "x-content-type-options",
            "x-correlation-id",
            "x-csrf-token",
            "x-dns-prefetch-control",
            "x-forwarded",
            "x-frame-options",
            "x-real-ip",
            "x-request-id",
            "x-requested-with",
            "x-xsrf-token",
            "x-xss-protection",
            // Families of such names.
            "accept-*",
            "access-control-*",
            "content-*",
            "if-*",
            "proxy-*",
            "sec-*",
            "x-amz-*",
            "x-amzn-*",
            "x-envoy-*",
            "x-forwarded-*",
            "x-http-*",
            "x-original-*",
            "x-rewrite-*",
        ],
    ),
];

/// Returns the entries with a role; families end in `*`.
pub fn names(role: Role) -> impl Iterator<Item = &'static str> {
    let rows = TABLE.iter().filter(move |(roles, _)| roles.contains(&role));
    let own = own().filter(move |_| role == Role::Identity);
    rows.flat_map(|(_, names)| names.iter().copied()).chain(own)
}

/// Returns the headers that programs of this project set for the service behind them. Nothing that
/// a client sends can take their place, whatever the operator lets pass.
pub(crate) fn own() -> impl Iterator<Item = &'static str> {
    let written = FORMS.into_iter().flat_map(|form| form.headers).copied();
    written.chain([ASSERTION])
}

/// Returns `true` if the name, in any spelling, states an identity.
pub(crate) fn states_identity(name: &str) -> bool {
    static IDENTITY: LazyLock<NameTable> = LazyLock::new(|| NameTable::new(names(Role::Identity)));
    IDENTITY.covers(name)
}

/// Returns `true` if the name, in any spelling, restates method, path or host.
pub(crate) fn restates(name: &str) -> bool {
    static RESTATING: LazyLock<NameTable> =
        LazyLock::new(|| NameTable::new(names(Role::Method).chain(names(Role::Target))));
    RESTATING.covers(name)
}

/// Returns `true` if the name, in any spelling, is that of a [genuine](Role::Genuine) header.
pub(crate) fn is_genuine(name: &str) -> bool {
    static GENUINE: LazyLock<NameTable> = LazyLock::new(|| NameTable::new(names(Role::Genuine)));
    GENUINE.covers(name)
}

/// Returns `true` if a header of this name, in any spelling, stays although `Connection` names it.
pub(crate) fn is_end_to_end(name: &str) -> bool {
    static END_TO_END: LazyLock<NameTable> = LazyLock::new(|| NameTable::new(names(Role::EndToEnd)));
    END_TO_END.covers(name)
}

/// Returns `true` if the name, in any spelling, has a meaning other than an identity.
pub(crate) fn has_meaning(name: &str) -> bool {
    static MEANING: LazyLock<NameTable> = LazyLock::new(|| {
        let rows = TABLE.iter().filter(|(roles, _)| *roles != [Role::Identity]);
        NameTable::new(rows.flat_map(|(_, names)| names.iter().copied()))
    });
    // `accept` belongs to the family `accept-*`.
    MEANING.covers(name) || MEANING.covers(&format!("{name}-"))
}
