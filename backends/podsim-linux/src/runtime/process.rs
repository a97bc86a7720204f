//! [`Process`]: a process of a Pod, from the orders to its end.

use crate::channel::Channel;
use crate::child::orders::{Answer, Orders};
use crate::mount::context;
use crate::runtime::stdio::{Input, Stdio, Stream};
use crate::spawner::Spawner;
use futures_util::FutureExt;
use podsim_cri::{BoxRead, BoxWrite, Error, ExecSession, NamespaceInodes, Result};
use podsim_sys::{NsKind, Pid, Signal, WaitStatus, Winsize};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::process::{PidfdFlags, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};

/// How long a child may take to get to its program's first instruction. (A mount can hang.)
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that this process is the parent of. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    /// Names the process as long as this exists, also when the number is used again.
    pidfd: Arc<OwnedFd>,
    exit: watch::Receiver<Option<WaitStatus>>,
    inodes: NamespaceInodes,
}

/// A started process and the host's ends of its streams.
pub(crate) struct Started {
    pub(crate) process: Process,
    pub(crate) stdin: Option<Stream>,
    pub(crate) stdout: Option<Stream>,
    pub(crate) stderr: Option<Stream>,
    /// The master of its terminal, if it has one; stdin and stdout are the same.
    pub(crate) terminal: Option<Stream>,
    /// The mount namespace that was made for it. While this is open, no other one can have its inode number.
    pub(crate) mount_namespace: Option<OwnedFd>,
}

/// Starts a process: returns when its program runs.
///
/// # Errors
///
/// [`Error::StartFailed`] with what the child says.
pub(crate) async fn start(
    spawner: &Spawner,
    orders: Orders,
    descriptors: Vec<Descriptor>,
    stdio: Stdio,
) -> Result<Started> {
    let (ours, theirs) = Channel::pair().map_err(internal)?;
    let Stdio {
        child,
        stdin,
        stdout,
        stderr,
    } = stdio;
    let stage = spawner
        .spawn(orders.process.argv.clone(), child, theirs)
        .await
        .map_err(internal)?;
    // Also when nobody waits for the start any more, the process has to be waited for: a pid namespace does not end before that.
    let talk = tokio::task::spawn_blocking(move || -> Result<_> {
        let Talk {
            pid,
            pidfd,
            master,
            mount_namespace,
        } = talk(&ours, stage, &orders, &descriptors)?;
        let inodes = namespace_inodes(pid);
        let pidfd = Arc::new(pidfd);
        let process = Process {
            pid: Pid(pid),
            exit: watch_exit(pidfd.clone()).map_err(internal)?,
            pidfd,
            inodes,
        };
        Ok((process, master, mount_namespace))
    });
    let (process, master, mount_namespace) = talk.await.map_err(|error| internal(io::Error::other(error)))??;
    let terminal = master.map(Stream::new).transpose().map_err(internal)?;
    Ok(match terminal {
        Some(terminal) => Started {
            process,
            stdin: Some(terminal.clone()),
            stdout: Some(terminal.clone()),
            stderr: None,
            terminal: Some(terminal),
            mount_namespace,
        },
        None => Started {
            process,
            stdin,
            stdout,
            stderr,
            terminal: None,
            mount_namespace,
        },
    })
}

/// A descriptor that goes along with orders.
pub(crate) type Descriptor = Arc<dyn AsFd + Send + Sync>;

/// What comes of orders.
struct Talk {
    pid: i32,
    pidfd: OwnedFd,
    /// Of its terminal.
    master: Option<OwnedFd>,
    mount_namespace: Option<OwnedFd>,
}

/// Gives the orders and listens to what comes of them.
fn talk(
    channel: &Channel,
    mut stage: std::process::Child,
    orders: &Orders,
    descriptors: &[Descriptor],
) -> Result<Talk> {
    let descriptors: Vec<BorrowedFd<'_>> = descriptors.iter().map(|fd| fd.as_fd()).collect();
    let asked = || -> io::Result<_> {
        channel.set_patience(PATIENCE)?;
        channel.send(orders, &descriptors)?;
        channel.receive::<Answer>()
    };
    let answer = asked();
    if answer.is_err() {
        // It may hang.
        let _ = stage.kill();
    }
    let status = stage.wait().map_err(internal)?;
    let pid = match answer.map_err(internal)? {
        Some((Answer::Pid(pid), _)) => pid,
        Some((Answer::Failed(failure), _)) => return Err(start_failed(failure.message, failure.exit_code)),
        other => {
            let what = format!("the first stage ended with {status} and said {other:?}");
            return Err(internal(io::Error::other(what)));
        }
    };
    // The number cannot be used again before this process, the parent, has waited for it.
    let name = rustix::process::Pid::from_raw(pid).ok_or_else(|| internal(io::ErrorKind::InvalidData.into()))?;
    let pidfd = pidfd_open(name, PidfdFlags::empty()).map_err(|errno| internal(errno.into()))?;
    let (mut master, mut mount_namespace) = (None, None);
    let failure = loop {
        match channel.receive::<Answer>() {
            Ok(None) => {
                return Ok(Talk {
                    pid,
                    pidfd,
                    master,
                    mount_namespace,
                });
            }
            Ok(Some((Answer::MountNamespace, descriptors))) => mount_namespace = descriptors.into_iter().next(),
            Ok(Some((Answer::Terminal, descriptors))) => master = descriptors.into_iter().next(),
            Ok(Some((Answer::Failed(failure), _))) => break start_failed(failure.message, failure.exit_code),
            Ok(Some((Answer::Pid(_), _))) => break internal(io::Error::other("a second pid")),
            Err(error) => break internal(error),
        }
    };
    // It ends by itself, or hangs.
    let _ = pidfd_send_signal(&pidfd, rustix::process::Signal::KILL);
    let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
    Err(failure)
}

