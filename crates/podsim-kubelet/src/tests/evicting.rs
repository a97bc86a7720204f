//! Pods that take more disk than they may.

use super::harness::Harness;
use serde_json::{Value, json};

/// A Pod with a volume and two containers, of which one has a limit.
fn spec(volume: Value, limit: Value) -> Value {
    json!({
        "restartPolicy": "Always",
        "volumes": [{ "name": "v", "emptyDir": volume }],
        "containers": [
            { "name": "a", "image": "busybox", "imagePullPolicy": "Never", "resources": { "limits": limit } },
            { "name": "b", "image": "busybox", "imagePullPolicy": "Never" },
        ],
    })
}

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn what_takes_too_much_is_evicted() {
    let limited = || json!({ "ephemeral-storage": "10Mi" });
    for (volume, limit, used, expected) in [
        (
            json!({ "sizeLimit": "5Mi" }),
            json!({}),
            [6, 0, 0],
            "Usage of EmptyDir volume \"v\" exceeds the limit \"5Mi\". ",
        ),
        (
            json!({}),
            limited(),
            [4, 4, 4],
            "Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. ",
        ),
        (
            json!({ "medium": "Memory" }),
            limited(),
            [100, 11, 0],
            "Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. ",
        ),
    ] {
        let node = Harness::new().await;
        node.pod(spec(volume.clone(), limit.clone())).await;
        for (name, mib) in ["v", "a", "b"].iter().zip(used) {
            node.runtime.set_disk_usage(name, mib * MIB);
        }
        node.seconds(9).await;
        assert_eq!(node.phase(), "Running", "{volume} {limit}: nobody has looked yet");
        node.seconds(3).await;
        let status = node.get().and_then(|pod| pod.status).unwrap_or_default();
        assert_eq!(
            (
                status.phase.as_deref(),
                status.reason.as_deref(),
                status.message.as_deref()
            ),
            (Some("Failed"), Some("Evicted"), Some(expected)),
            "{volume} {limit}"
        );
        let conditions = status.conditions.unwrap_or_default();
        let target = conditions.iter().find(|c| c.type_ == "DisruptionTarget");
        let target = target.expect("a condition");
        assert_eq!(target.reason.as_deref(), Some("TerminationByKubelet"));
        assert_eq!(target.message.as_deref(), Some(expected));
        let told = format!("Evicted: {expected}");
        assert!(node.events().contains(&told), "{:?}", node.events());
        node.seconds(60).await;
        assert_eq!(node.calls(&["start_container"]).len(), 2, "nothing is started again");
    }
}

#[tokio::test]
async fn a_container_may_not_take_more_than_its_own_limit() {
    let node = Harness::new().await;
    let mut spec = spec(json!({}), json!({ "ephemeral-storage": "10Mi" }));
    spec["containers"][1]["resources"] = json!({ "limits": { "ephemeral-storage": "1Gi" } });
    node.pod(spec).await;
    node.runtime.set_disk_usage("a", 11 * MIB);
    node.seconds(12).await;
    let status = node.get().and_then(|pod| pod.status).unwrap_or_default();
    assert_eq!(
        status.message.as_deref(),
        Some("Container a exceeded its local ephemeral storage limit \"10Mi\". ")
    );
}

#[tokio::test]
async fn a_pod_that_is_over_is_not_evicted() {
    let node = Harness::new().await;
    let mut spec = spec(json!({ "sizeLimit": "5Mi" }), json!({}));
    spec["restartPolicy"] = "Never".into();
    node.pod(spec).await;
    node.runtime.set_disk_usage("v", 6 * MIB);
    for name in ["a", "b"] {
        node.runtime.exit(name, 0);
    }
    node.seconds(60).await;
    assert_eq!(node.phase(), "Succeeded");
    assert!(
        !node.events().iter().any(|e| e.starts_with("Evicted")),
        "{:?}",
        node.events()
    );
}

#[tokio::test]
async fn what_is_not_limited_or_not_too_much_stays() {
    for (volume, limit) in [
        (json!({}), json!({})),
        (json!({ "sizeLimit": "5Mi", "medium": "Memory" }), json!({})),
        (json!({ "sizeLimit": "5Gi" }), json!({ "ephemeral-storage": "1Gi" })),
    ] {
        let node = Harness::new().await;
        node.pod(spec(volume, limit)).await;
        node.runtime.set_disk_usage("v", 100 * MIB);
        node.runtime.set_disk_usage("a", 100 * MIB);
        node.seconds(60).await;
        assert_eq!(node.phase(), "Running");
    }
}
