//! What the admission of ServiceAccounts does to a new Pod (`plugin/pkg/admission/serviceaccount`): the account has to be there, and each
//! container sees a token of it.

use super::admission::Objects;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, ServiceAccount, Volume, VolumeMount};
use serde_json::json;

/// Where programs look for their token (`DefaultAPITokenMountPath`).
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// How the names of the volumes begin.
pub(crate) const VOLUME_PREFIX: &str = "kube-api-access-";
/// Seconds: the API gives such a token for a year, and the kubelet renews it when these are nearly over.
const EXPIRATION_SECONDS: i64 = 3607;

/// Changes the Pod, or says (after `pods "NAME" is forbidden: `) why it may not be.
pub(super) fn admit(pod: &mut Pod, objects: &dyn Objects) -> Result<(), String> {
    let Some(volume) = objects.token_volume() else {
        return Ok(());
    };
    let annotations = pod.metadata.annotations.iter().flatten();
    if annotations
        .into_iter()
        .any(|(key, _)| key == "kubernetes.io/config.mirror")
    {
        // The static Pod has none.
        return Ok(());
    }
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    let Some(spec) = pod.spec.as_mut() else { return Ok(()) };
    let name = spec.service_account_name.clone().unwrap_or_default();
    let account = objects.get("v1", "ServiceAccount", &name).ok_or_else(|| {
        format!("error looking up service account {namespace}/{name}: serviceaccount {name:?} not found")
    })?;
    let account: ServiceAccount = serde_json::from_value(account).unwrap_or_default();
    let automount = spec
        .automount_service_account_token
        .or(account.automount_service_account_token);
    if automount != Some(false) {
        mount_token(spec, volume);
    }
    if spec.image_pull_secrets.as_ref().is_none_or(Vec::is_empty) {
        spec.image_pull_secrets = account.image_pull_secrets.filter(|secrets| !secrets.is_empty());
    }
    Ok(())
}

fn mount_token(spec: &mut PodSpec, new_name: &str) {
    let mut volumes = spec.volumes.iter().flatten();
    let known = volumes.find(|volume| volume.name.starts_with(VOLUME_PREFIX));
    let known = known.map(|volume| volume.name.clone());
    let name = known.as_deref().unwrap_or(new_name);
    let mut needed = false;
    let containers = spec.init_containers.iter_mut().flatten().chain(&mut spec.containers);
    for container in containers {
        needed |= mount(container, name);
    }
    if needed && known.is_none() {
        spec.volumes.get_or_insert_default().push(token_volume(name));
    }
}

/// Shows the volume in a container that has nothing else at its place.
fn mount(container: &mut Container, volume: &str) -> bool {
    let mounts = container.volume_mounts.get_or_insert_default();
    if mounts.iter().any(|mount| mount.mount_path == MOUNT_PATH) {
        return false;
    }
    mounts.push(VolumeMount {
        name: volume.to_owned(),
        mount_path: MOUNT_PATH.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    });
    true
}

fn token_volume(name: &str) -> Volume {
    let volume = json!({
        "name": name,
        "projected": {
            "defaultMode": 0o644,
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": EXPIRATION_SECONDS, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{
                    "path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                }]}},
            ],
        },
    });
    serde_json::from_value(volume).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// A namespace with this ServiceAccount `robot`.
    struct Fake(Value);

    impl Objects for Fake {
        fn get(&self, _: &str, kind: &str, name: &str) -> Option<Value> {
            (kind == "ServiceAccount" && name == "robot").then(|| self.0.clone())
        }

        fn list(&self, _: &str, _: &str) -> Vec<Value> {
            vec![]
        }

        fn cluster_ips(&self) -> BTreeSet<String> {
            BTreeSet::new()
        }

        fn token_volume(&self) -> Option<&str> {
            Some("kube-api-access-abcde")
        }
    }

    /// What becomes of a Pod of `robot` with these fields.
    fn admitted(account: Value, fields: Value) -> Result<Value, String> {
        let mut spec = json!({
            "serviceAccountName": "robot", "containers": [{"name": "a"}], "initContainers": [{"name": "i"}],
        });
        for (key, value) in fields.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        let pod = json!({"metadata": {"name": "x", "namespace": "ns"}, "spec": spec});
        let mut pod: Pod = serde_json::from_value(pod).map_err(|error| error.to_string())?;
        admit(&mut pod, &Fake(account))?;
        Ok(serde_json::to_value(pod.spec).unwrap_or_default())
    }

    #[test]
    fn each_container_sees_the_token() {
        let spec = admitted(json!({}), json!({})).unwrap();
        let mount = json!([{"name": "kube-api-access-abcde", "mountPath": MOUNT_PATH, "readOnly": true}]);
        assert_eq!(spec["containers"][0]["volumeMounts"], mount);
        assert_eq!(spec["initContainers"][0]["volumeMounts"], mount);
        assert_eq!(spec["volumes"][0]["name"], "kube-api-access-abcde");
        assert_eq!(
            spec["volumes"][0]["projected"]["sources"].as_array().map(Vec::len),
            Some(3)
        );
        // What is there already is used.
        let spec = admitted(
            json!({}),
            json!({
                "volumes": [{"name": "kube-api-access-mine", "emptyDir": {}}],
                "containers": [{"name": "a", "volumeMounts": [{"name": "other", "mountPath": MOUNT_PATH}]}],
            }),
        );
        let spec = spec.unwrap();
        assert_eq!(spec["volumes"].as_array().map(Vec::len), Some(1));
        assert_eq!(spec["containers"][0]["volumeMounts"].as_array().map(Vec::len), Some(1));
        assert_eq!(
            spec["initContainers"][0]["volumeMounts"][0]["name"],
            "kube-api-access-mine"
        );
    }

    #[test]
    fn the_pod_says_whether_before_the_account_does() {
        for (account, pod, mounted) in [
            (json!({}), json!({}), true),
            (json!({"automountServiceAccountToken": false}), json!({}), false),
            (
                json!({"automountServiceAccountToken": false}),
                json!({"automountServiceAccountToken": true}),
                true,
            ),
            (
                json!({"automountServiceAccountToken": true}),
                json!({"automountServiceAccountToken": false}),
                false,
            ),
        ] {
            let spec = admitted(account.clone(), pod.clone()).unwrap();
            assert_eq!(spec["volumes"].is_array(), mounted, "{account} {pod}");
        }
    }

    #[test]
    fn the_account_has_to_be_there_and_gives_its_secrets() {
        assert_eq!(
            admitted(json!({}), json!({"serviceAccountName": "nobody"})),
            Err("error looking up service account ns/nobody: serviceaccount \"nobody\" not found".to_owned())
        );
        let account = json!({"imagePullSecrets": [{"name": "s"}]});
        let spec = admitted(account.clone(), json!({})).unwrap();
        assert_eq!(spec["imagePullSecrets"], json!([{"name": "s"}]));
        let spec = admitted(account, json!({"imagePullSecrets": [{"name": "own"}]})).unwrap();
        assert_eq!(spec["imagePullSecrets"], json!([{"name": "own"}]));
    }
}
