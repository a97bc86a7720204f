//! Volumes: a filesystem in memory each, which containers mount whole or in part.

use crate::node::Node;
use crate::rootfs::find_image;
use crate::stdio::describe;
use bytes::Bytes;
use podsim_cri::{Error, GroupAccess, Result, VolumeChange, VolumeConfig};
use podsim_kernel::fs::overlay::Overlay;
use podsim_kernel::fs::tmpfs::{Limits, Options, TmpFs};
use podsim_kernel::fs::{Caller, MountNamespace, PathRef, attr, namei, names};
use podsim_sys::{Errno, FileType, Mode, MountFlags, OpenFlags};
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
        if let Some(reference) = &config.image {
            let tree = node.layers.tree(find_image(&node.config.images, reference)?.as_ref())?;
            let sb = Overlay::mount(node.vfs(), &[tree], Limits::default());
            let flags = MountFlags::RDONLY | MountFlags::NOEXEC;
            let mounts = MountNamespace::new(node.vfs(), 0, &sb, "overlay", flags);
            return Ok(Self { config, mounts });
        }
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

    /// What is mounted: the whole volume, or what is at a path in it, which is made if nothing is there.
    pub(crate) fn path(&self, sub_path: Option<&str>) -> Result<PathRef> {
        let Some(sub_path) = sub_path else {
            return Ok(self.mounts.root());
        };
        part_of(&self.mounts, &self.mounts.root(), sub_path)
    }

    /// Changes what it holds.
    pub(crate) fn change(&self, changes: &[VolumeChange]) -> Result<()> {
        change(&self.mounts, changes)
    }

    /// Bytes that it takes.
    pub(crate) fn usage(&self) -> u64 {
        usage(&self.mounts)
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

/// Bytes that what was written to the root of these mounts takes.
pub(crate) fn usage(mounts: &MountNamespace) -> u64 {
    let stat = mounts.root().mount.sb().fs().statfs();
    stat.blocks
        .saturating_sub(stat.blocks_free)
        .saturating_mul(stat.block_size)
}

/// Changes what is in a tree of mounts.
pub(crate) fn change(mounts: &Arc<MountNamespace>, changes: &[VolumeChange]) -> Result<()> {
    let caller = mounts.kernel_caller();
    changes
        .iter()
        .try_for_each(|change| Tree(mounts).change(&caller, change))
}

/// What is changed.
struct Tree<'a>(&'a Arc<MountNamespace>);

impl Tree<'_> {
    fn change(&self, caller: &Caller, change: &VolumeChange) -> Result<()> {
        let root = self.0.root();
        let fail = |what: &str, path: &str, errno| describe(&format!("{what} {path}"), errno);
        match change {
            VolumeChange::Directory { path, mode: bits } => {
                let make = |at: &str| {
                    let made = names::mkdir(caller, &root, at, mode(*bits))?;
                    attr::chmod(caller, &made, mode(*bits))
                };
                make(&self.parent_checked(caller, path)?).map_err(|errno| fail("mkdir", path, errno))
            }
            VolumeChange::File {
                path,
                content,
                mode: bits,
                uid,
            } => {
                let at = self.parent_checked(caller, path)?;
                self.write(caller, &at, content, mode(*bits), *uid)
                    .map_err(|errno| fail("open", path, errno))
            }
            VolumeChange::Symlink { path, target } => {
                let at = self.parent_checked(caller, path)?;
                names::symlink(caller, target, &root, &at)
                    .map(drop)
                    .map_err(|errno| fail("symlink", path, errno))
            }
            VolumeChange::Rename { from, to } => {
                let (old, new) = (self.parent_checked(caller, from)?, self.parent_checked(caller, to)?);
                names::rename(caller, &root, &old, &root, &new).map_err(|errno| fail("rename", from, errno))
            }
            VolumeChange::Remove { path } => {
                let at = self.parent_checked(caller, path)?;
                self.0.remove_all(&at).map_err(|errno| fail("unlinkat", path, errno))
            }
            VolumeChange::Group {
                path,
                gid,
                access,
                only_on_mismatch,
            } => self
                .give(
                    caller,
                    &self.parent_checked(caller, path)?,
                    *gid,
                    *access,
                    *only_on_mismatch,
                )
                .map_err(|errno| fail("chown", path, errno)),
        }
    }

    /// A path of the volume, after it was seen that no symbolic link is on the way to its last name.
    fn parent_checked(&self, caller: &Caller, path: &str) -> Result<String> {
        let path = inside(path)?;
        let mut at = self.0.root();
        let parents = path.rsplit_once('/').map_or("", |(above, _)| above);
        for name in parents.split('/').filter(|name| !name.is_empty()) {
            at = namei::lookup(caller, &at, name, false).map_err(|errno| describe(&path, errno))?;
            if !at.is_dir() {
                return Err(describe(&path, Errno::ENOTDIR));
            }
        }
        Ok(path)
    }

    fn write(
        &self,
        caller: &Caller,
        path: &str,
        content: &[u8],
        mode: Mode,
        uid: Option<u32>,
    ) -> podsim_sys::Result<()> {
        let flags = OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::EXCL;
        let file = self.0.open_file(path, flags, mode)?;
        let mut rest = content;
        while !rest.is_empty() {
            let written = file.try_write(rest)?;
            rest = rest.get(written..).unwrap_or_default();
        }
        let at = file.path().ok_or(Errno::EIO)?;
        if uid.is_some() {
            attr::chown(caller, at, uid, None)?;
        }
        attr::chmod(caller, at, mode)
    }

    fn give(
        &self,
        caller: &Caller,
        path: &str,
        gid: u32,
        access: GroupAccess,
        only_on_mismatch: bool,
    ) -> podsim_sys::Result<()> {
        let top = namei::lookup(caller, &self.0.root(), path, false)?;
        let stat = top.stat()?;
        if only_on_mismatch && access.matches(gid, stat.gid, u32::from(stat.mode.0)) {
            return Ok(());
        }
        // A list instead of recursion, so that a deep tree takes no stack.
        let mut left = vec![top];
        while let Some(at) = left.pop() {
            let stat = at.stat()?;
            attr::chown(caller, &at, None, Some(gid))?;
            if stat.file_type == FileType::Symlink {
                continue;
            }
            let bits = access.mode(u32::from(stat.mode.0), at.is_dir());
            attr::chmod(caller, &at, mode(bits))?;
            if at.is_dir() {
                for entry in at.inode().read_dir(2, usize::MAX)? {
                    left.push(namei::lookup(caller, &at, &entry.name, false)?);
                }
            }
        }
        Ok(())
    }
}

/// What is at a path in something, which is the root for all symbolic links; directories with the mode of the whole are made if nothing is there.
pub(crate) fn part_of(mounts: &Arc<MountNamespace>, whole: &PathRef, path: &str) -> Result<PathRef> {
    let at = inside(path)?;
    let mut caller = mounts.kernel_caller();
    caller.fs.root = whole.clone();
    let find = || {
        match namei::lookup(&caller, whole, &at, true) {
            Err(Errno::ENOENT) => {}
            found => return found,
        }
        let mode = whole.stat()?.mode;
        let mut here = whole.clone();
        for name in at.split('/').filter(|name| !name.is_empty()) {
            here = match namei::lookup(&caller, &here, name, true) {
                Err(Errno::ENOENT) => {
                    let made = names::mkdir(&caller, &here, name, mode)?;
                    attr::chmod(&caller, &made, mode)?;
                    made
                }
                found => found?,
            };
        }
        Ok(here)
    };
    find().map_err(|errno| describe(path, errno))
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
