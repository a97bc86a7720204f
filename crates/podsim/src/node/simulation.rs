//! [`Simulation`]: a virtual node under virtual time. Everything in it happens on one thread, in an order that only the seed decides;
//! so nothing of it listens on the host.

use super::backend::Runtime;
use super::virtual_node::{self, Make};
use super::{NodeConfig, VirtualClock, control, kubelet_config, new_store, split_mix};
use crate::data;
use anyhow::Result;
use futures_util::FutureExt;
use podsim_image::{NodeImages, Registries};
use podsim_kubelet::Kubelet;
use podsim_store::{Observer, Store};
use podsim_sys::{Clock, Fd, Syscalls, WaitStatus};
use podsim_virtual::{NativeProgram, ProcessObserver, VirtualRuntime, node_hosts};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Who hears of everything.
#[derive(Default)]
pub(crate) struct Observers {
    pub(crate) objects: Option<Observer>,
    pub(crate) processes: Option<ProcessObserver>,
}

/// The node.
pub(crate) struct Simulation {
    pub(crate) store: Store,
    pub(crate) runtime: VirtualRuntime,
    pub(crate) clock: Arc<dyn Clock>,
    /// Kubelet, scheduler and controllers; they end with this.
    _tasks: JoinSet<()>,
}

impl Simulation {
    /// Boots it.
    pub(crate) async fn start(
        config: &NodeConfig,
        clock: Arc<VirtualClock>,
        seed: u64,
        observers: Observers,
    ) -> Result<Self> {
        let clock: Arc<dyn Clock> = clock;
        let mut entropy = seed;
        let addresses = config.addresses()?;
        let hosts = node_hosts(&config.name, addresses.first().copied());
        let images = data::images();
        let make = Make {
            clock: clock.clone(),
            seed: split_mix(&mut entropy),
            hosts: hosts.clone(),
            images: images.clone(),
            native: no_programs(),
            virtual_time: true,
            observer: observers.processes,
            neighbours: None,
        };
        let runtime = virtual_node::make(config, make)?;
        let store = new_store(clock.clone(), move || split_mix(&mut entropy))?;
        if let Some(observer) = observers.objects {
            store.observe(observer);
        }
        let shared = Runtime::Virtual(runtime.clone());
        let kubelet = Kubelet::new(
            kubelet_config(config, &shared, &addresses, hosts),
            store.clone(),
            shared.service(),
            // No registries: what they answer, and when, is not the seed's.
            Arc::new(NodeImages::new(images, Registries::new(std::iter::empty::<String>()))),
            clock.clone(),
        );
        Ok(Self {
            runtime,
            clock,
            _tasks: control(&store, &shared, vec![Arc::new(kubelet)]).await?,
            store,
        })
    }
}

/// `kubectl` and its like speak to the API, which is not served here.
fn no_programs() -> NativeProgram {
    Arc::new(|name, task| {
        async move {
            let message = format!("{name}: under virtual time the node has no API to talk to\n");
            // Where nobody reads it, the exit code has to do.
            let _ = task.write(Fd::STDERR, message.as_bytes()).await;
            task.exit(WaitStatus::Exited(1));
        }
        .boxed()
    })
}
