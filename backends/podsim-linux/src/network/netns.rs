//! Network namespaces as file descriptors, and work in them.
//!
//! A thread that enters a namespace is one that was made for it and ends with the work: the caller's thread, which may be a
//! worker of tokio's, never changes.

use crate::netlink::Netlink;
use podsim_cri::backend::Dial;
use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::thread::{LinkNameSpaceType, ThreadNameSpaceType, UnshareFlags};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

/// Enough for a few system calls.
const STACK: usize = 256 << 10;

/// A network namespace. It lives as long as this does, with or without processes in it.
#[derive(Clone, Debug)]
pub struct NetNs {
    fd: Arc<OwnedFd>,
}

impl NetNs {
    /// The calling thread's.
    pub fn current() -> io::Result<Self> {
        Self::open("/proc/thread-self/ns/net")
    }

    /// A process's, by its number.
    pub fn of_pid(pid: u32) -> io::Result<Self> {
        Self::open(&format!("/proc/{pid}/ns/net"))
    }

    /// A process's, by its file descriptor (`pidfd_open(2)`). The caller needs the rights to enter it.
    pub fn of_pidfd(pidfd: BorrowedFd<'_>) -> io::Result<Self> {
        in_a_thread(|| {
            rustix::thread::move_into_thread_name_spaces(pidfd, ThreadNameSpaceType::NETWORK)?;
            Self::current()
        })?
    }

    /// A new one, empty but for `lo`, which is down.
    pub fn new() -> io::Result<Self> {
        in_a_thread(|| {
            unshare_network()?;
            Self::current()
        })?
    }

    fn open(path: &str) -> io::Result<Self> {
        let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(fd.into())
    }

    /// The inode number that it is known by.
    pub fn inode(&self) -> io::Result<u64> {
        Ok(std::fs::File::from(self.fd.try_clone()?).metadata()?.ino())
    }

    /// Does something in it, in a thread of its own. A panic there is one here.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        in_a_thread(|| {
            self.enter()?;
            Ok(work())
        })?
    }

    /// The same for async code, which must not wait for a thread.
    async fn run_async<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let ns = self.clone();
        let thread = std::thread::Builder::new().name("netns".to_owned()).stack_size(STACK);
        thread.spawn(move || {
            // Nobody waits any more if it cannot be sent.
            let _ = sender.send(ns.enter().and_then(|()| work()));
        })?;
        receiver.await.map_err(io::Error::other)?
    }

    fn enter(&self) -> io::Result<()> {
        Ok(rustix::thread::move_into_link_name_space(
            self.fd.as_fd(),
            Some(LinkNameSpaceType::Network),
        )?)
    }

    /// A connection to the kernel about its interfaces; usable from any thread.
    pub fn netlink(&self) -> crate::network::Result<Netlink> {
        let opened = self.run(Netlink::open);
        Ok(opened.map_err(super::Error::host("enter a network namespace"))??)
    }

    async fn socket(&self, address: IpAddr, kind: SocketType) -> io::Result<OwnedFd> {
        let family = match address {
            IpAddr::V4(_) => AddressFamily::INET,
            IpAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        self.run_async(move || Ok(rustix::net::socket_with(family, kind, flags, None)?))
            .await
    }

    /// Listens on an address in it.
    pub async fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let socket = self.socket(address.ip(), SocketType::STREAM).await?;
        let socket = TcpSocket::from_std_stream(socket.into());
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(1024)
    }

    /// A datagram socket with an address in it.
    pub async fn bind_udp(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        let socket = self.socket(address.ip(), SocketType::DGRAM).await?;
        rustix::net::bind(&socket, &address)?;
        UdpSocket::from_std(socket.into())
    }
}

impl Dial for NetNs {
    type Stream = TcpStream;
    type Datagrams = UdpSocket;

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = self.socket(address.ip(), SocketType::STREAM).await?;
        TcpSocket::from_std_stream(socket.into()).connect(address).await
    }

    async fn connect_udp(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        let socket = self.socket(address.ip(), SocketType::DGRAM).await?;
        rustix::net::connect(&socket, &address)?;
        UdpSocket::from_std(socket.into())
    }
}

impl AsFd for NetNs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<OwnedFd> for NetNs {
    fn from(fd: OwnedFd) -> Self {
        Self { fd: Arc::new(fd) }
    }
}

fn in_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("netns".to_owned()).stack_size(STACK);
        match thread.spawn_scoped(scope, work)?.join() {
            Ok(done) => Ok(done),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[expect(unsafe_code, reason = "rustix's unshare is unsafe because of one of its flags")]
fn unshare_network() -> io::Result<()> {
    // SAFETY: file descriptors (`FILES`) are not unshared.
    Ok(unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }?)
}
