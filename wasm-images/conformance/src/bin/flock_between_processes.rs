//! `flock`: shared and exclusive, between processes and between two opens of one; it goes with the last copy.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;
use std::time::Duration;

const WAIT: Duration = Duration::from_millis(50);

fn main() {
    conformance(|| {
        let file = || must("open", open("lock", OpenFlags::RDWR | OpenFlags::CREAT));
        let try_lock = |fd, op| flock(fd, op, true);
        if let Some(argument) = argument() {
            let fd = file()?;
            return match argument.as_str() {
                "waiter" => {
                    let before = clock_monotonic();
                    must("tell that it waits", write_all(Fd::STDOUT, b"x"))?;
                    must("flock", flock(fd, Flock::Exclusive, false))?;
                    expect("it has waited", clock_monotonic() >= before + WAIT / 2, true)
                }
                "locked" => {
                    expect("exclusive", try_lock(fd, Flock::Exclusive), Err(Errno::EAGAIN))?;
                    expect("shared", try_lock(fd, Flock::Shared), Err(Errno::EAGAIN))
                }
                "shared" => {
                    expect("exclusive", try_lock(fd, Flock::Exclusive), Err(Errno::EAGAIN))?;
                    expect("shared", try_lock(fd, Flock::Shared), Ok(()))
                }
                inherited => {
                    // The parent's descriptor is the parent's lock.
                    let inherited = Fd(inherited.parse().map_err(|_| "not a descriptor")?);
                    expect("the lock is held", try_lock(fd, Flock::Shared), Err(Errno::EAGAIN))?;
                    expect("unlock for the parent", try_lock(inherited, Flock::Unlock), Ok(()))
                }
            };
        }
        enter_directory("flock")?;
        let fd = file()?;
        expect("unlock of what is not locked", try_lock(fd, Flock::Unlock), Ok(()))?;
        expect("exclusive", try_lock(fd, Flock::Exclusive), Ok(()))?;
        expect("again", try_lock(fd, Flock::Exclusive), Ok(()))?;
        join(spawn_self("locked")?)?;
        let second = file()?;
        expect(
            "another open of the same process",
            try_lock(second, Flock::Shared),
            Err(Errno::EAGAIN),
        )?;
        expect("exclusive to shared", try_lock(fd, Flock::Shared), Ok(()))?;
        join(spawn_self("shared")?)?;
        expect("two shared", try_lock(second, Flock::Shared), Ok(()))?;
        expect(
            "shared to exclusive with another there",
            try_lock(fd, Flock::Exclusive),
            Err(Errno::EAGAIN),
        )?;
        must("close", close(second))?;
        expect("with none there", try_lock(fd, Flock::Exclusive), Ok(()))?;

        // Not for the child: it would hold the lock that it waits for.
        let copy = must("dup", dup(fd, Fd(0), true))?;
        must("close", close(fd))?;
        join(spawn_self("locked")?)?;
        let (told, tell) = must("pipe", pipe(OpenFlags::CLOEXEC))?;
        let child = must(
            "spawn",
            spawn(SpawnRequest {
                fd_actions: vec![FdAction::Dup2 {
                    from: tell,
                    to: Fd::STDOUT,
                }],
                ..self_request(&["waiter"])
            }),
        )?;
        expect("it begins", read(told, &mut [0]), Ok(1))?;
        must("sleep", sleep_until(clock_monotonic() + 2 * WAIT))?;
        expect(
            "it still waits",
            wait(WaitTarget::Pid(child), WaitOptions::NOHANG),
            Ok(None),
        )?;
        must("close the last copy", close(copy))?;
        join(child)?;

        let fd = file()?;
        expect("its end has released the lock", try_lock(fd, Flock::Exclusive), Ok(()))?;
        join(spawn_self(&fd.0.to_string())?)?;
        expect("the child has unlocked", try_lock(file()?, Flock::Exclusive), Ok(()))?;
        expect("a bad descriptor", try_lock(Fd(999), Flock::Shared), Err(Errno::EBADF))
    })
}
