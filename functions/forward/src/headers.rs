//! Selection of the headers that go on to the next hop.

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, FORWARDED, HOST,
    HeaderMap, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    VIA,
};

/// Headers that are about one connection, whether or not `Connection` names them (RFC 9110 §7.6.1).
const HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Headers that a client cannot have removed by naming them in `Connection`: those that the gate
/// decided by, those that say what the request means, and those that the load balancer or a proxy
/// before it added.
///
/// RFC 9110 §7.6.1 forbids senders to name them, so that only an attack loses by it.
const KEPT: [HeaderName; 9] = [
    AUTHORIZATION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    COOKIE,
    HeaderName::from_static("dpop"),
    FORWARDED,
    HOST,
    VIA,
];
const KEPT_PREFIXES: [&str; 5] = ["cf-", "cloudfront-", "x-amz-cf-", "x-amzn-", "x-forwarded-"];

/// Removes what is about the connection that the message came over.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|option| HeaderName::from_bytes(option.trim_ascii()).ok())
        .filter(|name| !is_kept(name))
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

fn is_kept(name: &HeaderName) -> bool {
    KEPT.contains(name)
        || KEPT_PREFIXES
            .iter()
            .any(|prefix| name.as_str().starts_with(prefix))
}

/// Returns the length of names and values on the wire, with what HTTP/1.1 puts between them.
pub(crate) fn wire_length(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_about_the_connection_are_removed() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Private , x-forwarded-for"),
            ("connection", "host,x-amzn-trace-id,content-length,@,"),
            ("connection", "Authorization, cookie, dpop, content-type"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("te", "trailers"),
            ("trailer", "x-sum"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("proxy-authorization", "Basic x"),
            ("x-private", "1"),
            ("x-private", "2"),
            ("host", "gate.example"),
            ("content-length", "0"),
            ("x-amzn-trace-id", "Root=1"),
            ("x-forwarded-for", "192.0.2.1"),
            ("authorization", "Bearer x"),
            ("cookie", "a=b"),
            ("dpop", "proof"),
            ("accept", "a"),
            ("accept", "b"),
        ] {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        remove_hop_by_hop(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(
            left,
            [
                "accept",
                "authorization",
                "content-length",
                "cookie",
                "dpop",
                "host",
                "x-amzn-trace-id",
                "x-forwarded-for"
            ]
        );
        assert_eq!(headers.get_all("accept").iter().collect::<Vec<_>>(), ["a", "b"]);
    }
}
