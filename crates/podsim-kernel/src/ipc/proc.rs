//! The files of `/proc/sysvipc`, in Linux's own columns. procfs calls one function a file.

use super::IpcNamespace;

/// `/proc/sysvipc/shm`.
#[must_use]
pub fn render_shm(_ns: &IpcNamespace) -> String {
    todo!()
}

/// `/proc/sysvipc/sem`.
#[must_use]
pub fn render_sem(_ns: &IpcNamespace) -> String {
    todo!()
}

/// `/proc/sysvipc/msg`.
#[must_use]
pub fn render_msg(_ns: &IpcNamespace) -> String {
    todo!()
}
