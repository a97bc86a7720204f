//! hostfs: a folder of this machine in the node's filesystem, over cap-std: nothing outside of the folder can be reached, neither by `..` nor
//! by symbolic links (the kernel walks those itself, inside the node).
//!
//! * [`mount`]: shows a folder or a file that was lent. `node` has the inodes, `file` the open files, `host` what of the machine's words is
//!   translated to Linux's.
//!
//! Who podsim runs as is root in there: its files are root's, and what anybody on the node makes is its own on the machine. Others' files
//! are `nobody`'s. Of folders that podsim keeps itself, [`owners`] knows better. Permissions are checked twice: by the virtual kernel, for the process, and by the machine, for podsim.

mod file;
mod host;
mod node;
#[cfg_attr(
    not(unix),
    expect(
        dead_code,
        reason = "inodes have a number on Unix only: elsewhere all files are root's"
    )
)]
mod owners;

use crate::stdio::describe;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use host::to_errno;
use node::{Lent, Node};
#[cfg(unix)]
use owners::Owners;
use podsim_cri::Result;
use podsim_cri::backend::LentFolder;
use podsim_kernel::fs::{FileSystem, Inode, MountNamespace, SuperBlock};
use podsim_sys::{DeviceNumber, Errno, MountFlags, StatFs};
use std::sync::Arc;

/// `V9FS_MAGIC`: what a folder of the machine is in a virtual one elsewhere.
const MAGIC: u64 = 0x0102_1997;

/// One lent folder.
struct HostFs;

impl FileSystem for HostFs {
    fn name(&self) -> &'static str {
        "9p"
    }

    /// How much room the machine has is not told.
    fn statfs(&self) -> StatFs {
        StatFs {
            magic: MAGIC,
            block_size: 4096,
            blocks: 0,
            blocks_free: 0,
            files: 0,
            files_free: 0,
        }
    }
}

/// Shows a lent folder or file in a namespace; the place is made if it is not there.
pub(crate) fn mount(mounts: &Arc<MountNamespace>, lent: &LentFolder, minor: u32) -> Result<()> {
    let show = || -> podsim_sys::Result<()> {
        let is_dir = std::fs::metadata(&lent.host)
            .map_err(|error| to_errno(&error))?
            .is_dir();
        // A file is shown out of its folder.
        let (folder, name) = if is_dir {
            (lent.host.as_path(), None)
        } else {
            let folder = lent.host.parent().ok_or(Errno::EINVAL)?;
            (folder, lent.host.file_name().and_then(|name| name.to_str()))
        };
        let dir = Dir::open_ambient_dir(folder, ambient_authority()).map_err(|error| to_errno(&error))?;
        let device = DeviceNumber {
            major: HOSTFS_MAJOR,
            minor,
        };
        let root = Node::root(
            dir,
            Arc::new(Lent {
                device,
                readonly: lent.readonly,
                #[cfg(unix)]
                owners: lent
                    .owners
                    .as_ref()
                    .map(|path| Owners::open(path).map_err(|error| to_errno(&error)))
                    .transpose()?,
            }),
        );
        let root: Arc<dyn Inode> = match name {
            None => root,
            Some(name) => root.lookup(name)?,
        };
        let sb = SuperBlock::new(Arc::new(HostFs), device, root);
        let flags = if lent.readonly {
            MountFlags::RDONLY
        } else {
            MountFlags::empty()
        };
        let outside = MountNamespace::new(mounts.vfs(), 0, &sb, "lent", flags);
        mounts
            .bind_at(&lent.node, &outside.root(), flags | MountFlags::RELATIME)
            .map(drop)
    };
    show().map_err(|errno| describe(&format!("cannot lend {} to the node", lent.host.display()), errno))
}

/// The major number of the devices that lent folders are on: one that Linux has for local use.
const HOSTFS_MAJOR: u32 = 60;
