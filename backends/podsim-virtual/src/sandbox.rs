//! Pod sandboxes: pause, and the namespaces that it holds.

use crate::container::{Container, limit};
use crate::node::Node;
use crate::process::{self, Io, StartRequest};
use crate::rootfs::{self, RootfsRequest};
use crate::stdio::describe;
use jiff::Timestamp;
use parking_lot::Mutex;
use podsim_cri::backend::HostPorts;
use podsim_cri::{
    NamespaceInodes, NamespaceMode, PodSandboxConfig, PodSandboxState, PodSandboxStatus, Result, SandboxId,
    SecurityContext, UtsNamespace,
};
use podsim_kernel::fs::system_mounts::shm;
use podsim_kernel::fs::{FsContext, PathRef, SuperBlock};
use podsim_kernel::ipc::IpcNamespace;
use podsim_kernel::net::{NetNamespace, VethRequest};
use podsim_kernel::process::{Cgroup, PidNamespace};
use podsim_kernel::users::UserNamespace;
use podsim_kernel::{NsProxy, Task, nsproxy, sysctl};
use podsim_sys::{CapSet, Credentials, Mode, NsKind, Signal};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// A Pod's sandbox.
pub(crate) struct Sandbox {
    pub(crate) id: SandboxId,
    pub(crate) config: PodSandboxConfig,
    pub(crate) created_at: Timestamp,
    /// Net, ipc and uts are the sandbox's (or the node's); mnt and pid are those of pause.
    pub(crate) namespaces: Arc<NsProxy>,
    pub(crate) cgroup: Arc<Cgroup>,
    pub(crate) shm: Arc<SuperBlock>,
    /// `/etc/hostname` and `/etc/resolv.conf` of its containers.
    pub(crate) hostname_file: PathRef,
    pub(crate) resolv_conf: PathRef,
    pub(crate) containers: Mutex<Vec<Arc<Container>>>,
    pub(crate) pause: Task,
    pub(crate) host_ports: HostPorts,
    life: Mutex<Life>,
    image: String,
}

struct Life {
    ready: bool,
    address: Option<Ipv4Addr>,
}

/// The inode numbers of a process's namespaces.
pub(crate) fn inodes(namespaces: &NsProxy) -> NamespaceInodes {
    NamespaceInodes::from([
        (NsKind::Cgroup, NsKind::Cgroup.initial_inode()),
        (NsKind::Ipc, namespaces.ipc.inode),
        (NsKind::Mnt, namespaces.mnt.inode),
        (NsKind::Net, namespaces.net.inode),
        (NsKind::Pid, namespaces.pid_for_children.inode),
        (NsKind::User, namespaces.user.inode),
        (NsKind::Uts, namespaces.uts.inode),
    ])
}

impl Sandbox {
    /// Makes and starts a sandbox.
    pub(crate) async fn run(node: &Arc<Node>, config: PodSandboxConfig) -> Result<Arc<Self>> {
        config.check_handler()?;
        let id = SandboxId(node.new_id());
        let address = match config.namespaces.network {
            NamespaceMode::Node => None,
            _ => Some(allocate(node)?),
        };
        // With the node's network the Pod's ports are the node's own.
        let mappings = address.map_or(&[][..], |_| &config.port_mappings);
        let pod = address.unwrap_or(Ipv4Addr::UNSPECIFIED).into();
        let dialer = node.dialer();
        let host_ports = HostPorts::open_both(mappings, pod, &dialer, &node.config.clock, &dialer).await;
        let made = host_ports.and_then(|host_ports| Self::make(node, id, config, address, host_ports));
        if let (Err(_), Some(address)) = (&made, address) {
            node.ipam.lock().release(address);
        }
        made
    }

