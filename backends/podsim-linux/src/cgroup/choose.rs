//! Which directory of a hierarchy podsim may use, which controllers it has there, and why not others.

use super::hierarchy::{Hierarchy, Version};
use super::manager::Controller;
use super::procs;
use rustix::fs::{Access, AtFlags, CWD, accessat};
use std::path::{Path, PathBuf};

/// Where podsim itself goes in a delegated cgroup of version 2: a group with controllers for its children has no processes
/// of its own (cgroup-v2.rst, "No Internal Process Constraint").
pub(super) const LEAF: &str = "podsim-node";

/// A hierarchy that podsim uses.
#[derive(Clone, Debug)]
pub(super) struct Used {
    pub(super) version: Version,
    /// The directory that `podsim` is made in.
    pub(super) parent: PathBuf,
    /// Controllers that containers get in it.
    pub(super) controllers: Vec<String>,
    /// The processes in `parent` have to leave it for [`LEAF`] before controllers can be enabled in it.
    pub(super) leave: bool,
}

/// Controllers that are not to be had, and why.
pub(super) struct Refusal {
    pub(super) controllers: Vec<String>,
    pub(super) why: String,
}

/// The controllers that a hierarchy could offer, for the message why it does not.
pub(super) fn offered(hierarchy: &Hierarchy) -> Vec<String> {
    match hierarchy.version {
        Version::V1 => hierarchy.controllers.clone(),
        Version::V2 => words(&hierarchy.mount.join("cgroup.controllers")),
    }
}

/// Chooses the parent of podsim's directory in a hierarchy, or says why there is none; and which controllers of it are not
/// to be had, with the reason.
pub(super) fn choose(hierarchy: &Hierarchy) -> Result<(Used, Vec<Refusal>), String> {
    let mount = hierarchy.mount.display();
    if !hierarchy.writable {
        return Err(format!("{mount} is mounted read-only"));
    }
    // A podsim that moved itself is in a leaf of what it was given.
    let own = hierarchy.own.as_deref().map(|own| match own.file_name() {
        Some(name) if name == LEAF => own.parent().unwrap_or(own),
        _ => own,
    });
    let root = hierarchy.mount.as_path();
    let order = match own {
        Some(own) if delegated(own) => vec![own, root],
        Some(own) => vec![root, own],
        None => vec![root],
    };
    let Some(parent) = order.into_iter().find(|dir| writable(dir)) else {
        let whose = own.unwrap_or(root).display();
        return Err(match hierarchy.version {
            Version::V1 => format!("{whose} is not this user's (cgroups of version 1 are root's); run podsim as root"),
            Version::V2 => format!(
                "{whose} is not this user's; start podsim with `systemd-run --user --scope --property=Delegate=yes`"
            ),
        });
    };
    let mut used = Used {
        version: hierarchy.version,
        parent: parent.to_owned(),
        controllers: hierarchy.controllers.clone(),
        leave: false,
    };
    let mut refused = Vec::new();
    if used.version == Version::V2 {
        let wanted = |name: &String| Controller::ALL.iter().any(|controller| controller.name() == name);
        let here: Vec<_> = words(&parent.join("cgroup.controllers"))
            .into_iter()
            .filter(wanted)
            .collect();
        let above: Vec<_> = offered(hierarchy)
            .into_iter()
            .filter(|name| !here.contains(name))
            .collect();
        let why = format!(
            "it is not enabled for {}; systemd enables it with `Delegate=yes` in that unit or in user@.service",
            parent.display()
        );
        refused.push(Refusal {
            controllers: above,
            why,
        });
        let enabled = words(&parent.join("cgroup.subtree_control"));
        let (on, off): (Vec<_>, Vec<_>) = here.into_iter().partition(|name| enabled.contains(name));
        used.controllers = on;
        // The root of the hierarchy may have both processes and controllers for its children; only it has no type.
        let members = if parent.join("cgroup.type").exists() {
            procs(parent)
        } else {
            Vec::new()
        };
        let own_pid = rustix::process::getpid().as_raw_nonzero().get();
        if off.is_empty() || members.is_empty() {
            used.controllers.extend(off);
        } else if members == [own_pid] || own == Some(root) {
            // With the others if this is the root of a cgroup namespace: a container's, and they are what it consists of.
            used.controllers.extend(off);
            used.leave = true;
        } else {
            let why = format!(
                "other processes are in podsim's cgroup {}; start podsim with `systemd-run --scope --property=Delegate=yes` \
                 (as a user: with --user)",
                parent.display()
            );
            refused.push(Refusal { controllers: off, why });
        }
    }
    Ok((used, refused))
}

/// systemd marks what it gives away (systemd.resource-control(5), `Delegate=`).
fn delegated(dir: &Path) -> bool {
    let marked = |name: &str| {
        let mut value = [0_u8; 8];
        rustix::fs::getxattr(dir, name, &mut value).is_ok_and(|length| value.get(..length) == Some(b"1"))
    };
    marked("user.delegate") || marked("trusted.delegate")
}

/// Whether groups can be made in it and processes moved into them (cgroups(7): the `cgroup.procs` of the common ancestor too).
fn writable(dir: &Path) -> bool {
    let ok = |path: &Path, access| accessat(CWD, path, access, AtFlags::EACCESS).is_ok();
    ok(dir, Access::WRITE_OK | Access::EXEC_OK) && ok(&dir.join("cgroup.procs"), Access::WRITE_OK)
}

pub(super) fn words(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}
