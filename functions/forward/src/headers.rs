//! Size of headers.

use http::header::HeaderMap;

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
