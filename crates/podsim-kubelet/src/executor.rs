//! Does what was decided: makes sandboxes, starts containers, and tells what became of it.

use crate::actions::PodActions;
use crate::backoff::go_duration;
use crate::container_config::{Prepared, container_config};
use crate::containers::{as_container, ephemeral_containers, init_containers, is_sidecar};
use crate::env::Sources;
use crate::events::Severity;
use crate::images::{self, Wanted};
use crate::pod_worker::{PodWorker, full_name};
use crate::runtime_status::{PodRuntimeStatus, definition_changed};
use crate::{hosts, sandbox_config, volumes};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use podsim_cri::{
    ContainerState, ContainerStatus, Error, Image, LogOptions, NamespaceMode, PodSandboxStatus, VolumeConfig,
    VolumeFile, VolumeId,
};
use podsim_store::time;
use std::time::Duration;

/// How long to wait after a failure that has no back-off of its own.
const RETRY: Duration = Duration::from_secs(10);

/// Carries out the actions but the kills; gives the monotonic time at which to look again, if there is one.
pub(crate) async fn execute(
    worker: &mut PodWorker,
    pod: &Pod,
    runtime: &mut PodRuntimeStatus,
    actions: &PodActions,
) -> Option<Duration> {
    let spec = pod.spec.as_ref()?;
    if actions.create_sandbox {
        let config = sandbox_config::runtime_handler(spec, &worker.node.store).map_err(|error| error.to_string());
        let config = config.and_then(|handler| {
            sandbox_config::sandbox_config(pod, spec, actions.attempt, &worker.node.config, handler)
        });
        let made = match config {
            Ok(config) => {
                let made = worker.node.runtime.run_pod_sandbox(config).await;
                made.map_err(|error| error.to_string())
            }
            Err(error) => Err(error),
        };
        if let Err(error) = made {
            let message = format!("Failed to create pod sandbox: {error}");
            worker.tell(pod, None, Severity::Warning, "FailedCreatePodSandBox", &message);
            return Some(worker.node.clock.monotonic() + RETRY);
        }
        *runtime = worker.look(pod).await.ok()?;
    } else if actions.starts_nothing() {
        return None;
    }
    let sandbox = runtime.ready_sandbox()?.clone();
    let mut start = Start {
        worker,
        pod,
        spec,
        sandbox,
        deadline: None,
    };
    start.start_all(actions, runtime).await;
    start.deadline
}

struct Start<'a> {
    worker: &'a mut PodWorker,
    pod: &'a Pod,
    spec: &'a PodSpec,
    sandbox: PodSandboxStatus,
    /// When to look again.
    deadline: Option<Duration>,
}

/// Why a container was not started.
struct Waiting {
    reason: &'static str,
    message: String,
    retry_after: Duration,
}

