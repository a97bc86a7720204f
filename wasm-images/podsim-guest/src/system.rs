//! The imports and the only `unsafe` code: each function is a safe form of one import.

use podsim_sys::wire::{Take, decode};
use podsim_sys::{Errno, Fd, MsgFlags, Result};
use std::ffi::{CString, c_char, c_int};

/// A call of the table: message in, answer out; the answer's length or an errno as a negative number.
pub type MessageCall = unsafe extern "C" fn(*const u8, usize, *mut u8, usize) -> i32;

/// The imports of the module `podsim_v1`, as the host has them.
#[cfg(target_arch = "wasm32")]
pub mod raw {
    macro_rules! imports {
        ($($kind:ident $name:ident($($arg:ident: $how:ident $type:ty),*) -> $out:ty, $doc:literal;)*) => {
            #[link(wasm_import_module = "podsim_v1")]
            unsafe extern "C" {
                $(#[doc = $doc] pub fn $name(args: *const u8, args_len: usize, answer: *mut u8, answer_cap: usize) -> i32;)*
            }
        };
    }
    podsim_sys::podsim_v1_calls!(imports);

    #[link(wasm_import_module = "podsim_v1")]
    #[expect(
        missing_docs,
        reason = "the names of the man pages; podsim_sys::calls lists the signatures"
    )]
    unsafe extern "C" {
        pub fn poll(args: *const u8, args_len: usize, answer: *mut u8, answer_cap: usize) -> i32;
        pub fn sigsuspend(args: *const u8, args_len: usize, answer: *mut u8, answer_cap: usize) -> i32;
        pub fn chdir(args: *const u8, args_len: usize, answer: *mut u8, answer_cap: usize) -> i32;
        pub fn execve(args: *const u8, args_len: usize, answer: *mut u8, answer_cap: usize) -> i32;
        pub fn sched_yield(args: *const u8, args_len: usize, answer: *mut u8, answer_cap: usize) -> i32;
        pub fn answer(buf: *mut u8, len: usize) -> i32;
        pub fn read(fd: i32, buf: *mut u8, len: usize) -> i32;
        pub fn write(fd: i32, buf: *const u8, len: usize) -> i32;
        pub fn pread(fd: i32, buf: *mut u8, len: usize, offset: u64) -> i32;
        pub fn pwrite(fd: i32, buf: *const u8, len: usize, offset: u64) -> i32;
        pub fn shm_read(id: i32, buf: *mut u8, len: usize, offset: u64) -> i32;
        pub fn shm_write(id: i32, buf: *const u8, len: usize, offset: u64) -> i32;
        pub fn getrandom(buf: *mut u8, len: usize) -> i32;
        pub fn sendto(fd: i32, buf: *const u8, len: usize, flags: u32, to: *const u8, to_len: usize) -> i32;
        pub fn recvfrom(fd: i32, buf: *mut u8, len: usize, flags: u32, answer: *mut u8, answer_cap: usize) -> i32;
    }
}

/// Elsewhere there is no such host: every call answers ENOSYS, so that the guests' own unit tests link.
#[cfg(not(target_arch = "wasm32"))]
#[expect(missing_docs, reason = "the names of the imports above")]
#[allow(clippy::missing_safety_doc, reason = "nothing is touched")]
pub mod raw {
    const ENOSYS: i32 = -(podsim_sys::Errno::ENOSYS.0 as i32);

    macro_rules! absent {
        ($($name:ident($($type:ty),*);)*) => {
            $(pub unsafe extern "C" fn $name($(_: $type),*) -> i32 { ENOSYS })*
        };
    }
    macro_rules! imports {
        ($($kind:ident $name:ident($($arg:ident: $how:ident $type:ty),*) -> $out:ty, $doc:literal;)*) => {
            absent! { $($name(*const u8, usize, *mut u8, usize);)* }
        };
    }
    podsim_sys::podsim_v1_calls!(imports);

    absent! {
        poll(*const u8, usize, *mut u8, usize);
        sigsuspend(*const u8, usize, *mut u8, usize);
        chdir(*const u8, usize, *mut u8, usize);
        execve(*const u8, usize, *mut u8, usize);
        sched_yield(*const u8, usize, *mut u8, usize);
        answer(*mut u8, usize);
        read(i32, *mut u8, usize);
        write(i32, *const u8, usize);
        pread(i32, *mut u8, usize, u64);
        pwrite(i32, *const u8, usize, u64);
        shm_read(i32, *mut u8, usize, u64);
        shm_write(i32, *const u8, usize, u64);
        getrandom(*mut u8, usize);
        sendto(i32, *const u8, usize, u32, *const u8, usize);
        recvfrom(i32, *mut u8, usize, u32, *mut u8, usize);
    }
}

