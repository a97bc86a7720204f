//! Pod sandboxes: pause, and the namespaces that it holds.

use crate::cgroup::Cgroup;
use crate::child::orders::{Bind, Join, Orders, ProcessOrders};
use crate::mount;
use crate::network::{Lease, NetNs, PodAttachment};
use crate::runtime::container::Container;
use crate::runtime::node::Node;
use crate::runtime::process::{self, Descriptor, Process, failed, internal};
use crate::runtime::stdio::Stdio;
use crate::runtime::users::Users;
use jiff::Timestamp;
use parking_lot::Mutex;
use podsim_cri::backend::{HostPorts, command_line};
use podsim_cri::{
    ContainerConfig, DnsConfig, Image, MountPropagation, NamespaceMode, PodSandboxConfig, PodSandboxState,
    PodSandboxStatus, Result, SandboxId, SecurityContext, UtsNamespace,
};
use podsim_sys::{CloneFlags, Signal};
use rustix::mount::MountFlags;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A Pod's sandbox.
pub(crate) struct Sandbox {
    pub(crate) id: SandboxId,
    pub(crate) config: PodSandboxConfig,
    created_at: Timestamp,
    /// What is on disk for it: `hostname`, `resolv.conf`, `shm`, the root of pause.
    directory: PathBuf,
    pub(crate) pause: Process,
    /// Its user namespace, if that is not the node's.
    pub(crate) users: Option<Users>,
    pub(crate) net: NetNs,
    cgroup: Option<Cgroup>,
    pub(crate) containers: Mutex<Vec<Arc<Container>>>,
    pub(crate) host_ports: HostPorts,
    life: Mutex<Life>,
    image: String,
}

struct Life {
    ready: bool,
    /// Its address, and the veth pair by which it is reached.
    attached: Option<Attached>,
}

struct Attached {
    lease: Lease,
    link: String,
}

impl Sandbox {
    /// Makes and starts a sandbox.
    pub(crate) async fn run(node: &Arc<Node>, config: PodSandboxConfig) -> Result<Arc<Self>> {
        config.check_handler()?;
        let id = SandboxId(node.new_id());
        let directory = node.path("sandboxes", &id.0);
        let made = Self::make(node, id, config, directory.clone()).await;
        if made.is_err() {
            discard(&directory);
        }
        made
    }

    async fn make(node: &Arc<Node>, id: SandboxId, config: PodSandboxConfig, directory: PathBuf) -> Result<Arc<Self>> {
        let image = node.find_image(&node.config.sandbox_image)?;
        mount::directory(&directory).map_err(internal)?;
        let files = || -> io::Result<()> {
            let hostname = node.hostname_of(&config);
            fs::write(directory.join("hostname"), format!("{hostname}\n"))?;
            fs::write(
                directory.join("resolv.conf"),
                resolv_conf(node, config.dns_config.as_ref()),
            )?;
            shm(&directory.join("shm"), &config)
        };
        files().map_err(failed("cannot make the files of the Pod"))?;
        let lease = match config.namespaces.network {
            NamespaceMode::Node => None,
            _ => Some(
                node.network
                    .allocate()
                    .map_err(|error| podsim_cri::Error::Internal(error.to_string()))?,
            ),
        };
        // With the node's network the Pod's ports are the node's own.
        let mappings = lease.as_ref().map_or(&[][..], |_| &config.port_mappings);
        let address = lease.as_ref().map_or(Ipv4Addr::UNSPECIFIED, Lease::address);
        let (netns, clock) = (node.network.netns(), &node.config.clock);
        let host_ports = match node.network.is_its_own() {
            true => HostPorts::open_both(mappings, address.into(), netns, clock, &node.network).await?,
            false => HostPorts::open(mappings, address.into(), netns, clock)?,
        };
        node.limit_pod(&config.metadata.uid, &config.resources)?;
        let cgroup = node.cgroup(&config.metadata.uid, &id.0)?;
        let orders = Self::orders(node, &config, &image, &directory, cgroup.clone())?;
        let users = node.users(&config.namespaces)?;
        let (join, mut descriptors) = match config.namespaces.network {
            NamespaceMode::Node => node.join_network(),
            _ => (Vec::new(), Vec::new()),
        };
        let orders = Orders {
            join,
            users: users.as_ref().map(|users| users.put(&mut descriptors)),
            ..orders
        };
        let stdio = Stdio::none().map_err(internal)?;
        let pause = process::start(&node.spawner, orders, descriptors, stdio).await?.process;
        let net = NetNs::of_pid(pause.pid.0.unsigned_abs()).map_err(internal);
        let attach = |lease: Lease, net: &NetNs| {
            let link = node.network.attach_pod(&PodAttachment {
                sandbox: &id.0,
                netns: net,
                address: lease.address(),
                mac: None,
            });
            link.map(|link| Attached { lease, link })
                .map_err(|error| podsim_cri::Error::Internal(format!("cannot connect the Pod to the bridge: {error}")))
        };
        let connected = net.and_then(|net| Ok((lease.map(|lease| attach(lease, &net)).transpose()?, net)));
        let (attached, net) = match connected {
            Ok(connected) => connected,
            Err(error) => {
                pause.kill(Signal::KILL);
                pause.exited().await;
                return Err(error);
            }
        };
        Ok(Arc::new(Self {
            id,
            created_at: node.now(),
            directory,
            pause,
            users,
            net,
            cgroup,
            containers: Mutex::default(),
            host_ports,
            life: Mutex::new(Life { ready: true, attached }),
            image: node.config.sandbox_image.clone(),
            config,
        }))
    }

