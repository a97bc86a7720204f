//! The user namespace of a Pod with `hostUsers: false`, and the ids that it has on this machine.

use crate::child::orders::UsersOrders;
use crate::mount::context;
use crate::runtime::process::Descriptor;
use crate::userns::{self, IdRange, free_range};
use nix::fcntl::{FcntlArg, fcntl};
use rustix::fd::OwnedFd;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A user namespace with ids that no other Pod of the machine has.
pub(crate) struct Users {
    namespace: Arc<OwnedFd>,
    range: IdRange,
    /// Holds a lock on the byte with the number of the range, as long as it is open and also if this process is killed.
    _claim: File,
}

impl Users {
    /// Makes one. `run` is what the nodes of this machine share.
    pub(crate) fn new(run: &Path) -> io::Result<Self> {
        let path = run.join("users");
        let claim = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(context(path.display()))?;
        let mut taken = userns::reserved();
        let range = loop {
            let none = || io::Error::other("all ids of this machine are taken by Pods with hostUsers: false");
            let range = free_range(&taken, u32::MAX).ok_or_else(none)?;
            if lock(&claim, range.first / range.count)? {
                break range;
            }
            taken.push(range);
        };
        let maps = [range.from_zero()];
        Ok(Self {
            namespace: Arc::new(userns::new(&maps, &maps)?),
            range,
            _claim: claim,
        })
    }

    /// Adds the namespace to what a process is given, for its orders.
    pub(crate) fn put(&self, descriptors: &mut Vec<Descriptor>) -> UsersOrders {
        descriptors.push(self.namespace.clone());
        UsersOrders {
            descriptor: descriptors.len() - 1,
            root: self.range.first,
        }
    }
}

/// Locks a byte of a file for this opening of it; `false` if another one has it (`fcntl(2)`, open file description locks).
fn lock(file: &File, byte: u32) -> io::Result<bool> {
    let lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: libc::off_t::from(byte),
        l_len: 1,
        l_pid: 0,
    };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&lock)) {
        Ok(_) => Ok(true),
        Err(nix::Error::EAGAIN | nix::Error::EACCES) => Ok(false),
        Err(error) => Err(context("lock a range of ids")(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn no_two_pods_have_the_same_ids() {
        if !crate::testing::is_root() {
            return;
        }
        let run = tempfile::tempdir().expect("a directory");
        let users = || Users::new(run.path()).expect("a user namespace");
        let inode = |users: &Users| {
            File::from(users.namespace.try_clone().expect("a copy"))
                .metadata()
                .expect("it is one")
                .ino()
        };
        let (a, b) = (users(), users());
        assert_ne!(inode(&a), inode(&b));
        let byte = |number| {
            lock(
                &File::options()
                    .write(true)
                    .open(run.path().join("users"))
                    .expect("a file"),
                number,
            )
            .expect("asked")
        };
        let first = free_range(&userns::reserved(), u32::MAX).expect("a range").first / userns::POD_IDS;
        assert!(!byte(first), "taken");
        drop(a);
        assert!(byte(first), "free again");
        drop(b);
    }
}