impl Start<'_> {
    /// Starts containers in upstream's order. A container whose postStart hook runs holds up those after it: they are decided
    /// about again when the hook has ended.
    async fn start_all(&mut self, actions: &PodActions, runtime: &PodRuntimeStatus) {
        for index in &actions.ephemeral_containers_to_start {
            let Some(ephemeral) = ephemeral_containers(self.pod).get(*index) else {
                continue;
            };
            let target = ephemeral.target_container_name.as_deref().filter(|t| !t.is_empty());
            self.start(&as_container(ephemeral), target, runtime).await;
        }
        for index in &actions.init_containers_to_start {
            let Some(container) = init_containers(self.pod).get(*index) else {
                continue;
            };
            let started = self.start(container, None, runtime).await;
            // A sidecar that cannot be started does not hold up the others.
            if !started && !is_sidecar(container) || self.worker.hook_runs() {
                return;
            }
        }
        for index in &actions.containers_to_start {
            if let Some(container) = self.spec.containers.get(*index) {
                self.start(container, None, runtime).await;
            }
            if self.worker.hook_runs() {
                return;
            }
        }
    }

    async fn start(&mut self, container: &Container, target: Option<&str>, runtime: &PodRuntimeStatus) -> bool {
        let Err(waiting) = self.start_container(container, target, runtime).await else {
            return true;
        };
        let at = self.worker.node.clock.monotonic() + waiting.retry_after;
        self.deadline = Some(self.deadline.map_or(at, |d| d.min(at)));
        let reason = (waiting.reason.to_owned(), waiting.message);
        self.worker.waiting.insert(container.name.clone(), reason);
        false
    }

    async fn start_container(
        &mut self,
        container: &Container,
        target: Option<&str>,
        runtime: &PodRuntimeStatus,
    ) -> Result<(), Waiting> {
        let last = runtime.newest(&container.name);
        self.check_backoff(container, last)?;
        self.mount_images(container).await?;
        let image = self.ensure_image(container, Wanted::of_container(container)).await?;
        // A container that was made but never started is not counted: it is taken away.
        let attempt = match last {
            Some(last) if last.state == ContainerState::Created => {
                self.worker.node.runtime.remove_container(&last.id).await.ok();
                last.metadata.attempt
            }
            Some(last) => last.metadata.attempt + 1,
            None => 0,
        };
        let failed = |reason, error: Error| Waiting {
            reason,
            message: error.to_string(),
            retry_after: RETRY,
        };
        let hosts = self.hosts_volume().await;
        let termination = self.termination_volume(container, attempt).await;
        let (hosts, termination) = match (hosts, termination) {
            (Ok(hosts), Ok(termination)) => (hosts, termination),
            (Err(error), _) | (_, Err(error)) => {
                self.tell_failed(container, &error.to_string());
                return Err(failed("CreateContainerConfigError", error));
            }
        };
        let ips = self.worker.pod_ips(&self.sandbox);
        let sources = Sources {
            pod: self.pod,
            pod_ips: &ips,
            store: &self.worker.node.store,
            config: &self.worker.node.config,
        };
        let prepared = Prepared {
            volumes: &self.worker.pod_volumes.mounted,
            hosts,
            termination: termination.clone(),
            image: &image,
        };
        let wrong = |message: String| {
            self.tell_failed(container, &message);
            Waiting {
                reason: "CreateContainerConfigError",
                message,
                retry_after: RETRY,
            }
        };
        let mut config = container_config(self.spec, container, attempt, &sources, &prepared).map_err(wrong)?;
        if let Some(target) = target {
            // Upstream wants the target to be there, and to run.
            let Some(found) = runtime.newest(target).filter(|s| s.state == ContainerState::Running) else {
                return Err(wrong(format!("unable to find target container \"{target}\"")));
            };
            config.namespaces.pid = NamespaceMode::Target(found.id.clone());
        }
        let runtime = self.worker.node.runtime.clone();
        let id = runtime
            .create_container(&self.sandbox.id, config)
            .await
            .map_err(|error| {
                self.tell_failed(container, &error.to_string());
                failed("CreateContainerError", error)
            })?;
        self.worker.termination_volumes.insert(id.clone(), termination);
        self.tell(
            container,
            Severity::Normal,
            "Created",
            &format!("Created container: {}", container.name),
        );
        if let Err(error) = runtime.start_container(&id).await {
            self.tell_failed(container, &error.to_string());
            return Err(Waiting {
                reason: "RunContainerError",
                message: error.to_string(),
                // It has exited, so its restart has a back-off of its own: look at once.
                retry_after: Duration::ZERO,
            });
        }
        let resources = container.resources.clone().unwrap_or_default();
        self.worker.resizing.actual.insert(id.clone(), resources);
        self.worker.waiting.remove(&container.name);
        self.tell(
            container,
            Severity::Normal,
            "Started",
            &format!("Started container {}", container.name),
        );
        let subject = self.worker.subject(self.pod, &self.sandbox, id, container.clone());
        self.worker.start_hook(self.pod, subject);
        Ok(())
    }

    async fn ensure_image(&mut self, container: &Container, wanted: Wanted<'_>) -> Result<Image, Waiting> {
        let image = {
            let worker = &mut *self.worker;
            let (pod, node, name) = (self.pod, worker.node.clone(), container.name.as_str());
            let quiet = *node.partitioned.borrow();
            let tell = |severity, reason: &str, message: &str| {
                if !quiet {
                    node.recorder
                        .event(crate::events::pod_reference(pod, Some(name)), severity, reason, message);
                }
            };
            let pulls = &mut worker.failed_pulls;
            images::ensure_image(node.images.as_ref(), wanted, pulls, &node.clock, tell).await
        };
        image.map_err(|e| {
            self.tell_failed(container, e.reason);
            Waiting {
                reason: e.reason,
                message: e.message,
                retry_after: e.retry_after,
            }
        })
    }

    /// The volumes of the container that are images (`getImageVolumes`).
    async fn mount_images(&mut self, container: &Container) -> Result<(), Waiting> {
        let pod = self.pod;
        for volume in volumes::of(pod) {
            let mut mounts = container.volume_mounts.iter().flatten();
            let shown = mounts.any(|mount| mount.name == volume.name);
            let Some(source) = volume.image.as_ref().filter(|_| shown) else {
                continue;
            };
            self.ensure_image(container, Wanted::of_volume(source)).await?;
            if let Err(message) = self.worker.mount_image(pod, volume).await {
                self.tell_failed(container, &message);
                return Err(Waiting {
                    reason: "CreateContainerError",
                    message,
                    retry_after: RETRY,
                });
            }
        }
        Ok(())
    }

    /// Is it too early to start the container again? (`doBackOff`)
    fn check_backoff(&mut self, container: &Container, last: Option<&ContainerStatus>) -> Result<(), Waiting> {
        let Some(last) = last.filter(|l| l.state == ContainerState::Exited) else {
            return Ok(());
        };
        if definition_changed(container, last) {
            self.worker.backoff.reset(&container.name);
            return Ok(());
        }
        let now = time::timestamp(self.worker.node.clock.as_ref());
        let failed = last.finished_at.unwrap_or(last.created_at);
        let Some((left, whole)) = self.worker.backoff.remaining(&container.name, failed, now) else {
            self.worker.backoff.next(&container.name, failed, now);
            return Ok(());
        };
        let pod = full_name(self.pod);
        if self.worker.backoff_told.get(&container.name) != Some(&last.id) {
            self.worker.backoff_told.insert(container.name.clone(), last.id.clone());
            let message = format!("Back-off restarting failed container {} in pod {pod}", container.name);
            self.tell(container, Severity::Warning, "BackOff", &message);
        }
        let whole = go_duration(whole);
        Err(Waiting {
            reason: "CrashLoopBackOff",
            message: format!(
                "back-off {whole} restarting failed container={} pod={pod}",
                container.name
            ),
            retry_after: left,
        })
    }

    fn tell(&self, container: &Container, severity: Severity, reason: &str, message: &str) {
        self.worker
            .tell(self.pod, Some(&container.name), severity, reason, message);
    }

    fn tell_failed(&self, container: &Container, why: &str) {
        self.tell(container, Severity::Warning, "Failed", &format!("Error: {why}"));
    }

    /// The Pod's `/etc/hosts`: one file for all its containers, made anew for each sandbox, whose address it holds.
    async fn hosts_volume(&mut self) -> podsim_cri::Result<VolumeId> {
        let config = &self.worker.node.config;
        let aliases = self.spec.host_aliases.as_deref().unwrap_or_default();
        let text = if self.spec.host_network == Some(true) {
            hosts::of_node(&config.node_hosts, aliases)
        } else {
            let domain = sandbox_config::domain(self.pod, config);
            hosts::managed(
                &self.sandbox.ips,
                &sandbox_config::hostname(self.pod),
                domain.as_deref(),
                aliases,
            )
        };
        let name = format!("etc-hosts-{}", self.sandbox.metadata.attempt);
        let id = self.file_volume(name, "hosts", text, 0o644).await?;
        self.worker.volumes.insert(id.clone());
        Ok(id)
    }

    async fn termination_volume(&self, container: &Container, attempt: u32) -> podsim_cri::Result<VolumeId> {
        let name = format!("termination-log-{}-{attempt}", container.name);
        self.file_volume(name, "log", String::new(), 0o666).await
    }

    async fn file_volume(&self, name: String, file: &str, content: String, mode: u32) -> podsim_cri::Result<VolumeId> {
        let config = VolumeConfig {
            pod_uid: self.worker.uid.clone(),
            name,
            memory: false,
            size_limit: None,
            mode: 0o755,
            files: vec![VolumeFile {
                path: file.to_owned(),
                content: content.into(),
                mode,
            }],
            image: None,
        };
        self.worker.node.runtime.create_volume(config).await
    }
}

