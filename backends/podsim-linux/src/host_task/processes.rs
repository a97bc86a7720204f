//! System calls on processes: ids, wait, exit, groups and sessions, limits. Spawn and exec have files of their own.
#![expect(unsafe_code, reason = "wait waits; getrusage and _exit have no safe wrapper")]

use super::abi::{check, errno};
use super::interruptible::interruptible;
use super::signals::kernel;
use podsim_sys::*;
use std::time::Duration;

pub(super) fn getpid() -> Pid {
    Pid(rustix::process::getpid().as_raw_nonzero().get())
}

pub(super) fn getppid() -> Pid {
    Pid(rustix::process::Pid::as_raw(rustix::process::getppid()))
}

pub(super) fn wait(target: WaitTarget, options: WaitOptions) -> Result<Option<(Pid, WaitStatus)>> {
    let target = match target {
        WaitTarget::Any => -1,
        WaitTarget::Pid(pid) if pid.0 > 0 => pid.0,
        WaitTarget::Group(group) if group.0 >= 0 => -group.0,
        // A number that means something else to waitpid(2).
        WaitTarget::Pid(_) | WaitTarget::Group(_) => return Err(Errno::ECHILD),
    };
    let found = match wait4(target, options) {
        // A signal came first. A child that is there already is an answer, as it would have been after the handler.
        Err(Errno::EINTR) => match wait4(target, options | WaitOptions::NOHANG) {
            Ok((0, _)) => Err(Errno::EINTR),
            found => found,
        },
        found => found,
    }?;
    match found {
        (0, _) => Ok(None),
        (pid, status) => Ok(Some((Pid(pid), status_of(status)))),
    }
}

fn wait4(target: i32, options: WaitOptions) -> Result<(i32, i32)> {
    let mut status = 0_i32;
    let arguments = [
        target as usize,
        (&raw mut status).addr(),
        options.bits() as usize,
        0,
        0,
        0,
    ];
    let found = if options.contains(WaitOptions::NOHANG) {
        // SAFETY: the kernel writes the status; it does not wait.
        check(unsafe { libc::waitpid(target, &raw mut status, options.bits().cast_signed()) })?
    } else {
        // SAFETY: the kernel writes the status before it returns; no usage is asked for.
        let found = unsafe { interruptible(libc::SYS_wait4, arguments) }?;
        i32::try_from(found).map_err(|_| Errno::ECHILD)?
    };
    Ok((found, status))
}

fn status_of(status: i32) -> WaitStatus {
    let signal = |number: i32| {
        let number = u8::try_from(number).ok();
        number.and_then(Signal::new).unwrap_or(Signal::KILL)
    };
    if libc::WIFSTOPPED(status) {
        WaitStatus::Stopped(signal(libc::WSTOPSIG(status)))
    } else if libc::WIFCONTINUED(status) {
        WaitStatus::Continued
    } else if libc::WIFSIGNALED(status) {
        WaitStatus::Signaled(signal(libc::WTERMSIG(status)))
    } else {
        WaitStatus::Exited((libc::WEXITSTATUS(status) & 0xff) as u8)
    }
}

/// Does not return.
pub(super) fn exit(status: WaitStatus) {
    if let WaitStatus::Signaled(signal) = status {
        kernel::die(signal);
        // Still there: the init of a pid namespace. A fault of its own kills it all the same.
        kernel::fault(signal);
    }
    // SAFETY: the process ends; nothing of this program's own is left to be written.
    unsafe { libc::_exit(status.exit_code()) }
}

fn raw(pid: Pid) -> Result<Option<rustix::process::Pid>> {
    if pid.0 < 0 {
        return Err(Errno::ESRCH);
    }
    Ok(rustix::process::Pid::from_raw(pid.0))
}

pub(super) fn getpgid(pid: Pid) -> Result<Pid> {
    raw(pid)?;
    // SAFETY: takes a number only. (A group of another pid namespace has the number 0, which rustix does not know.)
    check(unsafe { libc::getpgid(pid.0) }).map(Pid)
}

pub(super) fn setpgid(pid: Pid, group: Pid) -> Result<()> {
    if group.0 < 0 {
        return Err(Errno::EINVAL);
    }
    rustix::process::setpgid(raw(pid)?, raw(group)?).map_err(errno)
}

pub(super) fn getsid(pid: Pid) -> Result<Pid> {
    raw(pid)?;
    // SAFETY: as above.
    check(unsafe { libc::getsid(pid.0) }).map(Pid)
}

pub(super) fn setsid() -> Result<Pid> {
    let session = rustix::process::setsid().map_err(errno)?;
    Ok(Pid(session.as_raw_nonzero().get()))
}

pub(super) fn times() -> Times {
    let usage = |who: i32| -> (Duration, Duration) {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the kernel fills the structure in; all zeros are a valid one, too.
        let usage = unsafe {
            libc::getrusage(who, usage.as_mut_ptr());
            usage.assume_init()
        };
        let time = |time: libc::timeval| super::abi::duration(time.tv_sec, time.tv_usec * 1000);
        (time(usage.ru_utime), time(usage.ru_stime))
    };
    let (user, system) = usage(libc::RUSAGE_SELF);
    let (children_user, children_system) = usage(libc::RUSAGE_CHILDREN);
    Times {
        user,
        system,
        children_user,
        children_system,
    }
}

fn resource(resource: Resource) -> rustix::process::Resource {
    use rustix::process::Resource as R;
    match resource {
        Resource::Cpu => R::Cpu,
        Resource::Fsize => R::Fsize,
        Resource::Data => R::Data,
        Resource::Stack => R::Stack,
        Resource::Core => R::Core,
        Resource::Rss => R::Rss,
        Resource::Nproc => R::Nproc,
        Resource::Nofile => R::Nofile,
        Resource::Memlock => R::Memlock,
        Resource::As => R::As,
        Resource::Locks => R::Locks,
        Resource::Sigpending => R::Sigpending,
        Resource::Msgqueue => R::Msgqueue,
        Resource::Nice => R::Nice,
        Resource::Rtprio => R::Rtprio,
        Resource::Rttime => R::Rttime,
    }
}

pub(super) fn getrlimit(which: Resource) -> Rlimit {
    let limit = rustix::process::getrlimit(resource(which));
    Rlimit {
        soft: limit.current,
        hard: limit.maximum,
    }
}

pub(super) fn setrlimit(which: Resource, limit: Rlimit) -> Result<()> {
    let limit = rustix::process::Rlimit {
        current: limit.soft,
        maximum: limit.hard,
    };
    rustix::process::setrlimit(resource(which), limit).map_err(errno)
}

pub(super) fn nice(set: Option<i8>) -> Result<i8> {
    if let Some(nice) = set {
        rustix::process::setpriority_process(None, nice.into()).map_err(errno)?;
    }
    let nice = rustix::process::getpriority_process(None).map_err(errno)?;
    Ok(i8::try_from(nice).unwrap_or(0))
}
