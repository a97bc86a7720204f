//! [`Node`]: an inode of a lent folder.

use super::file::HostFile;
use super::host::{self, to_errno};
#[cfg(unix)]
use super::owners::Owners;
use bytes::Bytes;
use cap_std::fs::{Dir, Metadata, OpenOptions};
use parking_lot::Mutex;
use podsim_kernel::fs::flock::FileLocks;
use podsim_kernel::fs::{Caller, FileOps, Inode, NewInode, SetAttr, Slot};
use podsim_sys::{DeviceNumber, DirEntry, Errno, FileType, OpenFlags, Result, Stat};
use std::any::Any;
use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

/// A directory that is held open: it stays itself when it is renamed.
pub(super) struct OpenDir {
    dir: Dir,
    /// The inodes in it that somebody holds, so that a name is one inode, also after it was renamed.
    children: Mutex<HashMap<String, Weak<Node>>>,
}

/// The lent folder that an inode is of.
pub(super) struct Lent {
    /// The device that it is on.
    pub(super) device: DeviceNumber,
    /// Nothing in it is ever written, whatever somebody with rights makes of its mounts.
    pub(super) readonly: bool,
    /// Whose the files are, if that is known.
    #[cfg(unix)]
    pub(super) owners: Option<Arc<Owners>>,
}

impl Lent {
    /// What a file is on the node.
    pub(super) fn stat(&self, metadata: &Metadata) -> Stat {
        let stat = host::stat(metadata, self.device);
        #[cfg(unix)]
        if let Some(owners) = &self.owners {
            let (uid, gid) = owners.get(stat.ino);
            return Stat { uid, gid, ..stat };
        }
        stat
    }

    /// Gives a file away; says whether that can be done here.
    #[cfg_attr(not(unix), expect(unused_variables, reason = "all files are root's"))]
    fn give(&self, inode: u64, owner: (u32, u32)) -> Result<bool> {
        #[cfg(unix)]
        if let Some(owners) = &self.owners {
            return owners.set(inode, owner).map(|()| true).map_err(fail);
        }
        Ok(false)
    }
}

/// An inode: a name in a directory, since hosts open files by name.
pub(super) struct Node {
    lent: Arc<Lent>,
    file_type: FileType,
    place: Mutex<Option<(Arc<OpenDir>, String)>>,
    /// If it is a directory.
    open: Option<Arc<OpenDir>>,
    slot: Slot,
    locks: FileLocks,
}

fn fail(error: std::io::Error) -> Errno {
    to_errno(&error)
}

impl Node {
    /// The folder itself.
    pub(super) fn root(dir: Dir, lent: Arc<Lent>) -> Arc<Self> {
        Arc::new(Self::new(lent, FileType::Directory, None, Some(dir)))
    }

    fn new(lent: Arc<Lent>, file_type: FileType, place: Option<(Arc<OpenDir>, String)>, dir: Option<Dir>) -> Self {
        let open = dir.map(|dir| OpenDir {
            dir,
            children: Mutex::default(),
        });
        Self {
            lent,
            file_type,
            place: Mutex::new(place),
            open: open.map(Arc::new),
            slot: Slot::default(),
            locks: FileLocks::default(),
        }
    }

    /// The folder that it is of.
    pub(super) fn lent(&self) -> &Lent {
        &self.lent
    }

    fn directory(&self) -> Result<&Arc<OpenDir>> {
        self.open.as_ref().ok_or(Errno::ENOTDIR)
    }

    /// The directory, to be changed.
    fn changed(&self) -> Result<&Arc<OpenDir>> {
        self.check_writable()?;
        self.directory()
    }

    fn check_writable(&self) -> Result<()> {
        if self.lent.readonly { Err(Errno::EROFS) } else { Ok(()) }
    }

    /// Where it is; the folder itself is nowhere.
    fn place(&self) -> Result<(Arc<OpenDir>, String)> {
        self.place.lock().clone().ok_or(Errno::EBUSY)
    }

    fn metadata(&self) -> Result<Metadata> {
        match &self.open {
            Some(open) => open.dir.dir_metadata().map_err(fail),
            None => {
                let (above, name) = self.place()?;
                above.dir.symlink_metadata(name).map_err(fail)
            }
        }
    }

