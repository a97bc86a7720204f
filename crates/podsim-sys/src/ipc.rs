//! System V IPC (`sysvipc(7)`) and POSIX message queues (`mq_overview(7)`).

/// Which System V object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IpcKind {
    /// A shared memory segment.
    Shm,
    /// A semaphore set.
    Sem,
    /// A message queue.
    Msg,
}

/// `IPC_CREAT` and `IPC_EXCL` with the permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpcGet {
    /// The key; 0 is IPC_PRIVATE: always a new object.
    pub key: i32,
    /// Bytes of a segment, semaphores of a set; nothing for a queue.
    pub size: u64,
    /// Make it if it is not there.
    pub create: bool,
    /// With `create`: fail if it is there.
    pub exclusive: bool,
    /// Permissions, `0o777`.
    pub mode: u16,
}

/// One operation of `semop(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SemOp {
    /// Which semaphore of the set.
    pub index: u16,
    /// Added; negative waits until it can be taken, 0 waits for zero.
    pub change: i16,
    /// Never wait.
    pub no_wait: bool,
}

/// A message of a System V queue: type (above 0) and bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpcMessage {
    /// Its type.
    pub mtype: i64,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// What a new POSIX message queue holds (`struct mq_attr`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MqAttr {
    /// Messages.
    pub messages: u32,
    /// Bytes of a message.
    pub message_size: u32,
}
