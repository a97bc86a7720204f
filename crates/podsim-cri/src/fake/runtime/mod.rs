//! [`FakeRuntimeService`]: sandboxes and containers as records.

mod ports;
mod service;
mod volumes;

use crate::{
    ContainerConfig, ContainerEvent, ContainerEventKind, ContainerId, ContainerState, ContainerStatus, Error,
    ExecSyncOutput, LogEntry, LogStream, PodSandboxState, PodSandboxStatus, Result, SandboxId, VolumeChange, VolumeId,
};
use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::Mutex;
use podsim_sys::{Clock, FileType, Signal};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::sync::{Notify, mpsc};

/// What happens when a container is started.
#[derive(Clone, Debug, Default)]
pub enum StartOutcome {
    /// It runs until it is stopped.
    #[default]
    Runs,
    /// It runs and ends after this time with this code.
    ExitsAfter(Duration, i32),
    /// It cannot be started.
    Fails {
        /// As in [`Error::StartFailed`].
        reason: String,
        /// As in [`Error::StartFailed`].
        message: String,
    },
}

/// What happens when the stop signal comes.
#[derive(Clone, Debug)]
pub enum TermOutcome {
    /// It ends after this time with this code.
    ExitsAfter(Duration, i32),
    /// Nothing: only SIGKILL helps.
    Ignored,
}

/// How the containers of one name behave.
#[derive(Clone, Debug)]
pub struct Script {
    /// On start.
    pub start: StartOutcome,
    /// On the stop signal.
    pub term: TermOutcome,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            start: StartOutcome::Runs,
            term: TermOutcome::ExitsAfter(Duration::ZERO, 143),
        }
    }
}

/// How an exec'd command behaves.
#[derive(Clone, Debug, Default)]
pub struct ExecScript {
    /// How long it takes.
    pub takes: Duration,
    /// Its result.
    pub output: ExecSyncOutput,
    /// It cannot be started.
    pub error: Option<Error>,
}

/// What listens on a port of a sandbox. Ports without a script echo.
#[derive(Clone)]
pub enum PortScript {
    /// Nothing.
    Refused,
    /// Something that takes connections and says nothing.
    Hangs,
    /// Something that reads a request (to its empty line), answers with this, and closes.
    Answers(String),
    /// Something of the test's own.
    Serves(Arc<dyn Fn(DuplexStream) + Send + Sync>),
}

/// A runtime that runs nothing.
pub struct FakeRuntimeService {
    clock: Arc<dyn Clock>,
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    /// Told whenever a container changes.
    changed: Notify,
}

#[derive(Default)]
struct State {
    next_id: u64,
    sandboxes: BTreeMap<SandboxId, PodSandboxStatus>,
    containers: BTreeMap<ContainerId, Record>,
    volumes: BTreeMap<VolumeId, volumes::FakeVolume>,
    /// What is on the node.
    host_paths: BTreeMap<PathBuf, FileType>,
    host_changes: Vec<VolumeChange>,
    scripts: HashMap<String, Script>,
    execs: HashMap<String, ExecScript>,
    ports: HashMap<u16, PortScript>,
    memory: HashMap<String, u64>,
    /// Bytes on disk, by the name of a container or volume.
    disk: HashMap<String, u64>,
    failures: HashMap<&'static str, Vec<Error>>,
    calls: Vec<String>,
    subscribers: Vec<mpsc::UnboundedSender<ContainerEvent>>,
}

struct Record {
    status: ContainerStatus,
    config: ContainerConfig,
    pod_uid: String,
    logs: Vec<LogEntry>,
}

