//! Terminals: pty pairs with a line discipline (`pty(7)`, `termios(3)`).
//!
//! * [`Tty`]: one pair. The master's and the slaves' [`FileOps`](crate::fs::FileOps) share it.
//! * [`PtyRegistry`]: the pairs of one devpts instance, by index.

use crate::fs::{FileDescription, FileOps};
use crate::kernel::Kernel;
use crate::process::PidNumbers;
use crate::task::Task;
use podsim_sys::{DeviceNumber, Mode, Result};
use std::sync::{Arc, Weak};

/// A pty pair.
pub struct Tty;

impl Tty {
    /// Its device number: 136:index.
    #[must_use]
    pub fn device(&self) -> DeviceNumber {
        DeviceNumber { major: 136, minor: 0 }
    }

    /// Its index in its devpts.
    #[must_use]
    pub fn index(&self) -> u32 {
        0
    }

    /// Its foreground process group.
    #[must_use]
    pub fn foreground(&self) -> Option<Arc<PidNumbers>> {
        None
    }
}

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
pub struct PtyRegistry;

impl PtyRegistry {
    /// An instance without ptys.
    #[must_use]
    pub fn new(_kernel: Weak<Kernel>) -> Arc<Self> {
        Arc::new(Self)
    }

    /// Opens `ptmx`: the master of a new pair, and its index.
    pub fn open_ptmx(self: &Arc<Self>, _attributes: PtyAttributes) -> Result<(Arc<dyn FileOps>, u32)> {
        Err(podsim_sys::Errno::ENOSYS)
    }

    /// The indexes in use, lowest first.
    #[must_use]
    pub fn indexes(&self) -> Vec<u32> {
        Vec::new()
    }

    /// Opens a slave: ENXIO if there is none with this index; EIO when its master has been closed.
    pub fn slave(&self, _index: u32) -> Result<Arc<dyn FileOps>> {
        Err(podsim_sys::Errno::ENXIO)
    }

    /// Owner and mode of a slave.
    #[must_use]
    pub fn attributes(&self, _index: u32) -> Option<PtyAttributes> {
        None
    }

    /// Changes owner and mode (`chown`, `chmod`).
    pub fn set_attributes(&self, _index: u32, _attributes: PtyAttributes) {}
}

/// What a call wants to do with a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtyAccess {
    /// Read.
    Read,
    /// Write: only with TOSTOP is a background process stopped.
    Write,
    /// Change modes or the foreground group.
    Control,
}

/// Job control, before a read from or a write to a file that may be a terminal: a background process gets SIGTTIN or
/// SIGTTOU and EINTR, one of an orphaned group EIO.
pub fn check_background(_task: &Task, _file: &FileDescription, _access: TtyAccess) -> Result<()> {
    Ok(())
}

/// To be called when a process has opened a file: a session leader without a terminal that opens a slave without
/// NOCTTY gets it as its controlling terminal.
pub fn opened(_task: &Task, _file: &FileDescription, _flags: podsim_sys::OpenFlags) {}

impl Task {
    pub(crate) fn note_reading(&self, _file: &FileDescription) {}
}
