//! The Pod's volumes: what is made before its containers.

use k8s_openapi::api::core::v1::{Pod, Volume};
use podsim_cri::{Result, RuntimeService, VolumeConfig, VolumeId};
use podsim_store::pod::quantity;
use std::collections::HashMap;

/// The type of a volume, by the name of its field.
fn type_of(volume: &Volume) -> String {
    let value = serde_json::to_value(volume).unwrap_or_default();
    let fields = value.as_object().into_iter().flatten().map(|(k, _)| k.clone());
    fields.filter(|k| k != "name").collect::<Vec<_>>().join(", ")
}

/// Why the Pod cannot have its volumes here, if it cannot.
pub(crate) fn unsupported(pod: &Pod) -> Option<String> {
    let volumes = pod.spec.iter().flat_map(|s| s.volumes.iter().flatten());
    let mut wrong = volumes.filter(|v| v.empty_dir.is_none());
    let volume = wrong.next()?;
    Some(format!(
        "volume \"{}\" is of type {}, which podsim does not support yet",
        volume.name,
        type_of(volume)
    ))
}

/// Makes the volumes; those that are there already are kept.
pub(crate) async fn prepare(runtime: &dyn RuntimeService, pod: &Pod) -> Result<HashMap<String, VolumeId>> {
    let mut ids = HashMap::new();
    for volume in pod.spec.iter().flat_map(|s| s.volumes.iter().flatten()) {
        let Some(empty_dir) = &volume.empty_dir else { continue };
        let limit = empty_dir.size_limit.as_ref().and_then(|q| quantity::units(&q.0));
        let config = VolumeConfig {
            pod_uid: pod.metadata.uid.clone().unwrap_or_default(),
            name: volume.name.clone(),
            memory: empty_dir.medium.as_deref() == Some("Memory"),
            size_limit: limit.and_then(|l| u64::try_from(l).ok()),
            mode: 0o777,
            files: vec![],
        };
        ids.insert(volume.name.clone(), runtime.create_volume(config).await?);
    }
    Ok(ids)
}
