//! A child that has ended is a zombie, with a pid that signals reach, until `wait` takes its status, once.

use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        match argument().as_deref() {
            Some("exit") => exit(7),
            Some("kill") => {
                must("kill", kill(getpid(), Some(Signal::TERM)))?;
                return Err("SIGTERM did not kill".to_owned());
            }
            Some(_) => return wait_to_be_killed(),
            None => {}
        }
        let chld = SigSet::from_iter([Signal::CHLD]);
        let mask = sigprocmask(Some((SigMaskHow::Block, chld)));
        must("handle", on_signal(Signal::CHLD, Some(|_| ()), false))?;
        let child = spawn_self("exit")?;
        expect("sigsuspend", sigsuspend(mask), Errno::EINTR)?;

        let status = std::fs::read_to_string(format!("/proc/{child}/status")).map_err(|e| e.to_string())?;
        let state = status.lines().find(|line| line.starts_with("State:"));
        expect("the state", state, Some("State:\tZ (zombie)"))?;
        let command = std::fs::read(format!("/proc/{child}/cmdline")).map_err(|e| e.to_string())?;
        expect("the command line of a zombie", command, Vec::new())?;
        expect(
            "a group for a zombie, after exec",
            setpgid(child, Pid(0)),
            Err(Errno::EACCES),
        )?;
        expect("a signal to a zombie", kill(child, Some(Signal::KILL)), Ok(()))?;
        let exited = Some((child, WaitStatus::Exited(7)));
        expect("wait", wait(WaitTarget::Pid(child), WaitOptions::NOHANG), Ok(exited))?;
        expect(
            "a second time",
            wait(WaitTarget::Pid(child), WaitOptions::NOHANG),
            Err(Errno::ECHILD),
        )?;
        expect("the pid is gone", kill(child, None), Err(Errno::ESRCH))?;

        let child = spawn_self("kill")?;
        let ended = status_of(child, WaitOptions::empty())?;
        expect("one that kills itself", ended, Some(WaitStatus::Signaled(Signal::TERM)))?;

        let child = spawn_self("sleep")?;
        expect("one that runs", wait(WaitTarget::Any, WaitOptions::NOHANG), Ok(None))?;
        must("kill", kill(child, Some(Signal::KILL)))?;
        let ended = must("wait", wait(WaitTarget::Any, WaitOptions::empty()))?;
        expect(
            "one that was killed",
            ended,
            Some((child, WaitStatus::Signaled(Signal::KILL))),
        )
    })
}
