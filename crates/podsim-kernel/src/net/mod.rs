//! The network: namespaces with interfaces, addresses and routes as data; TCP, UDP and Unix sockets in memory.
//!
//! * [`NetNamespace`]: one stack. Two of them meet only through a veth pair and a bridge, as on a node.
//! * [`socket`]: the trait [`Socket`] (`struct proto_ops`) and [`SocketFile`], a socket as an open file.
//! * [`proc`]: the files of `/proc/net`, one function each.

pub mod proc;
pub mod socket;

pub use socket::{Socket, SocketFile};

use std::sync::Arc;

/// A network namespace: interfaces, routes, bound sockets.
pub struct NetNamespace {
    /// Its number in `/proc/PID/ns/net`.
    pub inode: u64,
}

impl NetNamespace {
    /// A new network namespace: only `lo`, and that is down (as after `unshare(CLONE_NEWNET)`).
    #[must_use]
    pub fn new(inode: u64) -> Arc<Self> {
        Arc::new(Self { inode })
    }
}
