//! Tests of System V IPC and POSIX message queues, by the calls of processes.

use crate::Task;
use crate::ipc::proc;
use crate::testing::{Log, TestNode};
use podsim_sys::*;
use std::future::Future;

fn run<F, Fut>(node: &TestNode, name: &str, body: F) -> Vec<String>
where
    F: Fn(Task, Log) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<u8>> + Send + 'static,
{
    node.program(name, body).run(&format!("/bin/{name}"));
    node.said()
}

fn get(key: i32, size: u64, create: bool, exclusive: bool) -> IpcGet {
    IpcGet {
        key,
        size,
        create,
        exclusive,
        mode: 0o600,
    }
}

fn op(index: u16, change: i16) -> SemOp {
    SemOp {
        index,
        change,
        no_wait: false,
    }
}

fn message(mtype: i64, text: &str) -> IpcMessage {
    IpcMessage {
        mtype,
        data: text.as_bytes().to_vec(),
    }
}

#[test]
fn keys_and_ids_are_those_of_linux() {
    let node = TestNode::new();
    let said = run(&node, "keys", async |task, log: Log| {
        let say = |what: &str, result: Result<i32>| log.say(format!("{what}: {result:?}"));
        let shm = |request| task.ipc_get(IpcKind::Shm, request);
        say("absent", shm(get(7, 100, false, false)));
        say("made", shm(get(7, 100, true, true)));
        say("found", shm(get(7, 50, false, false)));
        say("too small", shm(get(7, 101, false, false)));
        say("exclusive", shm(get(7, 100, true, true)));
        say("private", shm(get(0, 1, false, false)));
        say("empty", shm(get(8, 0, true, false)));
        say("huge", shm(get(8, u64::MAX, true, false)));
        task.ipc_remove(IpcKind::Shm, 0)?;
        say("removed", task.ipc_remove(IpcKind::Shm, 0).map(|()| 0));
        say("its place", shm(get(7, 1, true, false)));
        say("old id", task.shm_read(0, 0, &mut [0]).map(|_| 0));
        say("no id", task.shm_read(-1, 0, &mut [0]).map(|_| 0));
        say("other kind", task.ipc_get(IpcKind::Msg, get(7, 0, false, false)));
        task.setresuid(None, Some(1000), None)?;
        say("without rights", shm(get(7, 1, false, false)));
        say("not the owner", task.ipc_remove(IpcKind::Shm, 1).map(|()| 0));
        Ok(0)
    });
    let expected = [
        "absent: Err(ENOENT)",
        "made: Ok(0)",
        "found: Ok(0)",
        "too small: Err(EINVAL)",
        "exclusive: Err(EEXIST)",
        "private: Ok(1)",
        "empty: Err(EINVAL)",
        "huge: Err(EINVAL)",
        "removed: Err(EINVAL)",
        "its place: Ok(32768)",
        "old id: Err(EIDRM)",
        "no id: Err(EINVAL)",
        "other kind: Err(ENOENT)",
        "without rights: Err(EACCES)",
        "not the owner: Err(EPERM)",
    ];
    assert_eq!(said, expected);
}

#[test]
fn memory_of_segments_is_limited_and_given_back() {
    let node = TestNode::new();
    let said = run(&node, "hungry", async |task, log: Log| {
        let mut ids = Vec::new();
        let errno = loop {
            match task.ipc_get(IpcKind::Shm, get(0, 64 << 20, true, false)) {
                Ok(id) => ids.push(id),
                Err(errno) => break errno,
            }
        };
        log.say(format!("{} segments, then {errno:?}", ids.len()));
        task.ipc_remove(IpcKind::Shm, ids[0])?;
        let id = task.ipc_get(IpcKind::Shm, get(0, 64 << 20, true, false))?;
        log.say(format!("{:?}", task.shm_write(id, (64 << 20) - 2, b"abc")));
        log.say(format!("{:?}", task.shm_write(id, (64 << 20) + 1, b"abc")));
        let mut buf = [9; 4];
        log.say(format!("{:?} {buf:?}", task.shm_read(id, (64 << 20) - 3, &mut buf)));
        Ok(0)
    });
    assert_eq!(said[..3], ["4 segments, then ENOSPC", "Ok(2)", "Err(EINVAL)"]);
}

