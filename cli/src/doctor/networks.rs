//! Sizes of networks.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Longest prefix of an IPv4 network that is larger than any VPC.
const WIDE_IPV4: u8 = 15;

/// Longest prefix of an IPv6 network that is larger than any VPC: these have /44 to /60.
const WIDE_IPV6: u8 = 43;

/// Half of the addresses of IPv4.
const HALF_OF_IPV4: u64 = 1 << 31;

/// Half of the subnets (/64) among the public addresses of IPv6.
const HALF_OF_IPV6: u64 = 1 << 60;

/// Public addresses of IPv6.
const PUBLIC_IPV6: &str = "2000::/3";

/// Number of addresses that some networks have together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Every address, or at least half of them.
    Everywhere,
    /// More than a VPC can have, with the network that has them.
    Wide(String),
    Narrow,
}

impl Extent {
    /// Judges networks together: two halves are everything. Words that are not networks count for
    /// nothing; `any` is every address.
    pub(super) fn of<'a>(networks: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut four, mut six, mut wide) = (Vec::new(), Vec::new(), None);
        for word in networks {
            if word == "any" {
                return Self::Everywhere;
            }
            match parsed(word) {
                Some(IpNet::V4(network)) => {
                    if network.prefix_len() <= WIDE_IPV4 {
                        wide.get_or_insert_with(|| word.to_owned());
                    }
                    four.push(network.trunc());
                }
                Some(IpNet::V6(network)) => {
                    if network.prefix_len() <= WIDE_IPV6 {
                        wide.get_or_insert_with(|| word.to_owned());
                    }
                    six.push(network.trunc());
                }
                None => {}
            }
        }
        let is_everywhere = addresses(&four) >= HALF_OF_IPV4 || public_subnets(&six) >= HALF_OF_IPV6;
        match (is_everywhere, wide) {
            (true, _) => Self::Everywhere,
            (false, Some(network)) => Self::Wide(network),
            (false, None) => Self::Narrow,
        }
    }
}

/// Returns the network of a word, IPv4 in the form of IPv6 as IPv4.
fn parsed(word: &str) -> Option<IpNet> {
    let network = word
        .parse::<IpNet>()
        .ok()
        .or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from))?;
    let mapped = match network {
        IpNet::V6(six) if six.prefix_len() >= 96 => six.addr().to_ipv4_mapped(),
        _ => None,
    };
    match mapped {
        Some(address) => {
            let length = network.prefix_len().saturating_sub(96);
            Ipv4Net::new(address, length).ok().map(IpNet::V4)
        }
        None => Some(network),
    }
}

fn addresses(networks: &[Ipv4Net]) -> u64 {
    let networks = Ipv4Net::aggregate(&networks.to_vec());
    let sizes = networks
        .iter()
        .map(|network| 1_u64 << (32 - u32::from(network.prefix_len())));
    sizes.sum()
}

fn public_subnets(networks: &[Ipv6Net]) -> u64 {
    let Ok(public) = PUBLIC_IPV6.parse::<Ipv6Net>() else {
        return 0;
    };
    let networks = Ipv6Net::aggregate(&networks.to_vec());
    let sizes = networks.iter().map(|network| {
        if network.contains(&public) {
            1_u64 << 61
        } else if public.contains(network) {
            1_u64 << (64_u32.saturating_sub(u32::from(network.prefix_len())))
        } else {
            0
        }
    });
    sizes.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_judged_by_what_they_have_together() {
        let wide = |network: &str| Extent::Wide(network.to_owned());
        for (networks, expected) in [
            ("0.0.0.0/0", Extent::Everywhere),
            ("::/0", Extent::Everywhere),
            ("any", Extent::Everywhere),
            ("0.0.0.0/1 128.0.0.0/1", Extent::Everywhere),
            ("128.0.0.0/1", Extent::Everywhere),
            ("0.0.0.0/2 64.0.0.0/2", Extent::Everywhere),
            ("::/1", Extent::Everywhere),
            ("2000::/4", Extent::Everywhere),
            ("::ffff:0:0/96", Extent::Everywhere),
            ("10.0.0.0/8", wide("10.0.0.0/8")),
            ("10.0.0.0/16 172.16.0.0/12", wide("172.16.0.0/12")),
            ("64.0.0.0/2", wide("64.0.0.0/2")),
            ("2001:db8::/32", wide("2001:db8::/32")),
            ("fc00::/7", wide("fc00::/7")),
            ("10.0.0.0/16 10.1.0.0/16", Extent::Narrow),
            ("10.0.0.0/20 2001:db8::/56 192.0.2.7", Extent::Narrow),
            ("2001:db8::/44", Extent::Narrow),
            ("SUBNET-A-CIDR", Extent::Narrow),
            ("", Extent::Narrow),
        ] {
            assert_eq!(Extent::of(networks.split_whitespace()), expected, "{networks}");
        }
    }
}
