//! A terminal of the container's own: the master goes to the node process, the slave is the program's standard streams.

use crate::channel::Channel;
use crate::child::orders::{Answer, TerminalOrders};
use crate::mount;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::ioctl_tiocsctty;
use rustix::pty::{ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::io;
use std::path::Path;

/// Opens a terminal of `/dev/pts` and sends its master.
pub(super) fn open_in_container(channel: &Channel, orders: &TerminalOrders) -> io::Result<()> {
    let master = open(
        "/dev/ptmx",
        OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(mount::context("open /dev/ptmx"))?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let slave = open(
        name.as_c_str(),
        OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(mount::context(format_args!("open {}", name.to_string_lossy())))?;
    if let Some((rows, columns)) = orders.size {
        tcsetwinsize(
            &slave,
            Winsize {
                ws_row: rows,
                ws_col: columns,
                ws_xpixel: 0,
                ws_ypixel: 0,
            },
        )?;
    }
    if orders.console {
        drop(open(
            "/dev/console",
            OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW,
            Mode::from_raw_mode(0o600),
        )?);
        mount::bind(Path::new(&*name.to_string_lossy()), Path::new("/dev/console"))?;
    }
    channel.send(&Answer::Terminal, &[master.as_fd()])?;
    become_standard_streams(&slave)?;
    Ok(())
}

/// The terminal becomes the controlling one of this session, and standard input, output and error.
fn become_standard_streams(slave: &OwnedFd) -> io::Result<()> {
    rustix::stdio::dup2_stdin(slave)?;
    rustix::stdio::dup2_stdout(slave)?;
    rustix::stdio::dup2_stderr(slave)?;
    ioctl_tiocsctty(slave)?;
    Ok(())
}
