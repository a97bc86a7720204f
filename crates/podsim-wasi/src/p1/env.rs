//! Arguments and environment.

use crate::call::Call;
use podsim_sys::{Errno, Result, Syscalls};

pub(crate) fn args_get<S: Syscalls>(call: &mut Call<'_, S>, argv: u32, buf: u32) -> Result<()> {
    let strings = call.task().argv();
    put_strings(call, &strings, argv, buf)
}

pub(crate) fn args_sizes_get<S: Syscalls>(call: &mut Call<'_, S>, count: u32, size: u32) -> Result<()> {
    let strings = call.task().argv();
    put_sizes(call, &strings, count, size)
}

pub(crate) fn environ_get<S: Syscalls>(call: &mut Call<'_, S>, environ: u32, buf: u32) -> Result<()> {
    let strings = call.task().environ();
    put_strings(call, &strings, environ, buf)
}

pub(crate) fn environ_sizes_get<S: Syscalls>(call: &mut Call<'_, S>, count: u32, size: u32) -> Result<()> {
    let strings = call.task().environ();
    put_sizes(call, &strings, count, size)
}

/// Writes the strings one after the other, each with a NUL, and the array of pointers to them.
fn put_strings<S: Syscalls>(call: &mut Call<'_, S>, strings: &[String], array: u32, buf: u32) -> Result<()> {
    let mut memory = call.memory();
    let (mut slot, mut at) = (array, buf);
    for string in strings {
        memory.set_u32(slot, at)?;
        memory.write(at, string.as_bytes())?;
        let len = u32::try_from(string.len()).map_err(|_| Errno::EOVERFLOW)?;
        let end = at.checked_add(len).ok_or(Errno::EFAULT)?;
        memory.set_u8(end, 0)?;
        at = end.checked_add(1).ok_or(Errno::EFAULT)?;
        slot = slot.checked_add(4).ok_or(Errno::EFAULT)?;
    }
    Ok(())
}

fn put_sizes<S: Syscalls>(call: &mut Call<'_, S>, strings: &[String], count: u32, size: u32) -> Result<()> {
    let bytes: usize = strings.iter().map(|s| s.len() + 1).sum();
    let mut memory = call.memory();
    memory.set_u32(count, u32::try_from(strings.len()).map_err(|_| Errno::EOVERFLOW)?)?;
    memory.set_u32(size, u32::try_from(bytes).map_err(|_| Errno::EOVERFLOW)?)
}
