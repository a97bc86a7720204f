//! `setitimer` sends SIGALRM once or again and again, tells what was left, is not handed to children, and kills by default.

use conformance::*;
use podsim_guest::*;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

static HANDLED: AtomicU32 = AtomicU32::new(0);

fn main() {
    conformance(|| {
        let zero = Duration::ZERO;
        let ms = Duration::from_millis;
        match argument().as_deref() {
            Some("inherit") => return expect("a child's timer", setitimer(zero, zero), zero),
            Some(_) => {
                setitimer(ms(10), zero);
                return wait_to_be_killed();
            }
            None => {}
        }
        let child = spawn_self("killed")?;
        let killed = Some(WaitStatus::Signaled(Signal::ALRM));
        expect("without a handler", status_of(child, WaitOptions::empty())?, killed)?;

        must(
            "handle",
            on_signal(
                Signal::ALRM,
                Some(|_| _ = HANDLED.fetch_add(1, Ordering::Relaxed)),
                false,
            ),
        )?;
        let far = clock_monotonic() + Duration::from_secs(3600);
        let before = clock_monotonic();
        expect("no timer", setitimer(ms(20), zero), zero)?;
        expect("a sleep", sleep_until(far), Err(Errno::EINTR))?;
        expect("not too early", clock_monotonic() - before >= ms(20), true)?;
        expect("it is over", setitimer(zero, zero), zero)?;

        setitimer(ms(20), ms(10));
        let before = clock_monotonic();
        for _ in 0..3 {
            expect("a sleep", sleep_until(far), Err(Errno::EINTR))?;
        }
        expect("20, 10 and 10 ms", clock_monotonic() - before >= ms(40), true)?;
        let left = setitimer(Duration::from_secs(100), zero);
        expect("it goes on", left > zero && left <= ms(10), true)?;
        expect("so often", HANDLED.load(Ordering::Relaxed), 4)?;

        join(spawn_self("inherit")?)?;
        let left = setitimer(zero, zero);
        expect(
            "a new one has replaced it",
            left > Duration::from_secs(50) && left <= Duration::from_secs(100),
            true,
        )?;
        pause(ms(30))?;
        expect("and off is off", HANDLED.load(Ordering::Relaxed), 4)
    })
}
