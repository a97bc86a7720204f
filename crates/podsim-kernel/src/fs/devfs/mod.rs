//! Devices.

use super::FileOps;
use super::caller::Caller;
use super::inode::Inode;
use podsim_sys::{Errno, OpenFlags, Result};
use std::sync::Arc;

/// Opens the device behind a device inode.
pub(super) fn open_device(_inode: Arc<dyn Inode>, _caller: &Caller, _flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
    Err(Errno::ENXIO)
}