    fn make(
        node: &Arc<Node>,
        id: SandboxId,
        config: PodSandboxConfig,
        address: Option<Ipv4Addr>,
        host_ports: HostPorts,
    ) -> Result<Arc<Self>> {
        let kernel = &node.kernel;
        let initial = kernel.initial_namespaces();
        let image = rootfs::find_image(&node.config.images, &node.config.sandbox_image)?;
        let cgroup = kernel
            .root_cgroup()
            .child(&format!("kubepods/pod{}", config.metadata.uid));
        limit(&cgroup, &config.resources);
        let ipc = match config.namespaces.ipc {
            NamespaceMode::Node => initial.ipc.clone(),
            _ => IpcNamespace::new(kernel.allocate_ns_inode(), kernel.clock().clone()),
        };
        let net = match address {
            None => initial.net.clone(),
            Some(address) => {
                connect(node, address).map_err(|errno| describe("cannot connect the Pod to the bridge", errno))?
            }
        };
        let user = match config.namespaces.own_users {
            false => initial.user.clone(),
            true => kernel
                .new_user_namespace()
                .map_err(|errno| describe("cannot make a user namespace", errno))?,
        };
        let pid = match config.namespaces.pid {
            NamespaceMode::Node => initial.pid_for_children.clone(),
            _ => new_pid_namespace(node, &user)?,
        };
        let uts = Self::new_uts(node, &config);
        let partial = NsProxy {
            uts,
            ipc,
            net,
            user,
            pid_for_children: pid,
            mnt: initial.mnt.clone(),
        };
        for (name, value) in &config.sysctls {
            sysctl::set(&partial, name, value)
                .map_err(|errno| describe(&format!("cannot set {name} to {value:?}"), errno))?;
        }
        // With the node's ipc namespace comes the node's /dev/shm.
        let shm = match config.namespaces.ipc {
            NamespaceMode::Node => initial
                .mnt
                .resolve("/dev/shm")
                .map_err(|e| describe("/dev/shm", e))?
                .mount
                .sb()
                .clone(),
            _ => shm(node.vfs()),
        };
        let security = SecurityContext {
            readonly_rootfs: true,
            ..SecurityContext::default()
        };
        let rootfs = rootfs::build(
            node,
            &RootfsRequest {
                image: &image,
                namespaces: &partial,
                cgroup: &cgroup,
                shm: &shm,
                security: &security,
                binds: Vec::new(),
            },
        )?;
        let namespaces = Arc::new(NsProxy {
            mnt: rootfs.mounts,
            ..partial
        });
        let (hostname_file, resolv_conf) = Self::files(node, &config)
            .map_err(|errno| describe("cannot make /etc/hostname and /etc/resolv.conf", errno))?;
        let io = Io::pipes(node, false, false, false)?;
        let argv: Vec<String> = [&image.config.config.entrypoint[..], &image.config.config.cmd[..]].concat();
        let root = namespaces.mnt.root();
        let pause = process::start(
            kernel,
            &StartRequest {
                namespaces: namespaces.clone(),
                fs: FsContext {
                    root: root.clone(),
                    cwd: root,
                    umask: Mode(0o022),
                },
                credentials: Credentials::root(CapSet::CONTAINER_DEFAULT),
                program: argv.first().map_or("/pause", String::as_str),
                argv: &argv,
                environ: image.config.config.env.clone(),
                io: &io,
                cgroup: cgroup.child(&id.0),
                rlimits: Vec::new(),
            },
        )?;
        Ok(Arc::new(Self {
            id,
            created_at: node.now(),
            namespaces,
            cgroup,
            shm,
            hostname_file,
            resolv_conf,
            containers: Mutex::default(),
            pause,
            host_ports,
            life: Mutex::new(Life { ready: true, address }),
            image: node.config.sandbox_image.clone(),
            config,
        }))
    }

    /// A UTS namespace for the Pod or for a container of it. With the node's network comes the node's name.
    pub(crate) fn new_uts(node: &Node, config: &PodSandboxConfig) -> Arc<nsproxy::UtsNamespace> {
        match config.namespaces.network {
            NamespaceMode::Node => node.kernel.initial_namespaces().uts.clone(),
            _ => node.kernel.new_uts_namespace(&config.hostname),
        }
    }

