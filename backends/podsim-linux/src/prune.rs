//! What nodes that were killed have left behind: found, shown and removed.
//!
//! Nearly everything dies with the node's process: its children (PR_SET_PDEATHSIG), with them their namespaces, and with those what is
//! mounted in them and the network interfaces. What stays is directories, cgroups, a bridge, and processes that ran in the node's
//! own pid namespace below a child. Every node has a directory, which is made first and removed last, and in it a file that is locked as long
//! as the node lives: so an unlocked directory names a node that is dead, and all else is found by the node's name.

use crate::cgroup::Manager;
use crate::mount::{self, context};
use crate::network::{Leftovers, Owner};
use crate::orphans;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// What a dead node has left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftover {
    /// The node's name.
    pub node: String,
    /// Its directory.
    pub directory: PathBuf,
    /// Processes, by pid and name.
    pub processes: Vec<(i32, String)>,
    /// Network interfaces of the host.
    pub links: Vec<String>,
    /// Directories of cgroups.
    pub cgroups: Vec<PathBuf>,
}

/// Opens and locks a file in the directory of a node; `None` if another process has it: the node lives.
fn lock(directory: &Path) -> io::Result<Option<File>> {
    let file = open_lock(&directory.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(context(directory.display())(error)),
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    options.open(path).map_err(context(path.display()))
}

/// Makes the directory of a node, and locks it for as long as the file is open.
pub(crate) fn claim(run: &Path, directory: &Path) -> io::Result<Option<File>> {
    fs::create_dir_all(run).map_err(context(run.display()))?;
    let _all = lock_all(run)?;
    fs::create_dir_all(directory).map_err(context(directory.display()))?;
    lock(directory)
}

/// Removes the directory of a node that ends, whose lock is still held.
pub(crate) fn release(run: &Path, directory: &Path) -> io::Result<()> {
    // Nobody may find the directory without the lock, and nobody may make it again meanwhile.
    let _all = lock_all(run)?;
    mount::remove_tree(directory)
}

/// Held while a directory is made and locked, or looked at and removed.
fn lock_all(run: &Path) -> io::Result<File> {
    let file = open_lock(&run.join("lock"))?;
    file.lock()?;
    Ok(file)
}

/// What nodes that are dead have left behind. `run` is that of [`crate::Places`].
///
/// # Errors
///
/// If the directory of nodes cannot be read.
pub fn list(run: &Path) -> io::Result<Vec<Leftover>> {
    if !run.join("nodes").is_dir() {
        return Ok(Vec::new());
    }
    let _all = lock_all(run)?;
    Ok(dead(run)?.into_iter().map(|(leftover, _)| leftover).collect())
}

/// Removes what nodes that are dead have left behind, and tells what that was.
///
/// # Errors
///
/// If the directory of nodes cannot be read. What cannot be removed stays, and is found again.
pub fn prune(run: &Path) -> io::Result<Vec<Leftover>> {
    if !run.join("nodes").is_dir() {
        return Ok(Vec::new());
    }
    let _all = lock_all(run)?;
    let mut pruned = Vec::new();
    for (leftover, _lock) in dead(run)? {
        remove(run, &leftover);
        pruned.push(leftover);
    }
    if let Ok(left) = Leftovers::of_host(&run.join("network")) {
        left.forget_addresses();
    }
    Ok(pruned)
}

/// The dead nodes, with their locks.
fn dead(run: &Path) -> io::Result<Vec<(Leftover, File)>> {
    let nodes = run.join("nodes");
    let mut dead = Vec::new();
    let mut links = Leftovers::of_host(&run.join("network"))
        .and_then(|mut left| left.list())
        .unwrap_or_default();
    let manager = Manager::detect();
    for entry in fs::read_dir(&nodes).map_err(context(nodes.display()))? {
        let entry = entry?;
        let Ok(node) = entry.file_name().into_string() else {
            continue;
        };
        let directory = entry.path();
        let Ok(Some(lock)) = lock(&directory) else { continue };
        let ours = |owner: &Owner| matches!(owner, Owner::Pod { node: of, .. } if *of == node);
        let leftover = Leftover {
            processes: processes(&directory)
                .into_iter()
                .map(|(pid, name, _)| (pid, name))
                .collect(),
            links: links
                .extract_if(.., |link| ours(&link.owner))
                .map(|link| link.name)
                .collect(),
            cgroups: manager
                .leftovers(&node)
                .iter()
                .flat_map(|cgroup| cgroup.dirs().map(Path::to_owned).collect::<Vec<_>>())
                .filter(|directory| directory.is_dir())
                .collect(),
            directory,
            node,
        };
        dead.push((leftover, lock));
    }
    Ok(dead)
}

fn remove(run: &Path, leftover: &Leftover) {
    let complain = |error: &dyn std::fmt::Display| tracing::warn!("node {}: {error}", leftover.node);
    kill(&leftover.directory);
    let manager = Manager::detect();
    for cgroup in manager.leftovers(&leftover.node) {
        if let Err(error) = cgroup.kill_all().and_then(|()| cgroup.remove()) {
            complain(&error);
        }
    }
    manager.remove_node(&leftover.node);
    match Leftovers::of_host(&run.join("network")) {
        Ok(mut left) => {
            for link in &leftover.links {
                if let Err(error) = left.remove(link) {
                    complain(&error);
                }
            }
            let bridges = left.list().unwrap_or_default();
            for bridge in bridges.iter().filter(|link| link.owner == Owner::Bridge) {
                if let Err(error) = left.remove_bridge_if_unused(&bridge.name) {
                    complain(&error);
                }
            }
        }
        Err(error) => complain(&error),
    }
    if let Err(error) = mount::remove_tree(&leftover.directory) {
        complain(&error);
    }
}

/// Whether the root of a process, by its `mountinfo`, is made from what is in a node's directory. Other mounts do not count: anybody may show
/// himself a dead node's files.
fn has_root_in(mounts: &str, mark: &str) -> bool {
    let is_root = |line: &&str| line.split(' ').nth(4) == Some("/");
    mounts.lines().filter(is_root).any(|line| line.contains(mark))
}

/// The processes whose root is in a node's directory: pid, name, and a handle. That is so for every process of a Pod, and for no
/// other: the directory is a dead node's own.
fn processes(directory: &Path) -> Vec<(i32, String, OwnedFd)> {
    // As the kernel shows it: below the root of the filesystem that it is on, which may be mounted anywhere. So only its end counts.
    let marked: PathBuf = directory
        .components()
        .rev()
        .take(2)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    let mark = format!("/{}/", marked.display());
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let marked =
        |pid: i32| fs::read_to_string(format!("/proc/{pid}/mountinfo")).is_ok_and(|mounts| has_root_in(&mounts, &mark));
    orphans::pids()
        .filter(|pid| *pid != own && marked(*pid))
        .filter_map(|pid| {
            let pidfd = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
            // The number may be another process's by now: look again.
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            marked(pid).then(|| (pid, name.trim_end().to_owned(), pidfd))
        })
        .collect()
}

fn kill(directory: &Path) {
    // Processes that are made meanwhile are found in the next round.
    for _ in 0..100 {
        let found = processes(directory);
        if found.is_empty() {
            return;
        }
        for (_, _, pidfd) in &found {
            let _ = pidfd_send_signal(pidfd, Signal::KILL);
        }
        for (_, _, pidfd) in &found {
            let limit = Timespec { tv_sec: 1, tv_nsec: 0 };
            let _ = poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&limit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_root_from_the_nodes_directory_makes_a_process_the_nodes() {
        let own = "119 69 0:52 / / rw - overlay overlay rw,upperdir=/run/podsim/nodes/a-1/containers/c/upper\n";
        let looks = "20 1 254:0 / / rw - ext4 /dev/vda rw\n21 20 254:0 /run/podsim/nodes/a-1/volumes /mnt rw - ext4 /dev/vda rw\n";
        assert!(has_root_in(own, "/nodes/a-1/"));
        assert!(!has_root_in(own, "/nodes/a-/"), "another node");
        assert!(!has_root_in(looks, "/nodes/a-1/"), "somebody who looks at its files");
    }
}
