//! The composition root: a whole node in this process. The only place that names a backend.

mod backend;
mod clock;
mod config;
mod kept;
#[cfg(target_os = "linux")]
mod linux_node;
mod simulation;
mod virtual_clock;
mod virtual_node;

pub(crate) use backend::{Backend, BackendArgs};

pub(crate) use config::NodeConfig;
pub(crate) use kept::KeptData;
pub(crate) use simulation::{Observers, Simulation};
pub(crate) use virtual_clock::VirtualClock;

use crate::cluster::Endpoint;
use crate::data;
use anyhow::{Context, Result};
use async_trait::async_trait;
use backend::{Parts, Runtime};
use clock::HostClock;
use config::UtsMode;
use futures_util::FutureExt;
use k8s_openapi::api::core::v1::Pod;
use podsim_apiserver::{ApiServer, Config, NodeAccess, NodeExec};
use podsim_cri::backend::Cidr;
use podsim_cri::{ExecSession, PodSandboxFilter, PodSandboxState, UtsNamespace};
use podsim_image::{ImageStore, NodeImages};
use podsim_kubelet::{Kubelet, KubeletConfig, NodeController, Scheduler};
use podsim_store::token::TokenSigner;
use podsim_store::{DeleteOptions, Selectors, Store};
use podsim_sys::Clock;
use podsim_virtual::{Lan, Neighbours, node_hosts};
use rand::TryRng;
use rand::rngs::SysRng;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

/// How long a node may be silent before it counts as lost (`node-monitor-grace-period` of kube-controller-manager).
const NODE_GRACE: Duration = Duration::from_secs(50);
/// How long the API's connections have to end.
const SERVER_GRACE: Duration = Duration::from_secs(1);

/// Nodes in this process, mostly one: kernel, runtime and kubelet each, and for all of them the objects, the scheduler, the controllers and
/// the API in front.
pub(crate) struct Node {
    /// The objects.
    pub(crate) store: Store,
    /// What runs the containers of the first node.
    pub(crate) runtime: Runtime,
    /// The same of the others.
    others: Vec<Runtime>,
    /// The API, for listeners besides those of podsim's own verbs.
    pub(crate) api: ApiServer,
    /// Where the API is, as each node has it.
    endpoints: Vec<Endpoint>,
    stop_requested: watch::Receiver<bool>,
    stop_server: Option<oneshot::Sender<()>>,
    servers: JoinSet<()>,
    tasks: JoinSet<()>,
    /// The objects outlive the process.
    kept: bool,
}

/// One of the nodes.
struct Member {
    listener: TcpListener,
    endpoint: Endpoint,
    runtime: Runtime,
    kubelet: Arc<Kubelet>,
}

/// What all members have in common.
struct Common {
    clock: Arc<dyn Clock>,
    token: String,
    store_of_images: ImageStore,
    images: Arc<NodeImages>,
    store: Store,
}

/// What the API server may do with the node.
struct Access {
    runtime: Runtime,
    kubelet: Arc<Kubelet>,
    stop: watch::Sender<bool>,
}

#[async_trait]
impl NodeAccess for Access {
    async fn exec(&self, request: NodeExec) -> podsim_cri::Result<ExecSession> {
        let login_shell = || vec!["sh".to_owned(), "-l".to_owned()];
        let command = if request.command.is_empty() {
            login_shell()
        } else {
            request.command
        };
        self.runtime
            .exec_on_node(&command, request.tty, request.stdin, request.winsize)
            .await
    }

    fn partitioned(&self) -> bool {
        self.kubelet.is_partitioned()
    }

    fn set_partitioned(&self, partitioned: bool) {
        self.kubelet.set_partitioned(partitioned);
    }

    fn shutdown(&self) {
        self.stop.send_replace(true);
    }
}

impl Node {
    /// Boots a node. One that is `isolated` is seen nowhere on the host, whatever the backend. With `data` its objects are kept in
    /// there, and those that are there already come back.
    pub(crate) async fn start(
        config: &NodeConfig,
        backend: Backend,
        isolated: bool,
        data: Option<&KeptData>,
    ) -> Result<Self> {
        Self::start_several(config, 1, backend, isolated, data).await
    }

