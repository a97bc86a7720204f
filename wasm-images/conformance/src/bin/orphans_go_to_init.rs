//! A process whose parent ends gets process 1 as its parent, and keeps its group and session.

use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        match argument().as_deref() {
            Some("middle") => {
                spawn_self("orphan")?;
                // The orphan tells that it has seen its first parent.
                return expect("read", read(Fd::STDIN, &mut [0; 1]), Ok(1));
            }
            Some(_) => {
                let first = getppid();
                let group = getpgid(Pid(0));
                must("tell the middle one", write(Fd::STDERR, b"x"))?;
                while getppid() == first {
                    pause(std::time::Duration::from_millis(1))?;
                }
                let line = format!("{} {} {}", getppid(), group == getpgid(Pid(0)), first);
                return must("report", write_all(Fd::STDOUT, line.as_bytes()));
            }
            None => {}
        }
        let (seen, tell_seen) = must("pipe", pipe(OpenFlags::CLOEXEC))?;
        let (report, tell) = must("pipe", pipe(OpenFlags::CLOEXEC))?;
        let middle = must(
            "spawn",
            spawn(SpawnRequest {
                fd_actions: vec![
                    FdAction::Dup2 {
                        from: seen,
                        to: Fd::STDIN,
                    },
                    FdAction::Dup2 {
                        from: tell_seen,
                        to: Fd::STDERR,
                    },
                    FdAction::Dup2 {
                        from: tell,
                        to: Fd::STDOUT,
                    },
                ],
                ..self_request(&["middle"])
            }),
        )?;
        must("close", close(tell))?;
        join(middle)?;
        let report = must("the orphan's report", read_to_end(report))?;
        expect(
            "its parent after, same group, its parent before",
            String::from_utf8_lossy(&report).as_ref(),
            &*format!("1 true {middle}"),
        )?;
        expect(
            "it is nobody's child here",
            wait(WaitTarget::Any, WaitOptions::NOHANG),
            Err(Errno::ECHILD),
        )
    })
}
