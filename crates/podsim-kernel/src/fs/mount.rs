//! [`Mount`] and [`MountNamespace`]: which filesystem is seen where (`mount_namespaces(7)`).
//!
//! One lock a namespace guards the shape of its mount tree. A mount belongs to one namespace for good and leaves it when it is
//! unmounted; somebody may still stand in it then (a lazy umount).

use super::FsContext;
use super::dentry::Dentry;
use super::path::PathRef;
use super::propagation::Spread;
use super::super_block::{SuperBlock, Vfs};
use parking_lot::RwLock;
use podsim_sys::{Errno, MountFlags, Result};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

/// The flags that belong to a mount, as against those that tell `mount(2)` what to do.
const KEPT: MountFlags = MountFlags::RDONLY
    .union(MountFlags::NOSUID)
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC)
    .union(MountFlags::NOATIME)
    .union(MountFlags::RELATIME);

/// The largest number of mounts in a namespace (`/proc/sys/fs/mount-max` has 100,000 on Linux).
const MOUNT_MAX: usize = 10_000;

/// A filesystem, or a part of one, seen at a place.
pub struct Mount {
    id: u64,
    sb: Arc<SuperBlock>,
    root: Arc<Dentry>,
    source: String,
    flags: AtomicU32,
    ns: Weak<MountNamespace>,
}

impl Mount {
    /// Its number in `mountinfo`.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The filesystem.
    #[must_use]
    pub fn sb(&self) -> &Arc<SuperBlock> {
        &self.sb
    }

    /// What of it is seen: its root, or something below for a bind mount.
    #[must_use]
    pub fn root(&self) -> &Arc<Dentry> {
        &self.root
    }

    /// What `/proc/mounts` shows as the device.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its flags.
    #[must_use]
    pub fn flags(&self) -> MountFlags {
        MountFlags::from_bits_truncate(self.flags.load(Ordering::Relaxed))
    }

    /// Whether nothing can be changed through it.
    #[must_use]
    pub fn is_readonly(&self) -> bool {
        self.flags().contains(MountFlags::RDONLY)
    }

    /// Changes its flags.
    pub fn remount(&self, flags: MountFlags) {
        self.flags.store((flags & KEPT).bits(), Ordering::Relaxed);
    }

    /// The same for another namespace, not mounted yet.
    pub(super) fn copy(&self, ns: &Arc<MountNamespace>) -> Arc<Self> {
        ns.new_mount(self.sb.clone(), self.root.clone(), &self.source, self.flags())
    }

    /// The namespace it is in; `None` once it was unmounted.
    #[must_use]
    pub fn namespace(self: &Arc<Self>) -> Option<Arc<MountNamespace>> {
        let ns = self.ns.upgrade()?;
        let there = ns.table.read().mounts.contains_key(&self.id);
        there.then_some(ns)
    }

    /// Where it is mounted; `None` for the root of its namespace and for what was unmounted.
    #[must_use]
    pub fn mountpoint(&self) -> Option<PathRef> {
        let ns = self.ns.upgrade()?;
        let table = ns.table.read();
        table.mounts.get(&self.id)?.place.clone()
    }

    /// What is mounted on a name of this mount.
    #[must_use]
    pub fn mounted_at(&self, dentry: &Arc<Dentry>) -> Option<Arc<Mount>> {
        let ns = self.ns.upgrade()?;
        let table = ns.table.read();
        table.top(self.id, dentry)
    }
}

/// A tree of mounts.
pub struct MountNamespace {
    /// Its number in `/proc/PID/ns/mnt`.
    pub inode: u64,
    vfs: Arc<Vfs>,
    table: RwLock<MountTable>,
}

#[derive(Default)]
struct MountTable {
    /// By id, which is the order of mounting.
    mounts: BTreeMap<u64, Mounted>,
    /// By the mount and the name that they cover; the topmost last.
    points: HashMap<(u64, usize), Vec<u64>>,
    root: u64,
}

struct Mounted {
    mount: Arc<Mount>,
    /// Where; `None` for the root.
    place: Option<PathRef>,
}

fn key(mount: u64, dentry: &Arc<Dentry>) -> (u64, usize) {
    // The address of the dentry: the table holds it, so it stays its own.
    (mount, Arc::as_ptr(dentry) as usize)
}

impl MountTable {
    fn top(&self, mount: u64, dentry: &Arc<Dentry>) -> Option<Arc<Mount>> {
        if self.points.is_empty() {
            return None;
        }
        let id = self.points.get(&key(mount, dentry))?.last()?;
        self.mounts.get(id).map(|mounted| mounted.mount.clone())
    }

