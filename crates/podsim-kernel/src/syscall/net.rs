//! System calls on sockets, and on the interfaces and routes of the caller's network namespace.

use crate::fs::caller::Caller;
use crate::fs::{FileDescription, namei, names};
use crate::net::unix::UnixBinding;
use crate::net::{Endpoint, Socket, SocketFile};
use crate::task::Task;
use podsim_sys::*;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// `sizeof(sun_path)`.
const UNIX_PATH_MAX: usize = 108;
/// How long a blocking `connect(2)` tries: six SYNs with doubling distances (`tcp_syn_retries`).
const SYN_TIMEOUT: Duration = Duration::from_secs(127);

pub(super) fn socket(task: &Task, family: AddressFamily, kind: SocketType, flags: OpenFlags) -> Result<Fd> {
    let inode = task.kernel().allocate_anonymous_inode();
    let net = task.process.namespaces().net.clone();
    let socket = net.socket(family, kind, inode, &task.process.credentials())?;
    install(task, socket, flags)
}

pub(super) fn socketpair(task: &Task, kind: SocketType, flags: OpenFlags) -> Result<(Fd, Fd)> {
    let kernel = task.kernel();
    let inodes = [kernel.allocate_anonymous_inode(), kernel.allocate_anonymous_inode()];
    let net = task.process.namespaces().net.clone();
    let [a, b] = net.socketpair(kind, inodes).ok_or(Errno::ENETDOWN)?;
    let first = install(task, a, flags)?;
    match install(task, b, flags) {
        Ok(second) => Ok((first, second)),
        Err(errno) => {
            task.process.files.remove(first)?;
            Err(errno)
        }
    }
}

fn install(task: &Task, socket: Arc<dyn Socket>, flags: OpenFlags) -> Result<Fd> {
    let kept = OpenFlags::RDWR | (flags & OpenFlags::NONBLOCK);
    let file = FileDescription::new(SocketFile::new(socket), kept);
    task.process.files.insert(file, flags.contains(OpenFlags::CLOEXEC))
}

/// An open socket and its file; ENOTSOCK.
struct Open {
    file: Arc<FileDescription>,
    socket: Arc<dyn Socket>,
}

fn open(task: &Task, fd: Fd) -> Result<Open> {
    let file = task.process.files.get(fd)?;
    let socket = file.ops().socket().ok_or(Errno::ENOTSOCK)?.clone();
    Ok(Open { file, socket })
}

impl Open {
    fn nonblocking(&self) -> bool {
        self.file.flags().contains(OpenFlags::NONBLOCK)
    }

    /// Tries until the answer is not `again`, for at most `timeout`; the first answer counts with `no_wait`.
    async fn wait<T>(
        &self,
        task: &Task,
        no_wait: bool,
        timeout: Option<Duration>,
        mut attempt: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        match attempt() {
            Err(Errno::EAGAIN) if !no_wait => {}
            result => return result,
        }
        let clock = task.kernel().clock();
        let mut expiry = timeout.map(|timeout| sleep_until(clock, clock.monotonic().saturating_add(timeout)));
        let waiting = poll_fn(|cx| {
            self.socket.poll(Some(cx.waker()));
            match attempt() {
                Err(Errno::EAGAIN) => {}
                result => return Poll::Ready(result),
            }
            match expiry.as_mut().map(|expiry| Pin::new(expiry).poll(cx)) {
                Some(Poll::Ready(())) => Poll::Ready(Err(Errno::EAGAIN)),
                _ => Poll::Pending,
            }
        });
        task.interruptible(waiting).await?
    }
}

