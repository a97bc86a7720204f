//! The provisioner: a volume is a directory of the node, which the kubelet makes when a Pod first needs it. Its size is not limited, as with
//! the provisioners of kind and minikube.

use super::super::text;
use super::{PROVISIONED_BY, Volumes, annotation};
use podsim_cri::{RuntimeService, VolumeChange};
use podsim_kubelet::events::Severity;
use podsim_store::{DeleteOptions, Object, Selectors, Since, Store, StoreError, kinds};
use serde_json::{Value, json};

/// As a StorageClass names it.
pub(super) const NAME: &str = "podsim.dev/local";
/// Where the directories are on the node.
pub const DIRECTORY: &str = "/var/lib/podsim/volumes";

impl Volumes {
    /// Makes a volume for a claim.
    pub(super) fn provision(&self, claim: &Object, class: &Object) {
        let (namespace, name, uid) = (text(claim, "namespace"), text(claim, "name"), text(claim, "uid"));
        let failed = |why: &str| {
            let message = format!(
                "failed to provision volume with StorageClass \"{}\": {why}",
                text(class, "name")
            );
            self.tell(claim, Severity::Warning, "ProvisioningFailed", &message);
        };
        if let Some(why) = refused(&claim["spec"], class) {
            return failed(why);
        }
        let made = format!("pvc-{uid}");
        let volume = json!({
            "metadata": {"name": made, "annotations": {PROVISIONED_BY: NAME}},
            "spec": {
                "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
                "accessModes": claim["spec"]["accessModes"], "volumeMode": "Filesystem",
                "storageClassName": text(class, "name"), "persistentVolumeReclaimPolicy": class["reclaimPolicy"],
                "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace, "name": name, "uid": uid},
                "hostPath": {"path": format!("{DIRECTORY}/{made}_{namespace}_{name}"), "type": "DirectoryOrCreate"},
            },
        });
        let message = format!("External provisioner is provisioning volume for claim \"{namespace}/{name}\"");
        match self.store.create(&kinds::PERSISTENT_VOLUME, "", volume) {
            Ok(_) => {
                self.tell(claim, Severity::Normal, "Provisioning", &message);
                let message = format!("Successfully provisioned volume {made}");
                self.tell(claim, Severity::Normal, "ProvisioningSucceeded", &message);
            }
            // The next look binds it.
            Err(StoreError::AlreadyExists { .. }) => {}
            Err(error) => failed(&error.to_string()),
        }
    }
}

/// Why no volume can be made, if none can: what is asked for would be passed over in silence.
fn refused(claim: &Value, class: &Value) -> Option<&'static str> {
    let is_set = |value: &Value| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    };
    if claim["volumeMode"] == "Block" {
        return Some("block volumes are not supported");
    }
    [
        (&claim["selector"], "claim Selector is not supported"),
        (&claim["dataSource"], "claim DataSource is not supported"),
        (&claim["dataSourceRef"], "claim DataSourceRef is not supported"),
        (
            &claim["volumeAttributesClassName"],
            "volume attributes classes are not supported",
        ),
        (&class["parameters"], "the class may have no parameters"),
        (&class["mountOptions"], "the class may have no mountOptions"),
    ]
    .into_iter()
    .find_map(|(value, why)| is_set(value).then_some(why))
}

/// Deletes the volumes that nobody claims any more, with what is in them, whenever there are some.
pub(in super::super) async fn delete_released(store: &Store, runtime: &dyn RuntimeService) -> Result<(), StoreError> {
    loop {
        let all = Selectors::default();
        let mut changes = store.watch(&kinds::PERSISTENT_VOLUME, None, &all, Since::Start)?;
        while let Some(change) = changes.next().await {
            delete_if_released(store, runtime, &change.object).await;
        }
    }
}

async fn delete_if_released(store: &Store, runtime: &dyn RuntimeService, volume: &Object) {
    let spec = &volume["spec"];
    let path = spec["hostPath"]["path"].as_str().unwrap_or_default();
    let own = path.strip_prefix(DIRECTORY).and_then(|path| path.strip_prefix('/'));
    // Nobody can have other directories removed by what they write into a volume.
    let own = own.is_some_and(|name| !name.is_empty() && !name.contains('/') && name != "." && name != "..");
    let released = volume["status"]["phase"] == "Released" && spec["persistentVolumeReclaimPolicy"] == "Delete";
    if !released || !own || annotation(volume, PROVISIONED_BY) != NAME {
        return;
    }
    let change = VolumeChange::Remove {
        path: path.trim_start_matches('/').to_owned(),
    };
    if let Err(error) = runtime.change_host_path(&[change]).await {
        tracing::warn!("cannot remove the volume {}: {error}", text(volume, "name"));
        return;
    }
    // It may have been deleted by somebody meanwhile.
    let _ = store.delete(
        &kinds::PERSISTENT_VOLUME,
        "",
        text(volume, "name"),
        &DeleteOptions::default(),
    );
}