impl PodWorker {
    /// What an ended container left as its last words: the file, or the end of its log if the policy says so.
    pub(crate) async fn termination_message(&self, pod: &Pod, status: &ContainerStatus) -> String {
        const LIMIT: usize = 4096;
        const LOG_LIMIT: usize = 2048;
        let container = crate::containers::find(pod, &status.metadata.name).map(|(_, container)| container);
        let runtime = &self.node.runtime;
        // What the runtime says itself comes first (`toKubeContainerStatus` and its callers).
        let with_reason = |text: String| match (status.message.as_str(), text.as_str()) {
            ("", _) => text,
            (reason, "") => reason.to_owned(),
            (reason, text) => format!("{reason}: {text}"),
        };
        let mut message = String::new();
        if let Some(volume) = self.termination_volumes.get(&status.id)
            && let Ok(Some(bytes)) = runtime.read_volume_file(volume, "log", LIMIT).await
        {
            message = String::from_utf8_lossy(&bytes).into_owned();
        }
        let policy = container.and_then(|c| c.termination_message_policy);
        if !message.is_empty() || policy.as_deref() != Some("FallbackToLogsOnError") || status.exit_code == Some(0) {
            return with_reason(message);
        }
        let options = LogOptions {
            tail: Some(80),
            ..LogOptions::default()
        };
        let Ok(entries) = runtime.container_logs(&status.id, options).await else {
            return with_reason(String::new());
        };
        let entries: Vec<_> = futures_util::StreamExt::collect(entries).await;
        let bytes = entries
            .iter()
            .flat_map(|e: &podsim_cri::LogEntry| e.bytes.iter().copied())
            .collect::<Vec<u8>>();
        let tail = bytes.get(bytes.len().saturating_sub(LOG_LIMIT)..).unwrap_or_default();
        with_reason(String::from_utf8_lossy(tail).into_owned())
    }
}
