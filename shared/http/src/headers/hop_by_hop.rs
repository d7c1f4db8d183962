//! Removal of the headers that concern one connection.

use std::sync::LazyLock;

use http::header::{CONNECTION, HeaderMap, HeaderName};

use super::table::{self, Role};

/// Removes the headers that concern the connection over which the message came (RFC 9110 §7.6.1):
/// the usual ones, and those that `Connection` names unless they are [end-to-end](Role::EndToEnd).
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    static USUAL: LazyLock<Vec<HeaderName>> = LazyLock::new(|| {
        table::names(Role::HopByHop)
            .map(HeaderName::from_static)
            .collect()
    });
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|option| HeaderName::from_bytes(option.trim_ascii()).ok())
        .filter(|name| !table::is_end_to_end(name.as_str()))
        .collect();
    for name in USUAL.iter().chain(&named) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_the_connection_goes_and_the_rest_stays() {
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
