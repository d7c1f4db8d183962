//! The one spelling of a host.

/// The host of a Host header as policies know it: lower case, no port, no dot at the end.
///
/// `None` for what is no host (RFC 9110 §7.2), which nobody can say a rule about hosts for.
pub fn normalised(header: &str) -> Option<String> {
    let host = match header.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            is_port(port).then_some(())?;
            let address: std::net::Ipv6Addr = address.parse().ok()?;
            return Some(format!("[{address}]"));
        }
        None => match header.split_once(':') {
            Some((host, port)) => port.bytes().all(|byte| byte.is_ascii_digit()).then_some(host)?,
            None => header,
        },
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_name = (1..=253).contains(&host.len())
        && host.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        });
    is_name.then(|| host.to_ascii_lowercase())
}

fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_has_one_spelling() {
        for header in [
            "api.example.org",
            "API.Example.ORG",
            "api.example.org:8443",
            "api.example.org.",
            "api.example.org.:",
        ] {
            assert_eq!(normalised(header).as_deref(), Some("api.example.org"), "{header}");
        }
        assert_eq!(
            normalised("[2001:DB8:0::1]:443").as_deref(),
            Some("[2001:db8::1]")
        );
        assert_eq!(normalised("192.0.2.1:80").as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn what_is_no_host_has_none() {
        for header in [
            "",
            ".",
            "a..b",
            "a b",
            "a/b",
            "user@host",
            "a:b",
            "[::1",
            "[::1]x",
            "[x]",
            "é.example",
            "a%00b",
            "a,b",
            "a\0",
        ] {
            assert_eq!(normalised(header), None, "{header}");
        }
        assert_eq!(normalised(&"a".repeat(254)), None);
    }
}
