//! How a second terminal finds the node of the first: a file per running node in the user's runtime directory.
//!
//! `NAME.json` (mode 0600) holds the address, the token and the process id. `NAME.lock` is locked for as long as the
//! process lives, by the operating system, so a file whose lock can be had belongs to a dead process and is removed.

use crate::errors::Failure;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The environment variable that tells programs of a node (its `kubectl`) where the API is, as [`Endpoint`] in JSON.
#[cfg(target_os = "linux")]
pub(crate) const ENDPOINT_VARIABLE: &str = "PODSIM_ENDPOINT";

/// Where a node's API is and what opens it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Endpoint {
    /// The name by which `--node` finds it.
    pub(crate) name: String,
    /// The API's address, on the loopback interface.
    pub(crate) address: SocketAddr,
    /// The bearer token.
    pub(crate) token: String,
    /// The process that runs the node.
    pub(crate) pid: u32,
}

/// The directory of the files.
pub(crate) struct Registry {
    directory: PathBuf,
}

/// The registration of a node; it ends when this is dropped, or with the process.
pub(crate) struct Registration {
    endpoint: Endpoint,
    file: PathBuf,
    _lock: File,
}

impl Registry {
    /// The user's own: `$XDG_RUNTIME_DIR/podsim`, or a directory in the temporary one that is the user's alone.
    pub(crate) fn open() -> Result<Self> {
        let directory = match std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty()) {
            Some(runtime) => PathBuf::from(runtime).join("podsim"),
            None => std::env::temp_dir().join(format!("podsim-{}", user()?)),
        };
        Self::at(directory)
    }

    /// In this directory, which is made if need be.
    pub(crate) fn at(directory: PathBuf) -> Result<Self> {
        let place = || format!("the directory of running nodes, {}", directory.display());
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&directory).with_context(place)?;
        check_owner(&directory).with_context(place)?;
        Ok(Self { directory })
    }

    /// Registers a node under a name of its own: `wanted`, or `wanted-2`, … if that one is taken.
    pub(crate) fn register(&self, wanted: &str, address: SocketAddr, token: &str) -> Result<Registration> {
        for number in 1..1000 {
            let name = if number == 1 {
                wanted.to_owned()
            } else {
                format!("{wanted}-{number}")
            };
            let Some(lock) = self.lock(&name)? else { continue };
            let endpoint = Endpoint {
                name,
                address,
                token: token.to_owned(),
                pid: std::process::id(),
            };
            let file = self.file(&endpoint.name);
            write_private(&file, &serde_json::to_vec_pretty(&endpoint)?)
                .with_context(|| format!("cannot write {}", file.display()))?;
            return Ok(Registration {
                endpoint,
                file,
                _lock: lock,
            });
        }
        anyhow::bail!("there are too many running nodes in {}", self.directory.display())
    }

    /// The nodes that run, by name. Files of dead processes are removed.
    pub(crate) fn running(&self) -> Result<Vec<Endpoint>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let path = entry?.path();
            // `new`: what a process that was killed while it registered had begun to write.
            let (Some("json" | "new"), Some(name)) = (
                path.extension().and_then(|e| e.to_str()),
                path.file_stem().and_then(|s| s.to_str()),
            ) else {
                continue;
            };
            if let Some(lock) = self.lock(name)? {
                // Nobody holds the lock: the process is dead. Removed while we hold it, so no new node is harmed.
                let _ = std::fs::remove_file(&path);
                drop(lock);
                continue;
            }
            if path.extension() == Some("json".as_ref()) {
                found.extend(read(&path));
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The node that is meant: the named one, or the only one, or the first of the only cluster.
    pub(crate) fn find(&self, wanted: Option<&str>) -> Result<Endpoint> {
        let running = self.running()?;
        let names = || {
            running
                .iter()
                .map(|node| node.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let remedy = "start one with `podsim run FILE`";
        let failure = match (wanted, running.as_slice()) {
            (None, [first, others @ ..]) if others.iter().all(|other| other.pid == first.pid) => {
                // Nodes of one cluster: what is not a node's own can be asked of each.
                return Ok(first.clone());
            }
            (None, []) => format!("error: no podsim node is running: {remedy}"),
            (None, _) => format!(
                "error: several nodes are running ({}): choose one with --node NAME",
                names()
            ),
            (Some(wanted), nodes) => match nodes.iter().find(|node| node.name == wanted) {
                Some(node) => return Ok(node.clone()),
                None if nodes.is_empty() => format!("error: no podsim node {wanted:?} is running: {remedy}"),
                None => format!("error: no podsim node {wanted:?} is running; running are: {}", names()),
            },
        };
        Err(Failure::new(failure).into())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.json"))
    }

    /// Takes the lock of a name; `None` if a living process has it.
    fn lock(&self, name: &str) -> Result<Option<File>> {
        let path = self.directory.join(format!("{name}.lock"));
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }
}

impl Registration {
    /// What was registered.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // The lock file stays: removing it would let two processes lock two files of one name.
        let _ = std::fs::remove_file(&self.file);
    }
}

/// `None` if the node has just ended.
fn read(path: &Path) -> Option<Endpoint> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Writes a file that only the user can read, whole or not at all.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&temporary)?.write_all(bytes)?;
    std::fs::rename(&temporary, path)
}

