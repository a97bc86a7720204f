//! Does a Pod fit on a node? What the scheduler's filters and the kubelet's admission have in common: [`resources`],
//! [`affinity`], [`taints`], [`ports`]; and what only the scheduler looks at: [`claims`], [`pod_affinity`], [`topology_spread`], and
//! [`score`] among those that fit. All but the look-up of claims is pure.

pub mod affinity;
pub mod claims;
pub mod cluster;
pub mod labels;
pub mod pod_affinity;
pub mod ports;
pub mod resources;
pub mod score;
pub mod taints;
pub mod topology_spread;

use k8s_openapi::api::core::v1::Pod;

/// Does the Pod still use what it was given, or will it?
#[must_use]
pub fn is_active(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
    !matches!(phase, Some("Succeeded" | "Failed"))
}
