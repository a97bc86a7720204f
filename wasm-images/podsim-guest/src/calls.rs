//! The calls: made from the table [`podsim_sys::podsim_v1_calls`], and by hand where the Rust signature says more than a
//! message can (buffers, changes in place, calls that do not return).

use crate::system::{self, raw};
use podsim_sys::wire::{Put, decode, encode};
use podsim_sys::*;
use std::time::Duration;

macro_rules! argument {
    (val $type:ty) => {
        $type
    };
    (by $type:ty) => {
        &$type
    };
}

macro_rules! reference {
    (val $name:ident) => {
        &$name
    };
    (by $name:ident) => {
        $name
    };
}

macro_rules! function {
    (plain $name:ident($($arg:ident: $how:ident $type:ty),*) -> $out:ty, $doc:literal) => {
        #[doc = $doc]
        pub fn $name($($arg: argument!($how $type)),*) -> $out {
            let result = function!(@call $name($($arg: $how),*) -> $out);
            // These calls cannot fail; only a host without them can.
            result.unwrap_or_else(|errno| panic!("podsim_v1.{}: {errno}", stringify!($name)))
        }
    };
    ($kind:ident $name:ident($($arg:ident: $how:ident $type:ty),*) -> $out:ty, $doc:literal) => {
        #[doc = $doc]
        pub fn $name($($arg: argument!($how $type)),*) -> Result<$out> {
            function!(@call $name($($arg: $how),*) -> $out)
        }
    };
    (@call $name:ident($($arg:ident: $how:ident),*) -> $out:ty) => {{
        #[allow(unused_mut, reason = "for calls without arguments")]
        let mut message = Vec::new();
        $(reference!($how $arg).put(&mut message);)*
        system::call::<$out>(raw::$name, &message)
    }};
}

macro_rules! functions {
    ($($kind:ident $name:ident($($arg:ident: $how:ident $type:ty),*) -> $out:ty, $doc:literal;)*) => {
        $(function!($kind $name($($arg: $how $type),*) -> $out, $doc);)*
    };
}

podsim_sys::podsim_v1_calls!(functions);

/// `read(2)`.
pub fn read(fd: Fd, buf: &mut [u8]) -> Result<usize> {
    system::read(fd, buf)
}

/// `write(2)`; EPIPE comes with SIGPIPE.
pub fn write(fd: Fd, buf: &[u8]) -> Result<usize> {
    system::write(fd, buf)
}

/// `pread(2)`.
pub fn pread(fd: Fd, buf: &mut [u8], offset: u64) -> Result<usize> {
    system::pread(fd, buf, offset)
}

/// `pwrite(2)`.
pub fn pwrite(fd: Fd, buf: &[u8], offset: u64) -> Result<usize> {
    system::pwrite(fd, buf, offset)
}

/// `sendto(2)`.
pub fn sendto(fd: Fd, buf: &[u8], flags: MsgFlags, to: Option<&SockAddr>) -> Result<usize> {
    let to = to.map(encode).unwrap_or_default();
    system::sendto(fd, buf, flags, &to)
}

/// `recvfrom(2)`: the length, the sender (datagrams), and TRUNC where a datagram was cut.
pub fn recvfrom(fd: Fd, buf: &mut [u8], flags: MsgFlags) -> Result<(usize, Option<SockAddr>, MsgFlags)> {
    let answer = system::recvfrom(fd, buf, flags)?;
    decode(&answer).ok_or(Errno::EPROTO)
}

/// Reads a System V segment. (A wasm memory cannot map pages of another one: attach is by copy.)
pub fn shm_read(id: i32, offset: u64, buf: &mut [u8]) -> Result<usize> {
    system::shm_read(id, offset, buf)
}

/// Writes a System V segment.
pub fn shm_write(id: i32, offset: u64, buf: &[u8]) -> Result<usize> {
    system::shm_write(id, offset, buf)
}

/// `getrandom(2)`.
pub fn getrandom(buf: &mut [u8]) {
    system::getrandom(buf);
}

/// `poll(2)`; `None` waits for ever. Returns how many entries have `revents`.
pub fn poll(fds: &mut [PollFd], timeout: Option<Duration>) -> Result<usize> {
    let mut message = Vec::new();
    fds.put(&mut message);
    timeout.put(&mut message);
    let (count, events) = system::call::<(usize, Vec<PollEvents>)>(raw::poll, &message)?;
    for (entry, revents) in fds.iter_mut().zip(events) {
        entry.revents = revents;
    }
    Ok(count)
}

/// `sigsuspend(2)`: always EINTR in the end.
pub fn sigsuspend(mask: SigSet) -> Errno {
    match system::call::<()>(raw::sigsuspend, &encode(&mask)) {
        Ok(()) => Errno::EINTR,
        Err(errno) => errno,
    }
}

/// `execve(2)`: returns only if it failed.
pub fn execve(path: &str, argv: Vec<String>, envp: Vec<String>) -> Result<()> {
    let mut message = Vec::new();
    path.put(&mut message);
    argv.put(&mut message);
    envp.put(&mut message);
    system::call::<()>(raw::execve, &message)
}

/// `sched_yield(2)`.
pub fn sched_yield() {
    // Cannot fail.
    let _ = system::call::<()>(raw::sched_yield, &[]);
}

/// `chdir(2)`; wasi-libc's idea of the current directory follows.
pub fn chdir(path: &str) -> Result<()> {
    system::call::<()>(raw::chdir, &encode(path))?;
    if let Ok(cwd) = getcwd() {
        system::libc_chdir(&cwd);
    }
    Ok(())
}
