//! The URL, and where its connections go.

use std::str::FromStr;

use http::Uri;
use rustls_pki_types::ServerName;

/// A URL of a load balancer.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Value of the header Host.
    pub(super) authority: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: String,
    pub(super) server_name: ServerName<'static>,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|error| format!("not a URL: {error}"))?;
        if uri.scheme_str() != Some("https") {
            return Err(
                "the URL must begin with `https://`: a certificate is presented in a TLS handshake"
                    .to_owned(),
            );
        }
        let authority = uri.authority().ok_or("the URL has no host")?;
        if authority.as_str().contains('@') {
            return Err("the URL must not contain a user name".to_owned());
        }
        let host = without_brackets(authority.host()).to_owned();
        let server_name = ServerName::try_from(host.clone())
            .map_err(|_| "the host of the URL is neither a DNS name nor an IP address".to_owned())?;
        Ok(Self {
            port: authority.port_u16().unwrap_or(443),
            authority: authority.to_string(),
            path: uri
                .path_and_query()
                .map_or("/", http::uri::PathAndQuery::as_str)
                .to_owned(),
            host,
            server_name,
        })
    }
}

/// Another place for the connections to a host, in the form of curl's `--connect-to` or
/// `--resolve`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Redirection {
    from: (String, Option<u16>),
    to: (String, Option<u16>),
}

impl Redirection {
    /// Parses `HOST:PORT:HOST:PORT`; an empty field stands for any host or port, or the same one.
    pub(super) fn connect_to(text: &str) -> Result<Self, String> {
        match fields(text)?.as_slice() {
            [host, port, to, to_port] => Ok(Self {
                from: (host.to_ascii_lowercase(), parse_port(port)?),
                to: (to.clone(), parse_port(to_port)?),
            }),
            _ => Err("it is written `HOST:PORT:CONNECT-HOST:CONNECT-PORT`".to_owned()),
        }
    }

    /// Parses `HOST:PORT:ADDRESS`.
    pub(super) fn resolve(text: &str) -> Result<Self, String> {
        match fields(text)?.as_slice() {
            [host, port, address] if !address.is_empty() => Ok(Self {
                from: (host.to_ascii_lowercase(), parse_port(port)?),
                to: (address.clone(), None),
            }),
            _ => Err("it is written `HOST:PORT:ADDRESS`".to_owned()),
        }
    }

    fn applies_to(&self, target: &Target) -> bool {
        let (host, port) = &self.from;
        (host.is_empty() || *host == target.host.to_ascii_lowercase())
            && port.is_none_or(|port| port == target.port)
    }
}

/// Returns host and port to connect to: the first redirection of this target counts, as in curl.
pub(super) fn place(target: &Target, redirections: &[Redirection]) -> (String, u16) {
    let redirection = redirections.iter().find(|one| one.applies_to(target));
    match redirection.map(|one| &one.to) {
        None => (target.host.clone(), target.port),
        Some((host, port)) => (
            match host.is_empty() {
                true => target.host.clone(),
                false => host.clone(),
            },
            port.unwrap_or(target.port),
        ),
    }
}

/// Splits at colons outside of brackets, which IPv6 addresses have.
fn fields(text: &str) -> Result<Vec<String>, String> {
    let mut fields = vec![String::new()];
    let mut is_address = false;
    for character in text.chars() {
        match character {
            '[' => is_address = true,
            ']' => is_address = false,
            ':' if !is_address => fields.push(String::new()),
            other => {
                if let Some(last) = fields.last_mut() {
                    last.push(other);
                }
            }
        }
    }
    match is_address {
        true => Err("`[` without `]`".to_owned()),
        false => Ok(fields),
    }
}

fn parse_port(text: &str) -> Result<Option<u16>, String> {
    match text {
        "" => Ok(None),
        port => port
            .parse()
            .map(Some)
            .map_err(|_| format!("`{port}` is not a port")),
    }
}

fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(url: &str, redirections: &[Redirection]) -> (String, u16) {
        place(&url.parse().unwrap(), redirections)
    }

    #[test]
    fn connect_to_and_resolve_are_read_as_curl_reads_them() {
        let gate = "https://Gate.example.org/a";
        let load_balancer = Redirection::connect_to("gate.example.org:443:lb.example:8443").unwrap();
        assert_eq!(
            to(gate, std::slice::from_ref(&load_balancer)),
            ("lb.example".into(), 8443)
        );
        assert_eq!(
            to("https://gate.example.org:444/", &[load_balancer]),
            ("gate.example.org".into(), 444)
        );
        let everything = Redirection::connect_to("::[::1]:").unwrap();
        assert_eq!(to(gate, &[everything]), ("::1".into(), 443));
        let address = Redirection::resolve("gate.example.org:443:[2001:db8::1]").unwrap();
        assert_eq!(to(gate, &[address]), ("2001:db8::1".into(), 443));
        for wrong in ["", "a:b:c:d", "a:1:b:99999", "[::1:443:a:1"] {
            assert!(Redirection::connect_to(wrong).is_err(), "{wrong}");
        }
        assert!(Redirection::resolve("gate.example.org:443:").is_err());
    }

    #[test]
    fn url_without_tls_or_with_a_user_is_not_taken() {
        for wrong in ["http://a/", "a", "https://user@a/", "https:///", "https://a b/"] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
        let target: Target = "https://[::1]:8443/a?b".parse().unwrap();
        assert_eq!((target.host.as_str(), target.port), ("::1", 8443));
        assert_eq!(
            (target.authority.as_str(), target.path.as_str()),
            ("[::1]:8443", "/a?b")
        );
    }
}
