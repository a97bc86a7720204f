//! `nc`.

use crate::complain;
use crate::util::files::{read_some, write_all};
use crate::util::{Opts, child, dial, human, out::write_error, parse, show_usage};
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, OpenFlags, PollEvents, PollFd, Shutdown, SockAddr, SockOpt, SocketType};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// `nc [-lnuvzk] [-w SEC] [-p PORT] [-s ADDR] [-e PROG] [HOST] [PORT]`
pub fn main(args: &[String]) -> i32 {
    // Everything behind -e belongs to the program.
    let cut = args.iter().position(|arg| arg == "-e").unwrap_or(args.len());
    let (own, program) = args.split_at(cut);
    let program = program.get(1..).unwrap_or_default();
    let opts = match parse(own, "hlLp:w:i:nuvzks:q:46", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    match run(&opts, program) {
        Ok(code) => code,
        Err(message) => {
            complain!("nc", "{message}");
            1
        }
    }
}

fn run(opts: &Opts, program: &[String]) -> Result<i32, String> {
    let seconds = |option: char| match opts.value(option) {
        None => Ok(None),
        Some(text) => human::parse_duration(text)
            .map(Some)
            .ok_or_else(|| format!("invalid number '{text}'")),
    };
    let wait = seconds('w')?;
    let port = |text: &str| dial::port(text).ok_or_else(|| format!("bad port '{text}'"));
    let kind = if opts.has('u') {
        SocketType::Datagram
    } else {
        SocketType::Stream
    };
    if opts.has('l') {
        // `nc -l PORT`, `nc -l ADDR PORT` and `nc -l -p PORT`.
        let (host, number) = match (opts.value('p'), opts.args.as_slice()) {
            (Some(text), _) => (None, port(text)?),
            (None, [text]) => (None, port(text)?),
            (None, [host, text]) => (Some(host.as_str()), port(text)?),
            _ => return Ok(show_usage("nc")),
        };
        return listen(opts, host.or(opts.value('s')), number, kind, wait, program);
    }
    let [host, service] = opts.args.as_slice() else {
        return Ok(show_usage("nc"));
    };
    let (first, last) = match service.split_once('-') {
        Some((low, high)) if opts.has('z') => (port(low)?, port(high)?),
        _ => (port(service)?, port(service)?),
    };
    let address = dial::lookup(host).ok().and_then(|found| found.first().copied());
    let address = address.ok_or_else(|| format!("bad address '{host}'"))?;
    let mut code = 1;
    for number in first..=last {
        let remote = SocketAddr::new(address, number);
        match open(opts, remote, kind, wait) {
            Ok(fd) => {
                code = 0;
                if opts.has('v') {
                    write_error(&format!("{host} ({remote}) open\n"));
                }
                if !opts.has('z') {
                    return talk(fd, program, wait, seconds('q')?);
                }
                let _ = sys::close(fd);
            }
            Err(error) if !opts.has('z') || opts.has('v') => complain!("nc", "{host} ({remote}): {error}"),
            Err(_) => {}
        }
    }
    Ok(code)
}

fn open(opts: &Opts, remote: SocketAddr, kind: SocketType, wait: Option<Duration>) -> Result<Fd, Errno> {
    let fd = sys::socket(dial::family(&remote), kind, OpenFlags::CLOEXEC)?;
    let result = (|| {
        if opts.has('p') || opts.has('s') {
            let ip = match opts.value('s') {
                Some(text) => text.parse().map_err(|_| Errno::EADDRNOTAVAIL)?,
                None => any(&remote),
            };
            let port = opts.value('p').map_or(Some(0), dial::port).ok_or(Errno::EINVAL)?;
            sys::setsockopt(fd, SockOpt::ReuseAddr(true))?;
            sys::bind(fd, &SockAddr::Inet(SocketAddr::new(ip, port)))?;
        }
        dial::connect_fd(fd, remote, wait)
    })();
    if result.is_err() {
        let _ = sys::close(fd);
    }
    result.map(|()| fd)
}

fn any(remote: &SocketAddr) -> IpAddr {
    if remote.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        std::net::Ipv6Addr::UNSPECIFIED.into()
    }
}

