//! The node's view, fetched: sandboxes and containers together, as `docker ps` sees them.

use crate::client::{Body, Client};
use crate::errors::Failure;
use anyhow::Result;
use jiff::Timestamp;
use podsim_apiserver::node_view::{ContainerView, ImageView, SandboxView};
use serde::Deserialize;

#[derive(Deserialize)]
struct Items<T> {
    items: Vec<T>,
}

/// Everything that the runtime has.
#[derive(Debug, Default)]
pub(crate) struct NodeView {
    pub(crate) sandboxes: Vec<SandboxView>,
    pub(crate) containers: Vec<ContainerView>,
}

/// A line of `docker ps`: a container, or a sandbox's pause.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry<'a> {
    Sandbox(&'a SandboxView),
    Container(&'a ContainerView, Option<&'a SandboxView>),
}

impl NodeView {
    /// Asks the node.
    pub(crate) async fn fetch(client: &Client) -> Result<Self> {
        let sandboxes: Items<SandboxView> = client.json("GET", "/podsim/v1/sandboxes", Body::None).await?;
        let containers: Items<ContainerView> = client.json("GET", "/podsim/v1/containers", Body::None).await?;
        Ok(Self {
            sandboxes: sandboxes.items,
            containers: containers.items,
        })
    }

    /// All entries, the newest first; a container before its sandbox.
    pub(crate) fn entries(&self) -> Vec<Entry<'_>> {
        let containers = self.containers.iter().map(|container| {
            Entry::Container(
                container,
                self.sandboxes.iter().find(|sandbox| sandbox.id == container.sandbox),
            )
        });
        let mut entries: Vec<Entry<'_>> = containers.chain(self.sandboxes.iter().map(Entry::Sandbox)).collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.created_at()));
        entries
    }

    /// The entries whose id begins with this, or that have this name. One, or a clear error.
    pub(crate) fn find(&self, wanted: &str) -> Result<Entry<'_>> {
        let entries = self.entries();
        let exact = entries.iter().find(|entry| entry.name() == wanted);
        let begins = |entry: &&Entry<'_>| !wanted.is_empty() && entry.id().starts_with(wanted);
        let by_id: Vec<Entry<'_>> = entries.iter().filter(begins).copied().collect();
        match (exact, by_id.as_slice()) {
            (Some(entry), _) | (None, [entry]) => Ok(*entry),
            (None, []) => Err(Failure::new(format!("Error: No such object: {wanted}")).into()),
            (None, _) => {
                let message =
                    format!("Error: several containers have an id that begins with {wanted}: give more of it");
                Err(Failure::new(message).into())
            }
        }
    }
}

impl<'a> Entry<'a> {
    pub(crate) fn id(&self) -> &'a str {
        match self {
            Self::Sandbox(sandbox) => &sandbox.id,
            Self::Container(container, _) => &container.id,
        }
    }

    pub(crate) fn created_at(&self) -> Timestamp {
        match self {
            Self::Sandbox(sandbox) => sandbox.created_at,
            Self::Container(container, _) => container.created_at,
        }
    }

    pub(crate) fn running(&self) -> bool {
        match self {
            Self::Sandbox(sandbox) => sandbox.ready,
            Self::Container(container, _) => container.state == "running",
        }
    }

    pub(crate) fn pid(&self) -> Option<i32> {
        match self {
            Self::Sandbox(sandbox) => sandbox.pid,
            Self::Container(container, _) => container.pid,
        }
    }

    /// What it runs.
    pub(crate) fn argv(&self) -> Vec<String> {
        match self {
            Self::Sandbox(_) => vec!["/pause".to_owned()],
            Self::Container(container, _) => container.argv.clone(),
        }
    }

    /// `k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT`, as dockershim named them.
    pub(crate) fn name(&self) -> String {
        let (container, sandbox, attempt) = match self {
            Self::Sandbox(sandbox) => ("POD", Some(*sandbox), sandbox.attempt),
            Self::Container(container, sandbox) => (container.name.as_str(), *sandbox, container.attempt),
        };
        match sandbox {
            Some(SandboxView {
                pod, namespace, uid, ..
            }) => {
                format!("k8s_{container}_{pod}_{namespace}_{uid}_{attempt}")
            }
            None => format!("k8s_{container}_{attempt}"),
        }
    }
}

/// The images of the node.
pub(crate) async fn images(client: &Client) -> Result<Vec<ImageView>> {
    let images: Items<ImageView> = client.json("GET", "/podsim/v1/images", Body::None).await?;
    Ok(images.items)
}

/// The first twelve digits of an id, without `sha256:`.
pub(crate) fn short_id(id: &str) -> &str {
    let digits = id.rsplit_once(':').map_or(id, |(_, digits)| digits);
    digits.get(..12).unwrap_or(digits)
}