#[test]
fn semaphore_operations_are_atomic_and_wait_for_zero() {
    let node = TestNode::new();
    node.program("waiter", async |task, log: Log| {
        let id = task.ipc_get(IpcKind::Sem, get(5, 2, false, false))?;
        // Takes one of each, or nothing.
        task.semop(id, vec![op(0, -1), op(1, -1)]).await?;
        log.say("both taken");
        task.semop(id, vec![op(0, 0)]).await?;
        log.say("zero");
        log.say(format!("{:?}", task.semop(id, vec![op(0, -1)]).await));
        Ok(0)
    });
    node.program("owner", async |task, log: Log| {
        let id = task.ipc_get(IpcKind::Sem, get(5, 2, true, false))?;
        let child = task.spawn(crate::testing::spawn("waiter")).await?;
        let pause = || task.sleep_until(task.clock_monotonic() + std::time::Duration::from_secs(1));
        pause().await?;
        task.semop(id, vec![op(0, 2)]).await?;
        pause().await?;
        log.say(format!("nothing taken: {}", task.semval(id, 0, None)?));
        task.semop(id, vec![op(1, 1)]).await?;
        pause().await?;
        log.say(format!(
            "left: {} {}",
            task.semval(id, 0, None)?,
            task.semval(id, 1, None)?
        ));
        task.semval(id, 0, Some(0))?;
        pause().await?;
        let no_wait = SemOp {
            index: 0,
            change: -1,
            no_wait: true,
        };
        for ops in [
            vec![],
            vec![op(0, 1); 501],
            vec![op(2, 1)],
            vec![op(0, 32767), op(0, 1)],
            vec![op(0, 1), op(1, 1), no_wait, no_wait],
        ] {
            log.say(format!("{:?}", task.semop(id, ops).await));
        }
        log.say(format!(
            "unchanged: {} {}",
            task.semval(id, 0, None)?,
            task.semval(id, 1, None)?
        ));
        task.ipc_remove(IpcKind::Sem, id)?;
        crate::testing::wait_for(&task, child).await?;
        Ok(0)
    });
    node.start("/bin/owner");
    node.settle();
    let expected = [
        "nothing taken: 2",
        "both taken",
        "left: 1 0",
        "zero",
        "Err(EINVAL)",
        "Err(E2BIG)",
        "Err(EFBIG)",
        "Err(ERANGE)",
        "Err(EAGAIN)",
        "unchanged: 0 0",
        "Err(EIDRM)",
    ];
    assert_eq!(node.said(), expected);
}

#[test]
fn messages_are_chosen_by_type_and_a_full_queue_makes_the_sender_wait() {
    let node = TestNode::new();
    let said = run(&node, "mail", async |task, log: Log| {
        let id = task.ipc_get(IpcKind::Msg, get(3, 0, true, false))?;
        for (mtype, text) in [(3, "three"), (1, "one"), (2, "two"), (1, "uno")] {
            task.msgsnd(id, message(mtype, text), true).await?;
        }
        for mtype in [2, -2, -5, -5, 0] {
            let received = task.msgrcv(id, 100, mtype, true).await;
            log.say(format!(
                "{mtype}: {:?}",
                received.map(|m| String::from_utf8(m.data).unwrap_or_default())
            ));
        }
        task.msgsnd(id, message(1, "long"), true).await?;
        log.say(format!("{:?}", task.msgrcv(id, 3, 0, true).await));
        log.say(format!("{:?}", task.msgrcv(id, 4, 0, true).await.map(|m| m.data.len())));
        for bad in [
            message(0, "x"),
            message(-1, "x"),
            IpcMessage {
                mtype: 1,
                data: vec![0; 8193],
            },
        ] {
            log.say(format!("{:?}", task.msgsnd(id, bad, true).await));
        }
        let full = IpcMessage {
            mtype: 1,
            data: vec![0; 8192],
        };
        for _ in 0..3 {
            log.say(format!("{:?}", task.msgsnd(id, full.clone(), true).await));
        }
        Ok(0)
    });
    let expected = [
        "2: Ok(\"two\")",
        "-2: Ok(\"one\")",
        "-5: Ok(\"uno\")",
        "-5: Ok(\"three\")",
        "0: Err(ENOMSG)",
        "Err(E2BIG)",
        "Ok(4)",
        "Err(EINVAL)",
        "Err(EINVAL)",
        "Err(EINVAL)",
        "Ok(())",
        "Ok(())",
        "Err(EAGAIN)",
    ];
    assert_eq!(said, expected);

    node.program("late", async |task, log: Log| {
        let id = task.ipc_get(IpcKind::Msg, get(3, 0, false, false))?;
        let sent = task.msgsnd(id, message(9, "late"), false).await;
        log.say(format!("sent: {sent:?}"));
        log.say(format!("{:?}", task.msgrcv(id, 9, 77, false).await));
        Ok(0)
    });
    node.program("reader", async |task, _| {
        let id = task.ipc_get(IpcKind::Msg, get(3, 0, false, false))?;
        task.msgrcv(id, 8192, 0, true).await?;
        Ok(0)
    });
    node.program("remover", async |task, _| {
        let id = task.ipc_get(IpcKind::Msg, get(3, 0, false, false))?;
        task.ipc_remove(IpcKind::Msg, id)?;
        Ok(0)
    });
    let mut said = Vec::new();
    for program in ["late", "reader", "remover"] {
        node.run(&format!("/bin/{program}"));
        said.push(node.said());
    }
    assert_eq!(
        said,
        [vec![], vec!["sent: Ok(())".to_owned()], vec!["Err(EIDRM)".to_owned()]]
    );
}

