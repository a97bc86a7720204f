//! A node in this process, registered so that other terminals find it.

use crate::cluster::{Endpoint, Registration, Registry};
use crate::node::{Backend, KeptData, Node, NodeConfig};
use anyhow::{Context, Result};
use podsim_apiserver::ApiServer;
use podsim_store::Store;
use std::path::Path;

/// A node that this process runs.
pub(crate) struct LocalNode {
    node: Node,
    /// One of each node.
    _registrations: Vec<Registration>,
    endpoint: Endpoint,
}

impl LocalNode {
    /// Starts a node as the configuration file says; what is kept of it is in `data`.
    pub(crate) async fn start(config: Option<&Path>, backend: Backend, data: Option<&KeptData>) -> Result<Self> {
        let config = match config {
            Some(file) => NodeConfig::read(file)?,
            None => NodeConfig::default(),
        };
        Self::start_several(&config, 1, backend, data).await
    }

    /// As [`LocalNode::start`], this many nodes of one cluster.
    pub(crate) async fn start_several(
        config: &NodeConfig,
        count: u32,
        backend: Backend,
        data: Option<&KeptData>,
    ) -> Result<Self> {
        let node = Node::start_several(config, count, backend, false, data).await?;
        let registry = Registry::open()?;
        let register = |endpoint: &Endpoint| registry.register(&endpoint.name, endpoint.address, &endpoint.token);
        let registrations = node.endpoints().iter().map(register).collect::<Result<Vec<_>>>()?;
        let first = registrations.first().context("at least one node is needed")?;
        Ok(Self {
            endpoint: first.endpoint().clone(),
            node,
            _registrations: registrations,
        })
    }

    /// How to reach it, or the first of several.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
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
