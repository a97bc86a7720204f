//! [`Spawner`]: starts podsim's own program again, as the first stage of every process of a Pod.
//!
//! It is a thread that lives as long as the node: `PR_SET_PDEATHSIG` is about the death of the *thread* that made a process,
//! and threads of a pool come and go. Only this thread starts processes, so a descriptor that it lets a child inherit is inherited by no other.

use crate::channel::Channel;
use crate::mount;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::{FdFlags, fcntl_setfd};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use tokio::sync::oneshot;

/// The variable that says on which descriptor the orders come.
pub(crate) const CHILD_VARIABLE: &str = "_PODSIM_CHILD";

/// Starts processes.
pub(crate) struct Spawner {
    jobs: mpsc::Sender<Job>,
}

/// What to start.
struct Job {
    argv: Vec<String>,
    stdio: [OwnedFd; 3],
    channel: Channel,
    started: oneshot::Sender<io::Result<Child>>,
}

impl Spawner {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (jobs, receiver) = mpsc::channel::<Job>();
        let program = mount::own_program()?;
        std::thread::Builder::new()
            .name("podsim-spawner".to_owned())
            .spawn(move || {
                for job in receiver {
                    let started = spawn(&program, &job);
                    // Nobody waits when the request was given up; then the child finds its orders' end closed and ends.
                    let _ = job.started.send(started);
                }
            })?;
        Ok(Self { jobs })
    }

    /// Starts podsim under these arguments; the orders come through the channel.
    pub(crate) async fn spawn(&self, argv: Vec<String>, stdio: [OwnedFd; 3], channel: Channel) -> io::Result<Child> {
        let (started, result) = oneshot::channel();
        let job = Job {
            argv,
            stdio,
            channel,
            started,
        };
        let gone = || io::Error::other("the spawner has ended");
        self.jobs.send(job).map_err(|_| gone())?;
        result.await.map_err(|_| gone())?
    }
}

fn spawn(program: &OwnedFd, job: &Job) -> io::Result<Child> {
    let mut command = Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()));
    if let Some((name, arguments)) = job.argv.split_first() {
        command.arg0(name).args(arguments);
    }
    let [stdin, stdout, stderr] = &job.stdio;
    command
        .env_clear()
        .env(CHILD_VARIABLE, job.channel.as_raw_fd().to_string())
        .stdin(Stdio::from(stdin.try_clone()?))
        .stdout(Stdio::from(stdout.try_clone()?))
        .stderr(Stdio::from(stderr.try_clone()?));
    fcntl_setfd(&job.channel, FdFlags::empty())?;
    let child = command.spawn();
    fcntl_setfd(&job.channel, FdFlags::CLOEXEC)?;
    child
}
