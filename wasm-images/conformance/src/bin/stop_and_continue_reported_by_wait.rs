//! `wait` tells once of each stop and of each continuation, if asked; a stopped process acts on signals when it goes on.

use conformance::*;
use podsim_guest::*;
use std::time::Duration;

fn main() {
    conformance(|| {
        if argument().is_some() {
            return wait_to_be_killed();
        }
        let tell = |child, options| status_of(child, options | WaitOptions::NOHANG);
        let child = spawn_self("sleep")?;
        must("stop", kill(child, Some(Signal::STOP)))?;
        let stopped = Some(WaitStatus::Stopped(Signal::STOP));
        expect("WUNTRACED", status_of(child, WaitOptions::UNTRACED)?, stopped)?;
        expect("once", tell(child, WaitOptions::UNTRACED)?, None)?;
        let status = std::fs::read_to_string(format!("/proc/{child}/status")).map_err(|e| e.to_string())?;
        let state = status.lines().find(|line| line.starts_with("State:"));
        expect("the state", state, Some("State:\tT (stopped)"))?;

        must("continue", kill(child, Some(Signal::CONT)))?;
        expect("nobody asked", tell(child, WaitOptions::UNTRACED)?, None)?;
        let continued = Some(WaitStatus::Continued);
        expect("WCONTINUED", status_of(child, WaitOptions::CONTINUED)?, continued)?;
        expect("once", tell(child, WaitOptions::CONTINUED)?, None)?;
        must("continue", kill(child, Some(Signal::CONT)))?;
        expect("one that was not stopped", tell(child, WaitOptions::CONTINUED)?, None)?;

        must("stop", kill(child, Some(Signal::STOP)))?;
        expect("not asked for", tell(child, WaitOptions::empty())?, None)?;
        expect("a second stop", status_of(child, WaitOptions::UNTRACED)?, stopped)?;
        must("terminate", kill(child, Some(Signal::TERM)))?;
        pause(Duration::from_millis(10))?;
        expect("not while it is stopped", tell(child, WaitOptions::UNTRACED)?, None)?;
        must("continue", kill(child, Some(Signal::CONT)))?;
        let ended = status_of(child, WaitOptions::empty())?;
        expect("when it goes on", ended, Some(WaitStatus::Signaled(Signal::TERM)))?;

        let child = spawn_self("sleep")?;
        must("stop", kill(child, Some(Signal::STOP)))?;
        expect("WUNTRACED", status_of(child, WaitOptions::UNTRACED)?, stopped)?;
        must("kill", kill(child, Some(Signal::KILL)))?;
        let ended = status_of(child, WaitOptions::empty())?;
        expect("KILL does not wait", ended, Some(WaitStatus::Signaled(Signal::KILL)))
    })
}
