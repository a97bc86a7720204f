//! The node under the Pods: images, network, cgroups, and its own shell.

use crate::cgroup::{Cgroup, Manager};
use crate::child::orders::{Bind, Join, Orders, ProcessOrders, RootOrders, RootSource, TerminalOrders};
use crate::inside::{Inside, is_directory};
use crate::mount;
use crate::network::{NetNs, NodeNetwork, NodeNetworkConfig};
use crate::prune;
use crate::runtime::config::{LinuxConfig, NetworkConfig};
use crate::runtime::process::{self, Descriptor, Started, failed, internal};
use crate::runtime::stdio::Stdio;
use crate::runtime::users::Users;
use crate::runtime::volume;
use crate::spawner::Spawner;
use jiff::Timestamp;
use podsim_cri::backend;
use podsim_cri::{
    Error, HostPathCreate, NamespaceMode, NamespaceOption, PodSandboxConfig, Resources, Result, SecurityContext,
};
use podsim_image::layer_store::{LayerStoreError, OverlayXattrs};
use podsim_image::{Image, LayerStore};
use podsim_sys::{CloneFlags, FileType, Winsize};
use rustix::mount::MountFlags;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A Linux node.
pub(crate) struct Node {
    pub(crate) config: LinuxConfig,
    pub(crate) spawner: Spawner,
    layers: LayerStore,
    pub(crate) network: NodeNetwork,
    /// Its namespace, if that is not the host's.
    own_network: Option<NetNs>,
    /// Locked as long as the node lives: what is in an unlocked directory has been left behind.
    _lock: File,
    /// The node's own directory.
    directory: PathBuf,
    cgroups: Manager,
    /// Whether overlayfs can be used; otherwise images are copied.
    overlay: bool,
}

impl Node {
    /// Makes a node.
    pub(crate) fn boot(config: LinuxConfig) -> Result<Arc<Self>> {
        for leftover in prune::prune(&config.run).map_err(internal)? {
            tracing::info!("removed what the node {} had left behind", leftover.node);
        }
        let run = config.run.clone();
        Self::make(config).inspect_err(|_| {
            // By now its directory is not locked any more, so that it is one more dead node.
            let _ = prune::prune(&run);
        })
    }

    fn make(config: LinuxConfig) -> Result<Arc<Self>> {
        let directory = config.directory();
        let lock = prune::claim(&config.run, &directory).map_err(internal)?;
        for name in ["sandboxes", "containers", "volumes"] {
            mount::directory(&directory.join(name)).map_err(internal)?;
        }
        let xattrs = if config.rootless {
            OverlayXattrs::User
        } else {
            OverlayXattrs::Trusted
        };
        let fail = |error: &dyn std::fmt::Display| Error::Internal(error.to_string());
        let layers = LayerStore::open(&config.data, xattrs).map_err(|error| fail(&error))?;
        rustix::system::sethostname(config.hostname.as_bytes()).map_err(|errno| failed("sethostname")(errno.into()))?;
        let (network, own_network) = network(&config).map_err(|error| fail(&error))?;
        let mut cgroups = Manager::detect();
        cgroups.prepare();
        let node = Arc::new(Self {
            spawner: Spawner::start().map_err(failed("cannot start processes"))?,
            layers,
            network,
            own_network,
            cgroups,
            overlay: overlay_works(&directory, config.rootless),
            _lock: lock.ok_or_else(|| Error::AlreadyExists(format!("node {}", config.name)))?,
            directory,
            config,
        });
        node.prepare_shell()?;
        Ok(node)
    }

    /// The time, for statuses and logs.
    pub(crate) fn now(&self) -> Timestamp {
        backend::now(&*self.config.clock)
    }

