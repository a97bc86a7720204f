//! This machine: what the node process does to itself at its start, and where it keeps things.

use crate::mount;
use crate::userns::{self, Missing};
use podsim_cri::{Error, Result};
use rustix::mount::MountPropagationFlags;
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::path::{Path, PathBuf};

/// Where a node keeps things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Images and layers, kept from run to run.
    pub data: PathBuf,
    /// What lives as long as its node: a directory for each.
    pub run: PathBuf,
    /// Whether this process is root in a user namespace of its own.
    pub rootless: bool,
}

impl Places {
    /// `/var/lib/podsim` and `/run/podsim` for root; below the user's own directories otherwise (`basedir-spec` of freedesktop.org).
    ///
    /// # Errors
    ///
    /// If the user has no home directory.
    pub fn find() -> Result<Self> {
        let variable = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let rootless = is_rootless();
        let data = variable("PODSIM_DATA");
        if !rootless {
            return Ok(Self {
                data: data.unwrap_or_else(|| PathBuf::from("/var/lib/podsim")),
                run: variable("PODSIM_RUN").unwrap_or_else(|| PathBuf::from("/run/podsim")),
                rootless,
            });
        }
        let homeless =
            || Error::Internal("neither XDG_DATA_HOME nor HOME is set: where is podsim to keep its images?".to_owned());
        let below_home = || variable("HOME").map(|home| home.join(".local/share"));
        let data = match data.or_else(|| {
            variable("XDG_DATA_HOME")
                .or_else(below_home)
                .map(|dir| dir.join("podsim"))
        }) {
            Some(data) => data,
            None => return Err(homeless()),
        };
        let run = variable("PODSIM_RUN")
            .or_else(|| variable("XDG_RUNTIME_DIR").map(|dir| dir.join("podsim-linux")))
            .unwrap_or_else(|| data.join("run"));
        Ok(Self { data, run, rootless })
    }
}

/// What a node on this machine would have to do without, as sentences; changes nothing. To be called while there is one thread.
///
/// # Errors
///
/// What it cannot do without, and what would help.
pub fn preflight() -> std::result::Result<Vec<String>, Missing> {
    if !is_static() {
        return Err(Missing {
            what: "a podsim that is linked statically".to_owned(),
            remedy: "install the static C library (package libc6-dev or glibc-static) and build podsim again"
                .to_owned(),
        });
    }
    userns::preflight(rustix::process::geteuid().as_raw())
}

/// Whether this program needs no dynamic linker: in a container there is none, or another one.
#[expect(unsafe_code, reason = "getauxval is foreign")]
fn is_static() -> bool {
    // SAFETY: takes and gives numbers only. The base address of the program's interpreter is 0 if it has none (getauxval(3)).
    unsafe { libc::getauxval(libc::AT_BASE) == 0 }
}

/// Prepares this process, which is going to be a node: a mount namespace and a UTS namespace of its own, so that nothing that it mounts or
/// names is seen outside; without root, a user namespace as well. To be called while there is one thread. Tells what the node will have to do
/// without, as sentences.
///
/// # Errors
///
/// What it cannot do without, and what would help.
pub fn prepare() -> std::result::Result<Vec<String>, Missing> {
    let mut notes = preflight()?;
    keep_descriptors_here();
    if !rustix::process::geteuid().is_root() {
        notes.extend(userns::enter_rootless()?.missing);
    }
    let flags = UnshareFlags::NEWNS | UnshareFlags::NEWUTS;
    #[expect(unsafe_code, reason = "rustix's unshare is unsafe because of one of its flags")]
    // SAFETY: descriptors are not unshared.
    let unshared = unsafe { unshare_unsafe(flags) };
    let isolate = || {
        unshared?;
        // What is mounted on the host later is seen here, nothing that is mounted here is seen there. What is mounted here is seen in
        // containers that ask for it.
        let (root, all) = (Path::new("/"), MountPropagationFlags::REC);
        mount::propagation(root, MountPropagationFlags::DOWNSTREAM | all)?;
        mount::propagation(root, MountPropagationFlags::SHARED | all)
    };
    isolate().map_err(|error: std::io::Error| Missing {
        what: format!("mount and UTS namespaces ({})", mount::plain(&error)),
        remedy: "run podsim as root, or outside of a container that forbids it".to_owned(),
    })?;
    notes.sort();
    notes.dedup();
    Ok(notes)
}

/// What the user's shell has left open in this process is closed in all that it executes: a container must not get hold of it (the way of
/// CVE-2024-21626). podsim's own descriptors are made so from the start.
#[expect(unsafe_code, reason = "close_range has no safe wrapper")]
fn keep_descriptors_here() {
    // SAFETY: takes numbers only, and closes nothing in this process.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result != 0 {
        // Before Linux 5.11; `preflight` asks for 5.12.
        tracing::warn!("close_range: {}", std::io::Error::last_os_error());
    }
}

/// Whether this process is root of a user namespace of podsim's own, and not of the machine.
fn is_rootless() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().ne(["0", "0", "4294967295"])
}

/// `uname -r`.
#[must_use]
pub fn kernel_version() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}
