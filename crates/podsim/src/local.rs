//! A node in this process, registered so that other terminals find it.

use crate::cluster::{Endpoint, Registration, Registry};
use crate::node::{Backend, KeptData, Node, NodeConfig};
use anyhow::Result;
use podsim_apiserver::ApiServer;
use podsim_store::Store;
use std::path::Path;

/// A node that this process runs.
pub(crate) struct LocalNode {
    node: Node,
    registration: Registration,
}

impl LocalNode {
    /// Starts a node as the configuration file says; what is kept of it is in `data`.
    pub(crate) async fn start(config: Option<&Path>, backend: Backend, data: Option<&KeptData>) -> Result<Self> {
        let config = match config {
            Some(file) => NodeConfig::read(file)?,
            None => NodeConfig::default(),
        };
        let node = Node::start(&config, backend, false, data).await?;
        let endpoint = node.endpoint();
        let registration = Registry::open()?.register(&config.name, endpoint.address, &endpoint.token)?;
        Ok(Self { node, registration })
    }

    /// How to reach it.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        self.registration.endpoint()
    }

    /// The API, for listeners besides the one of podsim's own verbs.
    pub(crate) fn api(&self) -> ApiServer {
        self.node.api.clone()
    }

    /// The objects.
    pub(crate) fn store(&self) -> &Store {
        &self.node.store
    }

    /// Ends when somebody has asked the node to end.
    pub(crate) async fn shutdown_requested(&self) {
        self.node.stop_requested().await;
    }

    /// Stops the Pods and the node.
    pub(crate) async fn shutdown(self) {
        self.node.shutdown().await;
    }
}
