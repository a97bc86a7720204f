//! The loop: sockets, clients, times and signals.

use super::connection::{Connection, Wish};
use super::grpc::{Client, Health};
use super::{Request, Step};
use crate::golang::{errno, fatal, log, logf};
use crate::signals;
use busybox::util::dial;
use podsim_guest as sys;
use podsim_sys::{
    AddressFamily, Errno, Fd, MsgFlags, OpenFlags, PollEvents, PollFd, Signal, SockAddr, SockOpt, SocketType,
};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// What a program answers. `port` is that of the socket.
pub(crate) trait Service {
    /// An HTTP request.
    fn request(&mut self, port: u16, request: &Request) -> Vec<Step>;

    /// A datagram: what is sent back.
    fn datagram(&mut self, _port: u16, _data: &[u8], _from: SocketAddr) -> Option<Vec<u8>> {
        None
    }

    /// A connection that is not for HTTP: what is sent before it is closed.
    fn connected(&mut self, _port: u16, _from: SocketAddr) -> Vec<u8> {
        Vec::new()
    }

    /// `grpc.health.v1.Health/Check` of a service.
    fn health(&mut self, _service: &str) -> Health {
        Health::Unknown
    }

    /// SIGTERM has come: after this time the program ends with code 0.
    fn terminated(&mut self) -> Duration {
        Duration::ZERO
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Http,
    Grpc,
    Tcp,
    Udp,
}

struct Socket {
    kind: Kind,
    fd: Fd,
    port: u16,
}

/// Sockets that are listened on, and their clients.
#[derive(Default)]
pub(crate) struct Server {
    sockets: Vec<Socket>,
    connections: Vec<Connection>,
    health: Vec<Client>,
    /// The exit code, and when it comes at the latest.
    shutdown: Option<(i32, Duration)>,
    /// When SIGTERM's delay ends.
    end: Option<Duration>,
}

/// As Go shows an address: what came over IPv4 is an IPv4 address, also on a socket for both.
pub(crate) fn shown(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn open(kind: SocketType, ip: Option<IpAddr>, port: u16) -> Result<Fd, Errno> {
    let bound = |address: SocketAddr| {
        let flags = OpenFlags::CLOEXEC | OpenFlags::NONBLOCK;
        let fd = sys::socket(dial::family(&address), kind, flags)?;
        let prepare = || {
            if kind == SocketType::Stream {
                sys::setsockopt(fd, SockOpt::ReuseAddr(true))?;
            }
            if ip.is_none() && dial::family(&address) == AddressFamily::Inet6 {
                sys::setsockopt(fd, SockOpt::V6Only(false))?;
            }
            sys::bind(fd, &SockAddr::Inet(address))?;
            if kind == SocketType::Stream {
                sys::listen(fd, 128)
            } else {
                Ok(())
            }
        };
        prepare().map(|()| fd).inspect_err(|_| {
            let _ = sys::close(fd);
        })
    };
    match ip {
        Some(ip) => bound(SocketAddr::new(ip, port)),
        // Both families on one socket where there are both.
        None => match bound(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)) {
            Err(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL) => bound(SocketAddr::new([0, 0, 0, 0].into(), port)),
            result => result,
        },
    }
}

/// Go's `net.OpError` of a socket that could not be had.
fn listen_error(network: &str, ip: Option<IpAddr>, port: u16, error: Errno) -> String {
    let address = ip.map_or_else(|| format!(":{port}"), |ip| SocketAddr::new(ip, port).to_string());
    let call = if error == Errno::EADDRINUSE || error == Errno::EACCES || error == Errno::EADDRNOTAVAIL {
        "bind"
    } else {
        "socket"
    };
    format!("listen {network} {address}: {call}: {}", errno(error))
}

impl Server {
    /// Serves HTTP on a port of one address, or of every.
    pub(crate) fn http(&mut self, ip: Option<IpAddr>, port: u16) -> Result<(), String> {
        self.stream(Kind::Http, ip, port)
    }

    /// Serves health checks over gRPC.
    pub(crate) fn grpc(&mut self, port: u16) -> Result<(), String> {
        self.stream(Kind::Grpc, None, port)
    }

    /// Says something to whoever connects.
    pub(crate) fn tcp(&mut self, port: u16) -> Result<(), String> {
        self.stream(Kind::Tcp, None, port)
    }

    fn stream(&mut self, kind: Kind, ip: Option<IpAddr>, port: u16) -> Result<(), String> {
        let fd = open(SocketType::Stream, ip, port).map_err(|error| listen_error("tcp", ip, port, error))?;
        self.sockets.push(Socket { kind, fd, port });
        Ok(())
    }

    /// Answers datagrams on a port, of one address or of every.
    pub(crate) fn udp(&mut self, ip: Option<IpAddr>, port: u16) -> Result<(), String> {
        let fd = open(SocketType::Datagram, ip, port).map_err(|error| listen_error("udp", ip, port, error))?;
        self.sockets.push(Socket {
            kind: Kind::Udp,
            fd,
            port,
        });
        Ok(())
    }

