//! Names of hosts: `/etc/hosts`, then DNS over UDP to the servers of `/etc/resolv.conf` (`nsswitch.conf`: `files dns`).

use crate::{
    AddressFamily, Errno, Fd, MsgFlags, OpenFlags, PollEvents, PollFd, Result, SockAddr, SocketType, clock_monotonic,
    close, connect, getrandom, poll, recvfrom, sendto, socket,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum RecordType {
    /// IPv4 addresses.
    A = 1,
    /// The name of an address.
    Ptr = 12,
    /// IPv6 addresses.
    Aaaa = 28,
}

/// A record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// An address (A, AAAA).
    Address(IpAddr),
    /// Another name (CNAME, PTR).
    Name(String),
}

/// The answer of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 0 is success, 2 SERVFAIL, 3 NXDOMAIN.
    pub rcode: u8,
    /// The answer section: owner and record; types that are not known here are left out.
    pub records: Vec<(String, Record)>,
}

/// `/etc/resolv.conf`, see resolv.conf(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvConf {
    /// Servers in order.
    pub nameservers: Vec<IpAddr>,
    /// Suffixes to try.
    pub search: Vec<String>,
    /// A name with so many dots is tried as it is first.
    pub ndots: usize,
    /// How long one server may take.
    pub timeout: Duration,
    /// How often all are asked.
    pub attempts: u32,
}

impl ResolvConf {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Self {
        let mut conf = Self {
            nameservers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
        };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => conf
                    .nameservers
                    .extend(words.next().and_then(|w| w.parse::<IpAddr>().ok())),
                Some("search" | "domain") => conf.search = words.map(str::to_owned).collect(),
                Some("options") => words.for_each(|word| conf.option(word)),
                _ => {}
            }
        }
        if conf.nameservers.is_empty() {
            conf.nameservers.push(Ipv4Addr::LOCALHOST.into());
        }
        conf
    }

    fn option(&mut self, word: &str) {
        let Some((name, value)) = word.split_once(':') else {
            return;
        };
        let Ok(value) = value.parse::<u32>() else { return };
        match name {
            "ndots" => self.ndots = value.min(15) as usize,
            "timeout" => self.timeout = Duration::from_secs(value.clamp(1, 30).into()),
            "attempts" => self.attempts = value.clamp(1, 5),
            _ => {}
        }
    }

    /// The system's, or resolv.conf(5)'s defaults if there is none.
    pub fn system() -> Self {
        Self::parse(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
    }

    /// The names to ask for, in order.
    pub fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(absolute) = name.strip_suffix('.') {
            return vec![absolute.to_owned()];
        }
        let mut names: Vec<String> = self
            .search
            .iter()
            .map(|s| format!("{name}.{}", s.trim_end_matches('.')))
            .collect();
        let first = name.matches('.').count() >= self.ndots;
        names.insert(if first { 0 } else { names.len() }, name.to_owned());
        names
    }
}

/// The addresses of a host as `getaddrinfo(3)` finds them, IPv4 first: a literal address, `/etc/hosts`, DNS. ENOENT: no such
/// name; EAGAIN: no server answered.
pub fn resolve(name: &str) -> Result<Vec<IpAddr>> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(vec![address]);
    }
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let mut found = hosts_lookup(&hosts, name);
    if found.is_empty() {
        found = dns_lookup(&ResolvConf::system(), name)?;
    }
    found.sort_by_key(IpAddr::is_ipv6);
    Ok(found)
}