unsafe extern "C" {
    /// wasi-libc's `chdir(3)`: it only changes the string that libc puts before relative paths.
    #[link_name = "chdir"]
    #[allow(
        clashing_extern_declarations,
        reason = "another one than podsim_v1's; off wasm the module is not seen"
    )]
    fn wasi_libc_chdir(path: *const c_char) -> c_int;
}

/// Most answers fit here and need no second call.
const ANSWER: usize = 512;

fn check(result: i32) -> Result<usize> {
    usize::try_from(result).map_err(|_| Errno(u16::try_from(result.unsigned_abs()).unwrap_or(Errno::EIO.0)))
}

/// Gives the whole answer, of which the first bytes may be in `buffer` already.
fn whole_answer(len: usize, buffer: &[u8]) -> Result<Vec<u8>> {
    if let Some(answer) = buffer.get(..len) {
        return Ok(answer.to_vec());
    }
    let mut answer = vec![0; len];
    // SAFETY: pointer and length are those of one live buffer, which the host only writes into.
    check(unsafe { raw::answer(answer.as_mut_ptr(), answer.len()) })?;
    Ok(answer)
}

/// Makes a call of the table.
pub fn call<T: Take>(function: MessageCall, message: &[u8]) -> Result<T> {
    let mut buffer = [0; ANSWER];
    // SAFETY: `function` is an import of `raw` (the type of function has no other values in this crate); both pointers are
    // those of live buffers with their lengths.
    let len = check(unsafe { function(message.as_ptr(), message.len(), buffer.as_mut_ptr(), buffer.len()) })?;
    match buffer.get(..len) {
        Some(answer) => decode(answer),
        None => decode(&whole_answer(len, &buffer)?),
    }
    .ok_or(Errno::EPROTO)
}

pub(crate) fn read(fd: Fd, buf: &mut [u8]) -> Result<usize> {
    // SAFETY: pointer and length are those of one live buffer.
    check(unsafe { raw::read(fd.0, buf.as_mut_ptr(), buf.len()) })
}

pub(crate) fn write(fd: Fd, buf: &[u8]) -> Result<usize> {
    // SAFETY: pointer and length are those of one live buffer, which the host only reads.
    check(unsafe { raw::write(fd.0, buf.as_ptr(), buf.len()) })
}

pub(crate) fn pread(fd: Fd, buf: &mut [u8], offset: u64) -> Result<usize> {
    // SAFETY: pointer and length are those of one live buffer.
    check(unsafe { raw::pread(fd.0, buf.as_mut_ptr(), buf.len(), offset) })
}

pub(crate) fn pwrite(fd: Fd, buf: &[u8], offset: u64) -> Result<usize> {
    // SAFETY: pointer and length are those of one live buffer, which the host only reads.
    check(unsafe { raw::pwrite(fd.0, buf.as_ptr(), buf.len(), offset) })
}

pub(crate) fn shm_read(id: i32, offset: u64, buf: &mut [u8]) -> Result<usize> {
    // SAFETY: pointer and length are those of one live buffer.
    check(unsafe { raw::shm_read(id, buf.as_mut_ptr(), buf.len(), offset) })
}

pub(crate) fn shm_write(id: i32, offset: u64, buf: &[u8]) -> Result<usize> {
    // SAFETY: pointer and length are those of one live buffer, which the host only reads.
    check(unsafe { raw::shm_write(id, buf.as_ptr(), buf.len(), offset) })
}

pub(crate) fn getrandom(buf: &mut [u8]) {
    // SAFETY: pointer and length are those of one live buffer.
    let result = check(unsafe { raw::getrandom(buf.as_mut_ptr(), buf.len()) });
    assert!(result.is_ok(), "podsim_v1.getrandom: no random numbers here");
}

pub(crate) fn sendto(fd: Fd, buf: &[u8], flags: MsgFlags, to: &[u8]) -> Result<usize> {
    // SAFETY: both pointers are those of live buffers with their lengths, which the host only reads.
    check(unsafe { raw::sendto(fd.0, buf.as_ptr(), buf.len(), flags.bits(), to.as_ptr(), to.len()) })
}

pub(crate) fn recvfrom(fd: Fd, buf: &mut [u8], flags: MsgFlags) -> Result<Vec<u8>> {
    let mut answer = [0; ANSWER];
    // SAFETY: both pointers are those of live buffers with their lengths.
    let len = check(unsafe {
        raw::recvfrom(
            fd.0,
            buf.as_mut_ptr(),
            buf.len(),
            flags.bits(),
            answer.as_mut_ptr(),
            answer.len(),
        )
    })?;
    whole_answer(len, &answer)
}

/// Tells wasi-libc the current directory. An error (it was removed, or is out of reach) leaves libc where it was.
pub(crate) fn libc_chdir(path: &str) {
    if let Ok(path) = CString::new(path) {
        // SAFETY: a NUL-terminated string that lives over the call.
        unsafe { wasi_libc_chdir(path.as_ptr()) };
    }
}
