//! Starts a guest's program over `HostTask` as the Linux backend does: in namespaces of its own, below an image's files. Only what is
//! needed for that; a Pod's sandbox is more.
#![expect(
    unsafe_code,
    reason = "what is done between fork and exec, and lo is brought up by ioctl"
)]

use podsim_image::ImageStore;
use podsim_image::layer_store::{LayerStore, OverlayXattrs};
use rustix::fs::{CWD, FileType, Mode, OFlags, makedev};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change};
use rustix::process::Signal;
use rustix::thread::UnshareFlags;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// The descriptors of the guest's program and of podsim, by numbers that the variable and the path can name before they are open.
const PROGRAM: i32 = 100;
const PODSIM: i32 = 101;
/// How long a guest may take, in seconds.
const LIMIT: u32 = 60;

/// Runs a shell's command line in a container of the image, with `programs` at `/conformance`. It is process 1 of its pid namespace.
pub(super) fn run(image: &str, script: &str, programs: &Path) -> Output {
    let container = Container {
        lower: files_of(image),
        work: tempfile::tempdir().expect("a directory"),
        programs: programs.to_owned(),
    };
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let podsim = rustix::fs::open(env!("CARGO_BIN_EXE_podsim-under-test"), flags, Mode::empty()).expect("podsim");
    let mut command = Command::new(format!("/proc/self/fd/{PODSIM}"));
    command
        .arg0("sh")
        .args(["-c", script])
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        .env("_PODSIM_GUEST", format!("{PROGRAM},0,-1,sh/bin/sh"))
        .stdin(Stdio::null());
    // SAFETY: the closure makes system calls; what it allocates for paths cannot meet a lock that was held at the fork, as glibc's fork
    // leaves its allocator usable.
    unsafe { command.pre_exec(move || container.enter(&podsim)) };
    command.output().expect("a container")
}

/// The files of a built-in image, unpacked once.
fn files_of(image: &str) -> PathBuf {
    static DIRECTORY: OnceLock<TempDir> = OnceLock::new();
    static UNPACKED: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    let directory = DIRECTORY.get_or_init(|| tempfile::tempdir().expect("a directory"));
    let files = directory.path().join(image);
    let mut unpacked = UNPACKED.lock().expect("no test panics in here");
    if !unpacked.iter().any(|done| done == image) {
        std::fs::create_dir(&files).expect("a directory");
        let image_of_store = ImageStore::with_builtin_images().find(image).expect("a built-in image");
        let store = LayerStore::open(directory.path(), OverlayXattrs::Trusted).expect("a store");
        store.copy_into(&image_of_store, &files).expect("unpacking");
        for name in ["proc", "dev", "sys", "conformance"] {
            std::fs::create_dir(files.join(name)).expect("a directory");
        }
        std::fs::write(files.join("etc/hosts"), "127.0.0.1 localhost\n").expect("a file");
        unpacked.push(image.to_owned());
    }
    files
}

/// What a container is made from.
struct Container {
    lower: PathBuf,
    work: TempDir,
    programs: PathBuf,
}

impl Container {
    /// In the process that is going to be the guest's: makes everything, and leaves only process 1 of the new pid namespace to return.
    fn enter(&self, podsim: &OwnedFd) -> io::Result<()> {
        let kinds = UnshareFlags::NEWNS
            | UnshareFlags::NEWPID
            | UnshareFlags::NEWNET
            | UnshareFlags::NEWIPC
            | UnshareFlags::NEWUTS;
        // SAFETY: this process has one thread and shares no file descriptors.
        unsafe { rustix::thread::unshare_unsafe(kinds) }?;
        become_process_one()?;
        rustix::process::setsid()?;
        rustix::process::umask(Mode::from_raw_mode(0o022));
        self.mount_all()?;
        rustix::system::sethostname(b"conformance")?;
        bring_lo_up()?;
        let program = rustix::fs::open("/bin/sh", OFlags::RDONLY, Mode::empty())?;
        // SAFETY: the test's own descriptors are not for the guest; these numbers are nobody's.
        unsafe {
            libc::close_range(3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC.cast_signed());
            libc::dup2(program.as_raw_fd(), PROGRAM);
            libc::dup3(podsim.as_raw_fd(), PODSIM, libc::O_CLOEXEC);
        }
        Ok(())
    }

    fn mount_all(&self) -> io::Result<()> {
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        let none = MountFlags::empty();
        let work = self.work.path();
        mount("tmpfs", work, "tmpfs", none, None)?;
        for name in ["upper", "work", "root"] {
            std::fs::create_dir(work.join(name))?;
        }
        let root = work.join("root");
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            self.lower.display(),
            work.join("upper").display(),
            work.join("work").display()
        );
        let options = std::ffi::CString::new(options)?;
        mount("overlay", &root, "overlay", none, options.as_c_str())?;
        rustix::process::chdir(&root)?;
        let hardened = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("proc", "proc", "proc", hardened, None)?;
        mount("tmpfs", "tmp", "tmpfs", none, Some(c"mode=1777"))?;
        mount("tmpfs", "dev", "tmpfs", none, Some(c"mode=755"))?;
        for (name, major, minor) in [
            ("null", 1, 3),
            ("zero", 1, 5),
            ("full", 1, 7),
            ("urandom", 1, 9),
            ("tty", 5, 0),
        ] {
            let path = format!("dev/{name}");
            let mode = Mode::from_raw_mode(0o666);
            rustix::fs::mknodat(CWD, &path, FileType::CharacterDevice, mode, makedev(major, minor))?;
            rustix::fs::chmod(&path, mode)?;
        }
        for (name, kind, options) in [
            ("pts", "devpts", Some(c"newinstance,ptmxmode=0666,mode=620,gid=5")),
            ("shm", "tmpfs", Some(c"mode=1777")),
            ("mqueue", "mqueue", None),
        ] {
            let path = format!("dev/{name}");
            std::fs::create_dir(&path)?;
            mount(kind, &path, kind, none, options)?;
        }
        std::os::unix::fs::symlink("pts/ptmx", "dev/ptmx")?;
        std::os::unix::fs::symlink("/proc/self/fd", "dev/fd")?;
        rustix::mount::mount_bind(&self.programs, "conformance")?;
        // The old root lies on the new one then, and goes.
        rustix::process::pivot_root(".", ".")?;
        rustix::mount::unmount(".", UnmountFlags::DETACH)?;
        rustix::process::chdir("/")?;
        Ok(())
    }
}

/// Forks; the parent waits, and ends as the child does. It takes the child with it when the time is up or the test is killed.
fn become_process_one() -> io::Result<()> {
    // SAFETY: this process has one thread.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            Ok(())
        }
        child => {
            let mut status = 0;
            // SAFETY: waits for the child, and ends.
            unsafe {
                libc::alarm(LIMIT);
                // Held open, the test would never see the end of them.
                libc::close_range(0, u32::MAX, 0);
                while libc::waitpid(child, &raw mut status, 0) == -1 {}
                libc::_exit(if libc::WIFEXITED(status) {
                    libc::WEXITSTATUS(status)
                } else {
                    128 + libc::WTERMSIG(status)
                })
            }
        }
    }
}

fn bring_lo_up() -> io::Result<()> {
    use rustix::net::{AddressFamily, SocketType, socket};
    let any = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    // SAFETY: an interface request is all zeros but for the name and the flags.
    let answer = unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l'.cast_signed() as libc::c_char;
        request.ifr_name[1] = b'o'.cast_signed() as libc::c_char;
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
        libc::ioctl(any.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request)
    };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
