//! A handler makes a waiting `read` fail with EINTR or, with SA_RESTART, begin again; `poll` and sleeps never do.

use conformance::*;
use podsim_guest::*;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

static HANDLED: AtomicU32 = AtomicU32::new(0);
static WRITER: AtomicI32 = AtomicI32::new(-1);

fn count(_: Signal) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

/// Gives the interrupted read something to find when it begins again.
fn feed(_: Signal) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
    // A failure shows as a read that does not end.
    let _ = write(Fd(WRITER.load(Ordering::Relaxed)), b"fed");
}

fn alarm_soon() {
    setitimer(Duration::from_millis(10), Duration::ZERO);
}

fn main() {
    conformance(|| {
        if argument().is_some() {
            pause(Duration::from_millis(10))?;
            must("kill", kill(getppid(), Some(Signal::WINCH)))?;
            pause(Duration::from_millis(10))?;
            return expect("write", write(Fd::STDOUT, b"x"), Ok(1));
        }
        let (reader, writer) = must("pipe", pipe(OpenFlags::CLOEXEC))?;
        WRITER.store(writer.0, Ordering::Relaxed);
        let mut buf = [0; 8];
        must("handle", on_signal(Signal::ALRM, Some(count), false))?;
        alarm_soon();
        expect("read without SA_RESTART", read(reader, &mut buf), Err(Errno::EINTR))?;
        expect("the handler has run", HANDLED.load(Ordering::Relaxed), 1)?;

        must("handle", on_signal(Signal::ALRM, Some(feed), true))?;
        alarm_soon();
        expect("read with SA_RESTART", read(reader, &mut buf), Ok(3))?;
        expect("the handler has run", HANDLED.load(Ordering::Relaxed), 2)?;

        must("handle", on_signal(Signal::ALRM, Some(count), true))?;
        alarm_soon();
        let deadline = clock_monotonic() + Duration::from_secs(60);
        expect("a sleep", sleep_until(deadline), Err(Errno::EINTR))?;
        alarm_soon();
        let mut fds = [PollFd {
            fd: reader,
            events: PollEvents::IN,
            revents: PollEvents::empty(),
        }];
        expect("poll", poll(&mut fds, None), Err(Errno::EINTR))?;
        expect("the handler has run", HANDLED.load(Ordering::Relaxed), 4)?;

        // A signal that does nothing interrupts nothing.
        let out = FdAction::Dup2 {
            from: writer,
            to: Fd::STDOUT,
        };
        let request = SpawnRequest {
            fd_actions: vec![out],
            ..self_request(&["child"])
        };
        let child = must("spawn", spawn(request))?;
        expect("read over an ignored signal", read(reader, &mut buf), Ok(1))?;
        alarm_soon();
        join(child)?;
        expect(
            "wait over a handler with SA_RESTART",
            kill(child, None),
            Err(Errno::ESRCH),
        )
    })
}