    /// The UTS namespace of a container.
    pub(crate) fn container_uts(&self, node: &Node) -> Arc<nsproxy::UtsNamespace> {
        match self.config.uts {
            UtsNamespace::Pod => self.namespaces.uts.clone(),
            UtsNamespace::Container => Self::new_uts(node, &self.config),
        }
    }

    /// The files that the runtime makes for the containers of the Pod: one each, shared.
    fn files(node: &Node, config: &PodSandboxConfig) -> podsim_sys::Result<(PathRef, PathRef)> {
        let mounts = crate::volume::scratch(node, None, Mode(0o755));
        let hostname = if config.hostname.is_empty() {
            &node.config.hostname
        } else {
            &config.hostname
        };
        let hostname = mounts.write_file("/hostname", format!("{hostname}\n").as_bytes(), Mode(0o644))?;
        let resolv_conf = match &config.dns_config {
            None => node.config.resolv_conf.clone(),
            Some(dns) => dns.resolv_conf(),
        };
        let resolv_conf = mounts.write_file("/resolv.conf", resolv_conf.as_bytes(), Mode(0o644))?;
        Ok((hostname, resolv_conf))
    }

    /// Whether it can take containers.
    pub(crate) fn is_ready(&self) -> bool {
        self.life.lock().ready
    }

    /// Kills all in it, and gives its address back. `false` if that was done before.
    pub(crate) fn stop(&self, node: &Node) -> bool {
        let address = {
            let mut life = self.life.lock();
            if !life.ready {
                return false;
            }
            life.ready = false;
            life.address.take()
        };
        self.host_ports.close();
        for container in self.containers.lock().iter() {
            container.kill(node);
        }
        node.kernel.kill_host(&self.pause.process, Signal::KILL);
        if let Some(address) = address {
            self.namespaces.net.detach_pod();
            node.ipam.lock().release(address);
        }
        true
    }

    pub(crate) fn status(&self) -> PodSandboxStatus {
        let life = self.life.lock();
        let state = if life.ready {
            PodSandboxState::Ready
        } else {
            PodSandboxState::NotReady
        };
        PodSandboxStatus {
            id: self.id.clone(),
            metadata: self.config.metadata.clone(),
            state,
            created_at: self.created_at,
            ips: life.address.map(IpAddr::V4).into_iter().collect(),
            pid: life.ready.then(|| self.pause.process.global_pid()),
            image: self.image.clone(),
            namespace_inodes: inodes(&self.namespaces),
            namespaces: self.config.namespaces.clone(),
            uts: self.config.uts,
            labels: self.config.labels.clone(),
            annotations: self.config.annotations.clone(),
        }
    }
}

fn allocate(node: &Node) -> Result<Ipv4Addr> {
    let mut ipam = node.ipam.lock();
    let address = ipam.allocate();
    address.ok_or_else(|| podsim_cri::Error::Internal(format!("no free address in {}", ipam.cidr())))
}

/// A new pid namespace below the node's.
pub(crate) fn new_pid_namespace(node: &Node, owner: &Arc<UserNamespace>) -> Result<Arc<PidNamespace>> {
    node.kernel
        .new_pid_namespace(node.kernel.initial_pid_namespace(), owner)
        .map_err(|errno| describe("cannot make a pid namespace", errno))
}

/// A network namespace with an `eth0` that hangs on the node's bridge.
fn connect(node: &Node, address: Ipv4Addr) -> podsim_sys::Result<Arc<NetNamespace>> {
    let net = NetNamespace::new(node.kernel.allocate_ns_inode());
    net.set_link_up("lo", true)?;
    let cidr = node.ipam.lock().cidr();
    net.attach_pod(
        &node.kernel.initial_namespaces().net,
        &VethRequest {
            bridge: node.config.bridge.name.clone(),
            address,
            prefix: cidr.prefix,
            gateway: Some(cidr.gateway()),
            mac: node.new_mac(),
        },
    )?;
    Ok(net)
}
