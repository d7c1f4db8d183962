//! Which addresses a CRL may be fetched from.
//!
//! URLs come from the operator's settings or certificates, but the names in them are resolved by a name server, and
//! whoever controls that could point one at a service inside of the network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Why nothing is fetched from an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForbiddenAddress {
    /// An address of a private or special-purpose network that is not listed.
    #[error(
        "{0} is not a public address: list its network in CRL_PRIVATE_NETWORKS if a CRL is to be had there"
    )]
    Private(IpAddr),
    /// A link-local address, or one of a cloud metadata service.
    #[error("{0} is a link-local address, where metadata services are")]
    LinkLocal(IpAddr),
    /// An unspecified, multicast or broadcast address.
    #[error("{0} is the address of no host")]
    NoHost(IpAddr),
}

/// Checks an address; `private` are the networks that may be reached although they are not public.
pub fn check(address: IpAddr, private: &[IpNet]) -> Result<(), ForbiddenAddress> {
    let plain = plain(address);
    if is_link_local(plain) || is_link_local(address) {
        return Err(ForbiddenAddress::LinkLocal(address));
    }
    if plain.is_unspecified() || plain.is_multicast() || plain == IpAddr::V4(Ipv4Addr::BROADCAST) {
        return Err(ForbiddenAddress::NoHost(address));
    }
    if is_public(plain) || private.iter().any(|network| network.contains(&plain)) {
        Ok(())
    } else {
        Err(ForbiddenAddress::Private(address))
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped (RFC 4291 §2.5.5.2), translated (RFC 6052 §2.1, RFC 8215) or
/// tunnelled (RFC 3056).
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(address) = address.to_canonical() else {
        return address.to_canonical();
    };
    match address.octets() {
        [0x00, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d]
        | [0x00, 0x64, 0xFF, 0x9B, 0, 1, _, _, _, _, _, _, a, b, c, d]
        | [0x20, 0x02, a, b, c, d, ..] => IpAddr::from([a, b, c, d]),
        _ => IpAddr::V6(address),
    }
}

/// The metadata services of AWS over IPv6, `fd00:ec2::/32`, are unique local addresses; they count here too.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_unicast_link_local() || matches!(address.segments(), [0xFD00, 0x0EC2, ..])
        }
    }
}

/// Whether an address is not in IANA's registries of special-purpose addresses (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [192, 168, ..]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [224..=255, ..]
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // Documentation, and the blocks of protocols, Teredo among them.
        [0x2001, 0x0DB8, ..] | [0x2001, 0..=0x01FF, ..] | [0x3FFF, 0..=0x0FFF, ..] => false,
        // Everything else that is global is in 2000::/3.
        [0x2000..=0x3FFF, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(address: &str, private: &[&str]) -> Result<(), ForbiddenAddress> {
        let private: Vec<IpNet> = private.iter().map(|network| network.parse().unwrap()).collect();
        check(address.parse().unwrap(), &private)
    }

    #[test]
    fn public_addresses_are_fine() {
        for address in [
            "1.1.1.1",
            "52.216.0.1",
            "172.32.0.1",
            "100.128.0.1",
            "2600:1f18::1",
            "2a05:d018::1",
        ] {
            assert_eq!(verdict(address, &[]), Ok(()), "{address}");
        }
    }

    #[test]
    fn private_addresses_need_to_be_listed() {
        for address in [
            "10.0.0.1",
            "127.0.0.1",
            "127.255.0.1",
            "100.64.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.8",
            "198.18.0.1",
            "240.0.0.1",
            "0.1.2.3",
            "::1",
            "fc00::1",
            "fd12::1",
            "2001:db8::1",
            "2001::1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::10.0.0.1",
            "2002:0a00:0001::",
            "::127.0.0.1",
        ] {
            let error = verdict(address, &[]).unwrap_err();
            assert!(
                matches!(error, ForbiddenAddress::Private(_)),
                "{address}: {error}"
            );
        }
        assert_eq!(verdict("10.1.2.3", &["10.1.0.0/16"]), Ok(()));
        assert_eq!(verdict("::ffff:10.1.2.3", &["10.1.0.0/16"]), Ok(()));
        assert!(verdict("10.2.2.3", &["10.1.0.0/16"]).is_err());
        assert_eq!(verdict("fd12::1", &["fd12::/64"]), Ok(()));
    }

    #[test]
    fn metadata_services_are_out_of_reach_whatever_is_listed() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::a9fe:a9fe",
            "2002:a9fe:a9fe::",
        ] {
            let error = verdict(address, &["0.0.0.0/0", "::/0"]).unwrap_err();
            assert!(
                matches!(error, ForbiddenAddress::LinkLocal(_)),
                "{address}: {error}"
            );
        }
    }

    #[test]
    fn addresses_of_no_host_are_refused_whatever_is_listed() {
        for address in [
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "::ffff:0.0.0.0",
        ] {
            let error = verdict(address, &["0.0.0.0/0", "::/0"]).unwrap_err();
            assert!(matches!(error, ForbiddenAddress::NoHost(_)), "{address}: {error}");
        }
    }
}
