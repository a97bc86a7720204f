//! `netstat`, from `/proc/net`.

use crate::out;
use crate::util::files::{read_dir, read_link, read_text};
use crate::util::{Opts, Out, parse, procfs};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const STATES: [&str; 12] = [
    "",
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
];

/// `netstat [-ral] [-tuwx] [-enWp]`
pub fn main(args: &[String]) -> i32 {
    let opts = match parse(args, "raltuwxenWp", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let mut out = Out::stdout();
    if opts.has('r') {
        super::route::table(&mut out, opts.has('n'), !opts.has('e'));
        return out.finish("netstat", 0);
    }
    let all_kinds = opts.last_of("tuwx").is_none();
    let owners = if opts.has('p') { owners() } else { HashMap::new() };
    let which = match (opts.has('a'), opts.has('l')) {
        (true, _) => "servers and established",
        (_, true) => "only servers",
        _ => "w/o servers",
    };
    if all_kinds || opts.last_of("tuw").is_some() {
        out!(out, "Active Internet connections ({which})\n");
        let program = if opts.has('p') { " PID/Program name    " } else { "" };
        out!(
            out,
            "Proto Recv-Q Send-Q {:<23} {:<23} {:<11}{}\n",
            "Local Address",
            "Foreign Address",
            "State",
            if program.is_empty() { " " } else { program }
        );
        for (protocol, option) in [
            ("tcp", 't'),
            ("tcp6", 't'),
            ("udp", 'u'),
            ("udp6", 'u'),
            ("raw", 'w'),
            ("raw6", 'w'),
        ] {
            if all_kinds || opts.has(option) {
                let text = read_text(&format!("/proc/net/{protocol}")).unwrap_or_default();
                for socket in text.lines().skip(1).filter_map(|line| Socket::parse(line, protocol)) {
                    socket.show(&mut out, &opts, &owners);
                }
            }
        }
    }
    if all_kinds || opts.has('x') {
        unix(&mut out, &opts, which, &owners);
    }
    out.finish("netstat", 0)
}

struct Socket<'a> {
    protocol: &'a str,
    local: (IpAddr, u16),
    remote: (IpAddr, u16),
    state: usize,
    tx: u64,
    rx: u64,
    inode: u64,
}

impl<'a> Socket<'a> {
    /// A line of `/proc/net/tcp`: `sl local rem st tx:rx tr:when retrnsmt uid timeout inode`.
    fn parse(line: &str, protocol: &'a str) -> Option<Self> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (tx, rx) = fields.get(4)?.split_once(':')?;
        Some(Self {
            protocol,
            local: address(fields.get(1)?)?,
            remote: address(fields.get(2)?)?,
            state: usize::from_str_radix(fields.get(3)?, 16).ok()?,
            tx: u64::from_str_radix(tx, 16).ok()?,
            rx: u64::from_str_radix(rx, 16).ok()?,
            inode: fields.get(9)?.parse().ok()?,
        })
    }

    fn show(&self, out: &mut Out, opts: &Opts, owners: &HashMap<u64, String>) {
        let tcp = self.protocol.starts_with("tcp");
        let server = if tcp { self.state == 10 } else { self.remote.1 == 0 };
        if !opts.has('a') && opts.has('l') != server {
            return;
        }
        // An idle datagram socket has no state to show.
        let state = match (tcp, self.state) {
            (false, 7) => "",
            (_, state) => STATES.get(state).copied().unwrap_or(""),
        };
        let (local, remote) = (shown(self.local), shown(self.remote));
        let (protocol, rx, tx) = (self.protocol.trim_end_matches('6'), self.rx, self.tx);
        out!(out, "{protocol:<5} {rx:6} {tx:6} {local:<23} {remote:<23} {state:<12}");
        if opts.has('p') {
            out!(out, "{:<20}", owners.get(&self.inode).map_or("-", String::as_str));
        }
        out.text("\n");
    }
}

