//! Writes the entries of layers into a directory, so that nothing in an archive can reach outside of it.
//!
//! Every name is used relative to a descriptor of its directory, which is reached part by part without following symbolic
//! links. Directories get their attributes at the very end, when nothing more is written into them.

use super::dir::{self, exists, open_dir, open_root};
use crate::layer::{Entry, EntryKind, Whiteout};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chmodat, chownat, fchmod, fchown,
    fsetxattr, futimens, linkat, makedev, mkdirat, mknodat, openat, symlinkat, utimensat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// What becomes of whiteouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whiteouts {
    /// Overlayfs' form of them; with the name of the attribute for opaque directories.
    Overlay(&'static str),
    /// The files are removed: the layers below are in the same directory.
    Remove,
    /// Nothing: there is no layer below.
    Ignore,
}

/// What could not be done, and does not matter to most images.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Losses {
    /// Owners could not be set.
    pub(super) owners: bool,
    /// Devices that could not be made.
    pub(super) devices: BTreeSet<String>,
    /// Names that are not UTF-8.
    pub(super) names: BTreeSet<String>,
}

/// Why a layer cannot be unpacked.
#[derive(Debug)]
pub(super) enum UnpackError {
    /// One of its entries cannot be made.
    Entry(String, io::Error),
    /// The filesystem takes no whiteouts.
    Whiteout(io::Error),
}

#[derive(Clone, Copy)]
struct Attributes {
    mode: u16,
    uid: u32,
    gid: u32,
    mtime: Duration,
}

/// Writes layers into one directory.
pub(super) struct Unpacker<'a> {
    root: OwnedFd,
    /// The layers below, the highest first: a directory that a layer does not describe looks as it does there.
    below: &'a [OwnedFd],
    /// The directory of the last entry: most often that of the next one, too.
    parent: Option<(String, OwnedFd)>,
    /// What the directories are to look like in the end.
    directories: BTreeMap<String, Attributes>,
    /// What is no directory, of the layer that is being written.
    files: HashSet<String>,
    losses: Losses,
}

impl<'a> Unpacker<'a> {
    /// Into this directory, which must be there.
    pub(super) fn new(root: &Path, below: &'a [OwnedFd]) -> io::Result<Self> {
        Ok(Self {
            root: open_root(CWD, root)?,
            below,
            parent: None,
            directories: BTreeMap::new(),
            files: HashSet::new(),
            losses: Losses::default(),
        })
    }

    /// Writes a layer.
    pub(super) fn layer(&mut self, entries: &[Entry], whiteouts: Whiteouts) -> Result<(), UnpackError> {
        let hides = || entries.iter().filter_map(|entry| Some((entry, entry.whiteout()?)));
        let of = |entry: &Entry| {
            let path = entry.path.clone();
            |error| UnpackError::Entry(path, error)
        };
        self.files.clear();
        // They are about the layers below only, wherever they stand in the archive.
        if whiteouts == Whiteouts::Remove {
            for (entry, hidden) in hides() {
                self.remove(entry.parent(), hidden).map_err(of(entry))?;
            }
        }
        for entry in entries.iter().filter(|entry| entry.whiteout().is_none()) {
            self.entry(entry).map_err(of(entry))?;
        }
        if let Whiteouts::Overlay(opaque) = whiteouts {
            for (entry, hidden) in hides() {
                self.hide(entry.parent(), hidden, opaque)
                    .map_err(UnpackError::Whiteout)?;
            }
        }
        Ok(())
    }

