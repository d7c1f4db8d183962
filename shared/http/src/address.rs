//! Classes of network addresses, for every program that connects to a name from elsewhere.
//!
//! URLs come from the operator, but a name server resolves the names in them. An attacker who
//! controls its answers can point a name at a service inside the network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Class of an address, in the order of the harm that a connection to it can do.
///
/// ```
/// use alb_mtls_http::address::AddressClass;
///
/// let class = |address: &str| AddressClass::classify(address.parse().unwrap());
/// assert_eq!(class("203.0.113.7"), AddressClass::Private);
/// // The metadata service through a translator's address (RFC 6052).
/// assert_eq!(class("64:ff9b::169.254.169.254"), AddressClass::LinkLocal);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressClass {
    /// Address outside IANA's registries of special-purpose addresses (RFC 6890).
    Public,
    /// Address in a private or special-purpose network, loopback included.
    Private,
    /// Unspecified, multicast or broadcast address, or one in 0.0.0.0/8, which is never a
    /// destination (RFC 6890 §2.2.2).
    NoHost,
    /// Link-local address: cloud metadata services and container credentials are in 169.254.0.0/16.
    LinkLocal,
    /// Address in `fd00:ec2::/32`: instance metadata, time, DNS and container credentials of AWS
    /// over IPv6.
    Metadata,
}

impl AddressClass {
    /// Classifies an address by the worst of its [`readings`].
    pub fn classify(address: IpAddr) -> Self {
        let readings = readings(address);
        let classes = readings.into_iter().map(Self::classify_reading);
        classes.max().unwrap_or(Self::NoHost)
    }

    /// Classifies one reading without looking for others in it.
    pub fn classify_reading(reading: IpAddr) -> Self {
        match reading {
            IpAddr::V4(address) => classify_v4(address),
            IpAddr::V6(address) => classify_v6(address),
        }
    }
}

/// Writes the end of a sentence that begins with the address: "192.0.2.1 is …".
impl fmt::Display for AddressClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Public => "a public address",
            Self::Private => "not a public address",
            Self::NoHost => "an address that no single host has",
            Self::LinkLocal => "a link-local address, where cloud metadata and credentials are served",
            Self::Metadata => "an address of the EC2 metadata service",
        })
    }
}

/// Returns every address at which a connection to this one can end: the address itself, and each
/// IPv4 address that a translator or a tunnel extracts from it.
///
/// An IPv6 address that is only another form of an IPv4 address is left out. A translator's
/// operator chooses among several layouts, so all of them are read. Readings that no host has are
/// left out, because a network drops them.
pub fn readings(address: IpAddr) -> Vec<IpAddr> {
    let IpAddr::V6(address) = address else {
        return vec![address];
    };
    let embedded = embedded(address);
    let (own, possible) = match embedded {
        Embedded::Only(address) => return vec![IpAddr::V4(address)],
        Embedded::Possibly(addresses) => (IpAddr::V6(address), addresses),
    };
    let possible = possible
        .into_iter()
        .filter(|address| classify_v4(*address) != AddressClass::NoHost);
    std::iter::once(own).chain(possible.map(IpAddr::V4)).collect()
}

/// IPv4 addresses in an IPv6 address.
enum Embedded {
    /// Another form of this one address.
    Only(Ipv4Addr),
    /// An address that some network takes for each of these.
    Possibly(Vec<Ipv4Addr>),
}

fn embedded(address: Ipv6Addr) -> Embedded {
    let octets = address.octets();
    match octets {
        // IPv4-mapped (RFC 4291 §2.5.5.2).
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, a, b, c, d]
        // The well-known prefix of translators, 64:ff9b::/96 (RFC 6052 §2.1).
        | [0x00, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d]
        // 6to4 (RFC 3056 §2).
        | [0x20, 0x02, a, b, c, d, ..] => Embedded::Only(Ipv4Addr::new(a, b, c, d)),
        // The prefix of local translators, 64:ff9b:1::/48 (RFC 8215), in each layout of RFC 6052
        // §2.2: prefixes of 48, 56, 64 and 96 bits, without octet 8. What is behind the address is
        // ignored (§2.3).
        [0x00, 0x64, 0xFF, 0x9B, 0, 1, g, h, _, j, k, l, m, n, o, p] => Embedded::Possibly(vec![
            Ipv4Addr::new(g, h, j, k),
            Ipv4Addr::new(h, j, k, l),
            Ipv4Addr::new(j, k, l, m),
            Ipv4Addr::new(m, n, o, p),
        ]),
        // Teredo (RFC 4380 §4): its server, and the client with every bit inverted.
        [0x20, 0x01, 0, 0, a, b, c, d, _, _, _, _, w, x, y, z] => Embedded::Possibly(vec![
            Ipv4Addr::new(a, b, c, d),
            Ipv4Addr::new(!w, !x, !y, !z),
        ]),
        // IPv4-compatible (RFC 4291 §2.5.5.1), IPv4-translated (RFC 2765 §2.1), and ISATAP behind
        // any prefix (RFC 5214 §6.1).
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d]
        | [0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, a, b, c, d]
        | [_, _, _, _, _, _, _, _, 0 | 2, 0, 0x5E, 0xFE, a, b, c, d] => {
            Embedded::Possibly(vec![Ipv4Addr::new(a, b, c, d)])
        }
        _ => Embedded::Possibly(Vec::new()),
    }
}

