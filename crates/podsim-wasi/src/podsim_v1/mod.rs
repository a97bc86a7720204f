//! `podsim_v1`: the system calls that neither preview 1 nor WASIX has, and for guests written for podsim all the others too.
//!
//! The table, the form of a call and the messages are in [`podsim_sys::calls`] and [`podsim_sys::wire`], which podsim-guest
//! uses as well: here is only the host's half. Calls that move bytes or end the program are in [`direct`].

mod direct;

use crate::call::{Call, Interrupted, Signature, Support, SystemCall, host_functions, interrupted};
use crate::error::linux_result;
use crate::memory::GuestMemory;
use crate::state::State;
use podsim_sys::wire::{Put, Take, encode};
use podsim_sys::*;
use std::time::Duration;
use wasmtime::{Caller, Linker};

/// The import module.
const MODULE: &str = "podsim_v1";
/// The longest message: what Linux allows for arguments and environment together (`ARG_MAX` under the default stack limit).
const MESSAGE_MAX: u32 = 2 << 20;

mod by_hand {
    use super::{direct, host_functions, linux_result};

    host_functions! {
        module "podsim_v1", result linux_result;
        quick direct::answer(buf: u32, len: u32), Full, "the last answer that did not fit";
        restart direct::read(fd: u32, buf: u32, len: u32), Full, "";
        restart direct::write(fd: u32, buf: u32, len: u32), Full, "";
        now direct::pread(fd: u32, buf: u32, len: u32, offset: u64), Full, "";
        now direct::pwrite(fd: u32, buf: u32, len: u32, offset: u64), Full, "";
        now direct::shm_read(id: i32, buf: u32, len: u32, offset: u64), Full, "attach is by copy";
        now direct::shm_write(id: i32, buf: u32, len: u32, offset: u64), Full, "attach is by copy";
        quick direct::getrandom(buf: u32, len: u32), Full, "";
        restart direct::sendto(fd: u32, buf: u32, len: u32, flags: u32, to: u32, to_len: u32), Full, "";
        restart direct::recvfrom(fd: u32, buf: u32, len: u32, flags: u32, answer: u32, answer_cap: u32), Full, "";
        wait direct::poll(args: u32, args_len: u32, answer: u32, answer_cap: u32), Full, "";
        wait direct::sigsuspend(args: u32, args_len: u32, answer: u32, answer_cap: u32), Full, "";
        now direct::chdir(args: u32, args_len: u32, answer: u32, answer_cap: u32), Full, "";
        wait direct::execve(args: u32, args_len: u32, answer: u32, answer_cap: u32), Full, "";
        wait direct::sched_yield(args: u32, args_len: u32, answer: u32, answer_cap: u32), Full, "";
    }
}

/// Where a call's answer goes.
#[derive(Clone, Copy)]
struct AnswerBuffer {
    ptr: u32,
    cap: u32,
}

/// A call's arguments.
fn message<'m>(memory: &'m GuestMemory<'_>, args: u32, len: u32) -> Result<&'m [u8]> {
    if len > MESSAGE_MAX {
        Err(Errno::E2BIG)
    } else {
        memory.bytes(args, len)
    }
}

/// The next argument of a message; EINVAL when it is not what it should be.
fn take<T: Take>(input: &mut &[u8]) -> Result<T> {
    T::take(input).ok_or(Errno::EINVAL)
}

/// Gives the answer to the guest, or keeps it when the buffer is too short.
fn answer<S: Syscalls, T: Put + ?Sized>(call: &mut Call<'_, S>, buffer: AnswerBuffer, value: &T) -> Result<usize> {
    let bytes = encode(value);
    let len = bytes.len();
    let (mut memory, state) = call.parts();
    if len <= buffer.cap as usize {
        memory.write(buffer.ptr, &bytes)?;
    } else {
        state.answer = bytes;
    }
    Ok(len)
}

macro_rules! owned {
    (val $type:ty) => {
        $type
    };
    (by $type:ty) => {
        <$type as ToOwned>::Owned
    };
}

macro_rules! lend {
    (val $name:ident) => {
        $name
    };
    (by $name:ident) => {
        &$name
    };
}

macro_rules! result {
    (plain $($call:tt)*) => { Ok($($call)*) };
    (now $($call:tt)*) => { $($call)* };
    (wait $($call:tt)*) => { $($call)*.await };
    (restart $($call:tt)*) => { $($call)*.await };
}

macro_rules! interruption {
    (restart) => {
        Interrupted::Restart
    };
    ($other:ident) => {
        Interrupted::Fail
    };
}

macro_rules! table {
    ($($kind:ident $name:ident($($arg:ident: $how:ident $type:ty),*) -> $out:ty, $doc:literal;)*) => {
        const ROWS: &[SystemCall] = &[
            $(SystemCall {
                module: MODULE,
                name: stringify!($name),
                support: Support::Full,
                note: $doc,
                signature: Some(Signature { wide: &[false; 4], result: true }),
            },)*
        ];

        /// One function a call: reads the message, makes the call, writes the answer.
        mod functions {
            use super::*;
            $(
                pub(super) async fn $name<S: Syscalls>(
                    call: &mut Call<'_, S>,
                    args: u32,
                    args_len: u32,
                    buffer: AnswerBuffer,
                ) -> Result<usize> {
                    let (memory, state) = call.parts();
                    #[allow(unused_mut, reason = "for calls without arguments")]
                    let mut input = message(&memory, args, args_len)?;
                    $(let $arg = take::<owned!($how $type)>(&mut input)?;)*
                    if !input.is_empty() {
                        return Err(Errno::EINVAL);
                    }
                    let result: Result<$out> = result!($kind state.task.$name($(lend!($how $arg)),*));
                    answer(call, buffer, &result?)
                }
            )*
        }

        fn add_table<S: Syscalls>(linker: &mut Linker<State<S>>) -> wasmtime::Result<()> {
            $(linker.func_wrap_async(
                MODULE,
                stringify!($name),
                |caller: Caller<'_, State<S>>, (args, args_len, ptr, cap): (u32, u32, u32, u32)| {
                    Box::new(async move {
                        let mut call = Call::enter(caller);
                        loop {
                            let result = functions::$name(&mut call, args, args_len, AnswerBuffer { ptr, cap }).await;
                            if !call.leave(interrupted(&result), interruption!($kind)).await? {
                                return Ok::<i32, wasmtime::Error>(linux_result(result));
                            }
                        }
                    })
                },
            )?;)*
            Ok(())
        }
    };
}

podsim_sys::podsim_v1_calls!(table);

/// Gives the calls to a linker.
pub(crate) fn add_to_linker<S: Syscalls>(linker: &mut Linker<State<S>>) -> wasmtime::Result<()> {
    add_table(linker)?;
    by_hand::add_to_linker(linker)
}

/// The calls of this module.
pub(crate) fn table() -> impl Iterator<Item = SystemCall> {
    ROWS.iter().chain(by_hand::TABLE).copied()
}
