//! Volumes that are claims: which claim, and what it is bound to (`desired_state_of_world_populator.go`).

use crate::fit::affinity;
use k8s_openapi::api::core::v1::{
    HostPathVolumeSource, Node, PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec, Pod, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use podsim_store::Store;

/// A claim, resolved.
pub(crate) struct Claimed {
    volume: PersistentVolume,
    /// No container may write to it.
    pub(crate) readonly: bool,
}

/// Where it is.
pub(crate) enum Source {
    /// At a path of the node.
    HostPath(HostPathVolumeSource),
    /// At a path of the node that has to be there.
    Local(String),
    /// Somewhere that podsim does not know.
    Other(String),
}

/// The name of the claim that a volume is, if it is one.
pub(crate) fn name(pod: &Pod, volume: &Volume) -> Option<String> {
    if volume.ephemeral.is_some() {
        let pod = pod.metadata.name.as_deref().unwrap_or_default();
        return Some(format!("{pod}-{}", volume.name));
    }
    let source = volume.persistent_volume_claim.as_ref()?;
    Some(source.claim_name.clone())
}

/// What the claim is bound to, or why it cannot be used.
pub(crate) fn resolve(pod: &Pod, volume: &Volume, store: &Store) -> Result<Claimed, String> {
    let (namespace, pod_name) = crate::pod_worker::names(pod);
    let name = name(pod, volume).unwrap_or_default();
    let failed = |why: String| format!("error processing PVC {namespace}/{name}: {why}");
    let claim = store.api::<PersistentVolumeClaim>().get(namespace, &name);
    let claim = claim.map_err(|error| failed(format!("failed to fetch PVC from API server: {error}")))?;
    let owners = claim.metadata.owner_references.as_deref().unwrap_or_default();
    let owned =
        |owner: &OwnerReference| owner.controller == Some(true) && Some(&owner.uid) == pod.metadata.uid.as_ref();
    if volume.ephemeral.is_some() && !owners.iter().any(owned) {
        return Err(format!(
            "PVC {namespace}/{name} was not created for pod {namespace}/{pod_name} (pod is not owner)"
        ));
    }
    if claim.metadata.deletion_timestamp.is_some() {
        return Err(failed("PVC is being deleted".to_owned()));
    }
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
    if phase != Some("Bound") {
        return Err(failed("PVC is not bound".to_owned()));
    }
    let bound_to = claim.spec.as_ref().and_then(|spec| spec.volume_name.clone());
    let Some(bound_to) = bound_to.filter(|name| !name.is_empty()) else {
        return Err(failed("PVC has empty pvc.Spec.VolumeName".to_owned()));
    };
    let found = store.api::<PersistentVolume>().get("", &bound_to);
    let found = found.map_err(|error| failed(format!("failed to fetch PV {bound_to} from API server: {error}")))?;
    let reference = found.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    if reference.and_then(|reference| reference.uid.as_ref()) != claim.metadata.uid.as_ref() {
        return Err(failed(format!("PV {bound_to} is bound to another PVC")));
    }
    let source = volume.persistent_volume_claim.as_ref();
    Ok(Claimed {
        volume: found,
        readonly: source.is_some_and(|source| source.read_only == Some(true)),
    })
}

impl Claimed {
    /// The name of the persistent volume.
    pub(crate) fn name(&self) -> &str {
        self.volume.metadata.name.as_deref().unwrap_or_default()
    }

    /// May it be used on the node?
    pub(crate) fn check_node(&self, store: &Store, node: &str) -> Result<(), String> {
        let spec = self.volume.spec.as_ref();
        let affinity = spec.and_then(|spec| spec.node_affinity.as_ref()?.required.as_ref());
        let Some(required) = affinity else { return Ok(()) };
        let node = store.api::<Node>().get("", node).map_err(|error| error.to_string())?;
        if affinity::selects(required, &node) {
            Ok(())
        } else {
            Err("no matching NodeSelectorTerms".to_owned())
        }
    }

    pub(crate) fn source(&self) -> Source {
        let spec = self.volume.spec.clone().unwrap_or_default();
        if let Some(source) = spec.host_path {
            Source::HostPath(source)
        } else if let Some(source) = spec.local {
            Source::Local(source.path)
        } else {
            Source::Other(kind_of(&spec))
        }
    }

    /// Was it made for the claim?
    pub(crate) fn is_provisioned(&self) -> bool {
        let annotations = self.volume.metadata.annotations.as_ref();
        annotations.is_some_and(|all| all.contains_key("pv.kubernetes.io/provisioned-by"))
    }

    /// Is it given to the Pod's group? A `hostPath` that somebody else has made is not.
    pub(crate) fn is_given_to_group(&self) -> bool {
        let local = self.volume.spec.as_ref().is_some_and(|spec| spec.local.is_some());
        !self.readonly && (local || self.is_provisioned())
    }
}

/// The name of the field that says where a volume is.
fn kind_of(spec: &PersistentVolumeSpec) -> String {
    let value = serde_json::to_value(spec).unwrap_or_default();
    let names: Vec<&str> = podsim_store::sources(&value).map(|(name, _)| name.as_str()).collect();
    names.join(", ")
}
