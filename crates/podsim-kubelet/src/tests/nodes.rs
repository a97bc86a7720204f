//! The node: registration, heartbeats, partition, scheduling.

use super::harness::{Harness, settle};
use k8s_openapi::api::core::v1::Node;
use serde_json::json;

fn ready(node: &Harness) -> String {
    let object = node.store.api::<Node>().get("", "node-1").unwrap_or_default();
    let conditions = object.status.and_then(|s| s.conditions).unwrap_or_default();
    conditions
        .into_iter()
        .find(|c| c.type_ == "Ready")
        .map(|c| c.status)
        .unwrap_or_default()
}

#[tokio::test]
async fn a_node_that_does_not_report_makes_its_pods_unknown_until_it_is_back() {
    let node = Harness::new().await;
    node.pod(json!({ "containers": [{ "name": "a", "image": "busybox", "imagePullPolicy": "Never" }] }))
        .await;
    node.seconds(120).await;
    assert_eq!((ready(&node).as_str(), node.phase().as_str()), ("True", "Running"));
    node.kubelet.set_partitioned(true);
    settle().await;
    node.seconds(29).await;
    assert_eq!(node.phase(), "Running");
    node.seconds(12).await;
    assert_eq!((ready(&node).as_str(), node.phase().as_str()), ("Unknown", "Unknown"));
    let status = node.get().and_then(|p| p.status).unwrap_or_default();
    assert_eq!(status.reason.as_deref(), Some("NodeLost"));
    assert_eq!(
        status.message.as_deref(),
        Some("Node node-1 which was running pod x is unresponsive")
    );
    // Its containers run on, and it cannot hear of the deletion.
    node.delete(None).await;
    assert!(node.calls(&["stop_container"]).is_empty());
    node.kubelet.set_partitioned(false);
    settle().await;
    assert_eq!((ready(&node).as_str(), node.phase().as_str()), ("True", "gone"));
}

#[tokio::test]
async fn a_node_that_is_back_reports_its_pods_again() {
    let node = Harness::new().await;
    node.pod(json!({ "containers": [{ "name": "a", "image": "busybox", "imagePullPolicy": "Never" }] }))
        .await;
    node.kubelet.set_partitioned(true);
    settle().await;
    node.seconds(60).await;
    assert_eq!(node.phase(), "Unknown");
    node.kubelet.set_partitioned(false);
    settle().await;
    let status = node.get().and_then(|p| p.status).unwrap_or_default();
    assert_eq!((status.phase.as_deref(), status.reason), (Some("Running"), None));
}

#[tokio::test]
async fn a_pod_for_an_unknown_node_stays_pending() {
    let node = Harness::new().await;
    node.pod(json!({ "nodeName": "nowhere", "containers": [{ "name": "a", "image": "busybox" }] }))
        .await;
    assert_eq!((node.phase().as_str(), node.events().len()), ("Pending", 0));
}

#[tokio::test]
async fn a_pod_that_selects_another_node_waits_for_one() {
    let node = Harness::new().await;
    let container = json!({ "name": "a", "image": "busybox", "imagePullPolicy": "Never" });
    node.pod(json!({ "nodeSelector": { "disk": "ssd" }, "containers": [container] }))
        .await;
    assert_eq!(
        node.events(),
        [
            "FailedScheduling: 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. \
             no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
        ]
    );
    let labelled = node.store.api::<Node>().modify("", "node-1", |n| {
        n.metadata
            .labels
            .get_or_insert_default()
            .insert("disk".to_owned(), "ssd".to_owned());
    });
    labelled.expect("label the node");
    settle().await;
    assert_eq!(node.phase(), "Running");
}

#[tokio::test]
async fn a_pod_on_a_lost_node_is_deleted_after_five_minutes_and_gone_when_the_node_is_back() {
    let node = Harness::new().await;
    node.pod(json!({ "containers": [{ "name": "a", "image": "busybox", "imagePullPolicy": "Never" }] }))
        .await;
    node.kubelet.set_partitioned(true);
    settle().await;
    node.seconds(45).await;
    let taints = || {
        let object = node.store.api::<Node>().get("", "node-1").unwrap_or_default();
        let taints = object.spec.and_then(|s| s.taints).unwrap_or_default();
        taints
            .iter()
            .map(|t| format!("{}:{}", t.key, t.effect))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        taints(),
        [
            "node.kubernetes.io/unreachable:NoSchedule",
            "node.kubernetes.io/unreachable:NoExecute"
        ]
    );
    let deleted = || node.get().is_some_and(|p| p.metadata.deletion_timestamp.is_some());
    node.seconds(290).await;
    assert!(!deleted());
    node.seconds(10).await;
    assert!(deleted());
    assert!(
        node.events()
            .contains(&"TaintManagerEviction: Marking for deletion Pod default/x".to_owned())
    );
    node.kubelet.set_partitioned(false);
    settle().await;
    settle().await;
    assert_eq!((node.phase().as_str(), taints().len()), ("gone", 0));
}

#[tokio::test]
async fn a_taint_evicts_who_does_not_tolerate_it_and_others_in_time() {
    for (tolerations, seconds, removed_after, gone) in [
        (json!([]), 0, None, true),
        (
            json!([{ "key": "k", "operator": "Exists", "effect": "NoExecute" }]),
            100,
            None,
            false,
        ),
        (
            json!([{ "key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 20 }]),
            19,
            None,
            false,
        ),
        (
            json!([{ "key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 20 }]),
            20,
            None,
            true,
        ),
        (
            json!([{ "key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 20 }]),
            60,
            Some(10),
            false,
        ),
    ] {
        let node = Harness::new().await;
        let container = json!({ "name": "a", "image": "busybox", "imagePullPolicy": "Never" });
        node.pod(json!({ "tolerations": tolerations, "containers": [container] }))
            .await;
        let taint = |taints: serde_json::Value| {
            let changed = node.store.api::<Node>().modify("", "node-1", |n| {
                n.spec.get_or_insert_default().taints = serde_json::from_value(taints).ok();
            });
            changed.expect("the node is there");
        };
        taint(json!([{ "key": "k", "value": "v", "effect": "NoExecute" }]));
        settle().await;
        if let Some(after) = removed_after {
            node.seconds(after).await;
            taint(json!([]));
            settle().await;
            assert!(
                node.events()
                    .contains(&"TaintManagerEviction: Cancelling deletion of Pod default/x".to_owned())
            );
        }
        node.seconds(seconds).await;
        settle().await;
        assert_eq!(node.phase() == "gone", gone, "{tolerations} {seconds}");
    }
}

#[tokio::test]
async fn a_node_that_was_asleep_reports_itself_and_its_pods_again() {
    let node = Harness::new().await;
    node.pod(json!({ "containers": [{ "name": "a", "image": "busybox", "imagePullPolicy": "Never" }] }))
        .await;
    node.clock.advance(std::time::Duration::from_secs(120));
    settle().await;
    node.seconds(11).await;
    let taints = node
        .store
        .api::<Node>()
        .get("", "node-1")
        .ok()
        .and_then(|n| n.spec?.taints);
    assert_eq!(
        (
            ready(&node).as_str(),
            node.phase().as_str(),
            taints.unwrap_or_default().len()
        ),
        ("True", "Running", 0)
    );
}
