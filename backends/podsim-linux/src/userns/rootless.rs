//! Podsim of an ordinary user: root of a user namespace of its own.

use super::ids::{IdRange, subordinate};
use super::{Missing, Switches};
use nix::sched::CloneFlags;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::Command;

/// The ids that there are in podsim's user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ids {
    /// 0, which is the user, and others up to this number.
    Range(u32),
    /// Only 0.
    Single,
}

impl Ids {
    /// How many there are, from 0 up.
    #[must_use]
    pub fn count(self) -> u32 {
        match self {
            Ids::Range(count) => count,
            Ids::Single => 1,
        }
    }
}

/// What podsim has become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rootless {
    /// The ids that Pods can have.
    pub ids: Ids,
    /// A sentence for each thing that is missing, with what would help.
    pub missing: Vec<String>,
}

/// What a user may map beyond its own id, if anything.
struct Plan {
    uids: IdRange,
    gids: IdRange,
    newuidmap: PathBuf,
    newgidmap: PathBuf,
}

/// Makes a user namespace and a mount namespace in which this process is root. Called at podsim's start, as there may be only
/// one thread. Mounts of the host still arrive in the new mount namespace; none of its own leave it.
///
/// # Errors
///
/// If the machine does not let an ordinary user do it; with what would help.
pub fn enter_rootless() -> Result<Rootless, Missing> {
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    let switches = Switches::read();
    let mut missing = Vec::new();
    let helper = plan(uid).and_then(|plan| Helper::start(plan, uid, gid).map_err(|error| error.to_string()));
    nix::sched::unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
        .map_err(|error| switches.explain(Errno::from_raw_os_error(error as i32)))?;
    match helper.and_then(Helper::finish) {
        Ok(count) => {
            if count < 65_536 {
                missing.push(format!(
                    "there are only {count} user ids: give this user 65536 in /etc/subuid and /etc/subgid"
                ));
            }
            return Ok(Rootless {
                ids: Ids::Range(count),
                missing,
            });
        }
        Err(why) => missing.push(only_root(&why)),
    }
    map_own(uid, gid).map_err(|error| switches.explain(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
    Ok(Rootless {
        ids: Ids::Single,
        missing,
    })
}

fn only_root(why: &str) -> String {
    format!("Pods can only run as user and group 0: {why}")
}

/// Why Pods of this user can have no ids but 0, if that is so.
pub(super) fn missing_ids(uid: u32) -> Option<String> {
    plan(uid).err().map(|why| only_root(&why))
}

/// Maps only the user's own ids, which needs no help (user_namespaces(7), "Defining user and group ID mappings").
pub(super) fn map_own(uid: u32, gid: u32) -> io::Result<()> {
    let own = |file: &str, id: u32| {
        // The helper may have got as far as one of the two.
        let written = std::fs::read_to_string(file).is_ok_and(|map| !map.trim().is_empty());
        if written {
            Ok(())
        } else {
            std::fs::write(file, format!("0 {id} 1"))
        }
    };
    own("/proc/self/uid_map", uid)?;
    let _ = std::fs::write("/proc/self/setgroups", "deny");
    own("/proc/self/gid_map", gid)
}

/// Finds the programs and ranges, or says what is missing.
fn plan(uid: u32) -> Result<Plan, String> {
    let name = nix::unistd::User::from_uid(uid.into())
        .ok()
        .flatten()
        .map(|user| user.name);
    let range = |file: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let who = name.clone().unwrap_or_else(|| uid.to_string());
        subordinate(&text, name.as_deref(), uid)
            .ok_or_else(|| format!("{file} has no range for {who}: add the line `{who}:100000:65536`"))
    };
    let program = |name: &str| {
        find(name).ok_or_else(|| format!("{name} is not installed: install the package uidmap (shadow-utils)"))
    };
    Ok(Plan {
        newuidmap: program("newuidmap")?,
        newgidmap: program("newgidmap")?,
        uids: range("/etc/subuid")?,
        gids: range("/etc/subgid")?,
    })
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let standard = ["/usr/bin", "/bin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(standard)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// A child that stays outside the user namespace and has its maps written: only there do newuidmap and newgidmap have their
/// set-user-id rights.
struct Helper {
    pid: nix::unistd::Pid,
    go: io::PipeWriter,
    answer: io::PipeReader,
    count: u32,
}

impl Helper {
    fn start(plan: Plan, uid: u32, gid: u32) -> io::Result<Self> {
        let (wait, go) = io::pipe()?;
        let (answer, tell) = io::pipe()?;
        let target = std::process::id();
        #[expect(unsafe_code, reason = "fork has no safe wrapper")]
        // SAFETY: podsim has one thread at its start (unshare of a user namespace would refuse otherwise), so that no lock is
        // held in the child by a thread that it does not have.
        let fork = unsafe { nix::unistd::fork() }?;
        match fork {
            nix::unistd::ForkResult::Child => {
                drop((go, answer));
                plan.run(target, uid, gid, wait, tell)
            }
            nix::unistd::ForkResult::Parent { child } => Ok(Self {
                pid: child,
                go,
                answer,
                count: plan.uids.count.min(plan.gids.count).saturating_add(1),
            }),
        }
    }

    /// Has the maps written, now that there is a namespace; tells how many ids there are.
    fn finish(mut self) -> Result<u32, String> {
        let mut said = String::new();
        let told = self
            .go
            .write_all(b"!")
            .and_then(|()| self.answer.read_to_string(&mut said));
        while nix::sys::wait::waitpid(self.pid, None) == Err(nix::Error::EINTR) {}
        match told {
            Ok(_) if said == "ok" => Ok(self.count),
            Ok(_) => Err(said),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Plan {
    /// What the helper does.
    fn run(&self, target: u32, uid: u32, gid: u32, mut wait: io::PipeReader, mut tell: io::PipeWriter) -> ! {
        let mut go = [0];
        if wait.read_exact(&mut go).is_ok() {
            let count = self.uids.count.min(self.gids.count);
            let done = map(&self.newuidmap, target, uid, self.uids.first, count)
                .and_then(|()| map(&self.newgidmap, target, gid, self.gids.first, count));
            let _ = tell.write_all(done.err().unwrap_or_else(|| "ok".to_owned()).as_bytes());
        }
        #[expect(unsafe_code, reason = "_exit has no safe wrapper in std")]
        // SAFETY: ends the process, without destructors or handlers of the parent's.
        unsafe {
            libc::_exit(0)
        }
    }
}

/// Runs `newuidmap(1)` or `newgidmap(1)`.
fn map(program: &PathBuf, target: u32, own: u32, first: u32, count: u32) -> Result<(), String> {
    let numbers = [target, 0, own, 1, 1, first, count].map(|number| number.to_string());
    let name = program.display();
    let output = Command::new(program)
        .args(numbers)
        .env_clear()
        .output()
        .map_err(|error| format!("{name} does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("it failed").to_owned();
    Err(match said.contains("not permitted") {
        true => format!("{said} ({name} has to be set-user-id root, on a mount without nosuid)"),
        false => said,
    })
}
