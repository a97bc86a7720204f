//! One cgroup: the directories that a Pod or container has in the hierarchies, and what is done with them.

use super::hierarchy::Version;
use super::usage::{self, Usage};
use super::{Error, children, limits, procs, write};
use podsim_cri::Resources;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the dying of killed processes and the kernel's own cleaning may take before [`Cgroup::remove`] gives up.
const PATIENCE: Duration = Duration::from_secs(5);
/// More rounds than this of processes that appear while others are killed: only a fork bomb without `pids` and freezer.
const ROUNDS: usize = 1000;

/// A cgroup's directory in one hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) version: Version,
    pub(super) dir: PathBuf,
    pub(super) controllers: Vec<String>,
}

/// A cgroup. It is only a name: a child process gets it in its orders, and dropping it removes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    places: Vec<Place>,
}

impl Cgroup {
    pub(super) fn new(places: Vec<Place>) -> Self {
        Self { places }
    }

    /// Whether any hierarchy holds it: without one, `procs` and `kill_all` know of no process.
    #[must_use]
    pub fn is_tracking(&self) -> bool {
        !self.places.is_empty()
    }

    /// The directories, for messages.
    pub fn dirs(&self) -> impl Iterator<Item = &Path> {
        self.places.iter().map(|place| place.dir.as_path())
    }

    /// The directories by the names of their hierarchies: those of the controllers for version 1, none for a version 2 that is alone and
    /// `unified` for one that is not, as systemd mounts them.
    pub fn hierarchies(&self) -> impl Iterator<Item = (String, &Path)> {
        let alone = self.places.len() == 1;
        self.places.iter().map(move |place| {
            let name = match (place.version, alone) {
                (Version::V1, _) => place.controllers.join(","),
                (Version::V2, true) => String::new(),
                (Version::V2, false) => "unified".to_owned(),
            };
            (name, place.dir.as_path())
        })
    }

    /// Sets the limits, also of a group with processes. What `resources` does not limit becomes unlimited. `oom_score_adj` is
    /// each process's own.
    ///
    /// # Errors
    ///
    /// If the kernel refuses one; a memory limit below what is in use is refused by version 1 (EBUSY).
    pub fn apply(&self, resources: &Resources) -> Result<(), Error> {
        for place in &self.places {
            let swap = usage::number(&place.dir.join("memory.memsw.limit_in_bytes"));
            for order in limits::plan(place.version, &place.controllers, resources, swap) {
                let file = place.dir.join(order.file);
                match write(&file, &order.value) {
                    Err(_) if order.optional && !file.exists() => {}
                    result => result?,
                }
            }
        }
        Ok(())
    }

    /// Moves the calling process into it; children that it makes are born in it.
    ///
    /// # Errors
    ///
    /// If the kernel refuses it.
    pub fn join_self(&self) -> Result<(), Error> {
        // 0 is the process that writes (cgroups(7)).
        self.places
            .iter()
            .try_for_each(|place| write(&place.dir.join("cgroup.procs"), "0"))
    }

    /// The processes in it and in groups below it.
    #[must_use]
    pub fn procs(&self) -> BTreeSet<i32> {
        let mut dirs: Vec<_> = self.places.iter().map(|place| place.dir.clone()).collect();
        let mut pids = BTreeSet::new();
        while let Some(dir) = dirs.pop() {
            pids.extend(procs(&dir));
            dirs.extend(children(&dir));
        }
        pids
    }

    /// Kills every process in it, also those that are being made meanwhile. They may still be dying when it returns.
    ///
    /// # Errors
    ///
    /// If processes appear faster than they are killed.
    pub fn kill_all(&self) -> Result<(), Error> {
        let mut v2 = self.places.iter().filter(|place| place.version == Version::V2);
        // Since Linux 5.14. What is only in a hierarchy of version 1 (it was killed while it joined) still goes the long way.
        let killed = v2.any(|place| write(&place.dir.join("cgroup.kill"), "1").is_ok());
        let frozen = !killed && self.freeze(true);
        let result = self.kill_each();
        if frozen {
            // A frozen process of version 1 dies when it thaws.
            self.freeze(false);
        }
        result
    }

