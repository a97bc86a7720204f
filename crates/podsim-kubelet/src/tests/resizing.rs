//! Resizes in place, against the fake runtime.

use super::harness::{Harness, settle};
use podsim_store::{StoreError, kinds};
use serde_json::{Value, json};

impl Harness {
    /// Asks for other resources for the container `a` of Pod `x`.
    async fn resize(&self, resources: Value) -> Result<(), StoreError> {
        let mut object = self.store.get(&kinds::POD, "default", "x")?.as_ref().clone();
        object["spec"]["containers"][0]["resources"] = resources;
        self.store.resize_pod("default", object)?;
        settle().await;
        Ok(())
    }

    /// What a resize is told as: conditions, what `a` was given and has, and how often it was started.
    fn told(&self) -> Value {
        let pod = self.store.get(&kinds::POD, "default", "x").expect("the Pod");
        let status = &pod["status"]["containerStatuses"][0];
        let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        let resize = conditions.filter(|c| c["type"].as_str().is_some_and(|t| t.starts_with("PodResize")));
        let resize = resize.map(|c| json!([c["type"], c["reason"], c["message"], c["observedGeneration"]]));
        json!({
            "resize": resize.collect::<Vec<_>>(), "given": status["allocatedResources"],
            "actual": status["resources"], "restarts": status["restartCount"],
        })
    }

    fn resize_events(&self) -> Vec<String> {
        let mut events = self.events();
        events.retain(|e| e.starts_with("Resize"));
        events
    }
}

fn memory(limit: &str) -> Value {
    json!({ "requests": { "cpu": "1", "memory": "1Mi" }, "limits": { "cpu": "1", "memory": limit } })
}

fn spec(resources: &Value, policy: &Value) -> Value {
    json!({ "containers": [{ "name": "a", "image": "busybox", "imagePullPolicy": "IfNotPresent", "resources": resources, "resizePolicy": policy }] })
}

#[tokio::test]
async fn a_container_gets_other_limits_while_it_runs() {
    let node = Harness::new().await;
    node.pod(spec(&memory("8Mi"), &Value::Null)).await;
    node.runtime.clear_calls();
    node.resize(memory("16Mi")).await.expect("a good resize");
    assert_eq!(
        node.told(),
        json!({ "resize": [], "given": { "cpu": "1", "memory": "1Mi" }, "actual": memory("16Mi"), "restarts": 0 })
    );
    assert_eq!(node.runtime.calls(), ["update_container_resources a"]);
    let limit = node
        .runtime
        .container_config("a")
        .and_then(|c| c.resources.memory_limit);
    assert_eq!(limit, Some(16 << 20));
    let told = r#"{"containers":[{"name":"a","resources":{"limits":{"cpu":"1","memory":"16Mi"},"requests":{"cpu":"1","memory":"1Mi"}}}],"generation":2}"#;
    assert_eq!(
        node.resize_events(),
        [
            format!("ResizeStarted: Pod resize started: {told}"),
            format!("ResizeCompleted: Pod resize completed: {told}")
        ]
    );
}

#[tokio::test]
async fn memory_in_use_is_not_taken_away() {
    let node = Harness::new().await;
    node.pod(spec(&memory("8Mi"), &Value::Null)).await;
    node.runtime.use_memory("a", 4 << 20);
    node.resize(memory("4Mi")).await.expect("a good resize");
    let message = "attempting to set container \"a\" memory limit (4194304) below current usage (4194304)";
    assert_eq!(
        node.told(),
        json!({
            "resize": [["PodResizeInProgress", "Error", message, 2]], "given": { "cpu": "1", "memory": "1Mi" },
            "actual": memory("8Mi"), "restarts": 0,
        })
    );
    assert!(node.calls(&["update_container_resources"]).is_empty());
    // It is tried again by itself, and told once.
    node.runtime.use_memory("a", 1 << 20);
    node.seconds(10).await;
    assert_eq!(
        (&node.told()["resize"], &node.told()["actual"]),
        (&json!([]), &memory("4Mi"))
    );
    let events: Vec<_> = node
        .resize_events()
        .iter()
        .map(|e| e.split(':').next().map(str::to_owned))
        .collect();
    assert_eq!(
        events,
        ["ResizeStarted", "ResizeError", "ResizeCompleted"].map(|e| Some(e.to_owned()))
    );
}

