//! Where a Pod may go among several nodes, where it goes, and who makes room for it.

use super::harness::{Harness, settle};
use crate::fit::cluster::View;
use crate::fit::{pod_affinity, score, topology_spread};
use k8s_openapi::api::core::v1::{Node, Pod};
use podsim_store::kinds;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn node(name: &str, more: Value) -> Node {
    let mut node = json!({
        "metadata": { "name": name, "labels": { "host": name } },
        "status": { "allocatable": { "cpu": "4", "memory": "4Gi", "pods": "110" } },
    });
    for (key, value) in more["labels"].as_object().into_iter().flatten() {
        node["metadata"]["labels"][key] = value.clone();
    }
    node["spec"] = more["spec"].clone();
    serde_json::from_value(node).expect("a node")
}

fn pod(name: &str, app: &str, spec: Value) -> Pod {
    let mut spec = spec;
    if spec["containers"].is_null() {
        spec["containers"] = json!([{ "name": "a", "image": "x" }]);
    }
    let metadata = json!({ "name": name, "namespace": "default", "labels": { "app": app } });
    serde_json::from_value(json!({ "metadata": metadata, "spec": spec })).expect("a Pod")
}

/// A term that means Pods of an app.
fn near(app: &str, topology: &str) -> Value {
    json!({ "labelSelector": { "matchLabels": { "app": app } }, "topologyKey": topology })
}

fn required(kind: &str, terms: Value) -> Value {
    json!({ "affinity": { kind: { "requiredDuringSchedulingIgnoredDuringExecution": terms } } })
}

