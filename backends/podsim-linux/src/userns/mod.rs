//! User namespaces (`user_namespaces(7)`).
//!
//! * [`enter_rootless`]: podsim of an ordinary user becomes root of a user namespace of its own, before anything else.
//! * [`preflight`]: whether this machine has what the backend needs, and what helps if not.
//! * [`IdRange`], [`free_range`], [`new`], [`write_maps`]: the ids of a Pod with `hostUsers: false`.
//! * [`idmap_mount`]: a mount that shows such a Pod the owners that its files have on the host.

mod idmap;
mod ids;
mod preflight;
mod rootless;

pub use idmap::{IdMapped, idmap_mount, new, write_maps};
pub use ids::{IdMap, IdRange, POD_IDS, free_range, reserved};
pub use preflight::preflight;
pub use rootless::{Ids, Rootless, enter_rootless};

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// Something without which the backend cannot work here, and what helps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("--backend=linux needs {what}: {remedy}")]
pub struct Missing {
    /// What is missing.
    pub what: String,
    /// What would help.
    pub remedy: String,
}

impl Missing {
    fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

/// The switches of the kernel and of distributions for user namespaces of ordinary users; `None`: this kernel has no such.
#[derive(Clone, Debug, Default)]
struct Switches {
    /// Debian's and Arch's `kernel.unprivileged_userns_clone`.
    clone: Option<String>,
    /// `user.max_user_namespaces`.
    max: Option<String>,
    /// Ubuntu's `kernel.apparmor_restrict_unprivileged_userns`.
    apparmor: Option<String>,
}

impl Switches {
    fn read() -> Self {
        let read = |path| {
            std::fs::read_to_string(path)
                .ok()
                .map(|text: String| text.trim().to_owned())
        };
        Self {
            clone: read("/proc/sys/kernel/unprivileged_userns_clone"),
            max: read("/proc/sys/user/max_user_namespaces"),
            apparmor: read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        }
    }

    /// What to do about a user namespace that could not be made.
    fn explain(&self, error: Errno) -> Missing {
        let is = |switch: &Option<String>, value: &str| switch.as_deref() == Some(value);
        let remedy = if self.max.is_none() {
            "this kernel is built without CONFIG_USER_NS; run podsim as root".to_owned()
        } else if is(&self.clone, "0") {
            "run `sudo sysctl kernel.unprivileged_userns_clone=1`, or podsim as root".to_owned()
        } else if is(&self.max, "0") {
            "run `sudo sysctl user.max_user_namespaces=15000`, or podsim as root".to_owned()
        } else if is(&self.apparmor, "1") {
            "AppArmor forbids them; run `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or podsim as root"
                .to_owned()
        } else if error == Errno::NOSPC || error == Errno::USERS {
            "there are too many of them; raise user.max_user_namespaces".to_owned()
        } else if error == Errno::PERM {
            "a container or seccomp forbids them; run podsim as root, or its container with --security-opt seccomp=unconfined"
                .to_owned()
        } else {
            format!("{error}; run podsim as root")
        };
        Missing::new("a user namespace", remedy)
    }
}

#[cfg(test)]
mod tests;
