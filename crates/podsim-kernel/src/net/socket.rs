//! [`Socket`]: what every socket can do (Linux's `struct proto_ops`), and [`SocketFile`]: a socket as an open file.

use super::unix::UnixBinding;
use crate::fs::FileOps;
use podsim_sys::{
    AddressFamily, Credentials, DeviceNumber, Errno, FileType, Mode, MsgFlags, PollEvents, Result, Shutdown, SockAddr,
    SockOpt, SocketType, Stat,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// What an accepted connection is: the socket, and who connected.
pub type Accepted = (Arc<dyn Socket>, SockAddr);

/// An address as the kernel works with it: a Unix path has been looked up.
#[derive(Clone)]
pub enum Endpoint {
    /// IP address and port.
    Inet(SocketAddr),
    /// A Unix socket by its name.
    Unix {
        /// The path; one that begins with NUL is abstract.
        name: String,
        /// What is behind the path: the new socket inode's for `bind`, the one that was found for `connect`.
        binding: Option<Arc<UnixBinding>>,
    },
}

/// A socket. Nothing here waits: what would have to wait is [`Errno::EAGAIN`], and [`poll`](Socket::poll) tells when it
/// is worth another try; the waiting is in `syscall/net.rs`.
pub trait Socket: Send + Sync + 'static {
    /// Its family.
    fn family(&self) -> AddressFamily;
    /// Its type.
    fn kind(&self) -> SocketType;
    /// `bind(2)`; a Unix path has become an inode before (see [`super::unix`]).
    fn bind(&self, address: &Endpoint, credentials: &Credentials) -> Result<()>;
    /// `listen(2)`.
    fn listen(&self, backlog: u32) -> Result<()>;
    /// `accept(2)`; `inode` is the number that the new socket gets.
    fn accept(&self, inode: u64) -> Result<Accepted>;
    /// `connect(2)`. EINPROGRESS: the socket is writable once it is known.
    fn connect(&self, address: &Endpoint, nonblocking: bool) -> Result<()>;
    /// `sendto(2)`.
    fn send(&self, buf: &[u8], flags: MsgFlags, to: Option<&Endpoint>) -> Result<usize>;
    /// `recvfrom(2)`.
    fn recv(&self, buf: &mut [u8], flags: MsgFlags) -> Result<(usize, Option<SockAddr>, MsgFlags)>;
    /// `shutdown(2)`.
    fn shutdown(&self, how: Shutdown) -> Result<()>;
    /// `getsockname(2)`.
    fn local_address(&self) -> SockAddr;
    /// `getpeername(2)`.
    fn peer_address(&self) -> Result<SockAddr>;
    /// `setsockopt(2)`.
    fn set_option(&self, option: SockOpt) -> Result<()>;
    /// `getsockopt(2)`.
    fn option(&self, option: SockOpt) -> Result<SockOpt>;
    /// SO_RCVTIMEO and SO_SNDTIMEO; `None` waits for ever.
    fn timeouts(&self) -> (Option<Duration>, Option<Duration>);
    /// What is the case now; with a waker, it is woken at the next change.
    fn poll(&self, waker: Option<&Waker>) -> PollEvents;
    /// Its inode number, as in `socket:[123]`; 0 for a socket of the kernel itself.
    fn inode(&self) -> u64;
    /// The last descriptor is closed.
    fn release(&self);
}

/// A socket as an open file; the socket is released with it.
pub struct SocketFile(Arc<dyn Socket>);

impl SocketFile {
    /// The file of a socket.
    #[must_use]
    pub fn new(socket: Arc<dyn Socket>) -> Arc<Self> {
        Arc::new(Self(socket))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl FileOps for SocketFile {
    fn read_at(&self, buf: &mut [u8], _offset: u64) -> Result<usize> {
        self.0.recv(buf, MsgFlags::empty()).map(|(n, ..)| n)
    }

    fn write_at(&self, buf: &[u8], offset: u64, _append: bool) -> Result<(usize, u64)> {
        let n = self.0.send(buf, MsgFlags::empty(), None)?;
        Ok((n, offset))
    }

    fn poll(&self, waker: Option<&Waker>) -> PollEvents {
        self.0.poll(waker)
    }

    fn stat(&self) -> Result<Stat> {
        Ok(Stat {
            // sockfs is an anonymous filesystem; its minor number differs from boot to boot.
            dev: DeviceNumber { major: 0, minor: 8 },
            ino: self.0.inode(),
            file_type: FileType::Socket,
            mode: Mode(0o777),
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: DeviceNumber::default(),
            size: 0,
            blocks: 0,
            atime: Duration::ZERO,
            mtime: Duration::ZERO,
            ctime: Duration::ZERO,
        })
    }

    fn truncate(&self, _size: u64) -> Result<()> {
        Err(Errno::EINVAL)
    }

    fn socket(&self) -> Option<&Arc<dyn Socket>> {
        Some(&self.0)
    }

    fn anonymous_name(&self) -> Option<String> {
        Some(format!("socket:[{}]", self.0.inode()))
    }
}
