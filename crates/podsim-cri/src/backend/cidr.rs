//! Ranges of addresses.

use std::net::Ipv4Addr;

/// A range of IPv4 addresses, such as `10.244.0.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The network's address.
    pub network: Ipv4Addr,
    /// Bits of the network part, 0 to 32.
    pub prefix: u8,
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

impl Cidr {
    /// Reads `172.172.1.0/24`; bits behind the prefix are cleared.
    #[must_use]
    pub fn parse(text: &str) -> Option<Cidr> {
        let (address, prefix) = text.split_once('/')?;
        let prefix: u8 = prefix.parse().ok().filter(|p| *p <= 32)?;
        Some(Cidr::of(address.parse().ok()?, prefix))
    }

    /// The network that an address with these bits is in.
    #[must_use]
    pub fn of(address: Ipv4Addr, prefix: u8) -> Cidr {
        let prefix = prefix.min(32);
        Cidr {
            network: Ipv4Addr::from_bits(address.to_bits() & mask(prefix)),
            prefix,
        }
    }

    /// The first address after the network's own: the bridge has it.
    #[must_use]
    pub fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network.to_bits().saturating_add(1))
    }

    /// The last address.
    #[must_use]
    pub fn last(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network.to_bits() | !mask(self.prefix))
    }

    /// The broadcast address; none for /31 and /32, which have no room for one.
    #[must_use]
    pub fn broadcast(self) -> Option<Ipv4Addr> {
        (self.prefix < 31).then(|| self.last())
    }

    /// Whether they have an address in common.
    #[must_use]
    pub fn overlaps(self, other: Cidr) -> bool {
        let prefix = self.prefix.min(other.prefix);
        Cidr::of(self.network, prefix) == Cidr::of(other.network, prefix)
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(a: u8, b: u8, c: u8, prefix: u8) -> Cidr {
        Cidr::of(Ipv4Addr::new(a, b, c, 0), prefix)
    }

    #[test]
    fn nonsense_is_no_range() {
        for text in ["", "10.0.0.0", "10.0.0.0/33", "x/8"] {
            assert_eq!(Cidr::parse(text), None, "{text}");
        }
        assert_eq!(Cidr::parse("10.244.0.9/24"), Some(cidr(10, 244, 0, 24)));
    }

    #[test]
    fn ranges_overlap_when_one_is_within_the_other() {
        let pods = cidr(10, 244, 0, 24);
        for (other, overlaps) in [
            (pods, true),
            (cidr(10, 0, 0, 8), true),
            (Cidr::of(Ipv4Addr::new(10, 244, 0, 200), 32), true),
            (cidr(10, 244, 1, 24), false),
            (cidr(0, 0, 0, 0), true),
        ] {
            assert_eq!(pods.overlaps(other), overlaps, "{other}");
            assert_eq!(other.overlaps(pods), overlaps, "{other}");
        }
    }

    #[test]
    fn a_range_has_a_gateway_and_a_broadcast_address() {
        let pods = cidr(10, 244, 0, 24);
        assert_eq!(pods.gateway(), Ipv4Addr::new(10, 244, 0, 1));
        assert_eq!(pods.broadcast(), Some(Ipv4Addr::new(10, 244, 0, 255)));
        assert_eq!(cidr(10, 0, 0, 31).broadcast(), None);
    }
}
