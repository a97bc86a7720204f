//! `open(2)`: from a path to an open file.

use super::caller::Caller;
use super::dir_file::DirFile;
use super::inode::{Inode, MagicLink};
use super::namei::{Followed, Found, Last, Walk};
use super::names::create_in;
use super::path::PathRef;
use super::{FileDescription, FileOps};
use podsim_sys::{Access, DeviceNumber, Errno, FileType, Mode, MountFlags, OpenFlags, Result, Stat};
use std::sync::Arc;

/// What `open` found.
pub enum Opened {
    /// An open file.
    File(Arc<FileDescription>),
    /// A FIFO that may be opened: the caller waits for its other side.
    Fifo(PathRef),
}

/// Opens a path. `mode` is for a file that this makes; the umask is taken off here.
pub fn open(caller: &Caller, start: &PathRef, path: &str, flags: OpenFlags, mode: Mode) -> Result<Opened> {
    if flags.contains(OpenFlags::PATH) {
        return open_path(caller, start, path, flags).map(Opened::File);
    }
    if flags.contains(OpenFlags::CREAT) {
        if flags.contains(OpenFlags::DIRECTORY) {
            return Err(Errno::EINVAL);
        }
        return open_or_create(caller, start, path, flags, mode);
    }
    match Walk::new(caller, start, path)?.finish(!flags.contains(OpenFlags::NOFOLLOW))? {
        Found::Path(path) => open_found(caller, path, flags),
        Found::Magic(object) => open_object(caller, object, flags).map(Opened::File),
    }
}

/// `stat(2)` of a path: also of what a magic link leads to that has no place (a pipe, a namespace).
pub fn stat(caller: &Caller, start: &PathRef, path: &str, follow: bool) -> Result<Stat> {
    match Walk::new(caller, start, path)?.finish(follow)? {
        Found::Path(path) => path.stat(),
        Found::Magic(MagicLink::Path(path)) => path.stat(),
        Found::Magic(MagicLink::File(file)) => file.ops().stat(),
        Found::Magic(MagicLink::Inode(inode)) => inode.stat(),
    }
}

/// O_PATH: a handle on a place; nothing is opened and no permission on the object itself is needed.
fn open_path(caller: &Caller, start: &PathRef, path: &str, flags: OpenFlags) -> Result<Arc<FileDescription>> {
    let flags = flags & (OpenFlags::PATH | OpenFlags::DIRECTORY | OpenFlags::NOFOLLOW | OpenFlags::CLOEXEC);
    let found = Walk::new(caller, start, path)?
        .finish(!flags.contains(OpenFlags::NOFOLLOW))?
        .path()?;
    if flags.contains(OpenFlags::DIRECTORY) && !found.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    let ops = Arc::new(PathFile(found.inode().clone()));
    Ok(FileDescription::with_path(ops, flags, Some(found)))
}

fn open_or_create(caller: &Caller, start: &PathRef, path: &str, flags: OpenFlags, mode: Mode) -> Result<Opened> {
    let mut walk = Walk::new(caller, start, path)?;
    loop {
        let Last::Name { name, slash: false } = walk.to_last()? else {
            return Err(Errno::EISDIR);
        };
        let found = match walk.child(&name) {
            Ok(found) => found,
            Err(Errno::ENOENT) => match create_in(
                caller,
                walk.at(),
                &name,
                FileType::Regular,
                mode,
                DeviceNumber::default(),
                "",
            ) {
                Ok(made) => return open_inode(caller, made, flags - OpenFlags::TRUNC).map(Opened::File),
                // Somebody else was first.
                Err(Errno::EEXIST) if !flags.contains(OpenFlags::EXCL) => walk.child(&name)?,
                // A filesystem that cannot make files says EACCES to open (lookup_open in fs/namei.c), EPERM to mkdir.
                Err(Errno::EPERM) => return Err(Errno::EACCES),
                Err(errno) => return Err(errno),
            },
            Err(errno) => return Err(errno),
        };
        if flags.contains(OpenFlags::EXCL) {
            return Err(Errno::EEXIST);
        }
        if found.inode().file_type() != FileType::Symlink || flags.contains(OpenFlags::NOFOLLOW) {
            return open_found(caller, found, flags);
        }
        match walk.follow(&found)? {
            Followed::Text => {}
            Followed::Jumped => return open_found(caller, walk.at().clone(), flags),
            Followed::Object(object) => return open_object(caller, object, flags).map(Opened::File),
        }
    }
}

