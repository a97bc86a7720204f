//! Which Pods go to a node, which the kubelet sends away, and what is said of both.

use super::harness::{Harness, settle};
use crate::fit::{affinity, ports, resources, taints};
use k8s_openapi::api::core::v1::{Node, Pod, Taint};
use serde_json::{Value, json};

fn container(fields: Value) -> Value {
    let mut container = json!({ "name": "a", "image": "busybox", "imagePullPolicy": "Never" });
    for (key, value) in fields.as_object().into_iter().flatten() {
        container[key] = value.clone();
    }
    container
}

fn asks(cpu: &str, memory: &str) -> Value {
    container(json!({ "resources": { "requests": { "cpu": cpu, "memory": memory } } }))
}

fn pod(spec: Value) -> Pod {
    serde_json::from_value(json!({ "metadata": { "name": "x" }, "spec": spec })).unwrap_or_else(|e| panic!("{e}"))
}

/// Creates a second Pod, `y`.
async fn another(node: &Harness, spec: Value) {
    let object = json!({ "metadata": { "name": "y" }, "spec": spec });
    let made = node.store.create(&podsim_store::kinds::POD, "default", object);
    made.expect("the Pod is good");
    settle().await;
}

fn status_of(node: &Harness, name: &str) -> (String, String, String) {
    let pod = node.store.api::<Pod>().get("default", name).unwrap_or_default();
    let status = pod.status.unwrap_or_default();
    (
        status.phase.unwrap_or_default(),
        status.reason.unwrap_or_default(),
        status.message.unwrap_or_default(),
    )
}

#[tokio::test]
async fn why_a_pod_is_not_scheduled_is_said_in_upstreams_words() {
    const HELPLESS: &str = " no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    const NO_VICTIMS: &str = " no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";
    let affinity = json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [
        { "matchExpressions": [{ "key": "disk", "operator": "In", "values": ["ssd"] }] },
    ] } } });
    let taint = |key: &str, effect: &str| Taint {
        key: key.to_owned(),
        effect: effect.to_owned(),
        value: Some("v".to_owned()),
        ..Taint::default()
    };
    /// The Pod, the node's taints, is it cordoned, what is said.
    type Row = (Value, Vec<Taint>, bool, String);
    let rows: Vec<Row> = vec![
        (
            json!({ "containers": [asks("3", "1Mi")] }),
            vec![],
            false,
            format!("1 Insufficient cpu.{HELPLESS}"),
        ),
        (
            json!({ "containers": [asks("3", "1Ti")] }),
            vec![],
            false,
            format!("1 Insufficient cpu, 1 Insufficient memory.{HELPLESS}"),
        ),
        (
            json!({ "containers": [asks("1500m", "1Mi")] }),
            vec![],
            false,
            format!("1 Insufficient cpu.{NO_VICTIMS}"),
        ),
        (
            json!({ "containers": [container(json!({ "ports": [{ "containerPort": 1, "hostPort": 8080 }] }))] }),
            vec![],
            false,
            format!("1 node(s) didn't have free ports for the requested pod ports.{NO_VICTIMS}"),
        ),
        (
            json!({ "affinity": affinity, "containers": [container(json!({}))] }),
            vec![],
            false,
            format!("1 node(s) didn't match Pod's node affinity/selector.{HELPLESS}"),
        ),
        (
            json!({ "containers": [container(json!({}))] }),
            vec![taint("k", "PreferNoSchedule"), taint("key", "NoSchedule")],
            false,
            format!("1 node(s) had untolerated taint {{key: v}}.{HELPLESS}"),
        ),
        (
            json!({ "containers": [container(json!({}))] }),
            vec![],
            true,
            format!("1 node(s) were unschedulable.{HELPLESS}"),
        ),
    ];
    for (spec, taints, cordoned, expected) in rows {
        let node = Harness::new().await;
        // Another Pod has a CPU and a port.
        let first = container(json!({
            "ports": [{ "containerPort": 80, "hostPort": 8080 }], "resources": { "requests": { "cpu": "1" } },
        }));
        another(&node, json!({ "containers": [first] })).await;
        let changed = node.store.api::<Node>().modify("", "node-1", |n| {
            let spec = n.spec.get_or_insert_default();
            spec.taints = Some(taints.clone());
            spec.unschedulable = Some(cordoned);
        });
        changed.expect("the node is there");
        node.pod(spec.clone()).await;
        let events = node.events();
        let told = events.iter().find(|e| e.starts_with("FailedScheduling")).cloned();
        assert_eq!(
            told.unwrap_or_default(),
            format!("FailedScheduling: 0/1 nodes are available: {expected}"),
            "{spec}"
        );
        let conditions = node.get().and_then(|p| p.status?.conditions).unwrap_or_default();
        let scheduled = conditions
            .iter()
            .find(|c| c.type_ == "PodScheduled")
            .cloned()
            .unwrap_or_default();
        assert_eq!(
            (scheduled.status.as_str(), scheduled.reason.as_deref()),
            ("False", Some("Unschedulable"))
        );
    }
}

