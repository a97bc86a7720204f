//! Processes by the namespace that they are in: what is left of containers.

use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs;
use std::os::unix::fs::MetadataExt;

/// How often the processes are looked through: new ones can be made while that is done, but not by those that are dead.
const ROUNDS: usize = 100;

/// The processes in a mount namespace, by their pids here and their pidfds.
fn in_mount_namespace(inode: u64) -> Vec<(i32, OwnedFd)> {
    let is_there = |pid: i32| fs::metadata(format!("/proc/{pid}/ns/mnt")).is_ok_and(|ns| ns.ino() == inode);
    pids()
        .filter(|pid| is_there(*pid))
        .filter_map(|pid| {
            let pidfd = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
            // The descriptor may name a later process of this number: look again.
            is_there(pid).then_some((pid, pidfd))
        })
        .collect()
}

/// All processes that are seen here.
pub(crate) fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Kills all processes in a mount namespace. Returns when none is left but dead ones that their parents have not noticed.
///
/// It takes the namespace itself and not its inode number: without anybody in it, the next namespace of the host would get that number, and
/// with it the signals.
pub(crate) fn kill_in_mount_namespace(namespace: &OwnedFd) {
    let Ok(inode) = rustix::fs::fstat(namespace).map(|stat| stat.st_ino) else {
        return;
    };
    for _ in 0..ROUNDS {
        let found = in_mount_namespace(inode);
        if found.is_empty() {
            return;
        }
        for (_, pidfd) in &found {
            let _ = pidfd_send_signal(pidfd, Signal::KILL);
        }
        for (_, pidfd) in &found {
            // Readable when it has ended; one that hangs in the kernel is not waited for.
            let mut fds = [rustix::event::PollFd::new(pidfd, rustix::event::PollFlags::IN)];
            let limit = rustix::event::Timespec { tv_sec: 1, tv_nsec: 0 };
            let _ = rustix::event::poll(&mut fds, Some(&limit));
        }
    }
}

/// Whether a process and every one below it sleeps, or has ended. Of this process itself only those below count.
pub(crate) fn sleeps(pid: i32) -> bool {
    let own = std::process::id().cast_signed();
    let processes: Vec<(i32, i32, char)> = pids().filter_map(state).collect();
    let mut left = vec![pid];
    while let Some(next) = left.pop() {
        let busy = |(pid, _, state): &(i32, i32, char)| *pid == next && !matches!(state, 'S' | 'T' | 'Z' | 'X');
        if next != own && processes.iter().any(busy) {
            return false;
        }
        left.extend(
            processes
                .iter()
                .filter(|(_, above, _)| *above == next)
                .map(|(pid, ..)| *pid),
        );
    }
    true
}

/// Pid, parent and state of a process (`proc_pid_stat(5)`).
fn state(pid: i32) -> Option<(i32, i32, char)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((pid, fields.next()?.parse().ok()?, state))
}