    /// Gives the directories their attributes, the deepest first.
    pub(super) fn finish(mut self) -> Result<Losses, UnpackError> {
        self.parent = None;
        self.directories.entry(String::new()).or_insert_with(|| {
            let root = self.below.first().and_then(|below| attributes_of(below.as_fd()));
            root.unwrap_or(Attributes::of_implicit())
        });
        for (path, attributes) in std::mem::take(&mut self.directories).into_iter().rev() {
            let set = || -> io::Result<bool> {
                let directory = dir::walk(&self.root, &path)?;
                set_attributes(directory.as_fd(), attributes)
            };
            let owned = set().map_err(|error| UnpackError::Entry(path, error))?;
            self.losses.owners |= !owned;
        }
        Ok(self.losses)
    }

    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        let attributes = Attributes::of(entry);
        let name = entry.name();
        if entry.path.is_empty() {
            self.directories.insert(String::new(), attributes);
            return Ok(());
        }
        if entry.kind == EntryKind::Directory {
            let parent = self.directory(entry.parent())?;
            if let Err(errno) = mkdirat(parent, name, Mode::from_raw_mode(0o700)) {
                if errno != Errno::EXIST {
                    return Err(errno.into());
                }
                if !dir::is_dir(parent, name)? {
                    dir::remove_tree(parent, name)?;
                    mkdirat(parent, name, Mode::from_raw_mode(0o700))?;
                }
            }
            self.files.remove(&entry.path);
            self.directories.insert(entry.path.clone(), attributes);
            return Ok(());
        }
        match self.create(entry, attributes) {
            // A later entry replaces an earlier one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if matches!(&entry.kind, EntryKind::HardLink(target) if *target == entry.path) {
                    return Ok(());
                }
                let parent = self.directory(entry.parent())?;
                dir::remove_tree(parent, name)?;
                self.forget(&entry.path);
                self.create(entry, attributes)
            }
            result => result,
        }
    }

    fn create(&mut self, entry: &Entry, attributes: Attributes) -> io::Result<()> {
        let name = entry.name();
        self.files.insert(entry.path.clone());
        match &entry.kind {
            EntryKind::Directory => Ok(()),
            EntryKind::File(content) => {
                let parent = self.directory(entry.parent())?;
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut file = File::from(openat(parent, name, flags, Mode::from_raw_mode(0o600))?);
                file.write_all(content)?;
                self.losses.owners |= !set_attributes(file.as_fd(), attributes)?;
                Ok(())
            }
            EntryKind::HardLink(target) => {
                let (folder, old) = target.rsplit_once('/').unwrap_or(("", target));
                let from = dir::walk(&self.root, folder).map_err(|_| no_target())?;
                let parent = self.directory(entry.parent())?;
                linkat(&from, old, parent, name, AtFlags::empty()).map_err(|errno| match errno {
                    Errno::NOENT => no_target(),
                    Errno::PERM if dir::is_dir(from.as_fd(), old).unwrap_or(false) => {
                        invalid("a hard link to a directory")
                    }
                    errno => errno.into(),
                })
            }
            EntryKind::Symlink(target) => {
                let parent = self.directory(entry.parent())?;
                symlinkat(target.as_str(), parent, name)?;
                let owned = set_owner(parent, name, attributes)?;
                utimensat(parent, name, &attributes.times(), AtFlags::SYMLINK_NOFOLLOW)?;
                self.losses.owners |= !owned;
                Ok(())
            }
            EntryKind::CharDevice(major, minor) => {
                self.special(entry, attributes, FileType::CharacterDevice, (*major, *minor))
            }
            EntryKind::BlockDevice(major, minor) => {
                self.special(entry, attributes, FileType::BlockDevice, (*major, *minor))
            }
            EntryKind::Fifo => self.special(entry, attributes, FileType::Fifo, (0, 0)),
        }
    }

    fn special(
        &mut self,
        entry: &Entry,
        attributes: Attributes,
        file_type: FileType,
        (major, minor): (u32, u32),
    ) -> io::Result<()> {
        let (parent, name) = (self.directory(entry.parent())?, entry.name());
        match mknodat(
            parent,
            name,
            file_type,
            Mode::from_raw_mode(0o600),
            makedev(major, minor),
        ) {
            // Without rights on the host there are no devices; those that containers need are mounted.
            Err(Errno::PERM) if file_type != FileType::Fifo => {
                self.losses.devices.insert(entry.path.clone());
                return Ok(());
            }
            result => result?,
        }
        let owned = set_owner(parent, name, attributes)?;
        chmodat(parent, name, attributes.mode(owned), AtFlags::empty())?;
        utimensat(parent, name, &attributes.times(), AtFlags::SYMLINK_NOFOLLOW)?;
        self.losses.owners |= !owned;
        Ok(())
    }

    /// The directory of this path; parts that are not there are made, and look as in the layers below.
    fn directory(&mut self, path: &str) -> io::Result<BorrowedFd<'_>> {
        if self.parent.as_ref().is_none_or(|(other, _)| other != path) {
            let mut at = open_dir(&self.root, ".")?;
            for (end, name) in dir::parts(path) {
                let found = match open_dir(&at, name) {
                    Err(Errno::NOTDIR | Errno::LOOP) if !self.files.contains(&path[..end]) => {
                        // A file of a layer below, which this directory hides.
                        dir::remove_tree(at.as_fd(), name)?;
                        Err(Errno::NOENT)
                    }
                    found => found,
                };
                at = match found {
                    Err(Errno::NOENT) => {
                        mkdirat(&at, name, Mode::from_raw_mode(0o700))?;
                        let implicit = self.below(&path[..end]).unwrap_or(Attributes::of_implicit());
                        self.directories.insert(path[..end].to_owned(), implicit);
                        open_dir(&at, name)?
                    }
                    Err(Errno::NOTDIR | Errno::LOOP) => return Err(invalid("its parent is not a directory")),
                    result => result?,
                };
            }
            self.parent = Some((path.to_owned(), at));
        }
        match &self.parent {
            Some((_, directory)) => Ok(directory.as_fd()),
            None => Err(invalid("its parent is not a directory")),
        }
    }

    /// What a directory looks like in the layers below.
    fn below(&self, path: &str) -> Option<Attributes> {
        for layer in self.below {
            match dir::walk(layer, path) {
                Ok(directory) => return attributes_of(directory.as_fd()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // A file, or a whiteout: it ends there.
                Err(_) => return None,
            }
        }
        None
    }

    fn remove(&mut self, parent: &str, hidden: Whiteout<'_>) -> io::Result<()> {
        let directory = match dir::walk(&self.root, parent) {
            Ok(directory) => directory,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let names = match hidden {
            Whiteout::Name(name) => vec![name.into()],
            Whiteout::Opaque => dir::names(&directory)?,
        };
        for name in names {
            if exists(directory.as_fd(), name.as_os_str())? {
                dir::remove_tree(directory.as_fd(), name.as_os_str())?;
                if let Some(name) = name.to_str() {
                    self.forget(format!("{parent}/{name}").trim_start_matches('/'));
                }
            }
        }
        Ok(())
    }

    fn hide(&mut self, parent: &str, hidden: Whiteout<'_>, opaque: &str) -> io::Result<()> {
        let directory = self.directory(parent)?;
        let mark = |directory: BorrowedFd<'_>| fsetxattr(directory, opaque, b"y", XattrFlags::empty());
        match hidden {
            Whiteout::Opaque => mark(directory)?,
            // What this layer has of the same name hides the one below anyway, except a directory.
            Whiteout::Name(name) if dir::is_dir(directory, name)? => mark(open_dir(directory, name)?.as_fd())?,
            Whiteout::Name(name) if exists(directory, name)? => {}
            Whiteout::Name(name) => mknodat(directory, name, FileType::CharacterDevice, Mode::empty(), makedev(0, 0))?,
        }
        Ok(())
    }

    /// Something was removed: it and what was below it are no directories any more.
    fn forget(&mut self, path: &str) {
        self.parent = None;
        let below = format!("{path}/");
        self.directories
            .retain(|directory, _| directory != path && !directory.starts_with(&below));
    }
}

impl Attributes {
    fn of(entry: &Entry) -> Self {
        Self {
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            mtime: entry.mtime,
        }
    }

    /// Of a directory that is in no layer.
    fn of_implicit() -> Self {
        Self {
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime: Duration::ZERO,
        }
    }

    /// Without the right owner no file runs as its owner.
    fn mode(self, owned: bool) -> Mode {
        let mode = if owned { self.mode } else { self.mode & 0o1777 };
        Mode::from_raw_mode(mode.into())
    }

    fn times(self) -> Timestamps {
        let time = Timespec {
            tv_sec: i64::try_from(self.mtime.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: self.mtime.subsec_nanos().into(),
        };
        Timestamps {
            last_access: time,
            last_modification: time,
        }
    }
}

fn attributes_of(directory: BorrowedFd<'_>) -> Option<Attributes> {
    let stat = rustix::fs::fstat(directory).ok()?;
    Some(Attributes {
        mode: (stat.st_mode & 0o7777) as u16,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: Duration::new(u64::try_from(stat.st_mtime).unwrap_or(0), stat.st_mtime_nsec as u32),
    })
}

/// Gives whether the owner could be set.
fn set_attributes(file: BorrowedFd<'_>, attributes: Attributes) -> io::Result<bool> {
    let (uid, gid) = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
    // Before the mode: a change of owner takes setuid away.
    let owned = is_owned(fchown(file, Some(uid), Some(gid)))?;
    fchmod(file, attributes.mode(owned))?;
    futimens(file, &attributes.times())?;
    Ok(owned)
}

fn set_owner(parent: BorrowedFd<'_>, name: &str, attributes: Attributes) -> io::Result<bool> {
    let (uid, gid) = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
    is_owned(chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW))
}

/// Without root, or of an owner that the user namespace has no number for.
fn is_owned(changed: rustix::io::Result<()>) -> io::Result<bool> {
    match changed {
        Ok(()) => Ok(true),
        Err(Errno::PERM | Errno::INVAL | Errno::OVERFLOW) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

fn no_target() -> io::Error {
    invalid("the target of the hard link is not in the layer")
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
