//! The files of `/proc/sysvipc`, in Linux's own columns. procfs calls one function a file; pids are told as `reader` numbers them
//! (0: not visible from there).

use super::IpcNamespace;
use crate::process::{PidNamespace, PidNumbers};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

fn number(pids: Option<&Arc<PidNumbers>>, reader: &PidNamespace) -> i32 {
    pids.and_then(|pids| pids.number_in(reader)).map_or(0, |pid| pid.0)
}

fn seconds(time: Duration) -> u64 {
    time.as_secs()
}

/// `/proc/sysvipc/shm` (`sysvipc_shm_proc_show`).
#[must_use]
pub fn render_shm(ns: &IpcNamespace, reader: &PidNamespace) -> String {
    let mut out = String::from(concat!(
        "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid",
        "      atime      dtime      ctime                   rss                  swap\n"
    ));
    let objects = ns.shm.lock().all();
    for object in objects {
        let p = &object.perm;
        let line = object.look(|s| {
            format!(
                "{:10} {:10}  {:4o} {:21} {:5} {:5}  {:5} {:5} {:5} {:5} {:5} {:10} {:10} {:10} {:21} {:21}\n",
                p.key,
                object.id,
                p.mode,
                s.size(),
                number(Some(&s.creator), reader),
                number(s.last.as_ref(), reader),
                0,
                p.uid,
                p.gid,
                p.uid,
                p.gid,
                seconds(s.attached),
                seconds(s.detached),
                seconds(s.changed),
                s.size().next_multiple_of(4096),
                0
            )
        });
        out.push_str(&line.unwrap_or_default());
    }
    out
}

/// `/proc/sysvipc/sem` (`sysvipc_sem_proc_show`).
#[must_use]
pub fn render_sem(ns: &IpcNamespace, _reader: &PidNamespace) -> String {
    let mut out =
        String::from("       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
    let objects = ns.sem.lock().all();
    for object in objects {
        let p = &object.perm;
        let Some((len, operated, changed)) = object.look(|s| (s.len(), s.operated, s.changed)) else {
            continue;
        };
        let _ = writeln!(
            out,
            "{:10} {:10}  {:4o} {len:10} {:5} {:5} {:5} {:5} {:10} {:10}",
            p.key,
            object.id,
            p.mode,
            p.uid,
            p.gid,
            p.uid,
            p.gid,
            seconds(operated),
            seconds(changed)
        );
    }
    out
}

/// `/proc/sysvipc/msg` (`sysvipc_msg_proc_show`).
#[must_use]
pub fn render_msg(ns: &IpcNamespace, reader: &PidNamespace) -> String {
    let mut out = String::from(concat!(
        "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid",
        "      stime      rtime      ctime\n"
    ));
    let objects = ns.msg.lock().all();
    for object in objects {
        let p = &object.perm;
        let line = object.look(|q| {
            let (bytes, messages) = q.queued();
            format!(
                "{:10} {:10}  {:4o}  {bytes:10} {messages:10} {:5} {:5} {:5} {:5} {:5} {:5} {:10} {:10} {:10}\n",
                p.key,
                object.id,
                p.mode,
                number(q.last_sender.as_ref(), reader),
                number(q.last_receiver.as_ref(), reader),
                p.uid,
                p.gid,
                p.uid,
                p.gid,
                seconds(q.sent),
                seconds(q.received),
                seconds(q.changed)
            )
        });
        out.push_str(&line.unwrap_or_default());
    }
    out
}
