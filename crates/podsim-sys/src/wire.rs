//! How the types of this crate are written into a guest's memory and read from it: the message format of the `podsim_v1`
//! calls (see [`crate::podsim_v1_calls`]).
//!
//! Little-endian and without padding, one field after the other: integers and flag words by their width, lengths and
//! counts as `u32`, `bool` and `Option` as one byte, an enum as one byte (its variant, in the order below) and its
//! fields, a duration as `u64` seconds and `u32` nanoseconds. Reading never panics and never allocates more than the
//! message is long: a bad message is `None`.

use crate::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// A value that can be written into a message.
pub trait Put {
    /// Appends the value.
    fn put(&self, out: &mut Vec<u8>);
}

/// A value that can be read from a message.
pub trait Take: Sized {
    /// Reads the value from the front of `input` and moves `input` behind it; `None` when it is not one.
    fn take(input: &mut &[u8]) -> Option<Self>;
}

/// Reads a whole message: nothing may be left over.
pub fn decode<T: Take>(mut message: &[u8]) -> Option<T> {
    let value = T::take(&mut message)?;
    message.is_empty().then_some(value)
}

/// Writes one value as a message.
pub fn encode<T: Put + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    value.put(&mut out);
    out
}

fn bytes<'a>(input: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, rest) = input.split_at_checked(len)?;
    *input = rest;
    Some(head)
}

fn put_len(len: usize, out: &mut Vec<u8>) {
    u32::try_from(len).unwrap_or(u32::MAX).put(out);
}

fn take_len(input: &mut &[u8]) -> Option<usize> {
    usize::try_from(u32::take(input)?).ok()
}

macro_rules! integers {
    ($($int:ty),*) => {$(
        impl Put for $int {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
        impl Take for $int {
            fn take(input: &mut &[u8]) -> Option<Self> {
                bytes(input, size_of::<$int>())?.try_into().ok().map(<$int>::from_le_bytes)
            }
        }
    )*};
}
integers!(u8, u16, u32, u64, i8, i16, i32, i64);

/// Values that travel as another one: how to get there and (perhaps) back.
macro_rules! via {
    ($($type:ty as $other:ty: $to:expr, $from:expr;)*) => {$(
        impl Put for $type {
            fn put(&self, out: &mut Vec<u8>) {
                let to: fn(&$type) -> $other = $to;
                to(self).put(out);
            }
        }
        impl Take for $type {
            fn take(input: &mut &[u8]) -> Option<Self> {
                let from: fn($other) -> Option<$type> = $from;
                from(<$other>::take(input)?)
            }
        }
    )*};
}

via! {
    usize as u64: |v| *v as u64, |v| v.try_into().ok();
    bool as u8: |v| u8::from(*v), |v| (v < 2).then_some(v == 1);
    Duration as (u64, u32): |v| (v.as_secs(), v.subsec_nanos()), |(s, n)| (n < 1_000_000_000).then(|| Duration::new(s, n));
    Fd as i32: |v| v.0, |v| Some(Fd(v));
    Pid as i32: |v| v.0, |v| Some(Pid(v));
    Mode as u16: |v| v.0, |v| Some(Mode(v & 0o7777));
    Errno as u16: |v| v.0, |v| Some(Errno(v));
    CapSet as u64: |v| v.0, |v| Some(CapSet(v));
    SigSet as u64: |v| v.0, |v| Some(SigSet(v));
    Signal as u8: |v| v.number(), Signal::new;
    Resource as u8: |v| *v as u8, |v| Resource::ALL.get(usize::from(v)).copied();
    OpenFlags as u32: |v| v.bits(), |v| Some(OpenFlags::from_bits_truncate(v));
    Access as u8: |v| v.bits(), Access::from_bits;
    MountFlags as u32: |v| v.bits(), |v| Some(MountFlags::from_bits_truncate(v));
    PollEvents as u16: |v| v.bits(), |v| Some(PollEvents::from_bits_truncate(v));
    WaitOptions as u32: |v| v.bits(), WaitOptions::from_bits;
    CloneFlags as u32: |v| v.bits(), CloneFlags::from_bits;
    MsgFlags as u32: |v| v.bits(), |v| Some(MsgFlags::from_bits_truncate(v));
    InterfaceFlags as u32: |v| v.bits(), |v| Some(InterfaceFlags::from_bits_truncate(v));
    InputFlags as u32: |v| v.bits(), |v| Some(InputFlags::from_bits_retain(v));
    OutputFlags as u32: |v| v.bits(), |v| Some(OutputFlags::from_bits_retain(v));
    LocalFlags as u32: |v| v.bits(), |v| Some(LocalFlags::from_bits_retain(v));
    Ipv4Addr as [u8; 4]: |v| v.octets(), |v| Some(v.into());
    Ipv6Addr as [u8; 16]: |v| v.octets(), |v| Some(v.into());
    SocketAddr as (IpAddr, u16): |v| (v.ip(), v.port()), |v| Some(v.into());
}

impl Put for () {
    fn put(&self, _out: &mut Vec<u8>) {}
}

impl Take for () {
    fn take(_input: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

impl<A: Put, B: Put> Put for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
}

impl<A: Take, B: Take> Take for (A, B) {
    fn take(input: &mut &[u8]) -> Option<Self> {
        Some((A::take(input)?, B::take(input)?))
    }
}

impl<A: Put, B: Put, C: Put> Put for (A, B, C) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
        self.2.put(out);
    }
}

