//! The node configuration: `--node-config FILE`.

use anyhow::{Context, Result, bail};
use podsim_cri::backend::{Cidr, InterfaceConfig, LentFolder};
use serde::Deserialize;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// What a node looks like. Every field has a default, so an empty file is a configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct NodeConfig {
    /// The node's name, also its host name.
    pub(crate) name: String,
    /// Its addresses; the first is `status.hostIP`. Default: that of its first interface.
    pub(crate) addresses: Vec<Ipv4Addr>,
    /// The range of the Pods' addresses.
    #[serde(rename = "podCIDR")]
    pub(crate) pod_cidr: String,
    /// `container`: each container has its own UTS namespace (Docker). `pod`: the Pod has one (containerd).
    pub(crate) uts_namespace: UtsMode,
    /// The reference under which the sandboxes' pause image is shown.
    pub(crate) sandbox_image: String,
    /// Memory for all guests, in MiB.
    memory_mib: u64,
    /// CPUs that guests see.
    cpus: u32,
    /// Interfaces. `cni0` changes the Pods' bridge; others are added. Without any but `cni0` there is an `eth0`.
    pub(crate) interfaces: Vec<Interface>,
    /// The node's name servers. Without any it is the node's own address on the Pods' bridge, as node-local DNS has it; nobody answers there, and
    /// so every question fails at once.
    nameservers: Vec<String>,
    /// The registries that may be asked for images, as `localhost:5000`; `*` is all. Others are in PODSIM_REGISTRIES.
    pub(crate) registries: Vec<String>,
    /// Folders and files of this machine that are seen on the node, for `hostPath` volumes and in the node's shell.
    lend: Vec<Lend>,
    /// A folder of this machine with manifests of static Pods.
    static_pod_path: Option<PathBuf>,
    /// Where what is in persistent volumes outlives the node.
    #[serde(skip)]
    pub(crate) volumes: Option<LentFolder>,
}

/// Something of this machine that is lent to the node.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Lend {
    /// Where it is on this machine.
    path: PathBuf,
    /// Where it is seen on the node; at the same path if not given.
    at: Option<String>,
    /// Nobody on the node can write to it.
    #[serde(default)]
    read_only: bool,
}

/// How UTS namespaces are shared.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UtsMode {
    /// One for each container.
    #[default]
    Container,
    /// One for the Pod.
    Pod,
}

/// An interface of the node.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Interface {
    name: String,
    mac: Option<String>,
    address: Option<String>,
    #[serde(default = "no_broadcast")]
    broadcast: Ipv4Addr,
    #[serde(default = "mtu")]
    mtu: u32,
    #[serde(default = "tx_queue_len")]
    tx_queue_len: u32,
    #[serde(default = "carrier")]
    carrier: bool,
}

fn no_broadcast() -> Ipv4Addr {
    Ipv4Addr::UNSPECIFIED
}

fn mtu() -> u32 {
    1500
}

fn tx_queue_len() -> u32 {
    1000
}

fn carrier() -> bool {
    true
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            name: "podsim".to_owned(),
            addresses: Vec::new(),
            pod_cidr: "10.244.0.0/24".to_owned(),
            uts_namespace: UtsMode::Container,
            sandbox_image: "registry.k8s.io/pause:3.9".to_owned(),
            memory_mib: 4096,
            cpus: 2,
            interfaces: Vec::new(),
            nameservers: Vec::new(),
            registries: Vec::new(),
            lend: Vec::new(),
            static_pod_path: None,
            volumes: None,
        }
    }
}

