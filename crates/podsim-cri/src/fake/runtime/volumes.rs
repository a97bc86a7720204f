//! The volumes of the fake: what was asked for, and a tree of names.

use super::FakeRuntimeService;
use crate::{Error, GroupAccess, Result, VolumeChange, VolumeConfig, VolumeFile};
use bytes::Bytes;
use podsim_sys::FileType;
use std::collections::BTreeMap;

/// A volume.
pub(super) struct FakeVolume {
    pub(super) config: VolumeConfig,
    /// What [`VolumeChange`]s made, by path; the empty path is the top.
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone)]
struct Entry {
    kind: EntryKind,
    mode: u32,
    uid: u32,
    gid: u32,
}

#[derive(Clone)]
enum EntryKind {
    Directory,
    File(Bytes),
    Symlink(String),
}

impl FakeVolume {
    pub(super) fn new(config: VolumeConfig) -> Self {
        let top = Entry {
            kind: EntryKind::Directory,
            mode: config.mode,
            uid: 0,
            gid: 0,
        };
        Self {
            config,
            entries: BTreeMap::from([(String::new(), top)]),
        }
    }

    pub(super) fn change(&mut self, change: &VolumeChange) -> Result<()> {
        match change {
            VolumeChange::Directory { path, mode } => self.add(path, EntryKind::Directory, *mode, 0),
            VolumeChange::File {
                path,
                content,
                mode,
                uid,
            } => self.add(path, EntryKind::File(content.clone()), *mode, uid.unwrap_or(0)),
            VolumeChange::Symlink { path, target } => self.add(path, EntryKind::Symlink(target.clone()), 0o777, 0),
            VolumeChange::Rename { from, to } => {
                self.directory_of(to)?;
                let moved = self.below(from);
                if moved.is_empty() {
                    return Err(Error::Internal(format!("rename {from}: no such file or directory")));
                }
                self.remove(to);
                for path in moved {
                    if let (Some(entry), Some(rest)) = (self.entries.remove(&path), path.strip_prefix(from.as_str())) {
                        self.entries.insert(format!("{to}{rest}"), entry);
                    }
                }
                Ok(())
            }
            VolumeChange::Remove { path } => {
                self.remove(path);
                Ok(())
            }
            VolumeChange::Group {
                path,
                gid,
                access,
                only_on_mismatch,
            } => self.give(path, *gid, *access, *only_on_mismatch),
        }
    }

    fn give(&mut self, path: &str, gid: u32, access: GroupAccess, only_on_mismatch: bool) -> Result<()> {
        let top = self.entries.get(path);
        let top = top.ok_or_else(|| Error::Internal(format!("chown {path}: no such file or directory")))?;
        if only_on_mismatch && access.matches(gid, top.gid, top.mode) {
            return Ok(());
        }
        for path in self.below(path) {
            if let Some(entry) = self.entries.get_mut(&path) {
                entry.gid = gid;
                let directory = matches!(entry.kind, EntryKind::Directory);
                if !matches!(entry.kind, EntryKind::Symlink(_)) {
                    entry.mode = access.mode(entry.mode, directory);
                }
            }
        }
        Ok(())
    }

    /// The directory that a name is in; as in all runtimes it has to be there.
    fn directory_of(&self, path: &str) -> Result<&Entry> {
        let above = path.rsplit_once('/').map_or("", |(above, _)| above);
        let found = self.entries.get(above);
        found
            .filter(|entry| matches!(entry.kind, EntryKind::Directory))
            .ok_or_else(|| Error::Internal(format!("{path}: no such file or directory")))
    }

    fn add(&mut self, path: &str, kind: EntryKind, mode: u32, uid: u32) -> Result<()> {
        let above = self.directory_of(path)?;
        let gid = if above.mode & 0o2000 == 0 { 0 } else { above.gid };
        if self.entries.contains_key(path) {
            return Err(Error::Internal(format!("{path}: file exists")));
        }
        self.entries.insert(path.to_owned(), Entry { kind, mode, uid, gid });
        Ok(())
    }

    /// The paths of something and all that is in it.
    fn below(&self, path: &str) -> Vec<String> {
        let inside = |other: &&String| {
            path.is_empty()
                || other
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.entries.keys().filter(inside).cloned().collect()
    }

    fn remove(&mut self, path: &str) {
        for path in self.below(path) {
            self.entries.remove(&path);
        }
    }

    fn show(&self) -> Vec<String> {
        let line = |(path, entry): (&String, &Entry)| {
            let path = if path.is_empty() { "." } else { path };
            let Entry { mode, uid, gid, .. } = entry;
            match &entry.kind {
                EntryKind::Directory => format!("{mode:04o} {uid}:{gid} {path}/"),
                EntryKind::File(content) => {
                    format!("{mode:04o} {uid}:{gid} {path} {:?}", String::from_utf8_lossy(content))
                }
                EntryKind::Symlink(target) => format!("{uid}:{gid} {path} -> {target}"),
            }
        };
        self.entries.iter().map(line).collect()
    }
}

impl FakeRuntimeService {
    /// Writes into a file of a volume, as a container would; the volume is found by its name.
    pub fn write_volume_file(&self, volume: &str, path: &str, content: &str) {
        let mut state = self.inner.state.lock();
        let Some(volume) = state.volumes.values_mut().find(|v| v.config.name == volume) else {
            return;
        };
        volume.config.files.retain(|f| f.path != path);
        volume.config.files.push(VolumeFile {
            path: path.to_owned(),
            content: Bytes::from(content.to_owned()),
            mode: 0o644,
        });
    }

    /// Puts something at a path of the node.
    pub fn put_host_path(&self, path: &str, file_type: FileType) {
        let mut state = self.inner.state.lock();
        state.host_paths.insert(path.into(), file_type);
    }

    /// Says how much a container or volume of this name takes on disk, in bytes.
    pub fn set_disk_usage(&self, name: &str, bytes: u64) {
        self.inner.state.lock().disk.insert(name.to_owned(), bytes);
    }

    /// What was changed on the node's filesystem so far.
    #[must_use]
    pub fn host_changes(&self) -> Vec<VolumeChange> {
        self.inner.state.lock().host_changes.clone()
    }

    /// The volume of this name, as it was asked for.
    #[must_use]
    pub fn volume(&self, name: &str) -> Option<VolumeConfig> {
        let state = self.inner.state.lock();
        let mut all = state.volumes.values();
        all.find(|v| v.config.name == name).map(|v| v.config.clone())
    }

    /// What changes made of the volume of this name, one line for each file and directory, in the order of their names:
    /// `0644 0:0 a "text"`, `0755 0:0 b/`, `0:0 c -> ..data/c`. Empty if there is no such volume.
    #[must_use]
    pub fn volume_tree(&self, name: &str) -> Vec<String> {
        let state = self.inner.state.lock();
        let mut all = state.volumes.values();
        all.find(|v| v.config.name == name)
            .map(FakeVolume::show)
            .unwrap_or_default()
    }
}
