//! [`ContainerRecord`]: what a backend knows of a container.

use super::{BroadcastReader, Log, command_line};
use crate::{
    BoxRead, ContainerConfig, ContainerId, ContainerState, ContainerStatus, Error, Image, LogStream, NamespaceInodes,
    Result, SandboxId,
};
use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::Mutex;
use podsim_sys::{Clock, Pid, Signal, WaitStatus};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{broadcast, watch};

/// What a backend holds of a running container.
pub trait RunningProcess: Send + Sync + 'static {
    /// The first process's pid on the node.
    fn pid(&self) -> Pid;
    /// Its namespaces.
    fn namespace_inodes(&self) -> NamespaceInodes;
    /// When it was started.
    fn started_at(&self) -> Timestamp;
}

/// Where a container is in its life.
pub enum Life<R> {
    /// Made.
    Created,
    /// It runs.
    Running(Arc<R>),
    /// It has ended.
    Exited(Exit),
}

impl<R> Clone for Life<R> {
    fn clone(&self) -> Self {
        match self {
            Life::Created => Life::Created,
            Life::Running(running) => Life::Running(running.clone()),
            Life::Exited(exit) => Life::Exited(exit.clone()),
        }
    }
}

/// How a container ended.
#[derive(Clone, Debug)]
pub struct Exit {
    started_at: Option<Timestamp>,
    finished_at: Timestamp,
    /// 128 + signal if a signal killed it; 128 if it could not be started.
    pub exit_code: i32,
    signal: Option<Signal>,
    reason: &'static str,
    message: String,
    inodes: NamespaceInodes,
}

/// A container: its configuration, its life and its output. `R` is what the backend holds while it runs.
pub struct ContainerRecord<R> {
    /// Its id.
    pub id: ContainerId,
    /// Its sandbox.
    pub sandbox: SandboxId,
    /// As it was asked for.
    pub config: ContainerConfig,
    /// Its image.
    pub image: Image,
    /// The command line that it really runs.
    pub argv: Vec<String>,
    created_at: Timestamp,
    /// Full path of the log on the node.
    log_path: String,
    log: Arc<Log>,
    /// What is printed from now on, for those who attach: stdout and stderr.
    /// `None` when the container has ended: those who listen have to see an end.
    output: Mutex<Option<[broadcast::Sender<Bytes>; 2]>>,
    life: watch::Sender<Life<R>>,
}

impl<R: RunningProcess> ContainerRecord<R> {
    /// A container that was made just now. `log_directory` is its sandbox's.
    #[must_use]
    pub fn new(
        id: ContainerId,
        sandbox: SandboxId,
        config: ContainerConfig,
        image: Image,
        log_directory: &str,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            sandbox,
            argv: command_line(&config, &image.config),
            created_at: now,
            log_path: format!("{log_directory}/{}", config.log_path),
            log: Log::new(),
            output: Mutex::new(Some([broadcast::Sender::new(256), broadcast::Sender::new(256)])),
            life: watch::Sender::new(Life::Created),
            config,
            image,
        }
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// What is printed from now on, until the container ends.
    #[must_use]
    pub fn listen(&self, stream: LogStream) -> BoxRead {
        let output = self.output.lock();
        let receiver = match output.as_ref() {
            Some(output) => output[stream as usize].subscribe(),
            // Its sender is gone at once: an end.
            None => broadcast::Sender::new(1).subscribe(),
        };
        Box::new(BroadcastReader::new(receiver))
    }

    /// Copies output into the log and to those who listen, until it ends.
    pub async fn pump(&self, clock: &dyn Clock, mut output: impl AsyncRead + Unpin, stream: LogStream) {
        let mut buf = vec![0; 16 << 10];
        while let Ok(n) = output.read(&mut buf).await {
            if n == 0 {
                break;
            }
            let data = &buf[..n];
            self.log.append(stream, now(clock), data);
            // Nobody may be listening.
            if let Some(output) = self.output.lock().as_ref() {
                let _ = output[stream as usize].send(Bytes::copy_from_slice(data));
            }
        }
    }

    /// Whether it was started before.
    #[must_use]
    pub fn is_created(&self) -> bool {
        matches!(*self.life.borrow(), Life::Created)
    }

    /// Notes that it runs.
    pub fn set_running(&self, running: Arc<R>) {
        self.life.send_replace(Life::Running(running));
    }