impl NodeConfig {
    /// Reads a configuration file, YAML or JSON.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let place = || format!("node configuration {}", path.display());
        let text = std::fs::read_to_string(path).with_context(place)?;
        let value = podsim_store::manifest::settings(&path.to_string_lossy(), &text)?;
        let config: Self = match value {
            serde_json::Value::Null => Self::default(),
            value => serde_path_to_error::deserialize(value)
                .map_err(|error| anyhow::anyhow!("{}: {}", error.path(), error.inner()))
                .with_context(place)?,
        };
        config.check().with_context(place)?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        let label = |part: &str| {
            !part.is_empty()
                && part.len() <= 63
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        };
        if self.name.len() > 253 || !self.name.split('.').all(label) {
            bail!(
                "name: {:?} is not a DNS name (lower-case letters, digits, `-` and `.`)",
                self.name
            );
        }
        if self.cpus == 0 || self.memory_mib < 64 {
            bail!("cpus must be at least 1 and memoryMib at least 64");
        }
        self.lend.iter().try_for_each(Lend::check)?;
        self.check_static_pods()?;
        self.cidr()?;
        self.bridge()?;
        self.other_interfaces()?;
        Ok(())
    }

    /// The configuration of one of several nodes: all have this one, but for their names, addresses and Pods' ranges, which follow each other.
    pub(crate) fn member(&self, number: u32) -> Result<Self> {
        if number == 0 {
            return Ok(self.clone());
        }
        let mut member = self.clone();
        // They are the first node's.
        member.static_pod_path = None;
        member.name = format!("{}-{}", self.name, number + 1);
        let pods = self.cidr()?;
        let range = || {
            let size = 1_u32.checked_shl(32 - u32::from(pods.prefix))?;
            let first = u32::from(pods.network).checked_add(size.checked_mul(number)?)?;
            Some(format!("{}/{}", Ipv4Addr::from(first), pods.prefix))
        };
        member.pod_cidr = range()
            .with_context(|| format!("podCIDR: there is no room for so many ranges behind {}", self.pod_cidr))?;
        let next = |address: Ipv4Addr| u32::from(address).checked_add(number).map(Ipv4Addr::from);
        let full = || "addresses: there is no room for so many nodes".to_owned();
        for address in &mut member.addresses {
            *address = next(*address).with_context(full)?;
        }
        let (address, prefix) = self.eth0()?;
        let own = next(address).filter(|own| Cidr::of(*own, prefix) == Cidr::of(address, prefix));
        let own = own.with_context(full)?;
        member.interfaces.retain(|interface| interface.name != "eth0");
        member.interfaces.insert(
            0,
            Interface {
                address: Some(format!("{own}/{prefix}")),
                ..Interface::named("eth0")
            },
        );
        Ok(member)
    }

    /// The address of its first card, and the bits of its network.
    pub(crate) fn eth0(&self) -> Result<(Ipv4Addr, u8)> {
        let interfaces = self.other_interfaces()?;
        let eth0 = interfaces.iter().find(|interface| interface.name == "eth0");
        eth0.and_then(|eth0| eth0.ipv4)
            .context("interfaces: several nodes need an eth0 with an address")
    }

    /// What of this machine is seen on the node.
    pub(crate) fn lent(&self) -> Vec<LentFolder> {
        let volumes = self.volumes.iter().cloned();
        self.lend.iter().map(Lend::folder).chain(volumes).collect()
    }

    /// The folder with static Pods.
    pub(crate) fn static_pod_path(&self) -> Option<&Path> {
        self.static_pod_path.as_deref()
    }

    /// Has the manifests of this folder run.
    ///
    /// # Errors
    ///
    /// It is no folder.
    pub(crate) fn run_static_pods(&mut self, folder: &Path) -> Result<()> {
        self.static_pod_path = Some(folder.to_owned());
        self.check_static_pods()
    }

    fn check_static_pods(&self) -> Result<()> {
        match &self.static_pod_path {
            Some(path) if !path.is_dir() => bail!("staticPodPath: {} is not a directory", path.display()),
            _ => Ok(()),
        }
    }

    /// Bytes of memory for all guests.
    pub(crate) fn memory(&self) -> u64 {
        self.memory_mib << 20
    }

    /// CPUs that guests see.
    pub(crate) fn cpus(&self) -> u32 {
        self.cpus
    }

    /// The node's `/etc/resolv.conf`.
    pub(crate) fn resolv_conf(&self) -> String {
        let line = |server: &String| format!("nameserver {server}\n");
        match self.nameservers.as_slice() {
            [] => {
                let bridge = self.cidr().map(|cidr| cidr.gateway().to_string());
                bridge.iter().map(line).collect()
            }
            given => given.iter().map(line).collect(),
        }
    }

    /// The range of the Pods' addresses.
    pub(crate) fn cidr(&self) -> Result<Cidr> {
        Cidr::parse(&self.pod_cidr)
            .filter(|cidr| cidr.prefix <= 30)
            .with_context(|| format!("podCIDR: {:?} is not a range such as 10.244.0.0/24", self.pod_cidr))
    }

    /// The Pods' bridge.
    pub(crate) fn bridge(&self) -> Result<InterfaceConfig> {
        match self.interfaces.iter().find(|interface| interface.name == "cni0") {
            Some(interface) => interface.config(),
            None => Interface::named("cni0").config(),
        }
    }

    /// The node's other interfaces.
    pub(crate) fn other_interfaces(&self) -> Result<Vec<InterfaceConfig>> {
        let others: Vec<_> = self
            .interfaces
            .iter()
            .filter(|interface| interface.name != "cni0")
            .collect();
        if others.iter().any(|interface| interface.name == "eth0") {
            return others.into_iter().map(Interface::config).collect();
        }
        let eth0 = Interface {
            address: Some("192.168.49.2/24".to_owned()),
            broadcast: Ipv4Addr::new(192, 168, 49, 255),
            ..Interface::named("eth0")
        };
        std::iter::once(&eth0).chain(others).map(Interface::config).collect()
    }

    /// The node's addresses.
    pub(crate) fn addresses(&self) -> Result<Vec<Ipv4Addr>> {
        if !self.addresses.is_empty() {
            return Ok(self.addresses.clone());
        }
        Ok(self
            .other_interfaces()?
            .iter()
            .filter_map(|interface| interface.ipv4)
            .map(|(ip, _)| ip)
            .take(1)
            .collect())
    }
}

