//! The worker of one Pod: one task, that does one thing after the other. What takes long (hooks, kills) it leaves to tasks
//! of its own and looks again when they are done.
//!
//! `admitting` asks whether the Pod may run here, `mounting` makes its volumes, `hooks` and `probing` look after what runs, `evicting` after what
//! it takes on disk, `ending` ends it.

mod admitting;
mod ending;
mod evicting;
mod hooks;
mod mounting;
mod probing;
pub(crate) mod resizing;

use crate::KubeletConfig;
use crate::actions::{InFlight, KillReason, PodActions, compute_pod_actions};
use crate::admission::{Admitted, Rejection};
use crate::backoff::Backoff;
use crate::events::{EventRecorder, Severity, pod_reference};
use crate::images::FailedPulls;
use crate::past::Past;
use crate::runtime_status::PodRuntimeStatus;
use crate::static_pods;
use crate::status::conditions::{self, is_own};
use crate::status::{self, StatusInput};
use crate::volumes::PodVolumes;
use ending::Kill;
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use podsim_cri::{ContainerId, ContainerState, ImageService, RuntimeService, VolumeId};
use podsim_store::{Store, time};
use podsim_sys::{Clock, sleep_until};
use probing::Probes;
use resizing::Resizing;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// `activeDeadlineSeconds` is over (`pkg/kubelet/active_deadline.go`).
const DEADLINE_EXCEEDED: (&str, &str) = (
    "DeadlineExceeded",
    "Pod was active on the node longer than the specified deadline",
);

/// How often the status manager compares (`syncPeriod` in `pkg/kubelet/status/status_manager.go`).
const RECONCILE: Duration = Duration::from_secs(10);

/// What the workers of a node share.
pub(crate) struct Node {
    pub(crate) config: KubeletConfig,
    pub(crate) store: Store,
    pub(crate) runtime: Arc<dyn RuntimeService>,
    pub(crate) images: Arc<dyn ImageService>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) recorder: EventRecorder,
    pub(crate) admitted: Admitted,
    /// True while the node cannot reach the API.
    pub(crate) partitioned: watch::Receiver<bool>,
}

/// What the kubelet wants of a worker.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) pod: Arc<Pod>,
    /// The Pod is no longer in the store: end it, tell nobody.
    pub(crate) removed: bool,
}

/// How the kubelet reaches a worker.
pub(crate) struct WorkerHandle {
    pub(crate) wanted: watch::Sender<Wanted>,
    pub(crate) wake: Arc<Notify>,
    /// The resource version of what the worker has written last.
    pub(crate) version: Arc<AtomicU64>,
}

