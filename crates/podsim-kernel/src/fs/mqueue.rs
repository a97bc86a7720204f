//! mqueue: `/dev/mqueue`. No call of this kernel makes POSIX message queues, so the directory is empty and stays so.

use super::caller::Caller;
use super::pseudo::statfs;
use super::super_block::{FileSystem, SuperBlock, Vfs};
use super::tree::{Item, TreeFs, mount};
use podsim_sys::{DeviceNumber, Errno, Result, StatFs};
use std::sync::Arc;
use std::time::Duration;

/// An instance of mqueue.
pub struct Mqueue {
    dev: DeviceNumber,
    created: Duration,
}

impl Mqueue {
    /// An empty `/dev/mqueue`.
    #[must_use]
    pub fn mount(vfs: &Vfs) -> Arc<SuperBlock> {
        mount(Arc::new(Self {
            dev: vfs.new_device(),
            created: vfs.clock().realtime(),
        }))
    }
}

impl FileSystem for Mqueue {
    fn name(&self) -> &'static str {
        "mqueue"
    }

    fn statfs(&self) -> StatFs {
        statfs(0x1980_0202)
    }
}

impl TreeFs for Mqueue {
    fn item(&self, path: &[&str]) -> Option<Item> {
        path.is_empty().then_some(Item::Dir(Vec::new()))
    }

    fn text(&self, _path: &[&str], _caller: &Caller) -> Result<String> {
        Err(Errno::EIO)
    }

    fn dev(&self) -> DeviceNumber {
        self.dev
    }

    fn created(&self) -> Duration {
        self.created
    }
}
