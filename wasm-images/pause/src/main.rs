//! `pause`: holds a Pod's namespaces, and as process 1 reaps what is left to it. SIGTERM and SIGINT end it.

use podsim_guest::{SigMaskHow, SigSet, Signal, WaitOptions, WaitTarget, on_signal, sigprocmask, sigsuspend, wait};

fn main() {
    podsim_guest::init();
    // Blocked except while it waits, so that no signal falls between the look and the wait.
    sigprocmask(Some((SigMaskHow::SetMask, SigSet::FULL)));
    let end: fn(Signal) = |_| podsim_guest::exit(0);
    let nothing: fn(Signal) = |_| {};
    for (signal, handler) in [(Signal::TERM, end), (Signal::INT, end), (Signal::CHLD, nothing)] {
        if let Err(errno) = on_signal(signal, Some(handler), false) {
            eprintln!("pause: {signal}: {errno}");
            podsim_guest::exit(1);
        }
    }
    loop {
        while let Ok(Some(_)) = wait(WaitTarget::Any, WaitOptions::NOHANG) {}
        sigsuspend(SigSet::EMPTY);
    }
}
