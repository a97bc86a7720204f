//! System V IPC (`sysvipc(7)`) and POSIX message queues (`mq_overview(7)`), per [`IpcNamespace`].
//!
//! * [`IpcNamespace`]: the tables of the three kinds of objects, their keys and ids (Linux's `ipc/util.c`).
//! * `shm`, `sem`, `msg`: what each kind is. They never wait: EAGAIN, and the object's queue tells when to try again.
//! * [`mqueue`]: POSIX queues, for a filesystem that shows them.
//! * [`proc`]: the files of `/proc/sysvipc`.
//!
//! Not modelled: SEM_UNDO (a request cannot ask for it), IPC_SET, MSG_NOERROR and MSG_COPY, and attached segments: a wasm
//! memory cannot map the pages of another, so a segment is read and written by copy and `nattch` stays 0.

pub mod mqueue;
pub(crate) mod msg;
pub mod proc;
pub(crate) mod sem;
pub(crate) mod shm;
#[cfg(test)]
mod tests;

use crate::process::{PidNumbers, Process};
use crate::sysctl::Settings;
use crate::wait_queue::WaitQueue;
use mqueue::MqueueTable;
use msg::MessageQueue;
use parking_lot::Mutex;
use podsim_sys::{Capability, Clock, Credentials, Errno, IpcGet, IpcKind, Result};
use sem::SemaphoreSet;
use shm::Segment;
use std::sync::Arc;
use std::time::Duration;

/// Objects of one kind in a namespace (IPCMNI); an id is a sequence number times this, plus a place in the table.
const OBJECTS_MAX: usize = 32_768;
/// The highest sequence number in an id.
const SEQUENCE_MAX: i32 = 0xffff;

/// An IPC namespace.
pub struct IpcNamespace {
    /// Its number in `/proc/PID/ns/ipc`.
    pub inode: u64,
    clock: Arc<dyn Clock>,
    shm: Mutex<Table<Segment>>,
    sem: Mutex<Table<SemaphoreSet>>,
    msg: Mutex<Table<MessageQueue>>,
    mqueue: Mutex<MqueueTable>,
    pub(crate) settings: Settings,
}

/// Who calls: what is checked, and what is written into the objects.
pub(crate) struct IpcCaller {
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) pids: Arc<PidNumbers>,
    pub(crate) now: Duration,
}

impl IpcCaller {
    pub(crate) fn new(process: &Process, now: Duration) -> Self {
        Self {
            credentials: process.credentials(),
            pids: process.pids().clone(),
            now,
        }
    }
}

/// Owner and permissions (`struct ipc_perm`).
#[derive(Clone, Debug)]
pub(crate) struct Perm {
    pub(crate) key: i32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mode: u16,
}

impl Perm {
    /// `ipcperms`: whether the caller has these rights (0o4 read, 0o2 write or alter); EACCES.
    pub(crate) fn check(&self, credentials: &Credentials, wanted: u16) -> Result<()> {
        let granted = if credentials.euid == self.uid {
            self.mode >> 6
        } else if credentials.egid == self.gid || credentials.groups.contains(&self.gid) {
            self.mode >> 3
        } else {
            self.mode
        };
        if wanted & !granted & 0o7 == 0 || credentials.capable(Capability::IPC_OWNER) {
            Ok(())
        } else {
            Err(Errno::EACCES)
        }
    }

    /// Whether the caller may remove the object; EPERM.
    pub(crate) fn check_owner(&self, credentials: &Credentials) -> Result<()> {
        if credentials.euid == self.uid || credentials.capable(Capability::SYS_ADMIN) {
            Ok(())
        } else {
            Err(Errno::EPERM)
        }
    }
}

/// One object of any kind.
pub(crate) struct Object<T> {
    pub(crate) id: i32,
    pub(crate) perm: Perm,
    /// `None` once it is removed: EIDRM for those who still wait.
    state: Mutex<Option<T>>,
    /// Woken at each change, and when it is removed.
    pub(crate) changed: WaitQueue,
}

impl<T> Object<T> {
    /// Does something to the object: EACCES without the rights, EIDRM once it is removed. Whoever waits looks again.
    pub(crate) fn with<R>(
        &self,
        caller: &IpcCaller,
        wanted: u16,
        action: impl FnOnce(&mut T) -> Result<R>,
    ) -> Result<R> {
        self.perm.check(&caller.credentials, wanted)?;
        let result = action(self.state.lock().as_mut().ok_or(Errno::EIDRM)?)?;
        self.changed.wake_all();
        Ok(result)
    }

    /// A look at the object, for `/proc`; `None` once it is removed.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        self.state.lock().as_ref().map(look)
    }
}

/// The objects of one kind (`struct ipc_ids`).
pub(crate) struct Table<T> {
    slots: Vec<Option<Arc<Object<T>>>>,
    last: Option<usize>,
    sequence: i32,
    /// What the objects use together: bytes of segments, semaphores, bytes of messages.
    used: Arc<Mutex<u64>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            last: None,
            sequence: 0,
            used: Arc::default(),
        }
    }
}

impl<T> Table<T> {
    /// The object with this id: EINVAL if its place is empty, EIDRM if another object has it now (`ipc_obtain_object_check`).
    fn get(&self, id: i32) -> Result<Arc<Object<T>>> {
        let id_or_invalid = usize::try_from(id).map_err(|_| Errno::EINVAL)?;
        let slot = self.slots.get(id_or_invalid % OBJECTS_MAX).and_then(Option::as_ref);
        let object = slot.ok_or(Errno::EINVAL)?;
        if object.id == id {
            Ok(object.clone())
        } else {
            Err(Errno::EIDRM)
        }
    }