    /// As [`Node::start`], this many nodes: each has a kernel of its own, and they share a network.
    pub(crate) async fn start_several(
        config: &NodeConfig,
        count: u32,
        backend: Backend,
        isolated: bool,
        data: Option<&KeptData>,
    ) -> Result<Self> {
        let clock: Arc<dyn Clock> = HostClock::start().context("cannot start the clock")?;
        let mut config = config.clone();
        config.volumes = data.map(KeptData::volumes).transpose()?;
        let mut seed = random()?;
        let entropy = move || split_mix(&mut seed);
        let store = match data {
            Some(data) => data.open_store(clock.clone(), entropy)?,
            None => new_store(clock.clone(), entropy)?,
        };
        let store_of_images = data::images();
        let images = NodeImages::new(store_of_images.clone(), data::registries(&config.registries));
        let common = Common {
            clock,
            token: format!("{:016x}{:016x}", random()?, random()?),
            images: Arc::new(images),
            store_of_images,
            store: store.clone(),
        };
        let configs = (0..count)
            .map(|number| config.member(number))
            .collect::<Result<Vec<_>>>()?;
        let neighbours = neighbours(&configs, &common.clock)?;
        let mut members = Vec::new();
        for (config, neighbours) in configs.iter().zip(neighbours) {
            members.push(common.member(config, backend, isolated, neighbours).await?);
        }
        let (stop, stop_requested) = watch::channel(false);
        let (stop_server, stopped) = oneshot::channel();
        let stopped = stopped.map(|_| ()).shared();
        let mut servers = JoinSet::new();
        let services: BTreeMap<_, _> = members
            .iter()
            .map(|member| (member.endpoint.name.clone(), member.runtime.service()))
            .collect();
        let (mut runtimes, mut apis, mut endpoints, mut kubelets) = (vec![], vec![], vec![], vec![]);
        for member in members {
            let access = Access {
                runtime: member.runtime.clone(),
                kubelet: member.kubelet.clone(),
                stop: stop.clone(),
            };
            let api = ApiServer::new(Config {
                store: store.clone(),
                runtime: member.runtime.service(),
                others: services.clone(),
                images: common.images.clone(),
                node: Arc::new(access),
                token: common.token.clone(),
            });
            let inside = member
                .runtime
                .listen_on_node(member.endpoint.address)
                .await
                .context("cannot listen in the node's network")?;
            for listener in std::iter::once(member.listener).chain(inside) {
                let serving = api.clone().serve(listener, stopped.clone());
                servers.spawn(async move {
                    if let Err(error) = serving.await {
                        tracing::error!("the API server has ended: {error}");
                    }
                });
            }
            runtimes.push(member.runtime);
            apis.push(api);
            endpoints.push(member.endpoint);
            kubelets.push(member.kubelet);
        }
        let (Some(api), false) = (apis.into_iter().next(), runtimes.is_empty()) else {
            anyhow::bail!("at least one node is needed");
        };
        let runtime = runtimes.remove(0);
        let tasks = control(&store, &runtime, kubelets).await?;
        Ok(Self {
            store,
            runtime,
            others: runtimes,
            api,
            endpoints,
            stop_requested,
            stop_server: Some(stop_server),
            servers,
            tasks,
            kept: data.is_some(),
        })
    }

    /// Where the API is, as each node has it.
    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn runtimes(&self) -> impl Iterator<Item = &Runtime> {
        std::iter::once(&self.runtime).chain(&self.others)
    }

    /// Ends when somebody has asked the node to end.
    pub(crate) async fn stop_requested(&self) {
        let mut requested = self.stop_requested.clone();
        // The sender lives as long as the server, which lives as long as the node.
        let _ = requested.wait_for(|stop| *stop).await;
    }

    /// Whether a Pod is gone: from the store, and with all its containers from the runtime.
    pub(crate) async fn is_gone(&self, namespace: &str, name: &str) -> bool {
        let ready = PodSandboxFilter {
            state: Some(PodSandboxState::Ready),
            ..PodSandboxFilter::default()
        };
        let mut sandboxes = Vec::new();
        for runtime in self.runtimes() {
            sandboxes.extend(runtime.service().list_pod_sandbox(&ready).await.unwrap_or_default());
        }
        let runs = sandboxes
            .iter()
            .any(|sandbox| sandbox.metadata.namespace == namespace && sandbox.metadata.name == name);
        !runs && self.store.api::<Pod>().get(namespace, name).is_err()
    }

    /// Kills the Pods that are left and ends the node; those that are kept come back with it. (As a machine that is switched off: with no grace,
    /// the kubelet's default for `shutdownGracePeriod`.)
    pub(crate) async fn shutdown(mut self) {
        let now = DeleteOptions {
            grace_period_seconds: Some(0),
            ..DeleteOptions::default()
        };
        let left = if self.kept {
            Vec::new()
        } else {
            let all = self.store.api::<Pod>().list(None, &Selectors::default());
            all.unwrap_or_default()
        };
        for pod in left {
            let (namespace, name) = (
                pod.metadata.namespace.unwrap_or_default(),
                pod.metadata.name.unwrap_or_default(),
            );
            // It may be gone by now.
            let _ = self.store.api::<Pod>().delete(&namespace, &name, &now);
        }
        if let Some(stop) = self.stop_server.take() {
            let _ = stop.send(());
        }
        let ended = async { while self.servers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(SERVER_GRACE, ended).await;
        self.tasks.shutdown().await;
        for runtime in self.runtimes() {
            runtime.shutdown().await;
        }
    }
}

impl Common {
    /// Makes a node; it does nothing yet.
    async fn member(
        &self,
        config: &NodeConfig,
        backend: Backend,
        isolated: bool,
        neighbours: Option<Neighbours>,
    ) -> Result<Member> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("cannot listen on 127.0.0.1")?;
        let endpoint = Endpoint {
            name: config.name.clone(),
            address: listener.local_addr()?,
            token: self.token.clone(),
            pid: std::process::id(),
        };
        let addresses = backend.addresses(config, isolated)?;
        let hosts = node_hosts(&config.name, addresses.first().copied());
        let parts = Parts {
            clock: self.clock.clone(),
            endpoint: endpoint.clone(),
            hosts: hosts.clone(),
            images: self.store_of_images.clone(),
            isolated,
            neighbours,
        };
        let runtime = Runtime::new(backend, config, parts)?;
        let kubelet = Arc::new(Kubelet::new(
            kubelet_config(config, &runtime, &addresses, hosts),
            self.store.clone(),
            runtime.service(),
            self.images.clone(),
            self.clock.clone(),
        ));
        Ok(Member {
            listener,
            endpoint,
            runtime,
            kubelet,
        })
    }
}

