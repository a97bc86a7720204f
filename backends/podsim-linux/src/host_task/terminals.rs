//! System calls on terminals.
#![expect(unsafe_code, reason = "termios as the kernel has it, groups that are 0")]

use super::abi::{check, errno, fd, give, oflags};
use podsim_sys::*;
use std::os::fd::AsRawFd as _;

/// Where the terminals are.
const DEVPTS: &str = "/dev/pts";

fn raw_attributes(number: Fd) -> Result<libc::termios> {
    fd(number)?;
    let mut raw = std::mem::MaybeUninit::<libc::termios>::zeroed();
    // SAFETY: the structure is filled in if it succeeds; zeros are a valid one.
    check(unsafe { libc::tcgetattr(number.0, raw.as_mut_ptr()) })?;
    // SAFETY: as above.
    Ok(unsafe { raw.assume_init() })
}

pub(super) fn isatty(number: Fd) -> Result<bool> {
    match raw_attributes(number) {
        Ok(_) => Ok(true),
        Err(Errno::EBADF) => Err(Errno::EBADF),
        Err(_) => Ok(false),
    }
}

pub(super) fn ttyname(number: Fd) -> Result<String> {
    raw_attributes(number)?;
    let terminal = rustix::fs::fstat(fd(number)?).map_err(errno)?;
    let is_it = |path: &str| {
        rustix::fs::stat(path).is_ok_and(|found| found.st_rdev == terminal.st_rdev && found.st_dev == terminal.st_dev)
    };
    // By the name under which it was opened, which in a container may be that of another filesystem.
    let link = rustix::fs::readlink(format!("/proc/self/fd/{}", number.0), Vec::new());
    if let Some(name) = link.ok().and_then(|name| name.into_string().ok())
        && is_it(&name)
    {
        return Ok(name);
    }
    // As glibc does: look for it.
    let names = std::fs::read_dir(DEVPTS).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mut paths = ["/dev/console".to_owned(), "/dev/tty".to_owned()]
        .into_iter()
        .chain(names.map(|name| format!("{DEVPTS}/{name}")));
    paths.find(|path| is_it(path)).ok_or(Errno::ENODEV)
}

pub(super) fn tcgetattr(number: Fd) -> Result<Termios> {
    let raw = raw_attributes(number)?;
    let mut cc = [0; 19];
    cc.iter_mut().zip(raw.c_cc).for_each(|(to, from)| *to = from);
    Ok(Termios {
        iflag: InputFlags::from_bits_retain(raw.c_iflag),
        oflag: OutputFlags::from_bits_retain(raw.c_oflag),
        cflag: raw.c_cflag,
        lflag: LocalFlags::from_bits_retain(raw.c_lflag),
        cc,
    })
}

pub(super) fn tcsetattr(number: Fd, when: TcSet, termios: Termios) -> Result<()> {
    // What the guest does not know of (the line's speed) stays.
    let mut raw = raw_attributes(number)?;
    raw.c_iflag = termios.iflag.bits();
    raw.c_oflag = termios.oflag.bits();
    raw.c_cflag = termios.cflag;
    raw.c_lflag = termios.lflag.bits();
    raw.c_cc.iter_mut().zip(termios.cc).for_each(|(to, from)| *to = from);
    let when = match when {
        TcSet::Now => libc::TCSANOW,
        TcSet::Drain => libc::TCSADRAIN,
        TcSet::Flush => libc::TCSAFLUSH,
    };
    // SAFETY: the structure is the one that the call takes.
    check(unsafe { libc::tcsetattr(number.0, when, &raw const raw) }).map(drop)
}

pub(super) fn get_winsize(number: Fd) -> Result<Winsize> {
    let size = rustix::termios::tcgetwinsize(fd(number)?).map_err(errno)?;
    Ok(Winsize {
        rows: size.ws_row,
        cols: size.ws_col,
    })
}

pub(super) fn set_winsize(number: Fd, size: Winsize) -> Result<()> {
    let size = rustix::termios::Winsize {
        ws_row: size.rows,
        ws_col: size.cols,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(fd(number)?, size).map_err(errno)
}

pub(super) fn tcgetpgrp(number: Fd) -> Result<Pid> {
    // SAFETY: takes a number only. (A group of another pid namespace has the number 0, which rustix does not know.)
    check(unsafe { libc::tcgetpgrp(fd(number)?.as_raw_fd()) }).map(Pid)
}

pub(super) fn tcsetpgrp(number: Fd, group: Pid) -> Result<()> {
    // SAFETY: takes numbers only; the kernel says whether they are good.
    check(unsafe { libc::tcsetpgrp(fd(number)?.as_raw_fd(), group.0) }).map(drop)
}

pub(super) fn set_controlling_tty(number: Fd) -> Result<()> {
    rustix::process::ioctl_tiocsctty(fd(number)?).map_err(errno)
}

/// `/dev/ptmx` of the caller's own devpts, and its slave.
pub(super) fn openpty(flags: OpenFlags) -> Result<(Fd, Fd)> {
    let flags = (flags & OpenFlags::CLOEXEC) | OpenFlags::RDWR | OpenFlags::NOCTTY;
    let master = rustix::fs::open("/dev/ptmx", oflags(flags), rustix::fs::Mode::empty()).map_err(errno)?;
    rustix::pty::unlockpt(&master).map_err(errno)?;
    // Also where the filesystem is not mounted.
    let flags = rustix::pty::OpenptFlags::from_bits_retain(oflags(flags).bits());
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags).map_err(errno)?;
    Ok((give(master), give(slave)))
}
