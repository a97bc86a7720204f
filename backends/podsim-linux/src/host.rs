//! This machine: what the node process does to itself at its start, and where it keeps things.

use crate::mount;
use crate::userns;
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
        let rootless = userns::is_rootless();
        let data = variable("PODSIM_DATA");
        if !rootless {
            return Ok(Self {
                data: data.unwrap_or_else(|| PathBuf::from("/var/lib/podsim")),
                run: variable("PODSIM_RUN").unwrap_or_else(|| PathBuf::from("/run/podsim")),
                rootless,
            });
        }
        let homeless = || Error::Internal("neither XDG_DATA_HOME nor HOME is set: where is podsim to keep its images?".to_owned());
        let below_home = || variable("HOME").map(|home| home.join(".local/share"));
        let data = match data.or_else(|| variable("XDG_DATA_HOME").or_else(below_home).map(|dir| dir.join("podsim"))) {
            Some(data) => data,
            None => return Err(homeless()),
        };
        let run = variable("PODSIM_RUN")
            .or_else(|| variable("XDG_RUNTIME_DIR").map(|dir| dir.join("podsim-linux")))
            .unwrap_or_else(|| data.join("run"));
        Ok(Self { data, run, rootless })
    }
}

/// Prepares this process, which is going to be a node: a mount namespace and a UTS namespace of its own, so that nothing that it mounts or
/// names is seen outside; without root, a user namespace as well. To be called while there is one thread.
///
/// # Errors
///
/// One line that says what is missing and what would help.
pub fn prepare() -> std::result::Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        userns::enter_rootless().map_err(|error| error.to_string())?;
    }
    let flags = UnshareFlags::NEWNS | UnshareFlags::NEWUTS;
    // SAFETY: there is one thread, and descriptors are not unshared.
    unsafe { unshare_unsafe(flags) }.map_err(|errno| {
        format!("no namespace can be made ({errno}): run it as root or as a user who may make user namespaces, not in a container that forbids it")
    })?;
    // What is mounted on the host later is seen here, nothing that is mounted here is seen there.
    mount::propagation(
        Path::new("/"),
        MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC,
    )
    .map_err(|error| error.to_string())
}

/// `uname -r`.
#[must_use]
pub fn kernel_version() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}
