//! [`DirFile`]: an open directory.

use super::FileOps;
use super::path::PathRef;
use podsim_sys::{DirEntry, Errno, FileType, Result, Stat};

/// An open directory: adds `.` and `..` to what the inode lists.
pub struct DirFile {
    path: PathRef,
}

impl DirFile {
    /// The open directory at a place.
    #[must_use]
    pub fn new(path: PathRef) -> Self {
        Self { path }
    }
}

impl FileOps for DirFile {
    fn read_at(&self, _buf: &mut [u8], _offset: u64) -> Result<usize> {
        Err(Errno::EISDIR)
    }

    fn stat(&self) -> Result<Stat> {
        self.path.stat()
    }

    fn seekable(&self) -> bool {
        true
    }

    fn getdents(&self, start: u64, max: usize) -> Result<Vec<DirEntry>> {
        // IS_DEADDIR in iterate_dir (fs/readdir.c).
        if self.path.dentry.is_removed() {
            return Err(Errno::ENOENT);
        }
        let dot = |name: &str, ino, next| DirEntry {
            ino,
            file_type: FileType::Directory,
            name: name.into(),
            next,
        };
        let mut entries = Vec::new();
        if start == 0 && max > 0 {
            entries.push(dot(".", self.path.stat()?.ino, 1));
        }
        if start <= 1 && entries.len() < max {
            let parent = self.path.dentry.parent();
            let ino = parent
                .map_or_else(|| self.path.stat(), |parent| parent.inode().stat())?
                .ino;
            entries.push(dot("..", ino, 2));
        }
        let rest = max - entries.len();
        if rest > 0 {
            entries.extend(self.path.inode().read_dir(start.max(2), rest)?);
        }
        Ok(entries)
    }
}