/// The address for `connect` and `sendto`: a Unix path is looked up, and must be writable.
fn destination(task: &Task, socket: &dyn Socket, address: &SockAddr) -> Result<Endpoint> {
    let name = match address {
        SockAddr::Inet(_) if socket.family() == AddressFamily::Unix => return Err(Errno::EINVAL),
        SockAddr::Inet(address) => return Ok(Endpoint::Inet(*address)),
        SockAddr::Unix(_) if socket.family() != AddressFamily::Unix => return Err(Errno::EAFNOSUPPORT),
        SockAddr::Unix(name) => name,
    };
    if name.is_empty() || name.len() > UNIX_PATH_MAX {
        return Err(Errno::EINVAL);
    }
    let binding = if name.starts_with('\0') {
        None
    } else {
        let caller = Caller::of(task);
        let found = namei::lookup(&caller, &caller.fs.cwd, name, true)?;
        found.inode().permission(&caller, Access::WRITE)?;
        let slot = found
            .inode()
            .slot()
            .filter(|_| found.inode().file_type() == FileType::Socket);
        Some(
            slot.and_then(|slot| slot.get::<UnixBinding>())
                .ok_or(Errno::ECONNREFUSED)?,
        )
    };
    Ok(Endpoint::Unix {
        name: name.clone(),
        binding,
    })
}

pub(super) fn bind(task: &Task, fd: Fd, address: &SockAddr) -> Result<()> {
    let open = open(task, fd)?;
    let credentials = task.process.credentials();
    let name = match address {
        SockAddr::Unix(name) if open.socket.family() == AddressFamily::Unix => name,
        SockAddr::Unix(_) => return Err(Errno::EAFNOSUPPORT),
        SockAddr::Inet(address) => return open.socket.bind(&Endpoint::Inet(*address), &credentials),
    };
    if name.len() > UNIX_PATH_MAX {
        return Err(Errno::EINVAL);
    }
    let mut endpoint = Endpoint::Unix {
        name: name.clone(),
        binding: None,
    };
    if !name.is_empty() && !name.starts_with('\0') {
        // The inode must not be made for a socket that cannot be bound any more.
        if open.socket.local_address() != SockAddr::Unix(String::new()) {
            return Err(Errno::EINVAL);
        }
        let caller = Caller::of(task);
        let made = names::mknod(
            &caller,
            &caller.fs.cwd,
            name,
            FileType::Socket,
            Mode(0o777),
            DeviceNumber::default(),
        );
        let made = made.map_err(|errno| {
            if errno == Errno::EEXIST {
                Errno::EADDRINUSE
            } else {
                errno
            }
        })?;
        let new = Arc::new(UnixBinding::default());
        // EPERM: a filesystem that keeps no sockets.
        made.inode().slot().ok_or(Errno::EPERM)?.set(new.clone());
        endpoint = Endpoint::Unix {
            name: name.clone(),
            binding: Some(new),
        };
    }
    open.socket.bind(&endpoint, &credentials)
}

pub(super) fn listen(task: &Task, fd: Fd, backlog: u32) -> Result<()> {
    open(task, fd)?.socket.listen(backlog)
}

pub(super) async fn accept(task: &Task, fd: Fd, flags: OpenFlags) -> Result<(Fd, SockAddr)> {
    let open = open(task, fd)?;
    let inode = task.kernel().allocate_anonymous_inode();
    let timeout = open.socket.timeouts().0;
    let accepted = open
        .wait(task, open.nonblocking(), timeout, || open.socket.accept(inode))
        .await;
    let (socket, peer) = accepted?;
    Ok((install(task, socket, flags)?, peer))
}

pub(super) async fn connect(task: &Task, fd: Fd, address: &SockAddr) -> Result<()> {
    let open = open(task, fd)?;
    let endpoint = destination(task, &*open.socket, address)?;
    let no_wait = open.nonblocking();
    let timeout = open.socket.timeouts().1;
    let first = open
        .wait(task, no_wait, timeout, || open.socket.connect(&endpoint, no_wait))
        .await;
    match first {
        Err(Errno::EINPROGRESS | Errno::EALREADY) if !no_wait => {}
        result => return result,
    }
    // The listener's queue is full. The second call of connect tells how it ended.
    let known = || {
        let events = open.socket.poll(None);
        if events.intersects(PollEvents::OUT | PollEvents::ERR | PollEvents::HUP) {
            Ok(())
        } else {
            Err(Errno::EAGAIN)
        }
    };
    match open.wait(task, false, timeout.or(Some(SYN_TIMEOUT)), known).await {
        Ok(()) => open.socket.connect(&endpoint, false),
        Err(Errno::EAGAIN) if timeout.is_some() => Err(Errno::EINPROGRESS),
        Err(Errno::EAGAIN) => {
            open.socket.shutdown(Shutdown::Both)?;
            Err(Errno::ETIMEDOUT)
        }
        Err(errno) => Err(errno),
    }
}

