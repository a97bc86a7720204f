//! [`LayerStore`]: the layers of images as directories, for overlayfs.
//!
//! `DIR/ID/fs` is a layer, unpacked once for all images that have it in the same place. ID is the hexadecimal part of the layer's
//! ChainID (OCI Image Format Specification, "Layer ChainID"): the layer and all below it, because a directory that a layer does
//! not describe looks as it does in those below.
//!
//! Several processes may use one store. `DIR/.lock` is locked while a layer is unpacked or removed. A process that uses a layer
//! has a shared lock on its directory, by the operating system, so a layer in use is never removed.

mod dir;
#[cfg(test)]
mod tests;
mod unpack;

use crate::image::Layer;
use crate::{Image, layer};
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, RenameFlags, flock, mkdirat, openat, renameat_with};
use rustix::io::Errno;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use unpack::{Losses, UnpackError, Unpacker, Whiteouts};

/// A layer that is being unpacked, or removed. There is one at most, under the lock.
const UNFINISHED: &str = ".unfinished";
const LOCK: &str = ".lock";
/// In a layer's directory: its files.
const FILES: &str = "fs";
/// In a layer's directory: what could not be unpacked, as JSON.
const LOSSES: &str = "losses";

/// Whose overlayfs the layers are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverlayXattrs {
    /// Root's: `trusted.overlay.*`.
    Trusted,
    /// A user namespace's, mounted with `userxattr`: `user.overlay.*`.
    User,
}

/// Why a layer cannot be had as a directory.
#[derive(Debug, thiserror::Error)]
pub enum LayerStoreError {
    /// The layer is broken or hostile.
    #[error("layer {digest}: {reason}")]
    Layer {
        /// The layer's digest.
        digest: String,
        /// What is wrong.
        reason: String,
    },
    /// The filesystem cannot hold overlayfs' whiteouts: use [`LayerStore::copy_into`].
    #[error("the filesystem of {} takes no whiteouts: {source}", path.display())]
    Whiteouts {
        /// The store.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The store cannot be read or written.
    #[error("{}: {source}", path.display())]
    Store {
        /// The store.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What [`LayerStore::collect`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Layers that are gone.
    pub removed: usize,
    /// Layers that no image has but a running node uses, or whose files this process may not remove.
    pub kept: usize,
}

/// Removes from podsim's data directory the layers that are not among these ([`crate::ImageStore::chain_ids`]) and that nobody uses,
/// whoever they are for.
///
/// # Errors
///
/// If a store cannot be read.
pub fn collect(data: &Path, keep: &BTreeSet<String>) -> Result<Collected, LayerStoreError> {
    let mut all = Collected::default();
    for xattrs in [OverlayXattrs::Trusted, OverlayXattrs::User] {
        if data.join(xattrs.directory()).is_dir() {
            let collected = LayerStore::open(data, xattrs)?.collect(keep)?;
            all.removed += collected.removed;
            all.kept += collected.kept;
        }
    }
    Ok(all)
}

impl OverlayXattrs {
    fn directory(self) -> &'static str {
        match self {
            Self::Trusted => "layers",
            Self::User => "layers-userxattr",
        }
    }
}

/// The layers of images as directories. All calls block.
pub struct LayerStore {
    directory: PathBuf,
    xattrs: OverlayXattrs,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The layers in use, locked as long as this lives.
    held: HashMap<String, OwnedFd>,
    losses: Losses,
    told: Losses,
}

impl LayerStore {
    /// The store in podsim's data directory, made if need be.
    ///
    /// # Errors
    ///
    /// If the directory cannot be made.
    pub fn open(data: &Path, xattrs: OverlayXattrs) -> Result<Self, LayerStoreError> {
        let this = Self {
            directory: data.join(xattrs.directory()),
            xattrs,
            state: Mutex::default(),
        };
        // Nobody else on this host may run the setuid programs of an image.
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o700);
        builder.create(&this.directory).map_err(this.failed())?;
        Ok(this)
    }

    /// The directories of an image's layers, the highest first, as overlayfs' `lowerdir` wants them. Layers that were not
    /// unpacked before are, which takes its time. They stay until this store is dropped.
    ///
    /// # Errors
    ///
    /// [`LayerStoreError`]
    pub fn lower_dirs(&self, image: &Image) -> Result<Vec<PathBuf>, LayerStoreError> {
        let mut below: Vec<PathBuf> = Vec::new();
        for (layer, id) in image.layers.iter().zip(image.chain_ids()) {
            let id = name(&id);
            if !self.hold(id)? {
                self.unpack(layer, id, &below)?;
            }
            below.insert(0, self.directory.join(id).join(FILES));
        }
        Ok(below)
    }

