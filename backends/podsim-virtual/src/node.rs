//! The node under the Pods: kernel, images, its own filesystem, interfaces and shell.

use crate::config::VirtualConfig;
use crate::dial::NodeNet;
use crate::launcher::WasmLauncher;
use crate::process::{self, Io, StartRequest};
use crate::rootfs::LayerCache;
use crate::stdio::describe;
use jiff::Timestamp;
use parking_lot::Mutex;
use podsim_cri::backend::{self, Cidr, InterfaceConfig, Ipam};
use podsim_cri::{Error, ExecSession, HostPathCreate, Result};
use podsim_kernel::fs::overlay::Overlay;
use podsim_kernel::fs::system_mounts::{SystemMounts, shm};
use podsim_kernel::fs::tmpfs;
use podsim_kernel::fs::{FsContext, Vfs};
use podsim_kernel::net::{LinkRequest, NetNamespace};
use podsim_kernel::tty::PtyRegistry;
use podsim_kernel::{Kernel, KernelConfig};
use podsim_sys::{CapSet, Credentials, Errno, FileType, Ipv4Interface, Mode, MountFlags, Winsize};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The search path of the node's shell.
const NODE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A virtual node.
pub(crate) struct Node {
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) layers: LayerCache,
    pub(crate) config: VirtualConfig,
    pub(crate) ipam: Mutex<Ipam>,
    ptys: Arc<PtyRegistry>,
}

/// The usual `/etc/hosts` of a node, which Pods on the node's network see too.
#[must_use]
pub fn node_hosts(hostname: &str, address: Option<Ipv4Addr>) -> String {
    let own = address.map_or_else(String::new, |address| format!("{address}\t{hostname}\n"));
    format!("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n{own}")
}

impl Node {
    /// Boots a node.
    pub(crate) fn boot(config: VirtualConfig) -> Result<Arc<Self>> {
        let launcher = WasmLauncher::new(&config)?;
        let kernel = Kernel::new(KernelConfig {
            clock: config.clock.clone(),
            seed: config.seed,
            hostname: config.hostname.clone(),
            launcher,
            memory: config.memory,
            cpus: config.cpus,
        });
        let node = Arc::new(Self {
            layers: LayerCache::default(),
            ipam: Mutex::new(Ipam::new(config.pod_cidr)),
            ptys: PtyRegistry::new(Arc::downgrade(&kernel)),
            config,
            kernel,
        });
        node.mount_filesystems()?;
        for (lent, minor) in node.config.lent.iter().zip(0..) {
            crate::hostfs::mount(&node.kernel.initial_namespaces().mnt, lent, minor)?;
        }
        if let Some(neighbours) = &node.config.neighbours {
            neighbours
                .show(&node.kernel.initial_namespaces().mnt)
                .map_err(|errno| describe("cannot show what the nodes share", errno))?;
        }
        node.bring_up_network()
            .map_err(|errno| describe("cannot configure the node's network", errno))?;
        Ok(node)
    }

    pub(crate) fn vfs(&self) -> &Arc<Vfs> {
        self.kernel.initial_namespaces().mnt.vfs()
    }

    /// The time, for statuses and logs.
    pub(crate) fn now(&self) -> Timestamp {
        backend::now(&*self.config.clock)
    }

