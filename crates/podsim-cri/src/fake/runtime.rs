//! [`FakeRuntimeService`]: sandboxes and containers as records.

use crate::{
    AttachRequest, BoxDuplex, ContainerConfig, ContainerEvent, ContainerEventKind, ContainerEvents, ContainerFilter,
    ContainerId, ContainerState, ContainerStats, ContainerStatus, Error, ExecRequest, ExecSession, ExecSyncOutput,
    LogEntries, LogEntry, LogOptions, LogStream, NamespaceInodes, PodSandboxConfig, PodSandboxFilter, PodSandboxState,
    PodSandboxStatus, Result, RuntimeService, SandboxId, VolumeConfig, VolumeId,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use jiff::Timestamp;
use parking_lot::Mutex;
use podsim_sys::{Clock, Pid, Signal, sleep_until};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
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
    volumes: BTreeMap<VolumeId, VolumeConfig>,
    scripts: HashMap<String, Script>,
    execs: HashMap<String, ExecScript>,
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

    /// The volume of this name.
    #[must_use]
    pub fn volume(&self, name: &str) -> Option<VolumeConfig> {
        self.inner
            .state
            .lock()
            .volumes
            .values()
            .find(|v| v.name == name)
            .cloned()
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

#[async_trait]
impl RuntimeService for FakeRuntimeService {
    fn version(&self) -> (String, String) {
        ("podsim".to_owned(), "0.1.0-fake".to_owned())
    }

    async fn status(&self) -> Result<()> {
        Ok(())
    }

    async fn update_runtime_config(&self, _pod_cidr: &str) -> Result<()> {
        Ok(())
    }

    async fn run_pod_sandbox(&self, config: PodSandboxConfig) -> Result<SandboxId> {
        self.begin("run_pod_sandbox", &config.metadata.name)?;
        let mut state = self.inner.state.lock();
        let id = SandboxId(state.new_id());
        let host_network = config.namespaces.network == crate::NamespaceMode::Node;
        let last = u8::try_from(state.next_id % 250).unwrap_or(0) + 1;
        let pid = i32::try_from(state.next_id).unwrap_or(0) + 1000;
        let status = PodSandboxStatus {
            id: id.clone(),
            metadata: config.metadata,
            state: PodSandboxState::Ready,
            created_at: self.now(),
            ips: if host_network {
                vec![]
            } else {
                vec![IpAddr::V4(Ipv4Addr::new(10, 244, 0, last))]
            },
            pid: Some(Pid(pid)),
            image: "registry.k8s.io/pause:3.10".to_owned(),
            namespace_inodes: NamespaceInodes::new(),
            namespaces: config.namespaces,
            uts: config.uts,
            labels: config.labels,
            annotations: config.annotations,
        };
        let uid = status.metadata.uid.clone();
        state.sandboxes.insert(id.clone(), status);
        state.emit(self.now(), ContainerEventKind::Started, &id, None, &uid);
        Ok(id)
    }

    async fn stop_pod_sandbox(&self, id: &SandboxId) -> Result<()> {
        let name = self
            .inner
            .state
            .lock()
            .sandboxes
            .get(id)
            .map(|s| s.metadata.name.clone());
        let Some(name) = name else { return Ok(()) };
        self.begin("stop_pod_sandbox", &name)?;
        let running: Vec<_> = {
            let mut state = self.inner.state.lock();
            if let Some(sandbox) = state.sandboxes.get_mut(id) {
                sandbox.state = PodSandboxState::NotReady;
                sandbox.pid = None;
            }
            state
                .containers
                .values()
                .filter(|r| r.status.sandbox == *id)
                .map(|r| r.status.id.clone())
                .collect()
        };
        running.iter().for_each(|id| self.end(id, 137, None));
        let mut state = self.inner.state.lock();
        if let Some(uid) = state.sandboxes.get(id).map(|s| s.metadata.uid.clone()) {
            state.emit(self.now(), ContainerEventKind::Stopped, id, None, &uid);
        }
        Ok(())
    }

    async fn remove_pod_sandbox(&self, id: &SandboxId) -> Result<()> {
        self.stop_pod_sandbox(id).await?;
        let mut state = self.inner.state.lock();
        if let Some(sandbox) = state.sandboxes.remove(id) {
            state
                .calls
                .push(format!("remove_pod_sandbox {}", sandbox.metadata.name));
            state.containers.retain(|_, r| r.status.sandbox != *id);
            state.emit(self.now(), ContainerEventKind::Deleted, id, None, &sandbox.metadata.uid);
        }
        Ok(())
    }

    async fn pod_sandbox_status(&self, id: &SandboxId) -> Result<PodSandboxStatus> {
        let state = self.inner.state.lock();
        state
            .sandboxes
            .get(id)
            .cloned()
            .ok_or_else(|| Error::NotFound(format!("sandbox {id}")))
    }

    async fn list_pod_sandbox(&self, filter: &PodSandboxFilter) -> Result<Vec<PodSandboxStatus>> {
        let matches = |s: &&PodSandboxStatus| {
            filter.id.as_ref().is_none_or(|id| *id == s.id)
                && filter.state.is_none_or(|x| x == s.state)
                && filter.pod_uid.as_ref().is_none_or(|uid| *uid == s.metadata.uid)
        };
        Ok(self
            .inner
            .state
            .lock()
            .sandboxes
            .values()
            .rev()
            .filter(matches)
            .cloned()
            .collect())
    }

    async fn create_container(&self, sandbox: &SandboxId, config: ContainerConfig) -> Result<ContainerId> {
        self.begin("create_container", &config.metadata.name)?;
        let mut state = self.inner.state.lock();
        let Some(pod) = state.sandboxes.get(sandbox).cloned() else {
            return Err(Error::NotFound(format!("sandbox {sandbox}")));
        };
        let id = ContainerId(state.new_id());
        let status = ContainerStatus {
            id: id.clone(),
            sandbox: sandbox.clone(),
            metadata: config.metadata.clone(),
            state: ContainerState::Created,
            created_at: self.now(),
            started_at: None,
            finished_at: None,
            exit_code: None,
            signal: None,
            image: config.image.clone(),
            image_id: format!("sha256:fake-{}", config.image),
            reason: String::new(),
            message: String::new(),
            pid: None,
            namespace_inodes: NamespaceInodes::new(),
            namespaces: config.namespaces.clone(),
            argv: [config.command.clone(), config.args.clone()].concat(),
            mounts: config.mounts.clone(),
            labels: config.labels.clone(),
            annotations: config.annotations.clone(),
            log_path: config.log_path.clone(),
            tty: config.tty,
            stdin: config.stdin,
        };
        let uid = pod.metadata.uid;
        let record = Record {
            status,
            config,
            pod_uid: uid.clone(),
            logs: vec![],
        };
        state.containers.insert(id.clone(), record);
        state.emit(self.now(), ContainerEventKind::Created, sandbox, Some(id.clone()), &uid);
        Ok(id)
    }

    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        self.begin("start_container", &self.name_of(id))?;
        let now = self.now();
        let mut state = self.inner.state.lock();
        let pid = i32::try_from(state.next_id).unwrap_or(0) + 1000;
        state.next_id += 1;
        let name = state.containers.get(id).map(|r| r.config.metadata.name.clone());
        let Some(name) = name else {
            return Err(Error::NotFound(format!("container {id}")));
        };
        let script = state.scripts.get(&name).cloned().unwrap_or_default();
        let Some(record) = state.containers.get_mut(id) else {
            return Err(Error::NotFound(format!("container {id}")));
        };
        if let StartOutcome::Fails { reason, message } = script.start {
            record.status.state = ContainerState::Exited;
            record.status.finished_at = Some(now);
            record.status.exit_code = Some(128);
            record.status.reason.clone_from(&reason);
            record.status.message.clone_from(&message);
            return Err(Error::StartFailed {
                reason,
                message,
                exit_code: 128,
            });
        }
        record.status.state = ContainerState::Running;
        record.status.started_at = Some(now);
        record.status.pid = Some(Pid(pid));
        let (sandbox, uid) = (record.status.sandbox.clone(), record.pod_uid.clone());
        state.emit(now, ContainerEventKind::Started, &sandbox, Some(id.clone()), &uid);
        drop(state);
        if let StartOutcome::ExitsAfter(time, code) = script.start {
            let (inner, clock, id) = (self.inner.clone(), self.clock.clone(), id.clone());
            let deadline = clock.monotonic() + time;
            tokio::spawn(async move {
                sleep_until(&clock, deadline).await;
                end(&inner, &clock, &id, code, None);
            });
        }
        Ok(())
    }

    async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<()> {
        let name = self.name_of(id);
        self.begin("stop_container", &format!("{name} {}s", grace.as_secs()))?;
        let start = self.clock.monotonic();
        let script = self.inner.state.lock().scripts.get(&name).cloned().unwrap_or_default();
        if let TermOutcome::ExitsAfter(time, code) = script.term
            && time < grace
        {
            sleep_until(&self.clock, start + time).await;
            self.end(id, code, None);
            return Ok(());
        }
        let ended = self.until_ended(id);
        tokio::select! {
            () = sleep_until(&self.clock, start + grace) => self.end(id, 137, None),
            () = ended => {}
        }
        Ok(())
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        if self.state_of(id).is_none() {
            return Ok(());
        }
        self.begin("remove_container", &self.name_of(id))?;
        self.end(id, 137, None);
        let mut state = self.inner.state.lock();
        if let Some(record) = state.containers.remove(id) {
            let now = self.now();
            state.emit(
                now,
                ContainerEventKind::Deleted,
                &record.status.sandbox,
                Some(id.clone()),
                &record.pod_uid,
            );
        }
        Ok(())
    }

    async fn list_containers(&self, filter: &ContainerFilter) -> Result<Vec<ContainerStatus>> {
        let matches = |r: &&Record| {
            filter.id.as_ref().is_none_or(|id| *id == r.status.id)
                && filter.state.is_none_or(|s| s == r.status.state)
                && filter.sandbox.as_ref().is_none_or(|s| *s == r.status.sandbox)
                && filter.pod_uid.as_ref().is_none_or(|uid| *uid == r.pod_uid)
        };
        Ok(self
            .inner
            .state
            .lock()
            .containers
            .values()
            .rev()
            .filter(matches)
            .map(|r| r.status.clone())
            .collect())
    }

    async fn container_status(&self, id: &ContainerId) -> Result<ContainerStatus> {
        let state = self.inner.state.lock();
        let found = state.containers.get(id).map(|r| r.status.clone());
        found.ok_or_else(|| Error::NotFound(format!("container {id}")))
    }

    async fn container_stats(&self, id: &ContainerId) -> Result<ContainerStats> {
        self.container_status(id).await.map(|_| ContainerStats::default())
    }

    async fn exec(&self, request: ExecRequest) -> Result<ExecSession> {
        let command = request.command.join(" ");
        self.begin("exec", &format!("{} {command}", self.name_of(&request.container)))?;
        let script = self.inner.state.lock().execs.get(&command).cloned().unwrap_or_default();
        if let Some(error) = script.error {
            return Err(error);
        }
        let (stdin, mut sink) = tokio::io::duplex(1 << 16);
        let (mut stdout, stdout_read) = tokio::io::duplex(1 << 16);
        let (mut stderr, stderr_read) = tokio::io::duplex(1 << 16);
        let (resize, mut sizes) = mpsc::channel(4);
        let deadline = self.clock.monotonic() + script.takes;
        let clock = self.clock.clone();
        let job = tokio::spawn(async move {
            // Without a scripted output it is `cat`.
            if script.output.stdout.is_empty() && script.output.stderr.is_empty() && request.stdin {
                tokio::io::copy(&mut sink, &mut stdout).await.ok();
            }
            stdout.write_all(&script.output.stdout).await.ok();
            stderr.write_all(&script.output.stderr).await.ok();
            sleep_until(&clock, deadline).await;
            script.output.exit_code
        });
        tokio::spawn(async move { while sizes.recv().await.is_some() {} });
        Ok(ExecSession {
            stdin: request.stdin.then(|| Box::new(stdin) as _),
            stdout: request.stdout.then(|| Box::new(stdout_read) as _),
            stderr: (request.stderr && !request.tty).then(|| Box::new(stderr_read) as _),
            resize,
            exit: job.map(|r| r.map_err(|e| Error::Internal(e.to_string()))).boxed(),
        })
    }

    async fn exec_sync(
        &self,
        container: &ContainerId,
        command: &[String],
        timeout: Option<Duration>,
    ) -> Result<ExecSyncOutput> {
        let command = command.join(" ");
        self.begin("exec_sync", &format!("{} {command}", self.name_of(container)))?;
        let script = self.inner.state.lock().execs.get(&command).cloned().unwrap_or_default();
        if let Some(error) = script.error {
            return Err(error);
        }
        let takes = timeout.map_or(script.takes, |t| t.min(script.takes));
        sleep_until(&self.clock, self.clock.monotonic() + takes).await;
        if takes < script.takes {
            return Err(Error::Timeout(format!("command {command:?} timed out")));
        }
        Ok(script.output)
    }

    async fn attach(&self, request: AttachRequest) -> Result<ExecSession> {
        self.begin("attach", &self.name_of(&request.container))?;
        if self.state_of(&request.container) != Some(ContainerState::Running) {
            return Err(Error::FailedPrecondition(format!(
                "container {} is not running",
                request.container
            )));
        }
        let (stdin, mut sink) = tokio::io::duplex(1 << 16);
        let (mut stdout, stdout_read) = tokio::io::duplex(1 << 16);
        let (resize, mut sizes) = mpsc::channel(4);
        tokio::spawn(async move { tokio::io::copy(&mut sink, &mut stdout).await });
        tokio::spawn(async move { while sizes.recv().await.is_some() {} });
        let (inner, id) = (self.inner.clone(), request.container);
        let exit = async move {
            until_ended(&inner, &id).await;
            let state = inner.state.lock();
            let code = state.containers.get(&id).and_then(|r| r.status.exit_code);
            code.ok_or_else(|| Error::NotFound(format!("container {id}")))
        };
        Ok(ExecSession {
            stdin: request.stdin.then(|| Box::new(stdin) as _),
            stdout: request.stdout.then(|| Box::new(stdout_read) as _),
            stderr: None,
            resize,
            exit: exit.boxed(),
        })
    }

    async fn port_forward(&self, sandbox: &SandboxId, port: u16) -> Result<BoxDuplex> {
        self.begin("port_forward", &port.to_string())?;
        self.pod_sandbox_status(sandbox).await?;
        let (near, far) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move {
            let (mut read, mut write) = tokio::io::split(far);
            tokio::io::copy(&mut read, &mut write).await
        });
        Ok(Box::new(near))
    }

    async fn container_logs(&self, id: &ContainerId, options: LogOptions) -> Result<LogEntries> {
        let old = {
            let state = self.inner.state.lock();
            let record = state
                .containers
                .get(id)
                .ok_or_else(|| Error::NotFound(format!("container {id}")))?;
            record.logs.clone()
        };
        let seen = old.len();
        let skip = options.tail.map_or(0, |n| seen.saturating_sub(n));
        let old = old
            .into_iter()
            .skip(skip)
            .filter(move |e| options.since.is_none_or(|s| e.time >= s));
        let old = stream::iter(old.collect::<Vec<_>>());
        if !options.follow {
            return Ok(old.boxed());
        }
        let (inner, id) = (self.inner.clone(), id.clone());
        let new = stream::unfold((inner, id, seen), |(inner, id, seen)| async move {
            loop {
                let changed = inner.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                {
                    let state = inner.state.lock();
                    let record = state.containers.get(&id)?;
                    if let Some(entry) = record.logs.get(seen).cloned() {
                        drop(state);
                        return Some((entry, (inner.clone(), id, seen + 1)));
                    }
                    if record.status.state == ContainerState::Exited {
                        return None;
                    }
                }
                changed.await;
            }
        });
        Ok(old.chain(new).boxed())
    }

    async fn get_container_events(&self) -> Result<ContainerEvents> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.inner.state.lock().subscribers.push(sender);
        Ok(stream::unfold(receiver, |mut r| async move { r.recv().await.map(|e| (e, r)) }).boxed())
    }

    async fn create_volume(&self, config: VolumeConfig) -> Result<VolumeId> {
        self.begin("create_volume", &config.name)?;
        let id = VolumeId(format!("{}/{}", config.pod_uid, config.name));
        self.inner.state.lock().volumes.entry(id.clone()).or_insert(config);
        Ok(id)
    }

    async fn read_volume_file(&self, id: &VolumeId, path: &str, limit: usize) -> Result<Option<Bytes>> {
        let state = self.inner.state.lock();
        let volume = state
            .volumes
            .get(id)
            .ok_or_else(|| Error::NotFound(format!("volume {id}")))?;
        let file = volume.files.iter().find(|f| f.path == path);
        Ok(file.map(|f| f.content.slice(f.content.len().saturating_sub(limit)..)))
    }

    async fn remove_volume(&self, id: &VolumeId) -> Result<()> {
        self.begin("remove_volume", &id.0)?;
        self.inner.state.lock().volumes.remove(id);
        Ok(())
    }
}