    /// Writes an image's files into a directory, which must be there and empty: for where there is no overlayfs.
    ///
    /// # Errors
    ///
    /// [`LayerStoreError`]
    pub fn copy_into(&self, image: &Image, directory: &Path) -> Result<(), LayerStoreError> {
        let failed = |source| LayerStoreError::Store {
            path: directory.to_owned(),
            source,
        };
        let mut unpacker = Unpacker::new(directory, &[]).map_err(failed)?;
        let mut losses = Losses::default();
        for layer in &image.layers {
            let entries = read(layer, &mut losses)?;
            unpacker
                .layer(&entries, Whiteouts::Remove)
                .map_err(|error| self.describe(&layer.digest, error))?;
        }
        let last = image.layers.last().map_or("", |layer| &layer.digest);
        losses.add(unpacker.finish().map_err(|error| self.describe(last, error))?);
        self.state().losses.add(losses);
        Ok(())
    }

    /// What could not be unpacked, in sentences for people: each once.
    #[must_use]
    pub fn take_notes(&self) -> Vec<String> {
        let state = &mut *self.state();
        let notes = state.losses.since(&state.told);
        state.told.add(state.losses.clone());
        notes
    }

    /// Removes the layers that are not among these ([`crate::ImageStore::chain_ids`]) and that nobody uses.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn collect(&self, keep: &BTreeSet<String>) -> Result<Collected, LayerStoreError> {
        let _lock = self.lock(FlockOperation::LockExclusive)?;
        let directory = dir::open_root(CWD, &self.directory).map_err(self.failed())?;
        let mut collected = Collected::default();
        for id in dir::names(&directory).map_err(self.failed())? {
            let Some(id) = id.to_str().filter(|id| !id.starts_with('.')) else {
                continue;
            };
            if keep.iter().any(|kept| name(kept) == id) {
                continue;
            }
            let removed = match dir::open_dir(&directory, id) {
                Ok(layer) => {
                    flock(&layer, FlockOperation::NonBlockingLockExclusive).is_ok()
                        && self.clear(&directory).is_ok()
                        // Out of sight first: what is removed halfway must not be used.
                        && renameat_with(&directory, id, &directory, UNFINISHED, RenameFlags::empty()).is_ok()
                        && self.clear(&directory).is_ok()
                }
                Err(_) => false,
            };
            if removed {
                collected.removed += 1;
            } else {
                collected.kept += 1;
            }
        }
        Ok(collected)
    }

    /// Locks a layer that is there.
    fn hold(&self, id: &str) -> Result<bool, LayerStoreError> {
        let _lock = self.lock(FlockOperation::LockShared)?;
        self.hold_locked(id)
    }

    fn hold_locked(&self, id: &str) -> Result<bool, LayerStoreError> {
        let path = self.directory.join(id);
        let layer = match openat(
            CWD,
            &path,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        ) {
            Ok(layer) => layer,
            Err(Errno::NOENT) => return Ok(false),
            Err(errno) => return Err(self.failed()(errno.into())),
        };
        flock(&layer, FlockOperation::NonBlockingLockShared).map_err(|errno| self.failed()(errno.into()))?;
        let losses = std::fs::read(path.join(LOSSES)).ok();
        let losses: Option<Losses> = losses.and_then(|json| serde_json::from_slice(&json).ok());
        let mut state = self.state();
        state.losses.add(losses.unwrap_or_default());
        state.held.insert(id.to_owned(), layer);
        Ok(true)
    }

    fn unpack(&self, layer: &Layer, id: &str, below: &[PathBuf]) -> Result<(), LayerStoreError> {
        let mut losses = Losses::default();
        // Reading needs no lock, and most of what is wrong with an archive is found there.
        let entries = read(layer, &mut losses)?;
        let _lock = self.lock(FlockOperation::LockExclusive)?;
        // Another process may have been faster.
        if self.hold_locked(id)? {
            return Ok(());
        }
        let directory = dir::open_root(CWD, &self.directory).map_err(self.failed())?;
        self.clear(&directory).map_err(self.failed())?;
        let make = || -> io::Result<()> {
            mkdirat(&directory, UNFINISHED, Mode::from_raw_mode(0o755))?;
            Ok(mkdirat(dir::open_dir(&directory, UNFINISHED)?, FILES, Mode::RWXU)?)
        };
        make().map_err(self.failed())?;
        let unfinished = self.directory.join(UNFINISHED);
        let lower: Vec<OwnedFd> = below
            .iter()
            .map(|path| dir::open_root(CWD, path))
            .collect::<io::Result<_>>()
            .map_err(self.failed())?;
        let whiteouts = match self.xattrs {
            _ if below.is_empty() => Whiteouts::Ignore,
            OverlayXattrs::Trusted => Whiteouts::Overlay("trusted.overlay.opaque"),
            OverlayXattrs::User => Whiteouts::Overlay("user.overlay.opaque"),
        };
        let unpacked = Unpacker::new(&unfinished.join(FILES), &lower)
            .map_err(|error| UnpackError::Entry("/".to_owned(), error))
            .and_then(|mut unpacker| {
                unpacker.layer(&entries, whiteouts)?;
                unpacker.finish()
            });
        match unpacked {
            Ok(more) => losses.add(more),
            Err(error) => {
                // It would be removed by the next one who unpacks.
                let _ = self.clear(&directory);
                return Err(self.describe(&layer.digest, error));
            }
        }
        if losses != Losses::default() {
            let json = serde_json::to_vec(&losses).map_err(|error| self.failed()(error.into()))?;
            std::fs::write(unfinished.join(LOSSES), json).map_err(self.failed())?;
        }
        renameat_with(&directory, UNFINISHED, &directory, id, RenameFlags::empty())
            .map_err(|errno| self.failed()(errno.into()))?;
        self.hold_locked(id)?;
        Ok(())
    }

    /// Removes what a process left behind that died.
    fn clear(&self, directory: &OwnedFd) -> io::Result<()> {
        use rustix::fd::AsFd;
        if dir::exists(directory.as_fd(), UNFINISHED)? {
            dir::remove_tree(directory.as_fd(), UNFINISHED)?;
        }
        Ok(())
    }

    /// Locks the store, until the result is dropped.
    fn lock(&self, operation: FlockOperation) -> Result<OwnedFd, LayerStoreError> {
        let lock = || -> rustix::io::Result<OwnedFd> {
            let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC;
            let file = openat(CWD, self.directory.join(LOCK), flags, Mode::from_raw_mode(0o600))?;
            rustix::io::retry_on_intr(|| flock(&file, operation))?;
            Ok(file)
        };
        lock().map_err(|errno| self.failed()(errno.into()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self) -> impl Fn(io::Error) -> LayerStoreError + '_ {
        |source| LayerStoreError::Store {
            path: self.directory.clone(),
            source,
        }
    }

    fn describe(&self, digest: &str, error: UnpackError) -> LayerStoreError {
        match error {
            UnpackError::Entry(path, error) => LayerStoreError::Layer {
                digest: digest.to_owned(),
                reason: format!("{path:?}: {error}"),
            },
            UnpackError::Whiteout(source) => LayerStoreError::Whiteouts {
                path: self.directory.clone(),
                source,
            },
        }
    }
}

