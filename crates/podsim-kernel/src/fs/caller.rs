//! [`Caller`]: on whose behalf a file operation happens.

use super::{FsContext, PathRef};
use crate::process::Process;
use crate::task::Task;
use crate::users::UserNamespace;
use podsim_sys::{CapSet, Capability, Credentials, Mode};
use std::sync::Arc;

/// On whose behalf a file operation happens: a process, or the kernel itself.
#[derive(Clone)]
pub struct Caller {
    /// The process; `None` for the runtime's own work.
    pub process: Option<Arc<Process>>,
    /// Who it is.
    pub credentials: Arc<Credentials>,
    /// Where it stands.
    pub fs: FsContext,
}

impl Caller {
    /// The process of a task, as it is now.
    #[must_use]
    pub fn of(task: &Task) -> Self {
        Self::process(&task.process)
    }

    /// A process, as it is now.
    #[must_use]
    pub fn process(process: &Arc<Process>) -> Self {
        let fs = process.fs.lock().clone();
        let credentials = process.credentials.read().clone();
        Self {
            process: Some(process.clone()),
            credentials,
            fs,
        }
    }

    /// The kernel itself, with all rights, seeing `root` as its root directory.
    #[must_use]
    pub fn kernel(root: PathRef) -> Self {
        Self {
            process: None,
            credentials: Arc::new(Credentials::root(CapSet::FULL)),
            fs: FsContext {
                cwd: root.clone(),
                root,
                umask: Mode(0),
            },
        }
    }

    /// Whether the capability is in effect.
    #[must_use]
    pub fn capable(&self, capability: Capability) -> bool {
        self.credentials.capable(capability)
    }

    /// The user namespace that its ids are of; `None` for the kernel itself, whose they are the node's.
    pub(crate) fn users(&self) -> Option<Arc<UserNamespace>> {
        self.process.as_ref().map(|process| process.namespaces().user.clone())
    }

    /// Whether the capability is in effect on the node as a whole, and not only in a user namespace.
    #[must_use]
    pub fn capable_on_node(&self, capability: Capability) -> bool {
        self.capable(capability) && self.users().is_none_or(|users| users.is_initial())
    }

    /// The same caller with its real ids, as `access(2)` asks.
    #[must_use]
    pub fn with_real_ids(mut self) -> Self {
        let mut credentials = (*self.credentials).clone();
        credentials.fsuid = credentials.uid;
        credentials.fsgid = credentials.gid;
        // access(2): the check is that of an unprivileged process unless the real user is root (cap_set_effective in fs/open.c).
        credentials.effective = if credentials.uid == 0 {
            credentials.permitted
        } else {
            CapSet::EMPTY
        };
        self.credentials = Arc::new(credentials);
        self
    }
}