    fn child(&self, name: &str) -> Result<Arc<Self>> {
        let open = self.directory()?;
        let metadata = open.dir.symlink_metadata(name).map_err(fail)?;
        let file_type = host::file_type(metadata.file_type());
        if let Some(known) = open.children.lock().get(name).and_then(Weak::upgrade)
            && known.file_type == file_type
        {
            return Ok(known);
        }
        let dir = match file_type {
            FileType::Directory => Some(open.dir.open_dir(name).map_err(fail)?),
            _ => None,
        };
        let place = Some((open.clone(), name.to_owned()));
        let made = Arc::new(Self::new(self.lent.clone(), file_type, place, dir));
        let mut children = open.children.lock();
        children.retain(|_, child| child.strong_count() > 0);
        children.insert(name.to_owned(), Arc::downgrade(&made));
        Ok(made)
    }

    /// Opens its content; the flags are those of the process.
    fn open_content(&self, flags: OpenFlags) -> Result<std::fs::File> {
        if self.file_type != FileType::Regular {
            return Err(Errno::ENXIO);
        }
        if flags.writable() {
            self.check_writable()?;
        }
        let (above, name) = self.place()?;
        let mut options = OpenOptions::new();
        options.read(flags.readable()).write(flags.writable());
        no_follow(&mut options);
        let opened = above.dir.open_with(name, &options).map_err(fail)?;
        Ok(opened.into_std())
    }
}

/// A name that has become a symbolic link meanwhile is not followed.
fn no_follow(options: &mut OpenOptions) {
    use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
    options.follow(FollowSymlinks::No);
}

impl Inode for Node {
    fn file_type(&self) -> FileType {
        self.file_type
    }

    fn stat(&self) -> Result<Stat> {
        Ok(self.lent.stat(&self.metadata()?))
    }

    /// The user may have removed it.
    fn is_valid(&self) -> bool {
        match self.place.lock().as_ref() {
            None => true,
            Some((above, name)) => {
                let found = above.dir.symlink_metadata(name);
                found.is_ok_and(|found| host::file_type(found.file_type()) == self.file_type)
            }
        }
    }

    fn lookup(&self, name: &str) -> Result<Arc<dyn Inode>> {
        Ok(self.child(name)?)
    }

    fn create(&self, name: &str, new: &NewInode) -> Result<Arc<dyn Inode>> {
        let dir = &self.changed()?.dir;
        match new.file_type {
            FileType::Regular => {
                let mut options = OpenOptions::new();
                options.write(true).create_new(true);
                dir.open_with(name, &options).map(drop).map_err(fail)?;
            }
            FileType::Directory => dir.create_dir(name).map_err(fail)?,
            FileType::Symlink => host::symlink(dir, &new.target, name)?,
            // Pipes and sockets of the node are not seen on the machine.
            _ => return Err(Errno::EPERM),
        }
        if new.file_type != FileType::Symlink {
            host::set_mode(dir, name, new.mode)?;
        }
        let made = self.child(name)?;
        self.lent.give(made.stat()?.ino, (new.uid, new.gid))?;
        Ok(made)
    }

    fn link(&self, name: &str, target: &Arc<dyn Inode>) -> Result<()> {
        let any: Arc<dyn Any + Send + Sync> = target.clone();
        let target = any.downcast::<Node>().map_err(|_| Errno::EXDEV)?;
        let (above, old) = target.place()?;
        above.dir.hard_link(old, &self.changed()?.dir, name).map_err(fail)
    }

    fn unlink(&self, name: &str) -> Result<()> {
        self.changed()?.dir.remove_file(name).map_err(fail)
    }

    fn rmdir(&self, name: &str) -> Result<()> {
        self.changed()?.dir.remove_dir(name).map_err(fail)
    }