    fn kill_each(&self) -> Result<(), Error> {
        let mut done: BTreeSet<i32> = BTreeSet::new();
        for _ in 0..ROUNDS {
            let new: Vec<_> = self.procs().into_iter().filter(|pid| !done.contains(pid)).collect();
            if new.is_empty() {
                return Ok(());
            }
            for some in new.chunks(64) {
                let held = pidfds(some.iter().copied());
                // A number may have been given to another process between reading and opening: what is still listed is ours.
                let still = self.procs();
                for (_, process) in held.iter().filter(|(pid, _)| still.contains(pid)) {
                    let _ = pidfd_send_signal(process, Signal::KILL);
                }
                done.extend(some);
            }
        }
        let dir = self.places.first().map_or(Path::new(""), |place| &place.dir);
        Err(Error::new(
            "kill all processes of",
            dir,
            io::Error::from(io::ErrorKind::TimedOut),
        ))
    }

    /// Stops or continues the whole group, where the kernel can: no fork outruns the killing. Only asks: a process that is not
    /// frozen yet is killed just the same.
    fn freeze(&self, freeze: bool) -> bool {
        let mut done = false;
        for place in &self.places {
            let written = match place.version {
                Version::V1 if place.controllers.iter().any(|name| name == "freezer") => write(
                    &place.dir.join("freezer.state"),
                    if freeze { "FROZEN" } else { "THAWED" },
                ),
                Version::V1 => continue,
                Version::V2 => write(&place.dir.join("cgroup.freeze"), if freeze { "1" } else { "0" }),
            };
            done |= written.is_ok();
        }
        done
    }

    /// Waits until no process is left, or the time is up: `false`.
    #[must_use]
    pub fn wait_empty(&self, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        loop {
            let held = pidfds(self.procs());
            if held.is_empty() {
                // Nobody, or processes that died between reading and opening.
                if self.procs().is_empty() {
                    return true;
                }
                pause(&[], Duration::from_millis(1));
            }
            let Some(left) = end.checked_duration_since(Instant::now()) else {
                return false;
            };
            if let Some((_, first)) = held.first() {
                pause(std::slice::from_ref(first), left);
            }
        }
    }

    /// What it has used.
    #[must_use]
    pub fn stats(&self) -> Usage {
        let mut usage = Usage::default();
        self.places.iter().for_each(|place| usage.add(place));
        usage
    }

    /// How many of its processes the kernel has killed because the memory limit was reached.
    #[must_use]
    pub fn oom_kills(&self) -> u64 {
        self.places.iter().map(usage::oom_kills).max().unwrap_or(0)
    }

    /// Removes it with the groups below it, once its processes are dead; nothing to do if it is gone.
    ///
    /// # Errors
    ///
    /// If processes are left in it.
    pub fn remove(&self) -> Result<(), Error> {
        let end = Instant::now() + PATIENCE;
        // A process leaves its group a moment after its death is seen, so the first answers may be EBUSY.
        let mut delay = Duration::from_micros(100);
        loop {
            let mut busy = None;
            for place in &self.places {
                match remove_tree(&place.dir) {
                    Err(error) if matches!(error.source.raw_os_error(), Some(libc::EBUSY | libc::ENOTEMPTY)) => {
                        busy = Some(error);
                    }
                    result => result?,
                }
            }
            let Some(error) = busy else { return Ok(()) };
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(error);
            }
            match pidfds(self.procs()).first() {
                Some((_, process)) => pause(std::slice::from_ref(process), left),
                None => {
                    pause(&[], delay.min(left));
                    delay = (delay * 2).min(Duration::from_millis(20));
                }
            }
        }
    }
}

/// Handles on those of the processes that still live.
fn pidfds(pids: impl IntoIterator<Item = i32>) -> Vec<(i32, OwnedFd)> {
    let open = |pid| Some((pid, pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?));
    pids.into_iter().filter_map(open).collect()
}

/// Waits until one of the processes has died, at most so long.
fn pause(processes: &[OwnedFd], time: Duration) {
    let mut fds: Vec<_> = processes.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    let time = Timespec::try_from(time).ok();
    match poll(&mut fds, time.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => tracing::debug!("poll: {error}"),
    }
}

fn remove_tree(dir: &Path) -> Result<(), Error> {
    for child in children(dir) {
        remove_tree(&child)?;
    }
    match std::fs::remove_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::new("remove", dir, error)),
        _ => Ok(()),
    }
}