    /// 64 hexadecimal digits, as container runtimes have them.
    pub(crate) fn new_id(&self) -> String {
        let mut bytes = [0; 32];
        // An empty rest is not random, but an id that is taken is refused by the directory that it names.
        let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Where something of the node is on disk.
    pub(crate) fn path(&self, kind: &str, id: &str) -> PathBuf {
        self.directory.join(kind).join(id)
    }

    /// The namespace of the node's network, if that is not the host's.
    pub(crate) fn own_network(&self) -> Option<&NetNs> {
        self.own_network.as_ref()
    }

    /// What a process does to be in the node's network namespace.
    pub(crate) fn join_network(&self) -> (Vec<Join>, Vec<Descriptor>) {
        let Some(network) = &self.own_network else {
            return (Vec::new(), Vec::new());
        };
        let join = Join {
            descriptor: 0,
            kinds: CloneFlags::NEWNET.bits(),
        };
        (vec![join], vec![Arc::new(network.clone())])
    }

    /// The user namespace of a Pod that is to have its own.
    pub(crate) fn users(&self, namespaces: &NamespaceOption) -> Result<Option<Users>> {
        if !namespaces.own_users {
            return Ok(None);
        }
        if self.config.rootless {
            let message = "hostUsers: false needs a podsim of root: nobody else may show files with other owners (mount_setattr(2))";
            return Err(Error::InvalidArgument(message.to_owned()));
        }
        Users::new(&self.config.run)
            .map(Some)
            .map_err(failed("cannot make a user namespace"))
    }

    /// The host name that a Pod has.
    pub(crate) fn hostname_of<'a>(&'a self, config: &'a PodSandboxConfig) -> &'a str {
        if config.hostname.is_empty() {
            &self.config.hostname
        } else {
            &config.hostname
        }
    }

    /// The image that a reference means.
    pub(crate) fn find_image(&self, reference: &str) -> Result<Arc<Image>> {
        let missing = || Error::ImageNotFound(format!("image {reference:?} is not present on this node"));
        self.config.images.find(reference).ok_or_else(missing)
    }

    /// The cgroup of a sandbox or container; `None` where nothing can be limited.
    pub(crate) fn cgroup(&self, pod_uid: &str, id: &str) -> Result<Option<Cgroup>> {
        let path = format!("{}/pod{pod_uid}/{id}", self.config.name);
        match self.cgroups.create(&path) {
            Ok(cgroup) => Ok(Some(cgroup)),
            Err(error) => Err(Error::Internal(error.to_string())),
        }
    }

    /// Limits a Pod as a whole, if it is to be.
    pub(crate) fn limit_pod(&self, pod_uid: &str, resources: &Resources) -> Result<()> {
        if *resources == Resources::default() {
            return Ok(());
        }
        let fail = |error: &dyn std::fmt::Display| Error::Internal(error.to_string());
        let cgroup = self.cgroups.create(&format!("{}/pod{pod_uid}", self.config.name));
        let cgroup = cgroup.map_err(|error| fail(&error))?;
        cgroup.apply(resources).map_err(|error| fail(&error))
    }

    /// Removes the cgroup of a Pod that has no sandbox and no container any more.
    pub(crate) fn remove_pod_cgroup(&self, pod_uid: &str) {
        let cgroup = self.cgroups.find(&format!("{}/pod{pod_uid}", self.config.name));
        if let Err(error) = cgroup.remove() {
            tracing::debug!("pod {pod_uid}: {error}");
        }
    }

    /// The root of a container: its image under a private layer in `directory`.
    pub(crate) fn root(
        &self,
        image: &Image,
        directory: &Path,
        shm: &Path,
        cgroup: Option<&Cgroup>,
        binds: Vec<Bind>,
        namespaces: &NamespaceOption,
    ) -> Result<RootOrders> {
        let (target, upper, work) = (directory.join("root"), directory.join("upper"), directory.join("work"));
        let source = if self.overlay {
            for directory in [&target, &upper, &work] {
                mount::directory(directory).map_err(internal)?;
            }
            RootSource::Overlay {
                lower: self
                    .layers
                    .lower_dirs(image)
                    .map_err(|error| Error::Internal(error.to_string()))?,
                upper,
                work,
                user_attributes: self.config.rootless,
            }
        } else {
            for directory in [&target, &upper] {
                mount::directory(directory).map_err(internal)?;
            }
            self.layers
                .copy_into(image, &upper)
                .map_err(|error| Error::Internal(error.to_string()))?;
            RootSource::Directory(upper)
        };
        Ok(RootOrders {
            source,
            target,
            node_pids: namespaces.pid == NamespaceMode::Node,
            shm: shm.to_owned(),
            cgroups: cgroup.map(shown_cgroups).unwrap_or_default(),
            binds,
        })
    }

    /// Bytes that a container has written to its root. Where images are copied that cannot be told from the image, and counts as nothing.
    pub(crate) fn writable_layer(&self, container: &str) -> u64 {
        if self.overlay {
            volume::disk_usage(&self.path("containers", container).join("upper"))
        } else {
            0
        }
    }

    /// Mounts an image in a directory on the node, where it can be written to; says where.
    pub(crate) fn show_image(&self, image: &Image, directory: &Path) -> io::Result<PathBuf> {
        let (target, upper) = (directory.join("root"), directory.join("upper"));
        mount::directory(&target)?;
        mount::directory(&upper)?;
        let other = |error: LayerStoreError| io::Error::other(error.to_string());
        if self.overlay {
            let work = directory.join("work");
            mount::directory(&work)?;
            let lower = self.layers.lower_dirs(image).map_err(other)?;
            mount::overlay(&target, &lower, &upper, &work, self.config.rootless)?;
        } else {
            self.layers.copy_into(image, &upper).map_err(other)?;
            mount::bind(&upper, &target)?;
        }
        Ok(target)
    }

    /// Puts the root of the node's own shell together: in this process's mount namespace, which nobody else sees.
    fn prepare_shell(&self) -> Result<()> {
        let directory = self.directory.join("node");
        let image = self
            .config
            .images
            .node_image()
            .ok_or_else(|| Error::Internal("there is no image for the node".to_owned()))?;
        let prepare = || -> io::Result<()> {
            let target = self.show_image(&image, &directory)?;
            mount::directory(&target.join("etc"))?;
            mount::directory(&target.join("root"))?;
            fs::write(target.join("etc/hosts"), &self.config.hosts)?;
            fs::write(target.join("etc/hostname"), format!("{}\n", self.config.hostname))?;
            fs::write(target.join("etc/resolv.conf"), &self.config.resolv_conf)?;
            self.show(&target)
        };
        prepare().map_err(failed("cannot make the root of the node's shell"))
    }

    /// The root of the node's own filesystem: what its shell and `hostPath` volumes see.
    pub(crate) fn filesystem(&self) -> PathBuf {
        self.directory.join("node/root")
    }

    /// A file of the node's own filesystem.
    pub(crate) fn read_file(&self, path: &str) -> io::Result<Vec<u8>> {
        fs::read(self.filesystem().join(path.trim_start_matches('/')))
    }

    /// What is at a path of the node's own filesystem, made first if nothing is.
    pub(crate) fn host_path(&self, path: &str, create: Option<HostPathCreate>) -> Result<Option<FileType>> {
        let find = || -> io::Result<Option<FileType>> {
            let inside = Inside::new(&self.filesystem())?;
            let place = match (inside.existing(path)?, create) {
                (None, None) => return Ok(None),
                (Some(place), _) => place,
                (None, Some(HostPathCreate::Directory)) => inside.directory(path)?,
                (None, Some(HostPathCreate::File)) => {
                    let above = path
                        .trim_end_matches('/')
                        .rsplit_once('/')
                        .map_or("/", |(above, _)| above);
                    if inside.existing(above)?.is_none() {
                        return Err(io::Error::other(format!("open {path}: no such file or directory")));
                    }
                    inside.file(path)?
                }
            };
            let file_type = fs::metadata(place.path())?.file_type();
            Ok(Some(if file_type.is_dir() {
                FileType::Directory
            } else if file_type.is_file() {
                FileType::Regular
            } else if file_type.is_socket() {
                FileType::Socket
            } else if file_type.is_char_device() {
                FileType::CharDevice
            } else if file_type.is_block_device() {
                FileType::BlockDevice
            } else {
                FileType::Fifo
            }))
        };
        find().map_err(|error| Error::Internal(mount::plain(&error)))
    }

    /// Shows the devices that everybody may use, and what the user has lent, in the node's own filesystem.
    fn show(&self, root: &Path) -> io::Result<()> {
        let inside = Inside::new(root)?;
        for name in ["null", "zero", "full", "random", "urandom", "tty"] {
            mount::bind(
                &Path::new("/dev").join(name),
                inside.file(&format!("/dev/{name}"))?.path(),
            )?;
        }
        for folder in &self.config.lent {
            let place = if is_directory(&folder.host)? {
                inside.directory(&folder.node)?
            } else {
                inside.file(&folder.node)?
            };
            mount::bind(&folder.host, place.path())?;
            if folder.readonly
                && let Some(place) = inside.existing(&folder.node)?
            {
                mount::add_flags(place.path(), MountFlags::RDONLY)?;
            }
        }
        Ok(())
    }

    /// Starts a command in the node's own namespaces, as root: the node's shell.
    pub(crate) async fn exec(
        &self,
        command: &[String],
        tty: bool,
        stdin: bool,
        winsize: Option<Winsize>,
    ) -> Result<Started> {
        if command.is_empty() {
            return Err(Error::InvalidArgument("a command is needed".to_owned()));
        }
        let mut environ: Vec<String> = [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
            "USER=root",
            "SHELL=/bin/sh",
        ]
        .map(str::to_owned)
        .to_vec();
        environ.push(format!("HOSTNAME={}", self.config.hostname));
        environ.extend(self.config.shell_environment.iter().cloned());
        if tty {
            environ.push("TERM=xterm".to_owned());
        }
        let directory = self.directory.join("node");
        let (join, descriptors) = self.join_network();
        mount::directory(&directory.join("shell")).map_err(internal)?;
        let orders = Orders {
            join,
            users: None,
            new_namespaces: CloneFlags::NEWNS.bits(),
            cgroup: None,
            hostname: None,
            sysctls: BTreeMap::new(),
            root: Some(RootOrders {
                source: RootSource::Directory(directory.join("root")),
                target: directory.join("shell"),
                node_pids: true,
                shm: PathBuf::from("/dev/shm"),
                cgroups: Vec::new(),
                binds: Vec::new(),
            }),
            terminal: tty.then_some(TerminalOrders {
                size: winsize.map(|size| (size.rows, size.cols)),
                console: false,
            }),
            process: ProcessOrders {
                argv: command.to_vec(),
                environ,
                working_dir: "/root".to_owned(),
                image_user: String::new(),
                security: SecurityContext {
                    privileged: true,
                    ..SecurityContext::default()
                },
                oom_score_adj: 0,
            },
        };
        let stdio = if tty {
            Stdio::none()
        } else {
            Stdio::pipes(stdin, true, true)
        };
        process::start(&self.spawner, orders, descriptors, stdio.map_err(internal)?).await
    }

    /// Removes everything of the node from the host.
    pub(crate) fn remove(&self) {
        if let Err(error) = self.network.leave() {
            tracing::warn!("{error}");
        }
        self.cgroups.remove_node(&self.config.name);
        let _ = mount::detach(&self.directory.join("node/root"));
        if let Err(error) = prune::release(&self.config.run, &self.directory) {
            tracing::warn!("{}: {error}", self.directory.display());
        }
    }
}

/// The node's network, and its namespace if that is not the host's.
fn network(config: &LinuxConfig) -> crate::network::Result<(NodeNetwork, Option<NetNs>)> {
    let with = |bridge: &backend::InterfaceConfig| NodeNetworkConfig {
        node: config.name.clone(),
        pod_cidr: config.pod_cidr,
        bridge: bridge.clone(),
    };
    match &config.network {
        NetworkConfig::Host { bridge } => {
            let network = NodeNetwork::of_host(with(bridge), &config.network_directory())?;
            Ok((network, None))
        }
        NetworkConfig::Own { bridge, interfaces } => {
            let network = NodeNetwork::of_its_own(with(bridge), interfaces)?;
            let namespace = network.netns().clone();
            Ok((network, Some(namespace)))
        }
    }
}

/// Where a container sees its cgroups: below the names of the hierarchies where there are several.
fn shown_cgroups(cgroup: &Cgroup) -> Vec<(String, PathBuf)> {
    let place = |(name, directory): (String, &Path)| match name.as_str() {
        "" => ("/sys/fs/cgroup".to_owned(), directory.to_owned()),
        name => (format!("/sys/fs/cgroup/{name}"), directory.to_owned()),
    };
    cgroup.hierarchies().map(place).collect()
}

/// Whether overlayfs can be mounted with its upper layer where the containers' would be.
fn overlay_works(run: &Path, user_attributes: bool) -> bool {
    let directory = run.join("overlay-test");
    let [lower, upper, work, target] = ["lower", "upper", "work", "target"].map(|name| directory.join(name));
    let test = || -> io::Result<()> {
        for directory in [&lower, &upper, &work, &target] {
            mount::directory(directory)?;
        }
        mount::overlay(&target, std::slice::from_ref(&lower), &upper, &work, user_attributes)?;
        mount::detach(&target)
    };
    let works = test().is_ok();
    let _ = mount::remove_tree(&directory);
    works
}