    fn all(&self) -> Vec<Arc<Object<T>>> {
        self.slots.iter().flatten().cloned().collect()
    }

    fn insert(&mut self, perm: Perm, max: usize, make: impl FnOnce() -> Result<T>) -> Result<i32> {
        if self.slots.iter().flatten().count() >= max.min(OBJECTS_MAX) {
            return Err(Errno::ENOSPC);
        }
        let state = make()?;
        let free = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        // ipc_idr_alloc: a place that is used again gets a new sequence number.
        if self.last.is_some_and(|last| free <= last) {
            self.sequence = if self.sequence >= SEQUENCE_MAX {
                0
            } else {
                self.sequence + 1
            };
        }
        self.last = Some(free);
        let place = i32::try_from(free).map_err(|_| Errno::ENOSPC)?;
        let id = self.sequence * 32_768 + place;
        let object = Arc::new(Object {
            id,
            perm,
            state: Mutex::new(Some(state)),
            changed: WaitQueue::default(),
        });
        match self.slots.get_mut(free) {
            Some(slot) => *slot = Some(object),
            None => self.slots.push(Some(object)),
        }
        Ok(id)
    }

    /// `shmget` and its like (`ipcget`): finds by key, or makes.
    fn find_or_make(
        &mut self,
        caller: &IpcCaller,
        request: &IpcGet,
        max: usize,
        fits: impl FnOnce(&T) -> bool,
        make: impl FnOnce(Arc<Mutex<u64>>) -> Result<T>,
    ) -> Result<i32> {
        let found = self
            .slots
            .iter()
            .flatten()
            .find(|o| request.key != 0 && o.perm.key == request.key);
        if let Some(object) = found {
            if request.create && request.exclusive {
                return Err(Errno::EEXIST);
            }
            if !object.look(fits).ok_or(Errno::EIDRM)? {
                return Err(Errno::EINVAL);
            }
            // Any bit asked for, for whichever class, is asked for oneself.
            object.perm.check(
                &caller.credentials,
                (request.mode >> 6) | (request.mode >> 3) | request.mode,
            )?;
            return Ok(object.id);
        }
        if request.key != 0 && !request.create {
            return Err(Errno::ENOENT);
        }
        let perm = Perm {
            key: request.key,
            uid: caller.credentials.euid,
            gid: caller.credentials.egid,
            mode: request.mode & 0o777,
        };
        let used = self.used.clone();
        self.insert(perm, max, || make(used))
    }

    /// `IPC_RMID`: EPERM for others than the owner. The object is taken out, to be let go outside of the lock.
    fn remove(&mut self, caller: &IpcCaller, id: i32) -> Result<Arc<Object<T>>> {
        let object = self.get(id)?;
        object.perm.check_owner(&caller.credentials)?;
        if let Some(slot) = self
            .slots
            .iter_mut()
            .find(|slot| slot.as_ref().is_some_and(|o| o.id == id))
        {
            *slot = None;
        }
        Ok(object)
    }
}

/// Marks an object as removed, and wakes those who wait for it.
fn destroy<T>(object: &Object<T>) {
    let gone = object.state.lock().take();
    drop(gone);
    object.changed.wake_all();
}

impl IpcNamespace {
    /// A new, empty IPC namespace. The clock gives the times of `ipcs`.
    #[must_use]
    pub fn new(inode: u64, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            inode,
            clock,
            shm: Mutex::default(),
            sem: Mutex::default(),
            msg: Mutex::default(),
            mqueue: Mutex::default(),
            settings: Settings::default(),
        })
    }

    /// The caller, as objects see it.
    pub(crate) fn caller(&self, process: &Process) -> IpcCaller {
        IpcCaller::new(process, self.clock.realtime())
    }

    /// `shmget(2)`, `semget(2)`, `msgget(2)`.
    pub(crate) fn get(&self, caller: &IpcCaller, kind: IpcKind, request: &IpcGet) -> Result<i32> {
        match kind {
            IpcKind::Shm => self.shm.lock().find_or_make(
                caller,
                request,
                shm::SEGMENTS_MAX,
                |segment| segment.size() >= request.size,
                |used| Segment::new(request.size, used, caller),
            ),
            IpcKind::Sem => self.sem.lock().find_or_make(
                caller,
                request,
                sem::SETS_MAX,
                |set| set.len() as u64 >= request.size,
                |used| SemaphoreSet::new(request.size, used, caller),
            ),
            IpcKind::Msg => self.msg.lock().find_or_make(
                caller,
                request,
                msg::QUEUES_MAX,
                |_| true,
                |used| Ok(MessageQueue::new(used, caller)),
            ),
        }
    }

    /// `IPC_RMID`: those who wait get EIDRM.
    pub(crate) fn remove(&self, caller: &IpcCaller, kind: IpcKind, id: i32) -> Result<()> {
        match kind {
            IpcKind::Shm => {
                let object = self.shm.lock().remove(caller, id)?;
                destroy(&object);
            }
            IpcKind::Sem => {
                let object = self.sem.lock().remove(caller, id)?;
                destroy(&object);
            }
            IpcKind::Msg => {
                let object = self.msg.lock().remove(caller, id)?;
                destroy(&object);
            }
        }
        Ok(())
    }

    /// A segment.
    pub(crate) fn segment(&self, id: i32) -> Result<Arc<Object<Segment>>> {
        self.shm.lock().get(id)
    }

    /// A semaphore set.
    pub(crate) fn semaphores(&self, id: i32) -> Result<Arc<Object<SemaphoreSet>>> {
        self.sem.lock().get(id)
    }

    /// A message queue.
    pub(crate) fn messages(&self, id: i32) -> Result<Arc<Object<MessageQueue>>> {
        self.msg.lock().get(id)
    }
}
