//! Networks from which requests may come.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// Networks of TCP peers, such as the subnets of a load balancer. A client that reaches a container
/// from another network could write the certificate header itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peers {
    /// Peers of every network, and peers that are not known.
    Any,
    /// Peers of these networks alone.
    Networks(Vec<IpNet>),
}

/// Reason that a text does not name networks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPeers {
    /// The text or a word of it is not a network.
    #[error("networks separated by white space, such as `10.0.0.0/20 2001:db8::/56`, or `any` alone")]
    NotANetwork,
    /// The address has bits behind the length of the prefix, which is a typing mistake.
    #[error(
        "`{0}`, or another length behind the address: bits of the address are set that the length leaves out"
    )]
    HostBits(IpNet),
    /// The network has every address of its kind.
    #[error("`any` for every network, or networks that are smaller than `{0}`")]
    EveryAddress(IpNet),
    /// IPv4 addresses in the form of IPv6, which peers are never compared as.
    #[error("IPv4 addresses in their own form, such as `10.0.0.0/20`")]
    Mapped,
}

const ANY: &str = "any";

impl Peers {
    /// Returns `true` if requests may come from this address. An IPv4 address in the form of IPv6,
    /// as sockets for both report it, counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Networks(networks) => {
                let address = address.to_canonical();
                networks.iter().any(|network| network.contains(&address))
            }
        }
    }
}

impl FromStr for Peers {
    type Err = InvalidPeers;

    fn from_str(text: &str) -> Result<Self, InvalidPeers> {
        if text == ANY {
            return Ok(Self::Any);
        }
        let networks: Vec<IpNet> = text.split_whitespace().map(network).collect::<Result<_, _>>()?;
        match networks.is_empty() {
            true => Err(InvalidPeers::NotANetwork),
            false => Ok(Self::Networks(networks)),
        }
    }
}

/// Reads a network, or one address, which is the network of that address alone.
fn network(word: &str) -> Result<IpNet, InvalidPeers> {
    // Not ipnet's own parser: it takes `010.0.0.0/8`, which is another network for those who read
    // a leading zero as octal.
    let (address, length) = match word.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (word, None),
    };
    let address: IpAddr = address.parse().map_err(|_| InvalidPeers::NotANetwork)?;
    let network = match length {
        None => IpNet::from(address),
        Some(length) => {
            let is_number = length.bytes().all(|byte| byte.is_ascii_digit())
                && (length == "0" || !length.starts_with('0'));
            let length = length.parse().ok().filter(|_| is_number);
            let length: u8 = length.ok_or(InvalidPeers::NotANetwork)?;
            IpNet::new(address, length).map_err(|_| InvalidPeers::NotANetwork)?
        }
    };
    if network.trunc() != network {
        return Err(InvalidPeers::HostBits(network.trunc()));
    }
    if network.prefix_len() == 0 {
        return Err(InvalidPeers::EveryAddress(network));
    }
    if network.addr().to_canonical() != network.addr() {
        return Err(InvalidPeers::Mapped);
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_of_the_networks_are_contained_and_no_others() {
        let peers: Peers = "10.0.0.0/20\n192.0.2.7 2001:db8:1::/56".parse().unwrap();
        for (address, expected) in [
            ("10.0.0.0", true),
            ("10.0.15.255", true),
            ("10.0.16.0", false),
            ("::ffff:10.0.15.255", true),
            ("::ffff:10.0.16.0", false),
            // IPv4-compatible, translated and 6to4 forms are other hosts than the IPv4 address.
            ("::10.0.0.1", false),
            ("64:ff9b::10.0.0.1", false),
            ("2002:a00:1::", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("2001:db8:1:ff::1", true),
            ("2001:db8:1:100::1", false),
            ("127.0.0.1", false),
            ("::1", false),
        ] {
            assert_eq!(peers.contains(address.parse().unwrap()), expected, "{address}");
        }
        let any: Peers = "any".parse().unwrap();
        assert!(any.contains("192.0.2.1".parse().unwrap()) && any.contains("::1".parse().unwrap()));
    }

    #[test]
    fn networks_that_mean_something_else_are_refused() {
        use InvalidPeers::{EveryAddress, HostBits, Mapped, NotANetwork};
        for (text, error) in [
            ("", NotANetwork),
            (" ", NotANetwork),
            ("Any", NotANetwork),
            ("any 10.0.0.0/8", NotANetwork),
            ("10.0.0.0/8,10.1.0.0/16", NotANetwork),
            ("10.0.0.0/33", NotANetwork),
            ("10.0.0.0/255.0.0.0", NotANetwork),
            ("010.0.0.0/8", NotANetwork),
            ("10.0.0.0/08", NotANetwork),
            ("10.0.0.0/+8", NotANetwork),
            ("10.0.0.0/", NotANetwork),
            ("10.0.0/24", NotANetwork),
            ("gate.internal", NotANetwork),
            ("fe80::1%eth0/64", NotANetwork),
            ("10.0.0.5/20", HostBits("10.0.0.0/20".parse().unwrap())),
            ("2001:db8::1/64", HostBits("2001:db8::/64".parse().unwrap())),
            ("0.0.0.0/0", EveryAddress("0.0.0.0/0".parse().unwrap())),
            ("10.0.0.0/8 ::/0", EveryAddress("::/0".parse().unwrap())),
            ("::ffff:10.0.0.0/104", Mapped),
            ("::ffff:10.0.0.1", Mapped),
        ] {
            assert_eq!(text.parse::<Peers>(), Err(error), "{text}");
        }
    }
}