impl<A: Take, B: Take, C: Take> Take for (A, B, C) {
    fn take(input: &mut &[u8]) -> Option<Self> {
        Some((A::take(input)?, B::take(input)?, C::take(input)?))
    }
}

impl<const N: usize> Put for [u8; N] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl<const N: usize> Take for [u8; N] {
    fn take(input: &mut &[u8]) -> Option<Self> {
        bytes(input, N)?.try_into().ok()
    }
}

impl Put for str {
    fn put(&self, out: &mut Vec<u8>) {
        put_len(self.len(), out);
        out.extend_from_slice(self.as_bytes());
    }
}

impl Put for String {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_str().put(out);
    }
}

impl Take for String {
    fn take(input: &mut &[u8]) -> Option<Self> {
        let len = take_len(input)?;
        std::str::from_utf8(bytes(input, len)?).ok().map(str::to_owned)
    }
}

impl<T: Put> Put for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
}

impl<T: Take> Take for Option<T> {
    fn take(input: &mut &[u8]) -> Option<Self> {
        if bool::take(input)? {
            T::take(input).map(Some)
        } else {
            Some(None)
        }
    }
}

impl<T: Put> Put for [T] {
    fn put(&self, out: &mut Vec<u8>) {
        put_len(self.len(), out);
        self.iter().for_each(|item| item.put(out));
    }
}

impl<T: Put> Put for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_slice().put(out);
    }
}

impl<T: Take> Take for Vec<T> {
    fn take(input: &mut &[u8]) -> Option<Self> {
        // Grows with the items that are really there: the count alone must not make us allocate.
        (0..take_len(input)?).map(|_| T::take(input)).collect()
    }
}

macro_rules! structs {
    ($($name:ident { $($field:ident),* })*) => {$(
        impl Put for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
            }
        }
        impl Take for $name {
            fn take(input: &mut &[u8]) -> Option<Self> {
                Some($name { $($field: Take::take(input)?),* })
            }
        }
    )*};
}

structs! {
    DeviceNumber { major, minor }
    Stat { dev, ino, file_type, mode, nlink, uid, gid, rdev, size, blocks, atime, mtime, ctime }
    DirEntry { ino, file_type, name, next }
    StatFs { magic, block_size, blocks, blocks_free, files, files_free }
    PollFd { fd, events, revents }
    Credentials {
        uid, euid, suid, fsuid, gid, egid, sgid, fsgid, groups, inheritable, permitted, effective, bounding, ambient,
        no_new_privs
    }
    Rlimit { soft, hard }
    UtsName { sysname, nodename, release, version, machine, domainname }
    Times { user, system, children_user, children_system }
    SpawnRequest {
        path, search_path, argv, envp, fd_actions, process_group, new_session, controlling_tty, foreground_tty,
        signal_default, signal_ignore, signal_mask
    }
    SigAction { handler, mask, restart, reset, no_child_wait }
    Termios { iflag, oflag, cflag, lflag, cc }
    Winsize { rows, cols }
    InterfaceCounters { rx_bytes, rx_packets, tx_bytes, tx_packets }
    Ipv4Interface { address, prefix, broadcast }
    Ipv6Interface { address, prefix }
    Interface { index, name, flags, mac, mtu, tx_queue_len, ipv4, ipv6, counters, peer_index }
    Route { destination, prefix, gateway, interface, source, metric }
    IpcGet { key, size, create, exclusive, mode }
    SemOp { index, change, no_wait }
    IpcMessage { mtype, data }
    MqAttr { messages, message_size }
}

