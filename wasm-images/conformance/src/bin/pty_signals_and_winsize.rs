//! The controlling terminal sends INT, QUIT, WINCH and HUP, and stops those in the background that read from it.

use conformance::*;
use podsim_guest::*;
use std::sync::atomic::{AtomicU32, Ordering};

static HANDLED: AtomicU32 = AtomicU32::new(0);

fn count(_: Signal) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

/// A session with the terminal: its leader's standard input and output are the slave, and its error output tells that it is
/// ready.
fn session(slave: Fd, what: &str) -> std::result::Result<Pid, String> {
    let (reader, writer) = must("pipe", pipe(OpenFlags::CLOEXEC))?;
    let request = SpawnRequest {
        fd_actions: vec![
            FdAction::Dup2 {
                from: slave,
                to: Fd::STDIN,
            },
            FdAction::Dup2 {
                from: writer,
                to: Fd::STDERR,
            },
        ],
        new_session: true,
        controlling_tty: Some(slave),
        ..self_request(&[what])
    };
    let child = must("spawn", spawn(request))?;
    must("close", close(writer))?;
    expect("the session's leader is ready", read(reader, &mut [0; 1]), Ok(1))?;
    must("close", close(reader))?;
    Ok(child)
}

fn ready() -> Outcome {
    expect("tell", write(Fd::STDERR, b"x"), Ok(1))
}

/// A shell with a job in the background.
fn job_control() -> Outcome {
    let pid = getpid();
    expect("the foreground group", tcgetpgrp(Fd::STDIN), Ok(pid))?;
    let tty = must("open", openat(Fd::CWD, "/dev/tty", OpenFlags::RDWR, Mode(0)))?;
    expect("/dev/tty", get_winsize(tty), get_winsize(Fd::STDIN))?;
    let request = SpawnRequest {
        process_group: Some(Pid(0)),
        ..self_request(&["background"])
    };
    let job = must("spawn", spawn(request))?;
    let stopped = Some(WaitStatus::Stopped(Signal::TTIN));
    expect(
        "a read in the background",
        status_of(job, WaitOptions::UNTRACED)?,
        stopped,
    )?;
    expect(
        "a group of nobody",
        tcsetpgrp(Fd::STDIN, Pid(i32::MAX)),
        Err(Errno::ESRCH),
    )?;
    must("foreground", tcsetpgrp(Fd::STDIN, job))?;
    expect("the foreground group", tcgetpgrp(Fd::STDIN), Ok(job))?;
    must("ignore", ignore_signal(Signal::TTOU))?;
    must("continue", kill(Pid(-job.0), Some(Signal::CONT)))?;
    ready()?;
    join(job)?;
    must("back to the foreground", tcsetpgrp(Fd::STDIN, pid))
}

fn main() {
    conformance(|| {
        match argument().as_deref() {
            Some("sleep") => {
                ready()?;
                return wait_to_be_killed();
            }
            Some("window") => {
                must("handle", on_signal(Signal::WINCH, Some(count), false))?;
                let winch = SigSet::from_iter([Signal::WINCH]);
                let mask = sigprocmask(Some((SigMaskHow::Block, winch)));
                ready()?;
                expect("sigsuspend", sigsuspend(mask), Errno::EINTR)?;
                return expect(
                    "the new size",
                    get_winsize(Fd::STDIN),
                    Ok(Winsize { rows: 50, cols: 132 }),
                );
            }
            Some("jobs") => return job_control(),
            Some(_) => {
                let mut buf = [0; 8];
                expect("a line in the foreground", read(Fd::STDIN, &mut buf), Ok(3))?;
                return expect("its text", &buf[..3], &b"hi\n"[..]);
            }
            None => {}
        }
        let (master, slave) = must("openpty", openpty(OpenFlags::CLOEXEC))?;
        let size = Winsize { rows: 24, cols: 80 };
        must("TIOCSWINSZ", set_winsize(master, size))?;
        expect("TIOCGWINSZ", get_winsize(slave), Ok(size))?;
        expect("not the controlling terminal", tcgetpgrp(slave), Err(Errno::ENOTTY))?;
        let fresh = || -> std::result::Result<(Fd, Fd), String> {
            let pair = must("openpty", openpty(OpenFlags::CLOEXEC))?;
            must("TIOCSWINSZ", set_winsize(pair.0, size))?;
            Ok(pair)
        };
        for (key, signal) in [(b"\x03", Signal::INT), (b"\x1c", Signal::QUIT)] {
            let (master, slave) = fresh()?;
            let child = session(slave, "sleep")?;
            must("type", write(master, key))?;
            let killed = Some(WaitStatus::Signaled(signal));
            expect("a key's signal", status_of(child, WaitOptions::empty())?, killed)?;
            // A pty, unlike a real line, is not hung up by that.
            expect("the slave of a session that has ended", write(slave, b"x"), Ok(1))?;
        }

        let (master, slave) = fresh()?;
        let child = session(slave, "window")?;
        must("the same size", set_winsize(master, size))?;
        must("another size", set_winsize(master, Winsize { rows: 50, cols: 132 }))?;
        join(child)?;

        let (master, slave) = fresh()?;
        let child = session(slave, "jobs")?;
        must("type", write(master, b"hi\n"))?;
        join(child)?;

        let (master, slave) = fresh()?;
        let child = session(slave, "sleep")?;
        must("close", close(slave))?;
        must("hang up", close(master))?;
        let killed = Some(WaitStatus::Signaled(Signal::HUP));
        expect("HUP", status_of(child, WaitOptions::empty())?, killed)
    })
}
