//! Giving up rights: the child that becomes a container's process takes the user, groups, capabilities and limits that were
//! resolved for it, in the order in which each step still has the rights for it (the order of runc's `finalizeNamespace`).
//!
//! The calls are those of the kernel, which are per thread: the caller must be the only thread of its process.

use crate::seccomp::Filter;
use podsim_sys::{CapSet, Credentials, Resource, Rlimit};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Gid, Signal, Uid};
use rustix::thread::{self, CapabilitySet, CapabilitySets};
use serde::{Deserialize, Serialize};
use std::io::Write;

/// What a process may do from now on. Capabilities that podsim does not have itself are left out of each set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// User id: real, effective, saved.
    pub uid: u32,
    /// Group id: real, effective, saved.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// The limit of what exec can give.
    pub bounding: u64,
    /// What may be made effective.
    pub permitted: u64,
    /// What is checked.
    pub effective: u64,
    /// Kept over exec by files that ask for it.
    pub inheritable: u64,
    /// Kept over exec of ordinary files.
    pub ambient: u64,
    /// Exec gives no privileges.
    pub no_new_privs: bool,
    /// Limits of `setrlimit(2)`.
    pub rlimits: Vec<Limit>,
    /// `umask(2)`; `None`: as it is.
    pub umask: Option<u32>,
    /// `oom_score_adj`; `None`: as it is. Without CAP_SYS_RESOURCE it cannot be lowered, and stays.
    pub oom_score_adj: Option<i32>,
}

/// One limit of [`Rights`]; `None` is unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The number of the resource.
    pub resource: u8,
    /// What is enforced.
    pub soft: Option<u64>,
    /// How far the soft limit may be raised.
    pub hard: Option<u64>,
}

impl Limit {
    /// In podsim-sys' words.
    #[must_use]
    pub fn new(resource: Resource, limit: Rlimit) -> Self {
        Self {
            resource: resource as u8,
            soft: limit.soft,
            hard: limit.hard,
        }
    }
}

/// How the child sees whether podsim still lives: its death before PDEATHSIG was set would go unnoticed otherwise.
/// `getppid(2)` is of no use, as it is 0 for a parent in another pid namespace.
#[derive(Clone, Copy, Debug)]
pub enum Parent<'a> {
    /// A pidfd of it.
    Pidfd(BorrowedFd<'a>),
    /// A socket whose other end only it holds.
    Socket(BorrowedFd<'a>),
}

/// The step that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step}: {source}{hint}")]
pub struct Error {
    step: String,
    /// What the kernel says.
    pub source: Errno,
    hint: &'static str,
}

impl From<&Credentials> for Rights {
    fn from(credentials: &Credentials) -> Self {
        Self {
            uid: credentials.uid,
            gid: credentials.gid,
            groups: credentials.groups.clone(),
            bounding: credentials.bounding.0,
            permitted: credentials.permitted.0,
            effective: credentials.effective.0,
            inheritable: credentials.inheritable.0,
            ambient: credentials.ambient.0,
            no_new_privs: credentials.no_new_privs,
            ..Self::default()
        }
    }
}

/// The capabilities that this process may use and give: what no container can exceed.
#[must_use]
pub fn available() -> CapSet {
    thread::capabilities(None).map_or(CapSet::EMPTY, |sets| CapSet(sets.permitted.bits()))
}

impl Rights {
    /// Takes these rights. Afterwards the process dies with its parent, and its files in `/proc` are its own.
    ///
    /// # Errors
    ///
    /// The step that failed. The process then has some of its old rights and some of the new, and must end.
    pub fn apply(&self, parent: Option<Parent<'_>>) -> Result<(), Error> {
        let available = available().0;
        self.adjust_oom_score()?;
        self.rlimits.iter().try_for_each(set_rlimit)?;
        drop_bounding(self.bounding)?;
        // A change from uid 0 would drop all capabilities, and with them the right to keep some (capabilities(7)).
        thread::set_keep_capabilities(true).map_err(step("keep capabilities over the change of user"))?;
        self.become_user()?;
        thread::set_keep_capabilities(false).map_err(step("stop keeping capabilities"))?;
        self.set_capabilities(available)?;
        if let Some(umask) = self.umask {
            rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask & 0o777));
        }
        if self.no_new_privs {
            thread::set_no_new_privs(true).map_err(step("set no_new_privs"))?;
        }
        // The kernel resets both when the user or the capabilities change (prctl(2)).
        rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(step("be dumpable"))?;
        die_with(parent)
    }

    /// Installs a filter and takes these rights, in the order that works: without `no_new_privs` only a process that still has
    /// CAP_SYS_ADMIN may install one, and with it the filter comes last, so that it need not let the steps above through.
    ///
    /// # Errors
    ///
    /// As [`Rights::apply`].
    pub fn confine(&self, filter: Option<&Filter>, parent: Option<Parent<'_>>) -> Result<(), Error> {
        let install = || {
            filter
                .map_or(Ok(()), Filter::install)
                .map_err(step("install the seccomp filter"))
        };
        if self.no_new_privs {
            self.apply(parent)?;
            return install();
        }
        install()?;
        self.apply(parent)
    }

    fn adjust_oom_score(&self) -> Result<(), Error> {
        let Some(score) = self.oom_score_adj else { return Ok(()) };
        let write = || {
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .open("/proc/self/oom_score_adj")?;
            file.write_all(score.to_string().as_bytes())
        };
        match write() {
            Err(error) if error.kind() != std::io::ErrorKind::PermissionDenied => {
                let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
                Err(step(format!("set oom_score_adj to {score}"))(errno))
            }
            _ => Ok(()),
        }
    }

    fn become_user(&self) -> Result<(), Error> {
        let ids: Vec<_> = self.groups.iter().copied().map(id).collect::<Result<_, _>>()?;
        let groups: Vec<_> = ids.into_iter().map(Gid::from_raw).collect();
        match thread::set_thread_groups(&groups) {
            // A user namespace that an ordinary user made alone: there are no groups in it (user_namespaces(7)).
            Err(Errno::PERM) if setgroups_denied() => {}
            result => result.map_err(mapped(format!("set the groups {:?}", self.groups)))?,
        }
        let (gid, uid) = (Gid::from_raw(id(self.gid)?), Uid::from_raw(id(self.uid)?));
        thread::set_thread_res_gid(gid, gid, gid).map_err(mapped(format!("become group {}", self.gid)))?;
        thread::set_thread_res_uid(uid, uid, uid).map_err(mapped(format!("become user {}", self.uid)))
    }

    fn set_capabilities(&self, available: u64) -> Result<(), Error> {
        let permitted = self.permitted & available;
        let inheritable = self.inheritable & self.bounding & available;
        let sets = CapabilitySets {
            effective: CapabilitySet::from_bits_retain(self.effective & permitted),
            permitted: CapabilitySet::from_bits_retain(permitted),
            inheritable: CapabilitySet::from_bits_retain(inheritable),
        };
        thread::clear_ambient_capability_set().map_err(step("clear the ambient capabilities"))?;
        thread::set_capabilities(None, sets).map_err(step("set the capabilities"))?;
        for bit in bits(self.ambient & permitted & inheritable) {
            thread::configure_capability_in_ambient_set(bit, true)
                .map_err(step(format!("raise the ambient capability {bit:?}")))?;
        }
        Ok(())
    }
}

