//! A node on the virtual kernel.

use super::backend::Parts;
use super::{NodeConfig, random};
use anyhow::Result;
use futures_util::FutureExt;
use podsim_image::ImageStore;
use podsim_sys::Clock;
use podsim_virtual::{NativeProgram, Neighbours, ProcessObserver, VirtualConfig, VirtualRuntime};
use std::sync::Arc;

/// What it is made from besides the configuration.
pub(super) struct Make {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) seed: u64,
    /// The node's `/etc/hosts`.
    pub(super) hosts: String,
    pub(super) images: ImageStore,
    pub(super) native: NativeProgram,
    pub(super) virtual_time: bool,
    pub(super) observer: Option<ProcessObserver>,
    /// The cluster's other nodes.
    pub(super) neighbours: Option<Neighbours>,
}

/// Boots it, under the host's time.
pub(super) fn boot(config: &NodeConfig, parts: Parts) -> Result<VirtualRuntime> {
    let endpoint = parts.endpoint;
    let native: NativeProgram = Arc::new(move |name, task| {
        let endpoint = endpoint.clone();
        async move { crate::programs::run(&name, task, endpoint).await }.boxed()
    });
    let make = Make {
        clock: parts.clock,
        seed: random()?,
        hosts: parts.hosts,
        images: parts.images,
        native,
        virtual_time: false,
        observer: None,
        neighbours: parts.neighbours,
    };
    self::make(config, make)
}

/// Boots it.
pub(super) fn make(config: &NodeConfig, make: Make) -> Result<VirtualRuntime> {
    let mut interfaces = config.other_interfaces()?;
    if make.neighbours.is_some() {
        interfaces.retain(|interface| interface.name != "eth0");
    }
    Ok(VirtualRuntime::new(VirtualConfig {
        clock: make.clock,
        seed: make.seed,
        hostname: config.name.clone(),
        pod_cidr: config.cidr()?,
        sandbox_image: config.sandbox_image.clone(),
        memory: config.memory(),
        cpus: config.cpus(),
        bridge: config.bridge()?,
        interfaces,
        neighbours: make.neighbours,
        hosts: make.hosts,
        resolv_conf: config.resolv_conf(),
        lent: config.lent(),
        native: make.native,
        images: make.images,
        virtual_time: make.virtual_time,
        observer: make.observer,
    })?)
}
