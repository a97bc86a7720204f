//! [`PtyRegistry`]: the ptys of one devpts instance.

use super::Tty;
use super::pty::{PtyMaster, PtySlave};
use crate::fs::{FileDescription, FileOps};
use crate::kernel::Kernel;
use parking_lot::Mutex;
use podsim_sys::{Errno, Mode, OpenFlags, Result};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

/// How many ptys one devpts may have (`kernel.pty.max`).
const PTY_MAX: u32 = 4096;

/// Owner and mode of a slave, as devpts shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PtyAttributes {
    /// Owner: who opened the master.
    pub uid: u32,
    /// Group (5, `tty`, on most systems).
    pub gid: u32,
    /// Permissions.
    pub mode: Mode,
}

/// The ptys of one devpts instance.
pub struct PtyRegistry {
    kernel: Weak<Kernel>,
    ptys: Mutex<BTreeMap<u32, (Arc<Tty>, PtyAttributes)>>,
}

/// A pty that was opened from outside: both sides as open files.
pub struct PtyPair {
    /// The side of the terminal's user.
    pub master: Arc<FileDescription>,
    /// The side of the programs.
    pub slave: Arc<FileDescription>,
    /// What both share.
    pub tty: Arc<Tty>,
}

impl PtyRegistry {
    /// An instance without ptys.
    #[must_use]
    pub fn new(kernel: Weak<Kernel>) -> Arc<Self> {
        Arc::new(Self {
            kernel,
            ptys: Mutex::default(),
        })
    }

    /// Opens `ptmx`: the master of a new pair, and its index. ENOSPC when there are too many.
    pub fn open_ptmx(self: &Arc<Self>, attributes: PtyAttributes) -> Result<(Arc<dyn FileOps>, u32)> {
        let mut ptys = self.ptys.lock();
        let index = (0..PTY_MAX)
            .find(|index| !ptys.contains_key(index))
            .ok_or(Errno::ENOSPC)?;
        let tty = Tty::new(self.kernel.clone(), Arc::downgrade(self), index);
        ptys.insert(index, (tty.clone(), attributes));
        Ok((Arc::new(PtyMaster(tty)), index))
    }

    /// A pair for the host's side: the runtime holds the master, a process gets the slave.
    pub fn open_pair(self: &Arc<Self>, attributes: PtyAttributes) -> Result<PtyPair> {
        let (master, _) = self.open_ptmx(attributes)?;
        let tty = master.tty().ok_or(Errno::ENOTTY)?.clone();
        let slave = PtySlave::open(&tty)?;
        Ok(PtyPair {
            master: FileDescription::new(master, OpenFlags::RDWR),
            slave: FileDescription::new(slave, OpenFlags::RDWR),
            tty,
        })
    }

    /// The indexes in use, lowest first.
    #[must_use]
    pub fn indexes(&self) -> Vec<u32> {
        self.ptys.lock().keys().copied().collect()
    }

    /// Opens a slave: ENXIO if there is none with this index; EIO when its master has been closed.
    pub fn slave(&self, index: u32) -> Result<Arc<dyn FileOps>> {
        let tty = self.ptys.lock().get(&index).map(|(tty, _)| tty.clone());
        Ok(PtySlave::open(&tty.ok_or(Errno::ENXIO)?)?)
    }

    /// Owner and mode of a slave.
    #[must_use]
    pub fn attributes(&self, index: u32) -> Option<PtyAttributes> {
        self.ptys.lock().get(&index).map(|(_, attributes)| *attributes)
    }

    /// Changes owner and mode (`chown`, `chmod`).
    pub fn set_attributes(&self, index: u32, attributes: PtyAttributes) {
        if let Some((_, old)) = self.ptys.lock().get_mut(&index) {
            *old = attributes;
        }
    }

    pub(super) fn remove(&self, index: u32) {
        let gone = self.ptys.lock().remove(&index);
        drop(gone);
    }
}

impl Tty {
    /// Opens its slave side once more (`/dev/tty`): EIO when the master has been closed.
    pub fn open_slave(self: &Arc<Self>) -> Result<Arc<dyn FileOps>> {
        Ok(PtySlave::open(self)?)
    }
}
