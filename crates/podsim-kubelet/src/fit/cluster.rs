//! What the scheduler's filters and scores look at besides one node: the other nodes, and the Pods on them.

use super::labels::{self, Labels};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use std::collections::BTreeMap;

/// Nodes, Pods and namespaces at one moment.
#[derive(Debug, Default)]
pub struct View<'a> {
    /// By name.
    pub nodes: BTreeMap<&'a str, &'a Node>,
    /// Those that have a node, and use what they ask for; with the node's name.
    pub pods: Vec<(&'a str, &'a Pod)>,
    /// The labels of namespaces, by name.
    pub namespaces: BTreeMap<String, Labels>,
}

impl View<'_> {
    /// The labels of a node.
    #[must_use]
    pub fn labels(&self, node: &str) -> Option<&Labels> {
        self.nodes.get(node)?.metadata.labels.as_ref()
    }

    /// Where a node is in a topology: the value of its label.
    #[must_use]
    pub fn domain(&self, node: &str, topology: &str) -> Option<&str> {
        self.labels(node)?.get(topology).map(String::as_str)
    }

    /// Whether a namespace has labels that are selected.
    #[must_use]
    pub fn selects_namespace(&self, selector: &LabelSelector, namespace: &str) -> bool {
        let none = Labels::new();
        labels::selects(Some(selector), self.namespaces.get(namespace).unwrap_or(&none))
    }
}

/// The labels of a Pod.
pub(super) fn labels_of(pod: &Pod) -> Labels {
    pod.metadata.labels.clone().unwrap_or_default()
}
