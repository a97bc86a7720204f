//! Processes.
use parking_lot::RwLock;
use podsim_sys::Credentials;
use std::sync::Arc;

/// A process.
pub struct Process {
    /// Root, current directory and umask.
    pub fs: parking_lot::Mutex<crate::fs::FsContext>,
    /// Who it is.
    pub credentials: RwLock<Arc<Credentials>>,
    /// Its namespaces.
    pub ns: RwLock<Arc<crate::nsproxy::NsProxy>>,
}

/// A pid namespace.
pub struct PidNamespace {
    /// Its number in `/proc/PID/ns/pid`.
    pub inode: u64,
}
