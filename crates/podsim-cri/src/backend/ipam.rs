//! Addresses for Pods: the host-local plugin's way, upwards through the range.

use super::Cidr;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Which addresses of the Pods' range are taken.
#[derive(Debug)]
pub struct Ipam {
    cidr: Cidr,
    last: u32,
    taken: BTreeSet<u32>,
}

impl Ipam {
    /// An empty range; the network's, the gateway's and the broadcast address are never given.
    #[must_use]
    pub fn new(cidr: Cidr) -> Self {
        Self {
            cidr,
            last: u32::from(cidr.gateway()),
            taken: BTreeSet::new(),
        }
    }

    /// The range.
    #[must_use]
    pub fn cidr(&self) -> Cidr {
        self.cidr
    }

    /// Takes the next free address; addresses that were given back come again only after the rest. `None` if all are taken.
    pub fn allocate(&mut self) -> Option<Ipv4Addr> {
        let (first, end) = (
            u32::from(self.cidr.gateway()).checked_add(1)?,
            u32::from(self.cidr.last()),
        );
        let upwards = (self.last.max(first - 1).saturating_add(1)..end).chain(first..end);
        let free = upwards.into_iter().find(|address| !self.taken.contains(address))?;
        self.taken.insert(free);
        self.last = free;
        Some(Ipv4Addr::from(free))
    }

    /// Gives an address back.
    pub fn release(&mut self, address: Ipv4Addr) {
        self.taken.remove(&u32::from(address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_upwards_and_come_again_only_after_the_rest() {
        let mut ipam = Ipam::new(Cidr::parse("10.0.0.9/29").expect("a range"));
        let mut next = || ipam.allocate().map(|a| a.to_string());
        assert_eq!(next().as_deref(), Some("10.0.0.10"));
        assert_eq!(next().as_deref(), Some("10.0.0.11"));
        ipam.release(Ipv4Addr::new(10, 0, 0, 10));
        let rest: Vec<_> = std::iter::from_fn(|| ipam.allocate()).map(|a| a.octets()[3]).collect();
        assert_eq!(rest, [12, 13, 14, 10]);
        assert_eq!(ipam.allocate(), None);
    }

    #[test]
    fn ranges_without_room_give_nothing() {
        for text in ["10.0.0.0/32", "10.0.0.0/31", "255.255.255.255/32"] {
            assert_eq!(
                Ipam::new(Cidr::parse(text).expect("a range")).allocate(),
                None,
                "{text}"
            );
        }
    }
}
