//! How the process looks in `/proc/PID/cmdline`, `environ` and `comm`.
//!
//! The kernel reads arguments and environment from the process's memory; where they are, PR_SET_MM_MAP tells it, which needs no
//! capability (only CONFIG_CHECKPOINT_RESTORE). Where the kernel refuses, nothing changes.
#![expect(unsafe_code, reason = "the memory in which the kernel put arguments and environment")]

use std::ffi::{CStr, c_char};

/// `struct prctl_mm_map`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct MemoryMap {
    start_code: u64,
    end_code: u64,
    start_data: u64,
    end_data: u64,
    start_brk: u64,
    brk: u64,
    start_stack: u64,
    arg_start: u64,
    arg_end: u64,
    env_start: u64,
    env_end: u64,
    auxv: u64,
    auxv_size: u32,
    exe_fd: u32,
}

impl MemoryMap {
    /// As it is now.
    fn now() -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let mut map = Self::parse(&stat)?;
        // SAFETY: asks where the break is.
        map.brk = unsafe { libc::sbrk(0) }.addr() as u64;
        Some(map)
    }

    /// The numbers of `/proc/PID/stat` (proc_pid_stat(5)); the name, in parentheses, may hold anything.
    fn parse(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // The field behind the parenthesis has the number 3.
        let field = |number: usize| fields.get(number - 3)?.parse().ok();
        Some(Self {
            start_code: field(26)?,
            end_code: field(27)?,
            start_stack: field(28)?,
            start_data: field(45)?,
            end_data: field(46)?,
            start_brk: field(47)?,
            arg_start: field(48)?,
            arg_end: field(49)?,
            env_start: field(50)?,
            env_end: field(51)?,
            exe_fd: u32::MAX,
            ..Self::default()
        })
    }

    /// Tells the kernel.
    fn set(&self) {
        let (option, what) = (libc::PR_SET_MM, libc::PR_SET_MM_MAP as libc::c_ulong);
        // SAFETY: the kernel reads the structure, checks it, and changes only where it looks for arguments and the like.
        unsafe { libc::prctl(option, what, std::ptr::from_ref(self), size_of::<Self>(), 0_usize) };
    }
}

/// The place and the length of an environment variable, by its name and what follows.
fn variable_at(name: &str) -> Option<(usize, *mut c_char, usize)> {
    // SAFETY: libc's array of C strings, ended by a null pointer; there is no other thread that changes it.
    unsafe {
        let mut index = 0;
        loop {
            let text = *environ.add(index);
            if text.is_null() {
                return None;
            }
            let bytes = CStr::from_ptr(text).to_bytes();
            if bytes
                .strip_prefix(name.as_bytes())
                .is_some_and(|rest| rest.starts_with(b"="))
            {
                return Some((index, text, bytes.len() + 1));
            }
            index += 1;
        }
    }
}

unsafe extern "C" {
    static mut environ: *mut *mut c_char;
}

/// Removes a variable from the environment: from libc's, and from the memory that `/proc/PID/environ` shows. Only for a process
/// with one thread. Returns its value.
pub(crate) fn take_variable(name: &str) -> Option<String> {
    let (index, text, len) = variable_at(name)?;
    // SAFETY: a C string of the environment.
    let value = unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
    let value = value.get(name.len() + 1..).unwrap_or_default().to_owned();
    let map = MemoryMap::now();
    let place = text.addr() as u64;
    let in_place = map.filter(|map| (map.env_start..map.env_end).contains(&place));
    // SAFETY: the array is libc's and ends with a null pointer, `index` is in it. The kernel put the strings one behind the
    // other from env_start to env_end, and gave the process this memory; pointers to later ones move with them.
    unsafe {
        let moved = in_place.map(|map| (map.env_end as usize).saturating_sub(text.addr() + len));
        if let Some(moved) = moved {
            std::ptr::copy(text.add(len), text, moved);
            std::ptr::write_bytes(text.add(moved), 0, len);
        }
        let mut index = index;
        loop {
            let next = *environ.add(index + 1);
            let shift = moved.is_some_and(|moved| (text.addr()..text.addr() + len + moved).contains(&next.addr()));
            *environ.add(index) = if shift { next.wrapping_sub(len) } else { next };
            if next.is_null() {
                break;
            }
            index += 1;
        }
    }
    if let Some(mut map) = in_place {
        map.env_end -= len as u64;
        map.set();
    }
    Some(value)
}

/// Makes `/proc/PID/cmdline` show these bytes.
fn show_arguments(mut bytes: Vec<u8>) {
    bytes.push(0);
    let Some(mut map) = MemoryMap::now() else { return };
    // The kernel reads them from now on.
    let bytes = bytes.leak();
    map.arg_start = bytes.as_ptr().addr() as u64;
    map.arg_end = map.arg_start + bytes.len() as u64;
    map.set();
}

/// Makes `/proc/PID/environ` show these variables.
pub(crate) fn set_environment(variables: &[String]) {
    let Some(mut map) = MemoryMap::now() else { return };
    let mut bytes = variables.join("\0").into_bytes();
    bytes.push(0);
    // The kernel reads them from now on.
    let bytes = bytes.leak();
    map.env_start = bytes.as_ptr().addr() as u64;
    map.env_end = map.env_start + bytes.len() as u64;
    map.set();
}

/// Makes `/proc/PID/cmdline` show these arguments.
pub(crate) fn set_arguments(argv: &[String]) {
    show_arguments(argv.join("\0").into_bytes());
}

/// `setproctitle(3)`. The new `comm` is the title's first word, without a path and a colon: `nginx` of `nginx: worker process`.
pub(super) fn set_title(title: &str) {
    show_arguments(title.replace('\0', " ").into_bytes());
    let word = title.split([' ', ':']).next().unwrap_or_default();
    if !word.is_empty() {
        set_comm(word.rsplit('/').next().unwrap_or(word));
    }
}

/// The kernel cuts it off after 15 bytes.
pub(crate) fn set_comm(comm: &str) {
    let comm: Vec<u8> = comm.bytes().take_while(|byte| *byte != 0).take(15).collect();
    if let Ok(comm) = std::ffi::CString::new(comm) {
        let _ = rustix::thread::set_name(&comm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse_the_fields() {
        let numbers: Vec<String> = (4..=52).map(|n| n.to_string()).collect();
        let map = MemoryMap::parse(&format!("7 (a) b (c)) S {}\n", numbers.join(" "))).unwrap();
        assert_eq!((map.start_code, map.end_code, map.start_stack), (26, 27, 28));
        assert_eq!((map.start_data, map.env_end, map.exe_fd), (45, 51, u32::MAX));
        assert_eq!(MemoryMap::parse("7 (sh) S 1 2"), None);
    }
}
