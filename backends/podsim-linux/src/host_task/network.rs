//! The interfaces and routes of the process's network namespace.
// What `crate::netlink` answers is to be put here.

use podsim_sys::*;

pub(super) fn interfaces() -> Vec<Interface> {
    Vec::new()
}

pub(super) fn routes() -> Vec<Route> {
    Vec::new()
}

pub(super) fn net_config(_change: NetConfig) -> Result<()> {
    Err(Errno::EOPNOTSUPP)
}
