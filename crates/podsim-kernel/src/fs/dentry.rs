//! [`Dentry`]: a name in a directory that somebody holds on to, and what it names (Linux's dentry cache).
//!
//! Directories remember the dentries below them weakly: as long as somebody (a current directory, an open file, a mount)
//! holds one, every lookup gives the same one. So a rename is seen by all, a mount point is found by identity, and a removed
//! name is known to be gone.

use super::inode::Inode;
use parking_lot::{Mutex, RwLock};
use podsim_sys::{Errno, Result};
use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// A name in a directory, and what it names.
pub struct Dentry {
    inode: Arc<dyn Inode>,
    place: RwLock<Place>,
    children: Mutex<HashMap<Box<str>, Weak<Dentry>>>,
}

struct Place {
    parent: Option<Arc<Dentry>>,
    name: Box<str>,
    removed: bool,
}

impl Dentry {
    /// The root of a filesystem, or an object that has no place in a tree.
    #[must_use]
    pub fn root(inode: Arc<dyn Inode>) -> Arc<Self> {
        Self::new(inode, None, "/")
    }

    fn new(inode: Arc<dyn Inode>, parent: Option<Arc<Dentry>>, name: &str) -> Arc<Self> {
        Arc::new(Self {
            inode,
            place: RwLock::new(Place {
                parent,
                name: name.into(),
                removed: false,
            }),
            children: Mutex::default(),
        })
    }

    /// What it names.
    #[must_use]
    pub fn inode(&self) -> &Arc<dyn Inode> {
        &self.inode
    }

    /// The directory it is in; `None` for the root of a filesystem.
    #[must_use]
    pub fn parent(&self) -> Option<Arc<Dentry>> {
        self.place.read().parent.clone()
    }

    /// Its name; `/` for the root of a filesystem.
    #[must_use]
    pub fn name(&self) -> String {
        self.place.read().name.to_string()
    }

    /// Whether the name has been removed.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.place.read().removed
    }

    /// Whether it is this directory, or in it at any depth.
    #[must_use]
    pub fn is_within(self: &Arc<Self>, ancestor: &Arc<Dentry>) -> bool {
        let mut at = Some(self.clone());
        while let Some(dentry) = at {
            if Arc::ptr_eq(&dentry, ancestor) {
                return true;
            }
            at = dentry.parent();
        }
        false
    }

    /// Finds a name in this directory. `tree` is the filesystem's lock on its tree: a name is remembered only while nobody can remove it.
    pub(super) fn lookup(self: &Arc<Self>, name: &str, tree: &RwLock<()>) -> Result<Arc<Dentry>> {
        if let Some(found) = self.cached(name) {
            return Ok(found);
        }
        let _tree = tree.read();
        self.lookup_locked(name)
    }

    /// [`lookup`](Self::lookup) for those who hold the filesystem's lock.
    pub(super) fn lookup_locked(self: &Arc<Self>, name: &str) -> Result<Arc<Dentry>> {
        if let Some(found) = self.cached(name) {
            return Ok(found);
        }
        let inode = self.inode.lookup(name)?;
        Ok(self.remember(name, inode))
    }

    fn cached(&self, name: &str) -> Option<Arc<Dentry>> {
        let found = self.children.lock().get(name)?.upgrade()?;
        if found.inode.is_valid() {
            return Some(found);
        }
        found.mark_removed();
        None
    }

    /// Remembers a name that was found or made. If somebody else was first, theirs counts.
    pub(super) fn remember(self: &Arc<Self>, name: &str, inode: Arc<dyn Inode>) -> Arc<Dentry> {
        let made = Self::new(inode, Some(self.clone()), name);
        let mut children = self.children.lock();
        if let Some(first) = children.get(name).and_then(Weak::upgrade).filter(|d| !d.is_removed()) {
            drop(children);
            return first;
        }
        children.insert(name.into(), Arc::downgrade(&made));
        made
    }

    /// Records that the name is gone. Call it with the filesystem's lock held for writing.
    pub(super) fn forget(&self, name: &str) {
        let gone = self.children.lock().remove(name).and_then(|weak| weak.upgrade());
        if let Some(gone) = gone {
            gone.mark_removed();
        }
    }

    fn mark_removed(&self) {
        self.place.write().removed = true;
    }

    /// Records that `old` here is now `new` in another directory. Call it with the filesystem's lock held for writing.
    pub(super) fn moved(self: &Arc<Self>, old: &str, new_parent: &Arc<Dentry>, new: &str) {
        let moving = self.children.lock().remove(old).and_then(|weak| weak.upgrade());
        new_parent.forget(new);
        if let Some(moving) = moving {
            let old_parent = {
                let mut place = moving.place.write();
                place.name = new.into();
                place.parent.replace(new_parent.clone())
            };
            new_parent.children.lock().insert(new.into(), Arc::downgrade(&moving));
            drop(old_parent);
        }
    }

    /// The path inside its filesystem down from `base`, such as `/a/b`; ENOENT if it is not below it.
    pub(super) fn path_below(self: &Arc<Self>, base: &Arc<Dentry>) -> Result<String> {
        let mut names = Vec::new();
        let mut at = self.clone();
        while !Arc::ptr_eq(&at, base) {
            let parent = at.parent().ok_or(Errno::ENOENT)?;
            names.push(at.name());
            at = parent;
        }
        Ok(names.iter().rev().fold(String::new(), |path, name| path + "/" + name))
    }
}

impl Place {
    /// Lets the parent forget a name whose dentry is gone, and gives the parent back.
    fn leave(&mut self) -> Option<Arc<Dentry>> {
        let parent = self.parent.take()?;
        let mut children = parent.children.lock();
        if children.get(&self.name).is_some_and(|weak| weak.strong_count() == 0) {
            children.remove(&self.name);
        }
        drop(children);
        Some(parent)
    }
}

impl Drop for Dentry {
    fn drop(&mut self) {
        // A long chain of parents is let go one by one, not by recursion.
        let mut next = self.place.get_mut().leave();
        while let Some(mut alone) = next.and_then(Arc::into_inner) {
            next = alone.place.get_mut().leave();
        }
    }
}
