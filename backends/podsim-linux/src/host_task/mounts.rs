//! System calls on mounts and on the root directory.

use super::abi::errno;
use super::exec;
use podsim_sys::*;

pub(super) fn statfs(path: &str) -> Result<StatFs> {
    let stat = rustix::fs::statfs(path).map_err(errno)?;
    Ok(StatFs {
        magic: u64::try_from(stat.f_type).unwrap_or(0),
        block_size: u64::try_from(stat.f_bsize).unwrap_or(0),
        blocks: stat.f_blocks,
        blocks_free: stat.f_bfree,
        files: stat.f_files,
        files_free: stat.f_ffree,
    })
}

pub(super) fn chroot(path: &str) -> Result<()> {
    // Below the new root there may be no /proc by which podsim finds itself.
    exec::hold_executable();
    rustix::process::chroot(path).map_err(errno)
}

pub(super) fn mount(source: &str, target: &str, fstype: &str, flags: MountFlags, data: &str) -> Result<()> {
    // /proc may be what is mounted over.
    exec::hold_executable();
    let some = |text: &'_ str| (!text.is_empty()).then(|| text.to_owned());
    let flags = nix::mount::MsFlags::from_bits_retain(u64::from(flags.bits()) as _);
    nix::mount::mount(
        some(source).as_deref(),
        target,
        some(fstype).as_deref(),
        flags,
        some(data).as_deref(),
    )
    .map_err(super::abi::nix_errno)
}

pub(super) fn umount(target: &str, lazy: bool) -> Result<()> {
    exec::hold_executable();
    let flags = if lazy {
        nix::mount::MntFlags::MNT_DETACH
    } else {
        nix::mount::MntFlags::empty()
    };
    nix::mount::umount2(target, flags).map_err(super::abi::nix_errno)
}
