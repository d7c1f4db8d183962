//! The one address in X-Forwarded-For that is not the client's own word.

use std::net::{IpAddr, SocketAddr};

/// Peer of the load balancer's connection, as far as X-Forwarded-For tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceAddress {
    /// The header is not there: a listener attribute can turn it off.
    #[default]
    Absent,
    /// The last entry of the header is not an address, or not what the load balancer appended.
    Unreadable,
    /// The last entry.
    Known(IpAddr),
}

impl SourceAddress {
    /// Reads the last `X-Forwarded-For` value: its last entry is what the load balancer appended,
    /// with or without a port.
    ///
    /// Entries before it are whatever the client sent, bytes beyond ASCII too. When the load
    /// balancer's attribute `routing.http.xff_header_processing.mode` is `preserve`, the last one
    /// is the client's word too.
    ///
    /// Source: Elastic Load Balancing user guide, "HTTP headers and Application Load Balancers".
    pub fn from_forwarded_for(last_value: Option<&[u8]>) -> Self {
        match last_value {
            None => Self::Absent,
            Some(value) => last_address(value).map_or(Self::Unreadable, Self::Known),
        }
    }

    /// Returns the address, if there is one.
    pub fn known(self) -> Option<IpAddr> {
        match self {
            Self::Known(address) => Some(address),
            Self::Absent | Self::Unreadable => None,
        }
    }
}

fn last_address(value: &[u8]) -> Option<IpAddr> {
    let entry = value.rsplit(|byte| *byte == b',').next()?;
    let entry = std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
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
        for (value, address) in [
            (&b"192.0.2.10"[..], "192.0.2.10"),
            (b"10.0.0.1, 192.0.2.10", "192.0.2.10"),
            (b"10.0.0.1,192.0.2.10:4711", "192.0.2.10"),
            (b"10.0.0.1, 2001:db8::1", "2001:db8::1"),
            (b"[2001:db8::1]:443", "2001:db8::1"),
            (b"[2001:db8::1]", "2001:db8::1"),
            (b"::ffff:192.0.2.10", "192.0.2.10"),
            (b"\xff\xfe, 192.0.2.10", "192.0.2.10"),
            ("\u{202e}é, 192.0.2.10".as_bytes(), "192.0.2.10"),
        ] {
            let known = SourceAddress::Known(address.parse().unwrap());
            assert_eq!(SourceAddress::from_forwarded_for(Some(value)), known, "{address}");
        }
    }

    #[test]
    fn entry_that_is_not_an_address_is_unreadable() {
        for value in [
            &b""[..],
            b",",
            b"10.0.0.1,",
            b"10.0.0.1, unknown",
            b"10.0.0",
            b"10.0.0.1/8",
            b"_hidden",
            b"10.0.0.1, \xff",
        ] {
            assert_eq!(
                SourceAddress::from_forwarded_for(Some(value)),
                SourceAddress::Unreadable,
                "{value:?}"
            );
        }
        assert_eq!(SourceAddress::from_forwarded_for(None), SourceAddress::Absent);
    }
}
