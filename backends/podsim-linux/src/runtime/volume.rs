//! Volumes: a directory each, which containers mount whole or in part. One that is in memory, or has a limit, is a tmpfs.

use crate::inside::Inside;
use crate::mount;
use crate::runtime::node::Node;
use crate::runtime::process::failed;
use bytes::Bytes;
use podsim_cri::{Error, Result, VolumeChange, VolumeConfig};
use rustix::mount::MountFlags;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A volume.
pub(crate) struct Volume {
    /// All that it takes.
    directory: PathBuf,
    /// What is shown.
    path: PathBuf,
    mounted: bool,
}

impl Volume {
    /// Makes a volume in a directory that is not there yet.
    pub(crate) fn new(path: PathBuf, config: &VolumeConfig) -> Result<Self> {
        let make = || -> io::Result<Self> {
            mount::directory(&path)?;
            let volume = Self {
                mounted: config.memory || config.size_limit.is_some(),
                directory: path.clone(),
                path,
            };
            if volume.mounted {
                let size = config
                    .size_limit
                    .map_or_else(|| "50%".to_owned(), |size| size.to_string());
                mount::filesystem(
                    "tmpfs",
                    &volume.path,
                    "tmpfs",
                    MountFlags::empty(),
                    &format!("size={size}"),
                )?;
            }
            fs::set_permissions(&volume.path, fs::Permissions::from_mode(config.mode & 0o7777))?;
            let inside = Inside::new(&volume.path)?;
            for file in &config.files {
                if file.path.split('/').any(|part| part == "..") {
                    return Err(io::Error::other(format!("{:?} must not contain `..`", file.path)));
                }
                inside.write(&file.path, &file.content, file.mode)?;
            }
            Ok(volume)
        };
        make().map_err(failed(format_args!("volume {}", config.name)))
    }

    /// Shows an image in a directory that is not there yet.
    pub(crate) fn of_image(node: &Node, directory: PathBuf, reference: &str) -> Result<Self> {
        let image = node.find_image(reference)?;
        let show = || {
            let path = node.show_image(&image, &directory)?;
            mount::add_flags(&path, MountFlags::RDONLY | MountFlags::NOEXEC)?;
            Ok(path)
        };
        match show() {
            Ok(path) => Ok(Self {
                directory,
                path,
                mounted: true,
            }),
            Err(error) => {
                let _ = mount::remove_tree(&directory);
                Err(failed(format_args!("image volume {reference}"))(error))
            }
        }
    }

    /// Where it is on the node.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Changes what it holds.
    pub(crate) fn change(&self, changes: &[VolumeChange]) -> Result<()> {
        change(&self.path, changes)
    }

    /// The last bytes of a file.
    pub(crate) fn read(&self, path: &str, limit: usize) -> Result<Option<Bytes>> {
        let read = || Inside::new(&self.path)?.read_end(path, limit);
        read()
            .map(|content| content.map(Bytes::from))
            .map_err(|error| Error::Internal(format!("volume {}: {}", self.path.display(), mount::plain(&error))))
    }
}

/// Bytes that a directory and all that is in it take, as `du` counts them; what cannot be looked at does not count.
pub(crate) fn disk_usage(directory: &Path) -> u64 {
    let (mut total, mut seen, mut left) = (0, HashSet::new(), vec![directory.to_owned()]);
    while let Some(path) = left.pop() {
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        if !seen.insert((metadata.dev(), metadata.ino())) {
            continue;
        }
        total += metadata.blocks() * 512;
        if metadata.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            left.extend(entries.map(|entry| entry.path()));
        }
    }
    total
}

/// Changes what is in a directory.
pub(crate) fn change(directory: &Path, changes: &[VolumeChange]) -> Result<()> {
    let change = || -> io::Result<()> {
        let inside = Inside::new(directory)?;
        changes.iter().try_for_each(|change| inside.change(change))
    };
    change().map_err(|error| Error::Internal(mount::plain(&error)))
}

impl Drop for Volume {
    fn drop(&mut self) {
        if self.mounted {
            // Containers that still show it keep it.
            let _ = mount::detach(&self.path);
        }
        // What cannot be removed is removed with the node.
        let _ = mount::remove_tree(&self.directory);
    }
}
