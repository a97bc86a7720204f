//! mqueue: `/dev/mqueue`, the POSIX message queues of an IPC namespace as files (`ipc/mqueue.c`). A file of it is a queue's
//! status text, and the queue itself for `mq_send` and `mq_receive`.

use super::FileOps;
use super::caller::Caller;
use super::inode::{Inode, NewInode};
use super::pseudo::statfs;
use super::super_block::{FileSystem, SuperBlock, Vfs};
use crate::ipc::IpcNamespace;
use crate::ipc::mqueue::{MqueueRequest, PosixQueue, STATUS_SIZE};
use podsim_sys::{DeviceNumber, DirEntry, Errno, FileType, Mode, OpenFlags, PollEvents, Result, Stat, StatFs};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// The type of the filesystem.
struct Mqueue;

impl FileSystem for Mqueue {
    fn name(&self) -> &'static str {
        "mqueue"
    }

    fn statfs(&self) -> StatFs {
        statfs(0x1980_0202)
    }
}

/// A `/dev/mqueue` that shows the queues of a namespace.
#[must_use]
pub fn mount(vfs: &Vfs, ipc: &Arc<IpcNamespace>) -> Arc<SuperBlock> {
    let dev = vfs.new_device();
    let root = Arc::new(Directory {
        dev,
        created: vfs.clock().realtime(),
        ipc: ipc.clone(),
    });
    SuperBlock::new(Arc::new(Mqueue), dev, root)
}

/// The root directory, and the only one.
struct Directory {
    dev: DeviceNumber,
    created: Duration,
    ipc: Arc<IpcNamespace>,
}

impl Directory {
    fn inode(&self, queue: Arc<PosixQueue>) -> Arc<dyn Inode> {
        Arc::new(QueueInode {
            dev: Some(self.dev),
            queue,
        })
    }
}

impl Inode for Directory {
    fn file_type(&self) -> FileType {
        FileType::Directory
    }

    fn stat(&self) -> Result<Stat> {
        Ok(Stat {
            dev: self.dev,
            ino: 1,
            file_type: FileType::Directory,
            mode: Mode(0o777 | Mode::STICKY),
            nlink: 2,
            uid: 0,
            gid: 0,
            rdev: DeviceNumber::default(),
            size: 0,
            blocks: 0,
            atime: self.created,
            mtime: self.created,
            ctime: self.created,
        })
    }

    fn lookup(&self, name: &str) -> Result<Arc<dyn Inode>> {
        Ok(self.inode(self.ipc.mqueue(name)?))
    }

    fn create(&self, name: &str, new: &NewInode) -> Result<Arc<dyn Inode>> {
        if new.file_type != FileType::Regular {
            return Err(Errno::EPERM);
        }
        let request = MqueueRequest {
            mode: new.mode,
            uid: new.uid,
            gid: new.gid,
            ..MqueueRequest::default()
        };
        Ok(self.inode(self.ipc.create_mqueue(name, request)?))
    }

    fn unlink(&self, name: &str) -> Result<()> {
        self.ipc.unlink_mqueue(name)
    }

    fn read_dir(&self, start: u64, max: usize) -> Result<Vec<DirEntry>> {
        let skip = usize::try_from(start.saturating_sub(2)).unwrap_or(usize::MAX);
        let entries = (2..)
            .zip(self.ipc.mqueues())
            .skip(skip)
            .map(|(position, (name, queue))| DirEntry {
                ino: queue.inode,
                file_type: FileType::Regular,
                name,
                next: position + 1,
            });
        Ok(entries.take(max).collect())
    }

    fn open(self: Arc<Self>, _caller: &Caller, _flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
        Err(Errno::EISDIR)
    }
}

/// A queue, as an inode and as an open file.
pub(crate) struct QueueInode {
    /// `None`: it was opened by `mq_open(3)`, not through a mount.
    dev: Option<DeviceNumber>,
    queue: Arc<PosixQueue>,
}

impl QueueInode {
    /// A queue as `mq_open(3)` opens it.
    pub(crate) fn new(queue: Arc<PosixQueue>) -> Arc<Self> {
        Arc::new(Self { dev: None, queue })
    }
}

impl Inode for QueueInode {
    fn file_type(&self) -> FileType {
        FileType::Regular
    }

    fn stat(&self) -> Result<Stat> {
        let time = self.queue.created;
        let request = &self.queue.request;
        Ok(Stat {
            dev: self.dev.unwrap_or_default(),
            ino: self.queue.inode,
            file_type: FileType::Regular,
            mode: request.mode,
            nlink: 1,
            uid: request.uid,
            gid: request.gid,
            rdev: DeviceNumber::default(),
            size: STATUS_SIZE,
            blocks: 0,
            atime: time,
            mtime: time,
            ctime: time,
        })
    }

    fn open(self: Arc<Self>, _caller: &Caller, _flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
        Ok(self)
    }
}

impl FileOps for QueueInode {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let text = self.queue.status();
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| text.as_bytes().get(offset..));
        let rest = rest.unwrap_or_default();
        let n = rest.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        Ok(n)
    }

    fn seekable(&self) -> bool {
        true
    }

    fn poll(&self, waker: Option<&Waker>) -> PollEvents {
        if let Some(waker) = waker {
            self.queue.changed.register(waker);
        }
        self.queue.events()
    }

    fn stat(&self) -> Result<Stat> {
        Inode::stat(self)
    }

    fn mqueue(&self) -> Option<&Arc<PosixQueue>> {
        Some(&self.queue)
    }
}