impl FakeRuntimeService {
    /// A fake that takes the time from `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let inner = Inner {
            state: Mutex::default(),
            changed: Notify::new(),
        };
        Self {
            clock,
            inner: Arc::new(inner),
        }
    }

    /// Says how containers of this name will behave.
    pub fn script(&self, container: &str, script: Script) {
        self.inner.state.lock().scripts.insert(container.to_owned(), script);
    }

    /// Says how a command (its words joined by spaces) will behave; others succeed at once.
    pub fn script_exec(&self, command: &str, script: ExecScript) {
        self.inner.state.lock().execs.insert(command.to_owned(), script);
    }

    /// Says how many bytes the containers of this name use.
    pub fn use_memory(&self, container: &str, bytes: u64) {
        self.inner.state.lock().memory.insert(container.to_owned(), bytes);
    }

    /// Says what listens on this port of every sandbox.
    pub fn script_port(&self, port: u16, script: PortScript) {
        self.inner.state.lock().ports.insert(port, script);
    }

    /// The next call of this method (`run_pod_sandbox`, `create_container`, …) fails with this error.
    pub fn fail_next(&self, method: &'static str, error: Error) {
        self.inner.state.lock().failures.entry(method).or_default().push(error);
    }

    /// The calls that changed something so far, as `start_container web`.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.inner.state.lock().calls.clone()
    }

    /// Forgets the calls so far.
    pub fn clear_calls(&self) {
        self.inner.state.lock().calls.clear();
    }

    /// The running container of this name ends.
    pub fn exit(&self, container: &str, code: i32) {
        let id = self.running(container);
        if let Some(id) = id {
            self.end(&id, code, None);
        }
    }

    /// The running container of this name is killed for its memory.
    pub fn oom_kill(&self, container: &str) {
        if let Some(id) = self.running(container) {
            self.end(&id, 137, Some("OOMKilled"));
        }
    }

    /// The pause process of the Pod's sandbox dies.
    pub fn kill_sandbox(&self, pod_uid: &str) {
        let mut state = self.inner.state.lock();
        let now = self.now();
        let ids: Vec<_> = state
            .sandboxes
            .values()
            .filter(|s| s.metadata.uid == pod_uid)
            .map(|s| s.id.clone())
            .collect();
        for id in ids {
            if let Some(sandbox) = state.sandboxes.get_mut(&id) {
                sandbox.state = PodSandboxState::NotReady;
                sandbox.pid = None;
            }
            state.emit(now, ContainerEventKind::Stopped, &id, None, pod_uid);
        }
    }

    /// The running container of this name writes a line.
    pub fn write_log(&self, container: &str, stream: LogStream, line: &str) {
        let Some(id) = self.running(container) else { return };
        let entry = LogEntry {
            time: self.now(),
            stream,
            bytes: Bytes::from(line.to_owned()),
        };
        if let Some(record) = self.inner.state.lock().containers.get_mut(&id) {
            record.logs.push(entry);
        }
        self.inner.changed.notify_waiters();
    }

    /// The config of the newest container of this name.
    #[must_use]
    pub fn container_config(&self, container: &str) -> Option<ContainerConfig> {
        let state = self.inner.state.lock();
        let newest = state
            .containers
            .values()
            .rev()
            .find(|r| r.config.metadata.name == container);
        newest.map(|r| r.config.clone())
    }

    fn running(&self, container: &str) -> Option<ContainerId> {
        let state = self.inner.state.lock();
        let is_it = |r: &&Record| r.config.metadata.name == container && r.status.state == ContainerState::Running;
        state.containers.values().find(is_it).map(|r| r.status.id.clone())
    }

    fn now(&self) -> Timestamp {
        now(&self.clock)
    }

    fn begin(&self, method: &'static str, what: &str) -> Result<()> {
        let mut state = self.inner.state.lock();
        state.calls.push(format!("{method} {what}"));
        match state.failures.get_mut(method) {
            Some(errors) if !errors.is_empty() => Err(errors.remove(0)),
            _ => Ok(()),
        }
    }

    fn name_of(&self, id: &ContainerId) -> String {
        let state = self.inner.state.lock();
        state
            .containers
            .get(id)
            .map_or_else(|| id.to_string(), |r| r.config.metadata.name.clone())
    }

    fn end(&self, id: &ContainerId, code: i32, reason: Option<&str>) {
        end(&self.inner, &self.clock, id, code, reason);
    }

    fn state_of(&self, id: &ContainerId) -> Option<ContainerState> {
        self.inner.state.lock().containers.get(id).map(|r| r.status.state)
    }

    async fn until_ended(&self, id: &ContainerId) {
        until_ended(&self.inner, id).await;
    }
}

fn now(clock: &Arc<dyn Clock>) -> Timestamp {
    let nanos = i128::try_from(clock.realtime().as_nanos()).unwrap_or(0);
    Timestamp::from_nanosecond(nanos).unwrap_or_default()
}

async fn until_ended(inner: &Inner, id: &ContainerId) {
    loop {
        let changed = inner.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        match inner.state.lock().containers.get(id) {
            Some(record) if record.status.state == ContainerState::Running => {}
            _ => return,
        }
        changed.await;
    }
}

fn end(inner: &Inner, clock: &Arc<dyn Clock>, id: &ContainerId, code: i32, reason: Option<&str>) {
    let now = now(clock);
    let mut state = inner.state.lock();
    let Some(record) = state.containers.get_mut(id) else {
        return;
    };
    if record.status.state != ContainerState::Running {
        return;
    }
    let status = &mut record.status;
    status.state = ContainerState::Exited;
    status.finished_at = Some(now);
    status.exit_code = Some(code);
    status.signal = u8::try_from(code - 128).ok().and_then(Signal::new);
    status.reason = reason
        .unwrap_or(if code == 0 { "Completed" } else { "Error" })
        .to_owned();
    status.pid = None;
    let (sandbox, uid) = (status.sandbox.clone(), record.pod_uid.clone());
    state.emit(now, ContainerEventKind::Stopped, &sandbox, Some(id.clone()), &uid);
    drop(state);
    inner.changed.notify_waiters();
}

impl State {
    fn new_id(&mut self) -> String {
        self.next_id += 1;
        format!("{:064x}", self.next_id)
    }

    fn emit(
        &mut self,
        time: Timestamp,
        kind: ContainerEventKind,
        sandbox: &SandboxId,
        container: Option<ContainerId>,
        pod_uid: &str,
    ) {
        let event = ContainerEvent {
            time,
            kind,
            sandbox: sandbox.clone(),
            container,
            pod_uid: pod_uid.to_owned(),
        };
        self.subscribers.retain(|s| s.send(event.clone()).is_ok());
    }
}
