//! System calls on POSIX message queues (`mq_overview(7)`), which libc has functions for that know more than the kernel.
#![expect(unsafe_code, reason = "calls that may wait, and without safe wrappers")]

use super::abi::{c_string, check, fd, oflags};
use super::interruptible::{interruptible_unless_ready, not_ready};
use podsim_sys::*;
use rustix::event::PollFlags;

/// The longest message that can be asked for: the kernel's `HARD_MSGSIZEMAX`.
const MESSAGE_MAX: usize = 16 << 20;

/// The name without its slash, as the kernel wants it.
fn checked(name: &str) -> Result<std::ffi::CString> {
    c_string(name.strip_prefix('/').ok_or(Errno::EINVAL)?)
}

pub(super) fn mq_open(name: &str, flags: OpenFlags, mode: Mode, attr: Option<MqAttr>) -> Result<Fd> {
    let name = checked(name)?;
    let mut room = std::mem::MaybeUninit::<libc::mq_attr>::zeroed();
    // SAFETY: zeros are a valid one.
    let raw = unsafe { room.assume_init_mut() };
    let pointer = match attr {
        Some(attr) => {
            raw.mq_maxmsg = attr.messages.into();
            raw.mq_msgsize = attr.message_size.into();
            std::ptr::from_ref(raw)
        }
        None => std::ptr::null(),
    };
    let flags = libc::c_long::from(oflags(flags).bits());
    let mode = libc::c_long::from(mode.0 & 0o777);
    // SAFETY: the kernel reads the name and the attributes.
    let opened = check(unsafe { libc::syscall(libc::SYS_mq_open, name.as_ptr(), flags, mode, pointer) })?;
    i32::try_from(opened).map(Fd).map_err(|_| Errno::EMFILE)
}

pub(super) fn mq_send(number: Fd, data: Vec<u8>, priority: u32) -> Result<()> {
    fd(number)?;
    let arguments = [
        number.0 as usize,
        data.as_ptr().addr(),
        data.len(),
        priority as usize,
        0,
        0,
    ];
    // SAFETY: the kernel reads as many bytes as there are; without a time it waits for ever.
    unsafe { interruptible_unless_ready(libc::SYS_mq_timedsend, arguments, || not_ready(number, PollFlags::OUT)) }
        .map(drop)
}

pub(super) fn mq_receive(number: Fd, max: usize) -> Result<(Vec<u8>, u32)> {
    fd(number)?;
    let mut data = vec![0; max.min(MESSAGE_MAX)];
    let mut priority = 0_u32;
    let arguments = [
        number.0 as usize,
        data.as_mut_ptr().addr(),
        data.len(),
        (&raw mut priority).addr(),
        0,
        0,
    ];
    // SAFETY: the kernel writes at most as many bytes as there is room for, and the priority.
    let len = unsafe {
        interruptible_unless_ready(libc::SYS_mq_timedreceive, arguments, || {
            not_ready(number, PollFlags::IN)
        })
    }?;
    data.truncate(len);
    Ok((data, priority))
}

pub(super) fn mq_unlink(name: &str) -> Result<()> {
    let name = checked(name)?;
    // SAFETY: the kernel reads the name.
    match check(unsafe { libc::syscall(libc::SYS_mq_unlink, name.as_ptr()) }) {
        // mq_unlink(3) says so where unlink(2), which it is to the kernel, says EPERM.
        Err(Errno::EPERM) => Err(Errno::EACCES),
        result => result.map(drop),
    }
}
