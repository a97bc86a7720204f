//! The root filesystem of a container: its image's layers under a private one, `/proc`, `/dev`, `/sys`, and what is shown
//! in it, where container runtimes mount them and with their flags (OCI runtime specification, "Default Filesystems").

use crate::child::orders::{Bind, RootOrders, RootSource};
use crate::inside::{Inside, Place, is_directory};
use crate::mount::{self, context};
use podsim_cri::{MountPropagation, SecurityContext};
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat, symlinkat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, unmount};
use rustix::process::{chdir, pivot_root};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What runtimes hide from containers that are not privileged.
const MASKED_PATHS: [&str; 10] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];

/// What is read-only in containers that are not privileged.
const READONLY_PATHS: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The devices of `/dev`: name, major and minor number.
const DEVICES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

const NOSUID_NOEXEC: MountFlags = MountFlags::NOSUID.union(MountFlags::NOEXEC);
const HARDENED: MountFlags = NOSUID_NOEXEC.union(MountFlags::NODEV);

/// Puts the root together and makes it this process's own. Works in a new mount namespace, after the other namespaces were
/// entered: `/proc` shows the pid namespace of its mounter, `/sys` the network namespace.
pub(super) fn enter(orders: &RootOrders, security: &SecurityContext) -> io::Result<()> {
    let mut sources = Vec::new();
    for bind in &orders.binds {
        sources.push(Source::find(bind)?);
    }
    // What happens here is nobody else's business.
    mount::propagation(
        Path::new("/"),
        MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC,
    )?;
    let target = &orders.target;
    match &orders.source {
        RootSource::Overlay {
            lower,
            upper,
            work,
            user_attributes,
        } => mount::overlay(target, lower, upper, work, *user_attributes)?,
        RootSource::Directory(directory) => mount::bind(directory, target)?,
    }
    let inside = Inside::new(target)?;
    system(&inside, orders, security)?;
    for (bind, source) in orders.binds.iter().zip(&sources) {
        show(&inside, bind, source, security)?;
    }
    restrict(&inside, security)?;
    let mut flags = no_devices(security);
    flags.set(MountFlags::RDONLY, security.readonly_rootfs);
    mount::add_flags(target, flags)?;
    chdir(target)?;
    // The old root ends up under the new one, at the same place, and is taken away (`pivot_root(2)`, "pivot_root(\".\", \".\")").
    pivot_root(".", ".").map_err(context("pivot_root"))?;
    unmount(".", UnmountFlags::DETACH).map_err(context("unmount the old root"))?;
    chdir("/")?;
    Ok(())
}

/// What is to be shown at a place.
pub(super) struct Source<'a> {
    whole: &'a Path,
    /// Held, because containers may change what is at its path meanwhile.
    part: Option<Place>,
    /// A peer of what is there: what is mounted in the container is seen there too.
    shared: Option<OwnedFd>,
}

impl<'a> Source<'a> {
    /// Finds it, while mounts of this mount namespace and the node's are still peers.
    pub(super) fn find(bind: &'a Bind) -> io::Result<Self> {
        let mut found = Self {
            whole: &bind.source,
            part: None,
            shared: None,
        };
        for path in &bind.within {
            found.part = Some(part_of(found.path(), path)?);
        }
        if bind.propagation == MountPropagation::Bidirectional {
            found.shared = Some(mount::tree(found.path())?);
        }
        Ok(found)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.part.as_ref().map_or(self.whole, Place::path)
    }
}

/// Shows a file or directory.
fn show(inside: &Inside, bind: &Bind, source: &Source<'_>, security: &SecurityContext) -> io::Result<()> {
    let target = if is_directory(source.path())? {
        inside.directory(&bind.target)?
    } else {
        inside.file(&bind.target)?
    };
    match &source.shared {
        Some(tree) => mount::attach(tree, target.path())?,
        None => mount::bind(source.path(), target.path())?,
    }
    let mut flags = no_devices(security);
    flags.set(MountFlags::RDONLY, bind.readonly);
    add_flags(inside, &bind.target, flags)?;
    let Some(mounted) = inside.existing(&bind.target)? else {
        return Ok(());
    };
    if bind.recursive_readonly {
        mount::readonly_recursively(mounted.path())?;
    }
    let propagation = match bind.propagation {
        MountPropagation::Private => MountPropagationFlags::PRIVATE,
        MountPropagation::HostToContainer => MountPropagationFlags::DOWNSTREAM,
        MountPropagation::Bidirectional => MountPropagationFlags::SHARED,
    };
    mount::propagation(mounted.path(), propagation | MountPropagationFlags::REC)
}

/// A container has CAP_MKNOD, and there may be no cgroup that keeps it from what it makes: so a device can be opened nowhere but in the files of
/// `/dev` that are shown from the node.
fn no_devices(security: &SecurityContext) -> MountFlags {
    if security.privileged {
        MountFlags::empty()
    } else {
        MountFlags::NODEV
    }
}

/// A part of a volume; made, with the volume's mode, if it is not there. Containers write to volumes: their links must not lead out (the way
/// of CVE-2017-1002101).
fn part_of(volume: &Path, path: &str) -> io::Result<Place> {
    let mode = fs::metadata(volume).map_err(context(volume.display()))?.permissions();
    let volume = Inside::new(volume)?;
    match volume.existing(path)? {
        Some(place) => Ok(place),
        None => volume.directory_with_mode(path, mode.mode()),
    }
}

