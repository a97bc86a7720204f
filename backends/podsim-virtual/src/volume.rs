//! Volumes: a filesystem in memory each, which containers mount whole or in part.

use crate::node::Node;
use crate::stdio::describe;
use bytes::Bytes;
use podsim_cri::{Error, Result, VolumeConfig};
use podsim_kernel::fs::tmpfs::{Limits, Options, TmpFs};
use podsim_kernel::fs::{MountNamespace, PathRef};
use podsim_sys::{Errno, Mode, MountFlags};
use std::sync::Arc;

/// A volume.
pub(crate) struct Volume {
    pub(crate) config: VolumeConfig,
    mounts: Arc<MountNamespace>,
}

/// A filesystem of its own, outside all containers: a mount namespace that no process is in.
pub(crate) fn scratch(node: &Node, size: Option<u64>, mode: Mode) -> Arc<MountNamespace> {
    let limits = Limits { size, inodes: None };
    let sb = TmpFs::mount(
        node.vfs(),
        &Options {
            limits,
            mode,
            ..Options::default()
        },
    );
    MountNamespace::new(node.vfs(), 0, &sb, "tmpfs", MountFlags::empty())
}

impl Volume {
    pub(crate) fn new(node: &Node, config: VolumeConfig) -> Result<Self> {
        let fail = |errno| describe(&format!("volume {}", config.name), errno);
        let mounts = scratch(node, config.size_limit, mode(config.mode));
        for file in &config.files {
            let path = inside(&file.path)?;
            if let Some((above, _)) = path.rsplit_once('/') {
                mounts.mkdir_all(above, Mode(0o755)).map_err(fail)?;
            }
            mounts.write_file(&path, &file.content, mode(file.mode)).map_err(fail)?;
        }
        Ok(Self { config, mounts })
    }

    /// What is mounted: the whole volume, or what is at a path in it.
    pub(crate) fn path(&self, sub_path: Option<&str>) -> Result<PathRef> {
        let path = match sub_path {
            Some(path) => inside(path)?,
            None => "/".to_owned(),
        };
        self.mounts
            .resolve(&path)
            .map_err(|errno| describe(&format!("volume {}: {path}", self.config.name), errno))
    }

    /// The last bytes of a file.
    pub(crate) fn read(&self, path: &str, limit: usize) -> Result<Option<Bytes>> {
        match self.mounts.read_file(&inside(path)?) {
            Ok(content) => Ok(Some(content.slice(content.len().saturating_sub(limit)..))),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
            Err(errno) => Err(describe(&format!("volume {}: {path}", self.config.name), errno)),
        }
    }
}

fn mode(mode: u32) -> Mode {
    Mode((mode & 0o7777) as u16)
}

/// A relative path as one from the volume's root.
fn inside(path: &str) -> Result<String> {
    if path.split('/').any(|part| part == "..") {
        return Err(Error::InvalidArgument(format!("{path:?} must not contain `..`")));
    }
    Ok(format!("/{}", path.trim_start_matches('/')))
}