#[test]
fn posix_queues_order_by_priority_and_are_files_too() {
    let node = TestNode::new();
    let said = run(&node, "mq", async |task, log: Log| {
        let attr = Some(MqAttr {
            messages: 2,
            message_size: 16,
        });
        let fd = task.mq_open(
            "/jobs",
            OpenFlags::RDWR | OpenFlags::CREAT | OpenFlags::NONBLOCK,
            Mode(0o644),
            attr,
        )?;
        task.mq_send(fd, b"low".to_vec(), 1).await?;
        task.mq_send(fd, b"high".to_vec(), 9).await?;
        log.say(format!("full: {:?}", task.mq_send(fd, b"x".to_vec(), 1).await));
        let mut status = [0; 80];
        let n = task.read(fd, &mut status).await?;
        log.say(String::from_utf8_lossy(&status[..n]).into_owned());
        log.say(format!("short buffer: {:?}", task.mq_receive(fd, 15).await));
        log.say(format!("{:?}", task.mq_receive(fd, 16).await));
        log.say(format!(
            "{:?}",
            task.mq_receive(fd, 16).await.map(|(data, _)| data.len())
        ));
        log.say(format!("empty: {:?}", task.mq_receive(fd, 16).await));
        log.say(format!("too long: {:?}", task.mq_send(fd, vec![0; 17], 1).await));
        log.say(format!("a pipe: {:?}", task.mq_send(Fd::STDOUT, vec![], 1).await));
        task.mkdirat(Fd::CWD, "/mq", Mode(0o755))?;
        task.mount("mqueue", "/mq", "mqueue", MountFlags::empty(), "")?;
        log.say(format!("{:o}", task.fstatat(Fd::CWD, "/mq/jobs", true)?.mode.0));
        task.setresuid(None, Some(1000), None)?;
        log.say(format!(
            "a stranger writes: {:?}",
            task.mq_open("/jobs", OpenFlags::WRONLY, Mode(0), None)
        ));
        log.say(format!("a stranger unlinks: {:?}", task.mq_unlink("/jobs")));
        task.setresuid(None, Some(0), None)?;
        task.unlinkat(Fd::CWD, "/mq/jobs", false)?;
        log.say(format!(
            "gone: {:?}",
            task.mq_open("/jobs", OpenFlags::RDWR, Mode(0), None)
        ));
        for name in ["jobs", "/", "/a/b"] {
            log.say(format!(
                "{name}: {:?}",
                task.mq_open(name, OpenFlags::CREAT, Mode(0), None)
            ));
        }
        Ok(0)
    });
    let expected = [
        "full: Err(EAGAIN)",
        "QSIZE:7          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n",
        "short buffer: Err(EMSGSIZE)",
        "Ok(([104, 105, 103, 104], 9))",
        "Ok(3)",
        "empty: Err(EAGAIN)",
        "too long: Err(EMSGSIZE)",
        "a pipe: Err(EBADF)",
        "644",
        "a stranger writes: Err(EACCES)",
        "a stranger unlinks: Err(EACCES)",
        "gone: Err(ENOENT)",
        "jobs: Err(EINVAL)",
        "/: Err(ENOENT)",
        "/a/b: Err(EACCES)",
    ];
    assert_eq!(said, expected);
}

#[test]
fn proc_sysvipc_has_the_columns_of_linux() {
    let node = TestNode::new();
    run(&node, "maker", async |task, _| {
        let shm = task.ipc_get(IpcKind::Shm, get(0x1234, 5000, true, false))?;
        task.shm_write(shm, 0, b"x")?;
        task.ipc_get(IpcKind::Sem, get(0, 3, true, false))?;
        let msg = task.ipc_get(IpcKind::Msg, get(-1, 0, true, false))?;
        task.msgsnd(msg, message(1, "12345"), true).await?;
        Ok(0)
    });
    let (ns, reader) = (
        &node.kernel.initial_namespaces().ipc,
        node.kernel.initial_pid_namespace(),
    );
    assert_eq!(
        proc::render_shm(ns, reader).lines().nth(1).unwrap(),
        "      4660          0   600                  5000     2     2      0     0     0     0     0 1718635380 1718635380 1718635380                  8192                     0"
    );
    assert_eq!(
        proc::render_sem(ns, reader).lines().nth(1).unwrap(),
        "         0          0   600          3     0     0     0     0          0 1718635380"
    );
    assert_eq!(
        proc::render_msg(ns, reader).lines().nth(1).unwrap(),
        "        -1          0   600           5          1     2     0     0     0     0     0 1718635380          0 1718635380"
    );
    for text in [
        proc::render_shm(ns, reader),
        proc::render_sem(ns, reader),
        proc::render_msg(ns, reader),
    ] {
        let [header, line] = text.lines().collect::<Vec<_>>()[..] else {
            panic!()
        };
        assert_eq!(header.len(), line.len(), "{text}");
    }
}
