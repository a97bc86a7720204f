//! Mounts: thin functions over `mount(2)` and the newer calls (`open_tree(2)`, `mount_setattr(2)`), with the errors that name the place.

use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, StatVfsMountFlags, open};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_bind_recursive,
    mount_change, mount_remount, move_mount, open_tree, unmount,
};
use std::ffi::{CString, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// A failure, with what was being done.
pub(crate) fn context<E: Into<io::Error>>(what: impl std::fmt::Display) -> impl FnOnce(E) -> io::Error {
    move |error| {
        let error: io::Error = error.into();
        io::Error::new(error.kind(), format!("{what}: {}", plain(&error)))
    }
}

/// An error without Rust's `(os error 2)`, in the words of the C library but in lower case, as Go programs print them.
pub(crate) fn plain(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => {
            u16::try_from(number).map_or_else(|_| error.to_string(), |n| podsim_sys::Errno(n).message().to_lowercase())
        }
        None => error.to_string(),
    }
}

/// podsim's own program, to be executed through this descriptor: on a mount of its own that is read-only, so that nobody in a container
/// can write to the program through `/proc/PID/exe` (the way of CVE-2019-5736). On kernels without `open_tree(2)`, before 5.2, and where
/// mounting is not allowed, the program as it is.
pub(crate) fn own_program() -> io::Result<OwnedFd> {
    let detached = open_tree(
        CWD,
        "/proc/self/exe",
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC,
    );
    match detached.map_err(io::Error::from).and_then(|fd| {
        let readonly = Attributes {
            set: libc::MOUNT_ATTR_RDONLY,
            ..Attributes::default()
        };
        set_attributes(fd.as_fd(), false, &readonly)?;
        Ok(fd)
    }) {
        Ok(fd) => Ok(fd),
        Err(_) => Ok(open("/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?),
    }
}

/// What `mount_setattr(2)` changes: its `struct mount_attr`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Attributes {
    /// `MOUNT_ATTR_*` to set.
    pub(crate) set: u64,
    /// `MOUNT_ATTR_*` to take away.
    pub(crate) clear: u64,
    /// `MS_SHARED` and the like.
    pub(crate) propagation: u64,
    /// The user namespace of `MOUNT_ATTR_IDMAP`.
    pub(crate) userns: u64,
}

/// `mount_setattr(2)` on the mount that a descriptor is of; with `recursive` on those below it too.
#[expect(unsafe_code, reason = "mount_setattr has no safe wrapper")]
pub(crate) fn set_attributes(
    mount: BorrowedFd<'_>,
    recursive: bool,
    attributes: &Attributes,
) -> rustix::io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a string with its NUL, the structure is the kernel's `struct mount_attr` and its size is given; both outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_ref(attributes),
            size_of::<Attributes>(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO))
    }
}

/// What is mounted at a path, with all below it, as a mount that is nowhere yet (`open_tree(2)`): a peer of the mounts that it is a copy of.
pub(crate) fn tree(path: &Path) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    open_tree(CWD, path, flags).map_err(context(format_args!("open_tree {}", path.display())))
}

/// Mounts such a tree. A link at the end of the path is followed: what names an open descriptor is one.
pub(crate) fn attach(tree: &OwnedFd, target: &Path) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_SYMLINKS;
    move_mount(tree, "", CWD, target, flags).map_err(context(format_args!("mount on {}", target.display())))
}

/// Makes a mount, and all below it, read-only.
pub(crate) fn readonly_recursively(target: &Path) -> io::Result<()> {
    let readonly = Attributes {
        set: libc::MOUNT_ATTR_RDONLY,
        ..Attributes::default()
    };
    open(target, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .and_then(|mount| set_attributes(mount.as_fd(), true, &readonly))
        .map_err(context(format_args!("make {} read-only", target.display())))
}

/// Mounts a new filesystem.
pub(crate) fn filesystem(source: &str, target: &Path, kind: &str, flags: MountFlags, data: &str) -> io::Result<()> {
    let data = CString::new(data)?;
    mount(source, target, kind, flags, Some(data.as_c_str()))
        .map_err(context(format_args!("mount {kind} on {}", target.display())))
}

/// Mounts layers, the uppermost first, under one that is written to. In a user namespace overlayfs' marks are `user.` attributes.
pub(crate) fn overlay(
    target: &Path,
    lower: &[PathBuf],
    upper: &Path,
    work: &Path,
    user_attributes: bool,
) -> io::Result<()> {
    let lower: Vec<_> = lower.iter().map(|path| path.to_string_lossy()).collect();
    let mut data = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.join(":"),
        upper.display(),
        work.display()
    );
    if user_attributes {
        data.push_str(",userxattr");
    }
    filesystem("overlay", target, "overlay", MountFlags::RELATIME, &data)
}