    fn orders(
        node: &Node,
        config: &PodSandboxConfig,
        image: &podsim_image::Image,
        directory: &Path,
        cgroup: Option<Cgroup>,
    ) -> Result<Orders> {
        let namespaces = &config.namespaces;
        let own_uts = namespaces.network != NamespaceMode::Node;
        let mut new = CloneFlags::NEWNS;
        new.set(CloneFlags::NEWNET, namespaces.network != NamespaceMode::Node);
        new.set(CloneFlags::NEWUTS, own_uts);
        new.set(CloneFlags::NEWIPC, namespaces.ipc != NamespaceMode::Node);
        new.set(CloneFlags::NEWPID, namespaces.pid != NamespaceMode::Node);
        let security = SecurityContext {
            readonly_rootfs: true,
            ..SecurityContext::default()
        };
        let shown = Image::from(image);
        let argv = command_line(&ContainerConfig::default(), &shown.config);
        Ok(Orders {
            join: Vec::new(),
            users: None,
            new_namespaces: new.bits(),
            hostname: own_uts.then(|| config.hostname.clone()),
            sysctls: config.sysctls.clone(),
            root: Some(node.root(
                image,
                directory,
                &directory.join("shm"),
                cgroup.as_ref(),
                Vec::new(),
                namespaces,
            )?),
            cgroup,
            terminal: None,
            process: ProcessOrders {
                argv,
                environ: image.config.config.env.clone(),
                working_dir: String::new(),
                image_user: String::new(),
                security,
                // The kubelet's `PodInfraOOMAdj`; without CAP_SYS_RESOURCE it stays as it is.
                oom_score_adj: -998,
            },
        })
    }

    /// `/etc/hostname` and `/etc/resolv.conf` of its containers.
    pub(crate) fn binds(&self) -> Vec<Bind> {
        let bind = |name: &str| Bind {
            source: self.directory.join(name),
            within: Vec::new(),
            target: format!("/etc/{name}"),
            readonly: false,
            recursive_readonly: false,
            propagation: MountPropagation::Private,
        };
        vec![bind("hostname"), bind("resolv.conf")]
    }

    /// `/dev/shm` of its containers.
    pub(crate) fn shm(&self) -> PathBuf {
        self.directory.join("shm")
    }

