//! Which mounts see what is mounted on others: peer groups and their slaves (`mount_namespaces(7)`, "SHARED SUBTREES").
//!
//! One lock for the node guards all of it, and mounting with it, as Linux's `namespace_sem` does. It comes before every mount table.

use super::mount::Mount;
use super::path::PathRef;
use podsim_sys::MountFlags;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

/// What a mount gives to others and gets from them; nothing for a private one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// The peer group that it is in: `shared:N` of mountinfo.
    pub shared: Option<u64>,
    /// The peer group that it only gets from: `master:N`.
    pub master: Option<u64>,
}

/// The mounts of a node that are not private.
#[derive(Default)]
pub(super) struct Peers {
    members: BTreeMap<u64, Member>,
    last_group: u64,
}

struct Member {
    mount: Weak<Mount>,
    spread: Spread,
}

/// Who sees what is mounted on a mount.
#[derive(Default)]
pub(super) struct Receivers {
    /// With the number of their level.
    pub(super) mounts: Vec<(Arc<Mount>, usize)>,
    /// The peer group of the mount, and those who get from another level: none at all when the mount is not shared.
    levels: Vec<Level>,
}

struct Level {
    /// The level that it gets from.
    above: usize,
    /// Its peer group; `None` for slaves that are not shared.
    group: Option<u64>,
}

impl Peers {
    pub(super) fn of(&self, mount: &Mount) -> Spread {
        self.members
            .get(&mount.id())
            .map_or_else(Spread::default, |member| member.spread)
    }

    /// A copy of a mount is to others what that one is.
    pub(super) fn copied(&mut self, of: &Mount, copy: &Arc<Mount>) {
        self.set(copy, self.of(of));
    }

    fn set(&mut self, mount: &Arc<Mount>, spread: Spread) {
        if spread == Spread::default() {
            self.members.remove(&mount.id());
            return;
        }
        let mount_id = mount.id();
        let mount = Arc::downgrade(mount);
        self.members.insert(mount_id, Member { mount, spread });
    }

    fn new_group(&mut self) -> u64 {
        self.last_group += 1;
        self.last_group
    }

    /// Makes a mount shared, a slave or private.
    pub(super) fn change(&mut self, mount: &Arc<Mount>, kind: MountFlags) {
        let old = self.of(mount);
        if kind == MountFlags::SHARED {
            let shared = old.shared.or_else(|| Some(self.new_group()));
            return self.set(mount, Spread { shared, ..old });
        }
        self.members.remove(&mount.id());
        if let Some(group) = old.shared {
            self.settle(group, old.master);
        }
        if kind == MountFlags::SLAVE {
            // With nobody left to get from, it gets from whom it got before.
            let master = old.shared.filter(|group| self.has_peers(*group)).or(old.master);
            self.set(mount, Spread { shared: None, master });
        }
    }

    /// A tree of mounts that is new at a place (each with where it is, after the one it is on): shared when the mount that it is on is so, and
    /// then mounted wherever that one gives to.
    pub(super) fn mounted(&mut self, tree: &[(Arc<Mount>, PathRef)], at: &PathRef) {
        let receivers = self.receivers(&at.mount);
        if receivers.levels.is_empty() {
            return;
        }
        // What each mount of the tree is on each level.
        let mut spreads = HashMap::new();
        for (mount, _) in tree {
            let mut own = self.of(mount);
            own.shared = own.shared.or_else(|| Some(self.new_group()));
            self.set(mount, own);
            let mut levels = vec![own];
            for level in receivers.levels.iter().skip(1) {
                let shared = level.group.map(|_| self.new_group());
                let master = levels.get(level.above).and_then(|above| above.shared);
                levels.push(Spread { shared, master });
            }
            spreads.insert(mount.id(), levels);
        }
        for (onto, level) in receivers.mounts {
            if !at.dentry.is_within(onto.root()) {
                continue;
            }
            let mut copies = HashMap::from([(at.mount.id(), onto)]);
            for (mount, place) in tree {
                let Some(onto) = copies.get(&place.mount.id()) else {
                    continue;
                };
                let place = PathRef {
                    mount: onto.clone(),
                    dentry: place.dentry.clone(),
                };
                // A namespace that is full goes without.
                let Some(Ok(copy)) = onto.namespace().map(|ns| ns.place(mount.copy(&ns), &place)) else {
                    continue;
                };
                if let Some(spread) = spreads.get(&mount.id()).and_then(|levels| levels.get(level)) {
                    self.set(&copy, *spread);
                }
                copies.insert(mount.id(), copy);
            }
        }
    }

    /// The mounts that see what is mounted on this one.
    pub(super) fn receivers(&mut self, at: &Mount) -> Receivers {
        self.forget();
        let mut receivers = Receivers::default();
        if let Some(group) = self.of(at).shared {
            receivers.levels.push(Level {
                above: 0,
                group: Some(group),
            });
        }
        let mut index = 0;
        while let Some(level) = receivers.levels.get(index) {
            let here = level.group;
            for (id, member) in self.members.iter().filter(|_| here.is_some()) {
                let Spread { shared, master } = member.spread;
                let level = if shared == here {
                    index
                } else if master == here {
                    let known = |level: &Level| level.above == index && level.group == shared;
                    let known = receivers.levels.iter().skip(1).position(known);
                    if known.is_none() {
                        receivers.levels.push(Level {
                            above: index,
                            group: shared,
                        });
                    }
                    if shared.is_some() {
                        // When it is the turn of its own group.
                        continue;
                    }
                    known.map_or(receivers.levels.len() - 1, |known| known + 1)
                } else {
                    continue;
                };
                let mount = member.mount.upgrade().filter(|_| *id != at.id());
                receivers.mounts.extend(mount.map(|mount| (mount, level)));
            }
            index += 1;
        }
        receivers
    }

    /// Forgets the mounts that are gone.
    pub(super) fn forget(&mut self) {
        let is_gone = |member: &Member| member.mount.upgrade().is_none_or(|mount| mount.namespace().is_none());
        let ids: Vec<u64> = self
            .members
            .iter()
            .filter_map(|(id, member)| is_gone(member).then_some(*id))
            .collect();
        for id in ids {
            let Some(Member { spread, .. }) = self.members.remove(&id) else {
                continue;
            };
            if let Some(group) = spread.shared {
                self.settle(group, spread.master);
            }
        }
    }

    fn has_peers(&self, group: u64) -> bool {
        self.members.values().any(|member| member.spread.shared == Some(group))
    }

    /// When a group has no members any more, its slaves get from its own master.
    fn settle(&mut self, group: u64, master: Option<u64>) {
        if self.has_peers(group) {
            return;
        }
        for member in self.members.values_mut() {
            if member.spread.master == Some(group) {
                member.spread.master = master;
            }
        }
        self.members.retain(|_, member| member.spread != Spread::default());
    }
}
