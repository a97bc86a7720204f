//! Pods whose volumes are claims: where they are scheduled, what is mounted, and what is told when something is missing.

use super::harness::{Harness, settle};
use podsim_cri::{GroupAccess, MountSource, VolumeChange};
use podsim_store::{DeleteOptions, Kind, kinds};
use podsim_sys::FileType;
use serde_json::{Value, json};
use std::path::PathBuf;

/// A claim `c` with this status and volume, and its volume `pv`.
fn bound(node: &Harness, source: Value, annotations: Value) {
    let claim = claim(node, "pv", "Bound", json!({}));
    let mut spec = json!({
        "capacity": { "storage": "1Gi" }, "accessModes": ["ReadWriteOnce"],
        "claimRef": { "namespace": "default", "name": "c", "uid": claim },
    });
    for (field, value) in source.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    let volume = json!({ "metadata": { "name": "pv", "annotations": annotations }, "spec": spec });
    create(node, &kinds::PERSISTENT_VOLUME, volume);
}

fn create(node: &Harness, kind: &'static Kind, object: Value) -> Value {
    let namespace = if kind.namespaced { "default" } else { "" };
    let made = node.store.create(kind, namespace, object).expect("a good object");
    made["metadata"]["uid"].clone()
}

/// Makes the claim `c`; gives its uid.
fn claim(node: &Harness, volume: &str, phase: &str, more: Value) -> Value {
    let mut spec = json!({
        "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } }, "volumeName": volume,
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    let claim = json!({ "metadata": { "name": "c" }, "spec": spec });
    let uid = create(node, &kinds::PERSISTENT_VOLUME_CLAIM, claim);
    set_phase(node, phase);
    uid
}

fn set_phase(node: &Harness, phase: &str) {
    let written = node
        .store
        .modify_status(&kinds::PERSISTENT_VOLUME_CLAIM, "default", "c", |claim| {
            claim["status"]["phase"] = phase.into();
            Ok(())
        });
    written.expect("the claim is there");
}

fn spec(more: Value) -> Value {
    let mut spec = json!({
        "volumes": [{ "name": "v", "persistentVolumeClaim": { "claimName": "c" } }],
        "containers": [{
            "name": "a", "image": "busybox", "imagePullPolicy": "Never", "volumeMounts": [{ "name": "v", "mountPath": "/v" }],
        }],
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    spec
}

/// A Pod that the scheduler is not asked about.
fn placed() -> Value {
    spec(json!({ "nodeName": "node-1" }))
}

#[tokio::test]
async fn what_a_claim_is_bound_to_is_mounted() {
    let group = VolumeChange::Group {
        path: "srv/data".to_owned(),
        gid: 2000,
        access: GroupAccess::ReadWrite,
        only_on_mismatch: true,
    };
    let directory = VolumeChange::Directory {
        path: "srv/data".to_owned(),
        mode: 0o777,
    };
    let provisioned = json!({ "pv.kubernetes.io/provisioned-by": "podsim.dev/local" });
    let here = json!({ "required": { "nodeSelectorTerms": [{ "matchExpressions": [
        { "key": "kubernetes.io/hostname", "operator": "In", "values": ["node-1"] },
    ] }] } });
    for (source, annotations, expected) in [
        (json!({ "hostPath": { "path": "/srv/data" } }), json!({}), vec![]),
        (
            json!({ "local": { "path": "/srv/data" }, "nodeAffinity": here }),
            json!({}),
            vec![group.clone()],
        ),
        (
            json!({ "hostPath": { "path": "/srv/data" } }),
            provisioned,
            vec![directory, group],
        ),
    ] {
        let node = Harness::new().await;
        if source["local"].is_object() {
            node.runtime.put_host_path("/srv/data", FileType::Directory);
        }
        bound(&node, source.clone(), annotations);
        node.pod(spec(json!({
            "securityContext": { "fsGroup": 2000, "fsGroupChangePolicy": "OnRootMismatch" },
        })))
        .await;
        let config = node.runtime.container_config("a").expect("a container");
        let mounted = MountSource::HostPath {
            path: PathBuf::from("/srv/data"),
            sub_path: None,
        };
        assert_eq!(config.mounts[0].source, mounted, "{source}");
        assert_eq!(node.runtime.host_changes(), expected, "{source}");
    }
}

#[tokio::test]
async fn a_pod_waits_until_its_claim_is_bound() {
    let node = Harness::new().await;
    node.pod(spec(json!({}))).await;
    let waits = |reason: &str| {
        format!(
            "FailedScheduling: 0/1 nodes are available: {reason}. no new claims to deallocate, preemption: 0/1 nodes are available: 1 \
             Preemption is not helpful for scheduling."
        )
    };
    let last = || node.events().last().cloned().unwrap_or_default();
    assert_eq!(last(), waits("persistentvolumeclaim \"c\" not found"));
    claim(&node, "", "Pending", json!({}));
    settle().await;
    assert_eq!(last(), waits("pod has unbound immediate PersistentVolumeClaims"));
    node.store
        .delete(
            &kinds::PERSISTENT_VOLUME_CLAIM,
            "default",
            "c",
            &DeleteOptions::default(),
        )
        .expect("deleted");
    settle().await;
    assert_eq!(last(), waits("persistentvolumeclaim \"c\" is being deleted"));
    node.store
        .modify(&kinds::PERSISTENT_VOLUME_CLAIM, "default", "c", |claim| {
            claim["metadata"]["finalizers"] = json!([]);
            Ok(())
        })
        .expect("changed");
    bound(&node, json!({ "hostPath": { "path": "/data" } }), json!({}));
    settle().await;
    assert_eq!(node.state("a"), "running");
}

#[tokio::test]
async fn a_volume_of_another_node_keeps_its_pod_away() {
    let elsewhere = json!({ "required": { "nodeSelectorTerms": [{ "matchExpressions": [
        { "key": "kubernetes.io/hostname", "operator": "In", "values": ["node-2"] },
    ] }] } });
    let volume = json!({ "local": { "path": "/data" }, "nodeAffinity": elsewhere });
    let node = Harness::new().await;
    bound(&node, volume.clone(), json!({}));
    node.pod(spec(json!({}))).await;
    assert_eq!(
        node.events(),
        [
            "FailedScheduling: 0/1 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity. no new claims to \
          deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
        ]
    );
    let node = Harness::new().await;
    bound(&node, volume, json!({}));
    node.pod(placed()).await;
    assert_eq!(
        node.events(),
        ["FailedMount: MountVolume.NodeAffinity check failed for volume \"pv\" : no matching NodeSelectorTerms"]
    );
}

#[tokio::test]
async fn a_claim_for_one_pod_is_used_by_one_pod() {
    let node = Harness::new().await;
    let uid = claim(&node, "pv", "Bound", json!({ "accessModes": ["ReadWriteOncePod"] }));
    let volume = json!({ "metadata": { "name": "pv" }, "spec": {
        "capacity": { "storage": "1Gi" }, "accessModes": ["ReadWriteOncePod"], "hostPath": { "path": "/data" },
        "claimRef": { "namespace": "default", "name": "c", "uid": uid },
    } });
    create(&node, &kinds::PERSISTENT_VOLUME, volume);
    let first = json!({ "metadata": { "name": "first" }, "spec": spec(json!({})) });
    create(&node, &kinds::POD, first);
    settle().await;
    node.pod(spec(json!({}))).await;
    let told = "FailedScheduling: 0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and \
                ReadWriteOncePod access mode. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims \
                found for incoming pod.";
    assert!(node.events().iter().any(|event| event == told), "{:?}", node.events());
    let now = DeleteOptions {
        grace_period_seconds: Some(0),
        ..DeleteOptions::default()
    };
    node.store
        .delete(&kinds::POD, "default", "first", &now)
        .expect("deleted");
    settle().await;
    assert_eq!(node.state("a"), "running");
}

#[tokio::test]
async fn what_is_wrong_with_a_claim_is_told_by_the_kubelet_too() {
    let unmounted = |why: &str| {
        format!(
            "FailedMount: Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to process volumes=[v]: {why}"
        )
    };
    let node = Harness::new().await;
    node.pod(placed()).await;
    assert_eq!(
        node.events(),
        [unmounted(
            "error processing PVC default/c: failed to fetch PVC from API server: persistentvolumeclaims \"c\" not found"
        )]
    );
    let node = Harness::new().await;
    claim(&node, "", "Pending", json!({}));
    node.pod(placed()).await;
    assert_eq!(
        node.events(),
        [unmounted("error processing PVC default/c: PVC is not bound")]
    );
    for (source, expected) in [
        (
            json!({ "nfs": { "server": "s", "path": "/" } }),
            "FailedMount: MountVolume.SetUp failed for volume \"pv\" : podsim does not support persistent volumes of the type nfs",
        ),
        (
            json!({ "hostPath": { "path": "/gone", "type": "Directory" } }),
            "FailedMount: MountVolume.SetUp failed for volume \"pv\" : hostPath type check failed: /gone is not a directory",
        ),
        (
            json!({ "local": { "path": "/gone" }, "nodeAffinity": { "required": { "nodeSelectorTerms": [{ "matchExpressions": [
                { "key": "kubernetes.io/os", "operator": "Exists" },
            ] }] } } }),
            "FailedMount: MountVolume.NewMounter initialization failed for volume \"pv\" : path \"/gone\" does not exist",
        ),
    ] {
        let node = Harness::new().await;
        bound(&node, source.clone(), json!({}));
        node.pod(placed()).await;
        assert_eq!(node.events(), [expected], "{source}");
    }
}

#[tokio::test]
async fn an_image_is_pulled_for_the_container_that_shows_it() {
    let volume = |reference: &str, policy: &str| json!({ "volumes": [{ "name": "v", "image": { "reference": reference, "pullPolicy": policy } }] });
    let node = Harness::new().await;
    node.pod(spec(volume("nginx", "IfNotPresent"))).await;
    assert_eq!(node.state("a"), "running");
    let made = node.runtime.volume("v").expect("a volume");
    assert_eq!(made.image.as_deref(), Some("nginx"));
    let config = node.runtime.container_config("a").expect("a container");
    assert!(config.mounts[0].readonly);
    let node = Harness::new().await;
    node.pod(spec(volume("none", "Never"))).await;
    assert_eq!(
        node.state("a"),
        "waiting ErrImageNeverPull: Container image \"none\" is not present with pull policy of Never"
    );
}
