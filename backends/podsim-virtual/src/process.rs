//! Starting a process in a container or on the node, with the host's ends of its standard streams.

use crate::node::Node;
use crate::stdio::{FileReader, FileWriter, describe};
use futures_util::FutureExt;
use podsim_cri::{Error, ExecSession, Result};
use podsim_kernel::fs::pipe::Pipe;
use podsim_kernel::fs::{FileDescription, FsContext};
use podsim_kernel::process::{Cgroup, ProcessSpec};
use podsim_kernel::tty::{PtyAttributes, PtyRegistry, Tty};
use podsim_kernel::{Kernel, NsProxy, Task};
use podsim_sys::{Credentials, Errno, Mode, OpenFlags, Resource, Rlimit, Winsize};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The streams of a process: its own ends, and the host's.
pub(crate) struct Io {
    /// Standard input, output and error as the process sees them.
    pub(crate) stdio: [Arc<FileDescription>; 3],
    /// The terminal, if it is one.
    pub(crate) tty: Option<Arc<Tty>>,
    /// What the host writes to.
    pub(crate) stdin: Option<Arc<FileDescription>>,
    /// What the host reads.
    pub(crate) stdout: Option<Arc<FileDescription>>,
    /// What the host reads; `None` with a terminal.
    pub(crate) stderr: Option<Arc<FileDescription>>,
}

impl Io {
    /// A terminal.
    pub(crate) fn pty(ptys: &Arc<PtyRegistry>, winsize: Option<Winsize>) -> Result<Self> {
        let open = || -> podsim_sys::Result<_> {
            let attributes = PtyAttributes {
                uid: 0,
                gid: 5,
                mode: Mode(0o620),
            };
            let (master, index) = ptys.open_ptmx(attributes)?;
            let slave = FileDescription::new(ptys.slave(index)?, OpenFlags::RDWR);
            let tty = slave.ops().tty().cloned().ok_or(Errno::ENOTTY)?;
            if let Some(size) = winsize {
                tty.set_winsize(size);
            }
            let master = FileDescription::new(master, OpenFlags::RDWR);
            Ok(Self {
                stdio: [slave.clone(), slave.clone(), slave],
                tty: Some(tty),
                stdin: Some(master.clone()),
                stdout: Some(master),
                stderr: None,
            })
        };
        open().map_err(|errno| describe("cannot open a terminal", errno))
    }

    /// Pipes; what was not asked for is `/dev/null`.
    pub(crate) fn pipes(node: &Node, stdin: bool, stdout: bool, stderr: bool) -> Result<Self> {
        let pipe = || {
            let created = node.config.clock.realtime();
            let (read, write) = Pipe::new(node.kernel.allocate_anonymous_inode(), created).ends();
            (
                FileDescription::new(read, OpenFlags::empty()),
                FileDescription::new(write, OpenFlags::WRONLY),
            )
        };
        let null = || {
            let mounts = &node.kernel.initial_namespaces().mnt;
            mounts
                .open_file("/dev/null", OpenFlags::RDWR, Mode(0))
                .map_err(|errno| describe("cannot open /dev/null", errno))
        };
        let (stdin_read, stdin_write) = if stdin {
            let (r, w) = pipe();
            (r, Some(w))
        } else {
            (null()?, None)
        };
        let (stdout_read, stdout_write) = if stdout {
            let (r, w) = pipe();
            (Some(r), w)
        } else {
            (None, null()?)
        };
        let (stderr_read, stderr_write) = if stderr {
            let (r, w) = pipe();
            (Some(r), w)
        } else {
            (None, null()?)
        };
        Ok(Self {
            stdio: [stdin_read, stdout_write, stderr_write],
            tty: None,
            stdin: stdin_write,
            stdout: stdout_read,
            stderr: stderr_read,
        })
    }
}

