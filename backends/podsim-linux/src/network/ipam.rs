//! Addresses for Pods: the host-local plugin's way, upwards through the range.
//!
//! Several podsim processes may have Pods on one bridge. Then a file for each address says that it is taken, and by whom; that the
//! process lives is said by its lock on the file (`flock(2)`), which the kernel takes away when it dies. So nothing has to be
//! cleaned up after a process that was killed.

use super::Cidr;
use super::error::{Error, Result};
use parking_lot::Mutex;
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which addresses of the Pods' range are taken.
#[derive(Clone, Debug)]
pub struct Ipam {
    cidr: Cidr,
    /// Where the files are, if others take addresses from the range too.
    shared: Option<PathBuf>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    last: u32,
    /// With its locked file, if the range is shared.
    taken: BTreeMap<u32, Option<File>>,
}

/// An address that was taken. Dropping it gives it back.
#[derive(Debug)]
pub struct Lease {
    address: Ipv4Addr,
    ipam: Ipam,
}

impl Lease {
    /// The address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.ipam.release(self.address);
    }
}

impl Ipam {
    /// A range that nobody else takes addresses from; the network's, the gateway's and the broadcast address are never given.
    #[must_use]
    pub fn new(cidr: Cidr) -> Self {
        Self {
            cidr,
            shared: None,
            state: Arc::new(Mutex::new(State {
                last: cidr.gateway().to_bits(),
                taken: BTreeMap::new(),
            })),
        }
    }

    /// A range that is shared with other processes, which have the same folder.
    pub fn shared(cidr: Cidr, folder: &Path) -> Result<Self> {
        let folder = folder.join(format!("{}-{}", cidr.network, cidr.prefix));
        std::fs::create_dir_all(&folder).map_err(Error::host(format!("make {}", folder.display())))?;
        Ok(Self {
            shared: Some(folder),
            ..Self::new(cidr)
        })
    }

    /// The range.
    #[must_use]
    pub fn cidr(&self) -> Cidr {
        self.cidr
    }

    /// Takes the next free address; addresses that were given back come again only after the rest.
    pub fn allocate(&self) -> Result<Lease> {
        let none = Error::NoAddress(self.cidr);
        let Some(first) = self.cidr.gateway().to_bits().checked_add(1) else {
            return Err(none);
        };
        let end = self.cidr.last().to_bits();
        let mut state = self.state.lock();
        for bits in (state.last.max(first - 1).saturating_add(1)..end).chain(first..end) {
            if state.taken.contains_key(&bits) {
                continue;
            }
            let address = Ipv4Addr::from_bits(bits);
            let file = match &self.shared {
                None => None,
                Some(folder) => match lock(&folder.join(address.to_string()))? {
                    Some(file) => Some(file),
                    None => continue,
                },
            };
            state.taken.insert(bits, file);
            state.last = bits;
            return Ok(Lease {
                address,
                ipam: self.clone(),
            });
        }
        Err(none)
    }

    fn release(&self, address: Ipv4Addr) {
        let file = self.state.lock().taken.remove(&address.to_bits());
        if let (Some(folder), Some(_locked)) = (&self.shared, file) {
            // Under its lock: whoever locks it after this sees that it has no name any more.
            let _ = std::fs::remove_file(folder.join(address.to_string()));
        }
    }
}

/// Removes the files of addresses whose process is dead. The folder is that of [`Ipam::shared`].
pub(super) fn forget_dead(folder: &Path) {
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    for address in entries(folder).flat_map(|range| entries(&range.path())) {
        let is_address = |name: &str| name.parse::<Ipv4Addr>().is_ok();
        if address.file_name().to_str().is_some_and(is_address)
            && let Ok(Some(_locked)) = lock(&address.path())
        {
            let _ = std::fs::remove_file(address.path());
        }
    }
}

/// Makes and locks an address's file; `None` if a living process has it.
fn lock(path: &Path) -> Result<Option<File>> {
    let failed = || Error::host(format!("lock {}", path.display()));
    loop {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH)
            .map_err(|errno| failed()(errno.into()))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(errno) => return Err(failed()(errno.into())),
        }
        let mut file = File::from(file);
        let opened = file.metadata().map_err(failed())?;
        let named = std::fs::symlink_metadata(path).map(|named| (named.dev(), named.ino()));
        if named.is_ok_and(|named| named == (opened.dev(), opened.ino())) {
            // For people; what counts is the lock.
            let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
            let _ = file.set_len(0);
            let _ = writeln!(file, "pid {}\nboot {}", std::process::id(), boot.trim());
            return Ok(Some(file));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Cidr {
        Cidr::of(Ipv4Addr::new(10, 0, 0, 8), 29)
    }

    fn last_byte(lease: &Lease) -> u8 {
        lease.address().octets()[3]
    }

    #[test]
    fn addresses_go_upwards_and_come_again_only_after_the_rest() {
        let ipam = Ipam::new(small());
        let first = ipam.allocate().unwrap();
        let second = ipam.allocate().unwrap();
        assert_eq!((last_byte(&first), last_byte(&second)), (10, 11));
        drop(first);
        let rest: Vec<Lease> = std::iter::from_fn(|| ipam.allocate().ok()).collect();
        assert_eq!(rest.iter().map(last_byte).collect::<Vec<_>>(), [12, 13, 14, 10]);
        let error = ipam.allocate().unwrap_err();
        assert_eq!(error.to_string(), "no free address in 10.0.0.8/29");
    }

    #[test]
    fn ranges_without_room_give_nothing() {
        for (address, prefix) in [
            (Ipv4Addr::new(10, 0, 0, 0), 32),
            (Ipv4Addr::new(10, 0, 0, 0), 31),
            (Ipv4Addr::BROADCAST, 32),
        ] {
            assert!(Ipam::new(Cidr::of(address, prefix)).allocate().is_err(), "{address}");
        }
    }

    /// Locks belong to open files, so two of these in one process are as strange to each other as two processes.
    #[test]
    fn two_processes_never_have_the_same_address() {
        let folder = tempfile::tempdir().unwrap();
        let one = Ipam::shared(small(), folder.path()).unwrap();
        let other = Ipam::shared(small(), folder.path()).unwrap();
        let mine = [one.allocate().unwrap(), one.allocate().unwrap()];
        let theirs = [other.allocate().unwrap(), other.allocate().unwrap()];
        assert_eq!(mine.each_ref().map(last_byte), [10, 11]);
        assert_eq!(theirs.each_ref().map(last_byte), [12, 13]);
        drop(mine);
        let rest: Vec<Lease> = std::iter::from_fn(|| other.allocate().ok()).collect();
        assert_eq!(rest.iter().map(last_byte).collect::<Vec<_>>(), [14, 10, 11]);
    }

    #[test]
    fn the_address_of_a_process_that_was_killed_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let ipam = Ipam::shared(small(), folder.path()).unwrap();
        // What is left of it: a file without a lock.
        std::fs::write(folder.path().join("10.0.0.8-29/10.0.0.10"), "pid 1\n").unwrap();
        assert_eq!(last_byte(&ipam.allocate().unwrap()), 10);
    }

    #[test]
    fn only_addresses_of_dead_processes_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let ipam = Ipam::shared(small(), folder.path()).unwrap();
        let _living = ipam.allocate().unwrap();
        let range = folder.path().join("10.0.0.8-29");
        for name in ["10.0.0.11", "something"] {
            std::fs::write(range.join(name), "").unwrap();
        }
        forget_dead(folder.path());
        let names = std::fs::read_dir(range)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, ["10.0.0.10", "something"]);
    }
}
