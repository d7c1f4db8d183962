use std::net::IpAddr;

use http::header::{CONNECTION, COOKIE, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};

use crate::identifiers;
use crate::listener::ClientCertificateHeaderCopies;

/// ALB's limits for the head of a request, in bytes; it answers 400 beyond them.
/// Source:
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html>.
const MAXIMUM_REQUEST_LINE: usize = 16 * 1024;
const MAXIMUM_HEADER: usize = 16 * 1024;
const MAXIMUM_HEADERS: usize = 64 * 1024;

/// ALB answers 463 when `X-Forwarded-For` has more addresses.
const MAXIMUM_FORWARDED_ADDRESSES: usize = 30;

/// A trace header longer than this is replaced, not extended.
/// Source:
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html>.
const MAXIMUM_TRACE: usize = 7 * 1024;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Prefix of all of ALB's client certificate headers.
const CERTIFICATE_HEADERS: &str = "x-amzn-mtls-";

/// Headers that belong to one connection only. That ALB removes exactly these is `unconfirmed`.
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Facts about a connection that the listener adds to each of its requests.
#[derive(Debug)]
pub(crate) struct ConnectionFacts {
    pub(crate) client: IpAddr,
    pub(crate) listener_port: u16,
    pub(crate) certificate_headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) renamed_header: HeaderName,
    pub(crate) client_header_copies: ClientCertificateHeaderCopies,
}

/// Reason why a request does not reach a target.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the header field is larger than 16 K")]
    HeaderTooLarge,
    #[error("the header fields together are larger than 64 K")]
    HeadersTooLarge,
    #[error("the request has no host")]
    HostMissing,
    #[error("the method is not supported")]
    MethodUnsupported,
    #[error("the request has no path")]
    PathMissing,
    #[error("the request line is larger than 16 K")]
    RequestLineTooLarge,
    #[error("X-Forwarded-For has more than 30 addresses")]
    TooManyForwardedAddresses,
    #[error("the request asks for a protocol upgrade, which Lambda targets do not support")]
    Upgrade,
}

impl Refusal {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::MethodUnsupported => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooManyForwardedAddresses => StatusCode::from_u16(463).unwrap_or(StatusCode::BAD_REQUEST),
            Self::HeaderTooLarge
            | Self::HeadersTooLarge
            | Self::HostMissing
            | Self::PathMissing
            | Self::RequestLineTooLarge
            | Self::Upgrade => StatusCode::BAD_REQUEST,
        }
    }
}

/// Returns the headers that reach the target: the client's, and ALB's own after them.
pub(crate) fn admit(head: &Parts, connection: &ConnectionFacts) -> Result<HeaderMap, Refusal> {
    check_limits(head)?;
    if head.method == Method::TRACE {
        return Err(Refusal::MethodUnsupported);
    }
    if head.headers.contains_key(UPGRADE) {
        return Err(Refusal::Upgrade);
    }
    if head.method == Method::CONNECT || head.uri.path().is_empty() {
        return Err(Refusal::PathMissing);
    }
    let mut headers = client_headers(head, connection)?;
    headers.insert(FORWARDED_FOR, forwarded_for(&head.headers, connection.client)?);
    headers.insert(FORWARDED_PORT, connection.listener_port.into());
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
    headers.insert(TRACE_ID, trace(&head.headers));
    for (name, value) in &connection.certificate_headers {
        headers.append(name, value.clone());
    }
    Ok(headers)
}

fn check_limits(head: &Parts) -> Result<(), Refusal> {
    // Method, request target and version with two spaces between them and the end of the line.
    let target = head
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if head.method.as_str().len() + target + " HTTP/1.1\r\n ".len() > MAXIMUM_REQUEST_LINE {
        return Err(Refusal::RequestLineTooLarge);
    }
    let mut total = 0;
    for (name, value) in &head.headers {
        let size = name.as_str().len() + value.len() + ": \r\n".len();
        if size > MAXIMUM_HEADER {
            return Err(Refusal::HeaderTooLarge);
        }
        total += size;
    }
    if total > MAXIMUM_HEADERS {
        Err(Refusal::HeadersTooLarge)
    } else {
        Ok(())
    }
}

fn client_headers(head: &Parts, connection: &ConnectionFacts) -> Result<HeaderMap, Refusal> {
    let mut headers = HeaderMap::new();
    // HTTP/2 has the host among its pseudo-headers; a function sees only the one form.
    if !head.headers.contains_key(HOST)
        && let Some(authority) = head.uri.authority()
    {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::HostMissing)?;
        headers.insert(HOST, host);
    }
    for (name, value) in &head.headers {
        let is_certificate_header =
            name.as_str().starts_with(CERTIFICATE_HEADERS) || *name == connection.renamed_header;
        let strip = connection.client_header_copies == ClientCertificateHeaderCopies::Strip;
        if (is_certificate_header && strip) || HOP_BY_HOP.contains(name) {
            continue;
        }
        headers.append(name, value.clone());
    }
    if headers.get(HOST).is_none_or(HeaderValue::is_empty) {
        return Err(Refusal::HostMissing);
    }
    if head.version == Version::HTTP_2 {
        join_cookies(&mut headers);
    }
    Ok(headers)
}

/// HTTP/2 clients may split cookies; outside of it they are one header again (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if crumbs.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

/// Appends the client's address, as in ALB's default mode; the client's own values stay in front.
fn forwarded_for(headers: &HeaderMap, client: IpAddr) -> Result<HeaderValue, Refusal> {
    let mut addresses: Vec<&[u8]> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .map(HeaderValue::as_bytes)
        .filter(|value| !value.is_empty())
        .collect();
    let commas = addresses
        .iter()
        .flat_map(|value| value.iter())
        .filter(|byte| **byte == b',');
    if addresses.len() + commas.count() > MAXIMUM_FORWARDED_ADDRESSES {
        return Err(Refusal::TooManyForwardedAddresses);
    }
    let client = client.to_string();
    addresses.push(client.as_bytes());
    HeaderValue::from_bytes(&addresses.join(&b", "[..])).map_err(|_| Refusal::HeaderTooLarge)
}

/// A new `Root`, or the client's fields with ALB's own `Self` in front of them. Of several headers
/// the last counts.
fn trace(headers: &HeaderMap) -> HeaderValue {
    let own = identifiers::trace();
    let received = headers.get_all(TRACE_ID).iter().next_back();
    let received = received.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let fields: Vec<&str> = received
        .split(';')
        .filter(|field| !field.is_empty() && !field.starts_with("Self="))
        .collect();
    let extended = if fields.is_empty() || received.len() > MAXIMUM_TRACE {
        format!("Root={own}")
    } else if fields.iter().any(|field| field.starts_with("Root=")) {
        format!("Self={own};{}", fields.join(";"))
    } else {
        format!("Root={own};{}", fields.join(";"))
    };
    // Visible characters of an accepted header and of our own are a valid header.
    HeaderValue::from_str(&extended).unwrap_or(HeaderValue::from_static(""))
}
