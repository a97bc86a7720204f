//! Claims of the Pod: they have to be bound, and what they are bound to has to be usable on the node (upstream's plug-ins VolumeBinding and
//! VolumeRestrictions).

use super::affinity;
use crate::volumes::{self, claim};
use k8s_openapi::api::core::v1::{Node, NodeSelector, PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use podsim_store::Store;

/// As the scheduler says it.
pub const TAKEN: &str = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode";

/// Where what a Pod claims can be used.
#[derive(Debug, Default)]
pub struct Claims {
    /// The nodes that volumes are tied to.
    nodes: Vec<NodeSelector>,
    /// Claims that only one Pod may use (`ReadWriteOncePod`).
    exclusive: Vec<String>,
    /// A claim waits for the Pod, and then for its volume.
    waits: bool,
}

impl Claims {
    /// Looks the Pod's claims up.
    ///
    /// # Errors
    ///
    /// Why the Pod can be on no node now, in upstream's words.
    pub fn of(pod: &Pod, store: &Store) -> Result<Self, String> {
        let (namespace, _) = crate::pod_worker::names(pod);
        let mut found = Self::default();
        for volume in volumes::of(pod) {
            let Some(name) = claim::name(pod, volume) else { continue };
            let Ok(claim) = store.api::<PersistentVolumeClaim>().get(namespace, &name) else {
                return Err(if volume.ephemeral.is_some() {
                    format!("waiting for ephemeral volume controller to create the persistentvolumeclaim \"{name}\"")
                } else {
                    format!("persistentvolumeclaim \"{name}\" not found")
                });
            };
            found.add(&name, &claim, store)?;
        }
        Ok(found)
    }

    fn add(&mut self, name: &str, claim: &PersistentVolumeClaim, store: &Store) -> Result<(), String> {
        let spec = claim.spec.clone().unwrap_or_default();
        let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
        let volume = spec.volume_name.unwrap_or_default();
        if claim.metadata.deletion_timestamp.is_some() {
            return Err(format!("persistentvolumeclaim \"{name}\" is being deleted"));
        }
        if phase == Some("Lost") {
            return Err(format!(
                "persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume \"{volume}\""
            ));
        }
        if phase != Some("Bound") {
            let class = store
                .api::<StorageClass>()
                .get("", &spec.storage_class_name.unwrap_or_default());
            let mode = class.ok().and_then(|class| class.volume_binding_mode);
            if mode.as_deref() != Some("WaitForFirstConsumer") {
                return Err("pod has unbound immediate PersistentVolumeClaims".to_owned());
            }
            self.waits = true;
            return Ok(());
        }
        let modes = spec.access_modes.unwrap_or_default();
        if modes.iter().any(|mode| mode == "ReadWriteOncePod") {
            self.exclusive.push(name.to_owned());
        }
        if let Ok(volume) = store.api::<PersistentVolume>().get("", &volume) {
            let affinity = volume.spec.and_then(|spec| spec.node_affinity?.required);
            self.nodes.extend(affinity);
        }
        Ok(())
    }

    /// Why the volumes cannot be used on this node, if they cannot; no Pod that went would change that.
    #[must_use]
    pub fn unusable(&self, node: &Node) -> Option<&'static str> {
        if self.waits {
            return Some("node(s) didn't find available persistent volumes to bind");
        }
        let reachable = self.nodes.iter().all(|selector| affinity::selects(selector, node));
        (!reachable).then_some("node(s) didn't match PersistentVolume's node affinity")
    }

    /// Does one of the others, wherever it is, use a claim that only one Pod may use?
    #[must_use]
    pub fn taken<'a>(&self, pod: &Pod, mut others: impl Iterator<Item = &'a Pod>) -> bool {
        let namespace = |pod: &Pod| crate::pod_worker::names(pod).0.to_owned();
        let own = namespace(pod);
        let uses = |other: &Pod| {
            let mut claims = volumes::of(other).filter_map(|volume| claim::name(other, volume));
            namespace(other) == own && claims.any(|name| self.exclusive.contains(&name))
        };
        !self.exclusive.is_empty() && others.any(uses)
    }
}