    fn rename(&self, old: &str, new_dir: &Arc<dyn Inode>, new: &str) -> Result<()> {
        let any: Arc<dyn Any + Send + Sync> = new_dir.clone();
        let new_dir = any.downcast::<Node>().map_err(|_| Errno::EXDEV)?;
        let (from, to) = (self.changed()?, new_dir.changed()?);
        from.dir.rename(old, &to.dir, new).map_err(fail)?;
        let moved = from.children.lock().remove(old);
        to.children.lock().remove(new);
        if let Some(node) = moved.and_then(|weak| weak.upgrade()) {
            *node.place.lock() = Some((to.clone(), new.to_owned()));
            to.children.lock().insert(new.to_owned(), Arc::downgrade(&node));
        }
        Ok(())
    }

    fn read_dir(&self, start: u64, max: usize) -> Result<Vec<DirEntry>> {
        let mut all = Vec::new();
        for entry in self.directory()?.dir.entries().map_err(fail)? {
            let entry = entry.map_err(fail)?;
            // Names that are no text cannot be told to guests.
            if let (Ok(name), Ok(file_type)) = (entry.file_name().into_string(), entry.file_type()) {
                all.push((name, host::file_type(file_type)));
            }
        }
        // In an order that stays while names come and go; positions 0 and 1 are `.` and `..`.
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        let first = start.max(2);
        let listed = all.into_iter().zip(2..).filter(|(_, at)| *at >= first);
        let entry = |((name, file_type), at): ((String, FileType), u64)| DirEntry {
            ino: at,
            file_type,
            name,
            next: at + 1,
        };
        Ok(listed.map(entry).take(max).collect())
    }

    fn read_link(&self, _caller: &Caller) -> Result<String> {
        let (above, name) = self.place()?;
        let target = above.dir.read_link_contents(name).map_err(fail)?;
        target.into_os_string().into_string().map_err(|_| Errno::EILSEQ)
    }

    fn set_attr(&self, change: &SetAttr) -> Result<()> {
        self.check_writable()?;
        let stat = self.stat()?;
        let other = |new: Option<u32>, old: u32| new.is_some_and(|new| new != old);
        if other(change.uid, stat.uid) || other(change.gid, stat.gid) {
            let owner = (change.uid.unwrap_or(stat.uid), change.gid.unwrap_or(stat.gid));
            if !self.lent.give(stat.ino, owner)? {
                return Err(Errno::EPERM);
            }
        }
        if let Some(mode) = change.mode.filter(|mode| *mode != stat.mode) {
            match (&self.open, self.file_type) {
                (_, FileType::Symlink) => return Err(Errno::EOPNOTSUPP),
                (Some(open), _) => host::set_mode(&open.dir, ".", mode)?,
                (None, _) => {
                    let (above, name) = self.place()?;
                    host::set_mode(&above.dir, &name, mode)?;
                }
            }
        }
        if change.atime.is_some() || change.mtime.is_some() {
            let time = |time: Option<Duration>| {
                time.map(|time| {
                    let time = SystemTime::UNIX_EPOCH.checked_add(time);
                    let time = time.unwrap_or(SystemTime::UNIX_EPOCH);
                    cap_fs_ext::SystemTimeSpec::Absolute(cap_std::time::SystemTime::from_std(time))
                })
            };
            use cap_fs_ext::DirExt;
            let (atime, mtime) = (time(change.atime), time(change.mtime));
            match &self.open {
                Some(open) => open.dir.set_symlink_times(".", atime, mtime).map_err(fail)?,
                None => {
                    let (above, name) = self.place()?;
                    above.dir.set_symlink_times(name, atime, mtime).map_err(fail)?;
                }
            }
        }
        Ok(())
    }

    fn truncate(&self, size: u64) -> Result<()> {
        self.open_content(OpenFlags::WRONLY)?.set_len(size).map_err(fail)
    }

    fn open(self: Arc<Self>, _caller: &Caller, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
        let content = self.open_content(flags)?;
        Ok(Arc::new(HostFile::new(content, self)))
    }

    fn content(&self) -> Result<Bytes> {
        let mut content = Vec::new();
        let mut file = self.open_content(OpenFlags::empty())?;
        file.read_to_end(&mut content).map_err(fail)?;
        Ok(content.into())
    }

    fn slot(&self) -> Option<&Slot> {
        Some(&self.slot)
    }

    fn locks(&self) -> Option<&FileLocks> {
        Some(&self.locks)
    }
}
