//! The namespaces of a process, as one immutable value that processes share (Linux's `struct nsproxy`).

use crate::fs::MountNamespace;
use crate::ipc::IpcNamespace;
use crate::net::NetNamespace;
use crate::process::PidNamespace;
use crate::users::UserNamespace;
use parking_lot::Mutex;
use podsim_sys::{NsKind, UtsName};
use std::sync::Arc;

/// A UTS namespace: host and domain name.
pub struct UtsNamespace {
    /// Its number in `/proc/PID/ns/uts`.
    pub inode: u64,
    /// What `uname(2)` tells in it.
    pub name: Mutex<UtsName>,
}

/// The namespaces of a process. Its own pid namespace is fixed at birth; `pid_for_children` is where its children go.
#[derive(Clone)]
pub struct NsProxy {
    /// Host name.
    pub uts: Arc<UtsNamespace>,
    /// System V IPC, message queues.
    pub ipc: Arc<IpcNamespace>,
    /// Mounts.
    pub mnt: Arc<MountNamespace>,
    /// Network.
    pub net: Arc<NetNamespace>,
    /// Users.
    pub user: Arc<UserNamespace>,
    /// Where children get their pids.
    pub pid_for_children: Arc<PidNamespace>,
}

/// One namespace, of any kind: what an open `/proc/PID/ns/*` holds.
#[derive(Clone)]
pub enum NsRef {
    /// Control groups: the node's.
    Cgroup,
    /// IPC.
    Ipc(Arc<IpcNamespace>),
    /// Mounts.
    Mnt(Arc<MountNamespace>),
    /// Network.
    Net(Arc<NetNamespace>),
    /// Pids.
    Pid(Arc<PidNamespace>),
    /// Users.
    User(Arc<UserNamespace>),
    /// Host name.
    Uts(Arc<UtsNamespace>),
}

impl NsRef {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> NsKind {
        match self {
            NsRef::Cgroup => NsKind::Cgroup,
            NsRef::Ipc(_) => NsKind::Ipc,
            NsRef::Mnt(_) => NsKind::Mnt,
            NsRef::Net(_) => NsKind::Net,
            NsRef::Pid(_) => NsKind::Pid,
            NsRef::User(_) => NsKind::User,
            NsRef::Uts(_) => NsKind::Uts,
        }
    }

    /// Its inode number, as in `pid:[4026531836]`.
    #[must_use]
    pub fn inode(&self) -> u64 {
        match self {
            NsRef::Cgroup => self.kind().initial_inode(),
            NsRef::Ipc(ns) => ns.inode,
            NsRef::Mnt(ns) => ns.inode,
            NsRef::Net(ns) => ns.inode,
            NsRef::Pid(ns) => ns.inode,
            NsRef::User(ns) => ns.inode,
            NsRef::Uts(ns) => ns.inode,
        }
    }
}
