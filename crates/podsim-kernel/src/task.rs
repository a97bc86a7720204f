//! [`Task`]: a handle on a process, through which its program makes system calls.

use crate::process::Process;
use std::sync::Arc;

/// A handle on a process. Cheap to clone.
#[derive(Clone)]
pub struct Task {
    /// The process.
    pub process: Arc<Process>,
}
