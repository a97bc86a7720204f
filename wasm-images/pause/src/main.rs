//! `pause`: holds the namespaces of a Pod, and as process 1 of a shared pid namespace collects its orphans.
//!
//! It behaves as Kubernetes' `build/pause/linux/pause.c` does, with the same messages.

use podsim_guest::{
    Fd, Pid, Result, SigSet, Signal, WaitOptions, WaitTarget, args, exit, getpid, init, on_signal, wait,
};

fn main() {
    init();
    if args().get(1).is_some_and(|arg| arg == "-v") {
        say(Fd::STDOUT, "pause.c 3.9 (podsim)\n");
        return;
    }
    if getpid() != Pid(1) {
        say(Fd::STDERR, "Warning: pause should be the first process\n");
    }
    if let Err(error) = handlers() {
        say(Fd::STDERR, error.message());
        exit(3);
    }
    loop {
        podsim_guest::sigsuspend(SigSet::EMPTY);
    }
}

fn handlers() -> Result<()> {
    on_signal(Signal::INT, Some(shut_down), false)?;
    on_signal(Signal::TERM, Some(shut_down), false)?;
    on_signal(Signal::CHLD, Some(collect), true)
}

fn shut_down(signal: Signal) {
    say(Fd::STDERR, "Shutting down, got signal: ");
    say(
        Fd::STDERR,
        if signal == Signal::INT {
            "Interrupt\n"
        } else {
            "Terminated\n"
        },
    );
    exit(0);
}

/// One signal may stand for several children.
fn collect(_signal: Signal) {
    while let Ok(Some(_)) = wait(WaitTarget::Any, WaitOptions::NOHANG) {}
}

/// Nobody can be told when this fails.
fn say(fd: Fd, text: &str) {
    let _ = podsim_guest::write(fd, text.as_bytes());
}