/// `/proc`, `/dev` and `/sys`.
fn system(inside: &Inside, orders: &RootOrders, security: &SecurityContext) -> io::Result<()> {
    let proc = inside.directory("/proc")?;
    mount::filesystem("proc", proc.path(), "proc", HARDENED, "").or_else(|error| match error.kind() {
        // Only the owner of a pid namespace may mount its `/proc`.
        io::ErrorKind::PermissionDenied if orders.node_pids => mount::bind(Path::new("/proc"), proc.path()),
        _ => Err(error),
    })?;
    mount::filesystem(
        "tmpfs",
        inside.directory("/dev")?.path(),
        "tmpfs",
        MountFlags::NOSUID | no_devices(security),
        "mode=755,size=65536k",
    )?;
    devices(inside, security)?;
    let pts = inside.directory("/dev/pts")?;
    let options = "newinstance,ptmxmode=0666,mode=0620";
    mount::filesystem(
        "devpts",
        pts.path(),
        "devpts",
        NOSUID_NOEXEC,
        &format!("{options},gid=5"),
    )
    // In a user namespace without a group 5.
    .or_else(|_| mount::filesystem("devpts", pts.path(), "devpts", NOSUID_NOEXEC, options))?;
    let mqueue = inside.directory("/dev/mqueue")?;
    mount::filesystem("mqueue", mqueue.path(), "mqueue", HARDENED, "").or_else(|error| match error.kind() {
        // Only the owner of an ipc namespace may mount its queues: without root, the node's are shown, if the host shows them.
        io::ErrorKind::PermissionDenied => match mount::bind(Path::new("/dev/mqueue"), mqueue.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
        _ => Err(error),
    })?;
    mount::bind(&orders.shm, inside.directory("/dev/shm")?.path())?;
    let sys_flags = if security.privileged {
        HARDENED
    } else {
        HARDENED | MountFlags::RDONLY
    };
    let sys = inside.directory("/sys")?;
    mount::filesystem("sysfs", sys.path(), "sysfs", sys_flags, "").or_else(|error| {
        // Only the owner of a network namespace may mount its sysfs (`mount_too_revealing`, `sysfs_init_fs_context` in the kernel): a
        // container without root on the node's network shows the node's.
        match error.kind() {
            io::ErrorKind::PermissionDenied => mount::bind(Path::new("/sys"), sys.path()),
            _ => Err(error),
        }
    })?;
    cgroups(inside, &orders.cgroups, security)
}

fn devices(inside: &Inside, security: &SecurityContext) -> io::Result<()> {
    let dev = inside.directory("/dev")?;
    for (name, major, minor) in DEVICES {
        let path = dev.path().join(name);
        let mode = Mode::from_raw_mode(0o666);
        let made = if security.privileged {
            mknodat(CWD, &path, FileType::CharacterDevice, mode, makedev(major, minor))
        } else {
            Err(Errno::PERM)
        };
        match made {
            Ok(()) => {}
            // Also in a user namespace, where no device can be made: the node's own is shown.
            Err(Errno::PERM) => {
                let target = inside.file(&format!("/dev/{name}"))?;
                mount::bind(&Path::new("/dev").join(name), target.path())?;
            }
            Err(errno) => return Err(context(format_args!("mknod /dev/{name}"))(errno)),
        }
    }
    for (target, name) in [
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
        ("/proc/kcore", "core"),
        ("pts/ptmx", "ptmx"),
    ] {
        symlinkat(target, CWD, dev.path().join(name)).map_err(context(format_args!("symlink /dev/{name}")))?;
    }
    Ok(())
}

/// `/sys/fs/cgroup`: the container's own cgroups, and nothing of those around it.
fn cgroups(inside: &Inside, shown: &[(String, std::path::PathBuf)], security: &SecurityContext) -> io::Result<()> {
    let Some(top) = inside.existing("/sys/fs/cgroup")? else {
        return Ok(());
    };
    if shown.is_empty() {
        return Ok(());
    }
    let several = shown.iter().any(|(target, _)| target != "/sys/fs/cgroup");
    if several {
        mount::filesystem("tmpfs", top.path(), "tmpfs", HARDENED, "mode=755")?;
    }
    for (target, source) in shown {
        mount::bind(source, inside.directory(target)?.path())?;
        if !security.privileged {
            add_flags(inside, target, MountFlags::RDONLY)?;
        }
    }
    if several && !security.privileged {
        add_flags(inside, "/sys/fs/cgroup", MountFlags::RDONLY)?;
    }
    Ok(())
}

fn add_flags(inside: &Inside, path: &str, flags: MountFlags) -> io::Result<()> {
    match inside.existing(path)? {
        Some(place) => mount::add_flags(place.path(), flags).map_err(context(path)),
        None => Ok(()),
    }
}

fn restrict(inside: &Inside, security: &SecurityContext) -> io::Result<()> {
    if security.privileged {
        return Ok(());
    }
    let list = |own: &Option<Vec<String>>, defaults: &[&str]| match own {
        Some(own) => own.clone(),
        None => defaults.iter().map(|&path| path.to_owned()).collect(),
    };
    for path in list(&security.masked_paths, &MASKED_PATHS) {
        let Some(place) = inside.existing(&path)? else { continue };
        if is_directory(place.path())? {
            mount::filesystem("tmpfs", place.path(), "tmpfs", MountFlags::RDONLY, "")?;
        } else {
            mount::bind(Path::new("/dev/null"), place.path())?;
        }
    }
    for path in list(&security.readonly_paths, &READONLY_PATHS) {
        let Some(place) = inside.existing(&path)? else { continue };
        mount::bind(place.path(), place.path())?;
        add_flags(inside, &path, MountFlags::RDONLY)?;
    }
    Ok(())
}
