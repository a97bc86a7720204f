//! [`HostFile`]: an open file of a lent folder. The file itself is held: it can be read when its name is gone.

use super::host::to_errno;
use super::node::Node;
use cap_std::fs::Metadata;
use parking_lot::Mutex;
use podsim_kernel::fs::FileOps;
use podsim_sys::{Errno, Result, Stat};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;

/// An open file.
pub(super) struct HostFile {
    /// With one position for all, so a reader or writer has it alone.
    content: Mutex<File>,
    node: Arc<Node>,
}

fn fail(error: std::io::Error) -> Errno {
    to_errno(&error)
}

impl HostFile {
    pub(super) fn new(content: File, node: Arc<Node>) -> Self {
        Self {
            content: Mutex::new(content),
            node,
        }
    }
}

impl FileOps for HostFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let mut content = self.content.lock();
        content.seek(SeekFrom::Start(offset)).map_err(fail)?;
        content.read(buf).map_err(fail)
    }

    fn write_at(&self, buf: &[u8], offset: u64, append: bool) -> Result<(usize, u64)> {
        let mut content = self.content.lock();
        let place = if append {
            SeekFrom::End(0)
        } else {
            SeekFrom::Start(offset)
        };
        let start = content.seek(place).map_err(fail)?;
        let written = content.write(buf).map_err(fail)?;
        Ok((written, start + written as u64))
    }

    fn stat(&self) -> Result<Stat> {
        let content = self.content.lock();
        let metadata = Metadata::from_file(&content).map_err(fail)?;
        Ok(self.node.lent().stat(&metadata))
    }

    fn seekable(&self) -> bool {
        true
    }

    fn truncate(&self, size: u64) -> Result<()> {
        self.content.lock().set_len(size).map_err(fail)
    }

    fn allocate(&self, offset: u64, length: u64) -> Result<()> {
        let end = offset.checked_add(length).ok_or(Errno::EFBIG)?;
        let content = self.content.lock();
        let now = content.metadata().map_err(fail)?.len();
        if now < end {
            content.set_len(end).map_err(fail)?;
        }
        Ok(())
    }
}