fn listen(
    opts: &Opts,
    host: Option<&str>,
    port: u16,
    kind: SocketType,
    wait: Option<Duration>,
    program: &[String],
) -> Result<i32, String> {
    let ip = match host {
        None => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        Some(host) => {
            let found = dial::lookup(host).ok().and_then(|found| found.first().copied());
            found.ok_or_else(|| format!("bad address '{host}'"))?
        }
    };
    let local = SocketAddr::new(ip, port);
    let setup = |what: &'static str| move |error: Errno| format!("{what}: {error}");
    let fd = sys::socket(dial::family(&local), kind, OpenFlags::CLOEXEC).map_err(setup("socket"))?;
    sys::setsockopt(fd, SockOpt::ReuseAddr(true)).map_err(setup("setsockopt"))?;
    sys::bind(fd, &SockAddr::Inet(local)).map_err(setup("bind"))?;
    if kind == SocketType::Datagram {
        return listen_udp(opts, fd, local, wait, program);
    }
    sys::listen(fd, 16).map_err(setup("listen"))?;
    if opts.has('v') {
        let bound = sys::getsockname(fd).ok();
        if let Some(SockAddr::Inet(bound)) = bound {
            write_error(&format!("listening on {bound} ...\n"));
        }
    }
    let persistent = opts.has('k') || opts.count('l') > 1;
    loop {
        if let Some(limit) = wait
            && !dial::wait_for(fd, PollEvents::IN, Some(limit)).map_err(setup("poll"))?
        {
            return Err("timeout".to_owned());
        }
        let (connection, peer) = match sys::accept(fd, OpenFlags::CLOEXEC) {
            Ok(accepted) => accepted,
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(format!("accept: {error}")),
        };
        if opts.has('v')
            && let SockAddr::Inet(peer) = peer
        {
            write_error(&format!("connect to {local} from {} ({peer})\n", peer.ip()));
        }
        if !persistent {
            let _ = sys::close(fd);
            return talk(connection, program, wait, None);
        }
        if program.is_empty() {
            talk(connection, program, wait, None)?;
        } else {
            serve(connection, program)?;
        }
    }
}

/// The first datagram says who is on the other side.
fn listen_udp(
    opts: &Opts,
    fd: Fd,
    local: SocketAddr,
    wait: Option<Duration>,
    program: &[String],
) -> Result<i32, String> {
    let mut first = vec![0; 65536];
    let (count, from) = loop {
        match sys::recvfrom(fd, &mut first, podsim_sys::MsgFlags::empty()) {
            Ok((count, from, _)) => break (count, from),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(format!("recvfrom: {error}")),
        }
    };
    if let Some(peer) = &from {
        sys::connect(fd, peer).map_err(|error| format!("connect: {error}"))?;
        if opts.has('v')
            && let SockAddr::Inet(peer) = peer
        {
            write_error(&format!("connect to {local} from {} ({peer})\n", peer.ip()));
        }
    }
    if write_all(Fd::STDOUT, first.get(..count).unwrap_or_default()).is_err() {
        return Ok(1);
    }
    talk(fd, program, wait, None)
}

/// Runs a program on a connection in the background; its exit is collected at the next connection.
fn serve(connection: Fd, program: &[String]) -> Result<(), String> {
    use podsim_sys::{FdAction, WaitOptions, WaitTarget};
    let mut request = child::request(program, child::environ());
    request.fd_actions = vec![
        FdAction::Dup2 {
            from: connection,
            to: Fd::STDIN,
        },
        FdAction::Dup2 {
            from: connection,
            to: Fd::STDOUT,
        },
        FdAction::Dup2 {
            from: connection,
            to: Fd::STDERR,
        },
    ];
    let name = program.first().map_or("", String::as_str);
    sys::spawn(request).map_err(|error| format!("can't execute '{name}': {error}"))?;
    let _ = sys::close(connection);
    while let Ok(Some(_)) = sys::wait(WaitTarget::Any, WaitOptions::NOHANG) {}
    Ok(())
}

/// Copies both ways until the other side has ended.
fn talk(fd: Fd, program: &[String], wait: Option<Duration>, after_eof: Option<Duration>) -> Result<i32, String> {
    if !program.is_empty() {
        for target in [Fd::STDIN, Fd::STDOUT, Fd::STDERR] {
            sys::dup2(fd, target, false).map_err(|error| format!("dup2: {error}"))?;
        }
        return Ok(child::exec("nc", program, child::environ()));
    }
    let mut buffer = [0; 16384];
    let mut input_open = true;
    loop {
        let entry = |fd: Fd| PollFd {
            fd,
            events: PollEvents::IN,
            revents: PollEvents::empty(),
        };
        let mut entries = [entry(fd), entry(if input_open { Fd::STDIN } else { Fd(-1) })];
        let limit = if input_open { wait } else { after_eof.or(wait) };
        match sys::poll(&mut entries, limit) {
            Ok(0) => return Ok(0),
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(format!("poll: {error}")),
        }
        // Input first: what is there is sent even when the other side has ended already.
        if !entries[1].revents.is_empty() {
            match read_some(Fd::STDIN, &mut buffer) {
                Ok(count) if count > 0 => {
                    if let Err(error) = write_all(fd, buffer.get(..count).unwrap_or_default()) {
                        return Err(format!("write error: {error}"));
                    }
                }
                _ => {
                    input_open = false;
                    // A datagram socket has nothing to close: it just goes on listening.
                    let _ = sys::shutdown(fd, Shutdown::Write);
                }
            }
        }
        if !entries[0].revents.is_empty() {
            match read_some(fd, &mut buffer) {
                Ok(0) | Err(Errno::ECONNRESET) => return Ok(0),
                Ok(count) => {
                    if write_all(Fd::STDOUT, buffer.get(..count).unwrap_or_default()).is_err() {
                        return Ok(1);
                    }
                }
                Err(error) => return Err(format!("read error: {error}")),
            }
        }
    }
}
