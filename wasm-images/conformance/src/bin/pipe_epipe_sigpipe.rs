//! Writing to a pipe without a reader sends SIGPIPE, which kills; ignored, blocked or handled, the write fails with EPIPE.

use conformance::*;
use podsim_guest::*;
use std::sync::atomic::{AtomicU32, Ordering};

static HANDLED: AtomicU32 = AtomicU32::new(0);

fn broken() -> std::result::Result<Fd, String> {
    let (reader, writer) = must("pipe", pipe(OpenFlags::CLOEXEC))?;
    must("close", close(reader))?;
    Ok(writer)
}

fn main() {
    conformance(|| {
        if argument().is_some() {
            let result = write(broken()?, b"x");
            return Err(format!("SIGPIPE did not kill: {result:?}"));
        }
        let child = spawn_self("killed")?;
        let killed = Some(WaitStatus::Signaled(Signal::PIPE));
        expect("the writer", status_of(child, WaitOptions::empty())?, killed)?;

        must(
            "handle",
            on_signal(
                Signal::PIPE,
                Some(|_| _ = HANDLED.fetch_add(1, Ordering::Relaxed)),
                true,
            ),
        )?;
        expect("handled", write(broken()?, b"x"), Err(Errno::EPIPE))?;
        expect("the handler has run", HANDLED.load(Ordering::Relaxed), 1)?;
        expect("a write of nothing", write(broken()?, b""), Ok(0))?;
        expect("sends nothing", HANDLED.load(Ordering::Relaxed), 1)?;

        let only = SigSet::from_iter([Signal::PIPE]);
        sigprocmask(Some((SigMaskHow::Block, only)));
        expect("blocked", write(broken()?, b"x"), Err(Errno::EPIPE))?;
        expect("is pending", sigpending().contains(Signal::PIPE), true)?;
        must("ignore", ignore_signal(Signal::PIPE))?;
        expect("ignoring forgets it", sigpending().contains(Signal::PIPE), false)?;
        sigprocmask(Some((SigMaskHow::Unblock, only)));
        expect("ignored", write(broken()?, b"x"), Err(Errno::EPIPE))
    })
}
