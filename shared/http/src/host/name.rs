//! Names and addresses of hosts.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Length of the longest name in DNS: 255 octets with the lengths of its labels (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;

/// Length of the longest label in a name (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// Host in its one spelling: lower case, without port and without a dot at the end.
///
/// A host is a name of letters, digits, `-` and `_`, an IPv4 address of four decimal numbers, or an
/// IPv6 address in brackets. A name that some server reads as another host is not a host:
///
/// - a name with a user, a comma or percent-encoding in it;
/// - a name whose last label is a number, unless it is an IPv4 address (`0x7f.1` is 127.0.0.1 to a
///   URL parser, WHATWG URL §3.5);
/// - a name with a label such as `xn--admin-`, which decodes to `admin` (RUSTSEC-2024-0421).
///
/// ```
/// use alb_mtls_http::host::Host;
///
/// let host = Host::parse_with_port("API.Example.org.:8443").unwrap();
/// assert_eq!(host.as_str(), "api.example.org");
/// assert!(Host::parse_with_port("x@api.example.org").is_err());
/// assert!(Host::parse_with_port("api.example.org:abc").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(Box<str>);

/// Reason for which a text is not a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHost {
    /// Empty name.
    #[error("the name is empty")]
    Empty,
    /// Name or label of a length that DNS does not allow.
    #[error("a name has up to 253 characters, and 1 to 63 between two dots")]
    Length,
    /// Character that host names do not have.
    #[error("a name has letters, digits, `-`, `_` and dots")]
    Character,
    /// Number as the last label of a name that is not an IPv4 address.
    #[error("an IPv4 address has four decimal numbers from 0 to 255")]
    Number,
    /// Internationalised label without a character beyond ASCII.
    #[error("a label that begins with `xn--` does not end with `-`")]
    Punycode,
    /// Brackets without an IPv6 address.
    #[error("brackets contain an IPv6 address without a zone")]
    Ipv6,
    /// Colon without a port after it.
    #[error("a port is a number of up to five digits, at most 65535")]
    Port,
}