#[tokio::test]
async fn a_pod_gets_what_another_gives_back() {
    let node = Harness::new().await;
    another(
        &node,
        json!({ "restartPolicy": "Never", "containers": [asks("2", "1Mi")] }),
    )
    .await;
    node.pod(json!({ "containers": [{ "name": "b", "image": "busybox", "imagePullPolicy": "Never", "resources": { "requests": { "cpu": "1" } } }] }))
        .await;
    assert_eq!(node.phase(), "Pending");
    node.runtime.exit("a", 0);
    settle().await;
    settle().await;
    assert_eq!(
        (node.phase().as_str(), status_of(&node, "y").0.as_str()),
        ("Running", "Succeeded")
    );
}

#[tokio::test]
async fn a_gated_pod_waits_until_its_gates_are_gone() {
    let node = Harness::new().await;
    node.pod(json!({ "schedulingGates": [{ "name": "example.com/quota" }], "containers": [container(json!({}))] }))
        .await;
    let condition = || {
        let conditions = node.get().and_then(|p| p.status?.conditions).unwrap_or_default();
        let found = conditions
            .into_iter()
            .find(|c| c.type_ == "PodScheduled")
            .unwrap_or_default();
        (
            found.status,
            found.reason.unwrap_or_default(),
            found.message.unwrap_or_default(),
        )
    };
    let gated = "Scheduling is blocked due to non-empty scheduling gates";
    assert_eq!(
        condition(),
        ("False".to_owned(), "SchedulingGated".to_owned(), gated.to_owned())
    );
    assert!(node.events().is_empty());
    let opened = node.store.api::<Pod>().modify("default", "x", |pod| {
        pod.spec.get_or_insert_default().scheduling_gates = None;
    });
    opened.expect("gates may be removed");
    settle().await;
    assert_eq!((node.phase().as_str(), condition().0.as_str()), ("Running", "True"));
}

#[tokio::test]
async fn the_kubelet_sends_away_what_the_scheduler_would_not_have_sent() {
    let selector = json!({ "disk": "ssd" });
    for (spec, reason, message) in [
        (
            json!({ "nodeName": "node-1", "containers": [asks("1500m", "1Mi")] }),
            "OutOfcpu",
            "Pod was rejected: Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000",
        ),
        (
            json!({ "nodeName": "node-1", "containers": [asks("1", "5Gi")] }),
            "OutOfmemory",
            "Pod was rejected: Node didn't have enough resource: memory, requested: 5368709120, used: 0, capacity: 4294967296",
        ),
        (
            json!({ "nodeName": "node-1", "nodeSelector": selector, "containers": [container(json!({}))] }),
            "NodeAffinity",
            "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
        ),
        (
            json!({ "nodeName": "node-1", "containers": [container(json!({ "ports": [{ "containerPort": 1, "hostPort": 8080 }] }))] }),
            "NodePorts",
            "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
        ),
    ] {
        let node = Harness::new().await;
        let first = container(json!({
            "ports": [{ "containerPort": 80, "hostPort": 8080 }], "resources": { "requests": { "cpu": "1" } },
        }));
        another(&node, json!({ "containers": [first] })).await;
        node.pod(spec.clone()).await;
        let status = status_of(&node, "x");
        assert_eq!(
            (status.0.as_str(), status.1.as_str(), status.2.as_str()),
            ("Failed", reason, message),
            "{spec}"
        );
        let told = format!("{reason}: {}", message.trim_start_matches("Pod was rejected: "));
        assert!(node.events().contains(&told), "{:?}", node.events());
        assert_eq!(node.calls(&["run_pod_sandbox"]), ["run_pod_sandbox y"], "{spec}");
    }
}

#[tokio::test]
async fn a_pod_that_the_api_no_longer_has_takes_nothing_away_from_the_next() {
    let node = Harness::new().await;
    let spec = || json!({ "containers": [container(json!({ "ports": [{ "containerPort": 80, "hostPort": 8080 }] }))] });
    node.pod(spec()).await;
    // Its worker has to try again, and still knows it.
    let error = podsim_cri::Error::Internal("busy".to_owned());
    node.runtime.fail_next("stop_pod_sandbox", error);
    node.delete(Some(0)).await;
    node.pod(spec()).await;
    assert_eq!(node.phase(), "Running", "{:?}", node.events());
}

