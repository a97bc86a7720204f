//! [`PortTable`]: who has which port of one protocol in one namespace (Linux's `inet_hashinfo`), and the rules of `bind(2)`.

use podsim_sys::{Errno, Result};
use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::{Arc, Weak};

/// `net.ipv4.ip_local_port_range`.
const EPHEMERAL: RangeInclusive<u16> = 32768..=60999;

/// What a socket asks for when it is bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    /// The address; the unspecified one for any. IPv4-mapped addresses are IPv4 here.
    pub(super) address: IpAddr,
    /// `::` without IPv4.
    pub(super) v6_only: bool,
    /// SO_REUSEADDR.
    pub(super) reuse_addr: bool,
    /// SO_REUSEPORT.
    pub(super) reuse_port: bool,
    /// Owner of the socket: SO_REUSEPORT is shared only with oneself.
    pub(super) uid: u32,
}

impl Claim {
    /// Whether packets for the other could be meant for this one.
    fn overlaps(&self, other: &Claim) -> bool {
        match (self.address, other.address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => a == b || a.is_unspecified() || b.is_unspecified(),
            (IpAddr::V6(a), IpAddr::V6(b)) => a == b || a.is_unspecified() || b.is_unspecified(),
            (IpAddr::V4(_), IpAddr::V6(b)) => b.is_unspecified() && !other.v6_only,
            (IpAddr::V6(a), IpAddr::V4(_)) => a.is_unspecified() && !self.v6_only,
        }
    }

    /// How well a packet to this address fits: 3 exactly, 2 by a wildcard, 1 by a wildcard of the other family, none not at all.
    pub(super) fn score(&self, destination: IpAddr) -> Option<u8> {
        match (self.address, destination) {
            (a, b) if a == b => Some(3),
            (IpAddr::V4(a), IpAddr::V4(_)) if a.is_unspecified() => Some(2),
            (IpAddr::V6(a), IpAddr::V6(_)) if a.is_unspecified() => Some(2),
            (IpAddr::V6(a), IpAddr::V4(_)) if a.is_unspecified() && !self.v6_only => Some(1),
            _ => None,
        }
    }
}

/// A socket's hold on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hold {
    /// The port.
    pub(super) port: u16,
    id: u64,
}

struct Entry<S> {
    id: u64,
    claim: Claim,
    listening: bool,
    socket: Weak<S>,
}

/// One port: who is bound to it, and the connections that were accepted on it.
struct Port<S> {
    owners: Vec<Entry<S>>,
    children: HashMap<u64, Entry<S>>,
}

impl<S> Default for Port<S> {
    fn default() -> Self {
        Self {
            owners: Vec::new(),
            children: HashMap::new(),
        }
    }
}

/// Who has which port.
pub(super) struct PortTable<S> {
    ports: HashMap<u16, Port<S>>,
    next_id: u64,
    ephemeral: RangeInclusive<u16>,
    next_ephemeral: u16,
}

impl<S> Default for PortTable<S> {
    fn default() -> Self {
        Self {
            ports: HashMap::new(),
            next_id: 0,
            ephemeral: EPHEMERAL,
            next_ephemeral: *EPHEMERAL.start(),
        }
    }
}

impl<S> PortTable<S> {
    /// The first and the last port that are given away freely.
    pub(super) fn ephemeral(&self) -> (u16, u16) {
        self.ephemeral.clone().into_inner()
    }

    pub(super) fn set_ephemeral(&mut self, first: u16, last: u16) {
        self.ephemeral = first..=last;
        self.next_ephemeral = first;
    }

    /// Takes a port; 0 takes a free one. EADDRINUSE as `inet_csk_bind_conflict` says.
    pub(super) fn bind(&mut self, port: u16, claim: Claim, socket: Weak<S>) -> Result<Hold> {
        let port = if port == 0 { self.free_port()? } else { port };
        let slot = self.ports.entry(port).or_default();
        let conflict = |entry: &Entry<S>| {
            let both_reuse = claim.reuse_addr && entry.claim.reuse_addr && !entry.listening;
            let both_share = claim.reuse_port && entry.claim.reuse_port && claim.uid == entry.claim.uid;
            claim.overlaps(&entry.claim) && !both_reuse && !both_share
        };
        if slot.owners.iter().any(conflict) || slot.children.values().any(conflict) {
            return Err(Errno::EADDRINUSE);
        }
        self.next_id += 1;
        let id = self.next_id;
        slot.owners.push(Entry {
            id,
            claim,
            listening: false,
            socket,
        });
        Ok(Hold { port, id })
    }

