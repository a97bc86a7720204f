//! `podsim serve`: a node that stays, and Kubernetes' API in front of it for every client.
//!
//! * [`pki`]: the certificates, made anew at each start.
//! * [`kubeconfig`]: how kubectl finds it all.

mod kubeconfig;
mod pki;

use crate::context::Context;
use crate::errors::Failure;
use crate::local::LocalNode;
use crate::node::{Backend, BackendArgs, KeptData, NodeConfig};
use anyhow::{Context as _, Result};
use clap::Args;
use kubeconfig::{Access, Credentials};
use pki::Pki;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// As many as the nodes' network has addresses for, and a host memory.
const MAX_NODES: i64 = 100;

/// Serve the Kubernetes API of a node for kubectl and every other client, until Ctrl-C
///
/// Writes a kubeconfig with the context `podsim` and makes it the current one, so that `kubectl get nodes` works at once.
/// `podsim node stop` in another terminal ends it too.
#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// Where to listen. Beyond the loopback interface everybody who has the kubeconfig may use the node
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:6443")]
    listen: SocketAddr,
    /// The kubeconfig to write; what else it holds is kept [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The node's name, addresses, interfaces and Pod range
    #[arg(long, value_name = "FILE")]
    node_config: Option<PathBuf>,
    /// Run the Pods whose manifests are in this folder, on the first node, and follow its changes (static Pods)
    #[arg(long, value_name = "DIR")]
    pod_manifest_path: Option<PathBuf>,
    /// How many nodes there are, each with a kernel and a Pod range of its own, in one network; the second one is called podsim-2. A
    /// hostPort is a port of this machine, which only one of them can have
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=MAX_NODES))]
    nodes: u32,
    #[command(flatten)]
    backend: BackendArgs,
    /// Keep the objects, and what is in persistent volumes, in this directory: they, the certificates and the kubeconfig are good again the next time, and Pods come back
    /// with a restart counted [default: everything is in memory]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Plain HTTP, loopback only, for tests; the token is still needed (kubectl sends none without TLS: use curl or a library)
    #[arg(long)]
    insecure_http: bool,
}

impl ServeArgs {
    /// Prepares the process for the node.
    pub(crate) fn prepare(&self) -> Result<Vec<String>> {
        self.backend.backend.prepare()
    }
}

pub(crate) async fn run(context: &Context, args: &ServeArgs) -> Result<i32> {
    if args.insecure_http && !args.listen.ip().is_loopback() {
        let message = format!(
            "error: --insecure-http is for the loopback interface only, and {} is not on it",
            args.listen
        );
        return Err(Failure::new(message).into());
    }
    if args.nodes > 1 && args.backend.backend != Backend::Virtual {
        let message =
            "error: --nodes: with --backend=linux this machine is the node; several nodes are for the virtual backend";
        return Err(Failure::new(message).into());
    }
    let file = kubeconfig::place(context.terminal.as_ref(), args.kubeconfig.as_deref())?;
    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        Failure::new(format!(
            "error: cannot listen on {}: {error}; choose another address with --listen",
            args.listen
        ))
    })?;
    let address = listener.local_addr()?;
    let data = args.data.as_deref().map(KeptData::open).transpose()?;
    let pki = if args.insecure_http {
        None
    } else {
        Some(Pki::of(address.ip(), data.as_ref()).context("cannot make certificates")?)
    };
    let mut config = match &args.node_config {
        Some(file) => NodeConfig::read(file)?,
        None => NodeConfig::default(),
    };
    if let Some(folder) = &args.pod_manifest_path {
        config.run_static_pods(folder).context("--pod-manifest-path")?;
    }
    let node = LocalNode::start_several(&config, args.nodes, args.backend.backend, data.as_ref()).await?;
    let result = serve(context, pki, &node, listener, address, &file).await;
    node.shutdown().await;
    result
}

async fn serve(
    context: &Context,
    pki: Option<Pki>,
    node: &LocalNode,
    listener: TcpListener,
    address: SocketAddr,
    file: &std::path::Path,
) -> Result<i32> {
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async {
        // Dropped or sent: both are the end.
        let _ = stopped.await;
    };
    let api = node.api();
    let (access, server) = if let Some(pki) = pki {
        let access = Access {
            server: format!("https://{}", reachable(address)),
            authority: Some(pki.authority.clone()),
            credentials: Credentials::Certificate {
                certificate: pki.client_certificate.clone(),
                key: pki.client_key.clone(),
            },
        };
        (access, tokio::spawn(api.serve_tls(listener, pki.server, stopped)))
    } else {
        let access = Access {
            server: format!("http://{}", reachable(address)),
            authority: None,
            credentials: Credentials::Token(node.endpoint().token.clone()),
        };
        (access, tokio::spawn(api.serve(listener, stopped)))
    };
    podsim_apiserver::controllers::publish_api(node.store(), address);
    let mut background = JoinSet::new();
    let authority = access.authority.clone().unwrap_or_default();
    background.spawn(podsim_apiserver::controllers::publish_root_ca(
        node.store().clone(),
        authority,
    ));
    let said = kubeconfig::write(file, &access)?;
    context
        .printer
        .line(format!("The Kubernetes API is at {}", access.server))
        .await?;
    context
        .printer
        .talk(format!("{said}\nTry `kubectl get nodes`. Ctrl-C ends the node."))
        .await?;
    tokio::select! {
        () = node.shutdown_requested() => {}
        () = context.terminal.interrupted() => {}
    }
    drop(stop);
    server.await??;
    Ok(0)
}

/// The address that a client on this machine uses.
fn reachable(address: SocketAddr) -> SocketAddr {
    let mut reachable = address;
    if address.ip().is_unspecified() {
        reachable.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    reachable
}
