//! System V messages come in order, by type, or lowest type first; removing the queue wakes a receiver with EIDRM.

use conformance::*;
use podsim_guest::*;

const KEY: i32 = 0x00c0_ffee;

fn main() {
    conformance(|| {
        let get = |create| IpcGet {
            key: KEY,
            size: 0,
            create,
            exclusive: create,
            mode: 0o600,
        };
        if argument().is_some() {
            let id = must("msgget", ipc_get(IpcKind::Msg, get(false)))?;
            must(
                "msgsnd",
                msgsnd(
                    id,
                    IpcMessage {
                        mtype: 7,
                        data: b"ready".to_vec(),
                    },
                    false,
                ),
            )?;
            return expect(
                "msgrcv of a removed queue",
                msgrcv(id, 16, 99, false),
                Err(Errno::EIDRM),
            );
        }
        expect("no queue yet", ipc_get(IpcKind::Msg, get(false)), Err(Errno::ENOENT))?;
        let id = must("msgget", ipc_get(IpcKind::Msg, get(true)))?;
        expect(
            "a second one with the key",
            ipc_get(IpcKind::Msg, get(true)),
            Err(Errno::EEXIST),
        )?;
        let message = |mtype, text: &str| IpcMessage {
            mtype,
            data: text.as_bytes().to_vec(),
        };
        for (mtype, text) in [(3, "three"), (1, "one"), (2, "two"), (1, "uno"), (2, "due")] {
            must("msgsnd", msgsnd(id, message(mtype, text), true))?;
        }
        for (asked, mtype, text) in [
            (2, 2, "two"),
            (-2, 1, "one"),
            (-9, 1, "uno"),
            (-9, 2, "due"),
            (0, 3, "three"),
        ] {
            expect("msgrcv", msgrcv(id, 16, asked, true), Ok(message(mtype, text)))?;
        }
        expect("an empty queue", msgrcv(id, 16, 0, true), Err(Errno::ENOMSG))?;
        must("msgsnd", msgsnd(id, message(1, "too long"), true))?;
        expect("a short buffer", msgrcv(id, 3, 0, true), Err(Errno::E2BIG))?;
        expect(
            "the message has stayed",
            msgrcv(id, 16, 0, true),
            Ok(message(1, "too long")),
        )?;
        expect("type 0", msgsnd(id, message(0, "x"), true), Err(Errno::EINVAL))?;

        let child = spawn_self("receiver")?;
        must("msgrcv", msgrcv(id, 16, 7, false))?;
        must(
            "sleep",
            sleep_until(clock_monotonic() + std::time::Duration::from_millis(20)),
        )?;
        must("IPC_RMID", ipc_remove(IpcKind::Msg, id))?;
        join(child)?;
        expect("the removed queue", msgrcv(id, 16, 0, true), Err(Errno::EINVAL))
    })
}