fn classify_v4(address: Ipv4Addr) -> AddressClass {
    match address.octets() {
        [0 | 224..=239, ..] | [255, 255, 255, 255] => AddressClass::NoHost,
        [169, 254, ..] => AddressClass::LinkLocal,
        [10 | 127, ..]
        | [100, 64..=127, ..]
        | [172, 16..=31, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [192, 168, ..]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [240..=255, ..] => AddressClass::Private,
        _ => AddressClass::Public,
    }
}

fn classify_v6(address: Ipv6Addr) -> AddressClass {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] | [0xFF00..=0xFFFF, ..] => AddressClass::NoHost,
        [0xFE80..=0xFEBF, ..] => AddressClass::LinkLocal,
        [0xFD00, 0x0EC2, ..] => AddressClass::Metadata,
        // Documentation, and the blocks of protocols, Teredo among them.
        [0x2001, 0x0DB8, ..] | [0x2001, 0..=0x01FF, ..] | [0x3FFF, 0..=0x0FFF, ..] => AddressClass::Private,
        // Everything else that is global is in 2000::/3.
        [0x2000..=0x3FFF, ..] => AddressClass::Public,
        _ => AddressClass::Private,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn class(address: &str) -> AddressClass {
        AddressClass::classify(address.parse().unwrap())
    }

    #[test]
    fn public_addresses_are_public() {
        for address in [
            "1.1.1.1",
            "52.216.0.1",
            "172.32.0.1",
            "100.128.0.1",
            "2600:1f18::1",
            "2a05:d018::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
        ] {
            assert_eq!(class(address), AddressClass::Public, "{address}");
        }
    }

    #[test]
    fn private_addresses_are_private_in_every_form() {
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
            "::1",
            "fc00::1",
            "fd12::1",
            "fec0::1",
            "2001:db8::1",
            "2001::1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::10.0.0.1",
            "64:ff9b:1::1.1.1.1",
            "2002:0a00:0001::",
            "::127.0.0.1",
            "::1.1.1.1",
            "::ffff:0:10.0.0.1",
            "2600::5efe:10.0.0.1",
            "2600::200:5efe:192.168.0.1",
        ] {
            assert_eq!(class(address), AddressClass::Private, "{address}");
        }
    }

    #[test]
    fn metadata_services_are_found_in_every_form() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "fe80::1",
            "febf::1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::169.254.169.254",
            // Each layout of RFC 6052 §2.2, with and without something behind the address.
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1:a9fe:a9:fe00:808:808",
            "64:ff9b:1:a9:fe:a9fe::",
            "64:ff9b:1:2a9:fe:a9fe:0:7",
            "64:ff9b:1:2:a9:fea9:fe00:0",
            "64:ff9b:1::a9fe:a9fe",
            "64:ff9b:1:2:3:4:a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "2002:a9fe:a9fe::808:808",
            "2001:0:a9fe:a9fe::1",
            "2001:0:101:101::5601:5601",
            "2600:1f18::5efe:a9fe:a9fe",
            "2600:1f18::200:5efe:a9fe:a9fe",
        ] {
            assert_eq!(class(address), AddressClass::LinkLocal, "{address}");
        }
        assert_eq!(class("fd00:ec2::254"), AddressClass::Metadata);
        assert_eq!(class("fd00:ec2::5efe:a9fe:a9fe"), AddressClass::Metadata);
    }

    #[test]
    fn addresses_without_a_host_are_found() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "::ffff:0.0.0.0",
            "64:ff9b::",
            "2002:e000:1::",
        ] {
            assert_eq!(class(address), AddressClass::NoHost, "{address}");
        }
    }

    /// Places of an IPv4 address in RFC 6052 §2.2, figure 1.
    fn translated(prefix: [u8; 12], length: usize, embedded: Ipv4Addr, suffix: u8) -> Ipv6Addr {
        let mut octets = [suffix; 16];
        octets[..length].copy_from_slice(&prefix[..length]);
        let mut place = length;
        for octet in embedded.octets() {
            if place == 8 {
                octets[place] = 0;
                place += 1;
            }
            octets[place] = octet;
            place += 1;
        }
        octets.into()
    }

    proptest! {
        #[test]
        fn no_translation_makes_an_address_better(embedded in any::<u32>(), rest in any::<[u8; 6]>(), suffix in any::<u8>()) {
            let embedded = Ipv4Addr::from(embedded);
            let bare = AddressClass::classify(IpAddr::V4(embedded));
            let local = [0x00, 0x64, 0xFF, 0x9B, 0, 1, rest[0], rest[1], rest[2], rest[3], rest[4], rest[5]];
            for length in [6, 7, 8, 12] {
                let address = translated(local, length, embedded, suffix);
                let class = AddressClass::classify(IpAddr::V6(address));
                prop_assert!(class >= bare || bare == AddressClass::NoHost, "{embedded} {address}");
                prop_assert!(class >= AddressClass::Private, "{address}");
            }
        }
    }
}
