//! A node in namespaces of this machine.

use super::backend::Parts;
use super::{NodeConfig, random};
use crate::cluster::ENDPOINT_VARIABLE;
use anyhow::Result;
use podsim_cri::backend::InterfaceConfig;
use podsim_linux::{LinuxConfig, LinuxRuntime, NetworkConfig, Places};

/// The Pods' bridge on the host.
const BRIDGE: &str = "podsim0";

/// Makes it.
pub(super) fn boot(config: &NodeConfig, parts: Parts) -> Result<LinuxRuntime> {
    let places = Places::find()?;
    // No two nodes of a machine have the same.
    let name = format!("{}-{:08x}", config.name, random()? >> 32);
    // The host's own network can be used by root only, and not where the configuration says what the node's looks like.
    let own = parts.isolated || places.rootless || !config.interfaces.is_empty();
    let network = if own {
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
        shell_environment: vec![format!("{ENDPOINT_VARIABLE}={endpoint}")],
        name,
    })?)
}