    /// 64 hexadecimal digits, as container runtimes have them.
    pub(crate) fn new_id(&self) -> String {
        let mut bytes = [0; 32];
        self.kernel.random(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn new_mac(&self) -> [u8; 6] {
        let mut mac = [0; 6];
        self.kernel.random(&mut mac);
        mac[0] = (mac[0] & 0xfc) | 0x02; // locally administered, unicast
        mac
    }

    fn mount_filesystems(&self) -> Result<()> {
        let image = self
            .config
            .images
            .node_image()
            .ok_or_else(|| Error::Internal("there is no image for the node".to_owned()))?;
        let tree = self.layers.tree(&image)?;
        let initial = self.kernel.initial_namespaces();
        let mounts = &initial.mnt;
        let shm = shm(self.vfs());
        let mount = || -> podsim_sys::Result<()> {
            let vfs = self.vfs();
            let root = Overlay::mount(vfs, &[tree], tmpfs::Limits::default());
            mounts.mount(&root, "/dev/vda1", &mounts.root(), MountFlags::RELATIME)?;
            let cgroup = self.kernel.root_cgroup();
            let system = SystemMounts {
                namespaces: initial,
                cgroup,
                ptys: &self.ptys,
                shm: &shm,
                sys_readonly: false,
            };
            system.mount(&self.kernel, mounts)?;
            mounts.mkdir_all("/etc", Mode(0o755))?;
            mounts.write_file("/etc/hosts", self.config.hosts.as_bytes(), Mode(0o644))?;
            mounts.write_file(
                "/etc/hostname",
                format!("{}\n", self.config.hostname).as_bytes(),
                Mode(0o644),
            )?;
            mounts.write_file("/etc/resolv.conf", self.config.resolv_conf.as_bytes(), Mode(0o644))?;
            mounts.mkdir_all("/root", Mode(0o700))?;
            Ok(())
        };
        mount().map_err(|errno| describe("cannot mount the node's filesystems", errno))
    }

    /// What is at a path of the node's own filesystem, made first if nothing is.
    pub(crate) fn host_path(&self, path: &str, create: Option<HostPathCreate>) -> Result<Option<FileType>> {
        let node = &self.kernel.initial_namespaces().mnt;
        let found = match (node.resolve(path), create) {
            (Err(Errno::ENOENT | Errno::ENOTDIR), None) => return Ok(None),
            (Err(Errno::ENOENT), Some(HostPathCreate::Directory)) => node
                .mkdir_all(path, Mode(0o755))
                .map_err(|errno| describe(&format!("mkdir {path}"), errno)),
            (Err(Errno::ENOENT), Some(HostPathCreate::File)) => node
                .write_file(path, b"", Mode(0o644))
                .map_err(|errno| describe(&format!("open {path}"), errno)),
            (found, _) => found.map_err(|errno| describe(&format!("stat {path}"), errno)),
        };
        Ok(Some(found?.inode().file_type()))
    }

    fn net(&self) -> &Arc<NetNamespace> {
        &self.kernel.initial_namespaces().net
    }

    /// Connections from the node.
    pub(crate) fn dialer(&self) -> NodeNet {
        NodeNet(self.net().clone())
    }

    fn bring_up_network(&self) -> podsim_sys::Result<()> {
        let net = self.net();
        net.set_link_up("lo", true)?;
        net.set_forwarding(true);
        let cidr = self.config.pod_cidr;
        let bridge = InterfaceConfig {
            ipv4: self.config.bridge.ipv4.or(Some((cidr.gateway(), cidr.prefix))),
            ..self.config.bridge.clone()
        };
        for (interface, bridge) in self
            .config
            .interfaces
            .iter()
            .map(|i| (i, !i.carrier))
            .chain([(&bridge, true)])
        {
            let ipv4 = interface.ipv4.map(|(address, prefix)| Ipv4Interface {
                address,
                prefix,
                broadcast: interface.broadcast,
            });
            net.add_link(&LinkRequest {
                name: interface.name.clone(),
                bridge,
                mac: interface.mac.unwrap_or_else(|| self.new_mac()),
                mtu: interface.mtu,
                tx_queue_len: interface.tx_queue_len,
                ipv4: ipv4.into_iter().collect(),
                ipv6: Vec::new(),
            })?;
        }
        if let Some(neighbours) = &self.config.neighbours {
            return neighbours.join(self, net);
        }
        // The default route goes over the first interface, to the first address of its network.
        if let Some((interface, (address, prefix))) = self.config.interfaces.iter().find_map(|i| Some((i, i.ipv4?))) {
            let network = Cidr::of(address, prefix);
            if network.gateway() != address {
                net.add_default_route(network.gateway(), &interface.name)?;
            }
        }
        Ok(())
    }

    /// Starts a command in the node's own namespaces, as root: the node's shell.
    pub(crate) fn exec(
        self: &Arc<Self>,
        command: &[String],
        tty: bool,
        stdin: bool,
        winsize: Option<Winsize>,
    ) -> Result<ExecSession> {
        let initial = self.kernel.initial_namespaces();
        let root = initial.mnt.root();
        let cwd = initial.mnt.resolve("/root").unwrap_or_else(|_| root.clone());
        let io = if tty {
            Io::pty(&self.ptys, winsize)?
        } else {
            Io::pipes(self, stdin, true, true)?
        };
        let program = command
            .first()
            .ok_or_else(|| Error::InvalidArgument("a command is needed".to_owned()))?;
        let mut environ = vec![
            format!("PATH={NODE_PATH}"),
            "HOME=/root".to_owned(),
            "USER=root".to_owned(),
            "SHELL=/bin/sh".to_owned(),
            format!("HOSTNAME={}", self.config.hostname),
        ];
        if tty {
            environ.push("TERM=xterm".to_owned());
        }
        let task = process::start(
            &self.kernel,
            &StartRequest {
                namespaces: initial.clone(),
                fs: FsContext {
                    root,
                    cwd,
                    umask: Mode(0o022),
                },
                credentials: Credentials::root(CapSet::FULL),
                program,
                argv: command,
                environ,
                io: &io,
                cgroup: self.kernel.root_cgroup().child("system.slice/podsim-shell.service"),
                rlimits: Vec::new(),
            },
        )?;
        Ok(process::session(task, io))
    }
}
