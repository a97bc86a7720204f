//! System calls on System V IPC objects.
#![expect(unsafe_code, reason = "segments are attached, messages are C structures")]

use super::abi::check;
use super::interruptible::interruptible;
use podsim_sys::*;

/// The longest message that is asked for: the kernel's default limit is 8 KiB, and one may raise it.
const MESSAGE_MAX: usize = 1 << 20;

pub(super) fn ipc_get(kind: IpcKind, request: IpcGet) -> Result<i32> {
    let one = |on: bool, number: i32| if on { number } else { 0 };
    let flags =
        i32::from(request.mode & 0o777) | one(request.create, libc::IPC_CREAT) | one(request.exclusive, libc::IPC_EXCL);
    let size = usize::try_from(request.size).map_err(|_| Errno::EINVAL)?;
    // SAFETY: these take numbers only.
    check(unsafe {
        match kind {
            IpcKind::Shm => libc::shmget(request.key, size, flags),
            IpcKind::Sem => libc::semget(request.key, i32::try_from(size).map_err(|_| Errno::EINVAL)?, flags),
            IpcKind::Msg => libc::msgget(request.key, flags),
        }
    })
}

pub(super) fn ipc_remove(kind: IpcKind, id: i32) -> Result<()> {
    // SAFETY: IPC_RMID reads and writes nothing of ours.
    check(unsafe {
        match kind {
            IpcKind::Shm => libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()),
            IpcKind::Sem => libc::semctl(id, 0, libc::IPC_RMID),
            IpcKind::Msg => libc::msgctl(id, libc::IPC_RMID, std::ptr::null_mut()),
        }
    })
    .map(drop)
}

/// A segment, attached as long as a copy takes.
struct Attached {
    memory: *mut u8,
    len: usize,
}

impl Attached {
    fn new(id: i32, flags: i32) -> Result<Self> {
        // SAFETY: the kernel chooses a free place.
        let memory = unsafe { libc::shmat(id, std::ptr::null(), flags) };
        if memory.addr() == usize::MAX {
            return Err(super::abi::last_error());
        }
        let mut this = Self {
            memory: memory.cast(),
            len: 0,
        };
        let mut about = std::mem::MaybeUninit::<libc::shmid_ds>::zeroed();
        // SAFETY: the kernel fills the structure in; zeros are a valid one.
        let about = unsafe {
            check(libc::shmctl(id, libc::IPC_STAT, about.as_mut_ptr()))?;
            about.assume_init()
        };
        this.len = about.shm_segsz;
        Ok(this)
    }

    /// Where `offset` is, and how many bytes from there, at most `len`. EINVAL: outside.
    fn at(&self, offset: u64, len: usize) -> Result<(*mut u8, usize)> {
        let offset = usize::try_from(offset).map_err(|_| Errno::EINVAL)?;
        let rest = self.len.checked_sub(offset).ok_or(Errno::EINVAL)?;
        Ok((self.memory.wrapping_add(offset), rest.min(len)))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // SAFETY: attached by `new`, and nobody else knows the place.
        unsafe { libc::shmdt(self.memory.cast()) };
    }
}

pub(super) fn shm_read(id: i32, offset: u64, buf: &mut [u8]) -> Result<usize> {
    let segment = Attached::new(id, libc::SHM_RDONLY)?;
    let (from, len) = segment.at(offset, buf.len())?;
    // SAFETY: both are `len` bytes long and apart. Others may write the segment meanwhile: then it is any bytes.
    unsafe { std::ptr::copy_nonoverlapping(from, buf.as_mut_ptr(), len) };
    Ok(len)
}

pub(super) fn shm_write(id: i32, offset: u64, buf: &[u8]) -> Result<usize> {
    let segment = Attached::new(id, 0)?;
    let (to, len) = segment.at(offset, buf.len())?;
    // SAFETY: as above.
    unsafe { std::ptr::copy_nonoverlapping(buf.as_ptr(), to, len) };
    Ok(len)
}

pub(super) fn semop(id: i32, ops: Vec<SemOp>) -> Result<()> {
    let mut raw: Vec<libc::sembuf> = ops
        .iter()
        .map(|op| libc::sembuf {
            sem_num: op.index,
            sem_op: op.change,
            sem_flg: if op.no_wait { libc::IPC_NOWAIT as i16 } else { 0 },
        })
        .collect();
    let arguments = [id as usize, raw.as_mut_ptr().addr(), raw.len(), 0, 0, 0];
    // SAFETY: the kernel reads as many operations as there are.
    unsafe { interruptible(libc::SYS_semop, arguments) }.map(drop)
}

pub(super) fn semval(id: i32, index: u16, set: Option<u16>) -> Result<u16> {
    // SAFETY: takes numbers only.
    let get = || check(unsafe { libc::semctl(id, index.into(), libc::GETVAL) });
    let Some(value) = set else {
        return Ok(u16::try_from(get()?).unwrap_or(u16::MAX));
    };
    // Who may only write gets 0 for the old one.
    let old = get().unwrap_or(0);
    // SAFETY: takes numbers only.
    check(unsafe { libc::semctl(id, index.into(), libc::SETVAL, libc::c_int::from(value)) })?;
    Ok(u16::try_from(old).unwrap_or(u16::MAX))
}

fn no_wait_flag(no_wait: bool) -> usize {
    if no_wait { libc::IPC_NOWAIT as usize } else { 0 }
}

pub(super) fn msgsnd(id: i32, message: IpcMessage, no_wait: bool) -> Result<()> {
    let mut bytes = message.mtype.to_ne_bytes().to_vec();
    bytes.extend(&message.data);
    let arguments = [
        id as usize,
        bytes.as_ptr().addr(),
        message.data.len(),
        no_wait_flag(no_wait),
        0,
        0,
    ];
    // SAFETY: the kernel reads the type and as many bytes as there are behind it.
    unsafe { interruptible(libc::SYS_msgsnd, arguments) }.map(drop)
}

pub(super) fn msgrcv(id: i32, max: usize, mtype: i64, no_wait: bool) -> Result<IpcMessage> {
    const TYPE: usize = size_of::<i64>();
    let max = max.min(MESSAGE_MAX);
    let mut bytes = vec![0; TYPE + max];
    let arguments = [
        id as usize,
        bytes.as_mut_ptr().addr(),
        max,
        mtype as usize,
        no_wait_flag(no_wait),
        0,
    ];
    // SAFETY: the kernel writes the type and at most `max` bytes behind it.
    let len = unsafe { interruptible(libc::SYS_msgrcv, arguments) }?;
    let (mtype, data) = bytes.split_at(TYPE);
    Ok(IpcMessage {
        mtype: i64::from_ne_bytes(mtype.try_into().map_err(|_| Errno::EINVAL)?),
        data: data.get(..len).unwrap_or_default().to_vec(),
    })
}
