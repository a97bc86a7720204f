//! [`TreeFs`]: a read-only filesystem that is told by its paths (sysfs, cgroup2): each name is asked for when somebody looks.

use super::FileOps;
use super::caller::Caller;
use super::inode::Inode;
use super::pseudo::{PseudoFile, PseudoText, ino};
use super::super_block::{FileSystem, SuperBlock};
use podsim_sys::{DeviceNumber, DirEntry, Errno, FileType, Mode, OpenFlags, Result, Stat};
use std::sync::Arc;
use std::time::Duration;

/// What is at a path.
pub(super) enum Item {
    /// A directory, with its names in order.
    Dir(Vec<String>),
    /// A file.
    File,
}

impl Item {
    pub(super) fn dir(names: &[&str]) -> Option<Self> {
        Some(Item::Dir(names.iter().map(|name| (*name).to_owned()).collect()))
    }
}

/// A filesystem that is told by its paths.
pub(super) trait TreeFs: FileSystem {
    /// What is at a path (its names from the root); `None` for nothing.
    fn item(&self, path: &[&str]) -> Option<Item>;
    /// The text of a file, as this caller sees it.
    fn text(&self, path: &[&str], caller: &Caller) -> Result<String>;
    /// Its device number.
    fn dev(&self) -> DeviceNumber;
    /// When it was made, since the epoch.
    fn created(&self) -> Duration;
}

/// The superblock of such a filesystem.
pub(super) fn mount<T: TreeFs>(fs: Arc<T>) -> Arc<SuperBlock> {
    let root = Arc::new(TreeNode {
        fs: fs.clone(),
        path: Vec::new(),
        ino: 1,
        file_type: FileType::Directory,
    });
    let dev = fs.dev();
    SuperBlock::new(fs, dev, root)
}

struct TreeNode<T> {
    fs: Arc<T>,
    path: Vec<String>,
    ino: u64,
    file_type: FileType,
}

impl<T: TreeFs> TreeNode<T> {
    fn path(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    fn child_type(&self, name: &str) -> Option<FileType> {
        let mut path = self.path();
        path.push(name);
        Some(match self.fs.item(&path)? {
            Item::Dir(_) => FileType::Directory,
            Item::File => FileType::Regular,
        })
    }
}

impl<T: TreeFs> Inode for TreeNode<T> {
    fn file_type(&self) -> FileType {
        self.file_type
    }

    fn is_valid(&self) -> bool {
        self.fs.item(&self.path()).is_some()
    }

    fn stat(&self) -> Result<Stat> {
        let (mode, nlink, size) = match self.file_type {
            FileType::Directory => (0o755, 2, 0),
            _ => (0o444, 1, 4096),
        };
        let time = self.fs.created();
        Ok(Stat {
            dev: self.fs.dev(),
            ino: self.ino,
            file_type: self.file_type,
            mode: Mode(mode),
            nlink,
            uid: 0,
            gid: 0,
            rdev: DeviceNumber::default(),
            size,
            blocks: 0,
            atime: time,
            mtime: time,
            ctime: time,
        })
    }

    fn lookup(&self, name: &str) -> Result<Arc<dyn Inode>> {
        let Some(Item::Dir(names)) = self.fs.item(&self.path()) else {
            return Err(Errno::ENOTDIR);
        };
        if !names.iter().any(|known| known == name) {
            return Err(Errno::ENOENT);
        }
        let file_type = self.child_type(name).ok_or(Errno::ENOENT)?;
        let mut path = self.path.clone();
        path.push(name.to_owned());
        Ok(Arc::new(Self {
            fs: self.fs.clone(),
            path,
            ino: ino(self.ino, name),
            file_type,
        }))
    }

    fn read_dir(&self, start: u64, max: usize) -> Result<Vec<DirEntry>> {
        let Some(Item::Dir(names)) = self.fs.item(&self.path()) else {
            return Err(Errno::ENOTDIR);
        };
        let skip = usize::try_from(start.saturating_sub(2)).unwrap_or(usize::MAX);
        let entries = (2..).zip(names).skip(skip).filter_map(|(position, name)| {
            Some(DirEntry {
                ino: ino(self.ino, &name),
                file_type: self.child_type(&name)?,
                name,
                next: position + 1,
            })
        });
        Ok(entries.take(max).collect())
    }

    fn open(self: Arc<Self>, caller: &Caller, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
        if flags.writable() {
            return Err(Errno::EACCES);
        }
        Ok(PseudoFile::open(self, caller))
    }
}

impl<T: TreeFs> PseudoText for TreeNode<T> {
    fn text(&self, caller: &Caller) -> Result<String> {
        self.fs.text(&self.path(), caller)
    }
}
