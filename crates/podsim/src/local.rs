//! A node in this process, registered so that other terminals find it.

use crate::cluster::{Endpoint, Registration};
use anyhow::{Result, bail};
use std::path::Path;

/// A node that this process runs.
pub(crate) struct LocalNode {
    registration: Registration,
}

impl LocalNode {
    /// Starts a node as the configuration file says.
    pub(crate) async fn start(_config: Option<&Path>) -> Result<Self> {
        bail!("the node is not there yet")
    }

    /// How to reach it.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        self.registration.endpoint()
    }

    /// Ends when somebody has asked the node to end.
    pub(crate) async fn shutdown_requested(&self) {
        std::future::pending().await
    }

    /// Stops the Pods and the node.
    pub(crate) async fn shutdown(self) {
        drop(self.registration);
    }
}