/// What each of several nodes is told of the others.
fn neighbours(configs: &[NodeConfig], clock: &Arc<dyn Clock>) -> Result<Vec<Option<Neighbours>>> {
    let [first, _, ..] = configs else {
        return Ok(vec![None]);
    };
    let place = |config: &NodeConfig| anyhow::Ok((config.eth0()?.0, config.cidr()?));
    let places = configs.iter().map(place).collect::<Result<Vec<_>>>()?;
    let (address, prefix) = first.eth0()?;
    let lan = Lan::new(Cidr::of(address, prefix), clock.clone(), first.memory())?;
    let of = |own: Ipv4Addr| Neighbours {
        lan: lan.clone(),
        address: own,
        others: places.iter().filter(|(address, _)| *address != own).copied().collect(),
        // What is kept is a folder of this machine, which all of them have.
        directory: first
            .volumes
            .is_none()
            .then_some(podsim_apiserver::controllers::VOLUMES),
    };
    Ok(places.iter().map(|(address, _)| Some(of(*address))).collect())
}

/// All that works on the objects: the kubelets, the scheduler and the controllers. They end when the set is dropped. The nodes and what a cluster has
/// from the beginning are there before: the first Pod is not told that there is no node, and its environment has the Service `kubernetes`.
async fn control(store: &Store, runtime: &Runtime, kubelets: Vec<Arc<Kubelet>>) -> Result<JoinSet<()>> {
    podsim_apiserver::controllers::bootstrap(store);
    for kubelet in &kubelets {
        kubelet
            .register()
            .await
            .context("the kubelet cannot register the node")?;
    }
    let scheduler = Scheduler::new(store.clone());
    let node_controller = NodeController::new(store.clone(), NODE_GRACE);
    let controllers = podsim_apiserver::controllers::run(store.clone(), runtime.service());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { complain("controllers", controllers.await) });
    for kubelet in kubelets {
        tasks.spawn(async move { complain("kubelet", kubelet.run().await) });
    }
    tasks.spawn(async move { complain("scheduler", scheduler.run().await) });
    tasks.spawn(async move { complain("node controller", node_controller.run().await) });
    Ok(tasks)
}

/// An empty store with a new key to sign tokens with.
fn new_store(clock: Arc<dyn Clock>, entropy: impl FnMut() -> u64 + Send + 'static) -> Result<Store> {
    let store = Store::new(clock, entropy);
    let key = TokenSigner::generate()?;
    store.install_signer(Arc::new(TokenSigner::from_pkcs8(&key)?));
    Ok(store)
}

fn complain<E: std::fmt::Display>(who: &str, result: Result<(), E>) {
    if let Err(error) = result {
        tracing::error!("the {who} has ended: {error}");
    }
}

fn kubelet_config(config: &NodeConfig, runtime: &Runtime, addresses: &[Ipv4Addr], node_hosts: String) -> KubeletConfig {
    KubeletConfig {
        kernel_version: runtime.kernel_version(),
        node_name: config.name.clone(),
        addresses: addresses.iter().copied().map(IpAddr::V4).collect(),
        pod_cidr: config.pod_cidr.clone(),
        uts: match config.uts_namespace {
            UtsMode::Container => UtsNamespace::Container,
            UtsMode::Pod => UtsNamespace::Pod,
        },
        node_hosts,
        cpus: config.cpus(),
        memory: config.memory(),
        static_pod_path: config.static_pod_path().map(Path::to_owned),
        ..KubeletConfig::default()
    }
}

fn random() -> Result<u64> {
    let mut bytes = [0; 8];
    SysRng
        .try_fill_bytes(&mut bytes)
        .context("the system has no random numbers")?;
    Ok(u64::from_ne_bytes(bytes))
}

/// SplitMix64 (Steele, Lea, Flood): from one random number to many, for uids and name suffixes.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
