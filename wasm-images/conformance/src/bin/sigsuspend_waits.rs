//! `sigsuspend` waits under another mask until a handler has run, and puts the old mask back.

use conformance::*;
use podsim_guest::*;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

static HANDLED: AtomicU32 = AtomicU32::new(0);

/// Adds up the numbers of the signals.
fn add(signal: Signal) {
    HANDLED.fetch_add(u32::from(signal.number()), Ordering::Relaxed);
}

fn main() {
    conformance(|| {
        if argument().is_some() {
            pause(Duration::from_millis(10))?;
            for signal in [Signal::WINCH, Signal::USR1, Signal::USR2] {
                must("kill", kill(getppid(), Some(signal)))?;
                pause(Duration::from_millis(10))?;
            }
            return Ok(());
        }
        let (usr1, usr2) = (Signal::USR1, Signal::USR2);
        let both = SigSet::from_iter([usr1, usr2]);
        let open = sigprocmask(Some((SigMaskHow::Block, both)));
        let mask = sigprocmask(None);
        must("handle", on_signal(usr1, Some(add), true))?;
        must("handle", on_signal(usr2, Some(add), true))?;
        must("kill", kill(getpid(), Some(usr1)))?;
        must("kill", kill(getpid(), Some(usr2)))?;

        let mut without_usr1 = mask;
        without_usr1.remove(usr1);
        expect("sigsuspend with one pending", sigsuspend(without_usr1), Errno::EINTR)?;
        expect(
            "only that one was handled",
            HANDLED.swap(0, Ordering::Relaxed),
            usr1.number().into(),
        )?;
        expect("the mask is back", sigprocmask(None), mask)?;
        expect("the other is still pending", sigpending(), SigSet::from_iter([usr2]))?;
        expect("sigsuspend for the other", sigsuspend(open), Errno::EINTR)?;
        expect(
            "the other was handled",
            HANDLED.swap(0, Ordering::Relaxed),
            usr2.number().into(),
        )?;

        let child = spawn_self("sender")?;
        let mut without_usr2 = mask;
        without_usr2.remove(usr2);
        expect("sigsuspend that waits", sigsuspend(without_usr2), Errno::EINTR)?;
        expect(
            "what it waited for",
            HANDLED.swap(0, Ordering::Relaxed),
            usr2.number().into(),
        )?;
        expect("what came before", sigpending().contains(usr1), true)?;
        join(child)
    })
}