fn step(step: impl Into<String>) -> impl FnOnce(Errno) -> Error {
    move |source| Error {
        step: step.into(),
        source,
        hint: "",
    }
}

/// As [`step`]; an id that the user namespace lacks is EINVAL.
fn mapped(step: impl Into<String>) -> impl FnOnce(Errno) -> Error {
    move |source| Error {
        step: step.into(),
        source,
        hint: match source {
            Errno::INVAL => {
                " (the user namespace has no such id; without root, podsim needs newuidmap and a range in /etc/subuid)"
            }
            _ => "",
        },
    }
}

/// An id that the kernel would not read as "no change".
fn id(raw: u32) -> Result<u32, Error> {
    if raw == u32::MAX {
        return Err(step(format!("use the id {raw}"))(Errno::INVAL));
    }
    Ok(raw)
}

fn bits(set: u64) -> impl Iterator<Item = CapabilitySet> {
    (0..u64::BITS)
        .map(|bit| 1 << bit)
        .filter(move |bit| set & bit != 0)
        .map(CapabilitySet::from_bits_retain)
}

fn drop_bounding(keep: u64) -> Result<(), Error> {
    for capability in bits(!keep) {
        match thread::capability_is_in_bounding_set(capability) {
            // Numbers that this kernel does not know.
            Err(Errno::INVAL) => break,
            Ok(false) => {}
            Ok(true) | Err(_) => thread::remove_capability_from_bounding_set(capability)
                .map_err(step(format!("drop {capability:?} from the bounding set")))?,
        }
    }
    Ok(())
}

fn set_rlimit(limit: &Limit) -> Result<(), Error> {
    use rustix::process::Resource as R;
    let resource = match limit.resource {
        0 => R::Cpu,
        1 => R::Fsize,
        2 => R::Data,
        3 => R::Stack,
        4 => R::Core,
        5 => R::Rss,
        6 => R::Nproc,
        7 => R::Nofile,
        8 => R::Memlock,
        9 => R::As,
        10 => R::Locks,
        11 => R::Sigpending,
        12 => R::Msgqueue,
        13 => R::Nice,
        14 => R::Rtprio,
        15 => R::Rttime,
        unknown => return Err(step(format!("limit the resource {unknown}"))(Errno::INVAL)),
    };
    let new = rustix::process::Rlimit {
        current: limit.soft,
        maximum: limit.hard,
    };
    rustix::process::setrlimit(resource, new).map_err(step(format!("set the limit of {resource:?}")))
}

fn setgroups_denied() -> bool {
    std::fs::read_to_string("/proc/self/setgroups").is_ok_and(|text| text.trim() == "deny")
}

/// The process is killed when its parent dies, also if that was a moment ago.
///
/// # Errors
///
/// ESRCH if the parent is dead.
pub fn die_with(parent: Option<Parent<'_>>) -> Result<(), Error> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(step("die with podsim"))?;
    let (fd, dead) = match parent {
        None => return Ok(()),
        Some(Parent::Pidfd(fd)) => (fd, PollFlags::IN),
        Some(Parent::Socket(fd)) => (fd, PollFlags::HUP),
    };
    let mut fds = [PollFd::from_borrowed_fd(fd, dead)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).map_err(step("look whether podsim lives"))?;
    if fds[0].revents().intersects(dead | PollFlags::ERR | PollFlags::NVAL) {
        return Err(step("go on without podsim")(Errno::SRCH));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