    /// An accepted connection: it shares the port of its listener.
    pub(super) fn adopt(&mut self, port: u16, claim: Claim, socket: Weak<S>) -> Hold {
        self.next_id += 1;
        let id = self.next_id;
        let entry = Entry {
            id,
            claim,
            listening: false,
            socket,
        };
        self.ports.entry(port).or_default().children.insert(id, entry);
        Hold { port, id }
    }

    /// The socket begins to listen. Two that share an address by SO_REUSEADDR cannot both listen.
    pub(super) fn listen(&mut self, hold: Hold) -> Result<()> {
        let slot = self.ports.get_mut(&hold.port).ok_or(Errno::EINVAL)?;
        let own = slot.owners.iter().position(|e| e.id == hold.id).ok_or(Errno::EINVAL)?;
        let claim = slot.owners.get(own).ok_or(Errno::EINVAL)?.claim;
        let rival = |e: &Entry<S>| {
            let both_share = claim.reuse_port && e.claim.reuse_port && claim.uid == e.claim.uid;
            e.id != hold.id && e.listening && claim.overlaps(&e.claim) && !both_share
        };
        if slot.owners.iter().any(rival) {
            return Err(Errno::EADDRINUSE);
        }
        if let Some(entry) = slot.owners.get_mut(own) {
            entry.listening = true;
        }
        Ok(())
    }

    /// The socket listens no more, but stays bound.
    pub(super) fn unlisten(&mut self, hold: Hold) {
        let slot = self.ports.get_mut(&hold.port);
        if let Some(entry) = slot.and_then(|slot| slot.owners.iter_mut().find(|e| e.id == hold.id)) {
            entry.listening = false;
        }
    }

    /// The options of a bound socket changed, or its address was narrowed by connecting.
    pub(super) fn update(&mut self, hold: Hold, change: impl FnOnce(&mut Claim)) {
        let Some(slot) = self.ports.get_mut(&hold.port) else {
            return;
        };
        let entry = slot
            .owners
            .iter_mut()
            .find(|e| e.id == hold.id)
            .or_else(|| slot.children.get_mut(&hold.id));
        if let Some(entry) = entry {
            change(&mut entry.claim);
        }
    }

    /// Gives a port back.
    pub(super) fn release(&mut self, hold: Hold) {
        if let Some(slot) = self.ports.get_mut(&hold.port) {
            slot.owners.retain(|e| e.id != hold.id);
            slot.children.remove(&hold.id);
            if slot.owners.is_empty() && slot.children.is_empty() {
                self.ports.remove(&hold.port);
            }
        }
    }

    /// The sockets bound to a port that a packet to this address is meant for, with how well they fit: best first, and of equals
    /// the one that was bound last.
    pub(super) fn lookup(&self, port: u16, destination: IpAddr, listening: bool) -> Vec<(u8, Arc<S>)> {
        let Some(slot) = self.ports.get(&port) else {
            return Vec::new();
        };
        let wanted = slot.owners.iter().rev().filter(|e| e.listening == listening);
        let mut found: Vec<_> = wanted
            .filter_map(|e| Some((e.claim.score(destination)?, e.socket.upgrade()?)))
            .collect();
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        found
    }

    /// All sockets, by port.
    pub(super) fn sockets(&self) -> Vec<Arc<S>> {
        let mut ports: Vec<_> = self.ports.iter().collect();
        ports.sort_by_key(|(port, _)| **port);
        let mut all = Vec::new();
        for (_, slot) in ports {
            let mut entries: Vec<_> = slot.owners.iter().chain(slot.children.values()).collect();
            entries.sort_by_key(|e| e.id);
            all.extend(entries.into_iter().filter_map(|e| e.socket.upgrade()));
        }
        all
    }

    fn free_port(&mut self) -> Result<u16> {
        let (first, last) = self.ephemeral();
        for _ in first..=last {
            let port = self.next_ephemeral;
            self.next_ephemeral = if port >= last { first } else { port + 1 };
            if !self.ports.contains_key(&port) {
                return Ok(port);
            }
        }
        Err(Errno::EADDRINUSE)
    }
}
