//! The system calls that the shell makes, and small things around them.

pub(crate) use podsim_guest::*;
use std::cell::Cell;

thread_local! {
    /// Signals that have arrived and not been handled. (There is one thread; a handler has no other place to write to.)
    static ARRIVED: Cell<SigSet> = const { Cell::new(SigSet::EMPTY) };
}

fn note(signal: Signal) {
    ARRIVED.with(|arrived| {
        let mut set = arrived.get();
        set.add(signal);
        arrived.set(set);
    });
}

/// Lets a signal be noted instead of killing the shell. Calls that wait end with EINTR.
pub(crate) fn catch(signal: Signal) {
    // Fails for KILL and STOP only, which cannot be caught anywhere.
    let _ = on_signal(signal, Some(note), false);
}

/// The signals noted so far; they are still there afterwards.
pub(crate) fn arrived() -> SigSet {
    ARRIVED.with(Cell::get)
}

/// The lowest of them. It is asked after every command.
pub(crate) fn first_arrived() -> Option<Signal> {
    match arrived() {
        SigSet::EMPTY => None,
        set => set.iter().next(),
    }
}

/// Forgets that a signal has arrived.
pub(crate) fn forget(signal: Signal) {
    ARRIVED.with(|arrived| {
        let mut set = arrived.get();
        set.remove(signal);
        arrived.set(set);
    });
}

/// Opens a file; a signal handler in between does not matter.
pub(crate) fn open(path: &str, flags: OpenFlags) -> Result<Fd> {
    loop {
        match openat(Fd::CWD, path, flags | OpenFlags::CLOEXEC, Mode(0o666)) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// Reads a whole file.
pub(crate) fn read_file(path: &str) -> Result<Vec<u8>> {
    let fd = open(path, OpenFlags::empty())?;
    let result = read_to_end(fd);
    let _ = close(fd);
    result
}

/// Moves a descriptor out of the way of those that scripts name (0 to 9); it is closed by exec.
pub(crate) fn move_high(fd: Fd) -> Result<Fd> {
    if fd.0 >= 10 {
        return Ok(fd);
    }
    let high = dup(fd, Fd(10), true);
    let _ = close(fd);
    high
}

/// Whether it is a terminal.
pub(crate) fn is_terminal(fd: Fd) -> bool {
    isatty(fd).unwrap_or(false)
}
