//! What the node process tells a child, and what the child answers.

use podsim_cri::{MountPropagation, SecurityContext};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How a process of a Pod comes to be: the namespaces it joins and makes, its root, and what it then runs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    /// Namespaces to join, in this order.
    pub(crate) join: Vec<Join>,
    /// The user namespace that the process is root of, if that is not the node's own.
    pub(crate) users: Option<UsersOrders>,
    /// Namespaces to make: flags of `clone(2)`.
    pub(crate) new_namespaces: u32,
    /// Where the limits are.
    pub(crate) cgroup: Option<crate::cgroup::Cgroup>,
    /// The host name, of a new UTS namespace.
    pub(crate) hostname: Option<String>,
    /// Settings of new namespaces, with dots in their names.
    pub(crate) sysctls: BTreeMap<String, String>,
    /// The root of a new mount namespace; `None` where a mount namespace is joined.
    pub(crate) root: Option<RootOrders>,
    /// A terminal to be made, and its size.
    pub(crate) terminal: Option<TerminalOrders>,
    /// What to run.
    pub(crate) process: ProcessOrders,
}

/// A descriptor that came with the orders: a pidfd, or a namespace. See `setns(2)`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Join {
    /// Which of the descriptors.
    pub(crate) descriptor: usize,
    /// The kinds of namespaces.
    pub(crate) kinds: u32,
}

/// A user namespace to become root of.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct UsersOrders {
    /// Which of the descriptors.
    pub(crate) descriptor: usize,
    /// What its root is on the node, as user and as group.
    pub(crate) root: u32,
}

/// A terminal of the container's own `/dev/pts`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TerminalOrders {
    /// Rows and columns.
    pub(crate) size: Option<(u16, u16)>,
    /// Whether it is `/dev/console` as well: that of a container, not that of an exec.
    pub(crate) console: bool,
}

/// The root of a container.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RootOrders {
    /// What is there.
    pub(crate) source: RootSource,
    /// An empty directory on the node where it is put together.
    pub(crate) target: PathBuf,
    /// Whether the processes are in the node's pid namespace: where `/proc` may not be mounted, it is the node's.
    pub(crate) node_pids: bool,
    /// `/dev/shm`.
    pub(crate) shm: PathBuf,
    /// `/sys/fs/cgroup`: where and what.
    pub(crate) cgroups: Vec<(String, PathBuf)>,
    /// Files and directories to show, in order.
    pub(crate) binds: Vec<Bind>,
}

/// Where a root comes from.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum RootSource {
    /// The image's layers, the uppermost first, under a private one.
    Overlay {
        /// Read-only.
        lower: Vec<PathBuf>,
        /// The private one.
        upper: PathBuf,
        /// Overlayfs' own.
        work: PathBuf,
        /// In a user namespace: keep overlayfs' marks in `user.` attributes.
        user_attributes: bool,
    },
    /// A copy of the image, or a root that is mounted already.
    Directory(PathBuf),
}

/// What is shown in a container.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Bind {
    /// A path on the node.
    pub(crate) source: PathBuf,
    /// What is shown of it: a path in it, a path in what is there, and so on; none can lead out. A directory is made if nothing is there.
    pub(crate) within: Vec<String>,
    /// Absolute path in the container.
    pub(crate) target: String,
    /// Writing is EROFS.
    pub(crate) readonly: bool,
    /// What is mounted below it is read-only too.
    pub(crate) recursive_readonly: bool,
    /// What is seen of mounts that are made later.
    pub(crate) propagation: MountPropagation,
}

/// A program and who runs it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ProcessOrders {
    /// Its arguments; the first one is also where it is looked for.
    pub(crate) argv: Vec<String>,
    /// Its environment; `HOME` is added if it is not there.
    pub(crate) environ: Vec<String>,
    /// Where it starts; made if it is not there. Empty is `/`.
    pub(crate) working_dir: String,
    /// `USER` of the image.
    pub(crate) image_user: String,
    /// Who, and what it may do.
    pub(crate) security: SecurityContext,
    /// `oom_score_adj`.
    pub(crate) oom_score_adj: i32,
}

/// What a child answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// The first stage: the process that the orders are about has this pid, in the node's namespace.
    Pid(i32),
    /// The second stage: the mount namespace that was made for it comes along.
    MountNamespace,
    /// The second stage: the master of the terminal comes along.
    Terminal,
    /// It could not be done.
    Failed(Failure),
}

/// Why a process could not be started.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// For people.
    pub(crate) message: String,
    /// 127 not found, 126 not runnable, 128 anything before that.
    pub(crate) exit_code: i32,
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self {
            message: crate::mount::plain(&error),
            exit_code: 128,
        }
    }
}
