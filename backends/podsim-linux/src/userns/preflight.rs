//! Whether this machine has what the backend needs: tried out in a child, so that nothing is changed.

use super::{Missing, Switches, rootless};
use crate::cgroup;
use nix::sched::CloneFlags;
use podsim_sys::Capability;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use std::io::{self, Read, Write};

/// What root needs of capabilities, to make Pods and to give their processes rights.
const NEEDED: [(Capability, &str); 8] = [
    (Capability::SYS_ADMIN, "SYS_ADMIN"),
    (Capability::NET_ADMIN, "NET_ADMIN"),
    (Capability::SETUID, "SETUID"),
    (Capability::SETGID, "SETGID"),
    (Capability::SETPCAP, "SETPCAP"),
    (Capability::CHOWN, "CHOWN"),
    (Capability::SYS_CHROOT, "SYS_CHROOT"),
    (Capability::KILL, "KILL"),
];

/// The namespaces of a Pod.
const NAMESPACES: [(CloneFlags, &str); 5] = [
    (CloneFlags::CLONE_NEWNS, "mount"),
    (CloneFlags::CLONE_NEWUTS, "UTS"),
    (CloneFlags::CLONE_NEWIPC, "IPC"),
    (CloneFlags::CLONE_NEWPID, "PID"),
    (CloneFlags::CLONE_NEWNET, "network"),
];

/// Checks what `--backend=linux` needs of the machine for a podsim that runs as user `uid`, and returns a sentence for each
/// thing that it can do without. Called at podsim's start, as long as there is one thread; the process itself is not changed.
///
/// # Errors
///
/// The first thing that it cannot do without, with what helps.
pub fn preflight(uid: u32) -> Result<Vec<String>, Missing> {
    let (mut answer, mut tell) = io::pipe().map_err(broken)?;
    #[expect(unsafe_code, reason = "fork has no safe wrapper")]
    // SAFETY: there is one thread, so that no lock is held in the child by a thread that it does not have.
    let fork = unsafe { nix::unistd::fork() }.map_err(|error| broken(error.into()))?;
    let child = match fork {
        nix::unistd::ForkResult::Child => {
            let said = serde_json::to_vec(&probe(uid)).unwrap_or_default();
            let _ = tell.write_all(&said);
            #[expect(unsafe_code, reason = "_exit has no safe wrapper in std")]
            // SAFETY: ends the process, without destructors or handlers of the parent's.
            unsafe {
                libc::_exit(0)
            }
        }
        nix::unistd::ForkResult::Parent { child } => child,
    };
    drop(tell);
    let mut said = Vec::new();
    let read = answer.read_to_end(&mut said);
    while nix::sys::wait::waitpid(child, None) == Err(nix::Error::EINTR) {}
    read.map_err(broken)?;
    let mut notes: Vec<String> =
        serde_json::from_slice::<Result<_, Missing>>(&said).map_err(|error| broken(error.into()))??;
    notes.extend(cgroup::Manager::detect().missing());
    notes.extend((uid != 0).then(|| rootless::missing_ids(uid)).flatten());
    Ok(notes)
}

fn broken(error: io::Error) -> Missing {
    Missing::new("a child process for trying it out", error.to_string())
}

/// What the child does.
fn probe(uid: u32) -> Result<Vec<String>, Missing> {
    kernel()?;
    if uid == 0 {
        let have = crate::credentials::available();
        if let Some((_, name)) = NEEDED.iter().find(|(capability, _)| !have.has(*capability)) {
            return Err(Missing::new(
                format!("the capability {name}"),
                "this root does not have it; run podsim's container with --privileged",
            ));
        }
    } else {
        let gid = rustix::process::getegid().as_raw();
        let made = nix::sched::unshare(CloneFlags::CLONE_NEWUSER).map_err(io::Error::from);
        made.and_then(|()| rootless::map_own(uid, gid))
            .map_err(|error| Switches::read().explain(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
    }
    for (flag, name) in NAMESPACES {
        nix::sched::unshare(flag).map_err(|error| {
            Missing::new(
                format!("{name} namespaces"),
                format!(
                    "{}; a kernel that has them, or a container that lets them be made",
                    error.desc()
                ),
            )
        })?;
    }
    bridge()?;
    let mut notes = Vec::new();
    if let Err(error) = overlay() {
        notes.push(format!(
            "root filesystems are copies of the image: overlay mounts do not work here ({error}); try `sudo modprobe overlay`"
        ));
    }
    Ok(notes)
}

/// System calls that came with Linux 5.12 or before; with nonsense for arguments they answer anything but ENOSYS.
fn kernel() -> Result<(), Missing> {
    let calls = [
        ("clone3", libc::SYS_clone3, "5.3"),
        ("pidfd_open", libc::SYS_pidfd_open, "5.3"),
        ("mount_setattr", libc::SYS_mount_setattr, "5.12"),
    ];
    for (name, number, since) in calls {
        #[expect(unsafe_code, reason = "only the number is of interest")]
        // SAFETY: with null pointers, sizes of 0 and the descriptor -1 each of them fails before it does anything.
        let result = unsafe { libc::syscall(number, -1_i64, 0, 0, 0, 0) };
        let missing = result == -1 && Errno::from_io_error(&io::Error::last_os_error()) == Some(Errno::NOSYS);
        if missing {
            return Err(Missing::new(
                format!("the system call {name}"),
                format!("Linux {since} or newer, and no seccomp filter that hides it"),
            ));
        }
    }
    Ok(())
}

/// Makes a bridge in the network namespace of the child.
fn bridge() -> Result<(), Missing> {
    let socket = || -> rustix::io::Result<OwnedFd> {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
        socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
    };
    // `SIOCBRADDBR` of linux/sockios.h: the old way, but one call.
    const SIOCBRADDBR: libc::Ioctl = 0x89a0;
    let name = *b"podsim0\0\0\0\0\0\0\0\0\0";
    let made = socket().and_then(|socket| {
        #[expect(unsafe_code, reason = "no wrapper for this request")]
        // SAFETY: the request reads IFNAMSIZ, which is 16, bytes.
        let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCBRADDBR, name.as_ptr()) };
        if result == 0 {
            return Ok(());
        }
        Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO))
    });
    made.map_err(|error| Missing::new("network bridges", format!("{error}; run `sudo modprobe bridge veth`")))
}

/// Makes an overlay in the mount namespace of the child.
fn overlay() -> nix::Result<()> {
    use nix::mount::{MsFlags, mount};
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(Some("tmpfs"), "/tmp", Some("tmpfs"), MsFlags::empty(), none)?;
    for dir in ["/tmp/lower", "/tmp/upper", "/tmp/work", "/tmp/all"] {
        nix::unistd::mkdir(dir, nix::sys::stat::Mode::S_IRWXU)?;
    }
    let options = "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work";
    mount(
        Some("overlay"),
        "/tmp/all",
        Some("overlay"),
        MsFlags::empty(),
        Some(options),
    )
}