    fn add(&mut self, mount: Arc<Mount>, place: Option<PathRef>) {
        match &place {
            Some(at) => self
                .points
                .entry(key(at.mount.id, &at.dentry))
                .or_default()
                .push(mount.id),
            None => self.root = mount.id,
        }
        self.mounts.insert(mount.id, Mounted { mount, place });
    }

    fn remove(&mut self, id: u64) -> Option<Mounted> {
        let gone = self.mounts.remove(&id)?;
        if let Some(at) = &gone.place {
            let key = key(at.mount.id, &at.dentry);
            if let Some(stack) = self.points.get_mut(&key) {
                stack.retain(|other| *other != id);
                if stack.is_empty() {
                    self.points.remove(&key);
                }
            }
        }
        Some(gone)
    }

    /// A mount and where it is; `None` for the root.
    fn at(&self, id: u64) -> Option<(Arc<Mount>, PathRef)> {
        let mounted = self.mounts.get(&id)?;
        Some((mounted.mount.clone(), mounted.place.clone()?))
    }

    /// The mounts on a mount, at any depth, itself first and each after the one it is on.
    fn subtree(&self, id: u64) -> Vec<u64> {
        let mut on: HashMap<u64, Vec<u64>> = HashMap::new();
        for mounted in self.mounts.values() {
            if let Some(at) = &mounted.place {
                on.entry(at.mount.id).or_default().push(mounted.mount.id);
            }
        }
        let mut all = vec![id];
        let mut next = 0;
        while let Some(parent) = all.get(next) {
            next += 1;
            all.extend(on.remove(parent).unwrap_or_default());
        }
        all
    }
}

/// A line of `/proc/PID/mountinfo`.
pub struct MountInfo {
    /// The mount.
    pub mount: Arc<Mount>,
    /// The number of the mount it is on; its own for a root.
    pub parent_id: u64,
    /// What of the filesystem is seen.
    pub root: String,
    /// Where, as seen from the asker's root directory.
    pub mountpoint: String,
    /// Whom it gives to and gets from.
    pub spread: Spread,
}

impl MountNamespace {
    /// A namespace whose root is this filesystem.
    #[must_use]
    pub fn new(vfs: &Arc<Vfs>, inode: u64, root: &Arc<SuperBlock>, source: &str, flags: MountFlags) -> Arc<Self> {
        let ns = Arc::new(Self {
            inode,
            vfs: vfs.clone(),
            table: RwLock::default(),
        });
        let mount = ns.new_mount(root.clone(), root.root().clone(), source, flags);
        ns.table.write().add(mount, None);
        ns
    }

    /// What the node's filesystems share.
    #[must_use]
    pub fn vfs(&self) -> &Arc<Vfs> {
        &self.vfs
    }

    fn new_mount(
        self: &Arc<Self>,
        sb: Arc<SuperBlock>,
        root: Arc<Dentry>,
        source: &str,
        flags: MountFlags,
    ) -> Arc<Mount> {
        Arc::new(Mount {
            id: self.vfs.new_mount_id(),
            sb,
            root,
            source: source.into(),
            flags: AtomicU32::new((flags & KEPT).bits()),
            ns: Arc::downgrade(self),
        })
    }

    /// Its root directory: the top of what is mounted there.
    #[must_use]
    pub fn root(&self) -> PathRef {
        let table = self.table.read();
        let root = &table.mounts[&table.root].mount;
        let root = PathRef::root_of(root);
        drop(table);
        root.follow_mounts()
    }

    /// Mounts a filesystem at a place of this namespace.
    pub fn mount(
        self: &Arc<Self>,
        sb: &Arc<SuperBlock>,
        source: &str,
        at: &PathRef,
        flags: MountFlags,
    ) -> Result<Arc<Mount>> {
        let mut peers = self.vfs.peers.lock();
        let mount = self.place(self.new_mount(sb.clone(), sb.root().clone(), source, flags), at)?;
        peers.mounted(&[(mount.clone(), at.clone())], at);
        Ok(mount)
    }

