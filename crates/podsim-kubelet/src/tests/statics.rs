//! Static Pods: they run whatever becomes of their mirrors, and follow their folder.

use super::harness::{Harness, settle};
use crate::KubeletConfig;
use k8s_openapi::api::core::v1::Pod;
use podsim_store::{DeleteOptions, kinds};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn write(folder: &Path, file: &str, image: &str) {
    let manifest = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web" },
        "spec": {
            "terminationGracePeriodSeconds": 3,
            "containers": [{ "name": "a", "image": image, "imagePullPolicy": "Never" }],
        },
    });
    fs::write(folder.join(file), manifest.to_string()).expect("written");
}

async fn node(folder: &Path) -> Harness {
    let config = KubeletConfig {
        static_pod_path: Some(folder.to_owned()),
        ..KubeletConfig::default()
    };
    Harness::with(config).await
}

fn mirror(node: &Harness) -> Option<Pod> {
    node.store.api::<Pod>().get("default", "web-node-1").ok()
}

fn phase(node: &Harness) -> String {
    let status = mirror(node).and_then(|pod| pod.status);
    status
        .and_then(|status| status.phase)
        .unwrap_or_else(|| "gone".to_owned())
}

#[tokio::test]
async fn a_pod_of_the_folder_runs_and_has_a_mirror() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "web.yaml", "busybox");
    write(folder.path(), ".hidden.yaml", "busybox");
    let node = node(folder.path()).await;
    assert_eq!(phase(&node), "Running");
    assert_eq!(node.calls(&["start_container"]).len(), 1);
    let pod = mirror(&node).expect("a mirror");
    let annotations = pod.metadata.annotations.unwrap_or_default();
    assert_eq!(annotations["kubernetes.io/config.source"], "file");
    assert_eq!(
        annotations["kubernetes.io/config.mirror"],
        annotations["kubernetes.io/config.hash"]
    );
    let owners = pod.metadata.owner_references.unwrap_or_default();
    assert_eq!((owners[0].kind.as_str(), owners[0].name.as_str()), ("Node", "node-1"));
    let config = node.runtime.container_config("a").expect("a container");
    assert_eq!(
        config.labels["io.kubernetes.pod.uid"],
        annotations["kubernetes.io/config.hash"]
    );
}

#[tokio::test]
async fn a_mirror_that_is_deleted_comes_back_and_nothing_is_restarted() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "web.yaml", "busybox");
    let node = node(folder.path()).await;
    let uid = || mirror(&node).and_then(|pod| pod.metadata.uid);
    for grace in [None, Some(0)] {
        let old = uid();
        let options = DeleteOptions {
            grace_period_seconds: grace,
            ..DeleteOptions::default()
        };
        node.store
            .delete(&kinds::POD, "default", "web-node-1", &options)
            .expect("deleted");
        settle().await;
        node.seconds(1).await;
        assert_ne!(uid(), old);
        assert_eq!(phase(&node), "Running");
    }
    assert_eq!(node.calls(&["start_container", "stop_container"]).len(), 1);
}

#[tokio::test]
async fn the_folder_is_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = node(folder.path()).await;
    assert_eq!(phase(&node), "gone");
    write(folder.path(), "web.json", "busybox");
    node.seconds(2).await;
    assert_eq!(phase(&node), "Running");
    // Another Pod by now: the old one ends first.
    write(folder.path(), "web.json", "nginx");
    node.seconds(5).await;
    let image = || node.runtime.container_config("a").map(|config| config.image);
    assert_eq!(image().as_deref(), Some("nginx"));
    assert_eq!(node.calls(&["start_container"]).len(), 2);
    assert_eq!(phase(&node), "Running");
    fs::write(folder.path().join("wrong.yaml"), "kind: Pod\n").expect("written");
    node.seconds(2).await;
    assert_eq!(phase(&node), "Running", "a wrong file is nobody else's business");
    fs::remove_file(folder.path().join("web.json")).expect("removed");
    node.seconds(5).await;
    assert_eq!(phase(&node), "gone");
    assert_eq!(node.calls(&["remove_pod_sandbox"]).len(), 2);
}

#[tokio::test]
async fn a_mirror_that_was_left_behind_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = node(folder.path()).await;
    let stale: Value = json!({
        "metadata": { "name": "old-node-1", "annotations": { "kubernetes.io/config.mirror": "0" } },
        "spec": { "nodeName": "node-1", "containers": [{ "name": "a", "image": "busybox" }] },
    });
    node.store.create(&kinds::POD, "default", stale).expect("a good Pod");
    settle().await;
    assert!(node.store.get(&kinds::POD, "default", "old-node-1").is_err());
}
