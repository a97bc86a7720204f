//! What each signal does to a process that has not said anything about it.

use conformance::*;
use podsim_guest::*;
use std::time::Duration;

fn main() {
    conformance(|| {
        match argument().as_deref() {
            Some("short") => return pause(Duration::from_millis(20)),
            Some(_) => return wait_to_be_killed(),
            None => {}
        }
        for number in (1..=31).chain([34, 64]) {
            let Some(signal) = Signal::new(number) else {
                return Err(format!("no signal {number}"));
            };
            match signal {
                Signal::CHLD | Signal::CONT | Signal::URG | Signal::WINCH => {
                    let child = spawn_self("short")?;
                    must("kill", kill(child, Some(signal)))?;
                    let ended = status_of(child, WaitOptions::UNTRACED)?;
                    expect(&format!("{signal} does nothing"), ended, Some(WaitStatus::Exited(0)))?;
                }
                Signal::STOP | Signal::TSTP | Signal::TTIN | Signal::TTOU => {
                    // A group of its own: its parent in another one makes that no orphaned group, which would not stop.
                    let request = SpawnRequest {
                        process_group: Some(Pid(0)),
                        ..self_request(&["sleep"])
                    };
                    let child = must("spawn", spawn(request))?;
                    must("kill", kill(child, Some(signal)))?;
                    let stopped = status_of(child, WaitOptions::UNTRACED)?;
                    expect(&format!("{signal} stops"), stopped, Some(WaitStatus::Stopped(signal)))?;
                    must("kill", kill(child, Some(Signal::KILL)))?;
                    let ended = status_of(child, WaitOptions::empty())?;
                    expect("KILL", ended, Some(WaitStatus::Signaled(Signal::KILL)))?;
                }
                _ => {
                    let child = spawn_self("sleep")?;
                    must("kill", kill(child, Some(signal)))?;
                    let ended = status_of(child, WaitOptions::UNTRACED)?;
                    expect(&format!("{signal} kills"), ended, Some(WaitStatus::Signaled(signal)))?;
                }
            }
        }
        Ok(())
    })
}
