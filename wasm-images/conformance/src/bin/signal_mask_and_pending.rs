//! A blocked signal waits, once, or as often as it was sent if it is a real-time one; KILL and STOP cannot be blocked.

use conformance::*;
use podsim_guest::*;
use std::sync::atomic::{AtomicU32, Ordering};

static HANDLED: AtomicU32 = AtomicU32::new(0);

fn count(_: Signal) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

fn main() {
    conformance(|| {
        let usr1 = SigSet::from_iter([Signal::USR1]);
        if argument().is_some() {
            expect(
                "the mask is handed down",
                sigprocmask(None).contains(Signal::USR1),
                true,
            )?;
            return expect("pending signals are not", sigpending().contains(Signal::USR1), false);
        }
        must("handle", on_signal(Signal::USR1, Some(count), false))?;
        let old = sigprocmask(Some((SigMaskHow::Block, usr1)));
        expect("not blocked before", old.contains(Signal::USR1), false)?;
        for _ in 0..3 {
            must("kill", kill(getpid(), Some(Signal::USR1)))?;
        }
        expect("nothing has run", HANDLED.load(Ordering::Relaxed), 0)?;
        expect("pending", sigpending(), usr1)?;
        join(spawn_self("child")?)?;
        sigprocmask(Some((SigMaskHow::Unblock, usr1)));
        expect("it has run once", HANDLED.load(Ordering::Relaxed), 1)?;
        expect("nothing is pending", sigpending(), SigSet::EMPTY)?;

        let Some(real_time) = Signal::new(40) else {
            return Err("no signal 40".to_owned());
        };
        let queued = SigSet::from_iter([real_time]);
        must("handle", on_signal(real_time, Some(count), false))?;
        sigprocmask(Some((SigMaskHow::Block, queued)));
        for _ in 0..3 {
            must("kill", kill(getpid(), Some(real_time)))?;
        }
        sigprocmask(Some((SigMaskHow::Unblock, queued)));
        expect("three times", HANDLED.load(Ordering::Relaxed), 4)?;

        sigprocmask(Some((SigMaskHow::Block, usr1)));
        must("kill", kill(getpid(), Some(Signal::USR1)))?;
        must("ignore", ignore_signal(Signal::USR1))?;
        expect("ignoring forgets what is pending", sigpending(), SigSet::EMPTY)?;
        must("kill", kill(getpid(), Some(Signal::USR1)))?;
        expect("blocked and ignored", sigpending(), usr1)?;
        sigprocmask(Some((SigMaskHow::SetMask, old)));
        expect("dropped", sigpending(), SigSet::EMPTY)?;

        sigprocmask(Some((SigMaskHow::SetMask, SigSet::FULL)));
        let mask = sigprocmask(None);
        let blocked = |signal| mask.contains(signal);
        expect(
            "TERM, KILL, STOP",
            [Signal::TERM, Signal::KILL, Signal::STOP].map(blocked),
            [true, false, false],
        )?;
        expect("sigaction of KILL", ignore_signal(Signal::KILL), Err(Errno::EINVAL))?;
        expect("sigaction of STOP", default_signal(Signal::STOP), Err(Errno::EINVAL))
    })
}
