//! Limits of containers: cgroups of version 1, 2 and both.
//!
//! * [`Manager`]: which hierarchies podsim uses on this host and below which directory, and what it cannot limit and why.
//! * [`Cgroup`]: the directories of one Pod or container, one for each hierarchy: limits, members, use, end.
//! * `hierarchy`: what the kernel says is mounted; `choose`: where in it podsim may be; `limits`: what is written for CRI's `Resources`.
//!
//! The tree is `<parent>/podsim/<node>/pod<uid>/<container id>` in each hierarchy. The parent is the hierarchy's root where
//! podsim may write there, else podsim's own cgroup, if it was delegated to the user (`systemd-run --user --scope -p Delegate=yes`).

mod choose;
mod group;
mod hierarchy;
mod limits;
mod manager;
mod usage;

pub use group::Cgroup;
pub use hierarchy::Version;
pub use manager::{Controller, Manager, Support};
pub use usage::Usage;

use std::io;
use std::path::{Path, PathBuf};

/// A cgroup's file or directory that could not be used.
#[derive(Debug, thiserror::Error)]
#[error("cgroup: cannot {doing} {}: {source}", path.display())]
pub struct Error {
    /// What was tried.
    pub doing: String,
    /// With what.
    pub path: PathBuf,
    /// What the kernel says.
    pub source: io::Error,
}

impl Error {
    fn new(doing: impl Into<String>, path: &Path, source: impl Into<io::Error>) -> Self {
        Self {
            doing: doing.into(),
            path: path.to_owned(),
            source: source.into(),
        }
    }
}

/// Writes one value. Cgroup files are not created by opening them, and each `write(2)` is one order.
fn write(path: &Path, value: &str) -> Result<(), Error> {
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
        io::Write::write_all(&mut file, value.as_bytes())
    };
    write().map_err(|error| Error::new(format!("write {value:?} to"), path, error))
}

/// Makes a directory if it is not there.
fn make(path: &Path) -> Result<(), Error> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(Error::new("make", path, error)),
        _ => Ok(()),
    }
}

/// The process ids in a `cgroup.procs`, 0 (a process of another pid namespace) left out; none if the group is gone.
fn procs(dir: &Path) -> Vec<i32> {
    let text = std::fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.parse().ok())
        .filter(|pid| *pid > 0)
        .collect()
}

/// The directories in a directory.
fn children(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests;