/// A process to be started.
pub(crate) struct StartRequest<'a> {
    pub(crate) namespaces: Arc<NsProxy>,
    pub(crate) fs: FsContext,
    pub(crate) credentials: Credentials,
    pub(crate) program: &'a str,
    pub(crate) argv: &'a [String],
    pub(crate) environ: Vec<String>,
    pub(crate) io: &'a Io,
    pub(crate) cgroup: Arc<Cgroup>,
    pub(crate) rlimits: Vec<(Resource, Rlimit)>,
}

/// Starts a process.
///
/// # Errors
///
/// [`Error::StartFailed`] in runc's words, with the exit code that a shell would give (127 not found, 126 not runnable).
pub(crate) fn start(kernel: &Arc<Kernel>, request: &StartRequest<'_>) -> Result<Task> {
    let spec = ProcessSpec {
        parent: None,
        namespaces: request.namespaces.clone(),
        fs: request.fs.clone(),
        credentials: request.credentials.clone(),
        program: request.program.to_owned(),
        argv: request.argv.to_vec(),
        environ: request.environ.clone(),
        stdio: request.io.stdio.clone(),
        controlling_tty: request.io.tty.clone(),
        rlimits: request.rlimits.clone(),
        cgroup: request.cgroup.clone(),
    };
    kernel.create_process(spec).map_err(|errno| start_error(request, errno))
}

fn start_error(request: &StartRequest<'_>, errno: Errno) -> Error {
    let program = request.program;
    let (what, exit_code) = match errno {
        Errno::ENOENT if !program.contains('/') => ("executable file not found in $PATH".to_owned(), 127),
        Errno::ENOENT => (format!("stat {program}: no such file or directory"), 127),
        Errno::EACCES => ("permission denied".to_owned(), 126),
        Errno::EISDIR => ("is a directory".to_owned(), 126),
        Errno::ENOEXEC if is_elf(request) => {
            let remedy =
                "this is a Linux (ELF) program; the virtual backend runs WebAssembly, --backend=linux runs both";
            (format!("exec format error ({remedy})"), 126)
        }
        Errno::ENOEXEC => ("exec format error".to_owned(), 126),
        errno => (errno.message().to_lowercase(), 126),
    };
    Error::StartFailed {
        reason: "StartError".to_owned(),
        message: format!("unable to start container process: exec: {program:?}: {what}"),
        exit_code,
    }
}

fn is_elf(request: &StartRequest<'_>) -> bool {
    let mounts = &request.namespaces.mnt;
    let search = request
        .environ
        .iter()
        .rev()
        .find_map(|entry| entry.strip_prefix("PATH="))
        .unwrap_or_default();
    let candidates: Vec<String> = if request.program.contains('/') {
        vec![request.program.to_owned()]
    } else {
        search
            .split(':')
            .map(|dir| format!("{dir}/{}", request.program))
            .collect()
    };
    candidates
        .iter()
        .find_map(|path| mounts.read_file(path).ok())
        .is_some_and(|content| content.starts_with(b"\x7fELF"))
}

/// The session of an exec: the host's ends of the streams, and the end of the process.
pub(crate) fn session(task: Task, io: Io) -> ExecSession {
    let (resize, mut sizes) = mpsc::channel::<Winsize>(4);
    if let Some(tty) = &io.tty {
        let tty = Arc::downgrade(tty);
        tokio::spawn(async move {
            while let (Some(size), Some(tty)) = (sizes.recv().await, tty.upgrade()) {
                tty.set_winsize(size);
            }
        });
    }
    ExecSession {
        stdin: io
            .stdin
            .map(|file| Box::new(FileWriter(Some(file))) as podsim_cri::BoxWrite),
        stdout: io.stdout.map(|file| Box::new(FileReader(file)) as podsim_cri::BoxRead),
        stderr: io.stderr.map(|file| Box::new(FileReader(file)) as podsim_cri::BoxRead),
        resize,
        exit: async move { Ok(task.wait_exit().await.exit_code()) }.boxed(),
    }
}