    /// Runs until the program is to end; returns the exit code.
    pub(crate) fn run(mut self, service: &mut dyn Service) -> i32 {
        // A client that is gone is noticed by the write that fails.
        let _ = sys::ignore_signal(Signal::PIPE);
        loop {
            if signals::terminated() && self.end.is_none() {
                self.end = Some(sys::clock_monotonic() + service.terminated());
            }
            match self.turn(service) {
                Ok(None) => {}
                Ok(Some(code)) => return code,
                Err(error) => return fatal(&format!("poll: {}", errno(error))),
            }
        }
    }

    /// Waits once, and does what has become possible. `Some` is the exit code.
    fn turn(&mut self, service: &mut dyn Service) -> Result<Option<i32>, Errno> {
        let now = sys::clock_monotonic();
        if self.end.is_some_and(|end| end <= now) {
            return Ok(Some(0));
        }
        if let Some((code, deadline)) = self.shutdown {
            let late = deadline <= now;
            if late || self.connections.is_empty() {
                let result = if late { "context deadline exceeded" } else { "<nil>" };
                logf!("Graceful shutdown completed with: {result}");
                return Ok(Some(code));
            }
        }
        let entry = |(fd, events): (Fd, PollEvents)| PollFd {
            fd,
            events,
            revents: PollEvents::empty(),
        };
        let sockets = self.sockets.iter().map(|socket| (socket.fd, PollEvents::IN));
        let clients = self.connections.iter().map(Connection::interest);
        let checks = self.health.iter().map(|client| (client.fd(), PollEvents::IN));
        let mut entries: Vec<PollFd> = sockets.chain(clients).chain(checks).map(entry).collect();
        let times = self.connections.iter().filter_map(|client| client.wake(now));
        let times = times.chain(self.end).chain(self.shutdown.map(|(_, deadline)| deadline));
        let timeout = times.min().map(|time| time.saturating_sub(now));
        match sys::poll(&mut entries, timeout) {
            Err(Errno::EINTR) => return Ok(None),
            result => result?,
        };
        let mut ready = entries.iter().map(|entry| !entry.revents.is_empty());
        let mut next = |count: usize| ready.by_ref().take(count).collect::<Vec<bool>>();
        let (sockets, clients, checks) = (
            next(self.sockets.len()),
            next(self.connections.len()),
            next(self.health.len()),
        );
        // Before the clients: a shutdown among them closes some sockets.
        for (index, _) in sockets.iter().enumerate().filter(|(_, ready)| **ready) {
            self.socket(index, service);
        }
        let mut checks = checks.into_iter();
        self.health
            .retain_mut(|client| !checks.next().unwrap_or(false) || client.advance(service));
        Ok(self.clients(&clients, service))
    }

    fn socket(&mut self, index: usize, service: &mut dyn Service) {
        let Some(socket) = self.sockets.get(index) else { return };
        let port = socket.port;
        if socket.kind == Kind::Udp {
            answer_datagram(socket, service);
            return;
        }
        let (fd, peer) = match sys::accept(socket.fd, OpenFlags::CLOEXEC | OpenFlags::NONBLOCK) {
            Ok((fd, SockAddr::Inet(peer))) => (fd, shown(peer)),
            Ok((fd, SockAddr::Unix(_))) => {
                let _ = sys::close(fd);
                return;
            }
            Err(Errno::EINTR | Errno::EAGAIN | Errno::ECONNABORTED) => return,
            Err(error) => return log(&format!("http: Accept error: {}; retrying", errno(error))),
        };
        match socket.kind {
            Kind::Grpc => self.health.push(Client::new(fd)),
            Kind::Tcp => {
                // As short as it is, it has room; who is gone does not want it.
                let _ = sys::write_all(fd, &service.connected(port, peer));
                let _ = sys::close(fd);
            }
            Kind::Http | Kind::Udp => self.connections.push(Connection::new(fd, peer, port)),
        }
    }

    fn clients(&mut self, ready: &[bool], service: &mut dyn Service) -> Option<i32> {
        let mut kept = Vec::new();
        let mut code = None;
        for (index, mut client) in std::mem::take(&mut self.connections).into_iter().enumerate() {
            let ready = ready.get(index).copied().unwrap_or(false);
            loop {
                match client.advance(ready, self.shutdown.is_some(), service) {
                    Wish::Nothing => kept.push(client),
                    Wish::Close => {}
                    Wish::Exit(asked) => code = Some(asked),
                    Wish::Shutdown(asked, time) => {
                        self.shutdown = Some((asked, sys::clock_monotonic() + time));
                        // Its own answer, an empty one, is still to come.
                        client.finish();
                        continue;
                    }
                }
                break;
            }
        }
        self.connections = kept;
        if self.shutdown.is_some() {
            self.connections.retain(|client| !client.idle());
            for socket in self.sockets.extract_if(.., |socket| socket.kind == Kind::Http) {
                let _ = sys::close(socket.fd);
            }
        }
        code
    }
}

fn answer_datagram(socket: &Socket, service: &mut dyn Service) {
    let mut buffer = [0; 2048];
    let Ok((count, Some(SockAddr::Inet(from)), _)) = sys::recvfrom(socket.fd, &mut buffer, MsgFlags::empty()) else {
        return;
    };
    let data = buffer.get(..count).unwrap_or_default();
    if let Some(answer) = service.datagram(socket.port, data, shown(from))
        && let Err(error) = sys::sendto(socket.fd, &answer, MsgFlags::empty(), Some(&SockAddr::Inet(from)))
    {
        log(&format!("write udp {}: {}", shown(from), errno(error)));
    }
}
