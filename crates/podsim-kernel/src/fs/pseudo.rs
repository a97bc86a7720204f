//! What the filesystems that only show the kernel's state have in common (`fs/libfs.c`): [`PseudoFile`], a file whose text is made when it is read.

use super::FileOps;
use super::caller::Caller;
use super::inode::Inode;
use crate::process::Process;
use parking_lot::Mutex;
use podsim_sys::{Errno, Result, Stat, StatFs};
use std::sync::{Arc, Weak};

/// `statfs(2)` of a filesystem without blocks (`simple_statfs`).
pub(super) fn statfs(magic: u64) -> StatFs {
    StatFs {
        magic,
        block_size: 4096,
        blocks: 0,
        blocks_free: 0,
        files: 0,
        files_free: 0,
    }
}

/// A stable inode number for a name in a directory with this number (32 bits, as procfs has; FNV-1a).
pub(super) fn ino(parent: u64, name: &str) -> u64 {
    let hash = parent
        .to_le_bytes()
        .iter()
        .chain(name.as_bytes())
        .fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        });
    u64::from(hash) | (1 << 31)
}

/// An inode with a text.
pub(super) trait PseudoText: Inode {
    /// The text, as the one who opened the file sees it.
    fn text(&self, caller: &Caller) -> Result<String>;
    /// Takes what was written.
    fn write_text(&self, _caller: &Caller, _text: &str) -> Result<()> {
        Err(Errno::EINVAL)
    }
}

/// An open file whose text is made anew whenever it is read from the beginning: so a reader sees one state, and one who seeks to 0
/// the next one.
pub(super) struct PseudoFile<T: PseudoText> {
    inode: Arc<T>,
    opener: Opener,
    text: Mutex<Arc<str>>,
}

/// Who opened a file.
enum Opener {
    /// A process; weak, since the file may be in that process's own table.
    Process(Weak<Process>),
    /// The runtime.
    Kernel(Box<Caller>),
}

impl<T: PseudoText> PseudoFile<T> {
    pub(super) fn open(inode: Arc<T>, caller: &Caller) -> Arc<Self> {
        Arc::new(Self {
            inode,
            opener: match &caller.process {
                Some(process) => Opener::Process(Arc::downgrade(process)),
                None => Opener::Kernel(Box::new(caller.clone())),
            },
            text: Mutex::new("".into()),
        })
    }

    fn opener(&self) -> Result<Caller> {
        match &self.opener {
            Opener::Kernel(caller) => Ok((**caller).clone()),
            Opener::Process(process) => Ok(Caller::process(&process.upgrade().ok_or(Errno::ESRCH)?)),
        }
    }
}

impl<T: PseudoText> FileOps for PseudoFile<T> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        if offset == 0 {
            let text = self.inode.text(&self.opener()?)?;
            *self.text.lock() = text.into();
        }
        let text = self.text.lock().clone();
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = text.as_bytes().get(from..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        for (to, byte) in buf.iter_mut().zip(rest) {
            *to = *byte;
        }
        Ok(n)
    }

    fn write_at(&self, buf: &[u8], offset: u64, _append: bool) -> Result<(usize, u64)> {
        let text = std::str::from_utf8(buf).map_err(|_| Errno::EINVAL)?;
        self.inode.write_text(&self.opener()?, text)?;
        Ok((buf.len(), offset.saturating_add(buf.len() as u64)))
    }

    fn stat(&self) -> Result<Stat> {
        self.inode.stat()
    }

    fn seekable(&self) -> bool {
        true
    }
}
