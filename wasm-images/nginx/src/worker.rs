//! A worker process: accepts connections and answers requests, one at a time, in a loop around `poll(2)`.

use crate::config::{Config, Level, Place};
use crate::connection::{Connection, Worker};
use crate::errorlog::{ErrorLog, say};
use crate::inherit::{Inherited, VARIABLE};
use crate::route::Peer;
use crate::signals::{self, Asked};
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, OpenFlags, PollEvents, PollFd, Signal, SockAddr};
use std::net::SocketAddr;
use std::time::Duration;

/// Runs until it is told to stop; returns the exit code. 2 says that another worker would not do better.
pub(crate) fn main(place: &Place) -> i32 {
    let config = match crate::config::load(place) {
        Ok(config) => config,
        Err(message) => {
            say(Level::Emerg, &message);
            return 2;
        }
    };
    let inherited = Inherited::from_text(&busybox::util::child::variable(VARIABLE).unwrap_or_default());
    let log = ErrorLog {
        fd: inherited.log(&config.error_log).unwrap_or(Fd::STDERR),
        level: config.error_level,
    };
    for fd in inherited.fds() {
        // Programs that this one might start have no business with them.
        let _ = sys::set_cloexec(fd, true);
    }
    if let Err((call, error)) = drop_rights(&config) {
        log.write(Level::Emerg, &format!("{call} failed ({}: {error})", error.0));
        return 2;
    }
    sys::set_title("nginx: worker process");
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT, Signal::USR1] {
        if let Err(error) = signals::catch(signal) {
            log.write(Level::Alert, &format!("sigaction() failed ({}: {error})", error.0));
            return 2;
        }
    }
    // Reloading and upgrading are the master's work; a worker that is hung up on goes on.
    for signal in [Signal::HUP, Signal::PIPE, Signal::WINCH] {
        let _ = sys::ignore_signal(signal);
    }
    Loop {
        config: &config,
        inherited,
        log,
        connections: Vec::new(),
        accepted: 0,
        quitting: false,
    }
    .run()
}

fn drop_rights(config: &Config) -> Result<(), (&'static str, Errno)> {
    let Some((uid, gid)) = config.user else { return Ok(()) };
    sys::setgroups(vec![gid]).map_err(|error| ("setgroups()", error))?;
    sys::setresgid(Some(gid), Some(gid), Some(gid)).map_err(|error| ("setgid()", error))?;
    sys::setresuid(Some(uid), Some(uid), Some(uid)).map_err(|error| ("setuid()", error))
}

struct Loop<'a> {
    config: &'a Config,
    inherited: Inherited,
    log: ErrorLog,
    connections: Vec<Connection>,
    accepted: u64,
    quitting: bool,
}

impl Loop<'_> {
    fn run(mut self) -> i32 {
        loop {
            match signals::take() {
                Some(Asked::Terminate) => {
                    self.log.notice("exiting");
                    self.log.notice("exit");
                    return 0;
                }
                Some(Asked::Quit) if !self.quitting => {
                    self.log.notice("gracefully shutting down");
                    sys::set_title("nginx: worker process is shutting down");
                    self.quitting = true;
                    for (_, fd) in std::mem::take(&mut self.inherited.sockets) {
                        let _ = sys::close(fd);
                    }
                    self.connections.retain(|connection| !connection.idle());
                }
                Some(Asked::Reopen) => {
                    self.log.notice("reopening logs");
                    self.inherited.reopen_logs();
                }
                _ => {}
            }
            if self.quitting && self.connections.is_empty() {
                self.log.notice("exiting");
                self.log.notice("exit");
                return 0;
            }
            if let Err(error) = self.turn() {
                self.log
                    .write(Level::Alert, &format!("poll() failed ({}: {error})", error.0));
                return 1;
            }
        }
    }

    /// Waits once, and does what has become possible.
    fn turn(&mut self) -> Result<(), Errno> {
        let now = sys::clock_monotonic();
        let timeout = self.connections.iter().map(|c| c.deadline.saturating_sub(now)).min();
        let entry = |fd: Fd, events: PollEvents| PollFd {
            fd,
            events,
            revents: PollEvents::empty(),
        };
        let listeners = self.inherited.sockets.len();
        let full = self.connections.len() >= self.config.connections;
        let mut entries: Vec<PollFd> = Vec::with_capacity(listeners + self.connections.len());
        for (_, fd) in &self.inherited.sockets {
            // A full worker lets new connections wait.
            entries.push(entry(if full { Fd(-1) } else { *fd }, PollEvents::IN));
        }
        entries.extend(
            self.connections
                .iter()
                .map(|connection| entry(connection.fd, connection.events())),
        );
        // A little more than the time that is left, so that it is over when we look.
        match sys::poll(&mut entries, timeout.map(|left| left + Duration::from_millis(1))) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(()),
            Err(error) => return Err(error),
        }
        let (listening, connected) = entries.split_at(listeners.min(entries.len()));
        let now = sys::clock_monotonic();
        let worker = Worker {
            config: self.config,
            inherited: &self.inherited,
            log: self.log,
            quitting: self.quitting,
        };
        let mut ready = connected.iter().map(|entry| !entry.revents.is_empty());
        self.connections.retain_mut(|connection| {
            if ready.next().unwrap_or(false) {
                return connection.advance(&worker);
            }
            if connection.deadline <= now {
                connection.expire(&worker);
                return false;
            }
            true
        });
        let ready: Vec<Fd> = listening
            .iter()
            .filter(|e| !e.revents.is_empty())
            .map(|e| e.fd)
            .collect();
        for fd in ready {
            self.accept(fd)?;
        }
        Ok(())
    }

    fn accept(&mut self, listener: Fd) -> Result<(), Errno> {
        while self.connections.len() < self.config.connections {
            let (fd, client) = match sys::accept(listener, OpenFlags::NONBLOCK | OpenFlags::CLOEXEC) {
                Ok((fd, SockAddr::Inet(client))) => (fd, client),
                Ok((fd, SockAddr::Unix(_))) => {
                    let _ = sys::close(fd);
                    continue;
                }
                Err(Errno::EAGAIN | Errno::EINTR) => return Ok(()),
                // The client gave up before we came to it.
                Err(Errno::ECONNABORTED) => continue,
                Err(error) => {
                    self.log
                        .write(Level::Crit, &format!("accept4() failed ({}: {error})", error.0));
                    return Ok(());
                }
            };
            let Ok(SockAddr::Inet(local)) = sys::getsockname(fd) else {
                let _ = sys::close(fd);
                continue;
            };
            self.accepted += 1;
            let peer = Peer {
                client: plain(client),
                local: plain(local),
                connection: self.accepted,
            };
            let worker = Worker {
                config: self.config,
                inherited: &self.inherited,
                log: self.log,
                quitting: self.quitting,
            };
            let mut connection = Connection::new(fd, peer, &worker);
            if connection.advance(&worker) {
                self.connections.push(connection);
            }
        }
        Ok(())
    }
}

/// IPv4 addresses in IPv6 clothes are shown as what they are.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