    /// The namespaces of pause that a container joins, and those that it makes for itself. `pid` is what is to be joined for that.
    pub(crate) fn namespaces_for(
        &self,
        config: &ContainerConfig,
        target: Option<Descriptor>,
    ) -> (Vec<Join>, CloneFlags, Vec<Descriptor>) {
        let mut shared = CloneFlags::NEWNET | CloneFlags::NEWIPC;
        let mut new = CloneFlags::NEWNS;
        let own_uts =
            self.config.uts == UtsNamespace::Container && self.config.namespaces.network != NamespaceMode::Node;
        if own_uts {
            new |= CloneFlags::NEWUTS;
        } else {
            shared |= CloneFlags::NEWUTS;
        }
        let mut descriptors = vec![self.pause.pidfd()];
        let mut join = Vec::new();
        match (&config.namespaces.pid, target) {
            (NamespaceMode::Pod, _) => shared |= CloneFlags::NEWPID,
            (NamespaceMode::Container, _) => new |= CloneFlags::NEWPID,
            (NamespaceMode::Target(_), Some(target)) => {
                descriptors.push(target);
                join.push(Join {
                    descriptor: 1,
                    kinds: CloneFlags::NEWPID.bits(),
                });
            }
            (NamespaceMode::Node | NamespaceMode::Target(_), _) => {}
        }
        join.insert(
            0,
            Join {
                descriptor: 0,
                kinds: shared.bits(),
            },
        );
        (join, new, descriptors)
    }

    /// Whether it can take containers.
    pub(crate) fn is_ready(&self) -> bool {
        self.life.lock().ready
    }

    /// Kills all in it, and gives its network back. `false` if that was done before.
    pub(crate) fn stop(&self, node: &Node) -> bool {
        let attached = {
            let mut life = self.life.lock();
            if !life.ready {
                return false;
            }
            life.ready = false;
            life.attached.take()
        };
        self.host_ports.close();
        for container in self.containers.lock().iter() {
            container.kill();
        }
        self.pause.kill(Signal::KILL);
        if let Some(Attached { lease, link }) = attached {
            if let Err(error) = node.network.detach_pod(&link) {
                tracing::warn!("sandbox {}: {error}", self.id);
            }
            drop(lease);
        }
        true
    }

    /// Removes what is left of it when all its processes have ended.
    pub(crate) fn remove(&self, node: &Node) {
        discard(&self.directory);
        if let Some(cgroup) = &self.cgroup
            && let Err(error) = cgroup.remove()
        {
            tracing::debug!("sandbox {}: {error}", self.id);
        }
        node.remove_pod_cgroup(&self.config.metadata.uid);
    }

    pub(crate) fn status(&self) -> PodSandboxStatus {
        let life = self.life.lock();
        let ready = life.ready;
        PodSandboxStatus {
            id: self.id.clone(),
            metadata: self.config.metadata.clone(),
            state: if ready {
                PodSandboxState::Ready
            } else {
                PodSandboxState::NotReady
            },
            created_at: self.created_at,
            ips: life
                .attached
                .iter()
                .map(|attached| IpAddr::V4(attached.lease.address()))
                .collect(),
            pid: (ready && self.pause.lives()).then_some(self.pause.pid),
            image: self.image.clone(),
            namespace_inodes: self.pause.namespace_inodes(),
            namespaces: self.config.namespaces.clone(),
            uts: self.config.uts,
            labels: self.config.labels.clone(),
            annotations: self.config.annotations.clone(),
        }
    }
}

/// Removes a directory of a sandbox or container. (What containers have mounted is in namespaces of their own.)
pub(crate) fn discard(directory: &Path) {
    if let Err(error) = mount::remove_tree(directory) {
        tracing::warn!("{}: {error}", directory.display());
    }
}

/// `/dev/shm`: one for the Pod, as large as Docker's and containerd's; with the node's IPC namespace the node's.
fn shm(path: &Path, config: &PodSandboxConfig) -> io::Result<()> {
    mount::directory(path)?;
    match config.namespaces.ipc {
        NamespaceMode::Node => mount::bind(Path::new("/dev/shm"), path),
        _ => mount::filesystem(
            "shm",
            path,
            "tmpfs",
            MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
            "mode=1777,size=65536k",
        ),
    }
}

fn resolv_conf(node: &Node, dns: Option<&DnsConfig>) -> String {
    dns.map_or_else(|| node.config.resolv_conf.clone(), DnsConfig::resolv_conf)
}
