//! Descriptors that a master hands to its children: listening sockets and open logs.
//!
//! nginx itself names the sockets in the variable `NGINX` when it starts a new program; here each worker is a new program
//! (there is no fork), and the logs go along because only root may open them.

use crate::config::{Config, Listen};
use podsim_guest as sys;
use podsim_sys::{AddressFamily, Errno, Fd, Mode, OpenFlags, SockAddr, SockOpt, SocketType};
use std::net::SocketAddr;

/// The variable: lines of `KIND NAME FD`.
pub(crate) const VARIABLE: &str = "NGINX";

/// What is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inherited {
    pub(crate) sockets: Vec<(SocketAddr, Fd)>,
    pub(crate) logs: Vec<(String, Fd)>,
}

impl Inherited {
    /// Reads the variable; what is not understood is left out.
    pub(crate) fn from_text(text: &str) -> Self {
        let mut this = Self::default();
        for line in text.lines() {
            let Some((rest, fd)) = line.rsplit_once(' ') else {
                continue;
            };
            let Some((kind, name)) = rest.split_once(' ') else {
                continue;
            };
            let Ok(fd) = fd.parse().map(Fd) else { continue };
            match (kind, name.parse()) {
                ("listen", Ok(address)) => this.sockets.push((address, fd)),
                ("log", _) => this.logs.push((name.to_owned(), fd)),
                _ => {}
            }
        }
        this
    }

    pub(crate) fn to_text(&self) -> String {
        let sockets = self
            .sockets
            .iter()
            .map(|(address, fd)| format!("listen {address} {}\n", fd.0));
        let logs = self.logs.iter().map(|(path, fd)| format!("log {path} {}\n", fd.0));
        sockets.chain(logs).collect()
    }

    /// Every descriptor.
    pub(crate) fn fds(&self) -> impl Iterator<Item = Fd> {
        self.sockets
            .iter()
            .map(|(_, fd)| *fd)
            .chain(self.logs.iter().map(|(_, fd)| *fd))
    }

    pub(crate) fn log(&self, path: &str) -> Option<Fd> {
        if path == "stderr" {
            return Some(Fd::STDERR);
        }
        self.logs.iter().find(|(name, _)| name == path).map(|(_, fd)| *fd)
    }

    /// Opens what the configuration needs and is not open yet, and closes what it does not need any more.
    pub(crate) fn prepare(&mut self, config: &Config) -> Result<(), String> {
        let wanted: Vec<SocketAddr> = addresses(config);
        for address in &wanted {
            if !self.sockets.iter().any(|(open, _)| open == address) {
                let fd =
                    listen(*address).map_err(|error| format!("bind() to {address} failed ({}: {error})", error.0))?;
                self.sockets.push((*address, fd));
            }
        }
        for path in log_paths(config) {
            if path != "stderr" && self.log(&path).is_none() {
                let fd = open_log(&path).map_err(|error| format!("open() \"{path}\" failed ({}: {error})", error.0))?;
                self.logs.push((path, fd));
            }
        }
        self.sockets.retain(|(address, fd)| {
            let keep = wanted.contains(address);
            if !keep {
                let _ = sys::close(*fd);
            }
            keep
        });
        Ok(())
    }

    /// Opens the logs anew under the same numbers (SIGUSR1: someone has moved the old files away).
    pub(crate) fn reopen_logs(&self) {
        for (path, fd) in &self.logs {
            // A worker may not have the right: then it goes on with the old file.
            if let Ok(new) = open_log(path) {
                let _ = sys::dup2(new, *fd, true);
                let _ = sys::close(new);
            }
        }
    }
}

fn addresses(config: &Config) -> Vec<SocketAddr> {
    let mut all: Vec<SocketAddr> = config
        .servers
        .iter()
        .flat_map(|server| &server.listen)
        .map(|listen: &Listen| listen.address)
        .collect();
    all.sort();
    all.dedup();
    // A socket on all addresses takes the connections of the others on its port.
    let any: Vec<SocketAddr> = all.iter().filter(|a| a.ip().is_unspecified()).copied().collect();
    all.retain(|a| a.ip().is_unspecified() || !any.iter().any(|b| b.port() == a.port() && b.is_ipv4() == a.is_ipv4()));
    all
}

fn log_paths(config: &Config) -> Vec<String> {
    let mut paths = vec![config.error_log.clone()];
    for server in &config.servers {
        let settings = std::iter::once(&server.settings).chain(server.locations.iter().map(|l| &l.settings));
        paths.extend(
            settings
                .filter_map(|s| s.access_log.as_ref())
                .map(|(path, _)| path.clone()),
        );
    }
    paths.sort();
    paths.dedup();
    paths
}

fn listen(address: SocketAddr) -> Result<Fd, Errno> {
    let family = if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    };
    let fd = sys::socket(family, SocketType::Stream, OpenFlags::CLOEXEC | OpenFlags::NONBLOCK)?;
    let result = (|| {
        sys::setsockopt(fd, SockOpt::ReuseAddr(true))?;
        if address.is_ipv6() {
            sys::setsockopt(fd, SockOpt::V6Only(true))?;
        }
        sys::bind(fd, &SockAddr::Inet(address))?;
        sys::listen(fd, 511)
    })();
    if result.is_err() {
        let _ = sys::close(fd);
    }
    result.map(|()| fd)
}

fn open_log(path: &str) -> Result<Fd, Errno> {
    let flags = OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::APPEND | OpenFlags::NOCTTY | OpenFlags::CLOEXEC;
    match sys::openat(Fd::CWD, path, flags, Mode(0o644)) {
        // What cannot be opened anew (a socket, another user's pipe) can still be written to.
        Err(error) => match sys::readlinkat(Fd::CWD, path).as_deref() {
            Ok("/dev/stdout" | "/proc/self/fd/1") => sys::dup(Fd::STDOUT, Fd(3), true),
            Ok("/dev/stderr" | "/proc/self/fd/2") => sys::dup(Fd::STDERR, Fd(3), true),
            _ => Err(error),
        },
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_arrives() {
        let inherited = Inherited {
            sockets: vec![(SocketAddr::from(([0, 0, 0, 0], 80)), Fd(6))],
            logs: vec![("/var/log/a b.log".to_owned(), Fd(7))],
        };
        assert_eq!(Inherited::from_text(&inherited.to_text()), inherited);
        assert_eq!(
            Inherited::from_text("nonsense\nlisten x 3\nlog\n"),
            Inherited::default()
        );
    }
}