pub(crate) struct PodWorker {
    pub(crate) node: Arc<Node>,
    pub(crate) uid: String,
    wanted: watch::Receiver<Wanted>,
    wake: Arc<Notify>,
    partitioned: watch::Receiver<bool>,
    tasks: JoinSet<Done>,
    hooks_running: HashSet<ContainerId>,
    hooks_failed: HashSet<ContainerId>,
    kills: HashMap<ContainerId, Kill>,
    probes: Probes,
    /// What the Pod had when another process ran it.
    past: Past,
    /// What was given to the Pod, and what of it its containers have.
    pub(crate) resizing: Resizing,
    /// The kubelet has taken the Pod.
    admitted: bool,
    /// The kubelet has sent the Pod away.
    rejected: Option<Rejection>,
    /// Reason and message of what made the Pod fail as a whole.
    failure: Option<(&'static str, String)>,
    /// When it is looked how much disk the Pod takes, in monotonic time.
    storage_check: Option<Duration>,
    /// When the grace of an evicted Pod is over, in monotonic time.
    evicted_until: Option<Duration>,
    /// When the end of the Pod began.
    terminating_since: Option<Duration>,
    /// Reason and message of containers that wait.
    pub(crate) waiting: HashMap<String, (String, String)>,
    pub(crate) backoff: Backoff,
    pub(crate) failed_pulls: FailedPulls,
    /// The exited container whose back-off was told in an event already.
    pub(crate) backoff_told: HashMap<String, ContainerId>,
    /// Volumes that are to be removed with the Pod.
    pub(crate) volumes: HashSet<VolumeId>,
    /// The volumes of the Pod's spec.
    pub(crate) pod_volumes: PodVolumes,
    /// The volume with the termination message of a container, and the message once it was read.
    pub(crate) termination_volumes: HashMap<ContainerId, VolumeId>,
    messages: HashMap<ContainerId, String>,
    /// The status that the store has, as far as this worker knows.
    written: Option<PodStatus>,
    /// The store may have another status than `written`: the next one is written, whatever it is.
    stale: bool,
    version: Arc<AtomicU64>,
    /// When a status that somebody else has written over this worker's is set right, in monotonic time.
    reconcile_at: Option<Duration>,
}

/// A task of the worker has ended.
enum Done {
    Hook {
        id: ContainerId,
        container: String,
        result: Result<(), String>,
    },
    Killed(ContainerId),
}

/// What to wait for.
pub(crate) enum Next {
    /// The worker's work is done.
    Finished,
    /// A change, or this monotonic time.
    Wait(Option<Duration>),
}

impl PodWorker {
    pub(crate) fn new(node: Arc<Node>, pod: Arc<Pod>) -> (Self, WorkerHandle) {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let written = pod.status.clone();
        let past = Past::of(&pod, time::timestamp(node.clock.as_ref()));
        let (wanted_sender, wanted) = watch::channel(Wanted { pod, removed: false });
        let wake = Arc::new(Notify::new());
        let worker = Self {
            partitioned: node.partitioned.clone(),
            node,
            uid,
            wanted,
            wake: wake.clone(),
            tasks: JoinSet::new(),
            hooks_running: HashSet::new(),
            hooks_failed: HashSet::new(),
            kills: HashMap::new(),
            probes: Probes::default(),
            past,
            resizing: Resizing::default(),
            admitted: false,
            rejected: None,
            failure: None,
            storage_check: None,
            evicted_until: None,
            terminating_since: None,
            waiting: HashMap::new(),
            backoff: Backoff::default(),
            failed_pulls: FailedPulls::default(),
            backoff_told: HashMap::new(),
            volumes: HashSet::new(),
            pod_volumes: PodVolumes::default(),
            termination_volumes: HashMap::new(),
            messages: HashMap::new(),
            written,
            stale: false,
            version: Arc::default(),
            reconcile_at: None,
        };
        let handle = WorkerHandle {
            wanted: wanted_sender,
            wake,
            version: worker.version.clone(),
        };
        (worker, handle)
    }

