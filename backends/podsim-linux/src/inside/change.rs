//! What the kubelet changes in a volume. Containers may write there at the same time: no symbolic link of theirs is followed, neither on the
//! way nor at the end.

use super::{Inside, Place};
use crate::mount::context;
use podsim_cri::{GroupAccess, VolumeChange};
use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Uid, chmod, chownat, fchmod, fchown, fstat, mkdirat, openat,
    openat2, renameat, symlinkat,
};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

impl Inside {
    /// Makes one change.
    pub(crate) fn change(&self, change: &VolumeChange) -> io::Result<()> {
        match change {
            VolumeChange::Directory { path, mode } => {
                let make = || {
                    let (above, name) = self.parent(path)?;
                    mkdirat(&above, name, bits(*mode))?;
                    let made = self.object(path)?;
                    chmod(Place::new(made).path(), bits(*mode))
                };
                make().map_err(context(format_args!("mkdir {path}")))
            }
            VolumeChange::File {
                path,
                content,
                mode,
                uid,
            } => self
                .new_file(path, content, *mode, *uid)
                .map_err(context(format_args!("open {path}"))),
            VolumeChange::Symlink { path, target } => {
                let make = || {
                    let (above, name) = self.parent(path)?;
                    symlinkat(target, &above, name)
                };
                make().map_err(context(format_args!("symlink {path}")))
            }
            VolumeChange::Rename { from, to } => {
                let rename = || {
                    let ((old_above, old), (new_above, new)) = (self.parent(from)?, self.parent(to)?);
                    renameat(&old_above, old, &new_above, new)
                };
                rename().map_err(context(format_args!("rename {from}")))
            }
            VolumeChange::Remove { path } => self.remove(path).map_err(context(format_args!("unlinkat {path}"))),
            VolumeChange::Group {
                path,
                gid,
                access,
                only_on_mismatch,
            } => self
                .give(path, *gid, *access, *only_on_mismatch)
                .map_err(context(format_args!("chown {path}"))),
        }
    }

    /// The directory that a path's last name is in, and the name.
    fn parent<'a>(&self, path: &'a str) -> rustix::io::Result<(OwnedFd, &'a str)> {
        let path = path.trim_end_matches('/');
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        if matches!(name, "" | "." | "..") {
            return Err(Errno::INVAL);
        }
        let above = if above.is_empty() { "." } else { above };
        Ok((self.exactly(Path::new(above), OFlags::DIRECTORY)?, name))
    }

    /// What is at a path, be it a link.
    fn object(&self, path: &str) -> rustix::io::Result<OwnedFd> {
        let (above, name) = self.parent(path)?;
        openat(
            &above,
            name,
            OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        )
    }

    /// Opens a path that has no symbolic link in it.
    fn exactly(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let flags = flags | OFlags::PATH | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
        openat2(&self.root, path, flags, Mode::empty(), resolve)
    }

    fn new_file(&self, path: &str, content: &[u8], mode: u32, uid: Option<u32>) -> io::Result<()> {
        let (above, name) = self.parent(path)?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&above, name, flags, bits(mode))?);
        file.write_all(content)?;
        if let Some(uid) = uid {
            fchown(&file, Some(owner(uid)?), None)?;
        }
        fchmod(&file, bits(mode))?;
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let (above, name) = match self.parent(path) {
            Err(Errno::NOENT) => return Ok(()),
            found => found?,
        };
        let above = Place::new(above);
        let at = above.path().join(name);
        let removed = match fs::symlink_metadata(&at) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&at),
            Ok(_) => fs::remove_file(&at),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn give(&self, path: &str, gid: u32, access: GroupAccess, only_on_mismatch: bool) -> io::Result<()> {
        // A list instead of recursion, of paths instead of descriptors: a deep or broad tree takes neither stack nor descriptors.
        let top = if path.is_empty() { "." } else { path };
        let mut left = vec![PathBuf::from(top)];
        while let Some(path) = left.pop() {
            let above = path.parent().filter(|above| *above != Path::new(""));
            let above = self.exactly(above.unwrap_or(Path::new(".")), OFlags::DIRECTORY)?;
            let name = path.file_name().unwrap_or(OsStr::new("."));
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let object = match openat(&above, name, flags, Mode::empty()) {
                // A container has removed it meanwhile.
                Err(Errno::NOENT) if path != Path::new(top) => continue,
                opened => opened?,
            };
            let stat = fstat(&object)?;
            if only_on_mismatch && path == Path::new(top) && access.matches(gid, stat.st_gid, stat.st_mode) {
                return Ok(());
            }
            let file_type = FileType::from_raw_mode(stat.st_mode);
            let group = Gid::from_raw(check_id(gid)?);
            chownat(&object, "", None, Some(group), AtFlags::EMPTY_PATH)?;
            if file_type.is_symlink() {
                continue;
            }
            let place = Place::new(object);
            chmod(
                place.path(),
                bits(access.mode(stat.st_mode & 0o7777, file_type.is_dir())),
            )?;
            if file_type.is_dir() {
                for entry in fs::read_dir(place.path())? {
                    left.push(path.join(entry?.file_name()));
                }
            }
        }
        Ok(())
    }
}

