//! [`Node`]: an inode of a tmpfs or an overlay.

use super::data::FileData;
use super::dir::{Dir, Found, Lower, lower_ino};
use super::{Pages, TmpFs};
use crate::fs::caller::Caller;
use crate::fs::flock::FileLocks;
use crate::fs::inode::{Inode, NewInode, SetAttr, Slot, downcast};
use crate::fs::layer::{LayerBody, LayerNode};
use crate::fs::{FileOps, devfs};
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use podsim_sys::{DeviceNumber, DirEntry, Errno, FileType, Mode, OpenFlags, Result, Stat};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The largest number of names of a file (ext4's; tmpfs has none, but a counter must have an end).
const LINK_MAX: u32 = 65_000;

/// An inode of a tmpfs or an overlay.
pub(super) struct Node {
    pub(super) fs: Arc<TmpFs>,
    pub(super) ino: u64,
    pub(super) file_type: FileType,
    rdev: DeviceNumber,
    /// It counts against the inodes of the filesystem; those of an image layer do not.
    counted: bool,
    attr: Mutex<Attr>,
    body: Body,
    slot: OnceLock<Box<Slot>>,
    locks: OnceLock<Box<FileLocks>>,
}

#[derive(Clone, Copy)]
struct Attr {
    mode: Mode,
    uid: u32,
    gid: u32,
    nlink: u32,
    /// Names that were added to the first one; each counts as an inode, since it takes memory (shmem_link).
    extra_names: u32,
    atime: Duration,
    mtime: Duration,
    ctime: Duration,
}

enum Body {
    File(RwLock<FileData>),
    Dir(Mutex<Dir>),
    Symlink(Box<str>),
    Special,
}

impl Drop for Node {
    fn drop(&mut self) {
        let names = u64::from(self.counted) + u64::from(self.attr.get_mut().extra_names);
        self.fs.quota.give_inodes_back(names);
        // Directories may be nested as deep as there are inodes: they go one by one, not by recursion.
        let mut rest = self.take_entries();
        while let Some(node) = rest.pop() {
            rest.extend(
                Arc::into_inner(node)
                    .map(|mut node| node.take_entries())
                    .unwrap_or_default(),
            );
        }
    }
}

impl Node {
    /// A new object.
    pub(super) fn new(fs: &Arc<TmpFs>, new: &NewInode) -> Result<Arc<Self>> {
        fs.quota.take_inode()?;
        let made = Self::build(fs, new, true);
        Ok(Arc::new(made))
    }

    /// The root directory; it does not count.
    pub(super) fn root(fs: &Arc<TmpFs>, new: &NewInode) -> Arc<Self> {
        Arc::new(Self::build(fs, new, false))
    }

    fn build(fs: &Arc<TmpFs>, new: &NewInode, counted: bool) -> Self {
        let now = fs.now();
        let body = match new.file_type {
            FileType::Regular => Body::File(RwLock::new(FileData::Pages(Pages::new(&fs.quota)))),
            FileType::Directory => Body::Dir(Mutex::new(Dir::new(None))),
            FileType::Symlink => Body::Symlink(new.target.as_str().into()),
            _ => Body::Special,
        };
        Self {
            fs: fs.clone(),
            ino: fs.new_ino(),
            file_type: new.file_type,
            rdev: new.rdev,
            counted,
            attr: Mutex::new(Attr {
                mode: new.mode,
                uid: new.uid,
                gid: new.gid,
                nlink: 1,
                extra_names: 0,
                atime: now,
                mtime: now,
                ctime: now,
            }),
            body,
            slot: OnceLock::new(),
            locks: OnceLock::new(),
        }
    }

    /// The inode of an object of an image layer.
    pub(super) fn lower(fs: &Arc<TmpFs>, lower: &Lower, node: &LayerNode) -> Arc<Self> {
        let (body, rdev) = match &node.body {
            LayerBody::Regular(bytes) => (Body::File(RwLock::new(FileData::Lower(bytes.clone()))), None),
            LayerBody::Directory(_) => (Body::Dir(Mutex::new(Dir::new(Some(lower.clone())))), None),
            LayerBody::Symlink(target) => (Body::Symlink(target.clone()), None),
            LayerBody::Special(_, device) => (Body::Special, Some(*device)),
        };
        Arc::new(Self {
            fs: fs.clone(),
            ino: lower_ino(lower.index),
            file_type: node.file_type(),
            rdev: rdev.unwrap_or_default(),
            counted: false,
            attr: Mutex::new(Attr {
                mode: node.mode,
                uid: node.uid,
                gid: node.gid,
                nlink: node.nlink,
                extra_names: 0,
                atime: node.mtime,
                mtime: node.mtime,
                ctime: node.mtime,
            }),
            body,
            slot: OnceLock::new(),
            locks: OnceLock::new(),
        })
    }

    /// The inode of an object of the layers, the same one for all its names.
    fn of_layer(fs: &Arc<TmpFs>, lower: &Lower) -> Result<Arc<Self>> {
        let node = lower.tree.node(lower.index).ok_or(Errno::EIO)?;
        if node.nlink < 2 || node.file_type() == FileType::Directory {
            return Ok(Self::lower(fs, lower, node));
        }
        let mut links = lower.links.lock();
        let made = links.entry(lower.index).or_insert_with(|| Self::lower(fs, lower, node));
        Ok(made.clone())
    }

    fn dir(&self) -> Result<&Mutex<Dir>> {
        match &self.body {
            Body::Dir(dir) => Ok(dir),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn file(&self) -> Result<&RwLock<FileData>> {
        match &self.body {
            Body::File(data) => Ok(data),
            Body::Dir(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Finds a name; an object of the layer gets its inode now.
    fn find(&self, name: &str) -> Result<Arc<Node>> {
        let mut dir = self.dir()?.lock();
        match dir.find(name).ok_or(Errno::ENOENT)? {
            Found::Inode(inode) => Ok(inode),
            Found::Lower(lower) => {
                let inode = Node::of_layer(&self.fs, &lower)?;
                dir.remember_lower(name, inode.clone());
                Ok(inode)
            }
        }
    }

    fn change_names(&self, change: impl FnOnce(&mut Dir) -> Result<()>) -> Result<()> {
        change(&mut self.dir()?.lock())?;
        let now = self.fs.now();
        let mut attr = self.attr.lock();
        attr.mtime = now;
        attr.ctime = now;
        Ok(())
    }

    fn touch(&self) {
        self.attr.lock().ctime = self.fs.now();
    }

    /// It has a name more: ENOENT when it had none any more, EMLINK.
    fn add_name(&self) -> Result<()> {
        let mut attr = self.attr.lock();
        match attr.nlink {
            0 => return Err(Errno::ENOENT),
            LINK_MAX.. => return Err(Errno::EMLINK),
            _ => {}
        }
        self.fs.quota.take_inode()?;
        attr.nlink += 1;
        attr.extra_names += 1;
        attr.ctime = self.fs.now();
        Ok(())
    }

    fn remove_name(&self) {
        let mut attr = self.attr.lock();
        attr.nlink = attr.nlink.saturating_sub(1);
        attr.ctime = self.fs.now();
        if attr.extra_names > 0 {
            attr.extra_names -= 1;
            self.fs.quota.give_inodes_back(1);
        }
    }

    fn take_entries(&mut self) -> Vec<Arc<Node>> {
        match &mut self.body {
            Body::Dir(dir) => dir.get_mut().take_entries(),
            _ => Vec::new(),
        }
    }

    fn touch_content(&self) {
        let now = self.fs.now();
        let mut attr = self.attr.lock();
        attr.mtime = now;
        attr.ctime = now;
    }

    /// `relatime`: the access time moves when it is older than the last change, or than a day.
    fn touch_access(&self) {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let now = self.fs.now();
        let mut attr = self.attr.lock();
        if attr.atime <= attr.mtime || attr.atime <= attr.ctime || attr.atime + DAY <= now {
            attr.atime = now;
        }
    }

    /// A directory must be empty to go, and nothing can be added to it afterwards.
    fn close_dir(&self) -> Result<()> {
        let mut dir = self.dir()?.lock();
        if dir.len() > 0 {
            return Err(Errno::ENOTEMPTY);
        }
        dir.dead = true;
        Ok(())
    }

    fn dir_stat(&self, dir: &Dir) -> (u32, u64) {
        // Linux's overlay counts one link for a directory that is merged from two (ovl_getattr).
        let nlink = if dir.has_lower() && dir.changed {
            1
        } else {
            2 + u32::try_from(dir.subdirectories()).unwrap_or(u32::MAX - 2)
        };
        let size = if self.fs.is_overlay() {
            4096
        } else {
            20 * (dir.len() as u64 + 2)
        };
        (if dir.dead { 0 } else { nlink }, size)
    }
}

impl Inode for Node {
    fn file_type(&self) -> FileType {
        self.file_type
    }

    fn stat(&self) -> Result<Stat> {
        let (mut nlink, size, blocks) = match &self.body {
            Body::File(data) => {
                let data = data.read();
                (None, data.size(), data.blocks())
            }
            Body::Dir(dir) => {
                let (nlink, size) = self.dir_stat(&dir.lock());
                (Some(nlink), size, if self.fs.is_overlay() { 8 } else { 0 })
            }
            Body::Symlink(target) => (None, target.len() as u64, 0),
            Body::Special => (None, 0, 0),
        };
        let attr = *self.attr.lock();
        Ok(Stat {
            dev: self.fs.dev,
            ino: self.ino,
            file_type: self.file_type,
            mode: attr.mode,
            nlink: *nlink.get_or_insert(attr.nlink),
            uid: attr.uid,
            gid: attr.gid,
            rdev: self.rdev,
            size,
            blocks,
            atime: attr.atime,
            mtime: attr.mtime,
            ctime: attr.ctime,
        })
    }

    fn lookup(&self, name: &str) -> Result<Arc<dyn Inode>> {
        Ok(self.find(name)?)
    }

    fn create(&self, name: &str, new: &NewInode) -> Result<Arc<dyn Inode>> {
        if self.dir()?.lock().dead {
            return Err(Errno::ENOENT);
        }
        let inode = Node::new(&self.fs, new)?;
        self.change_names(|dir| {
            dir.insert(name, inode.clone());
            Ok(())
        })?;
        Ok(inode)
    }

    fn link(&self, name: &str, target: &Arc<dyn Inode>) -> Result<()> {
        let target: Arc<Node> = downcast(target)?;
        if target.file_type == FileType::Directory {
            return Err(Errno::EPERM);
        }
        if !Arc::ptr_eq(&self.fs, &target.fs) {
            return Err(Errno::EXDEV);
        }
        target.add_name()?;
        let added = self.change_names(|dir| {
            if dir.dead {
                return Err(Errno::ENOENT);
            }
            dir.insert(name, target.clone());
            Ok(())
        });
        if added.is_err() {
            target.remove_name();
        }
        added
    }

    fn unlink(&self, name: &str) -> Result<()> {
        let gone = self.find(name)?;
        if gone.file_type == FileType::Directory {
            return Err(Errno::EISDIR);
        }
        self.change_names(|dir| {
            dir.remove(name);
            Ok(())
        })?;
        gone.remove_name();
        Ok(())
    }

    fn rmdir(&self, name: &str) -> Result<()> {
        self.find(name)?.close_dir()?;
        self.change_names(|dir| {
            dir.remove(name);
            Ok(())
        })
    }

    fn rename(&self, old: &str, new_dir: &Arc<dyn Inode>, new: &str) -> Result<()> {
        let new_dir: Arc<Node> = downcast(new_dir)?;
        if !Arc::ptr_eq(&self.fs, &new_dir.fs) {
            return Err(Errno::EXDEV);
        }
        let moving = self.find(old)?;
        // Without redirects an overlay cannot move what it shows merged (redirect_dir=off, the default).
        if let Body::Dir(dir) = &moving.body
            && dir.lock().has_lower()
        {
            return Err(Errno::EXDEV);
        }
        if new_dir.dir()?.lock().dead {
            return Err(Errno::ENOENT);
        }
        match new_dir.find(new) {
            Ok(replaced) if replaced.file_type == FileType::Directory => replaced.close_dir()?,
            Ok(replaced) => replaced.remove_name(),
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
        new_dir.change_names(|dir| {
            dir.remove(new);
            dir.insert(new, moving.clone());
            Ok(())
        })?;
        self.change_names(|dir| {
            dir.remove(old);
            Ok(())
        })?;
        moving.touch();
        Ok(())
    }

    fn read_dir(&self, start: u64, max: usize) -> Result<Vec<DirEntry>> {
        let entries = self.dir()?.lock().list(start, max);
        self.touch_access();
        Ok(entries)
    }

    fn read_link(&self, _caller: &Caller) -> Result<String> {
        match &self.body {
            Body::Symlink(target) => Ok(target.to_string()),
            _ => Err(Errno::EINVAL),
        }
    }

    fn set_attr(&self, change: &SetAttr) -> Result<()> {
        if let Body::Dir(dir) = &self.body {
            dir.lock().changed = true;
        }
        let now = self.fs.now();
        let mut attr = self.attr.lock();
        attr.mode = change.mode.unwrap_or(attr.mode);
        attr.uid = change.uid.unwrap_or(attr.uid);
        attr.gid = change.gid.unwrap_or(attr.gid);
        attr.atime = change.atime.unwrap_or(attr.atime);
        attr.mtime = change.mtime.unwrap_or(attr.mtime);
        attr.ctime = now;
        Ok(())
    }

    fn truncate(&self, size: u64) -> Result<()> {
        self.file()?.write().truncate(&self.fs.quota, size)?;
        self.touch_content();
        Ok(())
    }

    fn open(self: Arc<Self>, caller: &Caller, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
        match self.file_type {
            FileType::Regular => Ok(Arc::new(TmpFile(self))),
            FileType::CharDevice => devfs::open_device(self, caller, flags),
            _ => Err(Errno::ENXIO),
        }
    }

    fn content(&self) -> Result<Bytes> {
        self.file().map_err(|_| Errno::EACCES)?.read().content()
    }

    fn slot(&self) -> Option<&Slot> {
        Some(self.slot.get_or_init(Box::default))
    }

    fn locks(&self) -> Option<&FileLocks> {
        Some(self.locks.get_or_init(Box::default))
    }
}

/// An open regular file.
struct TmpFile(Arc<Node>);

impl FileOps for TmpFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let n = self.0.file()?.read().read(buf, offset);
        self.0.touch_access();
        Ok(n)
    }

    fn write_at(&self, buf: &[u8], offset: u64, append: bool) -> Result<(usize, u64)> {
        let (written, after) = self.0.file()?.write().write(&self.0.fs.quota, buf, offset, append)?;
        if written > 0 {
            self.0.touch_content();
        }
        Ok((written, after))
    }

    fn stat(&self) -> Result<Stat> {
        self.0.stat()
    }

    fn seekable(&self) -> bool {
        true
    }

    fn truncate(&self, size: u64) -> Result<()> {
        Inode::truncate(&*self.0, size)
    }

    fn allocate(&self, offset: u64, length: u64) -> Result<()> {
        self.0.file()?.write().allocate(&self.0.fs.quota, offset, length)?;
        self.0.touch_content();
        Ok(())
    }
}