/// Opens what is already there.
fn open_found(caller: &Caller, path: PathRef, flags: OpenFlags) -> Result<Opened> {
    let inode = path.inode();
    let kind = inode.file_type();
    if flags.contains(OpenFlags::DIRECTORY) && kind != FileType::Directory {
        return Err(Errno::ENOTDIR);
    }
    let writing = flags.writable() || flags.contains(OpenFlags::TRUNC);
    match kind {
        FileType::Symlink => return Err(Errno::ELOOP),
        FileType::Directory if writing || flags.contains(OpenFlags::CREAT) => return Err(Errno::EISDIR),
        FileType::CharDevice | FileType::BlockDevice if path.mount.flags().contains(MountFlags::NODEV) => {
            return Err(Errno::EACCES);
        }
        _ => {}
    }
    let mut access = Access::empty();
    access.set(Access::READ, flags.readable());
    access.set(Access::WRITE, writing);
    inode.permission(caller, access)?;
    match kind {
        FileType::Regular if writing => path.check_writable()?,
        FileType::Socket => return Err(Errno::ENXIO),
        FileType::Fifo => return Ok(Opened::Fifo(path)),
        _ => {}
    }
    open_inode(caller, path, flags).map(Opened::File)
}

fn open_inode(caller: &Caller, path: PathRef, flags: OpenFlags) -> Result<Arc<FileDescription>> {
    let inode = path.inode().clone();
    let ops: Arc<dyn FileOps> = match inode.file_type() {
        FileType::Directory => Arc::new(DirFile::new(path.clone())),
        _ => inode.clone().open(caller, flags)?,
    };
    if flags.contains(OpenFlags::TRUNC) && inode.file_type() == FileType::Regular {
        inode.truncate(0)?;
    }
    Ok(FileDescription::with_path(ops, flags, Some(path)))
}

/// Opens what a magic link of procfs leads to when that has no path.
fn open_object(caller: &Caller, object: MagicLink, flags: OpenFlags) -> Result<Arc<FileDescription>> {
    if flags.contains(OpenFlags::DIRECTORY) {
        return Err(Errno::ENOTDIR);
    }
    match object {
        MagicLink::Path(path) => open_inode(caller, path, flags),
        MagicLink::Inode(inode) => {
            if flags.writable() {
                return Err(Errno::EACCES);
            }
            Ok(FileDescription::new(inode.open(caller, flags)?, flags))
        }
        MagicLink::File(file) => {
            if file.ops().socket().is_some() {
                return Err(Errno::ENXIO);
            }
            let had = file.flags();
            if (flags.readable() && !had.readable()) || (flags.writable() && !had.writable()) {
                return Err(Errno::EACCES);
            }
            Ok(FileDescription::new(file.ops().clone(), flags))
        }
    }
}

/// What an O_PATH descriptor holds: it can only be asked what it is.
struct PathFile(Arc<dyn Inode>);

impl FileOps for PathFile {
    fn read_at(&self, _buf: &mut [u8], _offset: u64) -> Result<usize> {
        Err(Errno::EBADF)
    }

    fn write_at(&self, _buf: &[u8], _offset: u64, _append: bool) -> Result<(usize, u64)> {
        Err(Errno::EBADF)
    }

    fn stat(&self) -> Result<Stat> {
        self.0.stat()
    }

    fn truncate(&self, _size: u64) -> Result<()> {
        Err(Errno::EBADF)
    }

    fn getdents(&self, _start: u64, _max: usize) -> Result<Vec<podsim_sys::DirEntry>> {
        Err(Errno::EBADF)
    }
}