    /// Notes how it ended, when its output has come to an end too. `oom`: the out-of-memory killer has struck in it.
    pub fn set_exited(&self, now: Timestamp, status: WaitStatus, oom: bool) {
        let running = self.running().ok();
        let reason = match (oom && status == WaitStatus::Signaled(Signal::KILL), status.exit_code()) {
            (true, _) => "OOMKilled",
            (false, 0) => "Completed",
            (false, _) => "Error",
        };
        let signal = match status {
            WaitStatus::Signaled(signal) => Some(signal),
            _ => None,
        };
        self.log.end(now);
        self.output.lock().take();
        self.life.send_replace(Life::Exited(Exit {
            started_at: running.as_ref().map(|running| running.started_at()),
            finished_at: now,
            exit_code: status.exit_code(),
            signal,
            reason,
            message: String::new(),
            inodes: running.map(|running| running.namespace_inodes()).unwrap_or_default(),
        }));
    }

    /// Notes that it could not be started.
    pub fn set_start_failed(&self, now: Timestamp, message: &str) {
        self.log.end(now);
        self.output.lock().take();
        self.life.send_replace(Life::Exited(Exit {
            started_at: None,
            finished_at: now,
            exit_code: 128,
            signal: None,
            reason: "StartError",
            message: message.to_owned(),
            inodes: NamespaceInodes::new(),
        }));
    }

    /// What runs.
    ///
    /// # Errors
    ///
    /// [`Error::FailedPrecondition`] if nothing does.
    pub fn running(&self) -> Result<Arc<R>> {
        match &*self.life.borrow() {
            Life::Running(running) => Ok(running.clone()),
            _ => Err(self.not_running()),
        }
    }

    /// What is said to those who want something of it that needs it to run.
    pub fn not_running(&self) -> Error {
        Error::FailedPrecondition(format!("container {} is not running", self.id))
    }

    /// Waits for the end.
    pub async fn exited(&self) -> Option<Exit> {
        let mut life = self.life.subscribe();
        let life = life.wait_for(|life| matches!(life, Life::Exited(_))).await.ok()?;
        match &*life {
            Life::Exited(exit) => Some(exit.clone()),
            _ => None,
        }
    }

    /// The signal that asks it to end.
    #[must_use]
    pub fn stop_signal(&self) -> Signal {
        self.config
            .stop_signal
            .or(self.image.config.stop_signal)
            .unwrap_or(Signal::TERM)
    }

    /// Where it is in its life.
    #[must_use]
    pub fn state(&self) -> ContainerState {
        match &*self.life.borrow() {
            Life::Created => ContainerState::Created,
            Life::Running(_) => ContainerState::Running,
            Life::Exited(_) => ContainerState::Exited,
        }
    }

    /// All that is known of it.
    #[must_use]
    pub fn status(&self) -> ContainerStatus {
        let life = self.life.borrow().clone();
        let mut status = ContainerStatus {
            id: self.id.clone(),
            sandbox: self.sandbox.clone(),
            metadata: self.config.metadata.clone(),
            state: ContainerState::Created,
            created_at: self.created_at,
            started_at: None,
            finished_at: None,
            exit_code: None,
            signal: None,
            image: self.config.image.clone(),
            image_id: self.image.id.clone(),
            reason: String::new(),
            message: String::new(),
            pid: None,
            namespace_inodes: NamespaceInodes::new(),
            namespaces: self.config.namespaces.clone(),
            argv: self.argv.clone(),
            mounts: self.config.mounts.clone(),
            labels: self.config.labels.clone(),
            annotations: self.config.annotations.clone(),
            log_path: self.log_path.clone(),
            tty: self.config.tty,
            stdin: self.config.stdin,
        };
        match life {
            Life::Created => {}
            Life::Running(running) => {
                status.state = ContainerState::Running;
                status.started_at = Some(running.started_at());
                status.pid = Some(running.pid());
                status.namespace_inodes = running.namespace_inodes();
            }
            Life::Exited(exit) => {
                status.state = ContainerState::Exited;
                status.started_at = exit.started_at;
                status.finished_at = Some(exit.finished_at);
                status.exit_code = Some(exit.exit_code);
                status.signal = exit.signal;
                exit.reason.clone_into(&mut status.reason);
                status.message = exit.message;
                status.namespace_inodes = exit.inodes;
            }
        }
        status
    }
}

/// The time as a clock has it, for statuses and logs.
#[must_use]
pub fn now(clock: &dyn Clock) -> Timestamp {
    let now = jiff::SignedDuration::try_from(clock.realtime()).unwrap_or_default();
    Timestamp::from_duration(now).unwrap_or_default()
}