    /// Works until the Pod is gone.
    pub(crate) async fn run(mut self) -> String {
        loop {
            let deadline = match self.sync().await {
                Next::Finished => return self.uid,
                Next::Wait(deadline) => deadline.into_iter().chain(self.reconcile_at).min(),
            };
            let clock = self.node.clock.clone();
            let alarm = async {
                match deadline {
                    Some(at) => sleep_until(&clock, at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // In one order, so that the same seed gives the same trace.
                biased;
                changed = self.wanted.changed() => {
                    if changed.is_err() {
                        return self.uid;
                    }
                }
                () = self.wake.notified() => {}
                Some(done) = self.tasks.join_next() => {
                    if let Ok(done) = done {
                        self.finish(done);
                    }
                }
                () = self.probes.changed() => {}
                Ok(()) = self.partitioned.changed() => {
                    // What was not written, or was written over by the node controller, is written again.
                    self.stale = true;
                }
                () = alarm => {}
            }
        }
    }

    fn finish(&mut self, done: Done) {
        match done {
            Done::Killed(id) => {
                self.kills.remove(&id);
            }
            Done::Hook { id, container, result } => {
                self.hooks_running.remove(&id);
                // In a Pod that ends, the hook ends with its container.
                if let Err(message) = result
                    && self.terminating_since.is_none()
                {
                    let pod = self.wanted.borrow().pod.clone();
                    self.tell(
                        &pod,
                        Some(&container),
                        Severity::Warning,
                        "FailedPostStartHook",
                        "PostStartHook failed",
                    );
                    self.waiting
                        .insert(container, ("PostStartHookError".to_owned(), message));
                    self.hooks_failed.insert(id);
                }
            }
        }
    }

    /// Records an event.
    pub(crate) fn tell(&self, pod: &Pod, container: Option<&str>, severity: Severity, reason: &str, message: &str) {
        if !*self.partitioned.borrow() {
            self.node
                .recorder
                .event(pod_reference(pod, container), severity, reason, message);
        }
    }

    /// Looks at the Pod and does what is to be done next.
    async fn sync(&mut self) -> Next {
        let Wanted { pod, removed } = self.wanted.borrow_and_update().clone();
        if pod.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Unknown") {
            // The node controller was wrong: it is told again how the Pod is.
            self.stale = true;
        }
        self.reconcile(&pod);
        let retry = Next::Wait(Some(self.node.clock.monotonic() + Duration::from_secs(10)));
        let Ok(mut runtime) = self.look(&pod).await else {
            return retry;
        };
        if removed || pod.metadata.deletion_timestamp.is_some() {
            return self.terminate(&pod, removed, &runtime).await;
        }
        if let Err(rejection) = self.admit(&pod, &runtime) {
            self.reject(&pod, &rejection);
            return Next::Wait(None);
        }
        let past_deadline = match self.active_deadline(&pod) {
            Some(at) if at <= self.node.clock.monotonic() => {
                if self.failure.is_none() {
                    self.tell(&pod, None, Severity::Normal, DEADLINE_EXCEEDED.0, DEADLINE_EXCEEDED.1);
                }
                self.failure = Some((DEADLINE_EXCEEDED.0, DEADLINE_EXCEEDED.1.to_owned()));
                None
            }
            other => other,
        };
        let ends = |worker: &Self| worker.failure.is_some() || worker.is_finished() || is_over(&pod);
        let storage_check = match ends(self) {
            true => None,
            false => self.check_storage(&pod, &runtime).await,
        };
        if ends(self) {
            return self.wind_down(&pod, &runtime).await;
        }
        if self.allocate(&pod) {
            self.report(&pod, &runtime, false);
        }
        let pod = self.allocated(&pod);
        let mounting = self.mount_volumes(&pod).await;
        if !mounting.ready {
            self.report(&pod, &runtime, false);
            return Next::Wait(mounting.retry.into_iter().chain(past_deadline).min());
        }
        self.probes.take_all();
        self.watch_probes(&pod, &runtime);
        let in_flight = InFlight {
            killing: self.kills.keys().cloned().collect(),
            hook_failed: self.hooks_failed.clone(),
            probes: self.probes.results().clone(),
            actual: self.resizing.actual.clone(),
            resized: self.resizing.restarted.clone(),
        };
        let mut actions = compute_pod_actions(&pod, &runtime, &in_flight);
        if self.hook_runs() {
            // Upstream's worker waits for the hook; this one only starts nothing.
            actions.init_containers_to_start.clear();
            actions.containers_to_start.clear();
        }
        let mut deadline = None;
        if actions.kill_pod {
            let alive = self.kill_all(&pod, &runtime, None);
            if alive {
                self.report(&pod, &runtime, false);
                return Next::Wait(None);
            }
            if let Err(error) = self.stop_sandboxes(&pod, &runtime, actions.create_sandbox).await {
                tracing::warn!("cannot stop the sandbox of {}: {error}", self.uid);
                return retry;
            }
        }
        if !actions.kill_pod || actions.create_sandbox {
            if actions.create_sandbox {
                self.report(&pod, &runtime, false);
            }
            deadline = self.execute(&pod, &mut runtime, &actions).await;
        }
        let retry_resize = self.deferred_retry();
        let Ok(runtime) = self.look(&pod).await else {
            return retry;
        };
        self.watch_probes(&pod, &runtime);
        self.end_resize(&pod, &runtime);
        self.report(&pod, &runtime, false);
        self.collect_garbage(&runtime).await;
        let times = deadline
            .into_iter()
            .chain(past_deadline)
            .chain(mounting.retry)
            .chain(storage_check);
        Next::Wait(times.chain(retry_resize).min())
    }

    /// What others write into the kubelet's part of a status is written over, but only after a while (`needsReconcile` of the status manager,
    /// which looks every [`RECONCILE`]).
    fn reconcile(&mut self, pod: &Pod) {
        let differs = |stored: &Pod, own: &Option<PodStatus>| match (&stored.status, own) {
            (Some(stored), Some(own)) => !conditions::same_but_others(stored, own),
            (None, Some(_)) => true,
            (_, None) => false,
        };
        let now = self.node.clock.monotonic();
        match self.reconcile_at {
            None if differs(pod, &self.written) => self.reconcile_at = Some(now + RECONCILE),
            Some(at) if at <= now => {
                self.reconcile_at = None;
                // What the worker was told may be older than what it has written itself.
                let (namespace, name) = names(pod);
                let stored = self.node.store.api::<Pod>().get(namespace, name);
                self.stale |= stored.is_ok_and(|stored| differs(&stored, &self.written));
            }
            _ => {}
        }
    }

    /// When `activeDeadlineSeconds` is over, in monotonic time.
    fn active_deadline(&self, pod: &Pod) -> Option<Duration> {
        let seconds = pod.spec.as_ref()?.active_deadline_seconds?;
        let started = self.written.as_ref()?.start_time.as_ref()?.0.as_second();
        let left = started.saturating_add(seconds) - time::timestamp(self.node.clock.as_ref()).as_second();
        Some(self.node.clock.monotonic() + Duration::from_secs(u64::try_from(left).unwrap_or(0)))
    }

    /// Has the Pod reached a phase that is never left?
    fn is_finished(&self) -> bool {
        let phase = self.written.as_ref().and_then(|s| s.phase.as_deref());
        phase.is_some_and(status::is_final)
    }

    /// What the runtime has, with the termination messages of what has ended.
    pub(crate) async fn look(&mut self, pod: &Pod) -> podsim_cri::Result<PodRuntimeStatus> {
        let mut status = PodRuntimeStatus::read(self.node.runtime.as_ref(), &self.uid).await?;
        self.past.add_to(&mut status);
        for container in &status.containers {
            if container.state == ContainerState::Running && !self.hooks_failed.contains(&container.id) {
                self.waiting.remove(&container.metadata.name);
            }
            if container.state == ContainerState::Exited && !self.messages.contains_key(&container.id) {
                let message = self.termination_message(pod, container).await;
                self.messages.insert(container.id.clone(), message);
            }
        }
        status.messages.clone_from(&self.messages);
        Ok(status)
    }

    /// Writes the status if it has changed.
    fn report(&mut self, pod: &Arc<Pod>, runtime: &PodRuntimeStatus, terminated: bool) {
        let pod = &self.allocated(pod);
        let (runtime_name, _) = self.node.runtime.version();
        let hooks_pending = self.hooks_running.union(&self.hooks_failed).cloned().collect();
        let input = StatusInput {
            config: &self.node.config,
            runtime_name: &runtime_name,
            waiting: &self.waiting,
            hooks_pending: &hooks_pending,
            probes: self.probes.results(),
            terminated,
            failure: self
                .failure
                .as_ref()
                .map(|(reason, message)| (*reason, message.as_str())),
            actual: &self.resizing.actual,
            resize: &self.resizing.conditions(),
            now: time::now(self.node.clock.as_ref()),
        };
        let stored = || pod.status.clone().unwrap_or_default();
        let mut previous = self.written.clone().unwrap_or_else(stored);
        // Conditions of others are as the store has them.
        let conditions = previous.conditions.get_or_insert_default();
        conditions.retain(is_own);
        conditions.extend(stored().conditions.into_iter().flatten().filter(|c| !is_own(c)));
        let status = status::generate(pod, runtime, &previous, &input);
        if self.stale || self.written.as_ref() != Some(&status) {
            self.write(pod, status);
        }
    }

    fn write(&mut self, pod: &Pod, status: PodStatus) {
        if *self.partitioned.borrow() {
            return;
        }
        let (namespace, name) = names(pod);
        let uid = Some(&self.uid);
        let result = self.node.store.api::<Pod>().modify_status(namespace, name, |stored| {
            if stored.metadata.uid.as_ref() == uid || static_pods::mirrored(stored) == uid.map(String::as_str) {
                let others = stored.status.iter().flat_map(|s| s.conditions.iter().flatten());
                let others: Vec<_> = others.filter(|c| !is_own(c)).cloned().collect();
                let mut status = status.clone();
                let conditions = status.conditions.get_or_insert_default();
                conditions.retain(is_own);
                conditions.extend(others);
                stored.status = Some(status);
            }
        });
        match result {
            Ok(stored) => {
                let version = stored.metadata.resource_version.and_then(|v| v.parse().ok());
                self.version.store(version.unwrap_or(0), Ordering::Release);
            }
            Err(error) => tracing::debug!("cannot write the status of {namespace}/{name}: {error}"),
        }
        self.written = Some(status);
        self.stale = false;
    }

    async fn execute(&mut self, pod: &Pod, runtime: &mut PodRuntimeStatus, actions: &PodActions) -> Option<Duration> {
        for kill in &actions.containers_to_kill {
            if kill.reason == KillReason::Resize {
                self.resizing.restarted.insert(kill.id.clone());
            }
            self.kill(pod, kill, runtime, None, vec![]);
        }
        let retry = self.update_containers(pod, &actions.containers_to_update).await;
        let started = crate::executor::execute(self, pod, runtime, actions).await;
        retry.into_iter().chain(started).min()
    }

    /// Forgets dead containers but the last of each name, which `kubectl logs -p` shows, and sandboxes that are empty.
    async fn collect_garbage(&mut self, runtime: &PodRuntimeStatus) {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let mut kept = HashSet::new();
        for container in &runtime.containers {
            let count = seen.entry(&container.metadata.name).or_default();
            *count += 1;
            if *count <= 2 || container.state == ContainerState::Running {
                kept.insert(container.sandbox.clone());
                continue;
            }
            if self.node.runtime.remove_container(&container.id).await.is_ok() {
                self.messages.remove(&container.id);
                self.hooks_failed.remove(&container.id);
                self.resizing.forget(&container.id);
                if let Some(volume) = self.termination_volumes.remove(&container.id) {
                    self.node.runtime.remove_volume(&volume).await.ok();
                }
            }
        }
        for sandbox in runtime
            .sandboxes
            .iter()
            .skip(1)
            .filter(|s| !kept.contains(&s.id) && !self.past.has(&s.id))
        {
            self.node.runtime.remove_pod_sandbox(&sandbox.id).await.ok();
        }
    }
}

/// Does the API have the Pod in a phase that is never left?
fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
    phase.is_some_and(status::is_final)
}

/// Namespace and name.
pub(crate) fn names(pod: &Pod) -> (&str, &str) {
    (
        pod.metadata.namespace.as_deref().unwrap_or("default"),
        pod.metadata.name.as_deref().unwrap_or_default(),
    )
}

/// `NAME_NAMESPACE(UID)`, as the kubelet names a Pod in messages (`format.Pod`).
pub(crate) fn full_name(pod: &Pod) -> String {
    let (namespace, name) = names(pod);
    format!(
        "{name}_{namespace}({})",
        pod.metadata.uid.as_deref().unwrap_or_default()
    )
}
