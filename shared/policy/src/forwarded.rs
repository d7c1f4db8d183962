//! The one address in X-Forwarded-For that is not the client's own word.

use std::net::{IpAddr, SocketAddr};

/// The last entry of the last `X-Forwarded-For` value: what the load balancer appended, with or without a port.
///
/// `None` when that entry is no address. Entries before it are whatever the client sent. When the load balancer's
/// attribute `routing.http.xff_header_processing.mode` is `preserve`, the last one is the client's word too.
///
/// Source: Elastic Load Balancing user guide, "HTTP headers and Application Load Balancers".
pub fn last_forwarded_address(last_value: &str) -> Option<IpAddr> {
    let (_, entry) = last_value.rsplit_once(',').unwrap_or(("", last_value));
    let entry = entry.trim_matches([' ', '\t']);
    let bracketed = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = bracketed
        .unwrap_or(entry)
        .parse::<IpAddr>()
        .or_else(|_| entry.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_entry_that_the_load_balancer_appended() {
        let address = |text| last_forwarded_address(text).map(|address| address.to_string());
        assert_eq!(address("192.0.2.10").as_deref(), Some("192.0.2.10"));
        assert_eq!(address("10.0.0.1, 192.0.2.10").as_deref(), Some("192.0.2.10"));
        assert_eq!(address("10.0.0.1,192.0.2.10:4711").as_deref(), Some("192.0.2.10"));
        assert_eq!(address("10.0.0.1, 2001:db8::1").as_deref(), Some("2001:db8::1"));
        assert_eq!(address("[2001:db8::1]:443").as_deref(), Some("2001:db8::1"));
        assert_eq!(address("[2001:db8::1]").as_deref(), Some("2001:db8::1"));
        assert_eq!(address("::ffff:192.0.2.10").as_deref(), Some("192.0.2.10"));
    }

    #[test]
    fn an_entry_that_is_no_address_is_none() {
        for text in [
            "",
            ",",
            "10.0.0.1,",
            "10.0.0.1, unknown",
            "10.0.0",
            "10.0.0.1/8",
            "_hidden",
        ] {
            assert_eq!(last_forwarded_address(text), None, "{text}");
        }
    }
}
