//! System V IPC (`sysvipc(7)`) and POSIX message queues (`mq_overview(7)`), per [`IpcNamespace`].

pub mod proc;

use podsim_sys::Clock;
use std::sync::Arc;

/// An IPC namespace.
pub struct IpcNamespace {
    /// Its number in `/proc/PID/ns/ipc`.
    pub inode: u64,
    clock: Arc<dyn Clock>,
}

impl IpcNamespace {
    /// A new, empty IPC namespace. The clock gives the times of `ipcs`.
    #[must_use]
    pub fn new(inode: u64, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { inode, clock })
    }
}