    /// Shows `what` (a directory or a single file, of any namespace) at another place too. With `recursive`, with what is mounted below it.
    pub fn bind(
        self: &Arc<Self>,
        what: &PathRef,
        at: &PathRef,
        flags: MountFlags,
        recursive: bool,
    ) -> Result<Arc<Mount>> {
        let below = if recursive { what.mounts_below() } else { Vec::new() };
        if self.table.read().mounts.len() + below.len() >= MOUNT_MAX {
            return Err(Errno::ENOSPC);
        }
        let top = self.new_mount(what.mount.sb.clone(), what.dentry.clone(), &what.mount.source, flags);
        let mut peers = self.vfs.peers.lock();
        let mut tree = vec![(self.place(top.clone(), at)?, at.clone())];
        peers.copied(&what.mount, &top);
        let mut copies = HashMap::from([(what.mount.id, top.clone())]);
        for (mount, place) in below {
            let Some(onto) = copies.get(&place.mount.id) else {
                continue;
            };
            let onto = PathRef {
                mount: onto.clone(),
                dentry: place.dentry,
            };
            let copy = self.place(mount.copy(self), &onto)?;
            peers.copied(&mount, &copy);
            copies.insert(mount.id, copy.clone());
            tree.push((copy, onto));
        }
        peers.mounted(&tree, at);
        Ok(top)
    }

    /// Puts a mount at a place, and nowhere else.
    pub(super) fn place(&self, mount: Arc<Mount>, at: &PathRef) -> Result<Arc<Mount>> {
        let directory = |dentry: &Arc<Dentry>| dentry.inode().file_type() == podsim_sys::FileType::Directory;
        if directory(&mount.root) != directory(&at.dentry) {
            return Err(Errno::ENOTDIR);
        }
        let mut table = self.table.write();
        if !table.mounts.contains_key(&at.mount.id) {
            return Err(Errno::EINVAL);
        }
        if at.dentry.is_removed() {
            return Err(Errno::ENOENT);
        }
        if table.mounts.len() >= MOUNT_MAX {
            return Err(Errno::ENOSPC);
        }
        table.add(mount.clone(), Some(at.clone()));
        Ok(mount)
    }

    /// Moves a mount to another place: EINVAL when it would have to vanish from others too, as on Linux.
    pub fn move_mount(&self, what: &PathRef, to: &PathRef) -> Result<()> {
        let mut peers = self.vfs.peers.lock();
        let mut table = self.table.write();
        let is_root = Arc::ptr_eq(&what.dentry, what.mount.root()) && table.mounts.contains_key(&what.mount.id);
        if !is_root || what.mount.id == table.root || !table.mounts.contains_key(&to.mount.id) {
            return Err(Errno::EINVAL);
        }
        let on = table
            .mounts
            .get(&what.mount.id)
            .and_then(|mounted| mounted.place.clone());
        if on.is_some_and(|at| peers.of(&at.mount).shared.is_some()) {
            return Err(Errno::EINVAL);
        }
        let moved = table.subtree(what.mount.id);
        if moved.contains(&to.mount.id) {
            return Err(Errno::ELOOP);
        }
        if what.is_dir() != to.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        if let Some(moved) = table.remove(what.mount.id) {
            table.add(moved.mount, Some(to.clone()));
        }
        let moved: Vec<_> = moved.iter().filter_map(|id| table.at(*id)).collect();
        drop(table);
        peers.mounted(&moved, to);
        Ok(())
    }

    /// Takes a mount away: EBUSY when something is mounted on it or somebody uses it, unless `lazy`. It goes from where it is seen too.
    pub fn umount(&self, at: &PathRef, lazy: bool) -> Result<()> {
        let mut peers = self.vfs.peers.lock();
        let table = self.table.read();
        let id = at.mount.id;
        let here = table.mounts.contains_key(&id) && Arc::ptr_eq(&at.dentry, at.mount.root());
        if !here || id == table.root {
            return Err(Errno::EINVAL);
        }
        let below = table.subtree(id);
        // Held by the table and by the caller's path; anything more is a working directory or an open file.
        if !lazy && (below.len() > 1 || Arc::strong_count(&at.mount) > 2) {
            return Err(Errno::EBUSY);
        }
        let all: Vec<_> = below.into_iter().rev().filter_map(|id| table.at(id)).collect();
        drop(table);
        let mut gone = Vec::new();
        for (mount, at) in &all {
            gone.push(self.table.write().remove(mount.id));
            for (onto, _) in peers.receivers(&at.mount).mounts {
                gone.extend(onto.namespace().map(|ns| ns.take_alike(&onto, at, mount)));
            }
        }
        peers.forget();
        drop(peers);
        drop((all, gone));
        Ok(())
    }

    /// Takes away what is mounted at the same place of another mount, if it is the same and nothing is on it.
    fn take_alike(&self, onto: &Mount, at: &PathRef, mount: &Mount) -> Option<Mounted> {
        let mut table = self.table.write();
        let top = table.top(onto.id, &at.dentry)?;
        let same = Arc::ptr_eq(&top.root, &mount.root) && table.subtree(top.id).len() == 1;
        if same { table.remove(top.id) } else { None }
    }

