//! [`Kubelet`]: gives each Pod of the node a worker, and the workers what they need to know.

use crate::KubeletConfig;
use crate::admission::Admitted;
use crate::events::EventRecorder;
use crate::node;
use crate::pod_worker::{Node, PodWorker, Wanted, WorkerHandle, names};
use crate::static_pods::{self, Folder};
use crate::status::conditions;
use crate::volumes;
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use podsim_cri::{ContainerEvents, ImageService, RuntimeService};
use podsim_store::{Kind, Selectors, Since, Store, StoreError, Watch, WatchEventType, kinds, time};
use podsim_sys::{Clock, sleep_until};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The kubelet of one node.
pub struct Kubelet {
    node: Arc<Node>,
    partition: watch::Sender<bool>,
}

/// Why a kubelet cannot run.
#[derive(Debug, thiserror::Error)]
pub enum KubeletError {
    /// The runtime is not ready.
    #[error("container runtime: {0}")]
    Runtime(#[from] podsim_cri::Error),
    /// The store refuses the node.
    #[error("node registration: {0}")]
    Store(#[from] StoreError),
}

impl Kubelet {
    /// A kubelet; it does nothing until [`run`](Self::run).
    #[must_use]
    pub fn new(
        config: KubeletConfig,
        store: Store,
        runtime: Arc<dyn RuntimeService>,
        images: Arc<dyn ImageService>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (partition, partitioned) = watch::channel(false);
        let recorder = EventRecorder::new(store.clone(), "kubelet", &config.node_name);
        let node = Node {
            config,
            store,
            runtime,
            images,
            clock,
            recorder,
            admitted: Admitted::default(),
            partitioned,
        };
        Self {
            node: Arc::new(node),
            partition,
        }
    }

    /// What it was told about its node.
    #[must_use]
    pub fn config(&self) -> &KubeletConfig {
        &self.node.config
    }

    /// Cuts the node off from the API, or joins it again: it then neither reports nor hears of changes, and its Pods run on.
    pub fn set_partitioned(&self, partitioned: bool) {
        self.partition
            .send_if_modified(|p| std::mem::replace(p, partitioned) != partitioned);
    }

    /// Is the node cut off?
    #[must_use]
    pub fn is_partitioned(&self) -> bool {
        *self.partition.borrow()
    }

    /// Makes the node known, as ready: from then on the scheduler has it.
    ///
    /// # Errors
    ///
    /// The runtime is not ready, or the store has no place for the node.
    pub async fn register(&self) -> Result<(), KubeletError> {
        let node = &self.node;
        node.runtime.status().await?;
        node.runtime.update_runtime_config(&node.config.pod_cidr).await?;
        Ok(node::register(node)?)
    }

    /// Runs the Pods of the node, which is [registered](Self::register). Ends only with an error; dropping it stops all work but leaves the
    /// containers.
    pub async fn run(&self) -> Result<(), KubeletError> {
        let node = &self.node;
        let folder = node.config.static_pod_path.clone();
        let pods = Pods {
            node: node.clone(),
            workers: HashMap::new(),
            tasks: JoinSet::new(),
            folder: folder.map(|path| Folder::new(path, &node.config.node_name)),
            static_pods: BTreeMap::new(),
            lost_mirrors: BTreeMap::new(),
        };
        tokio::select! {
            biased;
            result = pods.run(node.partitioned.clone()) => result,
            () = node::heartbeat(node) => Ok(()),
        }
    }
}

struct Worker {
    handle: WorkerHandle,
    namespace: String,
    /// The ConfigMaps, Secrets and claims that its volumes show.
    shows: HashSet<(&'static str, String)>,
    /// What of the Pod the worker was told last.
    told: Told,
    /// The status that the store had last.
    status: Value,
    /// Namespace and name, if its Pod is a static one.
    static_key: Option<static_pods::Key>,
}

/// The parts of a Pod that a worker has to hear of when they change; its status the worker writes itself.
#[derive(PartialEq)]
struct Told {
    generation: Option<i64>,
    deletion: Option<i64>,
    deleted: bool,
    metadata: Value,
    /// What others say of the Pod, for its readiness gates.
    conditions: Value,
    /// It was given up by the node controller.
    unknown: bool,
}

impl Told {
    fn of(object: &Value) -> Self {
        let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
        let pick = |field: &str| {
            object
                .pointer(&format!("/metadata/{field}"))
                .cloned()
                .unwrap_or_default()
        };
        Self {
            generation: number("/metadata/generation"),
            deletion: number("/metadata/deletionGracePeriodSeconds"),
            deleted: object.pointer("/metadata/deletionTimestamp").is_some(),
            metadata: Value::Array(vec![pick("labels"), pick("annotations")]),
            conditions: conditions_of_others(object),
            unknown: object.pointer("/status/phase").is_some_and(|p| p == "Unknown"),
        }
    }
}

/// The conditions that are not the kubelet's, without their times.
fn conditions_of_others(object: &Value) -> Value {
    let all = object.pointer("/status/conditions").and_then(Value::as_array);
    let brief = |c: &Value| (c["type"].as_str().map(str::to_owned), c["status"].clone());
    let others = all.into_iter().flatten().map(brief);
    let others = others.filter(|(type_, _)| !type_.as_deref().is_some_and(conditions::is_own_type));
    others
        .map(|(type_, status)| Value::Array(vec![type_.into(), status]))
        .collect()
}

struct Pods {
    node: Arc<Node>,
    workers: HashMap<String, Worker>,
    tasks: JoinSet<String>,
    /// Where static Pods are.
    folder: Option<Folder>,
    /// Those that are to run.
    static_pods: BTreeMap<static_pods::Key, Arc<Pod>>,
    /// Mirrors that somebody has deleted, with the status that they had.
    lost_mirrors: BTreeMap<static_pods::Key, Option<PodStatus>>,
}

impl Pods {
    async fn run(mut self, mut partitioned: watch::Receiver<bool>) -> Result<(), KubeletError> {
        let mut events = self.node.runtime.get_container_events().await?;
        let mut changes = self.watch()?;
        let (mut config_maps, mut secrets) = (self.watch_shown(&kinds::CONFIG_MAP)?, self.watch_shown(&kinds::SECRET)?);
        let mut claims = self.watch_shown(&kinds::PERSISTENT_VOLUME_CLAIM)?;
        self.look_for_static_pods();
        let mut look_again = self.node.clock.monotonic() + static_pods::CHECK;
        let clock = self.node.clock.clone();
        loop {
            let cut_off = *partitioned.borrow_and_update();
            tokio::select! {
                // In one order, so that the same seed gives the same trace.
                biased;
                event = events.next() => match event {
                    Some(event) => {
                        if let Some(worker) = self.workers.get(&event.pod_uid) {
                            worker.handle.wake.notify_one();
                        }
                    }
                    None => events = self.subscribe_again().await?,
                },
                change = changes.next(), if !cut_off => match change {
                    Some(change) => self.change(change.kind, &change.object),
                    None => {
                        changes = self.watch()?;
                        self.forget_missing()?;
                    }
                },
                change = config_maps.next(), if !cut_off => match change {
                    Some(change) => self.wake_showing("ConfigMap", &change.object),
                    None => {
                        config_maps = self.watch_shown(&kinds::CONFIG_MAP)?;
                        self.wake_all();
                    }
                },
                change = secrets.next(), if !cut_off => match change {
                    Some(change) => self.wake_showing("Secret", &change.object),
                    None => {
                        secrets = self.watch_shown(&kinds::SECRET)?;
                        self.wake_all();
                    }
                },
                change = claims.next(), if !cut_off => match change {
                    Some(change) => self.wake_showing("PersistentVolumeClaim", &change.object),
                    None => {
                        claims = self.watch_shown(&kinds::PERSISTENT_VOLUME_CLAIM)?;
                        self.wake_all();
                    }
                },
                Some(done) = self.tasks.join_next() => {
                    if let Ok(uid) = done {
                        self.node.admitted.release(&uid);
                        self.workers.remove(&uid);
                        self.start_static_pods();
                    }
                }
                () = sleep_until(&clock, look_again), if self.folder.is_some() => {
                    look_again = clock.monotonic() + static_pods::CHECK;
                    self.look_for_static_pods();
                    self.show_lost_mirrors();
                }
                changed = partitioned.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn selectors(&self) -> Result<Selectors, StoreError> {
        Selectors::parse(
            &kinds::POD,
            "",
            &format!("spec.nodeName={}", self.node.config.node_name),
        )
    }

    fn watch(&self) -> Result<Watch, StoreError> {
        self.node
            .store
            .watch(&kinds::POD, None, &self.selectors()?, Since::Start)
    }

    /// Events were missed: every worker has to look.
    async fn subscribe_again(&self) -> Result<ContainerEvents, KubeletError> {
        let events = self.node.runtime.get_container_events().await?;
        self.wake_all();
        Ok(events)
    }

    fn wake_all(&self) {
        self.workers.values().for_each(|w| w.handle.wake.notify_one());
    }

    /// What Pods show in their volumes.
    fn watch_shown(&self, kind: &'static Kind) -> Result<Watch, StoreError> {
        self.node.store.watch(kind, None, &Selectors::default(), Since::Now)
    }

    /// Wakes the workers whose Pods show this object.
    fn wake_showing(&self, kind: &'static str, object: &Value) {
        let field = |name: &str| object.pointer(&format!("/metadata/{name}")).and_then(Value::as_str);
        let namespace = field("namespace").unwrap_or_default();
        let shown = (kind, field("name").unwrap_or_default().to_owned());
        let shows = |w: &Worker| w.namespace == namespace && w.shows.contains(&shown);
        let mut showing: Vec<_> = self.workers.iter().filter(|(_, w)| shows(w)).collect();
        // In one order, so that the same seed gives the same trace.
        showing.sort_unstable_by_key(|(uid, _)| *uid);
        showing.iter().for_each(|(_, w)| w.handle.wake.notify_one());
    }

    fn change(&mut self, kind: WatchEventType, object: &Value) {
        let Ok(pod) = Pod::deserialize(object) else { return };
        if static_pods::mirrored(&pod).is_some() {
            return self.mirror_changed(kind, &pod);
        }
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let removed = kind == WatchEventType::Deleted;
        let told = Told::of(object);
        match self.workers.get_mut(&uid) {
            Some(worker) => {
                let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str);
                let version: u64 = version.and_then(|v| v.parse().ok()).unwrap_or(0);
                // Somebody else has written the kubelet's part of the status, too.
                let foreign =
                    version > worker.handle.version.load(Ordering::Acquire) && object["status"] != worker.status;
                worker.status = object["status"].clone();
                if removed || foreign || worker.told != told {
                    worker.told = told;
                    let pod = Arc::new(pod);
                    worker.handle.wanted.send_replace(Wanted { pod, removed });
                }
            }
            None if removed => {}
            None => {
                self.start(Arc::new(pod), told, object["status"].clone());
            }
        }
    }

    fn start(&mut self, pod: Arc<Pod>, told: Told, status: Value) {
        let (namespace, shows) = (names(&pod).0.to_owned(), volumes::references(&pod));
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let (key, is_static) = (static_pods::key(&pod), static_pods::is_static(&pod));
        let (worker, handle) = PodWorker::new(self.node.clone(), pod);
        self.tasks.spawn(worker.run());
        let worker = Worker {
            handle,
            namespace,
            shows,
            told,
            status,
            static_key: is_static.then_some(key),
        };
        self.workers.insert(uid, worker);
    }

    /// Reads the folder if something in it has changed: what is gone or another Pod by now is ended, what is new is started.
    fn look_for_static_pods(&mut self) {
        let now = time::timestamp(self.node.clock.as_ref());
        let Some(found) = self.folder.as_mut().and_then(|folder| folder.look(now)) else {
            return;
        };
        self.static_pods = found;
        for (uid, worker) in &self.workers {
            let Some(key) = &worker.static_key else { continue };
            let wanted = self.static_pods.get(key).and_then(|pod| pod.metadata.uid.as_ref());
            if wanted != Some(uid) {
                worker.handle.wanted.send_modify(|w| w.removed = true);
            }
        }
        let mirrors = self.node.store.api::<Pod>().list(None, &Selectors::default());
        for mirror in mirrors.unwrap_or_default() {
            if static_pods::mirrored(&mirror).is_some_and(|uid| self.static_pod(uid).is_none()) && self.is_here(&mirror)
            {
                static_pods::hide(&self.node.store, &mirror);
            }
        }
        self.start_static_pods();
    }

    fn static_pod(&self, uid: &str) -> Option<&Arc<Pod>> {
        let mut all = self.static_pods.values();
        all.find(|pod| pod.metadata.uid.as_deref() == Some(uid))
    }

    fn is_here(&self, pod: &Pod) -> bool {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
        node == Some(&self.node.config.node_name)
    }

    /// Starts the static Pods that do not run, unless one of their name still ends.
    fn start_static_pods(&mut self) {
        for (key, pod) in self.static_pods.clone() {
            if self
                .workers
                .values()
                .any(|worker| worker.static_key.as_ref() == Some(&key))
            {
                continue;
            }
            self.mirror(&pod, None);
            self.start(pod, Told::of(&Value::Null), Value::Null);
        }
    }

    fn mirror(&self, pod: &Pod, status: Option<PodStatus>) {
        // Without the API, or if somebody has one of that name, it runs all the same.
        if let Err(error) = static_pods::show(&self.node.store, pod, status) {
            tracing::debug!("static Pod {}: {error}", names(pod).1);
        }
    }

    /// A mirror that somebody has deleted comes back; one of a Pod that is no more goes.
    fn mirror_changed(&mut self, kind: WatchEventType, mirror: &Pod) {
        let is_wanted = static_pods::mirrored(mirror).is_some_and(|uid| self.static_pod(uid).is_some());
        let deleted = kind == WatchEventType::Deleted;
        if !deleted && (!is_wanted || mirror.metadata.deletion_timestamp.is_some()) {
            static_pods::hide(&self.node.store, mirror);
        } else if deleted && is_wanted {
            // Not at once: `kubectl delete` waits until it sees that the name is free, or for ever.
            self.lost_mirrors
                .insert(static_pods::key(mirror), mirror.status.clone());
        }
    }

    fn show_lost_mirrors(&mut self) {
        for (key, status) in std::mem::take(&mut self.lost_mirrors) {
            if let Some(pod) = self.static_pods.get(&key) {
                self.mirror(pod, status);
            }
        }
    }

    /// After changes were missed: Pods that are no longer in the store.
    fn forget_missing(&mut self) -> Result<(), StoreError> {
        let list = self.node.store.list(&kinds::POD, None, &self.selectors()?);
        let uid = |o: &Value| {
            o.pointer("/metadata/uid")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let there: HashSet<String> = list.items.iter().map(|o| uid(o)).collect();
        let gone = |(uid, worker): &(&String, &Worker)| worker.static_key.is_none() && !there.contains(*uid);
        for (_, worker) in self.workers.iter().filter(gone) {
            worker.handle.wanted.send_modify(|w| w.removed = true);
        }
        Ok(())
    }
}