impl Host {
    /// Parses a host without a port. A dot at the end is dropped: it is the same host.
    ///
    /// # Errors
    /// [`InvalidHost`] when it is not a host.
    pub fn parse(text: &str) -> Result<Self, InvalidHost> {
        if let Some(rest) = text.strip_prefix('[') {
            let address = rest.strip_suffix(']').and_then(|address| address.parse().ok());
            let address: Ipv6Addr = address.ok_or(InvalidHost::Ipv6)?;
            return Ok(Self(format!("[{address}]").into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        check_name(name)?;
        Ok(Self(name.to_ascii_lowercase().into()))
    }

    /// Parses the value of a Host header: a host, and optionally a colon and a port, which is
    /// dropped.
    ///
    /// # Errors
    /// [`InvalidHost`] when it is not a host, or the port is not a port.
    pub fn parse_with_port(value: &str) -> Result<Self, InvalidHost> {
        // The colons of an IPv6 address are in brackets.
        let end = value.find(']').map_or(0, |bracket| bracket + 1);
        let port = value
            .get(end..)
            .and_then(|rest| rest.find(':'))
            .map(|colon| end + colon);
        let (host, port) = match port.and_then(|colon| value.split_at_checked(colon)) {
            Some((host, port)) => (host, port.strip_prefix(':').unwrap_or_default()),
            None => (value, ""),
        };
        // RFC 3986 §3.2.3 allows a colon with nothing after it.
        let is_port = port.len() <= 5
            && port.bytes().all(|byte| byte.is_ascii_digit())
            && (port.is_empty() || port.parse::<u16>().is_ok());
        let host = Self::parse(host)?;
        if is_port { Ok(host) } else { Err(InvalidHost::Port) }
    }

    /// Returns the host in the spelling of policies and routes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn check_name(name: &str) -> Result<(), InvalidHost> {
    if name.is_empty() {
        return Err(InvalidHost::Empty);
    }
    if !name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    {
        return Err(InvalidHost::Character);
    }
    let has_label_lengths = name
        .split('.')
        .all(|label| (1..=MAX_LABEL).contains(&label.len()));
    if name.len() > MAX_NAME || !has_label_lengths {
        return Err(InvalidHost::Length);
    }
    let encodes_nothing = |label: &str| {
        let label = label.to_ascii_lowercase();
        label.starts_with("xn--") && label.ends_with('-')
    };
    if name.split('.').any(encodes_nothing) {
        return Err(InvalidHost::Punycode);
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    if is_number(last) && name.parse::<Ipv4Addr>().is_err() {
        return Err(InvalidHost::Number);
    }
    Ok(())
}

/// Returns whether a URL parser reads a name that ends with this label as an IPv4 address (WHATWG
/// URL §3.5, "ends in a number").
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    label.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_host_has_one_spelling() {
        for header in [
            "api.example.org",
            "API.Example.ORG",
            "api.example.org:8443",
            "api.example.org:0",
            "api.example.org.",
            "api.example.org.:",
            "api.example.org.:443",
        ] {
            let host = Host::parse_with_port(header).unwrap();
            assert_eq!(host.as_str(), "api.example.org", "{header}");
        }
        for (header, host) in [
            ("[2001:DB8:0::1]:443", "[2001:db8::1]"),
            ("[::]", "[::]"),
            ("192.0.2.1:80", "192.0.2.1"),
            ("192.0.2.1.", "192.0.2.1"),
            ("localhost", "localhost"),
            ("a_b.example", "a_b.example"),
            ("xn--kse-qla.example", "xn--kse-qla.example"),
            ("10.example", "10.example"),
            ("a.1x", "a.1x"),
        ] {
            assert_eq!(Host::parse_with_port(header).unwrap().as_str(), host);
        }
    }

    #[test]
    fn a_text_that_some_server_reads_otherwise_is_not_a_host() {
        use InvalidHost::{Character, Empty, Ipv6, Length, Number, Port, Punycode};
        for (header, reason) in [
            ("", Empty),
            (".", Empty),
            (":443", Empty),
            ("a..b", Length),
            ("a..", Length),
            (".a", Length),
            ("a b", Character),
            (" a", Character),
            ("a:443 ", Port),
            ("a\t", Character),
            ("a/b", Character),
            ("a\\b", Character),
            ("user@host", Character),
            ("user:pass@host", Port),
            ("a:b", Port),
            ("a:abc", Port),
            ("a:443:443", Port),
            ("a:80/x", Port),
            ("a:+80", Port),
            ("a:65536", Port),
            ("a:000080", Port),
            ("[::1", Ipv6),
            ("[::1]x", Ipv6),
            ("[::1]:x", Port),
            ("[::1%25eth0]", Ipv6),
            ("[x]", Ipv6),
            ("[admin.example]", Ipv6),
            ("::1", Empty),
            ("a]:443", Character),
            ("é.example", Character),
            ("a%00b", Character),
            ("a%2eb", Character),
            ("a,b", Character),
            ("*.example", Character),
            ("a\0", Character),
            ("127.1", Number),
            ("2130706433", Number),
            ("0x7f.0.0.1", Number),
            ("0x7f000001", Number),
            ("a.0x", Number),
            ("192.0.2.256", Number),
            ("192.0.2.01", Number),
            ("a.example.1", Number),
            ("xn--admin-.example", Punycode),
            ("XN--ADMIN-.example", Punycode),
        ] {
            assert_eq!(Host::parse_with_port(header), Err(reason), "{header}");
        }
        for (length, is_host) in [(63, true), (64, false)] {
            assert_eq!(Host::parse(&"a".repeat(length)).is_ok(), is_host, "{length}");
        }
        let name = format!("{}a", "a.".repeat(126));
        assert!(Host::parse(&name).is_ok() && Host::parse(&format!("a.{name}")).is_err());
    }

    #[test]
    fn a_host_alone_has_no_port() {
        assert_eq!(Host::parse("a.example:443"), Err(InvalidHost::Character));
        assert_eq!(Host::parse("[::1]:443"), Err(InvalidHost::Ipv6));
    }

    proptest! {
        #[test]
        fn a_spelling_is_a_fixed_point(header in "[a-zA-Z0-9xn.:@\\[\\]_, -]{0,16}") {
            if let Ok(host) = Host::parse_with_port(&header) {
                prop_assert_eq!(Host::parse(host.as_str()).unwrap(), host.clone());
                prop_assert_eq!(Host::parse_with_port(&format!("{host}.:443")).ok(),
                    (!host.as_str().starts_with('[')).then_some(host));
            }
        }
    }
}