#[tokio::test]
async fn the_resize_policy_may_want_a_restart() {
    let node = Harness::new().await;
    let policy = json!([{ "resourceName": "memory", "restartPolicy": "RestartContainer" }]);
    let mut pod = spec(&memory("8Mi"), &policy);
    pod["restartPolicy"] = "OnFailure".into();
    node.runtime.script(
        "a",
        podsim_cri::fake::Script {
            term: podsim_cri::fake::TermOutcome::ExitsAfter(std::time::Duration::ZERO, 0),
            ..Default::default()
        },
    );
    node.pod(pod).await;
    node.runtime.clear_calls();
    node.resize(memory("16Mi")).await.expect("a good resize");
    node.seconds(1).await;
    assert_eq!(
        node.calls(&["update_container_resources", "stop_container", "create_container"]),
        ["stop_container a 30s", "create_container a"]
    );
    assert_eq!(
        node.told(),
        json!({ "resize": [], "given": { "cpu": "1", "memory": "1Mi" }, "actual": memory("16Mi"), "restarts": 1 })
    );
    let events = node.events();
    assert!(
        events.contains(&"Killing: Container a resize requires restart".to_owned()),
        "{events:?}"
    );
    // The CPU has no policy.
    let mut cpu = memory("16Mi");
    cpu["limits"]["cpu"] = "2".into();
    node.resize(cpu).await.expect("a good resize");
    assert_eq!(node.told()["restarts"], 1);
}

#[tokio::test]
async fn a_resize_waits_until_the_node_has_room() {
    let node = Harness::new().await;
    let nodes = node.store.get(&kinds::NODE, "", "node-1").expect("the node");
    let text = nodes["status"]["allocatable"]["cpu"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let cpus: i64 = text.parse().expect("whole CPUs");
    let cpu = |n: i64| json!({ "requests": { "cpu": n.to_string() } });
    let other = json!({ "metadata": { "name": "other" }, "spec": { "containers": [{ "name": "b", "image": "busybox", "resources": cpu(1) }] } });
    node.store.create(&kinds::POD, "default", other).expect("a good Pod");
    node.pod(spec(&cpu(1), &Value::Null)).await;
    node.resize(cpu(cpus)).await.expect("a good resize");
    let capacity = cpus * 1000;
    let waits =
        format!("Node didn't have enough resource: cpu, requested: {capacity}, used: 1000, capacity: {capacity}");
    assert_eq!(
        node.told(),
        json!({
            "resize": [["PodResizePending", "Deferred", waits, 2]], "given": { "cpu": "1" }, "actual": cpu(1), "restarts": 0,
        })
    );
    node.resize(cpu(cpus + 1)).await.expect("a good resize");
    let never = format!(
        "Node didn't have enough capacity: cpu, requested: {}, capacity: {capacity}",
        capacity + 1000
    );
    assert_eq!(
        node.told()["resize"],
        json!([["PodResizePending", "Infeasible", never, 3]])
    );
    node.resize(cpu(cpus)).await.expect("a good resize");
    assert_eq!(node.told()["resize"][0][1], "Deferred");
    let options = podsim_store::DeleteOptions {
        grace_period_seconds: Some(0),
        ..Default::default()
    };
    node.store
        .delete(&kinds::POD, "default", "other", &options)
        .expect("a deletion");
    settle().await;
    node.seconds(1).await;
    assert_eq!(
        node.told(),
        json!({ "resize": [], "given": { "cpu": cpus.to_string() }, "actual": cpu(cpus), "restarts": 0 })
    );
    let events: Vec<_> = node
        .resize_events()
        .iter()
        .map(|e| e.split(':').next().map(str::to_owned))
        .collect();
    let expected = [
        "ResizeDeferred",
        "ResizeInfeasible",
        "ResizeDeferred",
        "ResizeStarted",
        "ResizeCompleted",
    ];
    assert_eq!(events, expected.map(|e| Some(e.to_owned())));
}
