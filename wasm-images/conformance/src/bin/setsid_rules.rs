//! `setsid` makes a session, a group and no terminal, is refused to group leaders, and sessions do not share groups.

use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        match argument().as_deref() {
            Some("session") => {
                let old = must("getsid", getsid(Pid(0)))?;
                let old_group = must("getpgid", getpgid(Pid(0)))?;
                let pid = getpid();
                expect("setsid", setsid(), Ok(pid))?;
                expect(
                    "its session and group",
                    (getsid(Pid(0)), getpgid(Pid(0))),
                    (Ok(pid), Ok(pid)),
                )?;
                expect("the parent's session", getsid(getppid()), Ok(old))?;
                expect("a second time", setsid(), Err(Errno::EPERM))?;
                expect(
                    "setpgid of a session's leader",
                    setpgid(Pid(0), Pid(0)),
                    Err(Errno::EPERM),
                )?;
                let tty = openat(Fd::CWD, "/dev/tty", OpenFlags::RDWR, Mode(0));
                expect("no terminal", tty, Err(Errno::ENXIO))?;
                let request = self_request(&["member", &old_group.to_string()]);
                let member = must("spawn", spawn(request))?;
                expect("a child's session", getsid(member), Ok(pid))?;
                let join_old = setpgid(member, old_group);
                expect("a group of another session, after exec", join_old, Err(Errno::EACCES))?;
                return join(member);
            }
            Some("member") => {
                must("a group of its own", setpgid(Pid(0), Pid(0)))?;
                let group = args().get(2).and_then(|group| group.parse().ok()).map(Pid);
                let group = group.ok_or("no group was given")?;
                return expect("a group of another session", setpgid(Pid(0), group), Err(Errno::EPERM));
            }
            Some("leader") => return expect("setsid of a group's leader", setsid(), Err(Errno::EPERM)),
            Some(_) => return wait_to_be_killed(),
            None => {}
        }
        join(spawn_self("session")?)?;
        let leader = SpawnRequest {
            process_group: Some(Pid(0)),
            ..self_request(&["leader"])
        };
        join(must("spawn", spawn(leader))?)?;

        let request = SpawnRequest {
            new_session: true,
            ..self_request(&["sleep"])
        };
        let child = must("spawn", spawn(request))?;
        expect(
            "a session from the start",
            (getsid(child), getpgid(child)),
            (Ok(child), Ok(child)),
        )?;
        expect(
            "setpgid of a child in another session",
            setpgid(child, Pid(0)),
            Err(Errno::EPERM),
        )?;
        expect(
            "setpgid into another session",
            setpgid(Pid(0), child),
            Err(Errno::EPERM),
        )?;
        must("kill", kill(child, Some(Signal::KILL)))?;
        let killed = Some(WaitStatus::Signaled(Signal::KILL));
        expect("the end", status_of(child, WaitOptions::empty())?, killed)
    })
}