    /// Whether something of this namespace is mounted on this name.
    #[must_use]
    pub fn is_mountpoint(&self, dentry: &Arc<Dentry>) -> bool {
        let address = Arc::as_ptr(dentry) as usize;
        self.table.read().points.keys().any(|(_, at)| *at == address)
    }

    /// The mounts on a mount, at any depth, itself first.
    fn tree_of(&self, at: &Arc<Mount>) -> Vec<Arc<Mount>> {
        let table = self.table.read();
        let mounted = |id| table.mounts.get(&id).map(|mounted| mounted.mount.clone());
        table.subtree(at.id).into_iter().filter_map(mounted).collect()
    }

    /// Makes a mount shared, a slave or private; with `recursive` those below too.
    pub fn set_propagation(&self, at: &Arc<Mount>, kind: MountFlags, recursive: bool) {
        let mut peers = self.vfs.peers.lock();
        let mounts = if recursive { self.tree_of(at) } else { vec![at.clone()] };
        for mount in mounts {
            peers.change(&mount, kind);
        }
    }

    /// Makes a mount and those below it read-only (`mount_setattr(2)`, AT_RECURSIVE).
    pub fn make_tree_readonly(&self, at: &Arc<Mount>) {
        for mount in self.tree_of(at) {
            mount.remount(mount.flags() | MountFlags::RDONLY);
        }
    }

    /// The mounts that can be seen from a root directory, in the order of mounting.
    #[must_use]
    pub fn list(&self, root: &PathRef) -> Vec<MountInfo> {
        let mounts: Vec<_> = {
            let table = self.table.read();
            table
                .mounts
                .values()
                .map(|m| (m.mount.clone(), m.place.clone()))
                .collect()
        };
        let peers = self.vfs.peers.lock();
        let mut list = Vec::new();
        for (mount, place) in mounts {
            let Some(mountpoint) = PathRef::root_of(&mount).reachable(root) else {
                continue;
            };
            let parent_id = place.map_or(mount.id, |at| at.mount.id);
            let root = mount.root.path_below(mount.sb.root()).unwrap_or_default();
            let root = if root.is_empty() { "/".into() } else { root };
            list.push(MountInfo {
                spread: peers.of(&mount),
                mount,
                parent_id,
                root,
                mountpoint,
            });
        }
        list
    }

    /// A copy for `unshare(CLONE_NEWNS)` and `clone`, and where the caller then stands in it.
    #[must_use]
    pub fn copy(&self, inode: u64, fs: &FsContext) -> (Arc<Self>, FsContext) {
        let copy = Arc::new(Self {
            inode,
            vfs: self.vfs.clone(),
            table: RwLock::default(),
        });
        let mut copies: HashMap<u64, Arc<Mount>> = HashMap::new();
        {
            let mut peers = self.vfs.peers.lock();
            let from = self.table.read();
            let mut to = copy.table.write();
            for id in from.subtree(from.root) {
                let Some(Mounted { mount, place }) = from.mounts.get(&id) else {
                    continue;
                };
                let place = match place {
                    Some(at) => match copies.get(&at.mount.id) {
                        Some(mount) => Some(PathRef {
                            mount: mount.clone(),
                            dentry: at.dentry.clone(),
                        }),
                        None => continue,
                    },
                    None => None,
                };
                let new = mount.copy(&copy);
                peers.copied(mount, &new);
                copies.insert(mount.id, new.clone());
                to.add(new, place);
            }
        }
        let translate = |path: &PathRef| match copies.get(&path.mount.id) {
            Some(mount) => PathRef {
                mount: mount.clone(),
                dentry: path.dentry.clone(),
            },
            None => path.clone(),
        };
        let fs = FsContext {
            root: translate(&fs.root),
            cwd: translate(&fs.cwd),
            umask: fs.umask,
        };
        (copy, fs)
    }
}

impl PathRef {
    /// The mounts below a place, with where they are, each after the one it is on.
    fn mounts_below(&self) -> Vec<(Arc<Mount>, PathRef)> {
        let Some(ns) = self.mount.ns.upgrade() else {
            return Vec::new();
        };
        let table = ns.table.read();
        let mut list = Vec::new();
        let mut inside = vec![self.mount.id];
        for id in table.subtree(self.mount.id).into_iter().skip(1) {
            let Some((mount, at)) = table.at(id) else {
                continue;
            };
            let on_self = at.mount.id == self.mount.id;
            if inside.contains(&at.mount.id) && (!on_self || at.dentry.is_within(&self.dentry)) {
                inside.push(id);
                list.push((mount, at));
            }
        }
        list
    }
}