/// Shows a file or directory, with what is mounted below it, at another place.
pub(crate) fn bind(source: &Path, target: &Path) -> io::Result<()> {
    mount_bind_recursive(source, target).map_err(context(format_args!(
        "mount {} on {}",
        source.display(),
        target.display()
    )))
}

/// Adds flags to a mount, RDONLY for example. Those that it has are kept: a user namespace may not take them away
/// (`mount_namespaces(7)`, locked flags).
pub(crate) fn add_flags(target: &Path, flags: MountFlags) -> io::Result<()> {
    let statvfs = rustix::fs::statvfs(target).map_err(context(target.display()))?;
    let kept = [
        (StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
    ];
    let kept = kept.into_iter().filter(|(flag, _)| statvfs.f_flag.contains(*flag));
    let all = kept.fold(MountFlags::BIND | flags, |all, (_, flag)| all | flag);
    mount_remount(target, all, "").map_err(context(format_args!("remount {}", target.display())))
}

/// Changes how mounts below a directory propagate.
pub(crate) fn propagation(target: &Path, flags: MountPropagationFlags) -> io::Result<()> {
    mount_change(target, flags).map_err(context(format_args!("change the propagation of {}", target.display())))
}

/// Takes a mount away, also one that is in use.
pub(crate) fn detach(target: &Path) -> io::Result<()> {
    unmount(target, UnmountFlags::DETACH).map_err(context(format_args!("unmount {}", target.display())))
}

/// Makes a directory and those above it.
pub(crate) fn directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path).map_err(context(format_args!("mkdir {}", path.display())))
}

/// Removes a directory with all that is in it, but nothing that is only shown there: the node's `/dev/shm` is mounted in the directory of a Pod with
/// `hostIPC`, and its files are the user's. So whatever is mounted below is unmounted first; if something stays, nothing is removed.
///
/// # Errors
///
/// What stays mounted, or cannot be removed. A directory that is not there is no error.
pub(crate) fn remove_tree(directory: &Path) -> io::Result<()> {
    let directory = match directory.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        canonical => canonical.map_err(context(directory.display()))?,
    };
    // The innermost first.
    for mounted in below(&directory)?.iter().rev() {
        detach(mounted)?;
    }
    if let Some(left) = below(&directory)?.first() {
        return Err(io::Error::other(format!("{} is still mounted", left.display())));
    }
    std::fs::remove_dir_all(&directory).map_err(context(directory.display()))
}

/// The mount points in a directory, in the order in which they were mounted.
fn below(directory: &Path) -> io::Result<Vec<PathBuf>> {
    // This thread's: all threads of podsim have one mount namespace.
    let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo")?;
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    Ok(points.filter(|point| point.starts_with(directory)).collect())
}

/// A path as `mountinfo` has it: blanks and the like as three octal digits (`proc_pid_mountinfo(5)`).
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let byte = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[3..] } else { after };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::thread::{UnshareFlags, unshare_unsafe};
    use std::fs;

    #[test]
    fn blanks_in_mount_points_are_read() {
        assert_eq!(unescape(r"/a\040b\134c"), Path::new(r"/a b\c"));
        assert_eq!(unescape(r"/a\0"), Path::new(r"/a\0"));
    }

    #[test]
    fn what_is_only_shown_in_a_directory_survives_its_removal() {
        if !crate::testing::is_root() {
            return;
        }
        // A thread can have a mount namespace of its own, which ends with it.
        let thread = std::thread::spawn(|| {
            #[expect(unsafe_code, reason = "rustix's unshare is unsafe because of one of its flags")]
            // SAFETY: descriptors are not unshared.
            unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.expect("a mount namespace");
            propagation(
                Path::new("/"),
                MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
            )
            .expect("private");
            let top = tempfile::tempdir().expect("a directory");
            let (users, node) = (top.path().join("users"), top.path().join("a node"));
            let shown = node.join("sandboxes/1/shm");
            fs::create_dir_all(&users).expect("made");
            fs::create_dir_all(&shown).expect("made");
            fs::write(users.join("precious"), "data").expect("written");
            // Twice, one over the other.
            bind(&users, &shown).expect("bound");
            bind(&users, &shown).expect("bound");
            assert!(shown.join("precious").exists());
            remove_tree(&node).expect("removed");
            assert!(!node.exists());
            assert_eq!(fs::read_to_string(users.join("precious")).expect("still there"), "data");
            remove_tree(&node).expect("it is gone already");
        });
        thread.join().expect("no panic");
    }
}