/// `0100007F:0050`; the words of the address are in the byte order of the machine.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Vec<u32> = (0..address.len())
        .step_by(8)
        .filter_map(|at| u32::from_str_radix(address.get(at..at + 8)?, 16).ok())
        .collect();
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    if let Ok(v4) = <[u8; 4]>::try_from(bytes.as_slice()) {
        return Some((Ipv4Addr::from(v4).into(), port));
    }
    let v6 = <[u8; 16]>::try_from(bytes.as_slice()).ok()?;
    Some((Ipv6Addr::from(v6).into(), port))
}

fn shown((address, port): (IpAddr, u16)) -> String {
    let port = if port == 0 { "*".to_owned() } else { port.to_string() };
    format!("{address}:{port}")
}

fn unix(out: &mut Out, opts: &Opts, which: &str, owners: &HashMap<u64, String>) {
    out!(out, "Active UNIX domain sockets ({which})\n");
    out!(out, "Proto RefCnt Flags       Type       State         I-Node");
    out!(
        out,
        "{} Path\n",
        if opts.has('p') { " PID/Program name    " } else { "" }
    );
    for line in read_text("/proc/net/unix").unwrap_or_default().lines().skip(1) {
        // Num RefCount Protocol Flags Type St Inode [Path]
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize, radix| {
            fields
                .get(index)
                .and_then(|f| u64::from_str_radix(f, radix).ok())
                .unwrap_or(0)
        };
        let (references, flags, kind, state, inode) = (
            number(1, 16),
            number(3, 16),
            number(4, 16),
            number(5, 16),
            number(6, 10),
        );
        let listening = flags & 0x1_0000 != 0;
        if !opts.has('a') && opts.has('l') != (listening || (state == 1 && opts.has('l'))) {
            continue;
        }
        let kind = match kind {
            1 => "STREAM",
            2 => "DGRAM",
            5 => "SEQPACKET",
            _ => "UNKNOWN",
        };
        let state = match state {
            1 if listening => "LISTENING",
            2 => "CONNECTING",
            3 => "CONNECTED",
            4 => "DISCONNECTING",
            _ => "",
        };
        let flags = if listening { "[ ACC ]" } else { "[ ]" };
        out!(
            out,
            "unix  {references:<6} {flags:<11} {kind:<10} {state:<13} {inode:6} "
        );
        if opts.has('p') {
            out!(out, "{:<20} ", owners.get(&inode).map_or("-", String::as_str));
        }
        out!(out, "{}\n", fields.get(7).copied().unwrap_or(""));
    }
}

/// `PID/NAME` by the inode of a socket, from the links in `/proc/PID/fd`.
fn owners() -> HashMap<u64, String> {
    let mut owners = HashMap::new();
    for process in procfs::all() {
        let dir = format!("/proc/{}/fd", process.pid);
        for entry in read_dir(&dir).unwrap_or_default() {
            let target = read_link(&format!("{dir}/{}", entry.name)).unwrap_or_default();
            let inode = target
                .strip_prefix("socket:[")
                .and_then(|rest| rest.strip_suffix(']')?.parse().ok());
            if let Some(inode) = inode {
                // The program as it calls itself, which may be a whole title.
                let name = process
                    .argv
                    .first()
                    .map_or(process.comm.as_str(), |argv0| crate::util::base_name(argv0));
                let text: String = format!("{}/{name}", process.pid).chars().take(19).collect();
                owners.entry(inode).or_insert(text);
            }
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_net_tcp_is_read() {
        let line =
            "   0: 0100007F:0050 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 4711 1 x";
        let socket = Socket::parse(line, "tcp").expect("parses");
        assert_eq!(shown(socket.local), "127.0.0.1:80");
        assert_eq!(shown(socket.remote), "0.0.0.0:*");
        assert_eq!((STATES[socket.state], socket.rx, socket.inode), ("LISTEN", 2, 4711));
        assert_eq!(
            shown(address("00000000000000000000000001000000:1F90").expect("parses")),
            "::1:8080"
        );
        assert_eq!(address("xyz"), None);
    }
}
