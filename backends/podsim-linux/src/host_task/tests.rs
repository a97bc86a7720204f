//! Calls whose answers do not depend on being the only thread of the process. How processes and signals work, the conformance programs
//! test.

use super::abi::{oflags, open_flags};
use super::*;

/// The answer of a call that does not pend.
fn now<T>(future: impl Future<Output = T>) -> T {
    futures_util::FutureExt::now_or_never(future).expect("calls wait in the kernel")
}

fn task() -> HostTask {
    HostTask::new(Identity {
        argv: vec!["prog".to_owned()],
        environ: Vec::new(),
        exe: "/etc/hostname".to_owned(),
    })
}

#[test]
fn flags_keep_their_meaning_on_the_way_to_the_kernel_and_back() {
    for flag in OpenFlags::all().iter() {
        assert_eq!(open_flags(oflags(flag)), flag);
    }
    assert_eq!(
        oflags(OpenFlags::all()).bits().cast_signed() & libc::O_DIRECTORY,
        libc::O_DIRECTORY
    );
}

#[test]
fn a_directory_is_read_in_pieces_from_any_position() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..50 {
        std::fs::write(dir.path().join(n.to_string()), "").unwrap();
    }
    let task = task();
    let path = dir.path().to_str().unwrap();
    let flags = OpenFlags::DIRECTORY | OpenFlags::CLOEXEC;
    let fd = now(task.openat(Fd::CWD, path, flags, Mode(0))).unwrap();
    let all = task.getdents(fd, 0, usize::MAX).unwrap();
    assert_eq!(all.len(), 52);
    let middle = all.get(20).unwrap().next;
    let rest = task.getdents(fd, middle, 7).unwrap();
    assert_eq!(rest, all.get(21..28).unwrap());
    assert_eq!(task.getdents(fd, all.last().unwrap().next, 7), Ok(Vec::new()));
    task.close(fd).unwrap();
}

#[test]
fn what_is_not_open_is_ebadf_whatever_its_number() {
    let task = task();
    for fd in [Fd(-1), Fd(-100), Fd(i32::MIN), Fd(i32::MAX)] {
        assert_eq!(task.close(fd), Err(Errno::EBADF), "{fd:?}");
        assert_eq!(now(task.read(fd, &mut [0])), Err(Errno::EBADF), "{fd:?}");
        assert_eq!(task.lseek(fd, -1, Whence::Set), Err(Errno::EBADF), "{fd:?}");
        assert_eq!(task.isatty(fd), Err(Errno::EBADF), "{fd:?}");
        assert_eq!(task.dup2(fd, Fd(5000), false), Err(Errno::EBADF), "{fd:?}");
    }
    assert_eq!(task.fstatat(Fd(-1), "x", true).map(|_| ()), Err(Errno::EBADF));
}

#[test]
fn a_guest_is_shown_its_own_program() {
    let task = task();
    let own = format!("/proc/{}/exe", task.getpid());
    assert_eq!(
        task.readlinkat(Fd::CWD, "/proc/self/exe").as_deref(),
        Ok("/etc/hostname")
    );
    assert_eq!(task.readlinkat(Fd::CWD, &own).as_deref(), Ok("/etc/hostname"));
    let other = task.readlinkat(Fd::CWD, "/proc/1/exe");
    assert_ne!(other.as_deref(), Ok("/etc/hostname"));
}

#[test]
fn strings_with_a_nul_are_refused() {
    let task = task();
    let opened = now(task.openat(Fd::CWD, "/etc\0/passwd", OpenFlags::empty(), Mode(0)));
    assert_eq!(opened, Err(Errno::EINVAL));
    assert_eq!(task.mkdirat(Fd::CWD, "a\0b", Mode(0)), Err(Errno::EINVAL));
    assert_eq!(task.mq_unlink("/a\0b"), Err(Errno::EINVAL));
}

#[test]
fn waiting_for_a_number_that_is_no_process_is_echild() {
    let task = task();
    for target in [
        WaitTarget::Pid(Pid(0)),
        WaitTarget::Pid(Pid(-1)),
        WaitTarget::Group(Pid(-1)),
    ] {
        assert_eq!(now(task.wait(target, WaitOptions::NOHANG)), Err(Errno::ECHILD));
    }
}
