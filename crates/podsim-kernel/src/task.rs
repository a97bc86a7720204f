//! [`Task`]: a handle on a process, through which its program makes system calls.

use crate::kernel::{Kernel, Program};
use crate::process::Process;
use podsim_sys::WaitStatus;
use std::sync::Arc;

/// A handle on a process. Cheap to clone.
#[derive(Clone)]
pub struct Task {
    /// The process.
    pub process: Arc<Process>,
    pub(crate) kernel: Arc<Kernel>,
}

impl Task {
    /// The node.
    #[must_use]
    pub fn kernel(&self) -> &Arc<Kernel> {
        &self.kernel
    }

    /// What the process is to run: another one after each exec.
    #[must_use]
    pub fn program(&self) -> Program {
        self.process.program.lock().clone()
    }

    /// Ends when the process has ended: for the host. It does not take the zombie from the parent.
    pub async fn wait_exit(&self) -> WaitStatus {
        self.process.wait_exit().await
    }
}