/// Three nodes in two zones, and what is on them.
struct Cluster {
    nodes: Vec<Node>,
    pods: Vec<(&'static str, Pod)>,
}

impl Cluster {
    fn new(pods: Vec<(&'static str, Pod)>) -> Self {
        let zone = |zone: &str| json!({ "labels": { "zone": zone } });
        Self {
            nodes: vec![
                node("a", zone("east")),
                node("b", zone("east")),
                node("c", zone("west")),
            ],
            pods,
        }
    }

    fn view(&self) -> View<'_> {
        let name = |node: &Node| node.metadata.name.clone().unwrap_or_default();
        let nodes = self.nodes.iter().map(|node| {
            let place = ["a", "b", "c", "d"].into_iter().find(|place| *place == name(node));
            (place.expect("a node of the test"), node)
        });
        View {
            nodes: nodes.collect(),
            pods: self.pods.iter().map(|(at, pod)| (*at, pod)).collect(),
            namespaces: BTreeMap::from([(
                "other".to_owned(),
                BTreeMap::from([("team".to_owned(), "x".to_owned())]),
            )]),
        }
    }
}

#[test]
fn pods_are_near_those_they_want_to_be_near() {
    let web = || vec![("a", pod("w", "web", json!({})))];
    let lonely = |app: &str, topology: &str| {
        vec![(
            "a",
            pod("w", "web", required("podAntiAffinity", json!([near(app, topology)]))),
        )]
    };
    let mut elsewhere = pod("w", "web", json!({}));
    elsewhere.metadata.namespace = Some("other".to_owned());
    let elsewhere = || vec![("a", elsewhere.clone())];
    let (not_near, too_near, unwanted) = (
        Some(pod_affinity::NOT_NEAR),
        Some(pod_affinity::TOO_NEAR),
        Some(pod_affinity::UNWANTED),
    );
    let in_namespaces = |more: Value| {
        let mut term = near("web", "host");
        for (key, value) in more.as_object().into_iter().flatten() {
            term[key] = value.clone();
        }
        required("podAffinity", json!([term]))
    };
    for (there, spec, expected) in [
        (web(), json!({}), [None, None, None]),
        (
            web(),
            required("podAffinity", json!([near("web", "host")])),
            [None, not_near, not_near],
        ),
        (
            web(),
            required("podAffinity", json!([near("web", "zone")])),
            [None, None, not_near],
        ),
        (
            web(),
            required("podAffinity", json!([near("web", "rack")])),
            [not_near; 3],
        ),
        (
            web(),
            required("podAffinity", json!([near("db", "host")])),
            [not_near; 3],
        ),
        // The first of its kind has nobody to be near.
        (vec![], required("podAffinity", json!([near("new", "host")])), [None; 3]),
        (
            vec![],
            required("podAffinity", json!([near("new", "rack")])),
            [not_near; 3],
        ),
        (
            web(),
            required("podAntiAffinity", json!([near("web", "host")])),
            [too_near, None, None],
        ),
        (
            web(),
            required("podAntiAffinity", json!([near("web", "zone")])),
            [too_near, too_near, None],
        ),
        (lonely("new", "host"), json!({}), [unwanted, None, None]),
        (lonely("new", "zone"), json!({}), [unwanted, unwanted, None]),
        (lonely("old", "zone"), json!({}), [None; 3]),
        (elsewhere(), in_namespaces(json!({})), [not_near; 3]),
        (
            elsewhere(),
            in_namespaces(json!({ "namespaces": ["other"] })),
            [None, not_near, not_near],
        ),
        (
            elsewhere(),
            in_namespaces(json!({ "namespaceSelector": { "matchLabels": { "team": "x" } } })),
            [None, not_near, not_near],
        ),
        (
            elsewhere(),
            in_namespaces(json!({ "namespaceSelector": {} })),
            [None, not_near, not_near],
        ),
        (
            web(),
            required(
                "podAffinity",
                json!([{ "labelSelector": {}, "matchLabelKeys": ["app"], "topologyKey": "host" }]),
            ),
            [None; 3],
        ),
        (
            web(),
            required(
                "podAffinity",
                json!([{ "labelSelector": {}, "mismatchLabelKeys": ["app"], "topologyKey": "host" }]),
            ),
            [None, not_near, not_near],
        ),
    ] {
        let cluster = Cluster::new(there);
        let new = pod("n", "new", spec.clone());
        let view = cluster.view();
        let found =
            ["a", "b", "c"].map(|node| pod_affinity::conflict(&new, node, &view).map(|conflict| conflict.reason));
        assert_eq!(found, expected, "{spec}");
    }
}

#[test]
fn pods_are_spread() {
    let spread = |more: Value| {
        let mut constraint = json!({
            "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": { "matchLabels": { "app": "web" } },
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            constraint[key] = value.clone();
        }
        json!({ "topologySpreadConstraints": [constraint] })
    };
    let web = |at: &'static str| (at, pod("w", "web", json!({})));
    let (uneven, nowhere) = (Some(topology_spread::UNEVEN), Some(topology_spread::NOWHERE));
    let mut only_east = spread(json!({}));
    only_east["nodeSelector"] = json!({ "zone": "east" });
    let mut ignoring = spread(json!({ "nodeAffinityPolicy": "Ignore" }));
    ignoring["nodeSelector"] = json!({ "zone": "east" });
    for (there, spec, expected) in [
        (vec![], spread(json!({})), [None; 3]),
        (vec![web("a")], spread(json!({})), [uneven, uneven, None]),
        (vec![web("a"), web("c")], spread(json!({})), [None; 3]),
        (vec![web("a")], spread(json!({ "maxSkew": 2 })), [None; 3]),
        (
            vec![web("a")],
            spread(json!({ "topologyKey": "host" })),
            [uneven, None, None],
        ),
        (vec![], spread(json!({ "topologyKey": "rack" })), [nowhere; 3]),
        (
            vec![web("a"), web("c")],
            spread(json!({ "minDomains": 3 })),
            [uneven; 3],
        ),
        // With one zone to go to, nothing is uneven.
        (vec![web("a")], only_east, [None; 3]),
        (vec![web("a")], ignoring, [uneven, uneven, None]),
        (
            vec![web("a")],
            spread(json!({ "whenUnsatisfiable": "ScheduleAnyway" })),
            [None; 3],
        ),
    ] {
        let cluster = Cluster::new(there);
        let new = pod("n", "web", spec.clone());
        let view = cluster.view();
        let found = ["a", "b", "c"].map(|node| topology_spread::conflict(&new, node, &view).map(|(reason, _)| reason));
        assert_eq!(found, expected, "{spec}");
    }
}

#[test]
fn the_best_node_is_taken() {
    let asks = |cpu: &str| json!({ "containers": [{ "name": "a", "image": "x", "resources": { "requests": { "cpu": cpu } } }] });
    let preferring = |kind: &str, term: Value| json!({ "affinity": { kind: { "preferredDuringSchedulingIgnoredDuringExecution": [term] } } });
    let zone = json!({ "weight": 50, "preference": { "matchExpressions": [{ "key": "zone", "operator": "In", "values": ["west"] }] } });
    let like = |app: &str| json!({ "weight": 50, "podAffinityTerm": near(app, "host") });
    let anyway = json!({ "topologySpreadConstraints": [{
        "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": { "matchLabels": { "app": "new" } },
    }] });
    let disliked = json!({ "spec": { "taints": [{ "key": "k", "effect": "PreferNoSchedule" }] } });
    for (there, spec, expected) in [
        (vec![], json!({}), "a"),
        (vec![("a", pod("x", "x", asks("1")))], json!({}), "b"),
        (
            vec![("a", pod("x", "x", json!({}))), ("b", pod("y", "x", json!({})))],
            json!({}),
            "c",
        ),
        (vec![], preferring("nodeAffinity", zone), "c"),
        (
            vec![("b", pod("x", "db", json!({})))],
            preferring("podAffinity", like("db")),
            "b",
        ),
        (
            vec![("a", pod("x", "db", json!({})))],
            preferring("podAntiAffinity", like("db")),
            "b",
        ),
        (vec![("a", pod("x", "new", json!({})))], anyway, "c"),
    ] {
        let cluster = Cluster::new(there);
        let new = pod("n", "new", spec.clone());
        assert_eq!(
            score::best(&new, &["a", "b", "c"], &cluster.view()),
            Some(expected),
            "{spec}"
        );
    }
    let mut cluster = Cluster::new(vec![]);
    cluster.nodes[0] = node("a", disliked);
    let new = pod("n", "new", json!({}));
    assert_eq!(score::best(&new, &["a", "b"], &cluster.view()), Some("b"));
    assert_eq!(score::best(&new, &["a"], &cluster.view()), Some("a"));
    assert_eq!(score::best(&new, &[], &cluster.view()), None);
}

/// Creates a Pod that asks for CPUs, with a priority.
async fn create(node: &Harness, name: &str, cpu: &str, priority: i32) {
    let spec = json!({
        "priorityClassName": format!("p{priority}"), "terminationGracePeriodSeconds": 5,
        "containers": [{
            "name": "a", "image": "busybox", "imagePullPolicy": "Never", "resources": { "requests": { "cpu": cpu } },
        }],
    });
    // What is deleted can still be looked at.
    let pod = json!({ "metadata": { "name": name, "finalizers": ["example.com/kept"] }, "spec": spec });
    node.store.create(&kinds::POD, "default", pod).expect("a good Pod");
    settle().await;
}

async fn with_classes() -> Harness {
    let node = Harness::new().await;
    for value in [0, 5, 10, 100] {
        let class = json!({ "metadata": { "name": format!("p{value}") }, "value": value });
        node.store
            .create(&kinds::PRIORITY_CLASS, "", class)
            .expect("a good class");
    }
    let class = json!({ "metadata": { "name": "p99" }, "value": 99, "preemptionPolicy": "Never" });
    node.store
        .create(&kinds::PRIORITY_CLASS, "", class)
        .expect("a good class");
    node
}

#[tokio::test]
async fn the_least_important_pods_make_room() {
    let node = with_classes().await;
    for (name, priority) in [("low", 5), ("lowest", 0), ("middle", 10)] {
        create(&node, name, "600m", priority).await;
    }
    create(&node, "x", "700m", 100).await;
    let condition = "FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu.";
    assert!(node.events().iter().any(|e| e == condition), "{:?}", node.events());
    let x = node.get().expect("there");
    let uid = x.metadata.uid.clone().unwrap_or_default();
    let preempted = format!("Preempted: Preempted by pod {uid} on node node-1");
    assert_eq!(node.events().iter().filter(|e| **e == preempted).count(), 1);
    let get = |name: &str| node.store.get(&kinds::POD, "default", name).expect("it is kept");
    for (name, goes) in [("low", false), ("lowest", true), ("middle", false)] {
        assert_eq!(get(name)["metadata"]["deletionTimestamp"].is_string(), goes, "{name}");
    }
    let conditions = get("lowest")["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let target = conditions
        .iter()
        .find(|c| c["type"] == "DisruptionTarget")
        .cloned()
        .unwrap_or_default();
    assert_eq!(target["reason"], "PreemptionByScheduler");
    assert_eq!(node.phase(), "Running");
}

#[tokio::test]
async fn nobody_makes_room_for_an_equal_or_where_it_is_not_asked_for() {
    for (priority, expected) in [
        (
            10,
            "FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: \
             1 No preemption victims found for incoming pod.",
        ),
        (
            99,
            "FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: not eligible due to \
             preemptionPolicy=Never.",
        ),
    ] {
        let node = with_classes().await;
        create(&node, "there", "1500m", 10).await;
        create(&node, "x", "700m", priority).await;
        assert!(node.events().iter().any(|e| e == expected), "{:?}", node.events());
        assert_eq!(node.phase(), "Pending");
    }
}
