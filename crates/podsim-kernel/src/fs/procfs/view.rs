//! [`View`]: what a proc file is made from.

use super::ProcFs;
use crate::fs::Caller;
use crate::kernel::Kernel;
use crate::process::Process;
use podsim_sys::{Capability, Errno, Pid, Result};
use std::sync::Arc;

/// What a proc file is made from: the process that it is about, and who asks.
///
/// Files that are about no process (`/proc/sysvipc/shm`) show the namespaces of the asker: `process` is the asker then.
pub(super) struct View<'a> {
    pub(super) fs: &'a Arc<ProcFs>,
    pub(super) kernel: Arc<Kernel>,
    pub(super) process: Arc<Process>,
    pub(super) caller: &'a Caller,
}

impl View<'_> {
    /// The process's number as the mount shows it.
    pub(super) fn pid(&self) -> Pid {
        self.process.pid_in(&self.fs.pid_ns).unwrap_or(Pid(0))
    }

    /// Whether the asker may look into the process (`ptrace(2)`, PTRACE_MODE_READ_FSCREDS): EACCES if not.
    pub(super) fn check_ptrace(&self) -> Result<()> {
        let who = &self.caller.credentials;
        if self
            .caller
            .process
            .as_ref()
            .is_some_and(|asker| Arc::ptr_eq(asker, &self.process))
        {
            return Ok(());
        }
        if who.capable(Capability::SYS_PTRACE) {
            return Ok(());
        }
        let target = self.process.credentials();
        let theirs = self.process.namespaces().user.clone();
        let mine = self.caller.users();
        let same = |ids: [u32; 3], own: u32| {
            let own = mine.as_ref().map_or(Some(own), |users| users.on_node(own));
            ids.iter().all(|id| theirs.on_node(*id) == own)
        };
        let same_user = same([target.uid, target.euid, target.suid], who.fsuid);
        let same_group = same([target.gid, target.egid, target.sgid], who.fsgid);
        // Nobody looks into a process that may do more than he (cap_ptrace_access_check).
        let no_more = target.permitted.0 & !who.effective.0 == 0;
        if same_user && same_group && no_more {
            Ok(())
        } else {
            Err(Errno::EACCES)
        }
    }

    /// ESRCH-like silence for what a zombie has no longer: ENOENT.
    pub(super) fn check_alive(&self) -> Result<()> {
        if self.process.exit_status().is_some() {
            Err(Errno::ENOENT)
        } else {
            Ok(())
        }
    }
}
