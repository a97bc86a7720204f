//! A node on the virtual kernel.

use super::backend::Parts;
use super::{NodeConfig, random};
use anyhow::Result;
use futures_util::FutureExt;
use podsim_virtual::{NativeProgram, VirtualConfig, VirtualRuntime};
use std::sync::Arc;

/// Boots it.
pub(super) fn boot(config: &NodeConfig, parts: Parts) -> Result<VirtualRuntime> {
    let endpoint = parts.endpoint;
    let native: NativeProgram = Arc::new(move |name, task| {
        let endpoint = endpoint.clone();
        async move { crate::programs::run(&name, task, endpoint).await }.boxed()
    });
    Ok(VirtualRuntime::new(VirtualConfig {
        clock: parts.clock,
        seed: random()?,
        hostname: config.name.clone(),
        pod_cidr: config.cidr()?,
        sandbox_image: config.sandbox_image.clone(),
        memory: config.memory(),
        cpus: config.cpus(),
        bridge: config.bridge()?,
        interfaces: config.other_interfaces()?,
        hosts: parts.hosts,
        resolv_conf: config.resolv_conf(),
        native,
        images: parts.images,
    })?)
}
