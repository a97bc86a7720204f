//! devpts: the slaves of one set of ptys as files, and `ptmx` (`pts(4)`).

use super::FileOps;
use super::caller::Caller;
use super::inode::{Inode, SetAttr};
use super::super_block::{FileSystem, SuperBlock, Vfs};
use crate::tty::{PtyAttributes, PtyRegistry};
use podsim_sys::{DeviceNumber, DirEntry, Errno, FileType, Mode, OpenFlags, Result, Stat, StatFs};
use std::sync::Arc;
use std::time::Duration;

/// The group of new terminals: `tty` on most systems (`gid=5`).
const TTY_GID: u32 = 5;
/// The mode of new terminals (`mode=620`).
const SLAVE_MODE: Mode = Mode(0o620);

/// An instance of devpts.
pub struct DevPts {
    dev: DeviceNumber,
    created: Duration,
    registry: Arc<PtyRegistry>,
}

impl DevPts {
    /// Shows a set of ptys. Each container has its own (`newinstance`).
    #[must_use]
    pub fn mount(vfs: &Vfs, registry: &Arc<PtyRegistry>) -> Arc<SuperBlock> {
        let fs = Arc::new(Self {
            dev: vfs.new_device(),
            created: vfs.clock().realtime(),
            registry: registry.clone(),
        });
        let dev = fs.dev;
        let root = Arc::new(PtsNode {
            fs: fs.clone(),
            what: What::Root,
        });
        SuperBlock::new(fs, dev, root)
    }

    /// Owner and mode of a terminal that this user opens.
    #[must_use]
    pub fn attributes(uid: u32) -> PtyAttributes {
        PtyAttributes {
            uid,
            gid: TTY_GID,
            mode: SLAVE_MODE,
        }
    }
}

impl FileSystem for DevPts {
    fn name(&self) -> &'static str {
        "devpts"
    }

    fn statfs(&self) -> StatFs {
        super::pseudo::statfs(0x1cd1)
    }

    fn options(&self) -> String {
        format!("gid={TTY_GID},mode={:o},ptmxmode=666", SLAVE_MODE.0)
    }
}

#[derive(Clone, Copy)]
enum What {
    Root,
    Ptmx,
    Slave(u32),
}

struct PtsNode {
    fs: Arc<DevPts>,
    what: What,
}

impl Inode for PtsNode {
    fn file_type(&self) -> FileType {
        match self.what {
            What::Root => FileType::Directory,
            What::Ptmx | What::Slave(_) => FileType::CharDevice,
        }
    }

    fn is_valid(&self) -> bool {
        match self.what {
            What::Root | What::Ptmx => true,
            What::Slave(index) => self.fs.registry.attributes(index).is_some(),
        }
    }

    fn stat(&self) -> Result<Stat> {
        let device = |major, minor| DeviceNumber { major, minor };
        let (ino, mode, owner, rdev, nlink) = match self.what {
            What::Root => (1, Mode(0o755), (0, 0), device(0, 0), 2),
            What::Ptmx => (2, Mode(0o666), (0, 0), device(5, 2), 1),
            What::Slave(index) => {
                let attributes = self.fs.registry.attributes(index).ok_or(Errno::EIO)?;
                (
                    u64::from(index) + 3,
                    attributes.mode,
                    (attributes.uid, attributes.gid),
                    device(136, index),
                    1,
                )
            }
        };
        Ok(Stat {
            dev: self.fs.dev,
            ino,
            file_type: self.file_type(),
            mode,
            nlink,
            uid: owner.0,
            gid: owner.1,
            rdev,
            size: 0,
            blocks: 0,
            atime: self.fs.created,
            mtime: self.fs.created,
            ctime: self.fs.created,
        })
    }

    fn lookup(&self, name: &str) -> Result<Arc<dyn Inode>> {
        if !matches!(self.what, What::Root) {
            return Err(Errno::ENOTDIR);
        }
        let what = if name == "ptmx" {
            What::Ptmx
        } else {
            let index: u32 = name.parse().map_err(|_| Errno::ENOENT)?;
            let known = self.fs.registry.attributes(index).is_some() && index.to_string() == name;
            if !known {
                return Err(Errno::ENOENT);
            }
            What::Slave(index)
        };
        Ok(Arc::new(PtsNode {
            fs: self.fs.clone(),
            what,
        }))
    }

    fn read_dir(&self, start: u64, max: usize) -> Result<Vec<DirEntry>> {
        if !matches!(self.what, What::Root) {
            return Err(Errno::ENOTDIR);
        }
        let slaves = self
            .fs
            .registry
            .indexes()
            .into_iter()
            .map(|index| (u64::from(index) + 3, index.to_string()));
        let all = std::iter::once((2, "ptmx".to_owned())).chain(slaves);
        let entries = all.filter(|(ino, _)| *ino >= start).take(max);
        Ok(entries
            .map(|(ino, name)| DirEntry {
                ino,
                file_type: FileType::CharDevice,
                name,
                next: ino + 1,
            })
            .collect())
    }

    fn set_attr(&self, change: &SetAttr) -> Result<()> {
        let What::Slave(index) = self.what else {
            return Err(Errno::EPERM);
        };
        let old = self.fs.registry.attributes(index).ok_or(Errno::EIO)?;
        let new = PtyAttributes {
            uid: change.uid.unwrap_or(old.uid),
            gid: change.gid.unwrap_or(old.gid),
            mode: change.mode.unwrap_or(old.mode),
        };
        self.fs.registry.set_attributes(index, new);
        Ok(())
    }

    fn open(self: Arc<Self>, caller: &Caller, _flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
        match self.what {
            What::Root => Err(Errno::EISDIR),
            What::Ptmx => {
                let attributes = DevPts::attributes(caller.credentials.fsuid);
                self.fs.registry.open_ptmx(attributes).map(|(master, _)| master)
            }
            What::Slave(index) => self.fs.registry.slave(index),
        }
    }
}
