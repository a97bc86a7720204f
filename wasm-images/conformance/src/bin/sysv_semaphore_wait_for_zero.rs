//! `semop`: all operations or none, waiting for zero, and waking those who wait.

use conformance::*;
use podsim_guest::*;

const KEY: i32 = 0x05e4_a000;

fn main() {
    conformance(|| {
        let get = |create| IpcGet {
            key: KEY,
            size: 2,
            create,
            exclusive: create,
            mode: 0o600,
        };
        let op = |index, change, no_wait| SemOp { index, change, no_wait };
        if argument().is_some() {
            let id = must("semget", ipc_get(IpcKind::Sem, get(false)))?;
            // Waits until the first is 0, and takes the second's place in the same step.
            must("semop", semop(id, vec![op(0, 0, false), op(1, 1, false)]))?;
            return expect("the first one when it was woken", semval(id, 0, None), Ok(0));
        }
        let id = must("semget", ipc_get(IpcKind::Sem, get(true)))?;
        expect("semop on zero", semop(id, vec![op(0, 0, true)]), Ok(()))?;
        expect(
            "take what is not there",
            semop(id, vec![op(0, -1, true)]),
            Err(Errno::EAGAIN),
        )?;
        expect(
            "half of it",
            semop(id, vec![op(0, 2, true), op(1, -1, true)]),
            Err(Errno::EAGAIN),
        )?;
        expect("nothing was done", semval(id, 0, None), Ok(0))?;
        expect("no such semaphore", semop(id, vec![op(2, 1, true)]), Err(Errno::EFBIG))?;
        expect(
            "too high",
            semop(id, vec![op(0, 32767, true), op(0, 1, true)]),
            Err(Errno::ERANGE),
        )?;
        expect("add", semop(id, vec![op(0, 2, true)]), Ok(()))?;
        expect(
            "wait for zero without waiting",
            semop(id, vec![op(0, 0, true)]),
            Err(Errno::EAGAIN),
        )?;

        let child = spawn_self("waiter")?;
        must(
            "sleep",
            sleep_until(clock_monotonic() + std::time::Duration::from_millis(20)),
        )?;
        expect("the other one waits", semval(id, 1, None), Ok(0))?;
        must("take one", semop(id, vec![op(0, -1, false)]))?;
        must("take the other", semop(id, vec![op(0, -1, false)]))?;
        must("wait for the waiter", semop(id, vec![op(1, -1, false)]))?;
        join(child)?;
        must("IPC_RMID", ipc_remove(IpcKind::Sem, id))?;
        expect("the removed set", semval(id, 0, None), Err(Errno::EINVAL))
    })
}
