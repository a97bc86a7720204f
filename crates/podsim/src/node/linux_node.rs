//! A node in namespaces of this machine.

use super::backend::Parts;
use super::{NodeConfig, random};
use crate::cluster::ENDPOINT_VARIABLE;
use anyhow::Result;
use podsim_cri::backend::InterfaceConfig;
use podsim_linux::{LinuxConfig, LinuxRuntime, NetworkConfig, Places};
use std::net::Ipv4Addr;

/// The Pods' bridge on the host.
const BRIDGE: &str = "podsim0";

/// Whether its network is one of its own. The host's can be used by root only, and not where the configuration says what the node's looks
/// like.
fn has_own_network(config: &NodeConfig, places: &Places, isolated: bool) -> bool {
    isolated || places.rootless || !config.interfaces.is_empty()
}

/// Its addresses. On the host's network, where the configuration names none, that of the bridge: it is the machine's, and both the Pods and
/// the kubelet reach it.
pub(super) fn addresses(config: &NodeConfig, isolated: bool) -> Result<Vec<Ipv4Addr>> {
    if !config.addresses.is_empty() || has_own_network(config, &Places::find()?, isolated) {
        return config.addresses();
    }
    Ok(vec![config.cidr()?.gateway()])
}

/// Makes it.
pub(super) fn boot(config: &NodeConfig, parts: Parts) -> Result<LinuxRuntime> {
    let places = Places::find()?;
    // No two nodes of a machine have the same.
    let name = format!("{}-{:08x}", config.name, random()? >> 32);
    let network = if has_own_network(config, &places, parts.isolated) {
        NetworkConfig::Own {
            bridge: config.bridge()?,
            interfaces: config.other_interfaces()?,
        }
    } else {
        NetworkConfig::Host {
            bridge: InterfaceConfig::new(BRIDGE),
        }
    };
    let endpoint = serde_json::to_string(&parts.endpoint)?;
    Ok(LinuxRuntime::new(LinuxConfig {
        clock: parts.clock,
        hostname: config.name.clone(),
        pod_cidr: config.cidr()?,
        sandbox_image: config.sandbox_image.clone(),
        network,
        hosts: parts.hosts,
        resolv_conf: config.resolv_conf(),
        run: places.run,
        data: places.data,
        images: parts.images,
        rootless: places.rootless,
        lent: config.lent(),
        shell_environment: vec![format!("{ENDPOINT_VARIABLE}={endpoint}")],
        name,
    })?)
}