impl Losses {
    fn add(&mut self, other: Self) {
        self.owners |= other.owners;
        self.devices.extend(other.devices);
        self.names.extend(other.names);
    }

    /// What is new, in sentences.
    fn since(&self, told: &Self) -> Vec<String> {
        let list = |new: &BTreeSet<String>, old: &BTreeSet<String>| {
            let new: Vec<&str> = new.difference(old).map(String::as_str).collect();
            (!new.is_empty()).then(|| new.join(", "))
        };
        let mut notes = Vec::new();
        if self.owners && !told.owners {
            notes.push(
                "files of an image have no owner on this host: they belong to you in their containers".to_owned(),
            );
        }
        if let Some(devices) = list(&self.devices, &told.devices) {
            notes.push(format!(
                "devices of an image were left out, which only root can make: {devices}"
            ));
        }
        if let Some(names) = list(&self.names, &told.names) {
            notes.push(format!(
                "files of an image were left out, whose names are not UTF-8: {names}"
            ));
        }
        notes
    }
}

fn read(layer: &Layer, losses: &mut Losses) -> Result<Vec<layer::Entry>, LayerStoreError> {
    let contents = layer::read(&layer.data).map_err(|error| LayerStoreError::Layer {
        digest: layer.digest.clone(),
        reason: error.to_string(),
    })?;
    losses.names.extend(contents.skipped);
    Ok(contents.entries)
}

/// A digest as a directory's name.
fn name(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}