impl Lend {
    fn folder(&self) -> LentFolder {
        LentFolder {
            host: self.path.clone(),
            node: self
                .at
                .clone()
                .unwrap_or_else(|| self.path.to_string_lossy().into_owned()),
            readonly: self.read_only,
            owners: None,
        }
    }

    fn check(&self) -> Result<()> {
        let shown = self.path.display();
        if !self.path.is_absolute() {
            bail!("lend: path: {shown} is not an absolute path of this machine");
        }
        if let Err(error) = std::fs::metadata(&self.path) {
            bail!("lend: path: {shown}: {error}");
        }
        let at = self.folder().node;
        let mut parts = at.split('/');
        let absolute = parts.next() == Some("") && at.len() > 1;
        if !absolute || parts.any(|part| matches!(part, "" | "." | "..")) {
            bail!("lend: at: {at:?} is not an absolute path for the node, such as /data");
        }
        let first = at.split('/').nth(1).unwrap_or_default();
        if ["proc", "sys", "dev"].contains(&first) {
            bail!("lend: at: {at:?} is a place of the node's own; choose another one, such as /data");
        }
        Ok(())
    }
}

impl Interface {
    fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            mac: None,
            address: None,
            broadcast: no_broadcast(),
            mtu: mtu(),
            tx_queue_len: tx_queue_len(),
            carrier: true,
        }
    }

    fn config(&self) -> Result<InterfaceConfig> {
        let place = |what: &str| format!("interfaces: {}: {what}", self.name);
        if self.name.is_empty() || self.name.len() > 15 || self.name.contains(['/', ' ', ':']) || self.name == "lo" {
            bail!(
                "interfaces: {:?} is not a name for an interface (1 to 15 characters)",
                self.name
            );
        }
        let mac = match &self.mac {
            Some(text) => {
                Some(parse_mac(text).with_context(|| place("mac: six bytes such as 02:42:bb:9b:62:76 are needed"))?)
            }
            None => None,
        };
        let ipv4 = match &self.address {
            Some(text) => {
                Some(parse_address(text).with_context(|| place("address: one such as 172.17.0.1/16 is needed"))?)
            }
            None => None,
        };
        Ok(InterfaceConfig {
            name: self.name.clone(),
            mac,
            ipv4,
            broadcast: self.broadcast,
            mtu: self.mtu,
            tx_queue_len: self.tx_queue_len,
            carrier: self.carrier,
        })
    }
}

fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let bytes: Vec<u8> = text
        .split(':')
        .map(|part| u8::from_str_radix(part, 16).ok())
        .collect::<Option<_>>()?;
    bytes.try_into().ok()
}

fn parse_address(text: &str) -> Option<(Ipv4Addr, u8)> {
    let (address, prefix) = text.split_once('/')?;
    Some((address.parse().ok()?, prefix.parse().ok().filter(|p| *p <= 32)?))
}