// `Variant { 0: a }` and `Variant {}` are Rust for `Variant(a)` and `Variant`: one form for all.
macro_rules! enums {
    ($($name:ident { $($tag:literal = $variant:ident { $($field:tt: $value:ident),* }),* $(,)? })*) => {$(
        impl Put for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {$(
                    $name::$variant { $($field: $value),* } => {
                        out.push($tag);
                        $($value.put(out);)*
                    }
                )*}
            }
        }
        impl Take for $name {
            fn take(input: &mut &[u8]) -> Option<Self> {
                Some(match u8::take(input)? {
                    $($tag => $name::$variant { $($field: Take::take(input)?),* },)*
                    _ => return None,
                })
            }
        }
    )*};
}

enums! {
    FileType {
        1 = Fifo {}, 2 = CharDevice {}, 4 = Directory {}, 6 = BlockDevice {}, 8 = Regular {}, 10 = Symlink {}, 12 = Socket {},
    }
    Whence { 0 = Set {}, 1 = Current {}, 2 = End {} }
    SetTime { 0 = Omit {}, 1 = Now {}, 2 = To { 0: time } }
    Flock { 0 = Shared {}, 1 = Exclusive {}, 2 = Unlock {} }
    WaitStatus { 0 = Exited { 0: code }, 1 = Signaled { 0: signal }, 2 = Stopped { 0: signal }, 3 = Continued {} }
    WaitTarget { 0 = Any {}, 1 = Pid { 0: pid }, 2 = Group { 0: pid } }
    FdAction {
        0 = Dup2 { from: from, to: to },
        1 = Close { 0: fd },
        2 = Open { fd: fd, path: path, flags: flags, mode: mode },
        3 = Chdir { 0: path },
        4 = Fchdir { 0: fd },
    }
    SigMaskHow { 0 = Block {}, 1 = Unblock {}, 2 = SetMask {} }
    SigHandler { 0 = Default {}, 1 = Ignore {}, 2 = Catch {} }
    TcSet { 0 = Now {}, 1 = Drain {}, 2 = Flush {} }
    AddressFamily { 0 = Unix {}, 1 = Inet {}, 2 = Inet6 {} }
    SocketType { 0 = Stream {}, 1 = Datagram {}, 2 = SeqPacket {} }
    IpAddr { 4 = V4 { 0: ip }, 6 = V6 { 0: ip } }
    SockAddr { 0 = Inet { 0: address }, 1 = Unix { 0: path } }
    Shutdown { 0 = Read {}, 1 = Write {}, 2 = Both {} }
    SockOpt {
        0 = ReuseAddr { 0: v }, 1 = ReusePort { 0: v }, 2 = KeepAlive { 0: v }, 3 = Broadcast { 0: v }, 4 = NoDelay { 0: v },
        5 = V6Only { 0: v }, 6 = SendBuffer { 0: v }, 7 = RecvBuffer { 0: v }, 8 = RecvTimeout { 0: v },
        9 = SendTimeout { 0: v }, 10 = Error { 0: v }, 11 = Type { 0: v }, 12 = AcceptConn { 0: v },
    }
    NetConfig {
        0 = AddLink { name: name, kind: kind },
        1 = DeleteLink { 0: name },
        2 = SetLink { name: name, up: up },
        3 = AddAddress { name: name, address: address, prefix: prefix },
        4 = DeleteAddress { name: name, address: address, prefix: prefix },
        5 = AddRoute { 0: route },
        6 = DeleteRoute { 0: route },
    }
    IpcKind { 0 = Shm {}, 1 = Sem {}, 2 = Msg {} }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_as_it_was_and_every_shorter_message_is_refused() {
        let request = SpawnRequest {
            path: "sh".into(),
            argv: vec!["sh".into(), "-c".into(), "a\nb".into()],
            fd_actions: vec![FdAction::Dup2 { from: Fd(4), to: Fd(1) }, FdAction::Close(Fd(4))],
            process_group: Some(Pid(0)),
            signal_default: [Signal::INT].into_iter().collect(),
            ..SpawnRequest::default()
        };
        let message = encode(&request);
        assert_eq!(decode(&message), Some(request));
        for cut in 0..message.len() {
            assert_eq!(decode::<SpawnRequest>(&message[..cut]), None, "cut at {cut}");
        }
        assert_eq!(decode::<Vec<Fd>>(&[255, 255, 255, 255]), None, "a count without items");
        assert_eq!(decode::<Option<bool>>(&[1, 2]), None, "not a bool");
    }
}
