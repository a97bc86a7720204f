//! The calls of [`RuntimeService`] on the fake's books.

use super::volumes::FakeVolume;
use super::{FakeRuntimeService, Record, StartOutcome, TermOutcome, end, until_ended};
use crate::{
    AttachRequest, BoxDuplex, ContainerConfig, ContainerEventKind, ContainerEvents, ContainerFilter, ContainerId,
    ContainerState, ContainerStats, ContainerStatus, Error, ExecRequest, ExecSession, ExecSyncOutput, HostPathCreate,
    LogEntries, LogOptions, NamespaceInodes, PodSandboxConfig, PodSandboxFilter, PodSandboxState, PodSandboxStatus,
    Resources, Result, RuntimeService, SandboxId, VolumeChange, VolumeConfig, VolumeId,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use podsim_sys::{FileType, Pid, sleep_until};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

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

    async fn update_container_resources(&self, id: &ContainerId, resources: &Resources) -> Result<()> {
        self.begin("update_container_resources", &self.name_of(id))?;
        let mut state = self.inner.state.lock();
        let found = state.containers.get_mut(id);
        let record = found.ok_or_else(|| Error::NotFound(format!("container {id}")))?;
        record.config.resources = resources.clone();
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
        let name = self.container_status(id).await?.metadata.name;
        let state = self.inner.state.lock();
        Ok(ContainerStats {
            memory_working_set: state.memory.get(&name).copied().unwrap_or(0),
            writable_layer: state.disk.get(&name).copied().unwrap_or(0),
            ..ContainerStats::default()
        })
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
        let refused = |error| Error::Internal(format!("connect to port {port}: {error}"));
        self.connect(port).map_err(refused)
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<BoxDuplex> {
        self.begin("dial", &address.to_string()).map_err(io::Error::other)?;
        let is_it = |s: &PodSandboxStatus| s.state == PodSandboxState::Ready && s.ips.contains(&address.ip());
        if !self.inner.state.lock().sandboxes.values().any(is_it) {
            return Err(io::ErrorKind::HostUnreachable.into());
        }
        self.connect(address.port())
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
        let mut state = self.inner.state.lock();
        state
            .volumes
            .entry(id.clone())
            .or_insert_with(|| FakeVolume::new(config));
        Ok(id)
    }

    async fn change_volume(&self, id: &VolumeId, changes: &[VolumeChange]) -> Result<()> {
        self.begin("change_volume", &id.0)?;
        let mut state = self.inner.state.lock();
        let volume = state.volumes.get_mut(id);
        let volume = volume.ok_or_else(|| Error::NotFound(format!("volume {id}")))?;
        changes.iter().try_for_each(|change| volume.change(change))
    }

    async fn read_volume_file(&self, id: &VolumeId, path: &str, limit: usize) -> Result<Option<Bytes>> {
        let state = self.inner.state.lock();
        let volume = state
            .volumes
            .get(id)
            .ok_or_else(|| Error::NotFound(format!("volume {id}")))?;
        let file = volume.config.files.iter().find(|f| f.path == path);
        Ok(file.map(|f| f.content.slice(f.content.len().saturating_sub(limit)..)))
    }

    async fn host_path(&self, path: &Path, create: Option<HostPathCreate>) -> Result<Option<FileType>> {
        let made = create.map(|create| match create {
            HostPathCreate::Directory => FileType::Directory,
            HostPathCreate::File => FileType::Regular,
        });
        let mut state = self.inner.state.lock();
        if let (Some(made), false) = (made, state.host_paths.contains_key(path)) {
            state.host_paths.insert(path.to_owned(), made);
        }
        Ok(state.host_paths.get(path).copied())
    }

    async fn volume_usage(&self, id: &VolumeId) -> Result<u64> {
        let state = self.inner.state.lock();
        let volume = state
            .volumes
            .get(id)
            .ok_or_else(|| Error::NotFound(format!("volume {id}")))?;
        Ok(state.disk.get(&volume.config.name).copied().unwrap_or(0))
    }

    async fn change_host_path(&self, changes: &[VolumeChange]) -> Result<()> {
        let mut state = self.inner.state.lock();
        for change in changes {
            match change {
                VolumeChange::Directory { path, .. } => {
                    state.host_paths.insert(path.into(), FileType::Directory);
                }
                VolumeChange::Remove { path } => state.host_paths.retain(|there, _| !there.starts_with(path)),
                _ => {}
            }
            state.host_changes.push(change.clone());
        }
        Ok(())
    }

    async fn remove_volume(&self, id: &VolumeId) -> Result<()> {
        self.begin("remove_volume", &id.0)?;
        self.inner.state.lock().volumes.remove(id);
        Ok(())
    }
}
