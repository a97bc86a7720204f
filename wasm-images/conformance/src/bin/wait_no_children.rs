//! `wait` fails with ECHILD where there is no child to wait for, also when ignoring SIGCHLD means that none is kept.

use conformance::*;
use podsim_guest::*;
use std::time::Duration;

fn main() {
    conformance(|| {
        if argument().is_some() {
            return pause(Duration::from_millis(20));
        }
        let nothing = WaitOptions::empty();
        expect("no children", wait(WaitTarget::Any, nothing), Err(Errno::ECHILD))?;
        expect(
            "without waiting",
            wait(WaitTarget::Any, WaitOptions::NOHANG),
            Err(Errno::ECHILD),
        )?;
        expect("oneself", wait(WaitTarget::Pid(getpid()), nothing), Err(Errno::ECHILD))?;
        expect(
            "the parent",
            wait(WaitTarget::Pid(getppid()), nothing),
            Err(Errno::ECHILD),
        )?;

        let child = spawn_self("short")?;
        let group = must("getpgid", getpgid(Pid(0)))?;
        expect(
            "another's pid",
            wait(WaitTarget::Pid(getppid()), nothing),
            Err(Errno::ECHILD),
        )?;
        expect(
            "a group without children",
            wait(WaitTarget::Group(child), nothing),
            Err(Errno::ECHILD),
        )?;
        let ended = Some((child, WaitStatus::Exited(0)));
        expect("the own group", wait(WaitTarget::Group(group), nothing), Ok(ended))?;

        must("ignore SIGCHLD", ignore_signal(Signal::CHLD))?;
        let child = spawn_self("short")?;
        expect("it still runs", wait(WaitTarget::Any, WaitOptions::NOHANG), Ok(None))?;
        let before = clock_monotonic();
        expect(
            "no status is kept",
            wait(WaitTarget::Pid(child), nothing),
            Err(Errno::ECHILD),
        )?;
        let waited = clock_monotonic() - before;
        expect("but wait has waited", waited > Duration::from_millis(5), true)?;
        expect("and there is no zombie", kill(child, None), Err(Errno::ESRCH))
    })
}
