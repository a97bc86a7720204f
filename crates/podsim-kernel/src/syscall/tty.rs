//! System calls on terminals.

use crate::fs::FileDescription;
use crate::task::Task;
use crate::tty::{Tty, TtyAccess, check_background, job_control};
use podsim_sys::*;
use std::sync::Arc;

fn file_and_tty(task: &Task, fd: Fd) -> Result<(Arc<FileDescription>, Arc<Tty>)> {
    let file = task.process.files.get(fd)?;
    let tty = file.ops().tty().ok_or(Errno::ENOTTY)?.clone();
    Ok((file, tty))
}

/// The master is a terminal too: `isatty(3)` asks for its modes.
pub(super) fn isatty(task: &Task, fd: Fd) -> Result<bool> {
    Ok(task.process.files.get(fd)?.ops().tty().is_some())
}

pub(super) fn ttyname(task: &Task, fd: Fd) -> Result<String> {
    let (file, tty) = file_and_tty(task, fd)?;
    if file.ops().is_pty_master() {
        return Ok("/dev/ptmx".to_owned());
    }
    Ok(format!("/dev/{}", tty.name()))
}

pub(super) fn tcgetattr(task: &Task, fd: Fd) -> Result<Termios> {
    Ok(file_and_tty(task, fd)?.1.termios())
}

pub(super) fn tcsetattr(task: &Task, fd: Fd, when: TcSet, termios: Termios) -> Result<()> {
    let (file, tty) = file_and_tty(task, fd)?;
    check_background(task, &file, TtyAccess::Control)?;
    tty.set_termios(when, termios);
    Ok(())
}

pub(super) fn get_winsize(task: &Task, fd: Fd) -> Result<Winsize> {
    Ok(file_and_tty(task, fd)?.1.winsize())
}

pub(super) fn set_winsize(task: &Task, fd: Fd, size: Winsize) -> Result<()> {
    let (file, tty) = file_and_tty(task, fd)?;
    check_background(task, &file, TtyAccess::Control)?;
    tty.set_winsize(size);
    Ok(())
}

pub(super) fn tcgetpgrp(task: &Task, fd: Fd) -> Result<Pid> {
    job_control::foreground(task, &*task.process.files.get(fd)?)
}

pub(super) fn tcsetpgrp(task: &Task, fd: Fd, group: Pid) -> Result<()> {
    job_control::set_foreground(task, &*task.process.files.get(fd)?, group)
}

pub(super) fn set_controlling_tty(task: &Task, fd: Fd) -> Result<()> {
    let (file, tty) = file_and_tty(task, fd)?;
    if file.ops().is_pty_master() {
        return Err(Errno::ENOTTY);
    }
    job_control::set_controlling(task, &tty)
}

/// `openpty(3)`: `/dev/ptmx` of the caller's own devpts, and its slave.
pub(super) fn openpty(task: &Task, flags: OpenFlags) -> Result<(Fd, Fd)> {
    let cloexec = flags.contains(OpenFlags::CLOEXEC);
    let master = super::fs::open_now(task, "/dev/ptmx", OpenFlags::RDWR | OpenFlags::NOCTTY)?;
    let index = master.ops().tty().ok_or(Errno::ENOTTY)?.index();
    let slave = super::fs::open_now(task, &format!("/dev/pts/{index}"), OpenFlags::RDWR | OpenFlags::NOCTTY)?;
    let files = &task.process.files;
    let master = files.insert(master, cloexec)?;
    match files.insert(slave, cloexec) {
        Ok(slave) => Ok((master, slave)),
        Err(errno) => {
            files.remove(master)?;
            Err(errno)
        }
    }
}
