//! Who is in a process group, what `setpgid` refuses, and that `kill` of a group reaches its members and nobody else.

use conformance::*;
use podsim_guest::*;

fn spawn_in(group: Pid, what: &str) -> std::result::Result<Pid, String> {
    let request = SpawnRequest {
        process_group: Some(group),
        ..self_request(&[what])
    };
    must("spawn", spawn(request))
}

fn main() {
    conformance(|| {
        match argument().as_deref() {
            Some("leader") => {
                let member = spawn_self("member")?;
                expect("a child is in its parent's group", getpgid(member), Ok(getpid()))?;
                must("kill the own group", kill(Pid(0), Some(Signal::USR1)))?;
                return Err("kill(0) left its caller".to_owned());
            }
            Some(_) => return wait_to_be_killed(),
            None => {}
        }
        let own = must("getpgid", getpgid(Pid(0)))?;
        let leader = spawn_in(Pid(0), "sleep")?;
        expect("a group of its own", getpgid(leader), Ok(leader))?;
        let member = spawn_in(leader, "sleep")?;
        expect("a member", getpgid(member), Ok(leader))?;
        let other = spawn_self("sleep")?;
        expect("one in the caller's group", getpgid(other), Ok(own))?;

        expect(
            "setpgid of a child that has executed",
            setpgid(other, leader),
            Err(Errno::EACCES),
        )?;
        expect("setpgid of no child", setpgid(getppid(), leader), Err(Errno::ESRCH))?;
        expect(
            "setpgid to a negative group",
            setpgid(Pid(0), Pid(-1)),
            Err(Errno::EINVAL),
        )?;
        expect(
            "setpgid to a group that is not",
            setpgid(Pid(0), other),
            Err(Errno::EPERM),
        )?;
        expect("getpgid of nobody", getpgid(Pid(i32::MAX)), Err(Errno::ESRCH))?;
        must("join the group", setpgid(Pid(0), leader))?;
        expect("joined", getpgid(Pid(0)), Ok(leader))?;
        must("and come back", setpgid(Pid(0), own))?;

        must("kill the group", kill(Pid(-leader.0), Some(Signal::TERM)))?;
        let killed = Some(WaitStatus::Signaled(Signal::TERM));
        expect("the leader", status_of(leader, WaitOptions::empty())?, killed)?;
        expect("the group outlives its leader", kill(Pid(-leader.0), None), Ok(()))?;
        let ended = must(
            "wait for a group",
            wait(WaitTarget::Group(leader), WaitOptions::empty()),
        )?;
        expect("the member", ended, Some((member, WaitStatus::Signaled(Signal::TERM))))?;
        expect("the empty group", kill(Pid(-leader.0), None), Err(Errno::ESRCH))?;
        expect("the one outside lives", status_of(other, WaitOptions::NOHANG)?, None)?;
        must("kill", kill(other, Some(Signal::KILL)))?;
        must("wait", wait(WaitTarget::Pid(other), WaitOptions::empty()))?;

        let leader = spawn_in(Pid(0), "leader")?;
        let killed = Some(WaitStatus::Signaled(Signal::USR1));
        expect(
            "one that kills its own group",
            status_of(leader, WaitOptions::empty())?,
            killed,
        )
    })
}