fn bits(mode: u32) -> Mode {
    Mode::from_raw_mode(mode & 0o7777)
}

/// The largest number means "leave it" to chown(2).
fn check_id(id: u32) -> rustix::io::Result<u32> {
    if id == u32::MAX { Err(Errno::INVAL) } else { Ok(id) }
}

fn owner(uid: u32) -> rustix::io::Result<Uid> {
    Ok(Uid::from_raw(check_id(uid)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn file(path: &str) -> VolumeChange {
        VolumeChange::File {
            path: path.to_owned(),
            content: "text".into(),
            mode: 0o640,
            uid: None,
        }
    }

    #[test]
    fn links_of_containers_are_not_followed() {
        let outside = tempfile::tempdir().expect("a directory");
        let root = outside.path().join("volume");
        fs::create_dir(&root).expect("made");
        fs::write(outside.path().join("precious"), "data").expect("written");
        symlink("..", root.join("up")).expect("a link");
        symlink("../precious", root.join("file")).expect("a link");
        let inside = Inside::new(&root).expect("a root");
        let change = |change: VolumeChange| inside.change(&change).map_err(|error| error.to_string());

        assert_eq!(
            change(file("up/new")),
            Err("open up/new: too many levels of symbolic links".to_owned())
        );
        assert_eq!(change(file("file")), Err("open file: file exists".to_owned()));
        // IN_ROOT: above the root there is only the root.
        assert_eq!(change(file("../new")), Ok(()));
        assert_eq!(change(VolumeChange::Remove { path: "new".to_owned() }), Ok(()));
        assert!(!outside.path().join("new").exists());
        let remove = |path: &str| change(VolumeChange::Remove { path: path.to_owned() });
        assert!(remove("up/precious").is_err());
        for path in ["up", "file", "nothing", "nothing/below"] {
            assert_eq!(remove(path), Ok(()), "{path}");
        }
        assert_eq!(
            fs::read_to_string(outside.path().join("precious")).expect("still there"),
            "data"
        );
        assert_eq!(fs::read_dir(&root).expect("read").count(), 0);
    }

    #[test]
    fn a_group_gets_the_tree_but_not_what_links_lead_to() {
        let outside = tempfile::tempdir().expect("a directory");
        let root = outside.path().join("volume");
        fs::create_dir_all(root.join("a/b")).expect("made");
        fs::write(outside.path().join("precious"), "data").expect("written");
        fs::set_permissions(outside.path().join("precious"), fs::Permissions::from_mode(0o600)).expect("set");
        symlink("../../precious", root.join("a/link")).expect("a link");
        let inside = Inside::new(&root).expect("a root");
        inside.change(&file("a/b/c")).expect("written");
        let own = rustix::process::getegid().as_raw();
        let give = |access, only_on_mismatch| VolumeChange::Group {
            path: String::new(),
            gid: own,
            access,
            only_on_mismatch,
        };
        inside
            .change(&give(GroupAccess::ReadWrite, false))
            .expect("given to the own group");
        let mode = |path: &str| fs::metadata(root.join(path)).expect("there").permissions().mode() & 0o7777;
        assert_eq!((mode("") & 0o2770, mode("a/b") & 0o2770), (0o2770, 0o2770));
        assert_eq!(mode("a/b/c"), 0o660);
        let precious = fs::metadata(outside.path().join("precious")).expect("there");
        assert_eq!(precious.permissions().mode() & 0o777, 0o600);
        // The top is right: what is below is not looked at.
        fs::set_permissions(root.join("a/b/c"), fs::Permissions::from_mode(0o600)).expect("set");
        inside.change(&give(GroupAccess::ReadWrite, true)).expect("looked");
        assert_eq!(mode("a/b/c"), 0o600);
    }
}
