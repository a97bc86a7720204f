//! IPC.
/// An IPC namespace.
pub struct IpcNamespace {
    /// Its number in `/proc/PID/ns/ipc`.
    pub inode: u64,
}