/// Waits for the end of a process and reaps it.
#[expect(unsafe_code, reason = "tokio relies on a descriptor that stays the same")]
fn watch_exit(pidfd: Arc<OwnedFd>) -> io::Result<watch::Receiver<Option<WaitStatus>>> {
    let (sender, receiver) = watch::channel(None);
    // SAFETY: the descriptor stays open, and the same, as long as the `Arc` lives.
    let ended = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }?;
    tokio::spawn(async move {
        let status = match ended.readable().await {
            Ok(_) => reap(ended.get_ref().as_fd()),
            Err(_) => WaitStatus::Signaled(Signal::KILL),
        };
        sender.send_replace(Some(status));
    });
    Ok(receiver)
}

fn reap(pidfd: BorrowedFd<'_>) -> WaitStatus {
    let status = waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED).ok().flatten();
    let signal = |number: i32| u8::try_from(number).ok().and_then(Signal::new);
    match status {
        Some(status) => match (status.exit_status(), status.terminating_signal().and_then(signal)) {
            (Some(code), _) => WaitStatus::Exited((code & 0xff) as u8),
            (None, Some(signal)) => WaitStatus::Signaled(signal),
            (None, None) => WaitStatus::Signaled(Signal::KILL),
        },
        None => WaitStatus::Signaled(Signal::KILL),
    }
}

impl Process {
    /// Names it for `setns(2)`.
    pub(crate) fn pidfd(&self) -> Descriptor {
        self.pidfd.clone()
    }

    /// Sends a signal; to a process that has ended it goes nowhere.
    #[expect(unsafe_code, reason = "rustix sends no real-time signals")]
    pub(crate) fn kill(&self, signal: Signal) {
        // SAFETY: no pointer is passed but the null pointer of `siginfo`. (rustix knows no real-time signals here, which an image's
        // `StopSignal` may be.)
        let _ = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.pidfd.as_raw_fd(),
                libc::c_int::from(signal.number()),
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
    }

    /// Waits for its end.
    pub(crate) async fn exited(&self) -> WaitStatus {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await.map(|status| *status) {
            Ok(Some(status)) => status,
            // The watcher went with the runtime.
            _ => WaitStatus::Signaled(Signal::KILL),
        }
    }

    /// Whether it lives.
    pub(crate) fn lives(&self) -> bool {
        self.exit.borrow().is_none()
    }

    /// Whether the kernel says that it has ended, which `lives` may not know yet.
    pub(crate) fn ended(&self) -> bool {
        let mut pidfd = [PollFd::from_borrowed_fd(self.pidfd.as_fd(), PollFlags::IN)];
        matches!(poll(&mut pidfd, Some(&Timespec::default())), Ok(1))
    }

    /// The namespaces that it was started in.
    pub(crate) fn namespace_inodes(&self) -> NamespaceInodes {
        self.inodes.clone()
    }
}

/// The session of an exec: the host's ends of the streams, and the end of the process.
pub(crate) fn session(started: Started) -> ExecSession {
    let Started {
        process,
        stdin,
        stdout,
        stderr,
        terminal,
        mount_namespace: _,
    } = started;
    ExecSession {
        stdin: stdin.map(|stream| Box::new(Input(Some(stream))) as BoxWrite),
        stdout: stdout.map(|stream| Box::new(stream) as BoxRead),
        stderr: stderr.map(|stream| Box::new(stream) as BoxRead),
        resize: resizer(terminal),
        exit: async move { Ok(process.exited().await.exit_code()) }.boxed(),
    }
}

/// Takes sizes for a terminal. The terminal is not kept open by it.
pub(crate) fn resizer(terminal: Option<Stream>) -> mpsc::Sender<Winsize> {
    let (resize, mut sizes) = mpsc::channel::<Winsize>(4);
    if let Some(terminal) = terminal {
        tokio::spawn(async move {
            while let Some(size) = sizes.recv().await {
                terminal.set_winsize(size);
            }
        });
    }
    resize
}

/// The inode numbers of the namespaces of a process.
pub(crate) fn namespace_inodes(pid: i32) -> NamespaceInodes {
    NsKind::ALL
        .into_iter()
        .filter_map(|kind| {
            let link = format!("/proc/{pid}/ns/{}", kind.name());
            Some((kind, std::fs::metadata(link).ok()?.ino()))
        })
        .collect()
}

/// A fault of the runtime.
pub(crate) fn internal(error: io::Error) -> Error {
    Error::Internal(crate::mount::plain(&error))
}

/// A fault of the runtime, with what was being done.
pub(crate) fn failed(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> Error {
    move |error| internal(context(what)(error))
}

fn start_failed(message: String, exit_code: i32) -> Error {
    Error::StartFailed {
        reason: "StartError".to_owned(),
        message,
        exit_code,
    }
}