/// The addresses of a name in the text of a hosts(5) file.
pub fn hosts_lookup(hosts: &str, name: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for line in hosts.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(Ok(address)) = words.next().map(str::parse::<IpAddr>) else {
            continue;
        };
        if words.any(|word| word.eq_ignore_ascii_case(name)) && !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

/// Asks the servers of `conf` for the addresses of a name, with its search list.
pub fn dns_lookup(conf: &ResolvConf, name: &str) -> Result<Vec<IpAddr>> {
    let mut silent = false;
    for candidate in conf.candidates(name) {
        let mut found = Vec::new();
        for kind in [RecordType::A, RecordType::Aaaa] {
            match ask_all(conf, &candidate, kind) {
                Ok(answer) => found.extend(answer.records.into_iter().filter_map(|(_, record)| match record {
                    Record::Address(address) => Some(address),
                    Record::Name(_) => None,
                })),
                Err(Errno::EINVAL) => return Err(Errno::ENOENT),
                Err(_) => silent = true,
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
        if silent {
            break;
        }
    }
    Err(if silent { Errno::EAGAIN } else { Errno::ENOENT })
}

fn ask_all(conf: &ResolvConf, name: &str, kind: RecordType) -> Result<Answer> {
    let mut last = Errno::EAGAIN;
    for _ in 0..conf.attempts {
        for server in &conf.nameservers {
            match query(SocketAddr::new(*server, 53), name, kind, conf.timeout) {
                // SERVFAIL and its like: perhaps the next one knows.
                Ok(answer) if !matches!(answer.rcode, 0 | 3) => last = Errno::EAGAIN,
                Ok(answer) => return Ok(answer),
                Err(Errno::EINVAL) => return Err(Errno::EINVAL),
                Err(errno) => last = errno,
            }
        }
    }
    Err(last)
}

/// Asks one server. EINVAL: not a name that DNS can carry; EAGAIN: no answer in time; ECONNREFUSED and others as the
/// network says.
pub fn query(server: SocketAddr, name: &str, kind: RecordType, timeout: Duration) -> Result<Answer> {
    let mut id = [0; 2];
    getrandom(&mut id);
    let id = u16::from_le_bytes(id);
    let question = encode_query(id, name, kind).ok_or(Errno::EINVAL)?;
    let family = if server.is_ipv6() {
        AddressFamily::Inet6
    } else {
        AddressFamily::Inet
    };
    let fd = socket(family, SocketType::Datagram, OpenFlags::CLOEXEC)?;
    let result = exchange(fd, server, &question, id, timeout);
    // Nothing can be done about a failed close of a datagram socket.
    let _ = close(fd);
    result
}

fn exchange(fd: Fd, server: SocketAddr, question: &[u8], id: u16, timeout: Duration) -> Result<Answer> {
    connect(fd, &SockAddr::Inet(server))?;
    sendto(fd, question, MsgFlags::empty(), None)?;
    let deadline = clock_monotonic() + timeout;
    let mut buffer = [0; 4096];
    loop {
        let left = deadline.saturating_sub(clock_monotonic());
        let mut wait_for = [PollFd {
            fd,
            events: PollEvents::IN,
            revents: PollEvents::empty(),
        }];
        match poll(&mut wait_for, Some(left)) {
            Ok(0) => return Err(Errno::EAGAIN),
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno),
        }
        let (len, _, _) = recvfrom(fd, &mut buffer, MsgFlags::empty())?;
        // What is not the answer to our question is dropped, as a late answer to an earlier one would be.
        if let Some(answer) = buffer.get(..len).and_then(|bytes| decode_answer(bytes, id)) {
            return Ok(answer);
        }
    }
}

/// A query for one name (RFC 1035, section 4); `None` when a label is empty or too long.
pub fn encode_query(id: u16, name: &str, kind: RecordType) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(name.len() + 18);
    for word in [id, 0x0100, 1, 0, 0, 0] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    for label in name.trim_end_matches('.').split('.') {
        let len = u8::try_from(label.len()).ok().filter(|len| (1..=63).contains(len))?;
        out.push(len);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    for word in [kind as u16, 1] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    (name.len() <= 253).then_some(out)
}

/// Reads the answer to the query `id`; `None` when it is not one.
pub fn decode_answer(bytes: &[u8], id: u16) -> Option<Answer> {
    let mut at = 0;
    let answer_id = word(bytes, &mut at)?;
    let flags = word(bytes, &mut at)?;
    let (questions, answers) = (word(bytes, &mut at)?, word(bytes, &mut at)?);
    at += 4;
    if answer_id != id || flags & 0x8000 == 0 {
        return None;
    }
    for _ in 0..questions {
        label_sequence(bytes, &mut at)?;
        at += 4;
    }
    let mut records = Vec::new();
    for _ in 0..answers {
        let owner = label_sequence(bytes, &mut at)?;
        let kind = word(bytes, &mut at)?;
        at += 6;
        let len = usize::from(word(bytes, &mut at)?);
        let data = bytes.get(at..at.checked_add(len)?)?;
        let record = match kind {
            1 => <[u8; 4]>::try_from(data)
                .ok()
                .map(|ip| Record::Address(Ipv4Addr::from(ip).into())),
            28 => <[u8; 16]>::try_from(data)
                .ok()
                .map(|ip| Record::Address(Ipv6Addr::from(ip).into())),
            5 | 12 => Some(Record::Name(label_sequence(bytes, &mut at.clone())?)),
            _ => None,
        };
        records.extend(record.map(|record| (owner, record)));
        at += len;
    }
    Some(Answer {
        rcode: (flags & 0xf) as u8,
        records,
    })
}

fn word(bytes: &[u8], at: &mut usize) -> Option<u16> {
    let word = bytes.get(*at..*at + 2)?.try_into().ok().map(u16::from_be_bytes)?;
    *at += 2;
    Some(word)
}

/// A name, following compression (RFC 1035, 4.1.4) a bounded number of times; `at` moves behind its first part.
fn label_sequence(bytes: &[u8], at: &mut usize) -> Option<String> {
    let mut name = String::new();
    let mut position = *at;
    let mut jumped = false;
    for _ in 0..128 {
        let len = usize::from(*bytes.get(position)?);
        if len & 0xc0 == 0xc0 {
            let low = usize::from(*bytes.get(position + 1)?);
            if !jumped {
                *at = position + 2;
                jumped = true;
            }
            position = (len & 0x3f) << 8 | low;
            continue;
        }
        position += 1;
        if len == 0 {
            if !jumped {
                *at = position;
            }
            return Some(name);
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(&String::from_utf8_lossy(bytes.get(position..position + len)?));
        position += len;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `web.example` is an alias of `a.example`, which has an address; names are compressed.
    fn answer(id: u16) -> Vec<u8> {
        let mut bytes = encode_query(id, "web.example", RecordType::A).unwrap();
        bytes[2] = 0x81;
        bytes[7] = 2;
        bytes.extend_from_slice(b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x04\x01a\xc0\x10");
        bytes.extend_from_slice(b"\x01a\xc0\x10\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\x02\x03\x04");
        bytes
    }

    #[test]
    fn an_answer_is_read_through_aliases_and_compressed_names() {
        let answer = decode_answer(&answer(7), 7).unwrap();
        let alias = ("web.example".to_owned(), Record::Name("a.example".to_owned()));
        let address = (
            "a.example".to_owned(),
            Record::Address(Ipv4Addr::new(10, 2, 3, 4).into()),
        );
        assert_eq!(answer.rcode, 0);
        assert_eq!(answer.records, [alias, address]);
    }

    #[test]
    fn what_is_not_our_answer_is_refused() {
        let good = answer(7);
        assert_eq!(decode_answer(&good, 8), None, "another query's");
        for cut in 0..good.len() {
            assert_eq!(decode_answer(&good[..cut], 7), None, "cut at {cut}");
        }
        let mut endless = good.clone();
        let len = endless.len();
        endless[len - 16..len - 14].copy_from_slice(&(0xc000 | (len as u16 - 16)).to_be_bytes());
        assert_eq!(decode_answer(&endless, 7), None, "a name that points to itself");
    }

    #[test]
    fn a_query_is_made_only_for_a_name_that_dns_can_carry() {
        let long = "a".repeat(64);
        for (name, ok) in [
            ("a.b", true),
            ("a.b.", true),
            ("a..b", false),
            ("", false),
            (long.as_str(), false),
        ] {
            assert_eq!(encode_query(1, name, RecordType::A).is_some(), ok, "{name}");
        }
    }

    #[test]
    fn resolv_conf_says_which_names_are_tried_and_in_which_order() {
        let conf = ResolvConf::parse(
            "# the cluster\nnameserver 10.96.0.10\nsearch default.svc.cluster.local svc.cluster.local\noptions ndots:2 timeout:1\n",
        );
        assert_eq!(conf.nameservers, [IpAddr::from([10, 96, 0, 10])]);
        assert_eq!((conf.timeout, conf.attempts), (Duration::from_secs(1), 2));
        let names = conf.candidates("web.other");
        assert_eq!(
            names,
            [
                "web.other.default.svc.cluster.local",
                "web.other.svc.cluster.local",
                "web.other"
            ]
        );
        assert_eq!(conf.candidates("a.b.c")[0], "a.b.c");
        assert_eq!(conf.candidates("host."), ["host"]);
    }

    #[test]
    fn a_hosts_file_names_an_address_by_any_of_its_names() {
        let hosts = "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n10.9.8.7\tfoo.remote Bar.remote # x\n";
        assert_eq!(hosts_lookup(hosts, "bar.remote"), [IpAddr::from([10, 9, 8, 7])]);
        assert_eq!(hosts_lookup(hosts, "localhost").len(), 2);
        assert!(hosts_lookup(hosts, "x").is_empty());
    }
}
