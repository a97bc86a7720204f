//! The system calls on signals as the kernel has them: libc's keep two real-time signals for themselves.
#![expect(unsafe_code, reason = "libc's wrappers do not know all signals")]

use crate::host_task::abi::check;
use podsim_sys::{Result, SigSet, Signal};

/// `struct kernel_sigaction`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Action {
    pub(crate) handler: usize,
    pub(crate) flags: libc::c_ulong,
    #[cfg(target_arch = "x86_64")]
    pub(crate) restorer: usize,
    pub(crate) mask: u64,
}

/// Not in libc's bindings, since libc adds it itself.
#[cfg(target_arch = "x86_64")]
const SA_RESTORER: libc::c_ulong = 0x0400_0000;

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".text",
    ".hidden podsim_sigreturn",
    ".global podsim_sigreturn",
    ".type podsim_sigreturn, @function",
    "podsim_sigreturn:",
    // rt_sigreturn
    "mov eax, 15",
    "syscall",
    ".size podsim_sigreturn, . - podsim_sigreturn",
);

#[cfg(target_arch = "x86_64")]
unsafe extern "C" {
    fn podsim_sigreturn();
}

impl Action {
    /// What libc's `SIG_DFL` or `SIG_IGN` is, or the address of a handler.
    pub(crate) fn new(handler: usize, flags: i32, mask: SigSet) -> Self {
        // None of libc's flags is the sign bit's neighbour: SA_RESETHAND is the sign bit.
        let flags = libc::c_ulong::from(flags.cast_unsigned());
        Self {
            handler,
            #[cfg(target_arch = "x86_64")]
            flags: flags | SA_RESTORER,
            #[cfg(target_arch = "x86_64")]
            restorer: (podsim_sigreturn as *const ()).addr(),
            #[cfg(not(target_arch = "x86_64"))]
            flags,
            mask: mask.0,
        }
    }
}

/// `rt_sigaction(2)`: sets if given, returns the old one.
///
/// # Safety
///
/// A handler must be one: a function of the kind that the flags say, that may run at any moment.
pub(crate) unsafe fn sigaction(signal: Signal, new: Option<Action>) -> Result<Action> {
    let mut old = Action::new(0, 0, SigSet::EMPTY);
    let new = new.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let number = libc::c_long::from(signal.number());
    // SAFETY: the pointers are to the kernel's structure, or null; the handler is our caller's promise.
    check(unsafe { libc::syscall(libc::SYS_rt_sigaction, number, new, &raw mut old, size_of::<u64>()) })?;
    Ok(old)
}

/// Sets the signal mask; returns the old one.
pub(crate) fn set_mask(mask: SigSet) -> SigSet {
    change_mask(Some(mask))
}

/// The signal mask.
pub(crate) fn mask() -> SigSet {
    change_mask(None)
}

fn change_mask(new: Option<SigSet>) -> SigSet {
    let mut old = 0_u64;
    let new = new.map(|set| set.0);
    let pointer = new.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let how = libc::c_long::from(libc::SIG_SETMASK);
    // SAFETY: the kernel's sets are 64 bits long; a null pointer only asks. It cannot fail with these arguments.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, pointer, &raw mut old, size_of::<u64>()) };
    SigSet(old)
}

/// `rt_sigpending(2)`.
pub(crate) fn pending() -> SigSet {
    let mut set = 0_u64;
    // SAFETY: the kernel's sets are 64 bits long.
    unsafe { libc::syscall(libc::SYS_rt_sigpending, &raw mut set, size_of::<u64>()) };
    SigSet(set)
}

/// Sets the default disposition.
pub(crate) fn set_default(signal: Signal) {
    // SAFETY: no handler.
    let _ = unsafe { sigaction(signal, Some(Action::new(libc::SIG_DFL, 0, SigSet::EMPTY))) };
}

/// Sets a signal to be ignored.
pub(crate) fn set_ignored(signal: Signal) {
    // SAFETY: no handler.
    let _ = unsafe { sigaction(signal, Some(Action::new(libc::SIG_IGN, 0, SigSet::EMPTY))) };
}

/// From a signal handler: the signal kills the process once the handler returns.
pub(crate) fn die_on_return(signal: Signal) {
    set_default(signal);
    // SAFETY: takes numbers only.
    unsafe { libc::kill(libc::getpid(), signal.number().into()) };
}

/// Dies by a signal. For an init of a pid namespace the kernel does not do it (`pid_namespaces(7)`); then this returns.
pub(crate) fn die(signal: Signal) {
    set_default(signal);
    // SAFETY: takes numbers only.
    unsafe { libc::kill(libc::getpid(), signal.number().into()) };
    let mut mask = mask();
    mask.remove(signal);
    set_mask(mask);
}

/// Makes the fault that a signal stands for, if it is one: the kernel kills for it whoever it is.
pub(crate) fn fault(signal: Signal) {
    match signal {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an undefined instruction; its signal has its default action, so it does not come back.
        Signal::ILL => unsafe { std::arch::asm!("ud2") },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: divides by zero; as above.
        Signal::FPE => unsafe {
            std::arch::asm!("xor ecx, ecx", "xor edx, edx", "mov eax, 1", "div ecx", out("eax") _, out("ecx") _, out("edx") _);
        },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: an undefined instruction; its signal has its default action, so it does not come back.
        Signal::ILL => unsafe { std::arch::asm!("udf 0") },
        Signal::SEGV => {
            let nowhere = std::ptr::null::<u8>();
            // SAFETY: none is wanted: nothing can be mapped at 0, and the fault's signal has its default action.
            unsafe {
                #[cfg(target_arch = "x86_64")]
                std::arch::asm!("mov al, [{}]", in(reg) nowhere, out("al") _);
                #[cfg(target_arch = "aarch64")]
                std::arch::asm!("ldrb w9, [{}]", in(reg) nowhere, out("w9") _);
            }
        }
        _ => {}
    }
}