pub(super) async fn sendto(task: &Task, fd: Fd, buf: &[u8], flags: MsgFlags, to: Option<&SockAddr>) -> Result<usize> {
    let open = open(task, fd)?;
    let to = match to {
        Some(address) => Some(destination(task, &*open.socket, address)?),
        None => None,
    };
    let no_wait = open.nonblocking() || flags.contains(MsgFlags::DONTWAIT);
    let timeout = open.socket.timeouts().1;
    let stream = open.socket.kind() == SocketType::Stream;
    let mut sent = 0;
    loop {
        let rest = buf.get(sent..).unwrap_or_default();
        match open
            .wait(task, no_wait, timeout, || open.socket.send(rest, flags, to.as_ref()))
            .await
        {
            Ok(n) => sent += n,
            Err(_) if sent > 0 => return Ok(sent),
            Err(errno) => {
                if errno == Errno::EPIPE && stream && !flags.contains(MsgFlags::NOSIGNAL) {
                    task.kernel().send(&task.process, Signal::PIPE);
                }
                return Err(errno);
            }
        }
        // A stream that may wait takes all of it; a message goes whole or not at all.
        if !stream || no_wait || sent >= buf.len() {
            return Ok(sent);
        }
    }
}

pub(super) async fn recvfrom(
    task: &Task,
    fd: Fd,
    buf: &mut [u8],
    flags: MsgFlags,
) -> Result<(usize, Option<SockAddr>, MsgFlags)> {
    let open = open(task, fd)?;
    let no_wait = open.nonblocking() || flags.contains(MsgFlags::DONTWAIT);
    let timeout = open.socket.timeouts().0;
    let (mut received, from, out) = open
        .wait(task, no_wait, timeout, || open.socket.recv(buf, flags))
        .await?;
    let whole = open.socket.kind() == SocketType::Stream
        && flags.contains(MsgFlags::WAITALL)
        && !flags.contains(MsgFlags::PEEK)
        && !no_wait;
    while whole && received > 0 && received < buf.len() {
        let rest = buf.get_mut(received..).unwrap_or_default();
        // What was received before an end, an error or a signal counts.
        match open.wait(task, false, timeout, || open.socket.recv(rest, flags)).await {
            Ok((0, ..)) | Err(_) => break,
            Ok((n, ..)) => received += n,
        }
    }
    Ok((received, from, out))
}

pub(super) fn shutdown(task: &Task, fd: Fd, how: Shutdown) -> Result<()> {
    open(task, fd)?.socket.shutdown(how)
}

pub(super) fn getsockname(task: &Task, fd: Fd) -> Result<SockAddr> {
    Ok(open(task, fd)?.socket.local_address())
}

pub(super) fn getpeername(task: &Task, fd: Fd) -> Result<SockAddr> {
    open(task, fd)?.socket.peer_address()
}

pub(super) fn setsockopt(task: &Task, fd: Fd, option: SockOpt) -> Result<()> {
    open(task, fd)?.socket.set_option(option)
}

pub(super) fn getsockopt(task: &Task, fd: Fd, option: SockOpt) -> Result<SockOpt> {
    open(task, fd)?.socket.option(option)
}

pub(super) fn interfaces(task: &Task) -> Vec<Interface> {
    task.process.namespaces().net.interfaces()
}

pub(super) fn routes(task: &Task) -> Vec<Route> {
    task.process.namespaces().net.routes()
}

pub(super) fn net_config(task: &Task, change: NetConfig) -> Result<()> {
    if !task.process.credentials().capable(Capability::NET_ADMIN) {
        return Err(Errno::EPERM);
    }
    let mut mac = [0; 6];
    task.kernel().random(&mut mac);
    task.process.namespaces().net.configure(change, mac)
}