/// The id of this process's user, as files have it.
#[cfg(unix)]
fn own_uid() -> Result<u32> {
    use std::os::unix::fs::MetadataExt;
    Ok(tempfile::tempfile()?.metadata()?.uid())
}

/// What tells users apart in the shared temporary directory.
#[cfg(unix)]
fn user() -> Result<u32> {
    let uid = own_uid()?;
    // In a user namespace of podsim's own the user is called root; other terminals look for his own id.
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    Ok(outside_id(&map, uid).unwrap_or(uid))
}

/// What an id is called outside of this process's user namespace (`user_namespaces(7)`, "uid_map").
#[cfg(unix)]
fn outside_id(map: &str, id: u32) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let (inside, outside, length) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
        let offset = id.checked_sub(inside).filter(|offset| *offset < length)?;
        outside.checked_add(offset)
    })
}

/// Windows' temporary directory is the user's own.
#[cfg(not(unix))]
fn user() -> Result<&'static str> {
    Ok("user")
}

/// Somebody else's directory could hold a false node.
#[cfg(unix)]
fn check_owner(directory: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::symlink_metadata(directory)?;
    if !metadata.is_dir() || metadata.mode() & 0o022 != 0 || metadata.uid() != own_uid()? {
        anyhow::bail!("it must be a directory that only you can write to: remove it, or set XDG_RUNTIME_DIR");
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_owner(_directory: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 1234))
    }

    #[test]
    fn a_running_node_is_found_and_a_dead_one_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::at(directory.path().join("podsim")).unwrap();
        let none = registry.find(None).unwrap_err();
        assert_eq!(
            none.to_string(),
            "error: no podsim node is running: start one with `podsim run FILE`"
        );

        let first = registry.register("podsim", address(), "t").unwrap();
        assert_eq!(registry.find(None).unwrap(), *first.endpoint());
        let second = registry.register("podsim", address(), "t").unwrap();
        assert_eq!(second.endpoint().name, "podsim-2");
        // Two of one cluster, which this process runs: the first will do.
        assert_eq!(registry.find(None).unwrap(), *first.endpoint());
        let file = registry.file("podsim-2");
        let other = Endpoint {
            pid: 1,
            ..second.endpoint().clone()
        };
        std::fs::write(&file, serde_json::to_vec(&other).unwrap()).unwrap();
        let several = registry.find(None).unwrap_err().to_string();
        assert_eq!(
            several,
            "error: several nodes are running (podsim, podsim-2): choose one with --node NAME"
        );
        assert_eq!(registry.find(Some("podsim-2")).unwrap(), other);

        // A process that died left its file behind.
        let left = std::fs::read(&file).unwrap();
        drop(second);
        std::fs::write(&file, left).unwrap();
        assert_eq!(registry.running().unwrap(), [first.endpoint().clone()]);
        assert!(!file.exists());
    }
}