#[test]
fn what_a_pod_asks_for_counts_init_containers_and_sidecars_as_upstream_does() {
    let cpu = |amount: &str| json!({ "requests": { "cpu": amount } });
    let named = |name: &str, amount: &str| json!({ "name": name, "image": "x", "resources": cpu(amount) });
    let sidecar = |name: &str, amount: &str| {
        let mut value = named(name, amount);
        value["restartPolicy"] = "Always".into();
        value
    };
    for (init, containers, overhead, expected) in [
        (json!([]), json!([named("a", "1"), named("b", "500m")]), "0", 1500),
        (json!([named("i", "3")]), json!([named("a", "1")]), "0", 3000),
        (
            json!([sidecar("s", "1"), named("i", "3")]),
            json!([named("a", "1")]),
            "0",
            4000,
        ),
        (
            json!([named("i", "3"), sidecar("s", "1")]),
            json!([named("a", "1")]),
            "0",
            3000,
        ),
        (json!([sidecar("s", "1")]), json!([named("a", "1")]), "250m", 2250),
    ] {
        let pod = pod(json!({ "initContainers": init, "containers": containers, "overhead": { "cpu": overhead } }));
        assert_eq!(
            resources::requests(&pod).get("cpu").copied(),
            Some(expected),
            "{init} {containers}"
        );
    }
}

#[test]
fn affinity_tolerations_and_ports_follow_upstreams_rules() {
    let node: Node =
        serde_json::from_value(json!({ "metadata": { "name": "n", "labels": { "disk": "ssd", "cores": "8" } } }))
            .unwrap_or_default();
    let term = |key: &str, operator: &str, values: &[&str]| json!({ "matchExpressions": [{ "key": key, "operator": operator, "values": values }] });
    let field = json!({ "matchFields": [{ "key": "metadata.name", "operator": "In", "values": ["n"] }] });
    for (terms, matches) in [
        (json!([term("disk", "In", &["hdd", "ssd"])]), true),
        (json!([term("disk", "NotIn", &["ssd"])]), false),
        (json!([term("gpu", "NotIn", &["big"])]), true),
        (json!([term("gpu", "Exists", &[])]), false),
        (json!([term("gpu", "DoesNotExist", &[])]), true),
        (json!([term("cores", "Gt", &["4"])]), true),
        (json!([term("cores", "Lt", &["8"])]), false),
        (json!([term("disk", "In", &["hdd"]), field]), true),
        (json!([{}]), false),
    ] {
        let required = json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms } } });
        assert_eq!(
            affinity::matches(&pod(json!({ "affinity": required, "containers": [] })), &node),
            matches,
            "{terms}"
        );
    }
    let taint = Taint {
        key: "k".to_owned(),
        value: Some("v".to_owned()),
        effect: "NoSchedule".to_owned(),
        ..Taint::default()
    };
    for (toleration, tolerates) in [
        (json!({ "operator": "Exists" }), true),
        (json!({ "key": "k", "operator": "Exists" }), true),
        (json!({ "key": "k", "value": "v" }), true),
        (json!({ "key": "k", "operator": "Equal", "value": "w" }), false),
        (
            json!({ "key": "k", "operator": "Exists", "effect": "NoExecute" }),
            false,
        ),
    ] {
        let parsed = serde_json::from_value(toleration.clone()).unwrap_or_default();
        assert_eq!(taints::tolerates(&parsed, &taint), tolerates, "{toleration}");
    }
    let with = |port: Value| pod(json!({ "containers": [{ "name": "a", "ports": [port] }] }));
    let one = with(json!({ "containerPort": 1, "hostPort": 80, "hostIP": "127.0.0.1", "protocol": "TCP" }));
    for (port, conflict) in [
        (json!({ "containerPort": 1, "hostPort": 80 }), true),
        (
            json!({ "containerPort": 1, "hostPort": 80, "hostIP": "127.0.0.1" }),
            true,
        ),
        (
            json!({ "containerPort": 1, "hostPort": 80, "hostIP": "127.0.0.2" }),
            false,
        ),
        (json!({ "containerPort": 1, "hostPort": 80, "protocol": "UDP" }), false),
        (json!({ "containerPort": 1, "hostPort": 81 }), false),
        (json!({ "containerPort": 80 }), false),
    ] {
        assert_eq!(
            ports::conflict(&with(port.clone()), std::iter::once(&one)),
            conflict,
            "{port}"
        );
    }
}
