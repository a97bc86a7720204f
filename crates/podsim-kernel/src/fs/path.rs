//! [`PathRef`]: a place in the mount tree, and how it is told as text.

use super::dentry::Dentry;
use super::inode::Inode;
use super::mount::Mount;
use podsim_sys::{Errno, FileType, Result, Stat};
use std::sync::Arc;

/// A place in the mount tree: a mount, and a name on it (Linux's `struct path`). Holding one keeps both alive.
#[derive(Clone)]
pub struct PathRef {
    /// The mount.
    pub mount: Arc<Mount>,
    /// The name on it.
    pub dentry: Arc<Dentry>,
}

impl PathRef {
    /// The root of a mount.
    #[must_use]
    pub fn root_of(mount: &Arc<Mount>) -> Self {
        Self {
            mount: mount.clone(),
            dentry: mount.root().clone(),
        }
    }

    /// The same mount, another name.
    #[must_use]
    pub fn with_dentry(&self, dentry: Arc<Dentry>) -> Self {
        Self {
            mount: self.mount.clone(),
            dentry,
        }
    }

    /// What is there.
    #[must_use]
    pub fn inode(&self) -> &Arc<dyn Inode> {
        self.dentry.inode()
    }

    /// `stat(2)` of what is there.
    pub fn stat(&self) -> Result<Stat> {
        self.inode().stat()
    }

    /// Whether a directory is there.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.inode().file_type() == FileType::Directory
    }

    /// Whether both are the same place.
    #[must_use]
    pub fn same(&self, other: &PathRef) -> bool {
        Arc::ptr_eq(&self.mount, &other.mount) && Arc::ptr_eq(&self.dentry, &other.dentry)
    }

    /// EROFS when nothing can be changed through this mount.
    pub fn check_writable(&self) -> Result<()> {
        if self.mount.is_readonly() {
            Err(Errno::EROFS)
        } else {
            Ok(())
        }
    }

    /// What is on top of the mounts that were made here.
    #[must_use]
    pub fn follow_mounts(mut self) -> Self {
        while let Some(mount) = self.mount.mounted_at(&self.dentry) {
            self = Self::root_of(&mount);
        }
        self
    }

    /// The directory above, never above `root`; over the edge of a mount to where it is mounted.
    #[must_use]
    pub fn parent(&self, root: &PathRef) -> Self {
        let mut at = self.clone();
        loop {
            if at.same(root) {
                return at;
            }
            if Arc::ptr_eq(&at.dentry, at.mount.root()) {
                match at.mount.mountpoint() {
                    Some(below) => at = below,
                    None => return at,
                }
            } else {
                return match at.dentry.parent() {
                    Some(parent) => at.with_dentry(parent).follow_mounts(),
                    None => at,
                };
            }
        }
    }

    /// The path as seen from `root` (Linux's `d_path`): of what cannot be reached from there, the path on its mounts. What was removed
    /// ends with ` (deleted)`.
    #[must_use]
    pub fn display(&self, root: &PathRef) -> String {
        let (path, _) = self.path_from(root);
        if self.dentry.is_removed() {
            path + " (deleted)"
        } else {
            path
        }
    }

    /// The path as seen from `root`, if it can be reached from there and still exists.
    #[must_use]
    pub fn reachable(&self, root: &PathRef) -> Option<String> {
        if self.dentry.is_removed() {
            return None;
        }
        let (path, reachable) = self.path_from(root);
        reachable.then_some(path)
    }

    fn path_from(&self, root: &PathRef) -> (String, bool) {
        let mut names: Vec<String> = Vec::new();
        let mut at = self.clone();
        let reachable = loop {
            if at.same(root) {
                break true;
            }
            if Arc::ptr_eq(&at.dentry, at.mount.root()) {
                match at.mount.mountpoint() {
                    Some(below) => at = below,
                    // The root of the caller's own namespace is reachable even when something is mounted over it.
                    None => break false,
                }
            } else {
                match at.dentry.parent() {
                    Some(parent) => {
                        names.push(at.dentry.name());
                        at = at.with_dentry(parent);
                    }
                    None => break false,
                }
            }
        };
        if names.is_empty() {
            return ("/".into(), reachable);
        }
        (
            names.iter().rev().fold(String::new(), |path, name| path + "/" + name),
            reachable,
        )
    }
}
