//! The interfaces and routes of the process's network namespace: what the kernel's rtnetlink says.

use crate::netlink;
use podsim_sys::*;

pub(super) fn interfaces() -> Vec<Interface> {
    // A namespace without any has `lo`; without descriptors left nothing can be asked.
    netlink::interfaces().unwrap_or_default()
}

pub(super) fn routes() -> Vec<Route> {
    netlink::routes().unwrap_or_default()
}

pub(super) fn net_config(change: NetConfig) -> Result<()> {
    netlink::net_config(change)
}
