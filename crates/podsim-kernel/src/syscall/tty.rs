//! System calls: tty.

use crate::task::Task;
use podsim_sys::*;
use std::time::Duration;

pub(super) fn isatty(task: &Task, fd: Fd) -> Result<bool> {
    todo!()
}

pub(super) fn ttyname(task: &Task, fd: Fd) -> Result<String> {
    todo!()
}

pub(super) fn tcgetattr(task: &Task, fd: Fd) -> Result<Termios> {
    todo!()
}

pub(super) fn tcsetattr(task: &Task, fd: Fd, when: TcSet, termios: Termios) -> Result<()> {
    todo!()
}

pub(super) fn get_winsize(task: &Task, fd: Fd) -> Result<Winsize> {
    todo!()
}

pub(super) fn set_winsize(task: &Task, fd: Fd, size: Winsize) -> Result<()> {
    todo!()
}

pub(super) fn tcgetpgrp(task: &Task, fd: Fd) -> Result<Pid> {
    todo!()
}

pub(super) fn tcsetpgrp(task: &Task, fd: Fd, group: Pid) -> Result<()> {
    todo!()
}

pub(super) fn set_controlling_tty(task: &Task, fd: Fd) -> Result<()> {
    todo!()
}

pub(super) fn openpty(task: &Task, flags: OpenFlags) -> Result<(Fd, Fd)> {
    todo!()
}
