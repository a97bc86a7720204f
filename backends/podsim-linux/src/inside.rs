//! Paths inside of a root that is not the process's own yet: symbolic links of an image must not lead out of it.

mod change;

use crate::mount::context;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, mkdirat, open, openat, openat2};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A root directory.
pub(crate) struct Inside {
    root: OwnedFd,
}

/// A place in it: usable as a path for as long as this lives.
pub(crate) struct Place {
    _fd: OwnedFd,
    path: PathBuf,
}

impl Place {
    fn new(fd: OwnedFd) -> Self {
        Self {
            path: PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd())),
            _fd: fd,
        }
    }

    /// The path of it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Inside {
    /// With this root.
    pub(crate) fn new(root: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = open(root, flags, Mode::empty()).map_err(context(root.display()))?;
        Ok(Self { root })
    }

    fn resolve(&self, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        openat2(
            &self.root,
            path,
            flags | OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
            resolve,
        )
    }

    /// What is at a path; `None` if nothing is.
    pub(crate) fn existing(&self, path: &str) -> io::Result<Option<Place>> {
        match self.resolve(path, OFlags::empty()) {
            Ok(fd) => Ok(Some(Place::new(fd))),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(context(path)(errno)),
        }
    }

    /// A directory, which is made, with those above it, if it is not there.
    pub(crate) fn directory(&self, path: &str) -> io::Result<Place> {
        self.make_directory(path, None)
            .map(Place::new)
            .map_err(context(format_args!("mkdir {path}")))
    }

    /// As [`directory`](Self::directory); those that are made have these permission bits, whatever the umask.
    pub(crate) fn directory_with_mode(&self, path: &str, mode: u32) -> io::Result<Place> {
        self.make_directory(path, Some(Mode::from_raw_mode(mode & 0o7777)))
            .map(Place::new)
            .map_err(context(format_args!("mkdir {path}")))
    }

    fn make_directory(&self, path: &str, mode: Option<Mode>) -> rustix::io::Result<OwnedFd> {
        let mut prefix = String::from("/");
        let mut here = self.resolve("/", OFlags::DIRECTORY)?;
        for name in path.split('/').filter(|name| !matches!(*name, "" | ".")) {
            prefix.push_str(name);
            here = match self.resolve(&prefix, OFlags::DIRECTORY) {
                Err(Errno::NOENT) if name != ".." => {
                    mkdirat(&here, name, mode.unwrap_or(Mode::from_raw_mode(0o755)))?;
                    let made = self.resolve(&prefix, OFlags::DIRECTORY)?;
                    if let Some(mode) = mode {
                        // Not by its name, which may be a link by now.
                        rustix::fs::chmod(format!("/proc/self/fd/{}", made.as_raw_fd()), mode)?;
                    }
                    made
                }
                result => result?,
            };
            prefix.push('/');
        }
        Ok(here)
    }

    /// A file, which is made, empty, if nothing is there.
    pub(crate) fn file(&self, path: &str) -> io::Result<Place> {
        let make = || {
            match self.resolve(path, OFlags::empty()) {
                Err(Errno::NOENT) => {}
                result => return result,
            }
            let (above, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path));
            let above = self.make_directory(above, None)?;
            // In case that the name is a symbolic link to nowhere, that is not followed.
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            openat(&above, name, flags, Mode::from_raw_mode(0o644))?;
            self.resolve(path, OFlags::empty())
        };
        make().map(Place::new).map_err(context(path))
    }
}

impl Inside {
    /// The last bytes of a file, `limit` of them at most; `None` if there is none. No symbolic link is followed, not even in the root.
    pub(crate) fn read_end(&self, path: &str, limit: usize) -> io::Result<Option<Vec<u8>>> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat2(&self.root, path, flags, Mode::empty(), resolve) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(errno) => return Err(context(path)(errno)),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let mut content = Vec::new();
        let mut file = file.take(limit as u64);
        file.get_mut()
            .seek(SeekFrom::Start(metadata.len().saturating_sub(limit as u64)))?;
        file.read_to_end(&mut content)?;
        Ok(Some(content))
    }

    /// Writes a new file, with this mode whatever the umask.
    pub(crate) fn write(&self, path: &str, content: &[u8], mode: u32) -> io::Result<()> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let above = self.make_directory(above, None).map_err(context(path))?;
        let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode & 0o7777);
        let mut file = File::from(openat(&above, name, flags, mode).map_err(context(path))?);
        file.write_all(content)?;
        rustix::fs::fchmod(&file, mode)?;
        Ok(())
    }
}

/// Whether a path on the node is a directory.
pub(crate) fn is_directory(path: &Path) -> io::Result<bool> {
    let stat = rustix::fs::statat(CWD, path, rustix::fs::AtFlags::empty()).map_err(context(path.display()))?;
    Ok(rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_of_the_image_do_not_lead_out() {
        let outside = tempfile::tempdir().expect("a directory");
        let root = outside.path().join("root");
        fs::create_dir(&root).expect("made");
        symlink(outside.path(), root.join("etc")).expect("a link");
        symlink("/../../..", root.join("up")).expect("a link");
        symlink("nowhere", root.join("dangling")).expect("a link");
        let inside = Inside::new(&root).expect("a root");
        assert!(
            inside.file("/etc/hosts").is_err(),
            "the target of the link is not there in the root"
        );
        assert!(!outside.path().join("hosts").exists());
        inside.file("/up/hosts").expect("the root's own");
        assert!(root.join("hosts").exists());
        assert!(inside.file("/dangling").is_err());
        let made = inside.directory("/a/b/../c").expect("made");
        assert!(root.join("a/c").is_dir() && made.path().is_dir());
        assert!(inside.existing("/a/none").expect("looked").is_none());
    }
}
