//! Network.
/// A network namespace: interfaces, routes, bound sockets.
pub struct NetNamespace {
    /// Its number in `/proc/PID/ns/net`.
    pub inode: u64,
}
/// A socket.
pub trait Socket: Send + Sync {}
